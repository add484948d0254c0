// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of rules with masks of their own.

use super::hit_tree::HitTree;
use super::tcam_entry::TcamEntry;
use super::tcam_group::{TcamGroup, TcamSweep};
use super::types::Hit;
use crate::base::{Dff, DffR, Reg, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// `T` entries (a power of two) in LUT RAM ("Match" in `docs/hardware.md`). One key per clock; the answer comes
/// [`LATENCY`](Self::LATENCY) clocks after `key`.
///
/// `write` (a pulse, not while `busy`) rewrites the entry `index`; all operands stay until `busy` is low. The entry does not
/// match meanwhile, all others do as ever: its column of bits is rewritten in 16 clocks, group after group.
#[derive(LogicBlock, Default)]
pub struct Tcam<const T: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<480>>,
    pub hit: Signal<Out, Hit>,
    pub write: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    pub value: Signal<In, Bits<480>>,
    pub mask: Signal<In, Bits<480>>,
    /// What the entry answers; `hit` is its valid bit.
    pub answer: Signal<In, Hit>,
    pub busy: Signal<Out, Bit>,
    start: Signal<Local, TcamSweep<T>>,
    sweep: Vec<Dff<TcamSweep<T>>>,
    sweeping: Vec<DffR<Bit>>,
    group: Vec<TcamGroup<T>>,
    entry: Vec<TcamEntry>,
    tree: HitTree,
    busy_reg: Reg<Bit>,
    count: Reg<Bits<5>>,
    done: Signal<Local, Bit>,
    first: Signal<Local, Bits<T>>,
    selected: Signal<Local, Bits<T>>,
    all: Signal<Local, Bits<T>>,
    matched: Dff<Bits<T>>,
    _entries: usize,
}

impl<const T: usize> Tcam<T> {
    /// Clocks from `key` to `hit`.
    pub const LATENCY: usize = 2 + HitTree::latency(T);

    /// A TCAM of invalid entries. (`Default` has none.)
    ///
    /// # Panics
    /// If `T` is not a power of two.
    pub fn new() -> Self {
        Self {
            sweep: (0..8).map(|_| Default::default()).collect(),
            sweeping: (0..8).map(|_| Default::default()).collect(),
            group: (0..8).map(|_| TcamGroup::new()).collect(),
            entry: (0..T).map(|_| Default::default()).collect(),
            tree: HitTree::new(T),
            _entries: T,
            ..Default::default()
        }
    }
}

impl<const T: usize> Logic for Tcam<T> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, tree, busy_reg, count, matched);

        comment!(
            "A write: the entry is cleared, 16 words are swept, the last group is 8 clocks behind, and the last key that"
        );
        comment!("saw an unfinished column has passed before the entry is valid again.");
        self.done.next = self.count.q.val() == 31;
        self.busy_reg.reset.next = self.reset.val();
        self.busy_reg.en.next = self.write.val() | self.done.val();
        self.busy_reg.d.next = self.write.val();
        self.count.reset.next = self.reset.val();
        self.count.en.next = self.busy_reg.q.val();
        self.count.d.next = self.count.q.val() + 1;
        self.busy.next = self.busy_reg.q.val();
        self.first.next = 1.into();
        self.selected.next = self.first.val() << self.index.val();

        for i in 0..8 {
            self.group[i].clock.next = self.clock.val();
            self.sweep[i].clock.next = self.clock.val();
            self.sweeping[i].clock.next = self.clock.val();
            self.sweeping[i].reset.next = self.reset.val();
            self.group[i].sweep.next = self.sweep[i].q.val();
            self.group[i].sweeping.next = self.sweeping[i].q.val();
            self.group[i].key.next = self.key.val().get_bits::<60>(i * 60);
            self.group[i].value.next = self.value.val().get_bits::<60>(i * 60);
            self.group[i].mask.next = self.mask.val().get_bits::<60>(i * 60);
        }
        comment!("The sweep reaches one group after the other: no net has all chunks as its load.");
        self.sweeping[0].d.next = self.busy_reg.q.val() & !self.count.q.val().get_bit(4);
        self.start.next.address = bit_cast::<4, 5>(self.count.q.val());
        self.start.next.entry = self.selected.val();
        self.sweep[0].d.next = self.start.val();
        for i in 0..7 {
            self.sweeping[i + 1].d.next = self.sweeping[i].q.val();
            self.sweep[i + 1].d.next = self.sweep[i].q.val();
        }

        self.all.next = self.group[0].matched.val();
        for i in 1..8 {
            self.all.next = self.all.val() & self.group[i].matched.val();
        }
        self.matched.d.next = self.all.val();
        for i in 0..self._entries {
            self.entry[i].clock.next = self.clock.val();
            self.entry[i].reset.next = self.reset.val();
            self.entry[i].matched.next = self.matched.q.val().get_bit(i);
            self.entry[i].clear.next = self.write.val() & self.selected.val().get_bit(i);
            self.entry[i].load.next = self.done.val() & self.selected.val().get_bit(i);
            self.entry[i].answer.next = self.answer.val();
            self.tree.hit[i].next = self.entry[i].hit.val();
        }
        self.hit.next = self.tree.best.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastpath::match_reference::{Answer, Entry, TcamEntries, Words, key_bits, tcam_lookup};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng, seq::IndexedRandom};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const T: usize = 8;

    struct Bench {
        uut: Box<Tcam<T>>,
        model: TcamEntries,
        due: VecDeque<Option<Answer>>,
    }

    impl Bench {
        fn new() -> Self {
            let mut uut = Box::new(Tcam::<T>::new());
            uut.connect_all();
            uut.reset.next = true;
            tick(&mut *uut, |u| &mut u.clock);
            uut.reset.next = false;
            Self { uut, model: vec![None; T], due: vec![None; Tcam::<T>::LATENCY - 1].into() }
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
            for _ in 0..Tcam::<T>::LATENCY {
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
            bench.write(rng.random_range(0..T), new, &mut rng, &keys);
            for key in &keys {
                hits += usize::from(tcam_lookup(&bench.model, key).is_some());
                bench.clock(Some(*key));
            }
        }
        assert!((100..550).contains(&hits), "{hits} hits of 600");
        for _ in 0..Tcam::<T>::LATENCY {
            bench.clock(None);
        }
        bench.uut.reset.next = true;
        bench.clock(None);
        bench.uut.reset.next = false;
        bench.model = vec![None; T];
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
        for _ in 0..Tcam::<T>::LATENCY {
            bench.clock(None);
        }
    }

    #[test]
    fn lints() {
        assert_lints(Tcam::<32>::new());
    }
}
