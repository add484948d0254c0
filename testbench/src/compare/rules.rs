// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules to draw: keys taken from drawn frames, so that they match some, under masks of whole fields and of prefixes.

use super::frames::{FrameSpec, frame};
use millrace_model::parse;
use millrace_regs::config::MIN_FRAME;
use millrace_regs::{KEY_FIELDS, Key, Mask, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Which bits a rule looks at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MaskSpec {
    /// Bit i: all of field i of [`KEY_FIELDS`].
    pub fields: u32,
    /// Leading bits of the (IPv4 or IPv6) addresses, if their field is looked at.
    pub prefixes: (u8, u8),
}

/// A rule that matches the frame it was drawn with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleSpec {
    pub vport: u8,
    pub like: FrameSpec,
    /// Index into the case's masks.
    pub mask: u8,
    pub priority: u16,
    pub tcam: bool,
    pub program: Vec<StepSpec>,
    /// In which pass.
    #[serde(default)]
    pub pass: PassSpec,
}

/// The pass that a rule is for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct PassSpec {
    pub number: u8,
    pub metadata: u64,
    /// Byte of the frame at which the packet begins.
    pub start: u8,
}

/// What a step says of another lookup.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AgainSpec {
    pub start_from: u8,
    pub start: u8,
    pub metadata: u64,
    pub metadata_mask: u64,
}

/// A step, as few numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepSpec {
    /// Bit v = vport v.
    pub outputs: u64,
    pub upcall: bool,
    /// The seven `set_` bits.
    pub sets: u8,
    /// All values that are set follow from this.
    pub values: u64,
    pub vlan: (u8, u8),
    pub tos_mask: u8,
    pub ttl_dec: u8,
    /// It has the packet looked up again.
    #[serde(default)]
    pub again: Option<AgainSpec>,
}

impl MaskSpec {
    pub fn mask(&self) -> Mask {
        let mut words = [0; Key::WORDS];
        for (i, field) in KEY_FIELDS.iter().enumerate() {
            if self.fields >> i & 1 == 1 {
                let value = match field.name {
                    "nw_src" => prefix(self.prefixes.0),
                    "nw_dst" => prefix(self.prefixes.1),
                    _ => field.max(),
                };
                field.set(&mut words, value);
            }
        }
        Mask::unpack(&words)
    }
}

/// A mask of `length` leading bits (modulo 33) of an IPv4 address, or of every word of an IPv6 address.
fn prefix(length: u8) -> u128 {
    let word = u64::from(u32::MAX) << (32 - u32::from(length % 33)) & u64::from(u32::MAX);
    (0..4).fold(0, |mask, _| mask << 32 | u128::from(word))
}

impl RuleSpec {
    /// The rule's key, not masked.
    pub fn key(&self) -> Key {
        let mut frame = self.like.bytes();
        let PassSpec { number, metadata, start } = self.pass;
        frame.resize(frame.len().max(MIN_FRAME + usize::from(start)), 0);
        Key { metadata, pass: number, ..parse(self.vport, &frame[start.into()..]).key }
    }
}

impl StepSpec {
    pub fn step(&self) -> Step {
        let set = |bit: u8| self.sets >> bit & 1 == 1;
        let value = self.values;
        let wide = u128::from(value) << 64 | u128::from(value.rotate_left(29));
        Step {
            outputs: self.outputs.into(),
            upcall: self.upcall,
            set_dl_dst: set(0),
            set_dl_src: set(1),
            set_nw_src: set(2),
            set_nw_dst: set(3),
            set_tp_src: set(4),
            set_tp_dst: set(5),
            set_nw_ttl: set(6),
            vlan_pop: self.vlan.0,
            vlan_push: self.vlan.1,
            more: false,
            next: 0,
            nw_tos: value as u8,
            nw_tos_mask: self.tos_mask,
            nw_ttl: (value >> 8) as u8,
            ttl_dec: self.ttl_dec,
            push0_tci: (value >> 16) as u16,
            push0_tpid: 0x88a8,
            push1_tci: (value >> 32) as u16,
            push1_tpid: 0x8100,
            tp_src: (value >> 24) as u16,
            tp_dst: (value >> 40) as u16,
            dl_dst: value & 0xffff_ffff_ffff,
            dl_src: value >> 16,
            nw_src: wide,
            nw_dst: wide.rotate_right(17),
            look_again: self.again.is_some(),
            start_from: self.again.map_or(0, |again| again.start_from),
            start: self.again.map_or(0, |again| again.start),
            metadata: self.again.map_or(0, |again| again.metadata),
            metadata_mask: self.again.map_or(0, |again| again.metadata_mask),
        }
    }
}

