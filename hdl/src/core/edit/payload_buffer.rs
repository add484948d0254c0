// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds the frames while their headers are matched and edited.

use crate::base::{DffE, DffR, Param, Ram, Reg};
use crate::core::types::MergedBeat;
use rust_hdl_core::prelude::*;

/// Ring of `1 << PAYLOAD_LOG2` beats in two banks, even and odd; `PAYLOAD_COUNT_BITS` = PAYLOAD_LOG2 + 1, `PAYLOAD_PAIRS_LOG2` = PAYLOAD_LOG2 - 1. It takes a beat in every clock (room is the sender's care, with
/// the help of `room`) and gives a beat's worth of bytes in every clock, from any byte on.
///
/// `data` is what lies behind the first `skip` bytes of the beat at `addr`, three clocks after `read`: the rest of that beat, and the
/// first `skip` bytes of the next one. Everything before `base` is free.
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
    /// Fewer than a beat has.
    pub skip: Signal<In, Bits<COUNT_BITS>>,
    pub data: Signal<Out, Bits<BUS_BITS>>,
    /// `room` is up to date.
    pub idle: Signal<Out, Bit>,

    even: Ram<Bits<BUS_BITS>, PAYLOAD_PAIRS_LOG2>,
    odd: Ram<Bits<BUS_BITS>, PAYLOAD_PAIRS_LOG2>,
    tail: Reg<Bits<PAYLOAD_COUNT_BITS>>,
    room_q: DffR<Bit>,
    /// Beside the RAMs' outputs: there is a read, how many bytes it skips, and whether the lower beat is the odd one.
    fetched: DffR<Bit>,
    skip_fetched: DffE<Bits<COUNT_BITS>>,
    swap_fetched: DffE<Bit>,
    /// The same beside their registers.
    held: DffR<Bit>,
    skip_held: DffE<Bits<COUNT_BITS>>,
    swap_held: DffE<Bit>,
    even_q: DffE<Bits<BUS_BITS>>,
    odd_q: DffE<Bits<BUS_BITS>>,
    /// The bytes wanted, turned by most of `skip`, and what is left of it.
    turned: DffE<Bits<BUS_BITS>>,
    skip_turned: DffE<Bits<COUNT_BITS>>,
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
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && COUNT_BITS >= 4
                && PAYLOAD_COUNT_BITS == PAYLOAD_LOG2 + 1
                && PAYLOAD_PAIRS_LOG2 + 1 == PAYLOAD_LOG2,
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
        let kept = self.tail - self.base;
        let mut roomy = kept < self.limit;
        for i in self._top..(self._top + 1) {
            if kept.get_bit(i) {
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
            self.skip_fetched = self.skip;
            self.swap_fetched = self.addr.get_bit(0);
        }
        self.held = self.fetched;
        if self.fetched {
            self.skip_held = self.skip_fetched;
            self.swap_held = self.swap_fetched;
            self.even_q = self.even.rdata;
            self.odd_q = self.odd.rdata;
        }

        comment!(
            "each byte from one of the two beats, then all turned to their places: by the two highest bits of `skip`, and a clock later by the others"
        );
        let mut from_even = !Bits::<BUS_BITS>::default() << (cast::<11>(self.skip_held) << 3);
        if self.swap_held {
            from_even = !from_even;
        }
        let mut coarse = (self.even_q & from_even) | (self.odd_q & !from_even);
        for bit in COUNT_BITS - 3..COUNT_BITS - 1 {
            if self.skip_held.get_bit(bit) {
                coarse = (coarse >> (8 << bit)) | (coarse << (BUS_BITS - (8 << bit)));
            }
        }
        if self.held {
            self.turned = coarse;
            self.skip_turned = self.skip_held;
        }
        let mut fine = self.turned;
        for bit in 0..COUNT_BITS - 3 {
            if self.skip_turned.get_bit(bit) {
                fine = (fine >> (8 << bit)) | (fine << (BUS_BITS - (8 << bit)));
            }
        }
        self.data = fine;
    }
}
