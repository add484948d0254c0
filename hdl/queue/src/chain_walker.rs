// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows descriptor chains.

use crate::chain_check::Step;
use crate::descriptor::{At, Followed, Line, Table, follow, table_of};
use crate::descriptor_fetch::{DescriptorFetch, FREE_TAGS, TABLES};
use crate::provisional::Provisional;
use crate::scattered_walker::ScatteredWalker;
use crate::turns::Turns;
use crate::types::{Head, QueueConfig, RingAnswer, RingRead};
use millrace_hdl::base::{DffE, DffR, LutRam, Snk, Src};
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// Descriptors of a chain that is not set aside: as many as lie in the lines that are kept.
const NEAR: u64 = 8;
/// Descriptors that wait to be taken, log2.
const STEPS_LOG2: usize = 5;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum WalkState {
    Idle,
    /// `line` has the next descriptor of the chain.
    Walk,
    /// It is in the other line that is kept.
    Turn,
    /// A chain that was set aside passes.
    Scattered,
}

/// Turns the `heads` of one side's split queues into `steps`, chain by chain, those of each queue in their order; `RECEIVE` is 1 for the receiveqs.
///
/// [`DescriptorFetch`] reads first lines ahead, of descriptor tables and of indirect ones. A chain that goes on in another line is set aside, and so are the heads behind it in its queue and those of queues that are not
/// `live`: [`ScatteredWalker`] follows those, and nobody waits here for memory. A descriptor per clock, up to 9 clocks for a chain that is set aside. What breaks the rules of
/// chains ends its chain with an `error`. The descriptor that stands for a table is none of the chain's.
///
/// No more than 256 heads of a queue come before their chains have left.
#[millrace_hdl::block]
pub struct ChainWalker<
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const STORE_BITS: usize,
    const CHAIN_BITS: usize,
    const RECEIVE: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub live: Signal<In, Bits<PAIRS>>,
    pub heads: Snk<Head<PAIR_BITS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub steps: Src<Step<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    tables: LutRam<Table, PAIR_BITS>,
    fetch: DescriptorFetch<PAIR_BITS>,
    scattered: ScatteredWalker<PAIRS, PAIR_BITS, STORE_BITS, CHAIN_BITS, RECEIVE>,
    reads: Turns<RingRead>,

    state: DffR<WalkState>,
    /// The chain that is followed: its queue's function, its head, where it is.
    head: DffE<Head<PAIR_BITS>>,
    function: DffE<Bits<8>>,
    at: DffE<At>,
    first: DffE<Bit>,
    /// Of an indirect table the first two lines are kept from `kept` on.
    has_first: DffE<Bit>,
    has_second: DffE<Bit>,
    kept: DffE<Bits<8>>,
    /// The line of four of its descriptors, or where it is kept.
    line: DffE<Line>,
    turned: DffE<Bits<8>>,
    /// The last chain was one that was set aside.
    was_scattered: DffR<Bit>,
    /// Whole chains, and the beginning of one that may yet be set aside.
    out: Provisional<Step<PAIR_BITS>, STEPS_LOG2, 6>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const STORE_BITS: usize, const CHAIN_BITS: usize, const RECEIVE: usize>
    ChainWalker<PAIRS, PAIR_BITS, STORE_BITS, CHAIN_BITS, RECEIVE>
{
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        self.tables.we = self.open;
        self.tables.waddr = self.open_pair;
        let opened: Table = table_of(self.opened);
        self.tables.wdata = opened;
        self.fetch.open = self.open;
        self.fetch.open_pair = self.open_pair;
        self.fetch.opened = self.opened;
        self.scattered.open = self.open;
        self.scattered.open_pair = self.open_pair;
        self.scattered.opened = self.opened;
        self.scattered.live = self.live;
        link(self.heads, self.fetch.heads);

        comment!("reads of both, in turn");
        join(self.fetch.read, self.reads.inp[0]);
        join(self.scattered.read, self.reads.inp[1]);
        link(self.read, self.reads.out);
        let is_scattered_line = (self.answer.data.tag & (TABLES | FREE_TAGS)) == FREE_TAGS;
        self.answer.ready = true;
        self.fetch.answer.valid = self.answer.valid & !is_scattered_line;
        self.fetch.answer.data = self.answer.data;
        self.scattered.answer.valid = self.answer.valid & is_scattered_line;
        self.scattered.answer.data = self.answer.data;

        comment!("the descriptor in the line");
        let followed: Followed = follow(self.line, self.at);
        let descriptor = followed.descriptor;
        let is_reset = self.head.reset;
        let ends = is_reset | followed.ends;
        let in_second = self.has_second & (followed.next_line == 1);
        let is_kept = followed.same_line | (self.has_first & !followed.next_line.any()) | in_second;
        let leaves = !ends & (followed.enters | !is_kept | (self.at.count == NEAR));
        let next_kept = if in_second { cast::<8>((self.kept + 1).get_bits::<7>(0)) | TABLES } else { self.kept };
        let is_walk = self.state == WalkState::Walk;
        let is_turn = self.state == WalkState::Turn;
        let is_scattered = self.state == WalkState::Scattered;
        let scattered = self.scattered.steps.data;
        self.out.inp.valid = (is_walk & !leaves) | (is_scattered & self.scattered.steps.valid);
        self.out.inp.data = if is_scattered {
            scattered
        } else {
            Step::<PAIR_BITS> {
                descriptor,
                pair: self.head.pair,
                function: self.function,
                head: cast::<16>(self.head.index),
                skip: 0,
                first: self.first,
                last: ends,
                reset: is_reset,
                error: if is_reset { 0 } else { followed.error },
            }
        };
        self.out.keep = is_scattered | ends;
        self.scattered.steps.ready = is_scattered & self.out.inp.ready;
        link(self.steps, self.out.out);
        let walks = is_walk & !leaves & self.out.inp.ready;
        let goes = walks & !ends;
        let set_aside = is_walk & leaves;
        self.out.undo = set_aside;
        let passed = self.scattered.steps.valid & self.scattered.steps.ready & scattered.last;

        comment!("the next chain, right behind the last");
        let next = self.fetch.chains.data;
        self.fetch.place = if is_turn { self.turned } else { next.place };
        self.fetch.second = !is_turn & next.second;
        let there = self.fetch.there | next.head.reset;
        let has_chain = self.fetch.chains.valid & there;
        let passes = self.scattered.steps.valid & (!self.was_scattered | !has_chain);
        let free = (self.state == WalkState::Idle) | (walks & ends);
        self.fetch.chains.ready = free & there & !passes;
        let takes = free & has_chain & !passes;
        let queue = one << next.head.pair;
        let is_held = (self.scattered.held & queue).any();
        let waits = is_held | (!next.head.reset & !(self.live & queue).any());
        let loads = takes & !waits;
        self.scattered.heads.valid = set_aside | (takes & waits);
        self.scattered.heads.data = if set_aside { self.head } else { next.head };
        self.tables.raddr = next.head.pair;
        let table = self.tables.rdata;
        let one_descriptor: Bits<9> = 1;
        let queue_size = one_descriptor << table.size_log2;
        let most =
            if RECEIVE == 1 { if queue_size < RECEIVE_CHAIN { queue_size } else { RECEIVE_CHAIN } } else { queue_size };
        if loads {
            self.head = next.head;
            self.function = table.function;
            self.kept = next.place;
            self.has_first = next.indirect;
            self.has_second = next.second;
        }
        if loads | is_turn {
            self.line = self.fetch.line;
        }
        if loads {
            self.at = At {
                base: if next.indirect { next.address } else { table.address },
                size: if next.indirect { next.size } else { cast::<17>(queue_size) },
                index: if next.indirect { 0 } else { cast::<16>(next.head.index) },
                count: 1,
                most,
                may_enter: !next.indirect & table.indirect,
            };
        } else if goes {
            self.at = At { index: descriptor.next_index, count: self.at.count + 1, ..self.at };
        }
        if loads | goes {
            self.first = loads;
        }
        if goes {
            self.turned = next_kept;
        }
        let mut state = self.state;
        if loads | is_turn {
            state = WalkState::Walk;
        } else if free & passes {
            state = WalkState::Scattered;
        } else if free | set_aside | passed {
            state = WalkState::Idle;
        } else if goes & !followed.same_line {
            state = WalkState::Turn;
        }
        self.state = state;
        self.was_scattered = passed | (self.was_scattered & !takes);
        let moves = is_walk | is_turn | takes | (free & passes);
        self.idle = self.fetch.idle & self.scattered.idle & self.reads.idle & self.out.empty & !moves;
    }
}

#[cfg(test)]
#[path = "chain_walker_tests.rs"]
mod tests;
