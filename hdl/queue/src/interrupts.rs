// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which messages wait, so that no vector is given twice.

use crate::types::Interrupt;
use millrace_hdl::base::{DffE, DffR, LutRam, Param, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::config::Config;
use millrace_regs::host::NO_VECTOR;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// What befalls a source of interrupts.
    pub struct SourceEvent<const SOURCE_BITS: usize> {
        /// Its vector is written; otherwise its driver wants to be told.
        pub set: Bit,
        pub source: Bits<SOURCE_BITS>,
        /// The source's.
        pub function: Bits<8>,
        /// With `set`.
        pub vector: Bits<16>,
    }
}

const NONE: u32 = NO_VECTOR as u32;

/// What is done with the vector of a source.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum InterruptState {
    /// After reset no source has a vector.
    Clear,
    Choose,
    Look,
    Act,
}

/// Messages of `SOURCES` sources. A function's first source is its configuration, then come its virtqueues: the source of virtqueue `vq` of function f is
/// vq + f + 1, that of the configuration one less than that of its first virtqueue.
///
/// `event` is taken within seven clocks, whatever becomes of `interrupt` (but for `SOURCES` clocks after reset). A round goes over the sources
/// that wait, three clocks each; before a message is put out, all other sources of the function with the same vector are merged into it. An event whose
/// vector's message is there already adds nothing. A source whose vector is set to [`NO_VECTOR`] does not wait any more.
#[millrace_hdl::block]
pub struct Interrupts<const SOURCES: usize, const SOURCE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub event: Snk<SourceEvent<SOURCE_BITS>>,
    pub interrupt: Src<Interrupt>,
    /// No event, and no message waits.
    pub idle: Signal<Out, Bit>,
    last_function: Param<Bits<8>>,
    /// Virtqueues of a function other than the ECPF.
    queues: Param<Bits<SOURCE_BITS>>,
    /// The last source of the ECPF.
    ecpf_last: Param<Bits<SOURCE_BITS>>,
    last_source: Param<Bits<SOURCE_BITS>>,
    vectors: LutRam<Bits<16>, SOURCE_BITS>,
    state: Reg<InterruptState>,
    /// The sources that wait.
    waiting: Reg<Bits<SOURCES>>,
    /// Some may wait.
    some: DffR<Bit>,
    /// Where the round is: source, its function, and that function's first and last.
    at: Reg<Bits<SOURCE_BITS>>,
    function: Reg<Bits<8>>,
    first: Reg<Bits<SOURCE_BITS>>,
    last: Reg<Bits<SOURCE_BITS>>,
    /// What is looked at, for the event or for the round.
    for_event: Reg<Bit>,
    address: Reg<Bits<SOURCE_BITS>>,
    vector: DffE<Bits<16>>,
    waits: DffE<Bit>,
    one: DffE<Bits<SOURCES>>,
    /// A message is there; sources with its vector are still merged, until the round is back at `until`.
    held: Reg<Bit>,
    merging: Reg<Bit>,
    message: DffE<Interrupt>,
    until: DffE<Bits<SOURCE_BITS>>,
}

#[millrace_hdl::block]
impl<const SOURCES: usize, const SOURCE_BITS: usize> Interrupts<SOURCES, SOURCE_BITS> {
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes are not those of the build.
    pub fn new(config: &Config) -> Self {
        let sources = config.virtqueues() + config.functions();
        assert!(
            sources == SOURCES && SOURCES <= 1 << SOURCE_BITS,
            "{sources} sources, not {SOURCES} in {SOURCE_BITS} bits"
        );
        let ecpf_last = (config.virtqueues_of_function(0) as u64).to_bits();
        Self {
            last_function: Param::new(((config.functions() - 1) as u64).into()),
            queues: Param::new((config.virtqueues_of_function(1) as u64).to_bits()),
            ecpf_last: Param::new(ecpf_last),
            last_source: Param::new(((SOURCES - 1) as u64).to_bits()),
            last: Reg::new(ecpf_last),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let round = self.merging | (self.some & !self.held);
        let event_goes = self.event.valid & !(round & self.for_event);
        let last_of_function = self.at == self.last;
        let same = (self.message.vector == self.vector) & (self.message.function == self.event.data.function);
        let none = self.vector == NONE;
        let mut waiting = self.waiting;
        let mut write = false;
        let mut vector: Bits<16> = NONE;
        self.interrupt.data = self.message;
        self.interrupt.valid = self.held & !self.merging;
        if self.held & !self.merging & self.interrupt.ready {
            self.held = false;
        }
        self.event.ready = self.for_event & (self.state == InterruptState::Act);
        match self.state {
            InterruptState::Clear => {
                write = true;
                self.address += 1;
                if self.address == self.last_source {
                    self.state = InterruptState::Choose;
                }
            }
            InterruptState::Choose => {
                self.address = if event_goes { self.event.data.source } else { self.at };
                if event_goes | round {
                    self.for_event = event_goes;
                    self.state = InterruptState::Look;
                }
            }
            InterruptState::Look => {
                let one: Bits<SOURCES> = 1;
                let from_here = self.waiting >> self.address;
                self.vector = self.vectors.rdata;
                self.waits = from_here.get_bit(0);
                self.one = one << self.address;
                self.state = InterruptState::Act;
            }
            InterruptState::Act => {
                self.state = InterruptState::Choose;
                if self.for_event & self.event.data.set {
                    write = true;
                    vector = self.event.data.vector;
                    if self.event.data.vector == NONE {
                        waiting = self.waiting & !self.one;
                    }
                } else if self.for_event {
                    if !none & !(self.held & same) {
                        waiting = self.waiting | self.one;
                    }
                } else {
                    let takes = self.waits & !self.merging;
                    let merges = self.waits & self.merging & (self.vector == self.message.vector);
                    if takes | merges {
                        waiting = self.waiting & !self.one;
                    }
                    let begins = takes & !none;
                    if begins {
                        self.held = true;
                        self.merging = true;
                        self.until = self.at;
                        self.message = Interrupt { function: self.function, vector: self.vector };
                    }
                    let ends = self.merging & (self.at == self.until);
                    if ends {
                        self.merging = false;
                    }
                    let stays = begins | (self.merging & !ends);
                    if !last_of_function {
                        self.at += 1;
                    } else if stays {
                        self.at = self.first;
                    } else if self.function == self.last_function {
                        self.at = 0;
                        self.function = 0;
                        self.first = 0;
                        self.last = self.ecpf_last;
                    } else {
                        self.at += 1;
                        self.function += 1;
                        self.first = self.last + 1;
                        self.last = self.last + self.queues + 1;
                    }
                }
            }
        }
        self.waiting = waiting;
        self.some = self.waiting.any() | (self.for_event & (self.state == InterruptState::Act));
        self.vectors.raddr = self.address;
        self.vectors.we = write;
        self.vectors.waddr = self.address;
        self.vectors.wdata = vector;
        self.idle = (self.state == InterruptState::Choose) & !(self.event.valid | self.held | self.some);
    }
}

#[cfg(test)]
#[path = "interrupts_tests.rs"]
mod tests;
