// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash that gives a key its place in each way of a table.

use crate::base::Dff;
use rust_hdl_core::prelude::*;

/// "Table hash" of `docs/hardware.md`: four indices of `WAY_LOG2` bits from a masked key and the table's seed. Four clocks, one key
/// per clock; `seed` is used one clock after `key`. `KEY_BITS` = 32 * KEY_WORDS.
#[millrace_hdl::block]
pub struct KeyHash<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> {
    pub clock: Signal<In, Clock>,
    /// The key with the table's mask applied.
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub seed: Signal<In, Bits<32>>,
    pub index0: Signal<Out, Bits<WAY_LOG2>>,
    pub index1: Signal<Out, Bits<WAY_LOG2>>,
    pub index2: Signal<Out, Bits<WAY_LOG2>>,
    pub index3: Signal<Out, Bits<WAY_LOG2>>,
    word: Vec<Signal<Local, Bits<32>>>,
    pair_a: Vec<Signal<Local, Bits<32>>>,
    pair_b: Vec<Signal<Local, Bits<32>>>,
    quad_a: Vec<Signal<Local, Bits<32>>>,
    quad_b: Vec<Signal<Local, Bits<32>>>,
    half_a: Vec<Signal<Local, Bits<32>>>,
    half_b: Vec<Signal<Local, Bits<32>>>,
    /// Of each word from 16 on, what it adds.
    more_a: Vec<Signal<Local, Bits<32>>>,
    more_b: Vec<Signal<Local, Bits<32>>>,
    round_a: Vec<Signal<Local, Bits<32>>>,
    round_b: Vec<Signal<Local, Bits<32>>>,
    a1: Dff<Bits<32>>,
    b1: Dff<Bits<32>>,
    a2: Dff<Bits<32>>,
    b2: Dff<Bits<32>>,
    a3: Dff<Bits<32>>,
    b3: Dff<Bits<32>>,
    a4: Dff<Bits<32>>,
    b4: Dff<Bits<32>>,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> KeyHash<WAY_LOG2, KEY_BITS, KEY_WORDS> {
    /// Clocks from key to indices.
    pub const LATENCY: usize = 4;

    /// A hash of `WAY_LOG2`-bit indices. (`Default` has no words.)
    ///
    /// # Panics
    /// If `WAY_LOG2` is not in 1..=14, or the key has not so many words.
    pub fn new() -> Self {
        assert!(KEY_BITS == 32 * KEY_WORDS && KEY_WORDS < 32, "{KEY_BITS} bits are not {KEY_WORDS} words");
        assert!((1..=14).contains(&WAY_LOG2), "the hash gives indices of 1 to 14 bits, not {WAY_LOG2}");
        let words = |n| (0..n).map(|_| Default::default()).collect();
        Self {
            word: words(KEY_WORDS.max(16)),
            pair_a: words(8),
            pair_b: words(8),
            quad_a: words(4),
            quad_b: words(4),
            half_a: words(2),
            half_b: words(2),
            more_a: words(KEY_WORDS.saturating_sub(16)),
            more_b: words(KEY_WORDS.saturating_sub(16)),
            round_a: words(5),
            round_b: words(5),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("Clock 1: the sums over i of rotl(w[i], 7 i) and rotl(w[i], 11 i + 5), as trees: rotations add up.");
        for i in 0..KEY_WORDS {
            self.word[i] = self.key.get_bits::<32>(i * 32);
        }
        for i in KEY_WORDS..16 {
            self.word[i] = 0;
        }
        for i in 0..8 {
            self.pair_a[i] = self.word[2 * i] ^ (self.word[2 * i + 1] << 7 | self.word[2 * i + 1] >> 25);
            self.pair_b[i] = self.word[2 * i] ^ (self.word[2 * i + 1] << 11 | self.word[2 * i + 1] >> 21);
        }
        for i in 0..4 {
            self.quad_a[i] = self.pair_a[2 * i] ^ (self.pair_a[2 * i + 1] << 14 | self.pair_a[2 * i + 1] >> 18);
            self.quad_b[i] = self.pair_b[2 * i] ^ (self.pair_b[2 * i + 1] << 22 | self.pair_b[2 * i + 1] >> 10);
        }
        for i in 0..2 {
            self.half_a[i] = self.quad_a[2 * i] ^ (self.quad_a[2 * i + 1] << 28 | self.quad_a[2 * i + 1] >> 4);
            self.half_b[i] = self.quad_b[2 * i] ^ (self.quad_b[2 * i + 1] << 12 | self.quad_b[2 * i + 1] >> 20);
        }
        self.a1 = self.half_a[0] ^ (self.half_a[1] << 24 | self.half_a[1] >> 8);
        let sum_b = self.half_b[0] ^ (self.half_b[1] << 24 | self.half_b[1] >> 8);
        self.b1 = sum_b << 5 | sum_b >> 27;
        for i in 16..KEY_WORDS {
            comment!("the words from 16 on");
            let a: Bits<32> = self.word[i];
            self.more_a[i - 16] = (a << (7 * i % 32)) | (a >> (32 - 7 * i % 32));
            self.more_b[i - 16] = (a << ((11 * i + 5) % 32)) | (a >> (32 - (11 * i + 5) % 32));
        }
        for _more in 0..KEY_WORDS / 16 {
            let mut a: Bits<32> = self.half_a[0] ^ (self.half_a[1] << 24 | self.half_a[1] >> 8);
            let mut b: Bits<32> = sum_b << 5 | sum_b >> 27;
            for i in 16..KEY_WORDS {
                a ^= self.more_a[i - 16];
                b ^= self.more_b[i - 16];
            }
            self.a1 = a;
            self.b1 = b;
        }

        comment!("Clock 2: a += seed; a round: a = rotl(a, 24) + b, b = rotl(b, 3) ^ a.");
        let seeded_a = self.a1 + self.seed;
        self.round_a[0] = (seeded_a << 24 | seeded_a >> 8) + self.b1;
        self.round_b[0] = (self.b1 << 3 | self.b1 >> 29) ^ self.round_a[0];
        self.a2 = self.round_a[0];
        self.b2 = self.round_b[0];

        comment!("Clock 3: two rounds.");
        self.round_a[1] = (self.a2 << 24 | self.a2 >> 8) + self.b2;
        self.round_b[1] = (self.b2 << 3 | self.b2 >> 29) ^ self.round_a[1];
        self.round_a[2] = (self.round_a[1] << 24 | self.round_a[1] >> 8) + self.round_b[1];
        self.round_b[2] = (self.round_b[1] << 3 | self.round_b[1] >> 29) ^ self.round_a[2];
        self.a3 = self.round_a[2];
        self.b3 = self.round_b[2];

        comment!("Clock 4: two rounds.");
        self.round_a[3] = (self.a3 << 24 | self.a3 >> 8) + self.b3;
        self.round_b[3] = (self.b3 << 3 | self.b3 >> 29) ^ self.round_a[3];
        self.round_a[4] = (self.round_a[3] << 24 | self.round_a[3] >> 8) + self.round_b[3];
        self.round_b[4] = (self.round_b[3] << 3 | self.round_b[3] >> 29) ^ self.round_a[4];
        self.a4 = self.round_a[4];
        self.b4 = self.round_b[4];

        self.index0 = cast::<WAY_LOG2>(self.a4);
        self.index1 = cast::<WAY_LOG2>(self.a4.get_bits::<16>(16));
        self.index2 = cast::<WAY_LOG2>(self.b4);
        self.index3 = cast::<WAY_LOG2>(self.b4.get_bits::<16>(16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::{key_bits, table_hash};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn check<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize>(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut uut = Box::new(KeyHash::<WAY_LOG2, KEY_BITS, KEY_WORDS>::new());
        uut.connect_all();
        let table_seed: u32 = rng.random();
        uut.seed.next = table_seed.to_bits();
        let keys: Vec<[u32; KEY_WORDS]> = (0..200)
            .map(|n| match n {
                0 => [0; KEY_WORDS],
                1 => [!0; KEY_WORDS],
                // Single bits: each must arrive with its own rotation.
                2..80 => std::array::from_fn(|i| if i == n % KEY_WORDS { 1 << (n % 32) } else { 0 }),
                _ => std::array::from_fn(|_| rng.random()),
            })
            .collect();
        for n in 0..keys.len() + KeyHash::<WAY_LOG2, KEY_BITS, KEY_WORDS>::LATENCY - 1 {
            uut.key.next = key_bits(keys.get(n).unwrap_or(&[0; KEY_WORDS]));
            tick(&mut *uut, |u| &mut u.clock);
            if let Some(key) = (n + 1).checked_sub(KeyHash::<WAY_LOG2, KEY_BITS, KEY_WORDS>::LATENCY).map(|n| &keys[n])
            {
                let got = [uut.index0.val(), uut.index1.val(), uut.index2.val(), uut.index3.val()];
                assert_eq!(got.map(|i| i.index()), table_hash(key, table_seed, WAY_LOG2), "{key:08x?}");
            }
        }
    }

    #[test]
    fn indices_are_those_of_the_contract() {
        check::<9, 480, 15>(1);
        check::<14, 480, 15>(2);
        check::<4, 480, 15>(3);
        check::<9, 608, 19>(4);
    }

    #[test]
    fn lints() {
        assert_lints(KeyHash::<9, 480, 15>::new());
        assert_lints(KeyHash::<9, 608, 19>::new());
    }
}
