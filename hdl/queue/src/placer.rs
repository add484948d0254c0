// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds buffers for the frames that drivers receive.

use crate::collector::Received;
use crate::prepend::Start;
use crate::receive_store::Buffer;
use crate::types::{LONG_HEADER, SHORT_HEADER, Target};
use millrace_hdl::base::{DffE, DffR, LutRam, Snk, Src};
use rust_hdl_core::prelude::*;

/// Chains that a frame may take.
const MOST_CHAINS: u64 = 8;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PlaceState {
    Idle,
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

/// For each of `frames` the chains that it goes to, all of them or none: a frame that finds no room is dropped before any buffer is taken.
#[millrace_hdl::block]
pub struct Placer<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub live: Signal<In, Bits<PAIRS>>,
    /// Bit f: function f takes frames in several chains.
    pub merge: Signal<In, Bits<FUNCTIONS>>,
    pub frames: Snk<Received<PAIR_BITS>>,
    /// Of `ReceiveStore`.
    pub look_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub chains: Signal<In, Bits<7>>,
    pub chain: Signal<Out, Bits<6>>,
    pub descriptor: Signal<Out, Bits<2>>,
    pub buffer: Signal<In, Buffer>,
    pub consume: Signal<Out, Bit>,
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

    state: DffR<PlaceState>,
    /// The buffer that is looked at; bytes of the frame that have no place yet; bytes in the chain.
    chain_at: DffR<Bits<4>>,
    descriptor_at: DffR<Bits<2>>,
    need: DffE<Bits<14>>,
    total: DffE<Bits<14>>,
    /// What was found: so many targets.
    plan: LutRam<Target<PAIR_BITS>, 5>,
    found: DffR<Bits<6>>,
    given: DffR<Bits<6>>,
    waited: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize> Placer<PAIRS, PAIR_BITS, FUNCTIONS> {
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let frame = self.frames.data;
        let long = !frame.function.any();
        let header: Bits<14> = if long { LONG_HEADER } else { SHORT_HEADER };
        let is_live = (self.live & (one << frame.pair)).any();
        let merges = (self.merge >> frame.function).get_bit(0);
        self.look_pair = frame.pair;
        self.chain = cast::<6>(self.chain_at);
        self.descriptor = self.descriptor_at;

        comment!("what the buffer takes");
        let buffer = self.buffer;
        let longer = buffer.length >= cast::<16>(self.need);
        let count = if longer { self.need } else { cast::<14>(buffer.length) };
        let left = self.need - count;
        let total = self.total + count;
        self.plan.we = self.state == PlaceState::Take;
        self.plan.waddr = cast::<5>(self.found);
        self.plan.wdata = Target {
            address: buffer.address,
            function: buffer.function,
            length: count,
            ends_frame: count.any() & !left.any(),
            pair: frame.pair,
            head: buffer.head,
            completes: buffer.last,
            partial: left.any(),
            total,
            reset: false,
        };
        let whole = buffer.last & !left.any();
        let next_chain = self.chain_at + 1;
        let fails =
            buffer.last & left.any() & (!merges | (next_chain == MOST_CHAINS) | (cast::<7>(next_chain) == self.chains));

        comment!("tell what was found");
        let is_start = self.state == PlaceState::Start;
        let is_drop = self.state == PlaceState::Drop;
        let is_give = self.state == PlaceState::Give;
        let is_reset = self.state == PlaceState::Reset;
        self.start.valid = is_start | is_drop;
        self.start.data = Start {
            drop: is_drop,
            long,
            num_buffers: cast::<16>(next_chain),
            reason: frame.reason,
            length: frame.length,
        };
        self.plan.raddr = cast::<5>(self.given);
        self.targets.valid = is_give | is_reset;
        self.targets.data = if is_reset {
            Target { pair: self.reset_pair.data, reset: true, ..Target::<PAIR_BITS>::default() }
        } else {
            self.plan.rdata
        };
        self.consume = is_start & self.start.ready;
        self.consumed = next_chain;
        self.no_buffer = is_drop & self.start.ready;
        self.no_buffer_function = frame.function;
        let gives = is_give & self.targets.ready;
        let given_all = self.given + 1 == self.found;
        self.frames.ready = (gives & given_all) | self.no_buffer;
        self.reset_pair.ready = is_reset & self.targets.ready;

        let mut state = self.state;
        let mut chain_at = self.chain_at;
        let mut descriptor_at = self.descriptor_at;
        let mut found = self.found;
        self.need = cast::<14>(header + frame.length);
        self.need.en = self.state == PlaceState::Idle;
        self.total = 0;
        self.total.en = self.state == PlaceState::Idle;
        match self.state {
            PlaceState::Idle => {
                chain_at = 0;
                descriptor_at = 0;
                found = 0;
                if self.reset_pair.valid {
                    state = PlaceState::Reset;
                } else if self.frames.valid {
                    state = PlaceState::Look;
                }
            }
            PlaceState::Look => {
                state = if is_live & self.chains.any() { PlaceState::Wait } else { PlaceState::Drop };
            }
            PlaceState::Wait => {
                if self.waited {
                    state = PlaceState::Take;
                }
            }
            PlaceState::Take => {
                found = self.found + 1;
                self.need = left;
                self.need.en = true;
                self.total = if buffer.last { 0 } else { total };
                self.total.en = true;
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
                if self.start.ready {
                    state = PlaceState::Give;
                }
            }
            PlaceState::Give => {
                if gives & given_all {
                    state = PlaceState::Idle;
                }
            }
            PlaceState::Drop => {
                if self.start.ready {
                    state = PlaceState::Idle;
                }
            }
            PlaceState::Reset => {
                if self.targets.ready {
                    state = PlaceState::Idle;
                }
            }
        }
        self.waited = (self.state == PlaceState::Look) | ((self.state == PlaceState::Wait) & !self.waited);
        self.state = state;
        self.chain_at = chain_at;
        self.descriptor_at = descriptor_at;
        self.found = found;
        self.given = if gives {
            self.given + 1
        } else if is_give {
            self.given
        } else {
            0
        };
        self.idle = (self.state == PlaceState::Idle) & !self.frames.valid & !self.reset_pair.valid;
    }
}

#[cfg(test)]
#[path = "placer_tests.rs"]
mod tests;
