// SPDX-License-Identifier: MIT OR Apache-2.0
//! `RingFetch` with a driver, memory and the blocks around it.

use super::*;
use crate::memory::Memory;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const PAIRS: usize = 5;

/// What the driver and the blocks around know of a queue.
#[derive(Default)]
struct Queue {
    size: u16,
    ring: u64,
    /// `avail.idx`, and the entries that were written and did not come out.
    index: u16,
    entries: VecDeque<u16>,
    /// A notification is due.
    notify: bool,
    granted: usize,
}

struct Bench {
    dut: Box<RingFetch<PAIRS, 3>>,
    memory: Memory,
    queues: Vec<Queue>,
    rng: ChaCha8Rng,
    faults: Vec<(usize, u64)>,
    resets: Vec<usize>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut dut = Box::<RingFetch<PAIRS, 3>>::default();
        dut.connect_all();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut queues = vec![];
        for pair in 0..PAIRS {
            let size_log2 = rng.random_range(0..=8);
            // Anywhere that virtio allows: rings begin at even addresses.
            let ring = 0x1000 * pair as u64 + 2 * rng.random_range(0..200u64);
            queues.push(Queue { size: 1 << size_log2, ring, ..Default::default() });
            dut.open.next = true;
            dut.open_pair.next = (pair as u64).into();
            dut.opened.next = QueueConfig {
                driver: ring.into(),
                size_log2: (size_log2 as u64).into(),
                function: 3u64.into(),
                ..Default::default()
            };
            tick(&mut *dut, |d| &mut d.clock);
        }
        dut.open.next = false;
        dut.live.next = ((1u64 << PAIRS) - 1).into();
        dut.room.next = ((1u64 << PAIRS) - 1).into();
        dut.free.next = 64u64.into();
        dut.free.next = 64u64.into();
        Self { dut, memory: Memory::new(0x8000), queues, rng, faults: vec![], resets: vec![] }
    }

    /// Makes a chain available.
    fn offer(&mut self, pair: usize, entry: u16) {
        let q = &mut self.queues[pair];
        self.memory.write16(q.ring + 4 + 2 * u64::from(q.index % q.size), entry);
        q.index = q.index.wrapping_add(1);
        self.memory.write16(q.ring + 2, q.index);
        q.entries.push_back(entry);
        q.notify = true;
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let due: Vec<usize> = (0..PAIRS).filter(|pair| self.queues[*pair].notify).collect();
        let told = (!due.is_empty() && self.rng.random_bool(0.2)).then(|| due[self.rng.random_range(0..due.len())]);
        dut.notify.next = told.is_some();
        if let Some(pair) = told {
            self.queues[pair].notify = false;
            dut.notify_pair.next = (pair as u64).into();
        }
        dut.heads.ready.next = self.rng.random_bool(0.8);
        dut.fault.ready.next = self.rng.random_bool(0.5);
        settle(dut);
        let asked = (dut.read.valid.val(), dut.read.data.val());
        self.memory.drive(asked, &mut dut.read.ready, (&mut dut.answer.valid, &mut dut.answer.data), &mut self.rng);
        settle(dut);
        assert!(dut.answer.ready.val());
        self.memory.taken();
        if dut.granted.val() {
            self.queues[dut.granted_pair.val().to_u64() as usize].granted += dut.granted_count.val().to_u64() as usize;
        }
        if dut.heads.valid.val() && dut.heads.ready.val() {
            let head = dut.heads.data.val();
            let q = &mut self.queues[head.pair.to_u64() as usize];
            if head.reset {
                self.resets.push(head.pair.to_u64() as usize);
                *q = Queue { size: q.size, ring: q.ring, ..Default::default() };
            } else {
                assert_eq!(Some(head.index.to_u64() as u16), q.entries.pop_front());
                q.granted -= 1;
            }
        }
        if dut.fault.valid.val() && dut.fault.ready.val() {
            let fault = dut.fault.data.val();
            self.faults.push((fault.vq.to_u64() as usize, fault.reason.to_u64()));
        }
        let resetting = dut.reset_pair.valid.val() && dut.reset_pair.ready.val();
        tick(&mut *dut, |d| &mut d.clock);
        if resetting {
            self.dut.reset_pair.valid.next = false;
        }
    }

    /// Runs until nothing is under way, at most `limit` clocks.
    fn run(&mut self, limit: usize) {
        for _ in 0..limit {
            self.clock();
            let due = self.queues.iter().any(|q| q.notify);
            if !due && self.memory.quiet() && self.dut.idle.val() {
                return;
            }
        }
        panic!("not idle after {limit} clocks");
    }
}

