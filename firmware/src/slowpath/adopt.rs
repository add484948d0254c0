// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that an earlier slow path left in the hardware: each is a megaflow again, and is looked at as after a change of the flow tables.

use super::cache::{Home, Megaflow};
use super::core::Core;
use super::offload::Offload;
use crate::compile::{Program, hardware_mask, program};
use crate::mac::{Heard, MacTable, Station};
use crate::openflow::FlowKey;
use crate::xlate::{Translation, translate};
use millrace_driver::Count;
use millrace_regs::{Key, Mask};
use smallvec::SmallVec;
use std::hash::Hash;

/// A rule that is in the hardware.
pub struct Left<R> {
    /// Its name.
    pub rule: R,
    /// The key of the packet that its megaflow was made for.
    pub packet: FlowKey,
    /// The hardware's key under its mask.
    pub key: Key,
    /// The hardware's mask.
    pub mask: Mask,
    /// What is done.
    pub program: Program,
}

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Takes in the rules that an earlier slow path left. They were in use at this moment, and count from it on. They agree with the flow tables
    /// when none is `stale` any more: see [`agree`](Self::agree).
    pub fn adopt(&mut self, offload: &mut impl Offload<Rule = R>, rules: Vec<Left<R>>, now: u64) {
        for left in &rules {
            self.hear_again(left, now);
        }
        for left in &rules {
            self.locate(left, now);
        }
        // Nothing depends on them yet.
        self.moved.clear();
        for left in rules {
            if self.cache.find(&left.key, &left.mask).is_some() {
                offload.remove(left.rule);
                continue;
            }
            self.stats.taken_over += 1;
            self.cache.insert(megaflow(left, now));
        }
        self.stale = 0..self.cache.end();
    }

    /// Learns the stations that a rule's packets tell of.
    fn hear_again(&mut self, left: &Left<R>, now: u64) {
        let mut translation = Translation::default();
        translate(&self.pipeline, &self.macs, &left.packet, &mut translation);
        if left.mask.covers(&hardware_mask(&translation.mask)) {
            for (station, port) in translation.learned {
                self.learn(station, port, Heard::Packet(now));
            }
        }
    }

    /// Learns of the station that a rule sends to, which need not have sent anything lately: it is where the rule sends, if that is what the
    /// rule does for this reason.
    fn locate(&mut self, left: &Left<R>, now: u64) {
        let outputs = left.program.iter().fold(0, |all, step| all | step.outputs);
        let mut translation = Translation::default();
        translate(&self.pipeline, &self.macs, &left.packet, &mut translation);
        let unknown: SmallVec<[Station; 1]> =
            translation.asked.iter().copied().filter(|station| self.macs.lookup(*station).is_none()).collect();
        let covers = left.mask.covers(&hardware_mask(&translation.mask));
        if !covers || outputs.count_ones() != 1 || unknown.len() != 1 {
            return;
        }
        let (station, port) = (unknown[0], outputs.trailing_zeros() as u16 + 1);
        let mut known = MacTable::default();
        known.learn(station, port, Heard::Packet(now), |_| {});
        translate(&self.pipeline, &known, &left.packet, &mut translation);
        if program(&left.packet, &translation).is_ok_and(|program| program == left.program) {
            self.learn(station, port, Heard::Packet(now));
        }
    }
}

/// What a rule was the rule of, before it is looked at.
fn megaflow<R>(left: Left<R>, now: u64) -> Megaflow<R> {
    let Left { rule, packet, key, mask, program } = left;
    Megaflow {
        packet,
        mask: Default::default(),
        hw_key: key,
        hw_mask: mask,
        home: Home::Hardware(rule),
        program,
        flows: SmallVec::new(),
        learned: SmallVec::new(),
        asked: SmallVec::new(),
        count: Count::default(),
        hw_count: Count::default(),
        asked_at: now,
        made_for: 0,
        used: now,
        marks: Default::default(),
    }
}
