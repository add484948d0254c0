// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes around the editing of a head.

use crate::core::types::{EditJob, Edited, HEAD_BYTES};
use rust_hdl_core::prelude::*;

/// From `job` to `edited` in the same clock: the frame's length as it goes out, and where its payload begins: the
/// editor makes as much of it as a head can have.
///
/// In a job `vlan_pop` is at most `vlans`, and `vlan_push` at most 2.
#[millrace_hdl::block]
pub struct EditMeta<const QUEUES: usize> {
    pub job: Signal<In, EditJob<QUEUES>>,
    pub edited: Signal<Out, Edited<QUEUES>>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize> EditMeta<QUEUES> {
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
    }
}
