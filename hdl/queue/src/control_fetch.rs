// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the commands of controlqs.

use crate::types::{BEAT_BITS, RingAnswer, RingRead, Segment};
use millrace_hdl::base::{DffE, DffR, LutFifo, Ram, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::control::COMMAND_BYTES;
use rust_hdl_core::prelude::*;

/// log2 of the bytes that are kept, and of the descriptors that wait.
pub const BYTES_LOG2: usize = 9;
const WAITING_LOG2: usize = 7;

/// A descriptor is looked at; a line of it is asked for, comes, and is kept byte by byte; the command is given.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ControlFetchState {
    Idle,
    Look,
    Ask,
    Answer,
    Keep,
    Give,
}

wire_struct! {
    /// A command of a driver, all of which has been read.
    pub struct Command<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub head: Bits<16>,
        pub skip: Bits<9>,
        /// Where its ack goes.
        pub ack: Bits<64>,
        /// Its bytes: 513 of what is longer than is kept.
        pub bytes: Bits<10>,
        /// 0, or why it could not be read.
        pub error: Bits<8>,
        /// As of `Head`; nothing else counts.
        pub reset: Bit,
        /// There is no command: its chain was given up. With `pair` alone.
        pub abort: Bit,
    }
}

/// Collects what can be read of each chain in `segments`, one chain after the other. While a command is given, `byte` is that at `at`, a clock later.
///
/// A line of 64 bytes takes a read and up to 66 clocks. What is longer than is kept is not read.
#[millrace_hdl::block]
pub struct ControlFetch<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub segments: Snk<Segment<PAIR_BITS>>,
    pub read: Src<RingRead>,
    pub answer: Snk<RingAnswer>,
    pub command: Src<Command<PAIR_BITS>>,
    pub at: Signal<In, Bits<BYTES_LOG2>>,
    pub byte: Signal<Out, Bits<8>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    waiting: LutFifo<Segment<PAIR_BITS>, WAITING_LOG2, 8>,
    state: DffR<ControlFetchState>,
    segment: DffE<Segment<PAIR_BITS>>,
    line: DffE<Bits<BEAT_BITS>>,
    /// Bytes at the line's beginning that are passed over; the place of the next byte.
    before: DffE<Bits<6>>,
    column: DffE<Bits<6>>,
    /// The chain begins; a place for its ack is known.
    #[init(DffR::new(true))]
    first: DffR<Bit>,
    has_ack: DffE<Bit>,
    ack: DffE<Bits<64>>,
    total: DffE<Bits<10>>,
    error: DffE<Bits<8>>,
    kept: Ram<Bits<8>, BYTES_LOG2>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> ControlFetch<PAIR_BITS> {
    fn update(&mut self) {
        link(self.segments, self.waiting.inp);
        let segment = self.segment;
        let is_idle = self.state == ControlFetchState::Idle;
        self.waiting.out.ready = is_idle;
        let too_long = self.total > COMMAND_BYTES;
        let no_data = segment.reset | segment.abort;

        comment!("a line with bytes of the command");
        self.read.valid = self.state == ControlFetchState::Ask;
        self.read.data = RingRead { address: segment.address, function: segment.function, tag: 0 };
        self.answer.ready = true;
        let is_keep = self.state == ControlFetchState::Keep;
        let passes_over = self.before.any();
        let keeps = is_keep & !passes_over;
        self.kept.we = keeps & !self.total.get_bit(BYTES_LOG2);
        self.kept.waddr = self.total.get_bits::<BYTES_LOG2>(0);
        self.kept.wdata = self.line.get_bits::<8>(0);
        let ends_segment = keeps & (segment.length == 1);
        let ends_line = is_keep & self.column.all();

        comment!("what is next of the chain");
        let mut state = self.state;
        let mut first = self.first;
        match self.state {
            ControlFetchState::Idle => {
                self.segment = self.waiting.out.data;
                if self.waiting.out.valid {
                    state = ControlFetchState::Look;
                }
            }
            ControlFetchState::Look => {
                if first {
                    self.total = 0;
                    self.error = 0;
                }
                self.has_ack = (self.has_ack & !first) | segment.write;
                if segment.write & (first | !self.has_ack) {
                    self.ack = segment.address;
                }
                first = false;
                let skips = !self.first & (too_long | self.error.any());
                state = if no_data | segment.write | skips {
                    if segment.last { ControlFetchState::Give } else { ControlFetchState::Idle }
                } else {
                    ControlFetchState::Ask
                };
            }
            ControlFetchState::Ask => {
                if self.read.ready {
                    state = ControlFetchState::Answer;
                }
            }
            ControlFetchState::Answer => {
                self.line = self.answer.data.data;
                self.before = segment.address.get_bits::<6>(0);
                self.column = 0;
                if self.answer.valid {
                    self.error = self.answer.data.error;
                    state = ControlFetchState::Keep;
                    if self.answer.data.error.any() {
                        state = if segment.last { ControlFetchState::Give } else { ControlFetchState::Idle };
                    }
                }
            }
            ControlFetchState::Keep => {
                self.line = self.line >> 8_u64;
                self.column += 1;
                if passes_over {
                    self.before -= 1;
                } else {
                    self.segment =
                        Segment::<PAIR_BITS> { address: segment.address + 1, length: segment.length - 1, ..segment };
                    if !too_long {
                        self.total += 1;
                    }
                }
                if ends_segment | too_long {
                    state = if segment.last { ControlFetchState::Give } else { ControlFetchState::Idle };
                } else if ends_line {
                    state = ControlFetchState::Ask;
                }
            }
            ControlFetchState::Give => {
                if self.command.ready {
                    first = true;
                    state = ControlFetchState::Idle;
                }
            }
        }
        self.state = state;
        self.first = first;

        self.command.valid = self.state == ControlFetchState::Give;
        self.command.data = Command::<PAIR_BITS> {
            pair: segment.pair,
            function: segment.function,
            head: segment.head,
            skip: segment.skip,
            ack: self.ack,
            bytes: self.total,
            error: self.error,
            reset: segment.reset,
            abort: segment.abort,
        };
        self.kept.re = true;
        self.kept.raddr = self.at;
        self.byte = self.kept.rdata;
        self.idle = is_idle & self.waiting.empty & !self.segments.valid;
    }
}
