// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast functions may send.

use crate::chain_check::pairs_of;
use crate::types::FrameBeat;
use millrace_hdl::base::{DffE, DffR, LutRam, Param, Reg, Snk, Src};
use millrace_regs::config::Config;
use millrace_regs::host::{FUNCTION_BURST_RESET, RATE_UNIT_BYTES};
use rust_hdl_core::prelude::*;

/// Bits of rates and of bursts.
const RATE_BITS: usize = 17;
const BURST_BITS: usize = 24;
/// Bits of a balance, in two's complement: a debt is what was under way when the balance fell below 0.
const BALANCE_BITS: usize = 32;
const SIGN: usize = BALANCE_BITS - 1;

/// Chains of a split virtqueue that are read at once while its function's rate is limited.
const FEW: u64 = 4;

/// log2 of the bytes that a unit of time brings for each Mb/s.
const UNIT_BYTES_LOG2: u64 = RATE_UNIT_BYTES.trailing_zeros() as u64;

/// What is done with the balance of a function whose bucket is filled.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Refill {
    Seek,
    Cap,
    Add,
}

/// A token bucket for each function with a rate (`docs/host.md`, "Rates"): each beat of its frames that passes takes its bytes from the balance, and each unit of `now` brings some. While the balance is below 0, no
/// chains of the function's transmitqs are read.
///
/// Beats pass in the same clock. A unit begins with a look at all functions, a clock each, and three for each that is limited and not full, in which beats of limited functions wait.
#[millrace_hdl::block]
pub struct RateLimit<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub now: Signal<In, Bits<16>>,
    /// Pulses: `set_value` is the rate, the burst, of `set_function`.
    pub rate_write: Signal<In, Bit>,
    pub burst_write: Signal<In, Bit>,
    pub set_function: Signal<In, Bits<8>>,
    pub set_value: Signal<In, Bits<32>>,
    pub inp: Snk<FrameBeat<PAIR_BITS>>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// As `RingSide` has them; `gate_…` is what others let it read.
    pub gate_room: Signal<In, Bits<PAIRS>>,
    pub gate_free: Signal<In, Bits<7>>,
    pub gate_packed_free: Signal<In, Bits<7>>,
    pub room: Signal<Out, Bits<PAIRS>>,
    pub free: Signal<Out, Bits<7>>,
    pub free_pair: Signal<In, Bits<PAIR_BITS>>,
    pub packed_free: Signal<Out, Bits<7>>,
    pub packed_free_pair: Signal<In, Bits<PAIR_BITS>>,
    /// Bit f: nothing of function f is to be begun, whatever its rate; nothing is, for its rate.
    pub outrun: Signal<In, Bits<FUNCTIONS>>,
    pub stopped: Signal<Out, Bits<FUNCTIONS>>,
    /// A bucket is not full.
    pub waits: Signal<Out, Bit>,
    /// Nothing comes in, and nothing is done.
    pub idle: Signal<Out, Bit>,

    _ecpf_pairs: usize,
    _function_pairs: usize,
    control_pairs: Param<Bits<PAIRS>>,
    rates: LutRam<Bits<RATE_BITS>, FUNCTION_BITS>,
    /// With the bits of the value after power-up turned, for RAM begins as 0.
    bursts: LutRam<Bits<BURST_BITS>, FUNCTION_BITS>,
    balances: LutRam<Bits<BALANCE_BITS>, FUNCTION_BITS>,
    /// Functions with a rate; with a balance below 0; with a full bucket.
    limited: Reg<Bits<FUNCTIONS>>,
    in_debt: Reg<Bits<FUNCTIONS>>,
    full: Reg<Bits<FUNCTIONS>>,

    shown: DffR<Bits<16>>,
    filling: DffR<Bit>,
    refill: DffR<Refill>,
    /// The function that is looked at; its balance, what it may be at most before something is added, what is added.
    at: Reg<Bits<FUNCTION_BITS>>,
    balance: DffE<Bits<BALANCE_BITS>>,
    most: DffE<Bits<BALANCE_BITS>>,
    added: DffE<Bits<BALANCE_BITS>>,
    over: DffE<Bit>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize>
    RateLimit<PAIRS, PAIR_BITS, FUNCTIONS, FUNCTION_BITS>
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
        let one_pair: Bits<PAIRS> = 1;

        comment!("what is set");
        let set_at = cast::<FUNCTION_BITS>(self.set_function);
        let set = if self.rate_write | self.burst_write { one << self.set_function } else { 0 };
        self.rates.we = self.rate_write;
        self.rates.waddr = set_at;
        self.rates.wdata = self.set_value.get_bits::<RATE_BITS>(0);
        self.bursts.we = self.burst_write;
        self.bursts.waddr = set_at;
        self.bursts.wdata = self.set_value.get_bits::<BURST_BITS>(0) ^ FUNCTION_BURST_RESET;
        let limits = self.rate_write & self.set_value.get_bits::<RATE_BITS>(0).any();
        let set_rate = if self.rate_write { set } else { 0 };
        let set_limited = if limits { set } else { 0 };
        self.limited = (self.limited & !set_rate) | set_limited;

        comment!("a beat takes its bytes");
        let beat = self.inp.data;
        let of_beat = one << beat.function;
        let counts = (self.limited & of_beat).any();
        let here = one << self.at;
        let seeks = self.refill == Refill::Seek;
        let looks = self.filling & seeks;
        let needs = (self.limited & !self.full & here).any();
        let begins = looks & needs;
        let passes = !counts | (seeks & !begins);
        self.out.valid = self.inp.valid & passes;
        self.out.data = beat;
        self.inp.ready = self.out.ready & passes;
        let takes = self.inp.valid & self.inp.ready & counts;

        comment!("a unit of time fills buckets, those that are not full");
        self.rates.raddr = self.at;
        self.bursts.raddr = self.at;
        self.balances.raddr = if begins { self.at } else { cast::<FUNCTION_BITS>(beat.function) };
        let old = self.balances.rdata;
        let wants = (self.limited & !self.full).any();
        let turned = wants & (self.now != self.shown);
        let mut refill = self.refill;
        if begins {
            self.balance = old;
            self.most = cast::<BALANCE_BITS>(self.bursts.rdata ^ FUNCTION_BURST_RESET);
            self.added = cast::<BALANCE_BITS>(self.rates.rdata) << UNIT_BYTES_LOG2;
            refill = Refill::Cap;
        }
        let caps = self.refill == Refill::Cap;
        if caps {
            let is_over = !self.balance.get_bit(SIGN) & (self.balance >= self.most);
            self.over = is_over;
            self.balance = if is_over { self.most } else { self.balance };
            refill = Refill::Add;
        }
        let adds = self.refill == Refill::Add;
        if adds {
            refill = Refill::Seek;
        }
        self.refill = refill;
        let moves_on = (looks & !needs) | adds;
        let is_last = self.at == FUNCTIONS - 1;
        // What is being filled when time goes on is filled first: units are longer than a round. Nothing counts while all are full: the clock may stand still.
        let starts = turned & !self.filling & seeks;
        let counts_time = wants | takes | self.rate_write | self.burst_write;
        self.shown = if counts_time & (starts | !turned) { self.now } else { self.shown };
        self.filling = starts | (self.filling & wants & !(moves_on & is_last));
        if starts {
            self.at = 0;
        } else if moves_on {
            self.at = if is_last { 0 } else { self.at + 1 };
        }
        let left = old - cast::<BALANCE_BITS>(beat.bytes);
        let filled = self.balance + self.added;
        let new = if takes { left } else { filled };
        self.balances.we = takes | adds;
        self.balances.waddr = if takes { cast::<FUNCTION_BITS>(beat.function) } else { self.at };
        self.balances.wdata = new;
        let changed = if takes {
            of_beat
        } else if adds {
            here
        } else {
            0
        };
        let owes = if new.get_bit(SIGN) { changed } else { 0 };
        self.in_debt = (self.in_debt & !changed) | owes;
        let becomes_full = if adds & self.over { here } else { 0 };
        self.full = (self.full & !(changed | set)) | becomes_full;

        comment!("what may be read");
        let blocked = self.limited & self.in_debt;
        self.stopped = blocked;
        let mut held: Bits<PAIRS> = 0;
        let mut ahead: Bits<PAIRS> = 0;
        let mut slow: Bits<PAIRS> = 0;
        for p in 0..self._ecpf_pairs {
            held.set_bit(p, blocked.get_bit(0));
            ahead.set_bit(p, self.outrun.get_bit(0));
            slow.set_bit(p, self.limited.get_bit(0));
        }
        for f in 1..FUNCTIONS {
            for p in 0..self._function_pairs {
                held.set_bit(self._ecpf_pairs + (f - 1) * self._function_pairs + p, blocked.get_bit(f));
                ahead.set_bit(self._ecpf_pairs + (f - 1) * self._function_pairs + p, self.outrun.get_bit(f));
                slow.set_bit(self._ecpf_pairs + (f - 1) * self._function_pairs + p, self.limited.get_bit(f));
            }
        }
        let closed = held & !self.control_pairs;
        self.room = self.gate_room & !(closed | (ahead & !self.control_pairs));
        let is_slow = (slow & (one_pair << self.free_pair)).any();
        self.free = if is_slow & (self.gate_free > FEW) { FEW } else { self.gate_free };
        self.packed_free = if (closed & (one_pair << self.packed_free_pair)).any() { 0 } else { self.gate_packed_free };
        self.waits = wants;
        let works = turned | self.filling | !seeks;
        self.idle = !(works | self.inp.valid | self.rate_write | self.burst_write);
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
