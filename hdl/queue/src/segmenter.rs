// SPDX-License-Identifier: MIT OR Apache-2.0
//! The offloads of frames out: checksums, segments.

use crate::packer::Packer;
use crate::patcher::Patcher;
use crate::slicer::Slicer;
use crate::summer::Summer;
use crate::types::{FrameBeat, SentBeat};
use millrace_hdl::base::{Fifo, Snk, Src};
use rust_hdl_core::prelude::*;

/// Does to each frame what its header asks for (`docs/host.md`, "Offloads"). All stay in order. A beat in a clock, but that a segment takes one clock for its header's
/// beats each, and up to two for its payload's ends: with 1,518 bytes 26 at most.
///
/// A frame without a checksum to make leaves some 12 clocks after it came; with one, when all of the segment is there: 512 beats wait meanwhile, three times the longest. `TAG_BITS` = PAIR_BITS + 1.
#[millrace_hdl::block]
pub struct Segmenter<const PAIR_BITS: usize, const TAG_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<SentBeat<PAIR_BITS>>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// A pulse for each frame that is dropped because what is asked for does not fit it, and whose it was.
    pub bad: Signal<Out, Bit>,
    pub bad_function: Signal<Out, Bits<8>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

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
        let front = self.slicer.idle & self.packer.idle & self.summer.idle;
        self.idle = front & self.store.empty & self.patcher.idle;
    }
}

#[cfg(test)]
#[path = "segmenter_tests.rs"]
mod tests;
