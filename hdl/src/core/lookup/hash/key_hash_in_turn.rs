// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash that gives a key its place in each way of a table, two words after the other.

use crate::base::{Dff, DffR, Reg};
use crate::core::types::KEY_BITS;
use rust_hdl_core::prelude::*;

/// "Table hash" of `docs/hardware.md`, as [`KeyHash`](super::key_hash::KeyHash), of one key at a time: with one adder, and without drawing
/// all bits of the key to one place.
///
/// `start` is high in the clock before `key` is there. The indices are there with `ready`, [`LATENCY`](Self::LATENCY) clocks after `start`,
/// and until the next `start`; `key` and `seed` must stay until then.
#[millrace_hdl::block]
pub struct KeyHashInTurn<const WAY_LOG2: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    /// The key with the table's mask applied.
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub seed: Signal<In, Bits<32>>,
    pub ready: Signal<Out, Bit>,
    pub index0: Signal<Out, Bits<WAY_LOG2>>,
    pub index1: Signal<Out, Bits<WAY_LOG2>>,
    pub index2: Signal<Out, Bits<WAY_LOG2>>,
    pub index3: Signal<Out, Bits<WAY_LOG2>>,
    /// Bit n is high n + 1 clocks after `start`.
    when: DffR<Bits<16>>,
    /// Word 2 j of the key.
    lower: Dff<Bits<32>>,
    /// Word 2 j + 1.
    upper: Dff<Bits<32>>,
    a: Reg<Bits<32>>,
    b: Reg<Bits<32>>,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize> KeyHashInTurn<WAY_LOG2> {
    /// Clocks from `start` to `ready`.
    pub const LATENCY: usize = 16;

    fn update(&mut self) {
        self.when = (self.when << 1) | cast::<16>(self.start);

        comment!("clocks 1 to 8: the words 14, then 12 and 13, down to 0 and 1");
        let mut lower_word: Bits<32> = 0;
        let mut upper_word: Bits<32> = 0;
        for j in 0..8 {
            if self.when.get_bit(7 - j) {
                lower_word |= self.key.get_bits::<32>(j * 64);
            }
        }
        for j in 0..7 {
            if self.when.get_bit(7 - j) {
                upper_word |= self.key.get_bits::<32>(j * 64 + 32);
            }
        }
        self.lower = lower_word;
        self.upper = upper_word;

        comment!("clocks 2 to 9: a, b = sums over i of rotl(w[i], 7 i), rotl(w[i], 11 i); 10: a + seed, rotl(b, 5)");
        comment!("clocks 11 to 15: a = rotl(a, 24) + b, b = rotl(b, 3) ^ a");
        let sums = self.when.get_bits::<8>(1).any();
        let seeds = self.when.get_bit(9);
        let rounds = self.when.get_bits::<5>(10).any();
        let mut x = self.a << 24 | self.a >> 8;
        let mut y = self.b;
        if seeds {
            x = self.a;
            y = self.seed;
        }
        let sum = x + y;
        self.a.reset = self.start;
        self.a.en = sums | seeds | rounds;
        self.a.d = sum;
        self.b.reset = self.start;
        self.b.en = sums | seeds | rounds;
        self.b.d = if seeds { self.b << 5 | self.b >> 27 } else { (self.b << 3 | self.b >> 29) ^ sum };
        if sums {
            self.a.d = (self.a << 14 | self.a >> 18) ^ (self.upper << 7 | self.upper >> 25) ^ self.lower;
            self.b.d = (self.b << 22 | self.b >> 10) ^ (self.upper << 11 | self.upper >> 21) ^ self.lower;
        }

        self.ready = self.when.get_bit(15);
        self.index0 = cast::<WAY_LOG2>(self.a);
        self.index1 = cast::<WAY_LOG2>(self.a.get_bits::<16>(16));
        self.index2 = cast::<WAY_LOG2>(self.b);
        self.index3 = cast::<WAY_LOG2>(self.b.get_bits::<16>(16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::{key_bits, table_hash};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn check<const WAY_LOG2: usize>(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut uut = Box::<KeyHashInTurn<WAY_LOG2>>::default();
        uut.connect_all();
        let table_seed: u32 = rng.random();
        uut.seed.next = table_seed.to_bits();
        for n in 0..200 {
            let key: [u32; 15] = match n {
                0 => [0; 15],
                1 => [!0; 15],
                // Single bits: each must arrive with its own rotation.
                2..60 => std::array::from_fn(|i| if i == n % 15 { 1 << (n % 32) } else { 0 }),
                _ => rng.random(),
            };
            uut.start.next = true;
            tick(&mut *uut, |u| &mut u.clock);
            uut.start.next = false;
            uut.key.next = key_bits(&key);
            for _ in 1..KeyHashInTurn::<WAY_LOG2>::LATENCY {
                assert!(!uut.ready.val());
                tick(&mut *uut, |u| &mut u.clock);
            }
            assert!(uut.ready.val());
            for _ in 0..rng.random_range(1..5) {
                let got = [uut.index0.val(), uut.index1.val(), uut.index2.val(), uut.index3.val()];
                assert_eq!(got.map(|i| i.index()), table_hash(&key, table_seed, WAY_LOG2), "{key:08x?}");
                tick(&mut *uut, |u| &mut u.clock);
            }
        }
    }

    #[test]
    fn indices_are_those_of_the_contract() {
        check::<8>(1);
        check::<14>(2);
        check::<4>(3);
    }

    #[test]
    fn lints() {
        assert_lints(KeyHashInTurn::<8>::default());
    }
}
