// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames' heads, from their windows as received to what goes out.

use super::headers_at_once::HeadersAtOnce;
use super::headers_in_turn::HeadersInTurn;
use super::types::{EditJob, Edited, MergedBeat};
use crate::base::{Snk, Src, Tag};
use rust_hdl_core::prelude::*;

/// Keeps the windows of the frames that are matched, edits them as `job` says, and keeps the edited heads for `Splice`: each window as
/// a whole and a job in each clock ([`HeadersAtOnce`]), or word by word, where headers are clocks apart ([`HeadersInTurn`]).
#[derive(LogicBlock, Default)]
pub struct Headers<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    /// Of `HeaderEdit`, where there is one.
    pub clock_edit: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The frames as they come in, and their windows as `Gather` puts them together.
    pub beat: Signal<In, MergedBeat<W, C>>,
    pub beat_valid: Signal<In, Bit>,
    pub window: Signal<In, Bits<1024>>,
    pub window_valid: Signal<In, Bit>,
    /// From `Expand`.
    pub take: Signal<In, Bit>,
    pub issue: Signal<In, Bit>,
    pub job: Snk<EditJob>,
    /// To `Splice`.
    pub edited: Src<Edited>,
    pub head_number: Signal<In, Bits<12>>,
    pub head_slot: Signal<In, Bits<16>>,
    pub head: Signal<Out, Bits<W>>,
    pub head_done: Signal<In, Bit>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    /// `clock_edit` may stand still.
    pub idle_edit: Signal<Out, Bit>,
    at_once: Vec<HeadersAtOnce<W>>,
    in_turn: Vec<HeadersInTurn<W, C>>,
    _at_once: usize,
    _in_turn: usize,
}

impl<const W: usize, const C: usize> Headers<W, C> {
    /// For a job in each clock.
    pub fn at_once() -> Self {
        Self { at_once: vec![HeadersAtOnce::new()], _at_once: 1, ..Default::default() }
    }

    /// For headers that are clocks apart: a job takes [`HeadersInTurn::CLOCKS`] clocks at most.
    pub fn in_turn() -> Self {
        Self { in_turn: vec![HeadersInTurn::new()], _in_turn: 1, ..Default::default() }
    }
}

impl<const W: usize, const C: usize> Logic for Headers<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.idle_edit.next = true;
        for i in 0..self._at_once {
            self.at_once[i].clock.next = self.clock.val();
            self.at_once[i].clock_edit.next = self.clock_edit.val();
            self.at_once[i].reset.next = self.reset.val();
            self.at_once[i].window.next = self.window.val();
            self.at_once[i].window_valid.next = self.window_valid.val();
            self.at_once[i].take.next = self.take.val();
            self.at_once[i].issue.next = self.issue.val();
            self.at_once[i].job.data.next = self.job.data.val();
            self.at_once[i].job.valid.next = self.job.valid.val();
            self.job.ready.next = self.at_once[i].job.ready.val();
            self.edited.data.next = self.at_once[i].edited.data.val();
            self.edited.valid.next = self.at_once[i].edited.valid.val();
            self.at_once[i].edited.ready.next = self.edited.ready.val();
            self.at_once[i].head_slot.next = self.head_slot.val();
            self.head.next = self.at_once[i].head.val();
            self.idle.next = self.at_once[i].idle.val();
            self.idle_edit.next = self.at_once[i].idle_edit.val();
        }
        for i in 0..self._in_turn {
            self.in_turn[i].clock.next = self.clock.val();
            self.in_turn[i].reset.next = self.reset.val();
            self.in_turn[i].beat.next = self.beat.val();
            self.in_turn[i].beat_valid.next = self.beat_valid.val();
            self.in_turn[i].job.data.next = self.job.data.val();
            self.in_turn[i].job.valid.next = self.job.valid.val();
            self.job.ready.next = self.in_turn[i].job.ready.val();
            self.edited.data.next = self.in_turn[i].edited.data.val();
            self.edited.valid.next = self.in_turn[i].edited.valid.val();
            self.in_turn[i].edited.ready.next = self.edited.ready.val();
            self.in_turn[i].head_number.next = self.head_number.val();
            self.head.next = self.in_turn[i].head.val();
            self.in_turn[i].head_done.next = self.head_done.val();
            self.idle.next = self.in_turn[i].idle.val();
        }
    }
}
