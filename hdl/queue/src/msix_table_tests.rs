// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages against a table, and a set of vectors that are pending.

use super::*;
use crate::small::SMALL;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

/// Three functions with 9, 4 and 4 vectors.
type Dut = MsixTable<3, 2, 17, 5>;
const ALL: usize = 17;
type Request = MsixRequest<5>;

fn function_of(vector: usize) -> usize {
    [9, 13].iter().filter(|first| vector >= **first).count()
}

fn vectors_of(function: usize) -> Range<usize> {
    [0..9, 9..13, 13..17][function].clone()
}

/// A request about a vector.
fn request(entry: usize) -> Request {
    let function = function_of(entry);
    let Range { start, end } = vectors_of(function);
    let number = |vector: usize| (vector as u64).into();
    Request {
        function: (function as u64).into(),
        first: number(start),
        last: number(end - 1),
        entry: number(entry),
        ..Default::default()
    }
}

struct Bench {
    dut: Box<Dut>,
    clock: u64,
    ready: bool,
    /// Of the functions: MSI-X enabled, masked, bus master.
    enable: u64,
    mask: u64,
    master: u64,
    /// The functions that might give messages, in the last clocks.
    allowed: VecDeque<u64>,
    words: [[u32; 4]; ALL],
    pending: BTreeSet<usize>,
    /// The vector whose message is on the stream, and whether interrupts join it.
    shown: Option<(usize, bool)>,
    /// The same a clock ago, when the request that is taken now was carried out.
    was_shown: Option<(usize, bool)>,
    given: Vec<usize>,
    /// When a vector was given, and the shortest interval that was set since.
    last_given: [Option<(u64, u64)>; ALL],
    intervals: [u64; 3],
}

impl Bench {
    /// After reset; all functions may give messages.
    fn new() -> Self {
        let mut dut = Box::new(Dut::new(&SMALL));
        dut.connect_all();
        let mut bench = Bench {
            dut,
            clock: 0,
            ready: true,
            enable: 7,
            mask: 0,
            master: 7,
            allowed: VecDeque::new(),
            words: [[0, 0, 0, 1]; ALL],
            pending: BTreeSet::new(),
            shown: None,
            was_shown: None,
            given: vec![],
            last_given: [None; ALL],
            intervals: [0; 3],
        };
        bench.reset();
        bench
    }

    fn reset(&mut self) {
        self.dut.reset.next = true;
        tick(&mut *self.dut, |d| &mut d.clock);
        self.dut.reset.next = false;
        (self.words, self.intervals) = ([[0, 0, 0, 1]; ALL], [0; 3]);
        (self.pending, self.shown, self.was_shown, self.last_given) = (BTreeSet::new(), None, None, [None; ALL]);
        self.clocks(ALL + 2);
    }

    fn permits(&self, vector: usize) -> bool {
        let function = function_of(vector);
        self.words[vector][3] == 0 && self.allowed.iter().any(|allowed| allowed >> function & 1 == 1)
    }

    /// A clock. The answer, if the request was taken.
    fn step(&mut self, asked: Option<Request>) -> Option<u32> {
        self.dut.request.valid.next = asked.is_some();
        self.dut.request.data.next = asked.unwrap_or_default();
        self.dut.interrupt.ready.next = self.ready;
        self.dut.msix_enable.next = self.enable.into();
        self.dut.msix_mask.next = self.mask.into();
        self.dut.bus_master.next = self.master.into();
        self.allowed.push_front(self.enable & !self.mask & self.master);
        self.allowed.truncate(8);
        settle(&mut *self.dut);
        self.look_at_stream();
        let taken = (asked.is_some() && self.dut.request.ready.val()).then(|| self.dut.answer.val().to_u64() as u32);
        if let (Some(asked), Some(answer)) = (asked, taken) {
            self.account(asked, answer);
        }
        if self.dut.idle.val() {
            assert!(asked.is_none() && self.shown.is_none());
            let allowed = self.allowed[0];
            let due = self.pending.iter().find(|v| self.words[**v][3] == 0 && allowed >> function_of(**v) & 1 == 1);
            assert_eq!(due, None, "idle");
        }
        self.was_shown = self.shown;
        if self.ready {
            self.shown = None;
        }
        tick(&mut *self.dut, |d| &mut d.clock);
        self.clock += 1;
        taken
    }

