// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header editor: never stalls once it has a job.

use super::edit_align::EditAlign;
use super::edit_checksum::EditChecksum;
use super::edit_fields::EditFields;
use super::edit_place::EditPlace;
use super::edit_types::{EditedBody, EditedFrame};
use super::types::EditJob;
use crate::base::{Dff, DffR, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Clocks from a job to its edited head.
pub const HEADER_EDIT_LATENCY: usize = 9;

/// Nine clocks from `job` and `hdr` to `edited`: frame taken apart (1), IP fields (2), checksums (3 to 8), frame put together (9). One
/// job per clock.
#[derive(LogicBlock, Default)]
pub struct HeaderEdit {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Signal<In, EditJob>,
    /// The first 128 bytes of the job's frame as received.
    pub hdr: Signal<In, Bits<1024>>,
    pub job_valid: Signal<In, Bit>,
    pub edited: Signal<Out, EditedFrame>,
    pub edited_valid: Signal<Out, Bit>,
    /// No job is inside or comes in: a clock changes nothing.
    pub idle: Signal<Out, Bit>,
    align: EditAlign,
    fields: EditFields,
    checksum: EditChecksum,
    place: EditPlace,
    valid: DffR<Bits<9>>,
    /// The frame beside the checksums. Meanwhile the tags that do not go out are shifted away.
    frame: Vec<Dff<EditedBody>>,
    with_ports: Signal<Local, EditedBody>,
    tagged: Signal<Local, Bits<992>>,
    shifted: Signal<Local, EditedBody>,
}

impl HeaderEdit {
    /// The block. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        let frame = (0..6).map(|_| Dff::default()).collect();
        Self { checksum: EditChecksum::new(), frame, ..Default::default() }
    }
}

impl Logic for HeaderEdit {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, align, fields, checksum, place, valid);
        for i in 0..6 {
            self.frame[i].clock.next = self.clock.val();
        }
        self.valid.reset.next = self.reset.val();
        self.valid.d.next = (self.valid.q.val() << 1) | bit_cast::<9, 1>(self.job_valid.val().into());
        self.edited_valid.next = self.valid.q.val().get_bit(8);
        self.idle.next = !self.job_valid.val() & !self.valid.q.val().any();

        self.align.job.next = self.job.val();
        self.align.hdr.next = self.hdr.val();
        self.fields.aligned.next = self.align.aligned.val();
        self.checksum.words.next = self.fields.words.val();

        comment!("ports go in while the checksums are summed up");
        self.with_ports.next = self.fields.edited.val();
        self.tagged.next = self.with_ports.val().tagged;
        for k in 5_u64..16 {
            if self.fields.port_at.val() == k.to_bits::<4>() {
                self.tagged.next =
                    self.tagged.val() ^ (bit_cast::<992, 32>(self.fields.port_flips.val()) << (k * 32 + 144));
            }
        }
        self.with_ports.next.tagged = self.tagged.val();
        self.frame[0].d.next = self.with_ports.val();

        comment!("the tags ahead go in two steps: four or two, then one");
        self.shifted.next = self.frame[0].q.val();
        if self.shifted.val().ahead.get_bit(2) {
            self.shifted.next.tagged = self.shifted.val().tagged >> 128;
        } else if self.shifted.val().ahead.get_bit(1) {
            self.shifted.next.tagged = self.shifted.val().tagged >> 64;
        }
        self.frame[1].d.next = self.shifted.val();
        self.shifted.next = self.frame[1].q.val();
        if self.shifted.val().ahead.get_bit(0) {
            self.shifted.next.tagged = self.shifted.val().tagged >> 32;
        }
        self.frame[2].d.next = self.shifted.val();
        for i in 0..3 {
            self.frame[i + 3].d.next = self.frame[i + 2].q.val();
        }

        self.place.frame.next = self.frame[5].q.val();
        self.place.flips.next = self.checksum.flips.val();
        self.edited.next = self.place.edited.val();
    }
}
