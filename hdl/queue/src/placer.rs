// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds buffers for the frames that drivers receive.

use crate::collector::Received;
use crate::prepend::Start;
use crate::receive_store::Buffer;
use crate::types::{LONG_HEADER, SHORT_HEADER, Target};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Chains that a frame may take.
const MOST_CHAINS: u64 = 8;

/// What is done with a frame that does not just fill the first descriptor of a chain.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PlaceState {
    Idle,
    Begin,
    /// How many chains are there? A buffer is on its way from the store.
    Look,
    Wait,
    Take,
    /// What was found is told: to `Prepend`, to `Scatter`.
    Start,
    Give,
    Drop,
    Reset,
}

wire_struct! {
    /// A frame whose first buffer is on its way from the store.
    pub struct Looked<const PAIR_BITS: usize> {
        pub frame: Received<PAIR_BITS>,
        /// Chains of its queue that frames before it take, which have not been given up.
        pub ahead: Bits<2>,
        /// What comes from the store is not its buffer.
        pub stale: Bit,
    }
}

/// For each of `frames` the chains that it goes to, all of them or none: a frame that finds no room is dropped before any buffer is taken.
///
/// A frame in a clock, if each has room in the first descriptor of a chain that has no more, or its queue has no chain or is not live; some ten clocks and two for each descriptor otherwise.
#[millrace_hdl::block]
pub struct Placer<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub live: Signal<In, Bits<PAIRS>>,
    /// Bit f: function f takes frames in several chains.
    pub merge: Signal<In, Bits<FUNCTIONS>>,
    pub frames: Snk<Received<PAIR_BITS>>,
    /// Of `ReceiveStore`.
    pub look: Signal<Out, Bit>,
    pub look_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub chains: Signal<In, Bits<7>>,
    pub chain: Signal<Out, Bits<6>>,
    pub descriptor: Signal<Out, Bits<2>>,
    pub buffer: Signal<In, Buffer>,
    pub consume: Signal<Out, Bit>,
    pub consume_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub consumed: Signal<Out, Bits<4>>,
    pub reset_pair: Snk<Bits<PAIR_BITS>>,
    /// To `Prepend` and `Scatter`.
    pub start: Src<Start>,
    pub targets: Src<Target<PAIR_BITS>>,
    /// A frame for this function was dropped.
    pub no_buffer: Signal<Out, Bit>,
    pub no_buffer_function: Signal<Out, Bits<8>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The frame that was looked up in the clock before, and the one whose buffer is there: whether it has one, whether its queue has none, whether that is live.
    looked: DffE<Looked<PAIR_BITS>>,
    looked_valid: DffR<Bit>,
    found: DffE<Looked<PAIR_BITS>>,
    found_valid: DffR<Bit>,
    has_chain: DffE<Bit>,
    has_none: DffE<Bit>,
    is_live: DffE<Bit>,
    /// Bytes of the frame that have no place yet.
    need: DffE<Bits<14>>,
    /// A queue is to be reset: no more frames are looked up.
    reset_waits: DffR<Bit>,

    state: DffR<PlaceState>,
    /// The buffer that is looked at; bytes in the chain.
    chain_at: DffR<Bits<4>>,
    descriptor_at: DffR<Bits<2>>,
    total: DffE<Bits<14>>,
    /// What is planned: so many targets.
    plan: LutRam<Target<PAIR_BITS>, 5>,
    planned: DffR<Bits<6>>,
    given: DffR<Bits<6>>,
    waited: DffR<Bit>,

    starts: LutFifo<Start, 4, 5>,
    placed: LutFifo<Target<PAIR_BITS>, 4, 5>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize> Placer<PAIRS, PAIR_BITS, FUNCTIONS> {
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let is_idle = self.state == PlaceState::Idle;
        let found = self.found;
        let frame = found.frame;
        let pair = frame.pair;
        let long = !frame.function.any();
        let merges = (self.merge >> frame.function).get_bit(0);

        comment!("what the buffer takes");
        let buffer = self.buffer;
        let longer = buffer.length >= cast::<16>(self.need);
        let count = if longer { self.need } else { cast::<14>(buffer.length) };
        let left = self.need - count;
        let total = if is_idle { count } else { self.total + count };
        let target: Target<PAIR_BITS> = Target {
            address: buffer.address,
            function: buffer.function,
            length: count,
            ends_frame: count.any() & longer,
            pair,
            head: buffer.head,
            skip: buffer.skip,
            completes: buffer.last,
            partial: !longer,
            total,
            reset: false,
        };

        comment!("most frames are placed, or dropped, at once");
        let has_places = self.starts.inp.ready & self.placed.inp.ready;
        let known = is_idle & self.found_valid & !found.stale;
        let drops = known & (self.has_none | !self.is_live);
        let simple = known & self.has_chain & self.is_live & buffer.last & longer;
        let places = simple & has_places;
        let drops_now = drops & has_places;
        let is_give = self.state == PlaceState::Give;
        let gives = is_give & self.placed.inp.ready;
        let given_all = self.given + 1 == self.planned;
        let is_drop = self.state == PlaceState::Drop;
        let drops_late = is_drop & self.starts.inp.ready;
        let ends_late = (gives & given_all) | drops_late;
        let begins_late = is_idle & self.found_valid & !drops & !simple;

        comment!("frames move on: what is looked up is the first chain that none before takes");
        let moves = (is_idle & (!self.found_valid | places | drops_now)) | ends_late;
        let looked = self.looked;
        let gets_stale = (drops_now & (looked.frame.pair == pair)) | begins_late;
        let is_stale = looked.stale | gets_stale;
        let blocked = self.looked_valid & is_stale;
        let may_issue = moves & is_idle & !blocked & !self.reset_waits;
        let issues = may_issue & self.frames.valid;
        self.frames.ready = may_issue;
        let next = self.frames.data;
        let behind_looked = self.looked_valid & (looked.frame.pair == next.pair);
        let behind_found = places & (pair == next.pair);
        let ahead = cast::<2>(behind_looked) + cast::<2>(behind_found);
        self.looked_valid = if moves { issues } else { self.looked_valid };
        if moves {
            self.looked = Looked::<PAIR_BITS> { frame: next, ahead, stale: false };
        } else if begins_late {
            self.looked = Looked::<PAIR_BITS> { stale: true, ..looked };
        }
        self.found_valid = if moves { self.looked_valid } else { self.found_valid };
        if moves {
            self.found = Looked::<PAIR_BITS> { stale: is_stale, ..looked };
            self.has_chain = self.chains > cast::<7>(looked.ahead);
            self.has_none = !self.chains.any();
            self.is_live = (self.live & (one << looked.frame.pair)).any();
        }
        self.look = moves | !is_idle;
        self.look_pair = if is_idle { next.pair } else { pair };
        self.chain = if is_idle { cast::<6>(ahead) } else { cast::<6>(self.chain_at) };
        self.descriptor = self.descriptor_at;
        let header: Bits<14> = if looked.frame.function.any() { SHORT_HEADER } else { LONG_HEADER };
        let mut need = cast::<14>(header + looked.frame.length);
        let mut takes_need = moves;

        comment!("a frame that needs more: its chains are planned");
        self.plan.we = self.state == PlaceState::Take;
        self.plan.waddr = cast::<5>(self.planned);
        self.plan.wdata = target;
        let whole = buffer.last & longer;
        let next_chain = self.chain_at + 1;
        let fails =
            buffer.last & !longer & (!merges | (next_chain == MOST_CHAINS) | (cast::<7>(next_chain) == self.chains));

        comment!("tell what was found");
        let is_start = self.state == PlaceState::Start;
        let is_reset = self.state == PlaceState::Reset;
        let starts_late = is_start & self.starts.inp.ready;
        self.starts.inp.valid = places | drops_now | is_start | is_drop;
        self.starts.inp.data = Start {
            drop: is_drop | drops,
            long,
            num_buffers: cast::<16>(next_chain),
            reason: frame.reason,
            length: frame.length,
        };
        link(self.start, self.starts.out);
        self.plan.raddr = cast::<5>(self.given);
        let resets = is_reset & self.reset_pair.valid;
        self.placed.inp.valid = places | is_give | resets;
        self.placed.inp.data = if is_reset {
            Target { pair: self.reset_pair.data, reset: true, ..Target::<PAIR_BITS>::default() }
        } else if is_idle {
            target
        } else {
            self.plan.rdata
        };
        link(self.targets, self.placed.out);
        self.reset_pair.ready = is_reset & self.placed.inp.ready;
        let reset_taken = resets & self.placed.inp.ready;
        self.reset_waits = (self.reset_pair.valid | self.reset_waits) & !reset_taken;
        self.consume = places | starts_late;
        self.consume_pair = pair;
        self.consumed = next_chain;
        self.no_buffer = drops_now | drops_late;
        self.no_buffer_function = frame.function;

        let mut state = self.state;
        let mut chain_at = self.chain_at;
        let mut descriptor_at = self.descriptor_at;
        let mut planned = self.planned;
        let mut total_next: Bits<14> = 0;
        let mut takes_total = is_idle;
        match self.state {
            PlaceState::Idle => {
                if begins_late {
                    state = PlaceState::Begin;
                } else if self.reset_waits & !self.looked_valid & !self.found_valid {
                    state = PlaceState::Reset;
                }
            }
            PlaceState::Begin => {
                state = PlaceState::Look;
            }
            PlaceState::Look => {
                state = if self.is_live & self.chains.any() { PlaceState::Wait } else { PlaceState::Drop };
            }
            PlaceState::Wait => {
                if self.waited {
                    state = PlaceState::Take;
                }
            }
            PlaceState::Take => {
                planned = self.planned + 1;
                need = left;
                takes_need = true;
                total_next = if buffer.last { 0 } else { total };
                takes_total = true;
                if whole {
                    state = PlaceState::Start;
                } else if fails {
                    state = PlaceState::Drop;
                } else {
                    state = PlaceState::Wait;
                    if buffer.last {
                        chain_at = next_chain;
                        descriptor_at = 0;
                    } else {
                        descriptor_at = self.descriptor_at + 1;
                    }
                }
            }
            PlaceState::Start => {
                if starts_late {
                    state = PlaceState::Give;
                }
            }
            PlaceState::Give => {
                if ends_late {
                    state = PlaceState::Idle;
                }
            }
            PlaceState::Drop => {
                if ends_late {
                    state = PlaceState::Idle;
                }
            }
            PlaceState::Reset => {
                if reset_taken {
                    state = PlaceState::Idle;
                }
            }
        }
        if ends_late {
            chain_at = 0;
            descriptor_at = 0;
            planned = 0;
        }
        if takes_total {
            self.total = total_next;
        }
        if takes_need {
            self.need = need;
        }
        self.waited = (self.state == PlaceState::Look) | ((self.state == PlaceState::Wait) & !self.waited);
        self.state = state;
        self.chain_at = chain_at;
        self.descriptor_at = descriptor_at;
        self.planned = planned;
        self.given = if gives {
            self.given + 1
        } else if is_give {
            self.given
        } else {
            0
        };
        let held = self.looked_valid | self.found_valid | !self.starts.empty | !self.placed.empty;
        self.idle = is_idle & !held & !self.frames.valid & !self.reset_pair.valid & !self.reset_waits;
    }
}

#[cfg(test)]
#[path = "placer_tests.rs"]
mod tests;
