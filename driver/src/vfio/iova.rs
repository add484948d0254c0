// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a function sees memory.

use std::ops::Range;

/// The lowest address, a multiple of `align` and not below `from`, from which `bytes` bytes lie in one of the ranges.
pub fn find(ranges: &[Range<u64>], from: u64, bytes: u64, align: u64) -> Option<u64> {
    let fits = |range: &Range<u64>| {
        let start = from.max(range.start).checked_next_multiple_of(align)?;
        (start.checked_add(bytes)? <= range.end).then_some(start)
    };
    ranges.iter().filter_map(fits).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_a_range_whole_and_aligned() {
        // As of an Intel IOMMU: interrupts have a hole.
        let ranges = [0x1000..0xfee0_0000, 0xfef0_0000..1 << 39];
        assert_eq!(find(&ranges, 0, 0x1000, 0x1000), Some(0x1000));
        assert_eq!(find(&ranges, 0, 0x1000, 0x20_0000), Some(0x20_0000));
        assert_eq!(find(&ranges, 0xfed0_0000, 0x10_0000, 0x10_0000), Some(0xfed0_0000));
        assert_eq!(find(&ranges, 0xfed0_0000, 0x10_0001, 0x10_0000), Some(0xfef0_0000));
        assert_eq!(find(&ranges, 1 << 32, 1 << 30, 0x20_0000), Some(1 << 32));
        assert_eq!(find(&ranges, 1 << 39, 0x1000, 0x1000), None);
        assert_eq!(find(&ranges, u64::MAX, 0x1000, 0x1000), None);
    }
}
