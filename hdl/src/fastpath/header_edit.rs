// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header editor: one edit job per clock, never stalls.

use super::edit_align::EditAlign;
use super::edit_checksum::EditChecksum;
use super::edit_fields::EditFields;
use super::edit_place::EditPlace;
use super::edit_types::EditedBody;
use super::types::{EditJob, Edited};
use crate::base::{Dff, DffR, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Clocks from a job to its edited head.
pub const HEADER_EDIT_LATENCY: usize = 9;

/// Nine clocks from `job` to `edited`: frame taken apart (1), IP fields (2), checksums (3 to 8), frame put together (9).
/// `busy` is high while a job is under way.
#[derive(LogicBlock, Default)]
pub struct HeaderEdit {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Signal<In, EditJob>,
    pub job_valid: Signal<In, Bit>,
    pub edited: Signal<Out, Edited>,
    pub edited_valid: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    align: EditAlign,
    fields: EditFields,
    checksum: EditChecksum,
    place: EditPlace,
    valid: DffR<Bits<9>>,
    /// The frame beside the checksums.
    frame: Vec<Dff<EditedBody>>,
    body: Signal<Local, Bits<864>>,
}

impl HeaderEdit {
    /// The block. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        Self { checksum: EditChecksum::new(), frame: (0..6).map(|_| Dff::default()).collect(), ..Default::default() }
    }
}

impl Logic for HeaderEdit {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, align, fields, checksum, place, valid);
        for i in 0..6 {
            self.frame[i].clock.next = self.clock.val();
        }
        self.valid.reset.next = self.reset.val();
        self.valid.d.next = (self.valid.q.val() << 1) | bit_cast::<9, 1>(self.job_valid.val().into());
        self.edited_valid.next = self.valid.q.val().get_bit(8);
        self.busy.next = self.valid.q.val().any();

        self.align.job.next = self.job.val();
        self.fields.aligned.next = self.align.aligned.val();
        self.checksum.words.next = self.fields.words.val();

        comment!("ports go in while the checksums are summed up");
        self.body.next = self.fields.edited.val().body;
        for k in 5_u64..16 {
            if self.fields.port_at.val() == k.to_bits::<4>() {
                self.body.next = self.body.val() ^ (bit_cast::<864, 32>(self.fields.port_flips.val()) << (k * 32 + 16));
            }
        }
        self.frame[0].d.next = self.fields.edited.val();
        self.frame[0].d.next.body = self.body.val();
        for i in 0..5 {
            self.frame[i + 1].d.next = self.frame[i].q.val();
        }

        self.place.frame.next = self.frame[5].q.val();
        self.place.flips.next = self.checksum.flips.val();
        self.edited.next = self.place.edited.val();
    }
}