    fn look_at_stream(&mut self) {
        if !self.dut.interrupt.valid.val() {
            assert_eq!(self.shown, None, "a message that was shown is gone");
            return;
        }
        let message = self.dut.interrupt.data.val();
        let function = message.function.to_u64() as usize;
        let vector = vectors_of(function).start + message.vector.to_u64() as usize;
        if let Some((shown, _)) = self.shown {
            assert_eq!(shown, vector, "a message changes");
            return;
        }
        assert!(self.pending.remove(&vector), "{vector} is not pending");
        assert!(self.permits(vector), "{vector} may not be given");
        let [low, high, data, _] = self.words[vector];
        let address = u64::from(high) << 32 | u64::from(low);
        assert_eq!((message.address.to_u64(), message.data.to_u64() as u32), (address, data));
        let due = self.last_given[vector].map_or(0, |(last, shortest)| last + shortest);
        assert!(self.clock >= due, "{vector} comes too early");
        self.last_given[vector] = Some((self.clock, self.intervals[function]));
        self.shown = Some((vector, true));
        self.given.push(vector);
    }

    /// What a request that is taken brings about.
    fn account(&mut self, asked: Request, answer: u32) {
        let [entry, first, last] = [asked.entry, asked.first, asked.last].map(|n| n.to_u64() as usize);
        let word = asked.word.to_u64() as usize;
        if asked.raise {
            if self.was_shown != Some((entry, true)) {
                self.pending.insert(entry);
            }
        } else if asked.write {
            let bytes = (0..4).filter(|i| asked.strobe.get_bit(*i)).fold(0, |mask, i| mask | 0xff << (8 * i));
            let word_mask = [!3, u32::MAX, u32::MAX, 1][word];
            let old = &mut self.words[entry][word];
            *old = (*old & !bytes | asked.data.to_u64() as u32 & bytes) & word_mask;
            self.shown = self.shown.map(|(shown, joins)| (shown, joins && shown != entry));
        } else if asked.collect {
            let bits = (entry..=last.min(entry + 31)).filter(|v| self.pending.contains(v));
            assert_eq!(answer, bits.fold(0, |bits, v| bits | 1 << (v - entry)), "pending bits");
        } else if asked.calm {
            self.pending.retain(|v| !(first..=last).contains(v));
        } else if asked.moderate {
            let (function, interval) = (asked.function.to_u64() as usize, asked.data.to_u64());
            self.intervals[function] = interval;
            for (_, shortest) in self.last_given[vectors_of(function)].iter_mut().flatten() {
                *shortest = interval.min(*shortest);
            }
        } else {
            assert_eq!(answer, self.words[entry][word], "word {word} of {entry}");
        }
    }

    fn clocks(&mut self, count: usize) {
        (0..count).for_each(|_| assert_eq!(self.step(None), None));
    }

    /// The clocks until a request is taken.
    fn ask(&mut self, asked: Request) -> usize {
        (1..200).find(|_| self.step(Some(asked)).is_some()).expect("a request is taken")
    }

    fn raise(&mut self, vector: usize) -> usize {
        self.ask(Request { raise: true, ..request(vector) })
    }

    fn write(&mut self, vector: usize, word: u64, data: u32, strobe: u64) -> usize {
        let (word, data, strobe) = (word.into(), u64::from(data).into(), strobe.into());
        self.ask(Request { write: true, word, data, strobe, ..request(vector) })
    }

    fn mask(&mut self, vector: usize, masked: bool) {
        self.write(vector, 3, masked.into(), 1);
    }

    fn moderate(&mut self, function: usize, clocks: u64) {
        let first = vectors_of(function).start;
        self.ask(Request { moderate: true, data: clocks.into(), ..request(first) });
    }

