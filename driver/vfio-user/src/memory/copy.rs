// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copies out of and into memory that others change meanwhile.
//!
//! A copy is made in pieces, each the largest power of two up to 16 bytes that is aligned and not longer than what is left, and each by one
//! instruction: so an aligned number of 2, 4 or 8 bytes is never torn, nor one of 16 bytes where the processor does such an access as a whole
//! (x86-64 with AVX, aarch64 with LSE2). No Rust reference to the memory is made.

use std::arch::asm;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Most bytes of a piece.
const LARGEST: usize = 16;

/// Bytes of the next piece at `address` with `left` bytes to go.
fn piece(address: usize, left: usize) -> usize {
    let aligned = 1 << address.trailing_zeros().min(LARGEST.ilog2());
    let fits = 1 << left.ilog2();
    aligned.min(fits)
}

/// Copies from `from` to `bytes`.
///
/// # Safety
/// `bytes.len()` bytes at `from` are mapped and readable, and no Rust reference to them is in use.
pub unsafe fn load(mut from: *const u8, mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at_mut(piece(from.addr(), bytes.len()));
        // SAFETY: as many bytes as `now` are left at `from`, which is aligned to their number.
        unsafe {
            let from = from.cast_mut();
            match now.len() {
                1 => now[0] = AtomicU8::from_ptr(from).load(Relaxed),
                2 => now.copy_from_slice(&AtomicU16::from_ptr(from.cast()).load(Relaxed).to_ne_bytes()),
                4 => now.copy_from_slice(&AtomicU32::from_ptr(from.cast()).load(Relaxed).to_ne_bytes()),
                8 => now.copy_from_slice(&AtomicU64::from_ptr(from.cast()).load(Relaxed).to_ne_bytes()),
                _ => now.copy_from_slice(&load16(from)),
            }
        }
        from = from.wrapping_add(now.len());
        bytes = later;
    }
}

/// Copies from `bytes` to `to`.
///
/// # Safety
/// `bytes.len()` bytes at `to` are mapped and writable, and no Rust reference to them is in use.
pub unsafe fn store(mut to: *mut u8, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(piece(to.addr(), bytes.len()));
        // SAFETY: as many bytes as `now` are left at `to`, which is aligned to their number.
        unsafe {
            match *now {
                [byte] => AtomicU8::from_ptr(to).store(byte, Relaxed),
                [a, b] => AtomicU16::from_ptr(to.cast()).store(u16::from_ne_bytes([a, b]), Relaxed),
                [a, b, c, d] => AtomicU32::from_ptr(to.cast()).store(u32::from_ne_bytes([a, b, c, d]), Relaxed),
                [a, b, c, d, e, f, g, h] => {
                    AtomicU64::from_ptr(to.cast()).store(u64::from_ne_bytes([a, b, c, d, e, f, g, h]), Relaxed);
                }
                _ => store16(to, now.try_into().expect("sixteen bytes")),
            }
        }
        to = to.wrapping_add(now.len());
        bytes = later;
    }
}

/// # Safety
/// 16 bytes at `from`, which is aligned to 16, are mapped and readable.
#[cfg(target_arch = "x86_64")]
unsafe fn load16(from: *const u8) -> [u8; LARGEST] {
    use std::arch::x86_64::__m128i;
    let value: __m128i;
    // SAFETY: the caller's.
    unsafe {
        asm!("movdqa {value}, [{from}]", value = out(xmm_reg) value, from = in(reg) from, options(nostack, preserves_flags, readonly));
        std::mem::transmute(value)
    }
}

/// # Safety
/// 16 bytes at `to`, which is aligned to 16, are mapped and writable.
#[cfg(target_arch = "x86_64")]
unsafe fn store16(to: *mut u8, bytes: [u8; LARGEST]) {
    use std::arch::x86_64::__m128i;
    // SAFETY: the caller's.
    unsafe {
        let value: __m128i = std::mem::transmute(bytes);
        asm!("movdqa [{to}], {value}", value = in(xmm_reg) value, to = in(reg) to, options(nostack, preserves_flags));
    }
}

/// # Safety
/// 16 bytes at `from`, which is aligned to 16, are mapped and readable.
#[cfg(target_arch = "aarch64")]
unsafe fn load16(from: *const u8) -> [u8; LARGEST] {
    let (low, high): (u64, u64);
    // SAFETY: the caller's.
    unsafe {
        asm!("ldp {low}, {high}, [{from}]", low = out(reg) low, high = out(reg) high, from = in(reg) from, options(nostack, preserves_flags, readonly));
        std::mem::transmute([low, high])
    }
}

/// # Safety
/// 16 bytes at `to`, which is aligned to 16, are mapped and writable.
#[cfg(target_arch = "aarch64")]
unsafe fn store16(to: *mut u8, bytes: [u8; LARGEST]) {
    // SAFETY: the caller's.
    unsafe {
        let [low, high]: [u64; 2] = std::mem::transmute(bytes);
        asm!("stp {low}, {high}, [{to}]", low = in(reg) low, high = in(reg) high, to = in(reg) to, options(nostack, preserves_flags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alignment_and_length_is_copied_and_no_byte_beside_it() {
        #[repr(align(16))]
        struct Memory([u8; 96]);
        for offset in 0..17 {
            for len in 0..64 {
                let source: Vec<u8> = (1..=len).collect();
                let mut memory = Memory([0xee; 96]);
                let start = (&raw mut memory.0).cast::<u8>();
                // SAFETY: inside of `memory`, of which nobody has a reference.
                let back = unsafe {
                    store(start.add(offset), &source);
                    let mut back = vec![0; source.len()];
                    load(start.add(offset), &mut back);
                    back
                };
                assert_eq!(back, source, "{len} bytes at {offset}");
                let (before, after) = (&memory.0[..offset], &memory.0[offset + source.len()..]);
                assert!(before.iter().chain(after).all(|byte| *byte == 0xee), "{len} bytes at {offset}");
            }
        }
    }

    #[test]
    fn an_aligned_number_lies_in_one_piece() {
        for start in 0..32usize {
            for len in 1..64usize {
                let mut ends = vec![];
                let mut at = start;
                while at < start + len {
                    at += piece(at, start + len - at);
                    ends.push(at);
                }
                for bytes in [2usize, 4, 8, 16] {
                    let numbers = (start.next_multiple_of(bytes)..).step_by(bytes);
                    for number in numbers.take_while(|number| number + bytes <= start + len) {
                        let torn = ends.iter().any(|end| (number + 1..number + bytes).contains(end));
                        assert!(!torn, "{bytes} bytes at {number} of {start}..{}", start + len);
                    }
                }
            }
        }
    }
}
