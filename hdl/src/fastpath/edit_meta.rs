// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes around the editing of a head.

use super::types::{EditJob, Edited, Step};
use crate::base::Tag;
use rust_hdl_core::prelude::*;

/// From `job` to `edited` in the same clock: the frame's length as it goes out, and how far its payload moves.
///
/// In a job `vlan_pop` is at most `vlans`, and `vlan_push` at most 2.
#[derive(LogicBlock, Default)]
pub struct EditMeta {
    tag: Tag<Self>,
    pub job: Signal<In, EditJob>,
    pub edited: Signal<Out, Edited>,
    step: Signal<Local, Step>,
    added: Signal<Local, Bits<14>>,
    removed: Signal<Local, Bits<14>>,
}

impl Logic for EditMeta {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.step.next = self.job.val().step;
        self.added.next = bit_cast::<14, 2>(self.step.val().vlan_push) << 2;
        self.removed.next = bit_cast::<14, 2>(self.step.val().vlan_pop) << 2;
        self.edited.next.out_len = (self.job.val().len + self.added.val()) - self.removed.val();
        self.edited.next.shift = 0.into();
        if self.added.val() == self.removed.val() + 4 {
            self.edited.next.shift = 1.into();
        } else if self.added.val() == self.removed.val() + 8 {
            self.edited.next.shift = 2.into();
        } else if self.removed.val() == self.added.val() + 4 {
            self.edited.next.shift = 3.into();
        } else if self.removed.val() == self.added.val() + 8 {
            self.edited.next.shift = 4.into();
        }
        self.edited.next.in_len = self.job.val().len;
        self.edited.next.outputs = self.step.val().outputs;
        self.edited.next.faulty = self.job.val().faulty;
        self.edited.next.discard = self.job.val().discard;
        self.edited.next.again = self.job.val().again;
        self.edited.next.vport = self.job.val().vport;
        self.edited.next.reason = self.job.val().reason;
    }
}
