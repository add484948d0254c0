// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of rules with masks of their own.

use super::tcam_entry::TcamEntry;
use super::tcam_group::{TcamGroup, TcamSweep};
use crate::base::{Dff, DffR, Reg};
use crate::core::lookup::hit_tree::HitTree;
use crate::core::types::Hit;
use rust_hdl_core::prelude::*;

/// `TCAM_ENTRIES` entries (a power of two) in LUT RAM ("Match" in `docs/hardware.md`). One key per clock; the answer comes
/// [`LATENCY`](Self::LATENCY) clocks after `key`. A key has `KEY_BITS` = 8 * GROUP_BITS bits.
///
/// `write` (a pulse, not while `busy`) rewrites the entry `index`; all operands stay until `busy` is low. The entry does not
/// match meanwhile, all others do as ever: its column of bits is rewritten in 16 clocks, group after group.
#[millrace_hdl::block]
pub struct Tcam<const TCAM_ENTRIES: usize, const KEY_BITS: usize, const GROUP_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub hit: Signal<Out, Hit>,
    pub write: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    pub value: Signal<In, Bits<KEY_BITS>>,
    pub mask: Signal<In, Bits<KEY_BITS>>,
    /// What the entry answers; `hit` is its valid bit.
    pub answer: Signal<In, Hit>,
    pub busy: Signal<Out, Bit>,
    sweep: Vec<Dff<TcamSweep<TCAM_ENTRIES>>>,
    sweeping: Vec<DffR<Bit>>,
    group: Vec<TcamGroup<TCAM_ENTRIES, GROUP_BITS>>,
    entry: Vec<TcamEntry>,
    tree: HitTree,
    busy_reg: Reg<Bit>,
    count: Reg<Bits<5>>,
    matched: Dff<Bits<TCAM_ENTRIES>>,
    _entries: usize,
}

