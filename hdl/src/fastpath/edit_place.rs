// SPDX-License-Identifier: MIT OR Apache-2.0
//! Last stage of the header editor: puts the checksums in and the frame's head together.

use super::edit_types::{ChecksumFlips, EditedBody};
use super::types::Edited;
use crate::base::{Dff, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// One clock from `frame` and `flips` to `edited`.
#[derive(LogicBlock, Default)]
pub struct EditPlace {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub frame: Signal<In, EditedBody>,
    pub flips: Signal<In, ChecksumFlips>,
    pub edited: Signal<Out, Edited>,
    stage: Dff<Edited>,
    body: Signal<Local, Bits<864>>,
    flip: Signal<Local, Bits<16>>,
    here: Signal<Local, Bits<40>>,
    /// Four tags, the outgoing ones last, and the body.
    tagged: Signal<Local, Bits<992>>,
    behind_mac: Signal<Local, Bits<864>>,
}

impl Logic for EditPlace {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, stage);
        comment!("IPv4's checksum is at byte 12 of the body, that of L4 at one of 26 places");
        self.body.next = self.frame.val().body ^ (bit_cast::<864, 16>(self.flips.val().ip) << 96);
        self.flip.next = self.flips.val().l4;
        self.here.next = self.flips.val().l4_here;
        for k in 14..40 {
            if self.here.val().get_bit(k) {
                self.body.next = self.body.val() ^ (bit_cast::<864, 16>(self.flip.val()) << (k * 16).to_bits::<10>());
            }
        }

        self.tagged.next = bit_cast::<992, 128>(self.frame.val().tags) | (bit_cast::<992, 864>(self.body.val()) << 128);
        if self.frame.val().tag_count == 4 {
            self.behind_mac.next = self.tagged.val().get_bits::<864>(0);
        } else if self.frame.val().tag_count == 3 {
            self.behind_mac.next = self.tagged.val().get_bits::<864>(32);
        } else if self.frame.val().tag_count == 2 {
            self.behind_mac.next = self.tagged.val().get_bits::<864>(64);
        } else if self.frame.val().tag_count == 1 {
            self.behind_mac.next = self.tagged.val().get_bits::<864>(96);
        } else {
            self.behind_mac.next = self.tagged.val().get_bits::<864>(128);
        }
        self.stage.d.next.head =
            bit_cast::<960, 96>(self.frame.val().mac) | (bit_cast::<960, 864>(self.behind_mac.val()) << 96);
        self.stage.d.next.out_len = self.frame.val().out_len;
        self.stage.d.next.in_len = self.frame.val().in_len;
        self.stage.d.next.shift = self.frame.val().shift;
        self.stage.d.next.outputs = self.frame.val().outputs;
        self.stage.d.next.faulty = self.frame.val().faulty;
        self.stage.d.next.discard = self.frame.val().discard;
        self.stage.d.next.again = self.frame.val().again;
        self.stage.d.next.vport = self.frame.val().vport;
        self.stage.d.next.reason = self.frame.val().reason;
        self.edited.next = self.stage.q.val();
    }
}
