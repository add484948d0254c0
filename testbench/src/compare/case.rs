// SPDX-License-Identifier: MIT OR Apache-2.0
//! A case: what happens to the hardware, in order. It is drawn, shrunk when it fails, and kept as JSON.

use super::frames::{FrameSpec, frame};
use super::rules::{MaskSpec, RuleSpec, StepSpec, mask, program, rule};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    /// A frame comes in; `error`: its source marks it as broken.
    Receive {
        vport: u8,
        frame: FrameSpec,
        error: bool,
    },
    /// The slow path sends a frame. The vport may not exist.
    PacketOut {
        vport: u8,
        frame: FrameSpec,
    },
    Insert(RuleSpec),
    /// The rule that many places on in the list of live rules, round and round.
    Update {
        rule: u8,
        program: Vec<StepSpec>,
    },
    Delete {
        rule: u8,
    },
    /// Wait until nothing moves.
    Settle,
    /// Another rule manager takes the device over, which clears the tables.
    TakeOver,
    /// The device is reset.
    Reset,
}

/// Masks are few, as the hardware's tables are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    pub masks: Vec<MaskSpec>,
    /// How often each sink refuses a beat, of 4, by queue, round and round: back-pressure.
    pub refusals: Vec<u8>,
    pub ops: Vec<Op>,
}

impl Case {
    /// Frames that the case sends.
    pub fn packets(&self) -> usize {
        self.ops.iter().filter(|op| matches!(op, Op::Receive { .. } | Op::PacketOut { .. })).count()
    }
}

fn op(vports: usize, passes: usize) -> impl Strategy<Value = Op> {
    let error = prop::bool::weighted(0.02);
    prop_oneof![
        1600 => (0..vports as u8, frame(), error).prop_map(|(vport, frame, error)| Op::Receive { vport, frame, error }),
        160 => (0..vports as u8 + 2, frame()).prop_map(|(vport, frame)| Op::PacketOut { vport, frame }),
        320 => rule(vports, passes).prop_map(Op::Insert),
        80 => (any::<u8>(), program(vports, passes)).prop_map(|(rule, program)| Op::Update { rule, program }),
        80 => any::<u8>().prop_map(|rule| Op::Delete { rule }),
        80 => Just(Op::Settle),
        // A sweep takes as long as many frames.
        6 => Just(Op::TakeOver),
        2 => Just(Op::Reset),
    ]
}

/// Cases of up to `length` things that happen on a build with that many vports and passes.
pub fn case(vports: usize, passes: usize, length: usize) -> impl Strategy<Value = Case> {
    let refusals = prop_oneof![3 => Just(vec![0u8]), 1 => vec(0u8..4, 1..13)];
    (vec(mask(), 1..9), refusals, vec(op(vports, passes), 1..length)).prop_map(|(masks, refusals, ops)| Case {
        masks,
        refusals,
        ops,
    })
}
