// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sixty bits of the TCAM's key.

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

/// Which of `ENTRIES` entries match in sixty bits of the key: fifteen chunks. `matched` comes one clock after `key`; `sweep` is written
/// in each clock with `sweeping`.
#[millrace_hdl::block]
pub struct TcamGroup<const ENTRIES: usize> {
    pub clock: Signal<In, Clock>,
    pub key: Signal<In, Bits<60>>,
    pub matched: Signal<Out, Bits<ENTRIES>>,
    pub sweep: Signal<In, TcamSweep<ENTRIES>>,
    pub sweeping: Signal<In, Bit>,
    pub value: Signal<In, Bits<60>>,
    pub mask: Signal<In, Bits<60>>,
    chunk: Vec<TcamChunk<ENTRIES>>,
    matched_reg: Dff<Bits<ENTRIES>>,
}

#[millrace_hdl::block]
impl<const ENTRIES: usize> TcamGroup<ENTRIES> {
    /// A group in which nothing matches. (`Default` has no chunks.)
    pub fn new() -> Self {
        Self { chunk: (0..15).map(|_| TcamChunk::new()).collect(), ..Default::default() }
    }

    fn update(&mut self) {
        for i in 0..15 {
            self.chunk[i].key = self.key.get_bits::<4>(i * 4);
            self.chunk[i].we = self.sweeping;
            self.chunk[i].address = self.sweep.address;
            self.chunk[i].entry = self.sweep.entry;
            self.chunk[i].value = self.value.get_bits::<4>(i * 4);
            self.chunk[i].mask = self.mask.get_bits::<4>(i * 4);
        }
        let mut all = self.chunk[0].matched;
        for i in 1..15 {
            all &= self.chunk[i].matched;
        }
        self.matched_reg = all;
        self.matched = self.matched_reg;
    }
}
