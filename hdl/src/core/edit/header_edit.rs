// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header editor: never stalls once it has a job.

use super::edit_align::EditAlign;
use super::edit_checksum::EditChecksum;
use super::edit_fields::EditFields;
use super::edit_place::EditPlace;
use super::edit_types::{EditedBody, EditedFrame};
use crate::base::{Dff, DffR};
use crate::core::types::{EditJob, TAGGED_BITS, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// Clocks from a job to its edited head.
pub const HEADER_EDIT_LATENCY: usize = 9;

/// Nine clocks from `job` and `hdr` to `edited`: frame taken apart (1), IP fields (2), checksums (3 to 8), frame put together (9). One
/// job per clock.
#[millrace_hdl::block]
pub struct HeaderEdit<const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    /// The first 128 bytes of the job's frame as received.
    pub hdr: Signal<In, Bits<WINDOW_BITS>>,
    pub job_valid: Signal<In, Bit>,
    pub edited: Signal<Out, EditedFrame<QUEUES, NOTE_BITS>>,
    pub edited_valid: Signal<Out, Bit>,
    /// No job is inside or comes in: a clock changes nothing.
    pub idle: Signal<Out, Bit>,
    align: EditAlign<QUEUES, NOTE_BITS>,
    fields: EditFields<QUEUES, NOTE_BITS>,
    checksum: EditChecksum,
    place: EditPlace<QUEUES, NOTE_BITS>,
    valid: DffR<Bits<9>>,
    /// The frame beside the checksums. Meanwhile the tags that do not go out are shifted away.
    frame: Vec<Dff<EditedBody<QUEUES, NOTE_BITS>>>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize, const NOTE_BITS: usize> HeaderEdit<QUEUES, NOTE_BITS> {
    /// The block. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        let frame = (0..6).map(|_| Dff::default()).collect();
        Self { checksum: EditChecksum::new(), frame, ..Default::default() }
    }

    fn update(&mut self) {
        self.valid = (self.valid << 1) | cast::<9>(self.job_valid);
        self.edited_valid = self.valid.get_bit(8);
        self.idle = !self.job_valid & !self.valid.any();

        self.align.job = self.job;
        self.align.hdr = self.hdr;
        self.fields.aligned = self.align.aligned;
        self.checksum.words = self.fields.words;

        comment!("ports go in while the checksums are summed up");
        let mut with_ports = self.fields.edited;
        let mut tagged = with_ports.tagged;
        for k in 5_u64..16 {
            if self.fields.port_at == k {
                tagged ^= cast::<TAGGED_BITS>(self.fields.port_flips) << (k * 32 + 144);
            }
        }
        with_ports.tagged = tagged;
        self.frame[0] = with_ports;

        comment!("the tags ahead go in two steps: four or two, then one");
        let mut shifted = self.frame[0];
        if shifted.ahead.get_bit(2) {
            shifted.tagged = shifted.tagged >> 128;
        } else if shifted.ahead.get_bit(1) {
            shifted.tagged = shifted.tagged >> 64;
        }
        self.frame[1] = shifted;
        shifted = self.frame[1];
        if shifted.ahead.get_bit(0) {
            shifted.tagged = shifted.tagged >> 32;
        }
        self.frame[2] = shifted;
        for i in 0..3 {
            self.frame[i + 3] = self.frame[i + 2];
        }

        self.place.frame = self.frame[5];
        self.place.flips = self.checksum.flips;
        self.edited = self.place.edited;
    }
}
