// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings a reset into another clock's domain.

use crate::base::{Dff, DffR, Synchroniser};
use rust_hdl_core::prelude::*;

/// Keeps both sides of a clock crossing in reset until the far side has seen it, whenever its clock comes: `near_reset` and `far_reset`
/// are high together for four clocks of the slower side at least, as `AsyncFifo` wants it. `reset` is synchronous to `clock`, high for 16
/// clocks of the slower side or more.
#[millrace_hdl::block]
pub struct ResetBridge {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub far_clock: Signal<In, Clock>,
    pub near_reset: Signal<Out, Bit>,
    pub far_reset: Signal<Out, Bit>,
    #[init(DffR::new(true))]
    holding: DffR<Bit>,
    #[clock(far_clock)]
    there: Synchroniser<1>,
    /// Four clocks in which the far side's registers take the reset and show it to the near side.
    #[clock(far_clock)]
    waited: Dff<Bits<4>>,
    back: Synchroniser<1>,
}

#[millrace_hdl::block]
impl ResetBridge {
    fn update(&mut self) {
        comment!("there");
        self.there.d = cast::<1>(self.holding);
        self.waited = concat::<4>(self.waited.get_bits::<3>(0), self.there.q);
        self.far_reset = self.there.q.any();

        comment!("and back");
        self.back.d = cast::<1>(self.waited.get_bit(3));
        self.holding &= !self.back.q.any();
        self.near_reset = self.holding;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    /// Ticks the near clock `near` times for each `far` ticks of the far one; how many ticks of each had both resets high.
    fn both(bridge: &mut ResetBridge, near: usize, far: usize, rounds: usize) -> (usize, usize) {
        let mut together = (0, 0);
        for _ in 0..rounds {
            for _ in 0..near {
                together.0 += usize::from(bridge.near_reset.val() && bridge.far_reset.val());
                tick(bridge, |b| &mut b.clock);
            }
            for _ in 0..far {
                together.1 += usize::from(bridge.near_reset.val() && bridge.far_reset.val());
                tick(bridge, |b| &mut b.far_clock);
            }
        }
        together
    }

    #[test]
    fn both_sides_are_in_reset_together_for_long_enough() {
        for (near, far) in [(1, 1), (1, 4), (4, 1), (7, 2)] {
            let mut bridge = ResetBridge::default();
            bridge.connect_all();
            bridge.reset.next = true;
            let during = both(&mut bridge, near, far, 16);
            bridge.reset.next = false;
            let after = both(&mut bridge, near, far, 16);
            let together = (during.0 + after.0, during.1 + after.1);
            assert!(together.0 >= 4 && together.1 >= 4, "{together:?} of {near} to {far}");
            settle(&mut bridge);
            assert!(!bridge.near_reset.val() && !bridge.far_reset.val(), "over");
        }
    }

    #[test]
    fn a_clock_that_comes_late_finds_both_sides_in_reset() {
        let mut bridge = ResetBridge::default();
        bridge.connect_all();
        bridge.reset.next = true;
        both(&mut bridge, 1, 0, 16);
        bridge.reset.next = false;
        both(&mut bridge, 1, 0, 100);
        assert!(bridge.near_reset.val(), "the far side has not seen it");
        let together = both(&mut bridge, 1, 1, 20);
        assert!(together.0 >= 4 && together.1 >= 4, "{together:?}");
        assert!(!bridge.near_reset.val() && !bridge.far_reset.val());
    }

    #[test]
    fn lints() {
        assert_lints(ResetBridge::default());
    }
}
