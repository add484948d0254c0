// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings a reset into another clock's domain.

use crate::base::{Dff, DffR, Synchroniser, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Keeps both sides of a clock crossing in reset until the far side has seen it, whenever its clock comes: `near_reset` and `far_reset`
/// are high together for four clocks of the slower side at least, as `AsyncFifo` wants it. `reset` is synchronous to `clock`, high for 16
/// clocks of the slower side or more.
#[derive(LogicBlock)]
pub struct ResetBridge {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub far_clock: Signal<In, Clock>,
    pub near_reset: Signal<Out, Bit>,
    pub far_reset: Signal<Out, Bit>,
    holding: DffR<Bit>,
    there: Synchroniser<1>,
    /// Four clocks in which the far side's registers take the reset and show it to the near side.
    waited: Dff<Bits<4>>,
    back: Synchroniser<1>,
}

impl Default for ResetBridge {
    fn default() -> Self {
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            far_clock: Default::default(),
            near_reset: Default::default(),
            far_reset: Default::default(),
            holding: DffR::new(true),
            there: Default::default(),
            waited: Default::default(),
            back: Default::default(),
        }
    }
}

impl Logic for ResetBridge {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        comment!("there");
        self.there.clock.next = self.far_clock.val();
        self.waited.clock.next = self.far_clock.val();
        self.there.d.next = self.holding.q.val().into();
        self.waited.d.next = (self.waited.q.val() << 1) | bit_cast::<4, 1>(self.there.q.val());
        self.far_reset.next = self.there.q.val().any();

        comment!("and back");
        clock!(self, clock, holding, back);
        self.back.d.next = self.waited.q.val().get_bit(3).into();
        self.holding.reset.next = self.reset.val();
        self.holding.d.next = self.holding.q.val() & !self.back.q.val().any();
        self.near_reset.next = self.holding.q.val();
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
