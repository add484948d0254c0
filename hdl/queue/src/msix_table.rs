// SPDX-License-Identifier: MIT OR Apache-2.0
//! MSI-X (PCI Local Bus 3.0 §6.8.2): the tables of all functions, their pending bits, and their messages.

use crate::types::Interrupt;
use crate::words::merged;
use millrace_hdl::base::{Dff, DffE, DffR, LutRam, Param, Ram, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::config::Config;
use millrace_regs::host::{MAX_VECTORS, VECTOR_MASKED, msix};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// What is asked of the tables: one of the first bits, or none of them to read a word. Vectors are numbered through all functions: `first` and `last`
    /// are those of `function`, `entry` the one that is meant.
    pub struct MsixRequest<const VECTOR_BITS: usize> {
        /// An interrupt.
        pub raise: Bit,
        /// A word is written.
        pub write: Bit,
        /// The answer is the pending bits of `entry` and the 31 behind it; 0 behind `last`.
        pub collect: Bit,
        /// Nothing of the function is pending any more; `entry` is `first`.
        pub calm: Bit,
        /// `data`: the least number of clocks from a message of a vector of the function to its next.
        pub moderate: Bit,
        pub function: Bits<8>,
        pub first: Bits<VECTOR_BITS>,
        pub last: Bits<VECTOR_BITS>,
        pub entry: Bits<VECTOR_BITS>,
        /// Word of the entry.
        pub word: Bits<2>,
        pub data: Bits<32>,
        pub strobe: Bits<4>,
    }
}

wire_struct! {
    /// What the walk has to know of a vector.
    pub struct VectorFlags {
        pub pending: Bit,
        pub masked: Bit,
        /// It was given, and may not have been long enough ago to be given again.
        pub recent: Bit,
    }
}

/// Words of an entry.
const LOW: u32 = msix::MESSAGE_ADDRESS.offset / 4;
const HIGH: u32 = LOW + 1;
const DATA: u32 = msix::MESSAGE_DATA.offset / 4;
const CONTROL: u32 = msix::VECTOR_CONTROL.offset / 4;
/// Bits of `message_address` that can be 1, of its lower half.
const ALIGNED: u32 = !3;
const MASK_BIT: usize = VECTOR_MASKED.trailing_zeros() as usize;

/// What is done with a vector.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum MsixState {
    /// All are made as after power-up.
    Clear,
    Choose,
    Look,
    Read,
    Age,
    Act,
    /// Vectors from one on.
    Collect,
    Calm,
    Done,
}

/// `VECTORS` vectors of `FUNCTIONS` functions, by their numbers: those of function 0, then of function 1, and so on.
///
/// `request` is taken within 15 clocks (`collect`: 50; `calm`: 20 and one for each vector of the function), with `answer`, whatever becomes of `interrupt`; for
/// `VECTORS` clocks after reset it waits. A walk over the vectors, one clock each and four more where one is pending, finds those that may be given; it rests when none
/// is left, and then begins with the first that comes. While a message is not taken it waits. Of `msix_enable`, `msix_mask` and `bus_master` it knows a clock later.
///
/// A reset of a function by PCI (FLR) would be `Clear` from the function's first vector to its last.
#[millrace_hdl::block]
pub struct MsixTable<const FUNCTIONS: usize, const FUNCTION_BITS: usize, const VECTORS: usize, const VECTOR_BITS: usize>
{
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Bit f: of function f. MSI-X Enable and Function Mask of PCI's Message Control, Bus Master Enable of its Command.
    pub msix_enable: Signal<In, Bits<FUNCTIONS>>,
    pub msix_mask: Signal<In, Bits<FUNCTIONS>>,
    pub bus_master: Signal<In, Bits<FUNCTIONS>>,
    pub request: Snk<MsixRequest<VECTOR_BITS>>,
    pub answer: Signal<Out, Bits<32>>,
    pub interrupt: Src<Interrupt>,
    /// No request, no message, and none that could be given now or after a while.
    pub idle: Signal<Out, Bit>,
    last_function: Param<Bits<8>>,
    /// Vectors of a function other than the ECPF, less one; those of the ECPF.
    others: Param<Bits<VECTOR_BITS>>,
    ecpf_last: Param<Bits<VECTOR_BITS>>,
    last_vector: Param<Bits<VECTOR_BITS>>,
    lows: Ram<Bits<32>, VECTOR_BITS>,
    highs: Ram<Bits<32>, VECTOR_BITS>,
    datas: Ram<Bits<32>, VECTOR_BITS>,
    /// When the vector was given.
    times: Ram<Bits<32>, VECTOR_BITS>,
    flags: LutRam<VectorFlags, VECTOR_BITS>,
    intervals: LutRam<Bits<24>, FUNCTION_BITS>,
    low: Dff<Bits<32>>,
    high: Dff<Bits<32>>,
    data: Dff<Bits<32>>,
    time: Dff<Bits<32>>,
    now: Reg<Bits<32>>,
    /// The functions that may give messages.
    allowed: DffR<Bits<FUNCTIONS>>,
    /// There are more of them than when the walk last began, or looked at the vector that it is at.
    risen: Reg<Bit>,
    state: Reg<MsixState>,
    /// Where the walk is: vector, its function, and that function's first and last vector.
    at: Reg<Bits<VECTOR_BITS>>,
    at_function: Reg<Bits<8>>,
    first: Reg<Bits<VECTOR_BITS>>,
    last: Reg<Bits<VECTOR_BITS>>,
    /// There may be something to give among the next vectors, `left` and one.
    walking: Reg<Bit>,
    left: Reg<Bits<VECTOR_BITS>>,
    /// What is worked on, for a request or for the walk.
    for_request: Reg<Bit>,
    entry: Reg<Bits<VECTOR_BITS>>,
    function: Reg<Bits<8>>,
    old: DffE<VectorFlags>,
    is_allowed: DffE<Bit>,
    interval: DffE<Bits<24>>,
    elapsed: Dff<Bits<32>>,
    count: Reg<Bits<5>>,
    past: DffE<Bit>,
    answer_q: DffE<Bits<32>>,
    /// A message is on the stream, of vector `held_entry`; an interrupt of that may still be one with it.
    held: Reg<Bit>,
    held_entry: DffE<Bits<VECTOR_BITS>>,
    joins: Reg<Bit>,
    message: DffE<Interrupt>,
}

