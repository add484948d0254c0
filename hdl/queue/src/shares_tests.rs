// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions whose chains wait in one queue for the reads of their frames, as behind `RingSide`.

use super::*;
use crate::small::SMALL;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Three functions with 4, 2 and 2 pairs, of which the last of each is a controlq's but for those of the first.
type Dut = Shares<8, 3, 3, 2>;
const CONTROL: [usize; 2] = [5, 7];
const PAIRS: [u64; 3] = [2, 4, 6];
/// Chains that wait at most, but where more are said, and clocks until one that was begun comes there.
const DEPTH: usize = 16;
const ROUND_TRIP: u64 = 200;

struct Bench {
    dut: Box<Dut>,
    rng: ChaCha8Rng,
    clock: u64,
    /// Bytes of a chain of each function, if it sends, and clocks between two of them at least.
    chains: [Option<(u64, u64)>; 3],
    next: [u64; 3],
    /// When it is there, whose it is, its bytes.
    waiting: VecDeque<(u64, usize, u64)>,
    depth: usize,
    turn: usize,
    busy: u64,
    read: [u64; 3],
    held: u64,
    stopped: u64,
}

impl Bench {
    fn new(weights: [u64; 3], chains: [Option<(u64, u64)>; 3]) -> Self {
        let mut dut = Box::new(Dut::new(&SMALL, &CONTROL));
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let (rng, waiting) = (ChaCha8Rng::seed_from_u64(1), VecDeque::new());
        let mut bench = Self {
            dut,
            rng,
            clock: 0,
            chains,
            next: [0; 3],
            waiting,
            depth: DEPTH,
            turn: 0,
            busy: 0,
            read: [0; 3],
            held: 0,
            stopped: 0,
        };
        bench.weigh(weights);
        bench
    }

    fn weigh(&mut self, weights: [u64; 3]) {
        let dut = &mut *self.dut;
        for (function, weight) in (0..).zip(weights) {
            dut.weight_write.next = true;
            (dut.set_function.next, dut.set_value.next) = (u64::into(function), weight.into());
            tick(dut, |d| &mut d.clock);
        }
        dut.weight_write.next = false;
    }

    /// Begins a chain of the next function in turn that may.
    fn begin(&mut self, held: u64) {
        let turns = (1..=3).map(|i| (self.turn + i) % 3);
        let may = |f: &usize| held >> f & 1 == 0 && self.chains[*f].is_some() && self.next[*f] <= self.clock;
        let Some(function) = turns.into_iter().find(may).filter(|_| self.waiting.len() < self.depth) else { return };
        let (bytes, gap) = self.chains[function].expect("it sends");
        (self.turn, self.next[function]) = (function, self.clock + gap);
        let bytes = self.rng.random_range(bytes / 2..=bytes + bytes / 2);
        self.waiting.push_back((self.clock + ROUND_TRIP, function, bytes));
    }

    fn clock(&mut self) {
        let there = self.waiting.front().copied().filter(|(when, ..)| *when <= self.clock);
        let takes = there.filter(|_| self.busy == 0);
        self.busy = self.busy.saturating_sub(1);
        let dut = &mut *self.dut;
        (dut.read.next, dut.blocked.next) = (takes.is_some(), there.is_some() && takes.is_none());
        let (_, function, bytes) = takes.unwrap_or_default();
        (dut.read_function.next, dut.read_bytes.next) = ((function as u64).into(), bytes.into());
        // Commands that wait are no frames.
        let wants = (0..3).filter(|f| self.chains[*f].is_some() && self.next[*f] <= self.clock);
        dut.backlog.next = wants.fold(0b1010_0000, |all, f| all | 1 << PAIRS[f]).into();
        dut.stopped.next = self.stopped.into();
        if takes.is_some() {
            self.waiting.pop_front();
            self.busy = bytes.div_ceil(64) - 1;
            self.read[function] += bytes;
        }
        settle(dut);
        let held = dut.held.val().to_u64();
        self.held += u64::from(held != 0);
        self.begin(held);
        tick(&mut *self.dut, |d| &mut d.clock);
        self.clock += 1;
    }

