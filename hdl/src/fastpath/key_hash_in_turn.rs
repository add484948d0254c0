// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash that gives a key its place in each way of a table, two words after the other.

use crate::base::{Dff, DffR, Reg, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// "Table hash" of `docs/hardware.md`, as [`KeyHash`](super::key_hash::KeyHash), of one key at a time: with one adder, and without drawing
/// all bits of the key to one place.
///
/// `start` is high in the clock before `key` is there. The indices are there with `ready`, [`LATENCY`](Self::LATENCY) clocks after `start`,
/// and until the next `start`; `key` and `seed` must stay until then.
#[derive(LogicBlock, Default)]
pub struct KeyHashInTurn<const S: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    /// The key with the table's mask applied.
    pub key: Signal<In, Bits<480>>,
    pub seed: Signal<In, Bits<32>>,
    pub ready: Signal<Out, Bit>,
    pub index0: Signal<Out, Bits<S>>,
    pub index1: Signal<Out, Bits<S>>,
    pub index2: Signal<Out, Bits<S>>,
    pub index3: Signal<Out, Bits<S>>,
    /// Bit n is high n + 1 clocks after `start`.
    when: DffR<Bits<16>>,
    /// Words 2 j and 2 j + 1.
    lower: Dff<Bits<32>>,
    upper: Dff<Bits<32>>,
    a: Reg<Bits<32>>,
    b: Reg<Bits<32>>,
    lower_word: Signal<Local, Bits<32>>,
    upper_word: Signal<Local, Bits<32>>,
    sums: Signal<Local, Bit>,
    seeds: Signal<Local, Bit>,
    rounds: Signal<Local, Bit>,
    x: Signal<Local, Bits<32>>,
    y: Signal<Local, Bits<32>>,
    sum: Signal<Local, Bits<32>>,
}

impl<const S: usize> KeyHashInTurn<S> {
    /// Clocks from `start` to `ready`.
    pub const LATENCY: usize = 16;
}

impl<const S: usize> Logic for KeyHashInTurn<S> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, when, lower, upper, a, b);
        self.when.reset.next = self.reset.val();
        self.when.d.next = (self.when.q.val() << 1) | bit_cast::<16, 1>(self.start.val().into());

        comment!("clocks 1 to 8: the words 14, then 12 and 13, down to 0 and 1");
        self.lower_word.next = 0.into();
        self.upper_word.next = 0.into();
        for j in 0..8 {
            if self.when.q.val().get_bit(7 - j) {
                self.lower_word.next = self.lower_word.val() | self.key.val().get_bits::<32>(j * 64);
            }
        }
        for j in 0..7 {
            if self.when.q.val().get_bit(7 - j) {
                self.upper_word.next = self.upper_word.val() | self.key.val().get_bits::<32>(j * 64 + 32);
            }
        }
        self.lower.d.next = self.lower_word.val();
        self.upper.d.next = self.upper_word.val();

        comment!("clocks 2 to 9: a, b = sums over i of rotl(w[i], 7 i), rotl(w[i], 11 i); 10: a + seed, rotl(b, 5)");
        comment!("clocks 11 to 15: a = rotl(a, 24) + b, b = rotl(b, 3) ^ a");
        self.sums.next = self.when.q.val().get_bits::<8>(1).any();
        self.seeds.next = self.when.q.val().get_bit(9);
        self.rounds.next = self.when.q.val().get_bits::<5>(10).any();
        self.x.next = self.a.q.val() << 24 | self.a.q.val() >> 8;
        self.y.next = self.b.q.val();
        if self.seeds.val() {
            self.x.next = self.a.q.val();
            self.y.next = self.seed.val();
        }
        self.sum.next = self.x.val() + self.y.val();
        self.a.reset.next = self.start.val();
        self.a.en.next = self.sums.val() | self.seeds.val() | self.rounds.val();
        self.a.d.next = self.sum.val();
        self.b.reset.next = self.start.val();
        self.b.en.next = self.sums.val() | self.seeds.val() | self.rounds.val();
        self.b.d.next = (self.b.q.val() << 3 | self.b.q.val() >> 29) ^ self.sum.val();
        if self.seeds.val() {
            self.b.d.next = self.b.q.val() << 5 | self.b.q.val() >> 27;
        }
        if self.sums.val() {
            self.a.d.next = (self.a.q.val() << 14 | self.a.q.val() >> 18)
                ^ (self.upper.q.val() << 7 | self.upper.q.val() >> 25)
                ^ self.lower.q.val();
            self.b.d.next = (self.b.q.val() << 22 | self.b.q.val() >> 10)
                ^ (self.upper.q.val() << 11 | self.upper.q.val() >> 21)
                ^ self.lower.q.val();
        }

        self.ready.next = self.when.q.val().get_bit(15);
        self.index0.next = bit_cast::<S, 32>(self.a.q.val());
        self.index1.next = bit_cast::<S, 16>(self.a.q.val().get_bits::<16>(16));
        self.index2.next = bit_cast::<S, 32>(self.b.q.val());
        self.index3.next = bit_cast::<S, 16>(self.b.q.val().get_bits::<16>(16));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastpath::match_reference::{key_bits, table_hash};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn check<const S: usize>(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut uut = Box::<KeyHashInTurn<S>>::default();
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
            for _ in 1..KeyHashInTurn::<S>::LATENCY {
                assert!(!uut.ready.val());
                tick(&mut *uut, |u| &mut u.clock);
            }
            assert!(uut.ready.val());
            for _ in 0..rng.random_range(1..5) {
                let got = [uut.index0.val(), uut.index1.val(), uut.index2.val(), uut.index3.val()];
                assert_eq!(got.map(|i| i.index()), table_hash(&key, table_seed, S), "{key:08x?}");
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
