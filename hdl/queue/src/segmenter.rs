// SPDX-License-Identifier: MIT OR Apache-2.0
//! The offloads of frames out: checksums, segments.

use crate::packer::Packer;
use crate::patcher::Patcher;
use crate::slicer::Slicer;
use crate::summer::Summer;
use crate::types::{FrameBeat, SentBeat};
use millrace_hdl::base::{Fifo, Snk, Src};
use rust_hdl_core::prelude::*;

/// Clocks, in the order of the parts.
pub const CLOCKS: usize = 5;
const SLICER: usize = 0;
const PACKER: usize = 1;
const SUMMER: usize = 2;
const SUMS: usize = 3;
const PATCHER: usize = 4;

/// Does to each frame what its header asks for (`docs/host.md`, "Offloads"). All stay in order. A beat in a clock, but that a segment takes one clock for its header's
/// beats each, and up to two for its payload's ends: with 1,518 bytes 26 at most.
///
/// A frame without a checksum to make leaves some 12 clocks after it came; with one, when all of the segment is there: 512 beats wait meanwhile, three times the longest. `TAG_BITS` = PAIR_BITS + 1.
///
/// Each part has a clock of its own, in `clock_part`, which may stand still while its bit of `idle_part` is high.
#[millrace_hdl::block]
pub struct Segmenter<const PAIR_BITS: usize, const TAG_BITS: usize> {
    #[count(CLOCKS)]
    pub clock_part: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<SentBeat<PAIR_BITS>>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// A pulse for each frame that is dropped because what is asked for does not fit it, and whose it was.
    pub bad: Signal<Out, Bit>,
    pub bad_function: Signal<Out, Bits<8>>,
    pub idle_part: Signal<Out, Bits<CLOCKS>>,

    slicer: Slicer<PAIR_BITS, TAG_BITS>,
    packer: Packer<TAG_BITS>,
    summer: Summer<PAIR_BITS, TAG_BITS>,
    store: Fifo<FrameBeat<PAIR_BITS>, 9, 10>,
    patcher: Patcher<PAIR_BITS>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const TAG_BITS: usize> Segmenter<PAIR_BITS, TAG_BITS> {
    fn update(&mut self) {
        link(self.inp, self.slicer.inp);
        join(self.slicer.pieces, self.packer.pieces);
        join(self.packer.out, self.summer.inp);
        join(self.slicer.plan, self.summer.plan);
        join(self.summer.out, self.store.inp);
        join(self.store.out, self.patcher.inp);
        join(self.summer.verdict, self.patcher.verdict);
        link(self.out, self.patcher.out);
        self.bad = self.patcher.dropped;
        self.bad_function = self.patcher.dropped_function;

        comment!("clocks");
        self.slicer.clock = self.clock_part[SLICER];
        self.packer.clock = self.clock_part[PACKER];
        self.summer.clock = self.clock_part[SUMMER];
        self.summer.clock_sums = self.clock_part[SUMS];
        self.store.clock = self.clock_part[PATCHER];
        self.patcher.clock = self.clock_part[PATCHER];
        let mut idle: Bits<CLOCKS> = 0;
        idle.set_bit(SLICER, self.slicer.idle);
        idle.set_bit(PACKER, self.packer.idle);
        idle.set_bit(SUMMER, self.summer.idle);
        idle.set_bit(SUMS, self.summer.idle_sums);
        idle.set_bit(PATCHER, self.store.empty & !self.store.inp.valid & self.patcher.idle);
        self.idle_part = idle;
    }
}

#[cfg(test)]
#[path = "segmenter_tests.rs"]
mod tests;