#[millrace_hdl::block]
impl<const FUNCTIONS: usize, const FUNCTION_BITS: usize, const VECTORS: usize, const VECTOR_BITS: usize>
    MsixTable<FUNCTIONS, FUNCTION_BITS, VECTORS, VECTOR_BITS>
{
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes are not those of the build.
    pub fn new(config: &Config) -> Self {
        let vectors = config.vectors();
        assert!(
            vectors == VECTORS && VECTORS <= 1 << VECTOR_BITS && FUNCTIONS <= 1 << FUNCTION_BITS,
            "{vectors} vectors, not {VECTORS} in {VECTOR_BITS} bits"
        );
        let of = |function| config.vectors_of_function(function);
        assert!(of(0).max(of(1)) <= MAX_VECTORS, "more vectors than a table has room for");
        let ecpf_last = ((of(0) - 1) as u64).to_bits();
        Self {
            last_function: Param::new(((config.functions() - 1) as u64).into()),
            others: Param::new(((of(1) - 1) as u64).to_bits()),
            ecpf_last: Param::new(ecpf_last),
            last_vector: Param::new(((VECTORS - 1) as u64).to_bits()),
            last: Reg::new(ecpf_last),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let asked = self.request.data;
        let walks = self.walking & !self.held;
        let request_goes = self.request.valid & !(walks & self.for_request);
        let seen = self.flags.rdata;
        let mut set = self.old;
        let mut set_flags = false;
        let mut written: Bits<32> = self.now;
        let mut write_low = false;
        let mut write_high = false;
        let mut write_data = false;
        let mut write_time = false;
        let mut write_interval = false;
        let mut advance = false;
        let mut keep = false;
        let mut comes = false;

        comment!("which functions may give messages");
        let allowed = self.msix_enable & !self.msix_mask & self.bus_master;
        let rises = (allowed & !self.allowed).any();
        let turned = (allowed ^ self.allowed).any();
        self.allowed = allowed;

        self.interrupt.data = self.message;
        self.interrupt.valid = self.held;
        if self.held & self.interrupt.ready {
            self.held = false;
        }
        self.now += 1;
        self.low = self.lows.rdata;
        self.high = self.highs.rdata;
        self.data = self.datas.rdata;
        self.time = self.times.rdata;
        self.elapsed = self.now - self.time;
        let control = cast::<32>(self.old.masked);
        let mut word = control;
        if asked.word == LOW {
            word = self.low;
        }
        if asked.word == HIGH {
            word = self.high;
        }
        if asked.word == DATA {
            word = self.data;
        }
        let due = !self.old.recent | (self.elapsed >= cast::<32>(self.interval));

        match self.state {
            MsixState::Clear => {
                written = 0;
                write_low = true;
                write_high = true;
                write_data = true;
                write_time = true;
                write_interval = true;
                set_flags = true;
                set = VectorFlags { pending: false, masked: true, recent: false };
                self.entry += 1;
                self.function += 1;
                if self.entry == self.last_vector {
                    self.state = MsixState::Choose;
                }
            }
            MsixState::Choose => {
                self.entry = if request_goes { asked.entry } else { self.at };
                self.function = if request_goes { asked.function } else { self.at_function };
                self.for_request = request_goes;
                self.count = 0;
                self.past = false;
                if request_goes | (walks & ((seen.pending & !seen.masked) | seen.recent)) {
                    self.state = MsixState::Look;
                } else {
                    advance = walks;
                }
            }
            MsixState::Look => {
                let from_here = self.allowed >> self.function;
                self.is_allowed = from_here.get_bit(0);
                self.old = seen;
                self.interval = self.intervals.rdata;
                self.state = MsixState::Read;
            }
            MsixState::Read => {
                self.state = MsixState::Age;
            }
            MsixState::Age => {
                self.state = MsixState::Act;
            }
            MsixState::Act => {
                self.state = if self.for_request { MsixState::Done } else { MsixState::Choose };
                self.answer_q = word;
                if !self.for_request {
                    advance = true;
                    set_flags = true;
                    set.recent = self.old.recent & !due;
                    keep = self.old.recent & !due;
                    if self.old.pending & !self.old.masked & self.is_allowed & due {
                        set.pending = false;
                        set.recent = self.interval.any();
                        write_time = true;
                        keep = true;
                        self.held = true;
                        self.joins = true;
                        self.held_entry = self.entry;
                        self.message = Interrupt {
                            function: self.function,
                            vector: cast::<16>(self.entry - self.first),
                            address: concat::<64>(self.high, self.low),
                            data: self.data,
                        };
                    }
                } else if asked.raise {
                    set_flags = true;
                    let same = self.held & self.joins & (self.held_entry == self.entry);
                    set.pending = self.old.pending | !same;
                    comes = self.is_allowed & !self.old.masked & !same;
                } else if asked.write {
                    written = merged(word, asked.data, asked.strobe);
                    if asked.word == LOW {
                        write_low = true;
                        written &= ALIGNED;
                    }
                    write_high = asked.word == HIGH;
                    write_data = asked.word == DATA;
                    if asked.word == CONTROL {
                        set_flags = true;
                        set.masked = written.get_bit(MASK_BIT);
                        comes = self.is_allowed & self.old.pending & !written.get_bit(MASK_BIT);
                    }
                    if self.held_entry == self.entry {
                        self.joins = false;
                    }
                } else if asked.moderate {
                    written = asked.data;
                    write_interval = true;
                } else if asked.collect {
                    self.state = MsixState::Collect;
                } else if asked.calm {
                    self.state = MsixState::Calm;
                }
            }
            MsixState::Collect => {
                self.answer_q = concat::<32>(seen.pending & !self.past, self.answer_q.get_bits::<31>(1));
                self.past = self.past | (self.entry == asked.last);
                self.entry += 1;
                self.count += 1;
                if self.count.all() {
                    self.state = MsixState::Done;
                }
            }
            MsixState::Calm => {
                set_flags = true;
                set = VectorFlags { pending: false, masked: seen.masked, recent: seen.recent };
                self.entry += 1;
                if self.entry == asked.last {
                    self.state = MsixState::Done;
                }
            }
            MsixState::Done => {
                self.state = MsixState::Choose;
            }
        }

        comment!("the walk");
        if advance {
            self.left -= 1;
            self.walking = self.left.any();
            self.at += 1;
            if self.at == self.last {
                self.at_function += 1;
                self.first = self.last + 1;
                self.last = self.last + self.others + 1;
                if self.at_function == self.last_function {
                    self.at = 0;
                    self.at_function = 0;
                    self.first = 0;
                    self.last = self.ecpf_last;
                }
            }
        }
        if comes & !self.walking {
            self.at = asked.entry;
            self.at_function = asked.function;
            self.first = asked.first;
            self.last = asked.last;
        }
        let begins = self.risen & (self.state == MsixState::Choose);
        if begins {
            self.risen = false;
        }
        if rises {
            self.risen = true;
        }
        if comes | keep | begins {
            self.left = self.last_vector;
            self.walking = true;
        }

        let place = if self.state == MsixState::Choose { self.at } else { self.entry };
        self.flags.raddr = place;
        self.flags.we = set_flags;
        self.flags.waddr = self.entry;
        self.flags.wdata = set;
        self.intervals.raddr = cast::<FUNCTION_BITS>(self.function);
        self.intervals.we = write_interval;
        self.intervals.waddr = cast::<FUNCTION_BITS>(self.function);
        self.intervals.wdata = cast::<24>(written);
        self.lows.re = true;
        self.lows.raddr = self.entry;
        self.lows.we = write_low;
        self.lows.waddr = self.entry;
        self.lows.wdata = written;
        self.highs.re = true;
        self.highs.raddr = self.entry;
        self.highs.we = write_high;
        self.highs.waddr = self.entry;
        self.highs.wdata = written;
        self.datas.re = true;
        self.datas.raddr = self.entry;
        self.datas.we = write_data;
        self.datas.waddr = self.entry;
        self.datas.wdata = written;
        self.times.re = true;
        self.times.raddr = self.entry;
        self.times.we = write_time;
        self.times.waddr = self.entry;
        self.times.wdata = written;
        self.request.ready = self.state == MsixState::Done;
        self.answer = self.answer_q;
        let rests = (self.state == MsixState::Choose) & !self.walking & !self.risen & !self.held;
        self.idle = rests & !(self.request.valid | turned);
    }
}

#[cfg(test)]
#[path = "msix_table_tests.rs"]
mod tests;
