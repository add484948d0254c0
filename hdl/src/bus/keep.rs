// SPDX-License-Identifier: MIT OR Apache-2.0
//! Byte counts and AXI4-Stream's `tkeep`.

use rust_hdl_core::prelude::*;

/// How many of the `BUS_BYTES` bytes of a beat count: the place of the highest bit set in `keep`. `COUNT_BITS` = log2(BUS_BYTES) + 1. No clock.
#[millrace_hdl::block]
pub struct KeepToBytes<const BUS_BYTES: usize, const COUNT_BITS: usize> {
    pub keep: Signal<In, Bits<BUS_BYTES>>,
    pub bytes: Signal<Out, Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<const BUS_BYTES: usize, const COUNT_BITS: usize> KeepToBytes<BUS_BYTES, COUNT_BITS> {
    fn update(&mut self) {
        comment!(
            "everything below a bit that is set, in steps that double: a chain of BUS_BYTES bits would be too long for a clock"
        );
        let mut filled = self.keep;
        for i in 0..COUNT_BITS - 1 {
            filled |= filled >> (1 << i);
        }
        let highest = filled & !(filled >> 1);
        self.bytes = 0;
        for i in 0..BUS_BYTES {
            if highest.get_bit(i) {
                self.bytes |= i + 1;
            }
        }
    }
}

/// One bit for each of the first `bytes` of `BUS_BYTES` bytes. `COUNT_BITS` = log2(BUS_BYTES) + 1. No clock.
#[millrace_hdl::block]
pub struct BytesToKeep<const BUS_BYTES: usize, const COUNT_BITS: usize> {
    pub bytes: Signal<In, Bits<COUNT_BITS>>,
    pub keep: Signal<Out, Bits<BUS_BYTES>>,
}

#[millrace_hdl::block]
impl<const BUS_BYTES: usize, const COUNT_BITS: usize> BytesToKeep<BUS_BYTES, COUNT_BITS> {
    fn update(&mut self) {
        self.keep = 0;
        for i in 0..BUS_BYTES {
            self.keep.set_bit(i, self.bytes > i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};

    #[test]
    fn keep_and_byte_count_are_each_other_s_inverse() {
        let (mut to_bytes, mut to_keep) = (KeepToBytes::<8, 4>::default(), BytesToKeep::<8, 4>::default());
        to_bytes.connect_all();
        to_keep.connect_all();
        for n in 0..=8u64 {
            to_keep.bytes.next = n.into();
            settle(&mut to_keep);
            assert_eq!(to_keep.keep.val().to_u64(), (1 << n) - 1);
            to_bytes.keep.next = to_keep.keep.val();
            settle(&mut to_bytes);
            assert_eq!(to_bytes.bytes.val().to_u64(), n);
        }
        // The highest bit counts, whatever is below it.
        for keep in 1..256u64 {
            to_bytes.keep.next = keep.into();
            settle(&mut to_bytes);
            assert_eq!(to_bytes.bytes.val().to_u64(), u64::from(keep.ilog2()) + 1);
        }
        assert_lints(KeepToBytes::<64, 7>::default());
        assert_lints(BytesToKeep::<64, 7>::default());
    }
}