    /// Reads all that can be read, which is compared.
    fn compare(&mut self) {
        for vector in 0..ALL {
            for word in 0..4u64 {
                self.ask(Request { word: word.into(), ..request(vector) });
            }
        }
        for function in 0..3 {
            self.ask(Request { collect: true, ..request(vectors_of(function).start) });
        }
    }

    /// Each vector has an address and data of its own, and is not masked.
    fn set_up(&mut self) {
        for vector in 0..ALL {
            for word in 0..3 {
                self.write(vector, word, 0x1000_0000 * (word as u32 + 1) + 0x100 * vector as u32, 15);
            }
            self.mask(vector, false);
        }
    }

    /// Everything may go: nothing is left within the clocks that the page says.
    fn drain(&mut self) {
        (self.enable, self.mask, self.master, self.ready) = (7, 0, 7, true);
        (0..ALL).for_each(|vector| self.mask(vector, false));
        (0..3).for_each(|function| self.moderate(function, 0));
        self.clocks(8 + 7 * ALL);
        assert!(self.pending.is_empty() && self.shown.is_none(), "left: {:?}", self.pending);
        self.clocks(3 * ALL);
        assert!(self.dut.idle.val());
    }
}

#[test]
fn after_reset_all_vectors_are_masked() {
    let mut bench = Bench::new();
    bench.compare();
    (0..ALL).for_each(|vector| {
        bench.raise(vector);
    });
    bench.compare();
    assert!(bench.given.is_empty());
    bench.set_up();
    bench.clocks(100);
    bench.moderate(1, 50);
    bench.raise(10);
    bench.reset();
    bench.compare();
    bench.drain();
    assert_eq!(bench.given.len(), ALL, "those from before reset");
}

#[test]
fn every_entry_is_one_of_its_own() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut bench = Bench::new();
    for _ in 0..300 {
        let (vector, word) = (rng.random_range(0..ALL), rng.random_range(0..4));
        bench.write(vector, word, rng.random(), rng.random_range(0..16));
    }
    bench.compare();
}

/// Raises, masks, resets, inputs and a stream that stands still, in any order.
#[test]
fn nothing_is_lost_or_given_where_it_must_not_be() {
    for (seed, ready, interval) in [(1, 1.0, 0), (2, 0.3, 0), (3, 0.03, 0), (4, 0.5, 60), (5, 1.0, 400)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bench = Bench::new();
        bench.set_up();
        for _ in 0..12 {
            for _ in 0..150 {
                let vector = rng.random_range(0..ALL);
                let asked = match rng.random_range(0..40) {
                    0..22 => Request { raise: true, ..request(vector) },
                    22..30 => {
                        let (word, data) = (3u64.into(), rng.random_range(0..2u64).into());
                        Request { write: true, word, data, strobe: 15u64.into(), ..request(vector) }
                    }
                    30..32 => {
                        let (word, data) = (rng.random_range(0..3u64).into(), u64::from(rng.random::<u32>()).into());
                        Request {
                            write: true,
                            word,
                            data,
                            strobe: rng.random_range(1..16u64).into(),
                            ..request(vector)
                        }
                    }
                    32 => Request { calm: true, ..request(vectors_of(function_of(vector)).start) },
                    33..35 => Request { collect: true, ..request(vector) },
                    35 => {
                        let data = rng.random_range(0..=interval).into();
                        Request { moderate: true, data, ..request(vector) }
                    }
                    36 => Request { word: rng.random_range(0..4u64).into(), ..request(vector) },
                    _ => {
                        let bits = [&mut bench.enable, &mut bench.mask, &mut bench.master];
                        let [enable, mask, master] = bits;
                        match rng.random_range(0..3) {
                            0 => *enable = rng.random_range(0..8) | rng.random_range(0..8),
                            1 => *mask = rng.random_range(0..8) & rng.random_range(0..8),
                            _ => *master = rng.random_range(0..8) | rng.random_range(0..8),
                        }
                        continue;
                    }
                };
                bench.ready = rng.random_bool(ready);
                while bench.step(Some(asked)).is_none() {
                    bench.ready = rng.random_bool(ready);
                }
                while rng.random_bool(0.8) {
                    bench.ready = rng.random_bool(ready);
                    bench.clocks(1);
                }
            }
            bench.drain();
            bench.compare();
        }
        let kinds: BTreeSet<_> = bench.given.iter().collect();
        assert!(bench.given.len() > 150 && kinds.len() == ALL, "seed {seed}: {} messages", bench.given.len());
    }
}

