// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heads of the frames, each as a whole.

use super::credit::Credit;
use super::edit_types::EditedFrame;
use super::header_edit::HeaderEdit;
use super::types::{EditJob, Edited, WINDOW_BITS};
use crate::base::{DffE, Fifo, Snk, Src};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Jobs between `Expand` and `Splice` at most. More than the clocks they need there, so that one per clock is possible.
const JOBS: usize = 32;

/// Windows wait in a FIFO, follow the frames through `Expand` with `take` and `issue`, and pass `HeaderEdit` with their job; the edited
/// heads wait in a second FIFO. One job per clock.
///
/// `job.ready` comes from a register. A window is there long before its frame is matched.
#[millrace_hdl::block]
pub struct HeadersAtOnce<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, Bits<1024>>,
    pub window_valid: Signal<In, Bit>,
    /// The next frame is at work from the next clock on; `job` is for the frame at work from the next clock on.
    pub take: Signal<In, Bit>,
    pub issue: Signal<In, Bit>,
    pub job: Snk<EditJob>,
    pub edited: Src<Edited>,
    /// The wanted beat of the head of the frame last taken from `edited`, one-hot.
    pub head_slot: Signal<In, Bits<16>>,
    pub head: Signal<Out, Bits<W>>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    /// `clock_edit` may stand still.
    pub idle_edit: Signal<Out, Bit>,
    windows: Fifo<Bits<1024>, 6, 7>,
    at_work: DffE<Bits<1024>>,
    of_job: DffE<Bits<1024>>,
    edit: HeaderEdit,
    credit: Credit<6>,
    heads: Fifo<EditedFrame, 5, 6>,
    taken: DffE<Bits<960>>,
    accept: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    moved: Signal<Local, Bits<1024>>,
    shift: Vec<Constant<Bits<11>>>,
    _slots: usize,
}

impl<const W: usize> HeadersAtOnce<W> {
    /// Without a frame. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        let slots = WINDOW_BITS / W;
        Self {
            edit: HeaderEdit::new(),
            credit: Credit::new(JOBS),
            shift: (0..slots).map(|i| Constant::new((i * W).to_bits())).collect(),
            _slots: slots,
            ..Default::default()
        }
    }
}

impl<const W: usize> Logic for HeadersAtOnce<W> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, windows, at_work, of_job, credit, heads, taken);
        clock!(self, clock_edit, edit);
        self.windows.reset.next = self.reset.val();
        self.edit.reset.next = self.reset.val();
        self.credit.reset.next = self.reset.val();
        self.heads.reset.next = self.reset.val();

        comment!("windows keep step with Expand");
        self.windows.inp.data.next = self.window.val();
        self.windows.inp.valid.next = self.window_valid.val();
        self.windows.out.ready.next = self.take.val();
        self.at_work.en.next = self.take.val();
        self.at_work.d.next = self.windows.out.data.val();
        self.of_job.en.next = self.issue.val();
        self.of_job.d.next = self.at_work.q.val();

        comment!("a job for which there is room behind");
        self.accept.next = self.job.valid.val() & self.credit.available.val();
        self.job.ready.next = self.credit.available.val();
        self.credit.take.next = self.accept.val();
        self.edit.job.next = self.job.data.val();
        self.edit.hdr.next = self.of_job.q.val();
        self.edit.job_valid.next = self.accept.val();
        self.heads.inp.data.next = self.edit.edited.val();
        self.heads.inp.valid.next = self.edit.edited_valid.val();
        self.idle.next = self.credit.idle.val();
        self.idle_edit.next = self.edit.idle.val();

        comment!("to Splice");
        self.edited.data.next = self.heads.out.data.val().meta;
        self.edited.valid.next = self.heads.out.valid.val();
        self.heads.out.ready.next = self.edited.ready.val();
        self.leaves.next = self.heads.out.valid.val() & self.edited.ready.val();
        self.credit.give_back.next = self.leaves.val();
        self.taken.en.next = self.leaves.val();
        self.taken.d.next = self.heads.out.data.val().head;
        self.head.next = 0.into();
        self.moved.next = 0.into();
        for i in 0..self._slots {
            if self.head_slot.val().get_bit(i) {
                self.moved.next = bit_cast::<1024, 960>(self.taken.q.val()) >> self.shift[i].val();
                self.head.next = bit_cast::<W, 1024>(self.moved.val());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;

    #[test]
    fn heads_at_once_emit_clean_verilog() {
        assert_lints(HeadersAtOnce::<128>::new());
        assert_lints(HeadersAtOnce::<512>::new());
    }
}