    /// What is read in so many clocks.
    fn run(&mut self, clocks: u64) -> [u64; 3] {
        let before = self.read;
        (0..clocks).for_each(|_| self.clock());
        std::array::from_fn(|f| self.read[f] - before[f])
    }
}

#[track_caller]
fn assert_shares(read: [u64; 3], weights: [u64; 3]) {
    let (all, sum) = (read.iter().sum::<u64>() as f64, weights.iter().sum::<u64>() as f64);
    for (read, weight) in read.iter().zip(weights) {
        let due = all * weight as f64 / sum;
        assert!((*read as f64 - due).abs() <= 0.05 * due, "{read} where {due} is due of {all}");
    }
}

#[test]
fn bytes_are_shared_by_weight_whatever_the_chains_are_long() {
    for weights in [[1, 4, 2], [1, 1, 10], [3, 2, 0]] {
        for bytes in [[1500, 1500, 1500], [6000, 3000, 1500]] {
            let mut bench = Bench::new(weights, bytes.map(|bytes| Some((bytes, 0))));
            bench.run(10_000);
            let clocks = 500_000;
            let read = bench.run(clocks);
            assert_shares(read, weights.map(|weight| weight.max(1)));
            assert!(read.iter().sum::<u64>() > 60 * clocks, "{read:?}");
        }
    }
}

#[test]
fn the_share_of_who_sends_nothing_goes_to_the_others_at_once() {
    let long = Some((1500, 0));
    let mut bench = Bench::new([100, 3, 1], [None, long, long]);
    bench.run(10_000);
    assert_shares(bench.run(100_000), [0, 3, 1]);
    bench.chains[1] = None;
    let alone = bench.run(20_000);
    assert!(alone[2] > 50 * 20_000, "{alone:?}");
    assert!(bench.run(10_000)[2] > 62 * 10_000, "nobody is waited for any more");
    // And what it had alone is not held against it.
    bench.chains[1] = long;
    bench.run(20_000);
    assert_shares(bench.run(100_000), [0, 3, 1]);
    // The same of who may not send for its rate.
    bench.stopped = 0b10;
    bench.run(5_000);
    let held = bench.held;
    bench.run(5_000);
    assert_eq!(bench.held, held);
}

#[test]
fn who_sends_little_is_not_waited_for() {
    let mut bench = Bench::new([0, 200, 1], [None, Some((100, 300)), Some((1500, 0))]);
    bench.depth = 64;
    bench.run(10_000);
    let read = bench.run(50_000);
    assert!(read[1] > 100 * 50_000 / 301 * 9 / 10 && read[1] + read[2] > 50 * 50_000, "{read:?}");
}

#[test]
fn without_weights_or_without_need_nobody_is_held() {
    let long = Some((1500, 0));
    let mut bench = Bench::new([0; 3], [long; 3]);
    bench.run(20_000);
    assert_eq!(bench.held, 0);
    bench.weigh([0, 1, 0]);
    bench.run(20_000);
    assert!(bench.held > 0);
    bench.weigh([0; 3]);
    let held = bench.held;
    bench.run(20_000);
    assert!(bench.held <= held + 3);
    let mut slow = Bench::new([0, 1, 9], [None, Some((600, 40)), Some((600, 40))]);
    slow.run(50_000);
    assert_eq!(slow.held, 0, "there is room for both");
    (slow.chains, slow.next) = ([None; 3], [0; 3]);
    slow.run(10_000);
    settle(&mut *slow.dut);
    assert!(slow.dut.idle.val());
}

#[test]
fn shares_lint() {
    assert_lints(Dut::new(&SMALL, &CONTROL));
}
