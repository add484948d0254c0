// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts what is under way between a sender and a buffer behind it.

use super::{DffR, Param, Reg};
use rust_hdl_core::prelude::*;

/// `limit` credits (less than `1 << COUNT_BITS`), all there at reset. `available` says from a register whether one is left, and already counts
/// what was taken in the clock before. What is given back counts two clocks later.
#[millrace_hdl::block]
pub struct Credit<const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Only while `available`.
    pub take: Signal<In, Bit>,
    pub give_back: Signal<In, Bit>,
    pub available: Signal<Out, Bit>,
    /// None is taken.
    pub idle: Signal<Out, Bit>,
    taken: Reg<Bits<COUNT_BITS>>,
    returned: DffR<Bit>,
    exhausted: Reg<Bit>,
    /// All credits but one.
    last: Param<Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<const COUNT_BITS: usize> Credit<COUNT_BITS> {
    /// With this many credits.
    ///
    /// # Panics
    /// If `COUNT_BITS` bits do not count them.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0 && limit < 1 << COUNT_BITS, "{limit} credits do not fit {COUNT_BITS} bits");
        Self { last: Param::new((limit - 1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        self.returned = self.give_back;
        // `take` comes late in its clock, and decides only whether something changes.
        let changes = self.take ^ self.returned;
        if changes {
            self.taken += 1;
            if self.returned {
                self.taken -= 1;
            }
            self.exhausted = !self.returned & (self.taken == self.last);
        }
        self.available = !self.exhausted;
        self.idle = !self.taken.any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn never_more_than_the_limit_are_under_way_and_all_of_them_can_be() {
        let mut rng = ChaCha8Rng::seed_from_u64(14);
        let mut c = Credit::<3>::new(5);
        c.connect_all();
        // Taken, given back in the clock before, most ever taken.
        let (mut taken, mut late, mut most) = (0, 0, 0);
        for clock in 0..2000 {
            let hurry = if clock / 200 % 2 == 0 { 0.9 } else { 0.3 };
            settle(&mut c);
            assert_eq!(c.available.val(), taken + late < 5);
            assert_eq!(c.idle.val(), taken + late == 0);
            c.take.next = c.available.val() && rng.random_bool(hurry);
            c.give_back.next = taken > 0 && rng.random_bool(0.5);
            late = c.give_back.next as usize;
            taken = taken + c.take.next as usize - late;
            most = most.max(taken);
            tick(&mut c, |c| &mut c.clock);
        }
        assert_eq!(most, 5);
    }

    #[test]
    fn credit_emits_clean_verilog() {
        assert_lints(Credit::<7>::new(64));
    }
}
