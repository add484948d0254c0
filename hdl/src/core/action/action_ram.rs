// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first step of each rule.

use super::stored_step::stored_step;
use crate::base::{Dff, Param, Ram};
use crate::core::types::{Step, StoredStep};
use rust_hdl_core::prelude::*;

/// A step for each rule of the hash tables and, [`with_entries`](Self::with_entries), for each of the TCAM, in
/// two RAMs, so that the few of the TCAM do not double the memory. `step` comes three clocks after `rule` (RAM, its output register, choice).
#[millrace_hdl::block]
pub struct ActionRam<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub rule: Signal<In, Bits<16>>,
    pub step: Signal<Out, StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>>,
    pub write: Signal<In, Bit>,
    pub write_rule: Signal<In, Bits<16>>,
    pub write_step: Signal<In, Step<{ SIZES.further_step_bits }>>,
    slots: Ram<StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>, { SIZES.hash_rules_log2 }>,
    entries: Vec<Ram<StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>, { SIZES.tcam_log2 }>>,
    slot_step: Dff<StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>>,
    entry_step: Vec<Dff<StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>>>,
    of_entry1: Dff<Bit>,
    of_entry2: Dff<Bit>,
    chosen: Dff<StoredStep<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>>,
    /// Number of slots: the first rule id of the entries.
    first_entry: Param<Bits<17>>,
    _entries: usize,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> ActionRam<SIZES> {
    /// Clocks from `rule` to `step`.
    pub const LATENCY: usize = 3;

    /// Steps of zeros for the rules of the hash tables. (`Default` has no memory.)
    ///
    /// # Panics
    /// If there are more rules than ids of 16 bits.
    pub fn new() -> Self {
        assert!(
            SIZES.hash_rules_log2 <= 16 && SIZES.tcam_log2 <= SIZES.hash_rules_log2,
            "rule ids of {} and {} bits",
            SIZES.hash_rules_log2,
            SIZES.tcam_log2
        );
        Self {
            slots: Ram::new(),
            first_entry: Param::new((1usize << SIZES.hash_rules_log2).to_bits()),
            ..Default::default()
        }
    }

    /// Steps of zeros for the rules of the TCAM as well.
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
        self.slots.raddr = cast::<{ SIZES.hash_rules_log2 }>(self.rule);
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

        let written =
            stored_step::<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.further_step_bits }>(
                self.write_step,
            );
        self.slots.waddr = cast::<{ SIZES.hash_rules_log2 }>(self.write_rule);
        self.slots.wdata = written;
        self.slots.we = self.write & (cast::<17>(self.write_rule) < self.first_entry);
        for i in 0..self._entries {
            self.entries[i].re = true;
            self.entries[i].raddr = cast::<{ SIZES.tcam_log2 }>(self.rule);
            self.entries[i].waddr = cast::<{ SIZES.tcam_log2 }>(self.write_rule);
            self.entries[i].wdata = written;
            self.entries[i].we = self.write & (cast::<17>(self.write_rule) >= self.first_entry);

            self.entry_step[i] = self.entries[i].rdata;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::{assert_lints, tick};
    use millrace_regs::config::Preset;

    const SIM: Sizes = Sizes::of(&Preset::Sim.config());
    const ECP5: Sizes = Sizes::of(&Preset::Ecp5.config());
    /// 16 rules in hash tables, 4 in the TCAM.
    const FEW: Sizes = Sizes { hash_rules_log2: 4, tcam_log2: 2, ..SIM };

    #[test]
    fn every_rule_has_its_step() {
        let mut uut = Box::new(<sized!(ActionRam<FEW>)>::with_entries());
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
        assert_lints(<sized!(ActionRam<SIM>)>::with_entries());
        assert_lints(<sized!(ActionRam<ECP5>)>::new());
    }
}
