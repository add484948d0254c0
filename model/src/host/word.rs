// SPDX-License-Identifier: MIT OR Apache-2.0
//! Words of registers.

/// The word, with the bytes of `data` for which `strobe` has a bit.
pub(super) fn merge(word: u32, data: u32, strobe: u8) -> u32 {
    let mask = (0..4).filter(|byte| strobe >> byte & 1 == 1).fold(0, |mask, byte| mask | 0xff << (8 * byte));
    word & !mask | data & mask
}
