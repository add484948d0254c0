// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first step of each rule.

use super::stored_step::stored_step;
use crate::base::{Dff, Param, Ram};
use crate::core::types::{Step, StoredStep};
use rust_hdl_core::prelude::*;

/// `1 << HASH_RULES_LOG2` steps, and [`with_entries`](Self::with_entries) `1 << TCAM_LOG2` more: one per slot of the hash tables and one per TCAM entry, in
/// two RAMs, so that the few of the TCAM do not double the memory. `step` comes three clocks after `rule` (RAM, its output register, choice).
#[millrace_hdl::block]
pub struct ActionRam<const HASH_RULES_LOG2: usize, const TCAM_LOG2: usize, const QUEUES: usize, const STEPS_LOG2: usize>
{
    pub clock: Signal<In, Clock>,
    pub rule: Signal<In, Bits<16>>,
    pub step: Signal<Out, StoredStep<QUEUES, STEPS_LOG2>>,
    pub write: Signal<In, Bit>,
    pub write_rule: Signal<In, Bits<16>>,
    pub write_step: Signal<In, Step>,
    slots: Ram<StoredStep<QUEUES, STEPS_LOG2>, HASH_RULES_LOG2>,
    entries: Vec<Ram<StoredStep<QUEUES, STEPS_LOG2>, TCAM_LOG2>>,
    slot_step: Dff<StoredStep<QUEUES, STEPS_LOG2>>,
    entry_step: Vec<Dff<StoredStep<QUEUES, STEPS_LOG2>>>,
    of_entry1: Dff<Bit>,
    of_entry2: Dff<Bit>,
    chosen: Dff<StoredStep<QUEUES, STEPS_LOG2>>,
    /// Number of slots: the first rule id of the entries.
    first_entry: Param<Bits<17>>,
    _entries: usize,
}

#[millrace_hdl::block]
impl<const HASH_RULES_LOG2: usize, const TCAM_LOG2: usize, const QUEUES: usize, const STEPS_LOG2: usize>
    ActionRam<HASH_RULES_LOG2, TCAM_LOG2, QUEUES, STEPS_LOG2>
{
    /// Clocks from `rule` to `step`.
    pub const LATENCY: usize = 3;

    /// `1 << HASH_RULES_LOG2` steps of zeros. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `HASH_RULES_LOG2` or `TCAM_LOG2` exceeds the 16 bits of a rule id.
    pub fn new() -> Self {
        assert!(
            HASH_RULES_LOG2 <= 16 && TCAM_LOG2 <= HASH_RULES_LOG2,
            "rule ids of {HASH_RULES_LOG2} and {TCAM_LOG2} bits"
        );
        Self { slots: Ram::new(), first_entry: Param::new((1usize << HASH_RULES_LOG2).to_bits()), ..Default::default() }
    }

    /// `(1 << HASH_RULES_LOG2) + (1 << TCAM_LOG2)` steps of zeros.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn with_entries() -> Self {
        Self {
            entries: vec![Ram::new()],
            entry_step: (0..1).map(|_| Default::default()).collect(),
            _entries: 1,
            ..Self::new()
        }
    }

    fn update(&mut self) {
        self.slots.re = true;
        self.slots.raddr = cast::<HASH_RULES_LOG2>(self.rule);
        self.of_entry1 = cast::<17>(self.rule) >= self.first_entry;
        self.slot_step = self.slots.rdata;
        self.of_entry2 = self.of_entry1;
        self.chosen = self.slot_step;
        for i in 0..self._entries {
            if self.of_entry2 {
                self.chosen = self.entry_step[i];
            }
        }
        self.step = self.chosen;

        let written = stored_step::<QUEUES, STEPS_LOG2>(self.write_step);
        self.slots.waddr = cast::<HASH_RULES_LOG2>(self.write_rule);
        self.slots.wdata = written;
        self.slots.we = self.write & (cast::<17>(self.write_rule) < self.first_entry);
        for i in 0..self._entries {
            self.entries[i].re = true;
            self.entries[i].raddr = cast::<TCAM_LOG2>(self.rule);
            self.entries[i].waddr = cast::<TCAM_LOG2>(self.write_rule);
            self.entries[i].wdata = written;
            self.entries[i].we = self.write & (cast::<17>(self.write_rule) >= self.first_entry);

            self.entry_step[i] = self.entries[i].rdata;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};

    #[test]
    fn every_rule_has_its_step() {
        let mut uut = Box::new(ActionRam::<4, 2, 12, 8>::with_entries());
        uut.connect_all();
        for rule in 0..20u64 {
            uut.write.next = true;
            uut.write_rule.next = rule.to_bits();
            uut.write_step.next = Step { outputs: (0x100 + rule).to_bits(), ..Default::default() };
            tick(&mut *uut, |u| &mut u.clock);
        }
        uut.write.next = false;
        for n in 0..40u64 {
            uut.rule.next = (n * 7 % 20).to_bits();
            tick(&mut *uut, |u| &mut u.clock);
            if let Some(n) = n.checked_sub(2) {
                assert_eq!(uut.step.val().outputs.to_u64(), 0x100 + n * 7 % 20);
            }
        }
    }

    #[test]
    fn lints() {
        assert_lints(ActionRam::<14, 5, 12, 8>::with_entries());
        assert_lints(ActionRam::<10, 4, 5, 4>::new());
    }
}