#[test]
fn every_entry_of_every_queue_comes_out_once_and_in_order_whatever_the_rings_size_and_place() {
    for seed in 0..6 {
        let mut bench = Bench::new(seed);
        for _ in 0..1500 {
            let pair = bench.rng.random_range(0..PAIRS);
            let q = &bench.queues[pair];
            if q.entries.len() < q.size as usize && bench.rng.random_bool(0.4) {
                let entry = bench.rng.random_range(0..q.size);
                bench.offer(pair, entry);
            }
            bench.clock();
        }
        bench.run(5000);
        assert!(bench.queues.iter().all(|q| q.entries.is_empty() && q.granted == 0), "seed {seed}");
        assert!(bench.queues.iter().all(|q| q.index > 10), "seed {seed}: all of them were at work");
        assert_eq!(bench.faults, [], "seed {seed}");
    }
}

#[test]
fn the_index_wraps() {
    let mut bench = Bench::new(11);
    bench.queues[0].size = 256;
    bench.dut.open.next = true;
    bench.dut.open_pair.next = 0u64.into();
    bench.dut.opened.next =
        QueueConfig { driver: bench.queues[0].ring.into(), size_log2: 8u64.into(), ..Default::default() };
    bench.clock();
    bench.dut.open.next = false;
    for round in 0..260 {
        for entry in 0..256 {
            bench.offer(0, entry);
        }
        bench.run(5000);
        assert!(bench.queues[0].entries.is_empty(), "round {round}");
    }
    assert_eq!(bench.faults, []);
}

#[test]
fn a_queue_without_room_or_life_waits_and_loses_nothing() {
    let mut bench = Bench::new(2);
    bench.dut.room.next = 0b11110u64.into();
    bench.dut.live.next = 0b11101u64.into();
    for pair in 0..PAIRS {
        bench.offer(pair, 0);
    }
    for _ in 0..400 {
        bench.clock();
    }
    let left: Vec<usize> = bench.queues.iter().map(|q| q.entries.len()).collect();
    assert_eq!(left, [1, 1, 0, 0, 0]);
    bench.dut.room.next = 0b11111u64.into();
    bench.dut.live.next = 0b11111u64.into();
    bench.run(1000);
    assert!(bench.queues.iter().all(|q| q.entries.is_empty()));
}

#[test]
fn an_index_ahead_of_the_ring_an_entry_out_of_range_and_memory_that_is_not_there_are_faults() {
    let mut bench = Bench::new(3);
    for pair in [0, 1] {
        bench.offer(pair, 0);
    }
    // More entries than the ring has; an entry that is no descriptor; a ring outside the memory.
    let (q0, q1) = (&bench.queues[0], &bench.queues[1]);
    let (ahead, ring) = (q0.ring + 2, q1.ring + 4);
    let (size0, size1) = (q0.size, q1.size);
    bench.memory.write16(ahead, size0 + 1);
    bench.memory.write16(ring, size1);
    bench.queues[2].notify = true;
    bench.dut.open.next = true;
    bench.dut.open_pair.next = 2u64.into();
    bench.dut.opened.next = QueueConfig { driver: 0x10_0000u64.into(), ..Default::default() };
    bench.clock();
    bench.dut.open.next = false;
    bench.run(2000);
    bench.faults.sort();
    assert_eq!(bench.faults, [(0, reason::AVAIL_INDEX), (1, reason::HEAD), (2, reason::BUS)]);
}

#[test]
fn a_reset_waits_for_what_is_under_way_and_forgets_the_rest() {
    for seed in 20..26 {
        let mut bench = Bench::new(seed);
        for pair in 0..PAIRS {
            for _ in 0..bench.queues[pair].size.min(20) {
                bench.offer(pair, 0);
            }
        }
        for _ in 0..40 {
            bench.clock();
        }
        let pair = seed as usize % PAIRS;
        let others = ((1u64 << PAIRS) - 1) & !(1 << pair);
        bench.dut.live.next = others.into();
        bench.dut.reset_pair.valid.next = true;
        bench.dut.reset_pair.data.next = (pair as u64).into();
        bench.queues[pair].notify = false;
        while bench.resets.is_empty() {
            bench.clock();
        }
        bench.run(3000);
        assert!(bench.queues.iter().all(|q| q.entries.is_empty()), "the others went on");
        // It begins at the first entry again.
        bench.memory.write16(bench.queues[pair].ring + 2, 0);
        bench.dut.live.next = ((1u64 << PAIRS) - 1).into();
        bench.offer(pair, 0);
        bench.run(1000);
        assert!(bench.queues[pair].entries.is_empty());
        assert_eq!((bench.resets, bench.faults), (vec![pair], vec![]));
    }
}

#[test]
fn ring_fetch_lints() {
    assert_lints(RingFetch::<5, 3>::default());
}
