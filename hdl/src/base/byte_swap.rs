// SPDX-License-Identifier: MIT OR Apache-2.0
//! From wire order to a number and back.

use rust_hdl_core::prelude::*;

/// Reverses the order of the bytes of a `BITS`-bit word (wires only): byte 0 of a frame is in `data[7:0]`, the most significant
/// byte of a number on the wire comes first.
#[millrace_hdl::block(Self::check())]
pub struct ByteSwap<const BITS: usize> {
    pub inp: Signal<In, Bits<BITS>>,
    pub out: Signal<Out, Bits<BITS>>,
}

#[millrace_hdl::block]
impl<const BITS: usize> ByteSwap<BITS> {
    fn check() {
        assert!(BITS.is_multiple_of(8), "{BITS} bits are not whole bytes");
    }

    fn update(&mut self) {
        let mut swapped = Bits::<BITS>::default();
        for i in 0..BITS / 8 {
            swapped = (swapped << 8) | cast::<BITS>(self.inp.get_bits::<8>(8 * i));
        }
        self.out = swapped;
    }
}

/// A number of 16 bits that is in wire order in a frame's bytes.
#[millrace_hdl::function]
pub fn be16(bytes: Bits<16>) -> Bits<16> {
    concat::<16>(bytes.get_bits::<8>(0), bytes.get_bits::<8>(8))
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
    fn numbers_have_their_high_byte_first() {
        assert_eq!(be16(0x3412u64.to_bits()), 0x1234u64.to_bits::<16>());
    }

    #[test]
    fn lints() {
        assert_lints(ByteSwap::<128>::default());
    }
}