pub fn mask() -> impl Strategy<Value = MaskSpec> {
    let named = |names: &[&str]| {
        (0..).zip(KEY_FIELDS).fold(0, |all, (i, field)| all | u32::from(names.contains(&field.name)) << i)
    };
    let fields = prop_oneof![
        Just(named(&["in_port"])),
        Just(named(&["in_port", "pass"])),
        Just(named(&["in_port", "metadata"])),
        Just(u32::MAX),
        any::<u32>(),
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| a & b),
    ];
    (fields, (0u8..33, 0u8..33)).prop_map(|(fields, prefixes)| MaskSpec { fields, prefixes })
}

/// Few numbers, so that what one rule writes others look for: of a byte's digits, each as often as there is room.
fn metadata() -> impl Strategy<Value = u64> {
    prop_oneof![4 => (0u64..4).prop_map(|digit| digit * 0x1111_1111_1111_1111), 1 => any::<u64>()]
}

/// Most packets stay where they are, or go on behind their headers.
fn again() -> impl Strategy<Value = AgainSpec> {
    let start = prop_oneof![
        6 => Just((0u8, 0u8)),
        2 => (1u8..3, prop_oneof![Just(0u8), Just(8), Just(16), 0u8..128]),
        1 => (0u8..4, 0u8..128),
    ];
    let mask = prop_oneof![4 => Just(u64::MAX), 1 => Just(0), 2 => Just(0xffff_0000), 1 => any::<u64>()];
    (start, metadata(), mask).prop_map(|((start_from, start), metadata, metadata_mask)| AgainSpec {
        start_from,
        start,
        metadata,
        metadata_mask,
    })
}

/// Of a build with passes half of the rules are for the first.
fn pass(passes: usize) -> BoxedStrategy<PassSpec> {
    if passes == 1 {
        return Just(PassSpec::default()).boxed();
    }
    let starts = prop_oneof![4 => Just(0u8), 1 => Just(14), 1 => Just(34), 1 => (0u8..46).prop_map(|half| 2 * half)];
    let later = (1..passes as u8, metadata(), starts);
    let later = later.prop_map(|(number, metadata, start)| PassSpec { number, metadata, start });
    prop_oneof![1 => Just(PassSpec::default()), 1 => later].boxed()
}

fn step(vports: usize, passes: usize) -> impl Strategy<Value = StepSpec> {
    let vport = 0..vports as u32;
    let outputs = prop_oneof![
        8 => vport.clone().prop_map(|v| (1 << v, false)),
        3 => (vport.clone(), vport).prop_map(|(a, b)| (1 << a | 1 << b, false)),
        1 => Just((0, true)),
        1 => any::<(u64, bool)>(),
        1 => Just((0, false)),
    ];
    let sets = prop_oneof![1 => Just(0u8), 2 => any::<u8>()];
    let tos_mask = prop_oneof![2 => Just(0u8), 1 => any::<u8>()];
    let ttl_dec = prop_oneof![3 => Just(0u8), 2 => Just(1), 1 => any::<u8>()];
    let again = if passes == 1 { Just(None).boxed() } else { prop::option::weighted(0.4, again()).boxed() };
    (outputs, sets, any::<u64>(), (0u8..3, 0u8..3), tos_mask, ttl_dec, again).prop_map(
        |((outputs, upcall), sets, values, vlan, tos_mask, ttl_dec, again)| StepSpec {
            outputs,
            upcall,
            sets,
            values,
            vlan,
            tos_mask,
            ttl_dec,
            again,
        },
    )
}

/// One to four steps, mostly one.
pub fn program(vports: usize, passes: usize) -> impl Strategy<Value = Vec<StepSpec>> {
    prop_oneof![6 => vec(step(vports, passes), 1..2), 1 => vec(step(vports, passes), 2..5)]
}

pub fn rule(vports: usize, passes: usize) -> impl Strategy<Value = RuleSpec> {
    let tcam = prop::bool::weighted(0.2);
    (0..vports as u8, frame(), any::<u8>(), 0u16..4, tcam, program(vports, passes), pass(passes)).prop_map(
        |(vport, like, mask, priority, tcam, program, pass)| RuleSpec {
            vport,
            like,
            mask,
            priority,
            tcam,
            program,
            pass,
        },
    )
}
