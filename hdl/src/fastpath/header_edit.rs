// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header editor: never stalls once it has a job.

use super::edit_align::EditAlign;
use super::edit_checksum::EditChecksum;
use super::edit_fields::EditFields;
use super::edit_place::EditPlace;
use super::edit_types::EditedBody;
use super::types::{EditJob, Edited};
use crate::base::{Dff, DffE, DffR, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Clocks from a job to its edited head.
pub const HEADER_EDIT_LATENCY: usize = 9;

/// Clocks from one job to the next, at least, where jobs are apart.
pub const HEADER_EDIT_APART: usize = 6;

/// Nine clocks from `job` to `edited`: frame taken apart (1), IP fields (2), checksums (3 to 8), frame put together (9).
/// `busy` is high while a job is under way.
///
/// One job per clock; or, built for jobs [`HEADER_EDIT_APART`] clocks apart, one while `ready` is high: then the frame waits for its
/// checksums in one register and not in one per clock.
#[derive(LogicBlock, Default)]
pub struct HeaderEdit {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Signal<In, EditJob>,
    pub job_valid: Signal<In, Bit>,
    /// A job may come. Does not depend on `job_valid`.
    pub ready: Signal<Out, Bit>,
    pub edited: Signal<Out, Edited>,
    pub edited_valid: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    align: EditAlign,
    fields: EditFields,
    checksum: EditChecksum,
    place: EditPlace,
    valid: DffR<Bits<9>>,
    /// The frame beside the checksums: on its way, or at rest.
    frame: Vec<Dff<EditedBody>>,
    resting: Vec<DffE<EditedBody>>,
    with_ports: Signal<Local, EditedBody>,
    body: Signal<Local, Bits<864>>,
    _moves: usize,
    _on_its_way: usize,
    _at_rest: usize,
}

impl HeaderEdit {
    /// For a job in each clock. (`Default` has no registers.)
    pub fn new() -> Self {
        let frame = (0..6).map(|_| Dff::default()).collect();
        Self { checksum: EditChecksum::new(), frame, _moves: 5, _on_its_way: 1, ..Default::default() }
    }

    /// For jobs [`HEADER_EDIT_APART`] clocks apart.
    pub fn apart() -> Self {
        Self { checksum: EditChecksum::new(), resting: vec![DffE::default()], _at_rest: 1, ..Default::default() }
    }
}

impl Logic for HeaderEdit {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, align, fields, checksum, place, valid);
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
        self.with_ports.next = self.fields.edited.val();
        self.with_ports.next.body = self.body.val();
        self.ready.next = true;
        for i in 0..self._on_its_way {
            self.frame[i].clock.next = self.clock.val();
            self.frame[i].d.next = self.with_ports.val();
        }
        for i in 0..self._moves {
            self.frame[i + 1].clock.next = self.clock.val();
            self.frame[i + 1].d.next = self.frame[i].q.val();
        }
        for i in 0..self._on_its_way {
            self.place.frame.next = self.frame[i + 5].q.val();
        }
        for i in 0..self._at_rest {
            self.resting[i].clock.next = self.clock.val();
            self.resting[i].en.next = self.valid.q.val().get_bit(1);
            self.resting[i].d.next = self.with_ports.val();
            self.place.frame.next = self.resting[i].q.val();
            self.ready.next = !self.valid.q.val().get_bits::<5>(0).any();
        }

        self.place.flips.next = self.checksum.flips.val();
        self.edited.next = self.place.edited.val();
    }
}
