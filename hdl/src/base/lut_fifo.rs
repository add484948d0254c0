// SPDX-License-Identifier: MIT OR Apache-2.0
//! Short FIFO on LUT RAM.

use super::fifo::depth;
use super::{LutRam, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// First-word-fall-through FIFO of `1 << A` words on LUT RAM, `C` = A + 1. Full rate; one clock from input to output;
/// `inp.ready`, `out.valid` and `count` are register outputs or one gate behind them, `out.data` is the RAM's read port.
#[millrace_hdl::block]
pub struct LutFifo<T: Synth, const A: usize, const C: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Words held.
    pub count: Signal<Out, Bits<C>>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    ram: LutRam<T, A>,
    head: Reg<Bits<A>>,
    tail: Reg<Bits<A>>,
    used: Reg<Bits<C>>,
    push: Signal<Local, Bit>,
    pop: Signal<Local, Bit>,
    #[init(depth(A, C))]
    depth: Constant<Bits<C>>,
}

impl<T: Synth, const A: usize, const C: usize> Logic for LutFifo<T, A, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, ram, head, tail, used);
        self.head.reset.next = self.reset.val();
        self.tail.reset.next = self.reset.val();
        self.used.reset.next = self.reset.val();

        self.inp.ready.next = self.used.q.val() < self.depth.val();
        self.out.valid.next = self.used.q.val().any();
        self.count.next = self.used.q.val();
        self.empty.next = !self.used.q.val().any();
        self.push.next = self.inp.valid.val() & (self.used.q.val() < self.depth.val());
        self.pop.next = self.out.ready.val() & self.used.q.val().any();

        self.ram.we.next = self.push.val();
        self.ram.waddr.next = self.tail.q.val();
        self.ram.wdata.next = self.inp.data.val();
        self.ram.raddr.next = self.head.q.val();
        self.out.data.next = self.ram.rdata.val();

        self.tail.en.next = self.push.val();
        self.tail.d.next = self.tail.q.val() + 1;
        self.head.en.next = self.pop.val();
        self.head.d.next = self.head.q.val() + 1;
        self.used.en.next = self.push.val() ^ self.pop.val();
        self.used.d.next = self.used.q.val() - 1;
        if self.push.val() {
            self.used.d.next = self.used.q.val() + 1;
        }
    }
}
