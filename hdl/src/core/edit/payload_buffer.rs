// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds the frames while their headers are matched and edited.

use crate::base::{DffE, DffR, Param, Ram, Reg};
use crate::core::types::MergedBeat;
use rust_hdl_core::prelude::*;

/// Ring of `1 << PAYLOAD_LOG2` beats in two banks, even and odd; `PAYLOAD_COUNT_BITS` = PAYLOAD_LOG2 + 1, `PAYLOAD_PAIRS_LOG2` = PAYLOAD_LOG2 - 1. It takes a beat in every clock (room is the sender's care, with
/// the help of `room`) and reads two neighbouring beats in every clock, whatever the address.
///
/// `low` and `high` are the beats at `addr` and `addr + 1`, two clocks after `read`. Everything before `base` is free.
#[millrace_hdl::block]
pub struct PayloadBuffer<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const PAYLOAD_PAIRS_LOG2: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub valid: Signal<In, Bit>,
    /// There is room for a longest frame beside all beats that came up to three clocks ago and eight more.
    pub room: Signal<Out, Bit>,
    pub base: Signal<In, Bits<PAYLOAD_COUNT_BITS>>,
    pub read: Signal<In, Bit>,
    pub addr: Signal<In, Bits<PAYLOAD_LOG2>>,
    pub low: Signal<Out, Bits<BUS_BITS>>,
    pub high: Signal<Out, Bits<BUS_BITS>>,
    /// `room` is up to date.
    pub idle: Signal<Out, Bit>,

    even: Ram<Bits<BUS_BITS>, PAYLOAD_PAIRS_LOG2>,
    odd: Ram<Bits<BUS_BITS>, PAYLOAD_PAIRS_LOG2>,
    tail: Reg<Bits<PAYLOAD_COUNT_BITS>>,
    room_q: DffR<Bit>,
    fetched: DffR<Bit>,
    /// The lower beat is the odd one: beside the RAMs' outputs.
    swap_fetched: DffE<Bit>,
    /// The same beside their registers.
    swap: DffE<Bit>,
    even_q: DffE<Bits<BUS_BITS>>,
    odd_q: DffE<Bits<BUS_BITS>>,
    limit: Param<Bits<PAYLOAD_COUNT_BITS>>,
    _top: usize,
}

#[millrace_hdl::block]
impl<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const PAYLOAD_PAIRS_LOG2: usize,
> PayloadBuffer<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, PAYLOAD_PAIRS_LOG2>
{
    /// An empty buffer, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other, or three longest frames do not fit in.
    pub fn new(max_frame: usize) -> Self {
        let longest = max_frame.div_ceil(BUS_BITS / 8);
        assert!(
            PAYLOAD_COUNT_BITS == PAYLOAD_LOG2 + 1 && PAYLOAD_PAIRS_LOG2 + 1 == PAYLOAD_LOG2,
            "PayloadBuffer<{BUS_BITS}, {COUNT_BITS}, {PAYLOAD_LOG2}, {PAYLOAD_COUNT_BITS}, {PAYLOAD_PAIRS_LOG2}>: sizes do not fit each other"
        );
        assert!(
            3 * longest < 1 << PAYLOAD_LOG2,
            "PayloadBuffer<{BUS_BITS}, {COUNT_BITS}, {PAYLOAD_LOG2}, {PAYLOAD_COUNT_BITS}, {PAYLOAD_PAIRS_LOG2}>: less than three longest frames"
        );
        Self {
            even: Ram::new(),
            odd: Ram::new(),
            limit: Param::new(((1usize << PAYLOAD_LOG2) - longest - 8).to_bits()),
            _top: PAYLOAD_LOG2,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        if self.valid {
            self.tail += 1;
        }
        self.even.we = self.valid & !self.tail.get_bit(0);
        self.odd.we = self.valid & self.tail.get_bit(0);
        self.even.waddr = self.tail.get_bits::<PAYLOAD_PAIRS_LOG2>(1);
        self.odd.waddr = self.tail.get_bits::<PAYLOAD_PAIRS_LOG2>(1);
        self.even.wdata = self.inp.data;
        self.odd.wdata = self.inp.data;

        // A frame may be given up while its last beats still arrive: then `base` is ahead of `tail`, and there is room.
        let held = self.tail - self.base;
        let mut roomy = held < self.limit;
        for i in self._top..(self._top + 1) {
            if held.get_bit(i) {
                roomy = true;
            }
        }
        self.room_q = roomy;
        self.room = self.room_q;
        self.idle = self.room_q == roomy;

        let next_addr = self.addr + 1;
        self.even.re = self.read;
        self.odd.re = self.read;
        self.even.raddr = next_addr.get_bits::<PAYLOAD_PAIRS_LOG2>(1);
        self.odd.raddr = self.addr.get_bits::<PAYLOAD_PAIRS_LOG2>(1);
        self.fetched = self.read;
        if self.read {
            self.swap_fetched = self.addr.get_bit(0);
        }
        if self.fetched {
            self.swap = self.swap_fetched;
            self.even_q = self.even.rdata;
            self.odd_q = self.odd.rdata;
        }
        self.low = self.even_q;
        self.high = self.odd_q;
        if self.swap {
            self.low = self.odd_q;
            self.high = self.even_q;
        }
    }
}
