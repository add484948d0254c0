// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages against the set of vectors that wait.

use super::*;
use crate::small::SMALL;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Three functions with 8, 2 and 2 virtqueues.
type Dut = Interrupts<15, 4>;
const SOURCES: u64 = 15;

/// The functions' first sources: 9, 3 and 3 belong to them.
fn function_of(source: u64) -> u64 {
    [9, 12].iter().filter(|first| source >= **first).count() as u64
}

struct Bench {
    dut: Box<Dut>,
    vectors: [u64; SOURCES as usize],
    /// Function and vector of each message that waits.
    waiting: BTreeSet<(u64, u64)>,
    given: Vec<(u64, u64)>,
}

impl Bench {
    fn new() -> Self {
        let mut dut = Box::new(Dut::new(&SMALL));
        dut.connect_all();
        Bench { dut, vectors: [0xffff; 15], waiting: BTreeSet::new(), given: vec![] }
    }

    /// A clock; whether the event was taken.
    fn clock(&mut self, event: Option<(u64, Option<u64>)>, ready: bool) -> bool {
        self.dut.event.valid.next = event.is_some();
        let (source, vector) = event.unwrap_or((0, None));
        self.dut.event.data.next = SourceEvent {
            set: vector.is_some(),
            source: source.into(),
            function: function_of(source).into(),
            vector: vector.unwrap_or(0x5555).into(),
        };
        self.dut.interrupt.ready.next = ready;
        settle(&mut *self.dut);
        let taken = event.is_some() && self.dut.event.ready.val();
        if taken {
            match vector {
                Some(vector) => self.vectors[source as usize] = vector,
                None if self.vectors[source as usize] != 0xffff => {
                    self.waiting.insert((function_of(source), self.vectors[source as usize]));
                }
                None => {}
            }
        }
        if self.dut.interrupt.valid.val() && ready {
            let message = self.dut.interrupt.data.val();
            let message = (message.function.to_u64(), message.vector.to_u64());
            assert!(self.waiting.remove(&message), "{message:?} does not wait");
            self.given.push(message);
        }
        assert!(!self.dut.idle.val() || (event.is_none() && self.waiting.is_empty()));
        tick(&mut *self.dut, |d| &mut d.clock);
        taken
    }

    /// The clocks until an event is taken.
    fn send(&mut self, source: u64, vector: Option<u64>, ready: bool) -> usize {
        (1..100).find(|_| self.clock(Some((source, vector)), ready)).expect("an event is taken")
    }

    /// Each source's vector is its number.
    fn number(&mut self) {
        for source in 0..SOURCES {
            self.send(source, Some(source), false);
        }
    }

    fn drain(&mut self) {
        let idle = (0..500).any(|_| {
            self.clock(None, true);
            settle(&mut *self.dut);
            self.dut.idle.val()
        });
        assert!(idle && self.waiting.is_empty(), "left: {:?}", self.waiting);
    }
}

#[test]
fn each_vector_that_waits_is_given_once() {
    for (seed, ready) in [(1, 1.0), (2, 0.3), (3, 0.05)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bench = Bench::new();
        for _ in 0..20 {
            for source in 0..SOURCES {
                let vector = [0xffff, 0, 1, 2, 0xfffe][rng.random_range(0..5)];
                bench.send(source, Some(vector), true);
            }
            for _ in 0..100 {
                let source = rng.random_range(0..SOURCES);
                while !bench.clock(Some((source, None)), rng.random_bool(ready)) {}
                while rng.random_bool(0.5) {
                    bench.clock(None, rng.random_bool(ready));
                }
            }
            bench.drain();
        }
        assert!(bench.given.len() > 100, "{} messages", bench.given.len());
    }
}

#[test]
fn events_are_taken_while_no_message_is() {
    let mut bench = Bench::new();
    bench.number();
    for round in 0..20 {
        for source in 0..SOURCES {
            assert!(bench.send(source, None, false) <= 7, "round {round}");
        }
    }
    assert!(bench.given.is_empty());
    bench.drain();
    assert_eq!(bench.given.len(), SOURCES as usize, "one each");
}

#[test]
fn no_source_keeps_another_from_its_message() {
    let mut bench = Bench::new();
    bench.number();
    bench.send(2, None, true);
    for _ in 0..60 {
        bench.send(0, None, true);
        bench.send(1, None, true);
    }
    assert!(bench.given.contains(&(0, 2)), "{:?}", bench.given);
}

#[test]
fn a_source_that_loses_its_vector_does_not_wait_any_more() {
    let mut bench = Bench::new();
    bench.number();
    bench.send(9, None, false);
    for _ in 0..50 {
        bench.clock(None, false);
    }
    bench.send(13, None, false);
    bench.send(13, Some(0xffff), false);
    bench.send(13, Some(7), false);
    bench.waiting.remove(&(2, 13));
    bench.drain();
    assert_eq!(bench.given, [(1, 9)]);
}

#[test]
fn verilog_passes_lint() {
    assert_lints(Dut::new(&SMALL));
}
