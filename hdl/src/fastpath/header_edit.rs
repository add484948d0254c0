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
    /// The frame beside the checksums: on its way, or at rest. Meanwhile the tags that do not go out are shifted away.
    frame: Vec<Dff<EditedBody>>,
    resting: Vec<DffE<EditedBody>>,
    /// A frame comes to rest, or a tag of the one at rest is shifted away.
    stirs: Vec<DffR<Bit>>,
    with_ports: Signal<Local, EditedBody>,
    tagged: Signal<Local, Bits<992>>,
    shifted: Signal<Local, EditedBody>,
    at_rest: Signal<Local, EditedBody>,
    arrives: Signal<Local, Bit>,
    _moves: usize,
    _on_its_way: usize,
    _at_rest: usize,
}

impl HeaderEdit {
    /// For a job in each clock. (`Default` has no registers.)
    pub fn new() -> Self {
        let frame = (0..6).map(|_| Dff::default()).collect();
        Self { checksum: EditChecksum::new(), frame, _moves: 3, _on_its_way: 1, ..Default::default() }
    }

    /// For jobs [`HEADER_EDIT_APART`] clocks apart.
    pub fn apart() -> Self {
        Self {
            checksum: EditChecksum::new(),
            resting: vec![DffE::default()],
            stirs: vec![DffR::default()],
            _at_rest: 1,
            ..Default::default()
        }
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
        self.with_ports.next = self.fields.edited.val();
        self.tagged.next = self.with_ports.val().tagged;
        for k in 5_u64..16 {
            if self.fields.port_at.val() == k.to_bits::<4>() {
                self.tagged.next =
                    self.tagged.val() ^ (bit_cast::<992, 32>(self.fields.port_flips.val()) << (k * 32 + 144));
            }
        }
        self.with_ports.next.tagged = self.tagged.val();
        self.ready.next = true;
        for i in 0..self._on_its_way {
            comment!("the tags ahead go in two steps: four or two, then one");
            self.frame[i].clock.next = self.clock.val();
            self.frame[i].d.next = self.with_ports.val();
            self.shifted.next = self.frame[i].q.val();
            if self.shifted.val().ahead.get_bit(2) {
                self.shifted.next.tagged = self.shifted.val().tagged >> 128;
            } else if self.shifted.val().ahead.get_bit(1) {
                self.shifted.next.tagged = self.shifted.val().tagged >> 64;
            }
            self.frame[i + 1].clock.next = self.clock.val();
            self.frame[i + 1].d.next = self.shifted.val();
            self.shifted.next = self.frame[i + 1].q.val();
            if self.shifted.val().ahead.get_bit(0) {
                self.shifted.next.tagged = self.shifted.val().tagged >> 32;
            }
            self.frame[i + 2].clock.next = self.clock.val();
            self.frame[i + 2].d.next = self.shifted.val();
        }
        for i in 0..self._moves {
            self.frame[i + 3].clock.next = self.clock.val();
            self.frame[i + 3].d.next = self.frame[i + 2].q.val();
        }
        for i in 0..self._on_its_way {
            self.place.frame.next = self.frame[i + 5].q.val();
        }
        for i in 0..self._at_rest {
            comment!("the tags ahead go one by one, in the six clocks that there are");
            self.at_rest.next = self.resting[i].q.val();
            self.shifted.next = self.at_rest.val();
            self.shifted.next.tagged = self.at_rest.val().tagged >> 32;
            self.shifted.next.ahead = self.at_rest.val().ahead - 1;
            self.arrives.next = self.valid.q.val().get_bit(1);
            self.resting[i].clock.next = self.clock.val();
            self.resting[i].en.next = self.stirs[i].q.val();
            self.resting[i].d.next = self.shifted.val();
            self.stirs[i].clock.next = self.clock.val();
            self.stirs[i].reset.next = self.reset.val();
            self.stirs[i].d.next =
                self.valid.q.val().get_bit(0) | (self.stirs[i].q.val() & (self.at_rest.val().ahead > 1));
            if self.arrives.val() {
                self.resting[i].d.next = self.with_ports.val();
                self.stirs[i].d.next = self.with_ports.val().ahead.any();
            }
            self.place.frame.next = self.at_rest.val();
            self.ready.next = !self.valid.q.val().get_bits::<5>(0).any();
        }

        self.place.flips.next = self.checksum.flips.val();
        self.edited.next = self.place.edited.val();
    }
}
