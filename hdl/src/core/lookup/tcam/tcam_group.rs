// SPDX-License-Identifier: MIT OR Apache-2.0
//! A part of the TCAM's key.

use super::tcam_chunk::TcamChunk;
use crate::base::Dff;
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// Rewrites one of the 16 words of every chunk.
    pub struct TcamSweep<const ENTRIES: usize> {
        pub address: Bits<4>,
        /// The entry that is rewritten, one-hot.
        pub entry: Bits<ENTRIES>,
    }
}

/// Which of `ENTRIES` entries match in `GROUP_BITS` bits of the key: chunks of four. `matched` comes one clock after `key`; `sweep` is written
/// in each clock with `sweeping`.
#[millrace_hdl::block]
pub struct TcamGroup<const ENTRIES: usize, const GROUP_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub key: Signal<In, Bits<GROUP_BITS>>,
    pub matched: Signal<Out, Bits<ENTRIES>>,
    pub sweep: Signal<In, TcamSweep<ENTRIES>>,
    pub sweeping: Signal<In, Bit>,
    pub value: Signal<In, Bits<GROUP_BITS>>,
    pub mask: Signal<In, Bits<GROUP_BITS>>,
    chunk: Vec<TcamChunk<ENTRIES>>,
    matched_reg: Dff<Bits<ENTRIES>>,
}

#[millrace_hdl::block]
impl<const ENTRIES: usize, const GROUP_BITS: usize> TcamGroup<ENTRIES, GROUP_BITS> {
    /// A group in which nothing matches. (`Default` has no chunks.)
    pub fn new() -> Self {
        Self { chunk: (0..GROUP_BITS / 4).map(|_| TcamChunk::new()).collect(), ..Default::default() }
    }

    fn update(&mut self) {
        for i in 0..GROUP_BITS / 4 {
            self.chunk[i].key = self.key.get_bits::<4>(i * 4);
            self.chunk[i].we = self.sweeping;
            self.chunk[i].address = self.sweep.address;
            self.chunk[i].entry = self.sweep.entry;
            self.chunk[i].value = self.value.get_bits::<4>(i * 4);
            self.chunk[i].mask = self.mask.get_bits::<4>(i * 4);
        }
        let mut all = self.chunk[0].matched;
        for i in 1..GROUP_BITS / 4 {
            all &= self.chunk[i].matched;
        }
        self.matched_reg = all;
        self.matched = self.matched_reg;
    }
}
