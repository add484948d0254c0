// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks the descriptors of chains.

use crate::descriptor::Descriptor;
use crate::types::{Fault, LONG_HEADER, SHORT_HEADER, Segment, Window, reason};
use millrace_hdl::base::{DffE, DffR, LutRam, Param, Reg, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::{TRANSMIT_BYTES, control};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A descriptor to be checked, and what is known of it from its place in the chain.
    pub struct Step<const PAIR_BITS: usize> {
        pub descriptor: Descriptor,
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        /// By which the driver knows the chain, and how many descriptors of a packed ring it takes up to here.
        pub head: Bits<16>,
        pub skip: Bits<9>,
        pub first: Bit,
        pub last: Bit,
        pub reset: Bit,
        /// The reason of a fault, or 0.
        pub error: Bits<8>,
    }
}

/// Pairs as bits.
pub fn pairs_of<const PAIRS: usize>(pairs: &[usize]) -> Param<Bits<PAIRS>> {
    Param::new(pairs.iter().fold(Bits::default(), |all, pair| all.replace_bit(*pair, true)))
}

/// Makes `segments` out of `steps`, one in a clock. What breaks the rules ends its chain with an `abort`, and so does each further chain of a queue that has stopped or is to be reset, until it is.
#[millrace_hdl::block]
pub struct ChainCheck<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize, const RECEIVE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window_write: Signal<In, Bit>,
    pub window_function: Signal<In, Bits<8>>,
    pub window: Signal<In, Window>,
    pub stopped: Signal<In, Bits<PAIRS>>,
    /// Bit p: pair p is to be reset; what of it comes before the reset does is not used.
    pub ending: Signal<In, Bits<PAIRS>>,
    pub steps: Snk<Step<PAIR_BITS>>,
    pub segments: Src<Segment<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The pairs whose second is a controlq.
    control: Param<Bits<PAIRS>>,
    windows: LutRam<Window, FUNCTION_BITS>,
    /// The descriptor that is checked; the bytes of its chain so far. Of a controlq: descriptors so far, and whether the last was device-writable.
    step: DffE<Step<PAIR_BITS>>,
    step_valid: DffR<Bit>,
    total: DffE<Bits<18>>,
    count: DffE<Bits<4>>,
    writes: DffE<Bit>,
    /// The rest of the chain is swallowed; the fault has been reported.
    swallows: DffR<Bit>,
    reported: DffR<Bit>,
    dead: Reg<Bits<PAIRS>>,
    out: Skid<Segment<PAIR_BITS>>,
}

