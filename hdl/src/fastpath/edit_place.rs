// SPDX-License-Identifier: MIT OR Apache-2.0
//! Last stage of the header editor: puts the checksums in and the frame's head together.

use super::edit_types::{ChecksumFlips, EditedBody, EditedFrame};
use crate::base::{Dff, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// One clock from `frame`, with no tag `ahead`, and `flips` to `edited`.
#[derive(LogicBlock, Default)]
pub struct EditPlace {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub frame: Signal<In, EditedBody>,
    pub flips: Signal<In, ChecksumFlips>,
    pub edited: Signal<Out, EditedFrame>,
    stage: Dff<EditedFrame>,
    behind_mac: Signal<Local, Bits<864>>,
    flip: Signal<Local, Bits<16>>,
    ip_here: Signal<Local, Bits<15>>,
    l4_here: Signal<Local, Bits<48>>,
}

impl Logic for EditPlace {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, stage);
        comment!("IPv4's checksum is at one of 5 places, that of L4 at one of 34");
        self.behind_mac.next = self.frame.val().tagged.get_bits::<864>(0);
        self.ip_here.next = self.flips.val().ip_here;
        self.flip.next = self.flips.val().ip;
        for k in 6..15 {
            if self.ip_here.val().get_bit(k) {
                self.behind_mac.next =
                    self.behind_mac.val() ^ (bit_cast::<864, 16>(self.flip.val()) << (k * 16).to_bits::<10>());
            }
        }
        self.l4_here.next = self.flips.val().l4_here;
        self.flip.next = self.flips.val().l4;
        for k in 14..48 {
            if self.l4_here.val().get_bit(k) {
                self.behind_mac.next =
                    self.behind_mac.val() ^ (bit_cast::<864, 16>(self.flip.val()) << (k * 16).to_bits::<10>());
            }
        }
        self.stage.d.next.head =
            bit_cast::<960, 96>(self.frame.val().mac) | (bit_cast::<960, 864>(self.behind_mac.val()) << 96);
        self.stage.d.next.meta = self.frame.val().meta;
        self.edited.next = self.stage.q.val();
    }
}