#[millrace_hdl::block]
impl<const TCAM_ENTRIES: usize, const KEY_BITS: usize, const GROUP_BITS: usize>
    Tcam<TCAM_ENTRIES, KEY_BITS, GROUP_BITS>
{
    /// Clocks from `key` to `hit`.
    pub const LATENCY: usize = 2 + HitTree::latency(TCAM_ENTRIES);

    /// A TCAM of invalid entries. (`Default` has none.)
    ///
    /// # Panics
    /// If `TCAM_ENTRIES` is not a power of two, or a key not eight groups.
    pub fn new() -> Self {
        assert!(KEY_BITS == 8 * GROUP_BITS, "{KEY_BITS} bits are not eight times {GROUP_BITS}");
        Self {
            sweep: (0..8).map(|_| Default::default()).collect(),
            sweeping: (0..8).map(|_| Default::default()).collect(),
            group: (0..8).map(|_| TcamGroup::new()).collect(),
            entry: (0..TCAM_ENTRIES).map(|_| Default::default()).collect(),
            tree: HitTree::new(TCAM_ENTRIES),
            _entries: TCAM_ENTRIES,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!(
            "A write: the entry is cleared, 16 words are swept, the last group is 8 clocks behind, and the last key that"
        );
        comment!("saw an unfinished column has passed before the entry is valid again.");
        let done = self.count == 31;

        if self.write | done {
            self.busy_reg = self.write;
        }

        if self.busy_reg {
            self.count += 1;
        }
        self.busy = self.busy_reg;
        let first: Bits<TCAM_ENTRIES> = 1;
        let selected = first << self.index;

        for i in 0..8 {
            self.group[i].sweep = self.sweep[i];
            self.group[i].sweeping = self.sweeping[i];
            self.group[i].key = self.key.get_bits::<GROUP_BITS>(i * GROUP_BITS);
            self.group[i].value = self.value.get_bits::<GROUP_BITS>(i * GROUP_BITS);
            self.group[i].mask = self.mask.get_bits::<GROUP_BITS>(i * GROUP_BITS);
        }
        comment!("The sweep reaches one group after the other: no net has all chunks as its load.");
        self.sweeping[0] = self.busy_reg & !self.count.get_bit(4);
        let mut start = TcamSweep::<TCAM_ENTRIES>::default();
        start.address = cast::<4>(self.count);
        start.entry = selected;
        self.sweep[0] = start;
        for i in 0..7 {
            self.sweeping[i + 1] = self.sweeping[i];
            self.sweep[i + 1] = self.sweep[i];
        }

        let mut all = self.group[0].matched;
        for i in 1..8 {
            all &= self.group[i].matched;
        }
        self.matched = all;
        for i in 0..self._entries {
            self.entry[i].matched = self.matched.get_bit(i);
            self.entry[i].clear = self.write & selected.get_bit(i);
            self.entry[i].load = done & selected.get_bit(i);
            self.entry[i].answer = self.answer;
            self.tree.hit[i] = self.entry[i].hit;
        }
        self.hit = self.tree.best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::{Answer, Entry, TcamEntries, Words, key_bits, tcam_lookup};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng, seq::IndexedRandom};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const TCAM_ENTRIES: usize = 8;
    type Dut = Tcam<TCAM_ENTRIES, 480, 60>;

    struct Bench {
        uut: Box<Dut>,
        model: TcamEntries,
        due: VecDeque<Option<Answer>>,
    }

    impl Bench {
        fn new() -> Self {
            let mut uut = Box::new(Dut::new());
            uut.connect_all();
            uut.reset.next = true;
            tick(&mut *uut, |u| &mut u.clock);
            uut.reset.next = false;
            Self { uut, model: vec![None; TCAM_ENTRIES], due: vec![None; Dut::LATENCY - 1].into() }
        }

        fn clock(&mut self, key: Option<Words>) {
            self.due.push_back(key.map(|k| tcam_lookup(&self.model, &k)));
            self.uut.key.next = key_bits(&key.unwrap_or_default());
            tick(&mut *self.uut, |u| &mut u.clock);
            self.uut.write.next = false;
            if let Some(expected) = self.due.pop_front().unwrap() {
                let h = self.uut.hit.val();
                assert_eq!(h.hit.then(|| (h.priority.to_u64() as u16, h.rule.to_u64() as u16)), expected);
            }
        }

        /// Rewrites an entry with a key in every clock. The model does without the entry until it is there again, so the keys in
        /// those clocks must not depend on whether it matches: `keys` are asked for the other entries only.
        fn write(&mut self, index: usize, entry: Option<(Entry, Words)>, rng: &mut ChaCha8Rng, keys: &[Words]) {
            for _ in 0..Dut::LATENCY {
                self.clock(None);
            }
            self.model[index] = None;
            let (e, mask) = entry.unwrap_or((Entry { key: [0; 15], priority: 9, rule: 9 }, [0; 15]));
            self.uut.index.next = index.to_bits();
            self.uut.value.next = key_bits(&e.key);
            self.uut.mask.next = key_bits(&mask);
            let (priority, rule) = (u64::from(e.priority).to_bits(), u64::from(e.rule).to_bits());
            self.uut.answer.next = Hit { hit: entry.is_some(), priority, rule };
            self.uut.write.next = true;
            self.clock(None);
            let mut clocks = 0;
            while self.uut.busy.val() {
                // A key whose entries are looked up two clocks later sees the new entry in the last clocks.
                self.clock((clocks < 29).then(|| *keys.choose(rng).unwrap()));
                clocks += 1;
            }
            assert_eq!(clocks, 32);
            self.model[index] = entry;
        }
    }

    /// A few masks and values that overlap a lot, and keys that match several of them.
    fn entry(rng: &mut ChaCha8Rng, base: &Words) -> (Entry, Words) {
        let mask: Words = match rng.random_range(0..9) {
            0 => [0; 15],
            1 => [!0; 15],
            2 => std::array::from_fn(|i| if i == 3 { 0xff00 } else { 0 }),
            _ => rng.random(),
        };
        // Bits of the value outside the mask must not matter.
        let key = std::array::from_fn(|i| base[i] & mask[i] | rng.random::<u32>() & !mask[i]);
        (Entry { key, priority: rng.random_range(0..4), rule: rng.random() }, mask)
    }

    #[test]
    fn random_entries_rewritten_under_full_rate_lookups() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut bench = Bench::new();
        let bases: Vec<Words> = (0..3).map(|_| rng.random()).collect();
        let mut hits = 0;
        for round in 0..30 {
            let keys: Vec<Words> = (0..20)
                .map(|_| {
                    let mut key = *bases.choose(&mut rng).unwrap();
                    for _ in 0..rng.random_range(0..3) {
                        key[rng.random_range(0..15)] ^= 1 << rng.random_range(0..32);
                    }
                    key
                })
                .collect();
            let base = *bases.choose(&mut rng).unwrap();
            let new = (round % 5 != 4).then(|| entry(&mut rng, &base));
            bench.write(rng.random_range(0..TCAM_ENTRIES), new, &mut rng, &keys);
            for key in &keys {
                hits += usize::from(tcam_lookup(&bench.model, key).is_some());
                bench.clock(Some(*key));
            }
        }
        assert!((100..550).contains(&hits), "{hits} hits of 600");
        for _ in 0..Dut::LATENCY {
            bench.clock(None);
        }
        bench.uut.reset.next = true;
        bench.clock(None);
        bench.uut.reset.next = false;
        bench.model = vec![None; TCAM_ENTRIES];
        for _ in 0..10 {
            bench.clock(Some(bases[0]));
        }
    }

    #[test]
    fn every_bit_of_the_key_counts() {
        let mut bench = Bench::new();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let key: Words = rng.random();
        bench.write(3, Some((Entry { key, priority: 1, rule: 77 }, [!0; 15])), &mut rng, &[[0; 15]]);
        for bit in 0..480 {
            let mut other = key;
            other[bit / 32] ^= 1 << (bit % 32);
            bench.clock(Some(other));
        }
        bench.clock(Some(key));
        for _ in 0..Dut::LATENCY {
            bench.clock(None);
        }
    }

    #[test]
    fn lints() {
        assert_lints(Tcam::<32, 480, 60>::new());
        assert_lints(Tcam::<32, 608, 76>::new());
    }
}
