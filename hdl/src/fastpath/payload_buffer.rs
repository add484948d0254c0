// SPDX-License-Identifier: MIT OR Apache-2.0
//! Holds the frames while their headers are matched and edited.

use super::types::MergedBeat;
use crate::base::{DffE, DffR, Param, Ram, Reg, Tag};
use rust_hdl_core::prelude::*;

/// Ring of `1 << A` beats in two banks, even and odd; `P` = A + 1, `H` = A - 1. It takes a beat in every clock (room is the sender's care, with
/// the help of `room`) and reads two neighbouring beats in every clock, whatever the address.
///
/// `low` and `high` are the beats at `addr` and `addr + 1`, two clocks after `read`. Everything before `base` is free.
#[derive(LogicBlock, Default)]
pub struct PayloadBuffer<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> {
    tag: Tag<Self>,
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
    held: Signal<Local, Bits<P>>,
    roomy: Signal<Local, Bit>,
    next_addr: Signal<Local, Bits<A>>,
    _top: usize,
}

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
}

impl<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> Logic
    for PayloadBuffer<W, C, A, P, H>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, even, odd, tail, room_q, fetched, swap_fetched, swap, even_q, odd_q);
        self.tail.reset.next = self.reset.val();
        self.room_q.reset.next = self.reset.val();
        self.fetched.reset.next = self.reset.val();

        self.tail.en.next = self.valid.val();
        self.tail.d.next = self.tail.q.val() + 1;
        self.even.we.next = self.valid.val() & !self.tail.q.val().get_bit(0);
        self.odd.we.next = self.valid.val() & self.tail.q.val().get_bit(0);
        self.even.waddr.next = self.tail.q.val().get_bits::<H>(1);
        self.odd.waddr.next = self.tail.q.val().get_bits::<H>(1);
        self.even.wdata.next = self.inp.val().data;
        self.odd.wdata.next = self.inp.val().data;

        // A frame may be given up while its last beats still arrive: then `base` is ahead of `tail`, and there is room.
        self.held.next = self.tail.q.val() - self.base.val();
        self.roomy.next = self.held.val() < self.limit.val();
        for i in self._top..(self._top + 1) {
            if self.held.val().get_bit(i) {
                self.roomy.next = true;
            }
        }
        self.room_q.d.next = self.roomy.val();
        self.room.next = self.room_q.q.val();
        self.idle.next = self.room_q.q.val() == self.roomy.val();

        self.next_addr.next = self.addr.val() + 1;
        self.even.re.next = self.read.val();
        self.odd.re.next = self.read.val();
        self.even.raddr.next = self.next_addr.val().get_bits::<H>(1);
        self.odd.raddr.next = self.addr.val().get_bits::<H>(1);
        self.fetched.d.next = self.read.val();
        self.swap_fetched.en.next = self.read.val();
        self.swap_fetched.d.next = self.addr.val().get_bit(0);
        self.swap.en.next = self.fetched.q.val();
        self.swap.d.next = self.swap_fetched.q.val();
        self.even_q.en.next = self.fetched.q.val();
        self.even_q.d.next = self.even.rdata.val();
        self.odd_q.en.next = self.fetched.q.val();
        self.odd_q.d.next = self.odd.rdata.val();
        self.low.next = self.even_q.q.val();
        self.high.next = self.odd_q.q.val();
        if self.swap.q.val() {
            self.low.next = self.odd_q.q.val();
            self.high.next = self.even_q.q.val();
        }
    }
}
