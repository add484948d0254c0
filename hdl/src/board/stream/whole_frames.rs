// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets a frame begin only when it can be finished.

use crate::base::{Reg, Snk, Src};
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// A gate behind a transmit queue: a frame begins only while `whole` says that the queue holds a whole one, and then goes through to its
/// end. Closed in reset. No clock of latency.
#[millrace_hdl::block]
pub struct WholeFrames<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub whole: Signal<In, Bit>,
    pub inp: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    pub out: Src<Beat<BUS_BITS, COUNT_BITS>>,
    inside: Reg<Bit>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> WholeFrames<BUS_BITS, COUNT_BITS> {
    fn update(&mut self) {
        let open = (self.inside | self.whole) & !self.reset;
        self.out.data = self.inp.data;
        self.out.valid = self.inp.valid & open;
        self.inp.ready = self.out.ready & open;
        if self.inp.valid & self.out.ready & open {
            self.inside = !self.inp.data.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    #[test]
    fn a_frame_begins_with_whole_and_then_goes_through() {
        let mut gate = WholeFrames::<64, 4>::default();
        gate.connect_all();
        gate.inp.valid.next = true;
        gate.out.ready.next = true;
        // Of each clock: reset, whole, last, and whether the beat passes.
        for (reset, whole, last, passes) in [
            (true, true, false, false),
            (false, false, false, false),
            (false, true, false, true),
            (false, false, false, true),
            (false, false, true, true),
            (false, false, true, false),
            (false, true, true, true),
            (false, false, false, false),
        ] {
            gate.reset.next = reset;
            gate.whole.next = whole;
            gate.inp.data.next = Beat { last, ..Default::default() };
            settle(&mut gate);
            assert_eq!((gate.out.valid.val(), gate.inp.ready.val()), (passes, passes));
            tick(&mut gate, |g| &mut g.clock);
        }
    }

    #[test]
    fn lints() {
        assert_lints(WholeFrames::<64, 4>::default());
    }
}
