// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames' heads, from their windows as received to what goes out.

use super::headers_at_once::HeadersAtOnce;
use super::headers_in_turn::HeadersInTurn;
use crate::base::Src;
use crate::core::types::{EditJob, Edited, MergedBeat, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// Keeps the windows of the frames that are matched, edits them as `job` says, and keeps the edited heads for `Splice`: each window as
/// a whole and a job in each clock ([`HeadersAtOnce`]), or word by word, where headers are clocks apart ([`HeadersInTurn`]).
#[millrace_hdl::block]
pub struct Headers<const BUS_BITS: usize, const COUNT_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    /// Of `HeaderEdit`, where there is one.
    pub clock_edit: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The frames as they come in.
    pub beat: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub beat_valid: Signal<In, Bit>,
    /// Their windows as `Gather` puts them together.
    pub window: Signal<In, Bits<WINDOW_BITS>>,
    pub window_valid: Signal<In, Bit>,
    /// From `Expand`: the next frame is at work from the next clock on.
    pub take: Signal<In, Bit>,
    /// From `Expand`: `job` comes in the next clock, for the frame now at work.
    pub issue: Signal<In, Bit>,
    /// From `Expand`.
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    pub job_valid: Signal<In, Bit>,
    /// To `Expand`: there may be an `issue`.
    pub room: Signal<Out, Bit>,
    /// To `Splice`.
    pub edited: Src<Edited<QUEUES, NOTE_BITS>>,
    pub head_number: Signal<In, Bits<12>>,
    pub head_slot: Signal<In, Bits<16>>,
    pub head: Signal<Out, Bits<BUS_BITS>>,
    pub head_done: Signal<In, Bit>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    /// `clock_edit` may stand still.
    pub idle_edit: Signal<Out, Bit>,
    at_once: Vec<HeadersAtOnce<BUS_BITS, QUEUES, NOTE_BITS>>,
    in_turn: Vec<HeadersInTurn<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>>,
    _at_once: usize,
    _in_turn: usize,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize>
    Headers<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>
{
    /// For a job in each clock.
    pub fn at_once() -> Self {
        Self { at_once: vec![HeadersAtOnce::new()], _at_once: 1, ..Default::default() }
    }

    /// For headers that are clocks apart: a job takes [`HeadersInTurn::CLOCKS`] clocks at most.
    pub fn in_turn() -> Self {
        Self { in_turn: vec![HeadersInTurn::new()], _in_turn: 1, ..Default::default() }
    }

    fn update(&mut self) {
        self.idle_edit = true;
        for i in 0..self._at_once {
            self.at_once[i].clock_edit = self.clock_edit;

            self.at_once[i].window = self.window;
            self.at_once[i].window_valid = self.window_valid;
            self.at_once[i].take = self.take;
            self.at_once[i].issue = self.issue;
            self.at_once[i].job = self.job;
            self.at_once[i].job_valid = self.job_valid;
            self.room = self.at_once[i].room;
            self.edited.data = self.at_once[i].edited.data;
            self.edited.valid = self.at_once[i].edited.valid;
            self.at_once[i].edited.ready = self.edited.ready;
            self.at_once[i].head_slot = self.head_slot;
            self.head = self.at_once[i].head;
            self.idle = self.at_once[i].idle;
            self.idle_edit = self.at_once[i].idle_edit;
        }
        for i in 0..self._in_turn {
            self.in_turn[i].beat = self.beat;
            self.in_turn[i].beat_valid = self.beat_valid;
            self.in_turn[i].issue = self.issue;
            self.in_turn[i].job = self.job;
            self.in_turn[i].job_valid = self.job_valid;
            self.room = self.in_turn[i].room;
            self.edited.data = self.in_turn[i].edited.data;
            self.edited.valid = self.in_turn[i].edited.valid;
            self.in_turn[i].edited.ready = self.edited.ready;
            self.in_turn[i].head_number = self.head_number;
            self.head = self.in_turn[i].head;
            self.in_turn[i].head_done = self.head_done;
            self.idle = self.in_turn[i].idle;
        }
    }
}
