// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets a frame begin only when it can be finished.

use crate::base::{DffR, Snk, Src, Tag};
use crate::fastpath::types::Beat;
use rust_hdl_core::prelude::*;

/// A gate behind a transmit queue: a frame begins only while `whole` says that the queue holds a whole one, and then goes through to its
/// end. Closed in reset. No clock of latency.
#[derive(LogicBlock, Default)]
pub struct WholeFrames<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub whole: Signal<In, Bit>,
    pub inp: Snk<Beat<W, C>>,
    pub out: Src<Beat<W, C>>,
    inside: DffR<Bit>,
    open: Signal<Local, Bit>,
}

impl<const W: usize, const C: usize> Logic for WholeFrames<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, inside);
        self.inside.reset.next = self.reset.val();
        self.open.next = (self.inside.q.val() | self.whole.val()) & !self.reset.val();
        self.out.data.next = self.inp.data.val();
        self.out.valid.next = self.inp.valid.val() & self.open.val();
        self.inp.ready.next = self.out.ready.val() & self.open.val();
        self.inside.d.next = self.inside.q.val();
        if self.inp.valid.val() & self.out.ready.val() & self.open.val() {
            self.inside.d.next = !self.inp.data.val().last;
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
