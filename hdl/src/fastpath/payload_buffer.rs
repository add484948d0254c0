// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds the frames while their headers are matched and edited.

use super::types::MergedBeat;
use crate::base::{DffE, DffR, Param, Ram, Reg};
use rust_hdl_core::prelude::*;

/// Ring of `1 << A` beats in two banks, even and odd; `P` = A + 1, `H` = A - 1. It takes a beat in every clock (room is the sender's care, with
/// the help of `room`) and reads two neighbouring beats in every clock, whatever the address.
///
/// `low` and `high` are the beats at `addr` and `addr + 1`, two clocks after `read`. Everything before `base` is free.
#[millrace_hdl::block]
pub struct PayloadBuffer<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, MergedBeat<W, C>>,
    pub valid: Signal<In, Bit>,
    /// There is room for a longest frame beside all beats that came up to three clocks ago and eight more.
    pub room: Signal<Out, Bit>,
    pub base: Signal<In, Bits<P>>,
    pub read: Signal<In, Bit>,
    pub addr: Signal<In, Bits<A>>,
    pub low: Signal<Out, Bits<W>>,
    pub high: Signal<Out, Bits<W>>,
    /// `room` is up to date.
    pub idle: Signal<Out, Bit>,

    even: Ram<Bits<W>, H>,
    odd: Ram<Bits<W>, H>,
    tail: Reg<Bits<P>>,
    room_q: DffR<Bit>,
    fetched: DffR<Bit>,
    /// The lower beat is the odd one: beside the RAMs' outputs, beside their registers.
    swap_fetched: DffE<Bit>,
    swap: DffE<Bit>,
    even_q: DffE<Bits<W>>,
    odd_q: DffE<Bits<W>>,
    limit: Param<Bits<P>>,
    _top: usize,
}

#[millrace_hdl::block]
impl<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> PayloadBuffer<W, C, A, P, H> {
    /// An empty buffer, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other, or three longest frames do not fit in.
    pub fn new(max_frame: usize) -> Self {
        let longest = max_frame.div_ceil(W / 8);
        assert!(P == A + 1 && H + 1 == A, "PayloadBuffer<{W}, {C}, {A}, {P}, {H}>: sizes do not fit each other");
        assert!(3 * longest < 1 << A, "PayloadBuffer<{W}, {C}, {A}, {P}, {H}>: less than three longest frames");
        Self {
            even: Ram::new(),
            odd: Ram::new(),
            limit: Param::new(((1usize << A) - longest - 8).to_bits()),
            _top: A,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        if self.valid {
            self.tail += 1;
        }
        self.even.we = self.valid & !self.tail.get_bit(0);
        self.odd.we = self.valid & self.tail.get_bit(0);
        self.even.waddr = self.tail.get_bits::<H>(1);
        self.odd.waddr = self.tail.get_bits::<H>(1);
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
        self.even.raddr = next_addr.get_bits::<H>(1);
        self.odd.raddr = self.addr.get_bits::<H>(1);
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