/// The first reason that is not 0.
#[millrace_hdl::function]
pub fn first_of(earlier: Bits<8>, is_so: Bit, reason: Bits<8>) -> Bits<8> {
    if earlier.any() | !is_so { earlier } else { reason }
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize, const RECEIVE: usize>
    ChainCheck<PAIRS, PAIR_BITS, FUNCTION_BITS, RECEIVE>
{
    /// With controlqs at these pairs.
    pub fn new(control: &[usize]) -> Self {
        Self { control: pairs_of(control), ..Default::default() }
    }

    fn update(&mut self) {
        self.windows.we = self.window_write;
        self.windows.waddr = cast::<FUNCTION_BITS>(self.window_function);
        self.windows.wdata = self.window;

        comment!("what the descriptor may be");
        let window = self.windows.rdata;
        self.windows.raddr = cast::<FUNCTION_BITS>(self.step.function);
        let step = self.step;
        let length = step.descriptor.length;
        let end = cast::<65>(step.descriptor.address) + cast::<65>(length - 1);
        let outside = (step.descriptor.address.get_bits::<52>(12) < window.first)
            | (end.get_bits::<52>(12) > window.last)
            | end.get_bit(64);
        let before = if step.first { 0 } else { self.total };
        let total = before + cast::<18>(length.get_bits::<17>(0));
        let long = length.get_bits::<15>(17).any();
        let header: Bits<18> = if step.function.any() { SHORT_HEADER } else { LONG_HEADER };
        let one: Bits<PAIRS> = 1;
        let here = one << step.pair;
        let writes = step.descriptor.write;
        let count = if step.first { 0 } else { self.count };
        let mut wrong = step.error;
        if RECEIVE == 0 {
            let is_control = (self.control & here).any();
            let turns_back = !writes & ((self.writes & !step.first) | step.last);
            let wrong_way = if is_control { turns_back } else { writes };
            wrong = first_of(wrong, wrong_way, reason::DIRECTION);
            wrong = first_of(wrong, !length.any(), reason::EMPTY);
            wrong = first_of(wrong, !is_control & (long | (total > TRANSMIT_BYTES)), reason::TOO_LONG);
            wrong = first_of(wrong, !is_control & step.last & (total <= header), reason::HEADER);
            wrong = first_of(wrong, is_control & (count == control::CHAIN), reason::CHAIN);
        } else {
            wrong = first_of(wrong, !writes, reason::DIRECTION);
            wrong = first_of(wrong, !length.any(), reason::EMPTY);
        }
        wrong = first_of(wrong, outside, reason::WINDOW);
        let is_dead = ((self.stopped | self.dead) & here).any();

        comment!("it goes on, ends its chain, or is swallowed");
        let silent = self.swallows & !step.first & !step.reset;
        let plain = !step.reset & !silent;
        let faults = plain & !is_dead & wrong.any();
        let aborts = plain & (is_dead | wrong.any());
        let reports = self.step_valid & faults & !self.reported;
        self.fault.valid = reports;
        self.fault.data = Fault { vq: step.pair, reason: wrong };
        let emits = self.step_valid & !silent & !reports;
        self.reported = (reports & self.fault.ready) | (self.reported & !self.out.inp.ready);
        self.out.inp.valid = emits;
        self.out.inp.data = Segment {
            pair: step.pair,
            function: step.function,
            address: step.descriptor.address,
            length: if long { 0x1_ffff } else { length.get_bits::<17>(0) },
            head: step.head,
            skip: step.skip,
            first: step.first,
            last: step.last | aborts | step.reset,
            write: writes,
            abort: aborts,
            reset: step.reset,
        };
        link(self.segments, self.out.out);
        let sent = emits & self.out.inp.ready;
        let free = !self.step_valid | silent | sent;
        self.swallows = if sent { aborts & !step.last } else { self.swallows };
        let dies = if sent & aborts { here } else { 0 };
        let lives = if sent & step.reset { here } else { 0 };
        self.dead = (self.dead | dies | self.ending) & !lives;
        if sent {
            self.total = total;
            self.count = count + 1;
            self.writes = writes;
        }
        self.steps.ready = free;
        self.step_valid = self.steps.valid | !free;
        if free {
            self.step = self.steps.data;
        }
        let learns = (self.ending & !self.dead).any();
        self.idle = !(self.step_valid | self.steps.valid | self.window_write | learns) & self.out.empty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    /// What comes of a chain of these descriptors in the controlq of pair 2: the number of its segments, the reason of a fault.
    fn checked(writes: &[bool]) -> (usize, u64) {
        let mut dut = ChainCheck::<3, 2, 3, 0>::new(&[2]);
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        dut.window_write.next = true;
        dut.window_function.next = 1u64.into();
        dut.window.next = Window { first: 0u64.into(), last: 100u64.into() };
        tick(&mut dut, |d| &mut d.clock);
        dut.window_write.next = false;
        dut.segments.ready.next = true;
        dut.fault.ready.next = true;
        let (mut given, mut segments, mut reason) = (0, 0, 0);
        for _ in 0..60 {
            dut.steps.valid.next = given < writes.len();
            let write = writes.get(given).copied().unwrap_or_default();
            dut.steps.data.next = Step {
                descriptor: Descriptor {
                    address: 0x1000u64.into(),
                    length: 0x2_0000u64.into(),
                    write,
                    ..Default::default()
                },
                pair: 2u64.into(),
                function: 1u64.into(),
                first: given == 0,
                last: given + 1 == writes.len(),
                ..Default::default()
            };
            settle(&mut dut);
            given += usize::from(dut.steps.valid.val() && dut.steps.ready.val());
            if dut.segments.valid.val() && !dut.segments.data.val().abort {
                assert_eq!(dut.segments.data.val().write, writes[segments]);
                segments += 1;
            }
            if dut.fault.valid.val() {
                reason = dut.fault.data.val().reason.to_u64();
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        (segments, reason)
    }

    #[test]
    fn a_command_is_what_can_be_read_and_then_what_can_be_written() {
        let read = |count| vec![false; count];
        let chain = |readable, writable| [read(readable), vec![true; writable]].concat();
        assert_eq!(checked(&chain(1, 1)), (2, 0), "of any length");
        assert_eq!((checked(&chain(7, 1)), checked(&chain(4, 4)), checked(&chain(0, 1))), ((8, 0), (8, 0), (1, 0)));
        assert_eq!(checked(&chain(8, 1)), (8, reason::CHAIN));
        assert_eq!((checked(&chain(1, 0)), checked(&chain(3, 0))), ((0, reason::DIRECTION), (2, reason::DIRECTION)));
        assert_eq!(checked(&[chain(2, 1), chain(1, 1)].concat()), (3, reason::DIRECTION));
    }

    #[test]
    fn chains_of_a_queue_that_is_to_be_reset_are_given_up_until_it_is() {
        let mut dut = ChainCheck::<3, 2, 3, 0>::new(&[]);
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        dut.window_write.next = true;
        dut.window.next = Window { first: 0u64.into(), last: 100u64.into() };
        tick(&mut dut, |d| &mut d.clock);
        dut.window_write.next = false;
        dut.segments.ready.next = true;
        dut.fault.ready.next = true;
        dut.ending.next = 0b10u64.into();
        tick(&mut dut, |d| &mut d.clock);
        dut.ending.next = 0u64.into();
        let step = |pair: u64, reset| Step {
            descriptor: Descriptor { length: 100u64.into(), ..Default::default() },
            pair: pair.into(),
            first: true,
            last: true,
            reset,
            ..Default::default()
        };
        let mut steps = [step(1, false), step(2, false), step(1, true), step(1, false)].into_iter();
        let mut came = vec![];
        for _ in 0..20 {
            let next = steps.next();
            dut.steps.valid.next = next.is_some();
            dut.steps.data.next = next.unwrap_or_default();
            settle(&mut dut);
            assert!(!dut.fault.valid.val() && (!dut.steps.valid.val() || dut.steps.ready.val()));
            if dut.segments.valid.val() {
                let segment = dut.segments.data.val();
                came.push((segment.pair.to_u64(), segment.abort, segment.reset));
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        assert_eq!(came, [(1, true, false), (2, false, false), (1, false, true), (1, false, false)]);
    }

    #[test]
    fn chain_check_lints() {
        assert_lints(ChainCheck::<3, 2, 3, 0>::new(&[2]));
        assert_lints(ChainCheck::<3, 2, 3, 1>::new(&[]));
    }
}
