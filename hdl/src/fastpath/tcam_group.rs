// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sixty bits of the TCAM's key.

use super::tcam_chunk::TcamChunk;
use crate::base::{Dff, Tag};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// Rewrites one of the 16 words of every chunk.
    pub struct TcamSweep<const T: usize> {
        pub address: Bits<4>,
        /// The entry that is rewritten, one-hot.
        pub entry: Bits<T>,
    }
}

/// Which of `T` entries match in sixty bits of the key: fifteen chunks. `matched` comes one clock after `key`; `sweep` is written
/// in each clock with `sweeping`.
#[derive(LogicBlock, Default)]
pub struct TcamGroup<const T: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub key: Signal<In, Bits<60>>,
    pub matched: Signal<Out, Bits<T>>,
    pub sweep: Signal<In, TcamSweep<T>>,
    pub sweeping: Signal<In, Bit>,
    pub value: Signal<In, Bits<60>>,
    pub mask: Signal<In, Bits<60>>,
    chunk: Vec<TcamChunk<T>>,
    all: Signal<Local, Bits<T>>,
    matched_reg: Dff<Bits<T>>,
}

impl<const T: usize> TcamGroup<T> {
    /// A group in which nothing matches. (`Default` has no chunks.)
    pub fn new() -> Self {
        Self { chunk: (0..15).map(|_| TcamChunk::new()).collect(), ..Default::default() }
    }
}

impl<const T: usize> Logic for TcamGroup<T> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, matched_reg);
        for i in 0..15 {
            self.chunk[i].clock.next = self.clock.val();
            self.chunk[i].key.next = self.key.val().get_bits::<4>(i * 4);
            self.chunk[i].we.next = self.sweeping.val();
            self.chunk[i].address.next = self.sweep.val().address;
            self.chunk[i].entry.next = self.sweep.val().entry;
            self.chunk[i].value.next = self.value.val().get_bits::<4>(i * 4);
            self.chunk[i].mask.next = self.mask.val().get_bits::<4>(i * 4);
        }
        self.all.next = self.chunk[0].matched.val();
        for i in 1..15 {
            self.all.next = self.all.val() & self.chunk[i].matched.val();
        }
        self.matched_reg.d.next = self.all.val();
        self.matched.next = self.matched_reg.q.val();
    }
}
