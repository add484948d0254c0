// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heads of the frames, each as a whole.

use super::edit_types::EditedFrame;
use super::header_edit::HeaderEdit;
use crate::base::Credit;
use crate::base::{DffE, Fifo, Src};
use crate::core::types::{EditJob, Edited, HEAD_BITS, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// Jobs between `Expand` and `Splice` at most. More than the clocks they need there, so that one per clock is possible.
const JOBS: usize = 32;

/// Windows wait in a FIFO, follow the frames through `Expand` with `take` and `issue`, and pass `HeaderEdit` with their job; the edited
/// heads wait in a second FIFO. One job per clock.
///
/// `room` comes from a register. A window is there long before its frame is matched.
#[millrace_hdl::block]
pub struct HeadersAtOnce<const BUS_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    pub window_valid: Signal<In, Bit>,
    /// The next frame is at work from the next clock on.
    pub take: Signal<In, Bit>,
    /// `job` comes in the next clock, for the frame now at work.
    pub issue: Signal<In, Bit>,
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    pub job_valid: Signal<In, Bit>,
    /// There may be an `issue`.
    pub room: Signal<Out, Bit>,
    pub edited: Src<Edited<QUEUES, NOTE_BITS>>,
    /// The wanted beat of the head of the frame last taken from `edited`, one-hot.
    pub head_slot: Signal<In, Bits<16>>,
    pub head: Signal<Out, Bits<BUS_BITS>>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    /// `clock_edit` may stand still.
    pub idle_edit: Signal<Out, Bit>,
    windows: Fifo<Bits<WINDOW_BITS>, 6, 7>,
    at_work: DffE<Bits<WINDOW_BITS>>,
    of_job: DffE<Bits<WINDOW_BITS>>,
    #[clock(clock_edit)]
    edit: HeaderEdit<QUEUES, NOTE_BITS>,
    credit: Credit<6>,
    heads: Fifo<EditedFrame<QUEUES, NOTE_BITS>, 5, 6>,
    taken: DffE<Bits<HEAD_BITS>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize> HeadersAtOnce<BUS_BITS, QUEUES, NOTE_BITS> {
    /// Without a frame. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        Self { edit: HeaderEdit::new(), credit: Credit::new(JOBS), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("windows keep step with Expand");
        self.windows.inp.data = self.window;
        self.windows.inp.valid = self.window_valid;
        self.windows.out.ready = self.take;
        if self.take {
            self.at_work = self.windows.out.data;
        }
        if self.issue {
            self.of_job = self.at_work;
        }

        comment!("a job for which there is room behind");
        self.room = self.credit.available;
        self.credit.take = self.issue;
        self.edit.job = self.job;
        self.edit.hdr = self.of_job;
        self.edit.job_valid = self.job_valid;
        self.heads.inp.data = self.edit.edited;
        self.heads.inp.valid = self.edit.edited_valid;
        self.idle = self.credit.idle;
        self.idle_edit = self.edit.idle;

        comment!("to Splice");
        let leaves = self.heads.out.valid & self.edited.ready;
        self.edited.data = self.heads.out.data.meta;
        self.edited.valid = self.heads.out.valid;
        self.heads.out.ready = self.edited.ready;
        self.credit.give_back = leaves;
        if leaves {
            self.taken = self.heads.out.data.head;
        }
        self.head = 0;
        for i in 0..WINDOW_BITS / BUS_BITS {
            if self.head_slot.get_bit(i) {
                self.head = cast::<BUS_BITS>(cast::<WINDOW_BITS>(self.taken) >> (i * BUS_BITS));
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
        assert_lints(HeadersAtOnce::<128, 5, 0>::new());
        assert_lints(HeadersAtOnce::<512, 12, 0>::new());
    }
}
