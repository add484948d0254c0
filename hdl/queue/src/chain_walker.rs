// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows descriptor chains.

use crate::chain_check::{Step, first_of};
use crate::descriptor::{Descriptor, Line, Table, in_lane, is_table, table_of, table_size};
use crate::descriptor_fetch::{DescriptorFetch, FURTHER, LineRead, TABLES};
use crate::types::{Head, QueueConfig, RingAnswer, RingRead, reason};
use millrace_hdl::base::{DffE, DffR, LutRam, Snk, Src};
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum WalkState {
    Idle,
    /// `line` has the next descriptor of the chain.
    Walk,
    /// It is in another line: to be asked for, on its way.
    Ask,
    Wait,
}

/// Turns the `heads` of one side's split queues into `steps`, chain by chain in their order; `RECEIVE` is 1 for the receiveqs.
///
/// [`DescriptorFetch`] reads first lines ahead, of descriptor tables and of indirect ones. A chain that goes on in another line waits for that; a descriptor per clock otherwise. What breaks the rules of
/// chains ends its chain with an `error`. The descriptor that stands for a table is none of the chain's.
#[millrace_hdl::block]
pub struct ChainWalker<const PAIR_BITS: usize, const RECEIVE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub heads: Snk<Head<PAIR_BITS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub steps: Src<Step<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    tables: LutRam<Table, PAIR_BITS>,
    fetch: DescriptorFetch<PAIR_BITS>,

    state: DffR<WalkState>,
    /// The chain that is followed: its queue's function, its head, and how many descriptors it may have.
    head: DffE<Head<PAIR_BITS>>,
    function: DffE<Bits<8>>,
    may_enter: DffE<Bit>,
    most: DffE<Bits<9>>,
    /// The table that it is in: the virtqueue's or an indirect one, of which the first two lines are kept from `kept` on.
    base: DffE<Bits<64>>,
    size: DffE<Bits<17>>,
    has_first: DffE<Bit>,
    has_second: DffE<Bit>,
    kept: DffE<Bits<8>>,
    /// The line of four of its descriptors, or where it will be; which descriptor is next, how many there were with it.
    line: DffE<Line>,
    awaited: DffE<Bits<8>>,
    index: DffE<Bits<16>>,
    count: DffE<Bits<9>>,
    first: DffE<Bit>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const RECEIVE: usize> ChainWalker<PAIR_BITS, RECEIVE> {
    fn update(&mut self) {
        self.tables.we = self.open;
        self.tables.waddr = self.open_pair;
        let opened: Table = table_of(self.opened);
        self.tables.wdata = opened;
        self.fetch.open = self.open;
        self.fetch.open_pair = self.open_pair;
        self.fetch.opened = self.opened;
        link(self.heads, self.fetch.heads);
        link(self.read, self.fetch.read);
        link(self.answer, self.fetch.answer);

        comment!("the descriptor in the line");
        let base_lane = self.base.get_bits::<2>(4);
        let lane = self.index.get_bits::<2>(0) + base_lane;
        let descriptor: Descriptor = in_lane(self.line.data, lane);
        let plain = !self.head.reset & !self.line.error.any();
        let enters = plain & is_table(descriptor, self.may_enter);
        let beyond = cast::<17>(descriptor.next_index) >= self.size;
        let next_place = cast::<17>(descriptor.next_index) + cast::<17>(base_lane);
        let place = cast::<17>(self.index) + cast::<17>(base_lane);
        let same_line = (next_place >> 2) == (place >> 2);
        let mut error = self.line.error;
        error = first_of(error, descriptor.indirect & !enters, reason::INDIRECT);
        error = first_of(error, descriptor.next_follows & beyond, reason::NEXT);
        error = first_of(error, descriptor.next_follows & (self.count == self.most), reason::CHAIN);
        let ends = self.head.reset | error.any() | !(descriptor.next_follows | enters);
        let is_walk = self.state == WalkState::Walk;
        self.steps.valid = is_walk & !enters;
        self.steps.data = Step::<PAIR_BITS> {
            descriptor,
            pair: self.head.pair,
            function: self.function,
            head: cast::<16>(self.head.index),
            skip: 0,
            first: self.first,
            last: ends,
            reset: self.head.reset,
            error: if self.head.reset { 0 } else { error },
        };
        let walks = is_walk & self.steps.ready;

        comment!("another line: one that is kept, or one to be asked for");
        let next_line = next_place.get_bits::<15>(2);
        let in_second = self.has_second & (next_line == 1);
        let is_kept = (self.has_first & !next_line.any()) | in_second;
        let next_kept = if in_second { cast::<8>((self.kept + 1).get_bits::<7>(0)) | TABLES } else { self.kept };
        let at = cast::<65>(self.base) + (cast::<65>(self.index) << 4);
        let past_end = at.get_bit(64);
        let is_ask = self.state == WalkState::Ask;
        self.fetch.further.valid = is_ask & !past_end;
        self.fetch.further.data = LineRead { address: at.get_bits::<64>(0), function: self.function };
        let is_wait = self.state == WalkState::Wait;
        let next = self.fetch.chains.data;
        self.fetch.place = if is_wait { self.awaited } else { next.place };
        self.fetch.second = !is_wait & next.second;

        comment!("the next descriptor of the chain, and the next chain right behind the last");
        let there = self.fetch.there | next.head.reset;
        let free = (self.state == WalkState::Idle) | (walks & ends);
        let loads = free & self.fetch.chains.valid & there;
        self.fetch.chains.ready = free & there;
        self.tables.raddr = next.head.pair;
        let table = self.tables.rdata;
        let one_descriptor: Bits<9> = 1;
        let queue_size = one_descriptor << table.size_log2;
        let most =
            if RECEIVE == 1 { if queue_size < RECEIVE_CHAIN { queue_size } else { RECEIVE_CHAIN } } else { queue_size };
        let goes = walks & !ends & !enters;
        let goes_in = walks & enters;
        let resumes = is_wait & self.fetch.there;
        if loads {
            self.head = next.head;
            self.function = table.function;
            self.most = most;
            self.kept = next.place;
        }
        if loads | goes_in {
            self.may_enter = loads & !next.indirect & table.indirect;
            self.has_first = loads & next.indirect;
            self.has_second = loads & next.second;
            self.base = if goes_in {
                descriptor.address
            } else if next.indirect {
                next.address
            } else {
                table.address
            };
            self.size = if goes_in {
                table_size(descriptor)
            } else if next.indirect {
                next.size
            } else {
                cast::<17>(queue_size)
            };
        }
        if loads | resumes {
            self.line = self.fetch.line;
        }
        if is_ask & past_end {
            self.line = Line { data: 0, error: reason::WINDOW };
        }
        if loads | goes | goes_in {
            self.index = if goes {
                descriptor.next_index
            } else if goes_in | next.indirect {
                0
            } else {
                cast::<16>(next.head.index)
            };
        }
        if loads | goes {
            self.count = if loads { 1 } else { self.count + 1 };
            self.first = loads;
        }
        if goes | goes_in {
            self.awaited = if goes & is_kept { next_kept } else { FURTHER };
        }
        let mut state = self.state;
        if loads | resumes | (is_ask & past_end) {
            state = WalkState::Walk;
        } else if free {
            state = WalkState::Idle;
        } else if goes_in | (goes & !same_line & !is_kept) {
            state = WalkState::Ask;
        } else if goes & !same_line {
            state = WalkState::Wait;
        } else if is_ask & self.fetch.further.ready {
            state = WalkState::Wait;
        }
        self.state = state;
        let moves = is_walk | is_ask | resumes | loads;
        self.idle = self.fetch.idle & !moves;
    }
}

#[cfg(test)]
#[path = "chain_walker_tests.rs"]
mod tests;
