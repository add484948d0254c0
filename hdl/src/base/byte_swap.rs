// SPDX-License-Identifier: MIT OR Apache-2.0
//! From wire order to a number and back.

use super::Tag;
use rust_hdl_core::prelude::*;

/// Reverses the order of the bytes of a `W`-bit word (wires only): byte 0 of a frame is in `data[7:0]`, the most significant
/// byte of a number on the wire comes first.
#[derive(LogicBlock)]
pub struct ByteSwap<const W: usize> {
    tag: Tag<Self>,
    pub inp: Signal<In, Bits<W>>,
    pub out: Signal<Out, Bits<W>>,
    byte: Signal<Local, Bits<8>>,
    acc: Signal<Local, Bits<W>>,
    _bytes: usize,
}

impl<const W: usize> Default for ByteSwap<W> {
    fn default() -> Self {
        assert!(W.is_multiple_of(8), "{W} bits are not whole bytes");
        Self {
            tag: Default::default(),
            inp: Default::default(),
            out: Default::default(),
            byte: Default::default(),
            acc: Default::default(),
            _bytes: W / 8,
        }
    }
}

impl<const W: usize> Logic for ByteSwap<W> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.acc.next = 0.into();
        self.byte.next = 0.into();
        for i in 0..self._bytes {
            self.byte.next = self.inp.val().get_bits::<8>(i * 8);
            self.acc.next = (self.acc.val() << 8) | bit_cast::<W, 8>(self.byte.val());
        }
        self.out.next = self.acc.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};

    #[test]
    fn bytes_are_reversed() {
        let mut uut = ByteSwap::<48>::default();
        uut.connect_all();
        uut.inp.next = 0x0102_0304_0506u64.to_bits();
        settle(&mut uut);
        assert_eq!(uut.out.val(), 0x0605_0403_0201u64.to_bits::<48>());
    }

    #[test]
    fn lints() {
        assert_lints(ByteSwap::<128>::default());
    }
}
