// SPDX-License-Identifier: MIT OR Apache-2.0
//! A FIFO of headers, as deep as the build demands.

use crate::base::{DffE, DffR, Fifo, LutFifo, Snk, Src};
use rust_hdl_core::prelude::*;

/// FIFO of `1 << DEPTH_LOG2` words on block RAM (`COUNT_BITS` = DEPTH_LOG2 + 1), or of 16 words on LUT RAM: where headers are clocks apart, few are under way.
/// Full rate; `out` comes from registers.
#[millrace_hdl::block]
pub struct HeaderFifo<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    deep: Vec<Fifo<T, DEPTH_LOG2, COUNT_BITS>>,
    short: Vec<LutFifo<T, 4, 5>>,
    /// The first word of `short`, if there is one.
    word: Vec<DffE<T>>,
    loaded: Vec<DffR<Bit>>,
    _deep: usize,
    _short: usize,
}

impl<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> HeaderFifo<T, DEPTH_LOG2, COUNT_BITS> {
    /// Words of the short one.
    pub const SHORT: usize = 16;

    /// As deep as a header in each clock demands: on block RAM.
    pub fn at_once() -> Self {
        Self { deep: vec_of(1), _deep: 1, ..Default::default() }
    }

    /// Short, as few headers are under way: on LUT RAM.
    pub fn in_turn() -> Self {
        Self { short: vec_of(1), word: vec_of(1), loaded: vec_of(1), _short: 1, ..Default::default() }
    }
}

fn vec_of<B: Default>(count: usize) -> Vec<B> {
    (0..count).map(|_| B::default()).collect()
}

#[millrace_hdl::block]
impl<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> HeaderFifo<T, DEPTH_LOG2, COUNT_BITS> {
    fn update(&mut self) {
        let mut free = false;
        for i in 0..self._deep {
            self.deep[i].inp.data = self.inp.data;
            self.deep[i].inp.valid = self.inp.valid;
            self.inp.ready = self.deep[i].inp.ready;
            self.out.data = self.deep[i].out.data;
            self.out.valid = self.deep[i].out.valid;
            self.deep[i].out.ready = self.out.ready;
            self.empty = self.deep[i].empty;
        }
        for i in 0..self._short {
            self.short[i].inp.data = self.inp.data;
            self.short[i].inp.valid = self.inp.valid;
            self.inp.ready = self.short[i].inp.ready;

            free = !self.loaded[i] | self.out.ready;
            self.short[i].out.ready = free;
            if free {
                self.word[i] = self.short[i].out.data;
            }
            self.loaded[i] = self.short[i].out.valid | !free;
            self.out.data = self.word[i];
            self.out.valid = self.loaded[i];
            self.empty = self.short[i].empty & !self.loaded[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;

    #[test]
    fn both_kinds_emit_clean_verilog() {
        assert_lints(HeaderFifo::<Bits<70>, 6, 7>::at_once());
        assert_lints(HeaderFifo::<Bits<70>, 6, 7>::in_turn());
    }
}
