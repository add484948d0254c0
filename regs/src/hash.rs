// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash of the exact-match tables (`docs/hardware.md`, "Table hash").

use crate::config::WAYS;

/// Largest S (log2 of the slots of a way) that the hash serves.
pub const MAX_SLOT_BITS: u32 = 14;

/// Rounds of mixing. With fewer than four, keys that count up in one field crowd in a part of the table.
const ROUNDS: usize = 5;

/// The slot in each way at which a key may be. `words` is the masked key (zeros at its end may be left out), `seed` the table's, `slot_bits` S.
///
/// # Panics
/// In debug builds, if `slot_bits` is greater than [`MAX_SLOT_BITS`].
#[inline]
pub fn slots(words: &[u32], seed: u32, slot_bits: u32) -> [u32; WAYS] {
    debug_assert!(slot_bits <= MAX_SLOT_BITS);
    let (mut a, mut b) = (0, 0);
    for (i, word) in (0u32..).zip(words) {
        a ^= word.rotate_left(7 * i % 32);
        b ^= word.rotate_left((11 * i + 5) % 32);
    }
    a = u32::wrapping_add(a, seed);
    for _ in 0..ROUNDS {
        a = u32::wrapping_add(a.rotate_left(24), b);
        b = u32::rotate_left(b, 3) ^ a;
    }
    let mask = (1 << slot_bits) - 1;
    [a & mask, (a >> 16) & mask, b & mask, (b >> 16) & mask]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    /// The formulas of the contract, in the least clever way: bits as a vector, additions bit by bit.
    fn by_the_book(words: &[u32], seed: u32, s: usize) -> [u32; 4] {
        let rotl = |x: u64, n: u64| ((x << n) | (x >> ((32 - n) % 64))) % (1 << 32);
        let xor = |f: &dyn Fn(u64) -> u64| {
            (0..words.len() as u64).fold(0u64, |sum, i| {
                sum ^ if f(i) == 0 { words[i as usize].into() } else { rotl(words[i as usize].into(), f(i)) }
            })
        };
        let m = 1u64 << 32;
        let mut a = xor(&|i| (7 * i) % 32);
        let mut b = xor(&|i| (11 * i + 5) % 32);
        a = (a + u64::from(seed)) % m;
        for _ in 0..5 {
            a = (rotl(a, 24) + b) % m;
            b = rotl(b, 3) ^ a;
        }
        [a, a >> 16, b, b >> 16].map(|x| (x % (1 << s)) as u32)
    }

    #[test]
    fn agrees_with_the_contract() {
        let mut x = 1u64;
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 32) as u32
        };
        for (s, length) in (0..=MAX_SLOT_BITS).flat_map(|s| [(s, 15), (s, 19), (s, 31)]) {
            for _ in 0..100 {
                let mut words: Vec<u32> = (0..length).map(|_| next()).collect();
                let seed = next();
                let expected = by_the_book(&words, seed, s as usize);
                assert_eq!(slots(&words, seed, s), expected);
                words.push(0);
                assert_eq!(slots(&words, seed, s), expected, "zeros at the end change nothing");
            }
        }
    }

    #[test]
    fn sequential_keys_spread_over_every_way() {
        for s in [9u32, 11] {
            let n = 1usize << s;
            let mut load = [vec![0u32; n], vec![0; n], vec![0; n], vec![0; n]];
            for i in 0..4 * n as u128 {
                let key = Key { dl_type: 0x0800, nw_src: 0x0a00_0000 + i, nw_dst: 0x0a01_0001, ..Key::default() };
                for (way, slot) in slots(&key.pack(), 0, s).into_iter().enumerate() {
                    load[way][slot as usize] += 1;
                }
            }
            for way in load {
                // Poisson with mean 4: more than 20 in a slot has a probability of 1e-9.
                assert!(*way.iter().max().unwrap() <= 20, "slots {n}: {:?}", way.iter().max());
            }
        }
    }
}
