// SPDX-License-Identifier: MIT OR Apache-2.0
//! Big-endian numbers in frames.

/// The `len` bytes (at most 16) at `at` as a number.
pub fn number(bytes: &[u8], at: usize, len: usize) -> u128 {
    bytes[at..at + len].iter().fold(0, |value, byte| value << 8 | u128::from(*byte))
}

/// Writes `value` as `len` bytes at `at`.
pub fn put(bytes: &mut [u8], at: usize, len: usize, value: u128) {
    bytes[at..at + len].copy_from_slice(&value.to_be_bytes()[16 - len..]);
}

/// The `len` bytes at `at`.
pub fn slice(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    &bytes[at..at + len]
}
