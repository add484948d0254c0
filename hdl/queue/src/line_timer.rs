// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which queue's used entries have waited too long for the rest of their line.

use millrace_hdl::base::{DffE, DffR, Reg, RoundRobin, Src};
use rust_hdl_core::prelude::*;

/// A line waits for one to two such rounds of clocks, of which the first begins with the first line; rounds end at once when no chain has come for so many.
const ROUND: u64 = 128;
const QUIET: u64 = 16;

/// Queues are `entered` when a line of theirs begins to wait, and `left` when it does not any more. Those that wait for too long come out in `flush`, one by one, each as a bit.
#[millrace_hdl::block]
pub struct LineTimer<const VQS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub entered: Signal<In, Bits<VQS>>,
    pub left: Signal<In, Bits<VQS>>,
    /// Chains come.
    pub busy: Signal<In, Bit>,
    pub waiting: Signal<Out, Bits<VQS>>,
    pub flush: Src<Bits<VQS>>,

    /// A line waits; it did in the round before; it has for too long.
    waits: Reg<Bits<VQS>>,
    aged: Reg<Bits<VQS>>,
    old: Reg<Bits<VQS>>,
    round: Reg<Bits<7>>,
    quiet: Reg<Bits<4>>,
    arbiter: RoundRobin<VQS>,
    chosen: DffE<Bits<VQS>>,
    chosen_valid: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const VQS: usize> LineTimer<VQS> {
    fn update(&mut self) {
        let round_ends = (self.round == ROUND - 1) | (self.quiet == QUIET - 1);
        let none_waits = !self.waits.any();
        self.round = if round_ends | none_waits { 0 } else { self.round + 1 };
        self.quiet = if self.busy | round_ends | none_waits { 0 } else { self.quiet + 1 };
        self.arbiter.request = self.old;
        let free = !self.chosen_valid | self.flush.ready;
        let takes = free & self.old.any();
        self.arbiter.take = takes;
        let taken = if takes { self.arbiter.grant } else { 0 };
        let becomes_old = if round_ends { self.aged & self.waits } else { 0 };
        self.old = ((self.old & !taken) | becomes_old) & !self.left;
        self.aged = (if round_ends { self.waits } else { self.aged }) & !self.left;
        self.waits = (self.waits & !self.left) | self.entered;
        self.waiting = self.waits;
        self.chosen_valid = takes | !free;
        if free {
            self.chosen = self.arbiter.grant;
        }
        self.flush.valid = self.chosen_valid;
        self.flush.data = self.chosen;
    }
}
