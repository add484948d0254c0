// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clones: lists of actions whose edits are undone at their end.

use super::vlan::Stack;
use super::{Frame, Ttl, Xlate};
use crate::openflow::{FlowKey, FlowMask, WORDS};

/// What the packet was before a clone, and what was looked at of it until then.
pub(super) struct Saved {
    key: FlowKey,
    written: FlowMask,
    looked: FlowMask,
    vlan: Stack,
    ttl: Ttl,
}

impl Xlate<'_> {
    /// Goes on with the next `count` actions of the list as one that ends by [`Self::undo_clone`].
    pub(super) fn enter_clone(&mut self, count: u32) {
        self.save();
        let list = self.frames.last_mut().expect("an action belongs to a flow");
        let (next, end) = (list.next, list.end.min(list.next.saturating_add(count)));
        list.next = end;
        let clone = Frame { next, end, clone: true, ..*list };
        self.frames.push(clone);
    }

    /// Keeps what the packet is now, for [`Self::undo_clone`].
    pub(super) fn save(&mut self) {
        self.settle_vlans();
        let Xlate { key, written, looked, vlan, ttl, .. } = *self;
        self.saved.push(Saved { key, written, looked, vlan, ttl });
    }

    /// The packet is again what it was before the clone. What was looked at of it stays looked at.
    pub(super) fn undo_clone(&mut self) {
        let saved = self.saved.pop().expect("a clone that is being carried out");
        self.settle_vlans();
        for i in 0..WORDS {
            self.looked.0[i] = saved.looked.0[i] | self.looked.0[i] & !self.written.0[i];
        }
        (self.key, self.written, self.vlan, self.ttl) = (saved.key, saved.written, saved.vlan, saved.ttl);
        self.edited = true;
    }
}
