// SPDX-License-Identifier: MIT OR Apache-2.0
//! A FIFO of headers, as deep as the build demands.

use crate::base::{DffE, DffR, Fifo, LutFifo, Snk, Src, Tag};
use rust_hdl_core::prelude::*;

/// FIFO of `1 << A` words on block RAM (`C` = A + 1), or of 16 words on LUT RAM: where headers are clocks apart, few are under way.
/// Full rate; `out` comes from registers.
#[derive(LogicBlock, Default)]
pub struct HeaderFifo<T: Synth, const A: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    deep: Vec<Fifo<T, A, C>>,
    short: Vec<LutFifo<T, 4, 5>>,
    /// The first word of `short`, if there is one.
    word: Vec<DffE<T>>,
    loaded: Vec<DffR<Bit>>,
    fetch: Signal<Local, Bit>,
    _deep: usize,
    _short: usize,
}

impl<T: Synth, const A: usize, const C: usize> HeaderFifo<T, A, C> {
    /// Words of the short one.
    pub const SHORT: usize = 16;

    /// On block RAM.
    pub fn deep() -> Self {
        Self { deep: vec_of(1), _deep: 1, ..Default::default() }
    }

    /// On LUT RAM.
    pub fn short() -> Self {
        Self { short: vec_of(1), word: vec_of(1), loaded: vec_of(1), _short: 1, ..Default::default() }
    }
}

fn vec_of<B: Default>(count: usize) -> Vec<B> {
    (0..count).map(|_| B::default()).collect()
}

impl<T: Synth, const A: usize, const C: usize> Logic for HeaderFifo<T, A, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.fetch.next = false;
        for i in 0..self._deep {
            self.deep[i].clock.next = self.clock.val();
            self.deep[i].reset.next = self.reset.val();
            self.deep[i].inp.data.next = self.inp.data.val();
            self.deep[i].inp.valid.next = self.inp.valid.val();
            self.inp.ready.next = self.deep[i].inp.ready.val();
            self.out.data.next = self.deep[i].out.data.val();
            self.out.valid.next = self.deep[i].out.valid.val();
            self.deep[i].out.ready.next = self.out.ready.val();
            self.empty.next = self.deep[i].empty.val();
        }
        for i in 0..self._short {
            self.short[i].clock.next = self.clock.val();
            self.short[i].reset.next = self.reset.val();
            self.short[i].inp.data.next = self.inp.data.val();
            self.short[i].inp.valid.next = self.inp.valid.val();
            self.inp.ready.next = self.short[i].inp.ready.val();
            self.word[i].clock.next = self.clock.val();
            self.loaded[i].clock.next = self.clock.val();
            self.loaded[i].reset.next = self.reset.val();
            self.fetch.next = self.short[i].out.valid.val() & (!self.loaded[i].q.val() | self.out.ready.val());
            self.short[i].out.ready.next = self.fetch.val();
            self.word[i].en.next = self.fetch.val();
            self.word[i].d.next = self.short[i].out.data.val();
            self.loaded[i].d.next = self.fetch.val() | (self.loaded[i].q.val() & !self.out.ready.val());
            self.out.data.next = self.word[i].q.val();
            self.out.valid.next = self.loaded[i].q.val();
            self.empty.next = self.short[i].empty.val() & !self.loaded[i].q.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;

    #[test]
    fn both_kinds_emit_clean_verilog() {
        assert_lints(HeaderFifo::<Bits<70>, 6, 7>::deep());
        assert_lints(HeaderFifo::<Bits<70>, 6, 7>::short());
    }
}
