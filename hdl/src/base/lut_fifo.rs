// SPDX-License-Identifier: MIT OR Apache-2.0
//! Short FIFO on LUT RAM.

use super::fifo::depth;
use super::{LutRam, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// First-word-fall-through FIFO of `1 << DEPTH_LOG2` words on LUT RAM, `COUNT_BITS` = DEPTH_LOG2 + 1. Full rate; one clock from input to output;
/// `inp.ready`, `out.valid` and `count` are register outputs or one gate behind them, `out.data` is the RAM's read port.
#[millrace_hdl::block]
pub struct LutFifo<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Words held.
    pub count: Signal<Out, Bits<COUNT_BITS>>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    ram: LutRam<T, DEPTH_LOG2>,
    head: Reg<Bits<DEPTH_LOG2>>,
    tail: Reg<Bits<DEPTH_LOG2>>,
    used: Reg<Bits<COUNT_BITS>>,
    #[init(depth(DEPTH_LOG2, COUNT_BITS))]
    depth: Constant<Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> LutFifo<T, DEPTH_LOG2, COUNT_BITS> {
    fn update(&mut self) {
        self.inp.ready = self.used < self.depth;
        self.out.valid = self.used.any();
        self.count = self.used;
        self.empty = !self.used.any();
        let push = self.inp.valid & (self.used < self.depth);
        let pop = self.out.ready & self.used.any();

        self.ram.we = push;
        self.ram.waddr = self.tail;
        self.ram.wdata = self.inp.data;
        self.ram.raddr = self.head;
        self.out.data = self.ram.rdata;

        if push {
            self.tail += 1;
        }
        if pop {
            self.head += 1;
        }
        if push ^ pop {
            self.used -= 1;
            if push {
                self.used += 1;
            }
        }
    }
}
