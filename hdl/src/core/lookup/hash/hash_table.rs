// SPDX-License-Identifier: MIT OR Apache-2.0
//! An exact-match table with a mask of its own.

use super::hash_way::HashWay;
use super::key_hash::KeyHash;
use crate::base::{Dff, DffE, Reg};
use crate::core::types::{Hit, Slot};
use rust_hdl_core::prelude::*;

/// Four ways of `1 << WAY_LOG2` slots under one mask ("Match" in `docs/hardware.md`). One key per clock; the answer comes
/// [`LATENCY`](Self::LATENCY) clocks after `key`, which has `KEY_BITS` = 32 * KEY_WORDS bits: hash (4), RAM and its output register (2), compare (2), way (1).
///
/// `late_key` is `key` of [`LATE_KEY`](Self::LATE_KEY) clocks ago: the tables share one delay line instead of each having its own.
/// Writes take one clock and may come at any time; all ways are read in the same clock, so that a key that is in at least one
/// way is found at any time. The mask must not change under valid slots, and not within [`LATENCY`](Self::LATENCY) clocks of
/// another write.
#[millrace_hdl::block]
pub struct HashTable<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> {
    pub clock: Signal<In, Clock>,
    /// Of the hash, and of the mask.
    pub clock_hash: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub late_key: Signal<In, Bits<KEY_BITS>>,
    pub hit: Signal<Out, Hit>,
    /// Write `slot` at `write_index` (way << S | slot number).
    pub write_entry: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<16>>,
    pub slot: Signal<In, Slot<KEY_BITS>>,
    /// Load `mask`, `seed` and `enable`.
    pub write_mask: Signal<In, Bit>,
    pub mask: Signal<In, Bits<KEY_BITS>>,
    pub seed: Signal<In, Bits<32>>,
    pub enable: Signal<In, Bit>,
    #[clock(clock_hash)]
    mask_reg: DffE<Bits<KEY_BITS>>,
    #[clock(clock_hash)]
    seed_reg: DffE<Bits<32>>,
    #[clock(clock_hash)]
    enable_reg: Reg<Bit>,
    #[clock(clock_hash)]
    hash: KeyHash<WAY_LOG2, KEY_BITS, KEY_WORDS>,
    masked_key: Dff<Bits<KEY_BITS>>,
    way: Vec<HashWay<WAY_LOG2, KEY_BITS, KEY_WORDS>>,
    best: Dff<Hit>,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> HashTable<WAY_LOG2, KEY_BITS, KEY_WORDS> {
    /// Clocks from `key` to `hit`.
    pub const LATENCY: usize = 9;
    /// Clocks by which `late_key` is behind `key`.
    pub const LATE_KEY: usize = 5;

    /// A disabled table without entries. (`Default` has no ways.)
    pub fn new() -> Self {
        Self { way: (0..4).map(|_| HashWay::new()).collect(), hash: KeyHash::new(), ..Default::default() }
    }

    fn update(&mut self) {
        if self.write_mask {
            self.mask_reg = self.mask;
            self.seed_reg = self.seed;
            self.enable_reg = self.enable;
        }
        self.hash.key = self.key & self.mask_reg;
        self.hash.seed = self.seed_reg;
        self.masked_key = self.late_key & self.mask_reg;

        let write_way = self.write_index.get_bits::<2>(WAY_LOG2);
        for i in 0..4 {
            self.way[i].key = self.masked_key;
            self.way[i].we = self.write_entry & (write_way == i);
            self.way[i].write_index = cast::<WAY_LOG2>(self.write_index);
            self.way[i].slot = self.slot;
        }
        self.way[0].index = self.hash.index0;
        self.way[1].index = self.hash.index1;
        self.way[2].index = self.hash.index2;
        self.way[3].index = self.hash.index3;

        comment!("The lowest way that has the key.");
        let mut found = self.way[3].hit;
        for i in 0..3 {
            if self.way[2 - i].hit.hit {
                found = self.way[2 - i].hit;
            }
        }
        if !self.enable_reg {
            found.hit = false;
        }
        self.best = found;
        self.hit = self.best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::{Answer, Entry, Table, Words, key_bits, masked, table_hash};
    use crate::testing::{assert_lints, tick_those};
    use rand::{Rng, SeedableRng, seq::IndexedRandom};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const WAY_LOG2: usize = 3;
    type Dut = HashTable<WAY_LOG2, 480, 15>;

    struct Bench {
        uut: Box<Dut>,
        model: Table,
        /// Keys in flight for `late_key`, and what is expected of each.
        keys: VecDeque<Words>,
        due: VecDeque<Option<Answer>>,
    }

    impl Bench {
        fn new() -> Self {
            let mut uut = Box::new(Dut::new());
            uut.connect_all();
            uut.reset.next = true;
            tick_those(&mut *uut, |u| vec![(&mut u.clock, true), (&mut u.clock_hash, true)]);
            uut.reset.next = false;
            let keys = vec![[0; 15]; Dut::LATE_KEY].into();
            Self { uut, model: Table::new(WAY_LOG2), keys, due: vec![None; Dut::LATENCY - 1].into() }
        }

        /// One clock with a key; compares the answer that is due. Without a key nothing is compared later.
        fn clock(&mut self, key: Option<Words>) {
            self.due.push_back(key.map(|k| self.model.lookup(&k)));
            self.keys.push_back(key.unwrap_or_default());
            self.uut.key.next = key_bits(&key.unwrap_or_default());
            self.uut.late_key.next = key_bits(&self.keys.pop_front().unwrap());
            tick_those(&mut *self.uut, |u| vec![(&mut u.clock, true), (&mut u.clock_hash, true)]);
            self.uut.write_entry.next = false;
            self.uut.write_mask.next = false;
            if let Some(expected) = self.due.pop_front().unwrap() {
                let h = self.uut.hit.val();
                assert_eq!(h.hit.then(|| (h.priority.to_u64() as u16, h.rule.to_u64() as u16)), expected);
            }
        }

        fn settle(&mut self) {
            for _ in 0..Dut::LATENCY {
                self.clock(None);
            }
        }

        fn write_mask(&mut self, mask: Words, seed: u32, enable: bool) {
            (self.model.mask, self.model.seed, self.model.enable) = (mask, seed, enable);
            self.uut.mask.next = key_bits(&mask);
            self.uut.seed.next = seed.to_bits();
            self.uut.enable.next = enable;
            self.uut.write_mask.next = true;
            self.clock(None);
            self.settle();
        }

        /// Writes a slot without stopping the keys: `keys` go in meanwhile and are expected to answer the same before and
        /// after.
        fn write_slot(&mut self, way: usize, slot: usize, entry: Option<Entry>) {
            self.model.slots[way][slot] = entry;
            let e = entry.unwrap_or(Entry { key: [0xdead; 15], priority: 9, rule: 9 });
            self.uut.write_index.next = (way << WAY_LOG2 | slot).to_bits();
            self.uut.slot.next = Slot {
                key: key_bits(&e.key),
                priority: u64::from(e.priority).to_bits(),
                rule: u64::from(e.rule).to_bits(),
                valid: entry.is_some(),
            };
            self.uut.write_entry.next = true;
        }
    }

    #[test]
    fn random_tables_answer_like_the_model_at_full_rate() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..6 {
            let mut bench = Bench::new();
            let mask: Words = std::array::from_fn(|_| if rng.random() { rng.random() } else { 0 });
            bench.write_mask(mask, rng.random(), round != 5);
            let keys: Vec<Words> = (0..24).map(|_| rng.random()).collect();
            for key in &keys {
                let key = masked(key, &mask);
                let index = table_hash(&key, bench.model.seed, WAY_LOG2);
                let way = rng.random_range(0..4);
                let entry = Entry { key, priority: rng.random(), rule: rng.random() };
                bench.write_slot(way, index[way], Some(entry));
                bench.clock(None);
                bench.settle();
            }
            let mut hits = 0;
            for _ in 0..150 {
                let mut key = *keys.choose(&mut rng).unwrap();
                match rng.random_range(0..3) {
                    // Other bits outside the mask, one wrong bit, any key.
                    0 => key = std::array::from_fn(|i| key[i] & mask[i] | rng.random::<u32>() & !mask[i]),
                    1 => key[rng.random_range(0..15)] ^= 1 << rng.random_range(0..32),
                    _ => key = rng.random(),
                }
                hits += usize::from(bench.model.lookup(&key).is_some());
                bench.clock(Some(key));
            }
            bench.settle();
            assert!(if round == 5 { hits == 0 } else { hits > 30 }, "{hits} hits in round {round}");
        }
    }

    #[test]
    fn the_lowest_way_counts_and_a_moved_entry_never_misses() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut bench = Bench::new();
        bench.write_mask([!0; 15], 7, true);
        let key: Words = rng.random();
        let index = table_hash(&key, 7, WAY_LOG2);
        let mut at = 0;
        bench.write_slot(0, index[0], Some(Entry { key, priority: 1, rule: 1 }));
        bench.clock(None);
        bench.settle();
        for step in 0..40u16 {
            // Copy to the next way, then clear the old one, a key in every clock. Both copies are equal.
            let to = (at + 1) % 4;
            bench.write_slot(to, index[to], Some(Entry { key, priority: 1, rule: 1 }));
            for _ in 0..step % 7 + 1 {
                bench.clock(Some(key));
            }
            bench.write_slot(at, index[at], None);
            for _ in 0..step % 5 + 1 {
                bench.clock(Some(key));
            }
            at = to;
        }
        bench.settle();
        for way in 0..4 {
            bench.write_slot(way, index[way], Some(Entry { key, priority: way as u16, rule: way as u16 }));
            bench.clock(None);
        }
        bench.settle();
        for way in 0..4 {
            bench.clock(Some(key));
            bench.settle();
            bench.write_slot(way, index[way], None);
            bench.clock(None);
            bench.settle();
        }
        assert_eq!(bench.model.lookup(&key), None);
        bench.clock(Some(key));
        bench.settle();
    }

    #[test]
    fn lints() {
        assert_lints(HashTable::<9, 480, 15>::new());
        assert_lints(HashTable::<9, 608, 19>::new());
    }
}
