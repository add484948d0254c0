// SPDX-License-Identifier: MIT OR Apache-2.0
//! Last stage of the header editor: puts the checksums in and the frame's head together.

use super::edit_types::{ChecksumFlips, EditedBody, EditedFrame};
use crate::base::Dff;
use crate::core::types::{BODY_BITS, HEAD_BITS, MAC_BITS};
use rust_hdl_core::prelude::*;

/// One clock from `frame`, with no tag `ahead`, and `flips` to `edited`.
#[millrace_hdl::block]
pub struct EditPlace<const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub frame: Signal<In, EditedBody<QUEUES, NOTE_BITS>>,
    pub flips: Signal<In, ChecksumFlips>,
    pub edited: Signal<Out, EditedFrame<QUEUES, NOTE_BITS>>,
    stage: Dff<EditedFrame<QUEUES, NOTE_BITS>>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize, const NOTE_BITS: usize> EditPlace<QUEUES, NOTE_BITS> {
    fn update(&mut self) {
        comment!("IPv4's checksum is at one of 5 places, that of L4 at one of 34");
        let mut behind_mac = self.frame.tagged.get_bits::<BODY_BITS>(0);
        let ip_here = self.flips.ip_here;
        let mut flip = self.flips.ip;
        for k in 6..15 {
            if ip_here.get_bit(k) {
                behind_mac ^= cast::<BODY_BITS>(flip) << (k * 16);
            }
        }
        let l4_here = self.flips.l4_here;
        flip = self.flips.l4;
        for k in 14..48 {
            if l4_here.get_bit(k) {
                behind_mac ^= cast::<BODY_BITS>(flip) << (k * 16);
            }
        }
        self.stage.head = cast::<HEAD_BITS>(self.frame.mac) | (cast::<HEAD_BITS>(behind_mac) << MAC_BITS);
        self.stage.meta = self.frame.meta;
        self.edited = self.stage;
    }
}
