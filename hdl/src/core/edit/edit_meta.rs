// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes around the editing of a head.

use crate::core::pass::types::{NOTE_WIDTH, Note, REACH};
use crate::core::types::{EditJob, Edited, HEAD_BYTES};
use rust_hdl_core::prelude::*;

/// From `job` to `edited` in the same clock: the frame's length as it goes out, and where its payload begins: the
/// editor makes as much of it as a head can have. With passes that is as much as every packet has in its window, [`REACH`] bytes, and tags; of a frame that goes
/// out as it was received, nothing.
///
/// In a job `vlan_pop` is at most `vlans`, and `vlan_push` at most 2.
#[millrace_hdl::block]
pub struct EditMeta<const QUEUES: usize, const NOTE_BITS: usize> {
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    pub edited: Signal<Out, Edited<QUEUES, NOTE_BITS>>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize, const NOTE_BITS: usize> EditMeta<QUEUES, NOTE_BITS> {
    fn update(&mut self) {
        let added = cast::<14>(self.job.edits.vlan_push) << 2;
        let removed = cast::<14>(self.job.edits.vlan_pop) << 2;
        self.edited.out_len = (self.job.len + added) - removed;
        self.edited.head_len = HEAD_BYTES;
        self.edited.payload_offset = (removed + HEAD_BYTES) - added;
        self.edited.in_len = self.job.len;
        self.edited.outputs = self.job.outputs;
        self.edited.faulty = self.job.faulty;
        self.edited.discard = self.job.discard;
        self.edited.again = self.job.again;
        self.edited.vport = self.job.vport;
        self.edited.reason = self.job.reason;
        self.edited.note = self.job.note;
        for _passes in 0..NOTE_BITS / NOTE_WIDTH {
            comment!("the packet may begin behind the frame's beginning");
            let note = unpack::<Note>(cast::<NOTE_WIDTH>(self.job.note));
            let before = cast::<14>(note.start) << 1;
            self.edited.in_len = self.job.len + before;
            self.edited.head_len = if note.as_received { 0 } else { cast::<8>((added + REACH) - removed) };
            self.edited.payload_offset = if note.as_received { 0 } else { before + REACH };
        }
    }
}
