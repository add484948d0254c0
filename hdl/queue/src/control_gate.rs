// SPDX-License-Identifier: MIT OR Apache-2.0
//! One chain of a controlq at a time.

use crate::chain_check::pairs_of;
use crate::receive_store::CHAINS_LOG2;
use millrace_hdl::base::{Param, Reg};
use rust_hdl_core::prelude::*;

/// Tells the rings of transmitqs and controlqs how many chains they may read: of a controlq none while there is one that is not `done`, so that a driver's commands wait in its ring and nowhere else.
/// What is `granted` counts from the next clock on.
#[millrace_hdl::block]
pub struct ControlGate<const PAIRS: usize, const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// As `RingSide` has them.
    pub room: Signal<Out, Bits<PAIRS>>,
    pub free: Signal<Out, Bits<7>>,
    pub free_pair: Signal<In, Bits<PAIR_BITS>>,
    pub packed_free: Signal<Out, Bits<7>>,
    pub packed_free_pair: Signal<In, Bits<PAIR_BITS>>,
    pub granted: Signal<In, Bit>,
    pub granted_pair: Signal<In, Bits<PAIR_BITS>>,
    /// The chain of this queue is done with, or the queue is reset.
    pub done: Signal<In, Bit>,
    pub done_pair: Signal<In, Bits<PAIR_BITS>>,
    /// Bit p: the second virtqueue of pair p is a controlq.
    pub control: Signal<Out, Bits<PAIRS>>,
    /// Nothing changes.
    pub idle: Signal<Out, Bit>,

    control_pairs: Param<Bits<PAIRS>>,
    /// Controlqs with a chain that is not done.
    held: Reg<Bits<PAIRS>>,
}

/// Chains of the queue that may be read.
#[millrace_hdl::function]
fn chains(is_control: Bit, is_held: Bit) -> Bits<7> {
    let all: Bits<7> = 1 << CHAINS_LOG2;
    if is_held {
        0
    } else if is_control {
        1
    } else {
        all
    }
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize> ControlGate<PAIRS, PAIR_BITS> {
    /// With controlqs at these pairs.
    pub fn new(control: &[usize]) -> Self {
        Self { control_pairs: pairs_of(control), ..Default::default() }
    }

    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let split = one << self.free_pair;
        let packed = one << self.packed_free_pair;
        self.free = chains((self.control_pairs & split).any(), (self.held & split).any());
        self.packed_free = chains((self.control_pairs & packed).any(), (self.held & packed).any());
        let granted = if self.granted { one << self.granted_pair } else { 0 };
        let done = if self.done { one << self.done_pair } else { 0 };
        self.held = (self.held & !done) | (granted & self.control_pairs);
        self.room = !self.held;
        self.control = self.control_pairs;
        self.idle = !(self.done | (granted & self.control_pairs).any());
    }
}