#[test]
fn requests_are_taken_while_no_message_is() {
    let mut bench = Bench::new();
    bench.set_up();
    bench.ready = false;
    for _ in 0..10 {
        for vector in 0..ALL {
            assert!(bench.raise(vector) <= 15);
            assert!(bench.write(vector, 2, 5, 15) <= 15);
            assert!(bench.ask(Request { collect: true, ..request(vector) }) <= 50);
        }
    }
    assert_eq!(bench.given.len(), 1, "the one that is shown");
    bench.drain();
    assert_eq!(bench.given.len(), ALL + 1, "one each, and that whose entry was written while it was shown");
}

#[test]
fn a_message_of_a_vector_at_rest_comes_at_once() {
    let mut bench = Bench::new();
    bench.set_up();
    bench.clocks(100);
    for vector in [14, 3, 9, 9] {
        let before = bench.given.len();
        bench.raise(vector);
        bench.clocks(8);
        assert_eq!(bench.given[before..], [vector]);
        bench.clocks(50);
    }
}

#[test]
fn no_vector_keeps_another_from_its_message() {
    let mut bench = Bench::new();
    bench.set_up();
    bench.ready = false;
    (0..ALL).for_each(|vector| {
        bench.raise(vector);
    });
    bench.ready = true;
    for _ in 0..2 * ALL {
        bench.raise(0);
        bench.raise(1);
    }
    assert!((2..ALL).all(|vector| bench.given.contains(&vector)), "{:?}", bench.given);
}

#[test]
fn a_masked_vector_is_given_when_it_is_unmasked_and_once() {
    let mut bench = Bench::new();
    bench.set_up();
    bench.mask(10, true);
    (0..3).for_each(|_| {
        bench.raise(10);
    });
    bench.raise(11);
    bench.clocks(100);
    bench.compare();
    assert_eq!(bench.given, [11]);
    bench.mask(10, false);
    bench.clocks(100);
    assert_eq!(bench.given, [11, 10]);
}

#[test]
fn functions_give_messages_when_all_three_bits_allow() {
    let mut bench = Bench::new();
    bench.set_up();
    let cases: [fn(&mut Bench, bool); 3] = [
        |b, on| b.enable = if on { 7 } else { 5 },
        |b, on| b.mask = if on { 0 } else { 2 },
        |b, on| b.master = if on { 7 } else { 5 },
    ];
    for set in cases {
        bench.given.clear();
        set(&mut bench, false);
        bench.clocks(10);
        for vector in [9, 11, 13, 2] {
            bench.raise(vector);
        }
        bench.clocks(100);
        assert!(bench.dut.idle.val());
        bench.given.sort_unstable();
        assert_eq!(bench.given, [2, 13]);
        set(&mut bench, true);
        bench.clocks(100);
        assert_eq!(bench.given[2..].iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([9, 11]));
    }
}

#[test]
fn a_moderated_vector_waits_and_others_do_not() {
    let mut bench = Bench::new();
    bench.set_up();
    bench.moderate(1, 1000);
    for _ in 0..40 {
        bench.raise(9);
        bench.raise(13);
        bench.clocks(30);
    }
    let count = |bench: &Bench, vector| bench.given.iter().filter(|v| **v == vector).count();
    assert_eq!((count(&bench, 9), count(&bench, 13)), (2, 40));
    bench.clocks(2200);
    assert_eq!(count(&bench, 9), 3);
    assert!(bench.dut.idle.val(), "nothing to wait for");
    bench.raise(9);
    bench.clocks(10);
    assert_eq!(count(&bench, 9), 4, "long enough ago");
}

#[test]
fn verilog_passes_lint() {
    assert_lints(Dut::new(&SMALL));
}
