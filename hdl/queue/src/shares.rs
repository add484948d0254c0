// SPDX-License-Identifier: MIT OR Apache-2.0
//! How what functions send is shared between them.

use crate::chain_check::pairs_of;
use millrace_hdl::base::{DffE, DffR, LutRam, Param, Reg};
use millrace_regs::config::Config;
use millrace_regs::host::WEIGHT_BYTES;
use rust_hdl_core::prelude::*;

const WEIGHT_BITS: usize = 8;
/// log2 of the bytes of a unit of weight.
const UNIT_LOG2: u64 = WEIGHT_BYTES.trailing_zeros() as u64;
/// Bits of a balance, in two's complement. Of what is more than half of the debt that it can hold nothing is taken.
const BALANCE_BITS: usize = 26;
const SIGN: usize = BALANCE_BITS - 1;
const DEEP: usize = BALANCE_BITS - 2;
/// Bits of the count of clocks in which a descriptor waited, less those in which none did; and the bit that says that it is so most of the time.
const PRESSURE_BITS: usize = 6;
const PRESSED: usize = PRESSURE_BITS - 1;

/// Clocks of a span, log2: who was read in this span or the one before wants to send.
const SPAN_LOG2: usize = 11;

/// Holds back the functions that have sent more than their weights give them, while others have something to be read (`docs/host.md`, "Weights").
///
/// That counts while the reads of frames are what everyone waits for, and more than one function wants to send: then what is `read` of a function is taken from its balance. A function whose balance is below 0 is `held`.
/// When nobody has anything left who wants to send, rounds give to those who do, by their weights. Without any weight nothing is held.
///
/// A round looks at a function in a clock, and takes one more, or what reads take of the memory of balances, for one that is given something.
#[millrace_hdl::block]
pub struct Shares<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Pulses: `set_value` is the weight of `set_function`.
    pub weight_write: Signal<In, Bit>,
    pub set_function: Signal<In, Bits<8>>,
    pub set_value: Signal<In, Bits<32>>,
    /// Bit p: the transmitq of pair p has something to be read. Bit f: function f may not send now, whatever it has.
    pub backlog: Signal<In, Bits<PAIRS>>,
    pub stopped: Signal<In, Bits<FUNCTIONS>>,
    /// A descriptor of so many bytes is read; or one waits to be.
    pub read: Signal<In, Bit>,
    pub read_function: Signal<In, Bits<8>>,
    pub read_bytes: Signal<In, Bits<17>>,
    pub blocked: Signal<In, Bit>,
    /// Bit f: nothing of function f is to be begun.
    pub held: Signal<Out, Bits<FUNCTIONS>>,
    /// Nothing comes in, and nothing is done.
    pub idle: Signal<Out, Bit>,

    _ecpf_pairs: usize,
    _function_pairs: usize,
    control_pairs: Param<Bits<PAIRS>>,
    /// With the lowest bit turned, for RAM begins as 0.
    weights: LutRam<Bits<WEIGHT_BITS>, FUNCTION_BITS>,
    balances: LutRam<Bits<BALANCE_BITS>, FUNCTION_BITS>,
    /// Functions with a weight; that want to send; whose balance is below 0; that are held.
    weighted: Reg<Bits<FUNCTIONS>>,
    wants: Reg<Bits<FUNCTIONS>>,
    in_debt: Reg<Bits<FUNCTIONS>>,
    held_back: Reg<Bits<FUNCTIONS>>,
    /// Functions of which something was read in this span, in the one before; clocks of the span.
    recent: Reg<Bits<FUNCTIONS>>,
    before: Reg<Bits<FUNCTIONS>>,
    span: Reg<Bits<SPAN_LOG2>>,
    waited: DffR<Bit>,
    pressure: Reg<Bits<PRESSURE_BITS>>,
    /// It counts.
    contended: DffR<Bit>,
    /// What was read a clock ago.
    charges: DffR<Bit>,
    charged: DffE<Bits<FUNCTION_BITS>>,
    bytes: DffE<Bits<17>>,
    /// A round; whose turn it is, and what its balance becomes.
    in_round: DffR<Bit>,
    at: Reg<Bits<FUNCTION_BITS>>,
    gives: DffR<Bit>,
    given: DffE<Bits<BALANCE_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize>
    Shares<PAIRS, PAIR_BITS, FUNCTIONS, FUNCTION_BITS>
{
    /// For the functions of a build, with controlqs at these pairs.
    pub fn new(config: &Config, control: &[usize]) -> Self {
        Self {
            _ecpf_pairs: config.pairs_of_function(0),
            _function_pairs: config.pairs_of_function(1),
            control_pairs: pairs_of(control),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let one: Bits<FUNCTIONS> = 1;

        comment!("weights; 0 is as 1");
        let weight = self.set_value.get_bits::<WEIGHT_BITS>(0);
        let set = if self.weight_write { one << self.set_function } else { 0 };
        let set_weighted = if weight.any() { set } else { 0 };
        self.weights.we = self.weight_write;
        self.weights.waddr = cast::<FUNCTION_BITS>(self.set_function);
        self.weights.wdata = if weight.any() { weight ^ 1 } else { 0 };
        self.weighted = (self.weighted & !set) | set_weighted;
        let active = self.weighted.any();

        comment!("who wants to send: has something to be read from its rings, or had frames read of late");
        let sends = self.backlog & !self.control_pairs;
        let mut wants: Bits<FUNCTIONS> = 0;
        for p in 0..self._ecpf_pairs {
            if sends.get_bit(p) {
                wants |= 1;
            }
        }
        for f in 1..FUNCTIONS {
            let mut any = false;
            for p in 0..self._function_pairs {
                any |= sends.get_bit(self._ecpf_pairs + (f - 1) * self._function_pairs + p);
            }
            wants.set_bit(f, any);
        }
        let reads = if active & self.read { one << self.read_function } else { 0 };
        let span_ends = self.span.all();
        self.recent = (if span_ends { 0 } else { self.recent }) | reads;
        if span_ends {
            self.before = self.recent;
        }
        let lately = (self.recent | self.before).any();
        if lately | self.span.any() {
            self.span += 1;
        }
        let wants_now = if active { (wants | self.recent | self.before) & !self.stopped } else { 0 };
        self.wants = wants_now;
        let several = (self.wants & (self.wants - 1)).any();

        comment!("whether what is read is what they wait for");
        self.waited = active & self.blocked;
        if self.waited & !self.pressure.all() {
            self.pressure += 1;
        } else if !self.waited & self.pressure.any() {
            self.pressure -= 1;
        }
        self.contended = active & several & self.pressure.get_bit(PRESSED);
        self.held_back = if self.contended { self.in_debt } else { 0 };
        self.held = self.held_back;

        comment!("what was read is taken from the balance");
        self.charges = self.contended & self.read;
        if self.read {
            self.charged = cast::<FUNCTION_BITS>(self.read_function);
            self.bytes = self.read_bytes;
        }
        self.balances.raddr = if self.charges { self.charged } else { self.at };
        self.weights.raddr = self.at;
        let old = self.balances.rdata;
        let is_deep = old.get_bit(SIGN) & !old.get_bit(DEEP);
        let left = if is_deep { old } else { old - cast::<BALANCE_BITS>(self.bytes) };

        comment!("a round: whoever is in debt comes out of it by its weight, and nobody gets more than that");
        let here = one << self.at;
        let share = cast::<BALANCE_BITS>(self.weights.rdata ^ 1) << UNIT_LOG2;
        let needs = (self.wants & here).any();
        let looks = self.in_round & !self.gives & !self.charges;
        let lost = self.charges & (self.charged == self.at);
        let puts = self.gives & !self.charges;
        self.gives = (looks & needs) | (self.gives & !puts & !lost);
        if looks {
            self.given = if old.get_bit(SIGN) { old + share } else { share };
        }
        let moves_on = (looks & !needs) | puts;
        let is_last = self.at == FUNCTIONS - 1;
        let starts = self.contended & !(self.wants & !self.in_debt).any();
        self.in_round = if self.in_round { !(moves_on & is_last) } else { starts };
        if moves_on {
            self.at = if is_last { 0 } else { self.at + 1 };
        }

        let new = if self.charges { left } else { self.given };
        let changed = if self.charges {
            one << self.charged
        } else if puts {
            here
        } else {
            0
        };
        self.balances.we = self.charges | puts;
        self.balances.waddr = if self.charges { self.charged } else { self.at };
        self.balances.wdata = new;
        let owes = if new.get_bit(SIGN) { changed } else { 0 };
        self.in_debt = (self.in_debt & !changed) | owes;

        let works = lately
            | self.span.any()
            | self.charges
            | self.in_round
            | self.pressure.any()
            | self.contended
            | self.held_back.any();
        let comes_in = self.weight_write | (active & (self.read | self.blocked));
        self.idle = !(works | comes_in | self.waited | (wants_now != self.wants));
    }
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
