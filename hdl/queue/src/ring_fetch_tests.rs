// SPDX-License-Identifier: MIT OR Apache-2.0
//! `RingFetch` with a driver, memory and the blocks around it.

use super::*;
use crate::memory::Memory;
use crate::testing::{assert_lints, bytes, settle, tick};
use crate::types::Negotiated;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const PAIRS: usize = 5;

/// What the driver and the blocks around know of a queue.
#[derive(Default)]
struct Queue {
    size: u16,
    ring: u64,
    used: u64,
    /// EVENT_IDX is negotiated.
    events: bool,
    /// `avail.idx`, and the entries that were written and did not come out.
    index: u16,
    entries: VecDeque<u16>,
    /// A notification is due; so many were.
    notify: bool,
    notifications: usize,
    granted: usize,
}

/// A write that was taken.
struct Write {
    place: usize,
    data: Vec<u8>,
    strobe: u64,
    visible: bool,
    error: u64,
}

impl Queue {
    fn event_place(&self) -> u64 {
        self.used + 4 + 8 * u64::from(self.size)
    }

    /// None of the writes is this queue's.
    fn rests(&self, writes: &VecDeque<Write>) -> bool {
        writes.iter().all(|write| write.place != self.event_place() as usize / 64 * 64)
    }

    /// `avail_event`
    fn event(&self, memory: &Memory) -> u16 {
        let place = self.event_place() as usize;
        u16::from_le_bytes([memory.bytes[place], memory.bytes[place + 1]])
    }
}

struct Bench {
    dut: Box<RingFetch<PAIRS, 3>>,
    memory: Memory,
    /// Writes that are not answered, and how many there were.
    writes: VecDeque<Write>,
    written: usize,
    queues: Vec<Queue>,
    rng: ChaCha8Rng,
    faults: Vec<(usize, u64)>,
    resets: Vec<usize>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self::with_events(seed, false)
    }

    /// Whether EVENT_IDX is negotiated for each second queue.
    fn with_events(seed: u64, events: bool) -> Self {
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
            let used = 0x8000 + 0x1000 * pair as u64 + 4 * rng.random_range(0..200u64);
            let events = events && pair % 2 == 0;
            queues.push(Queue { size: 1 << size_log2, ring, used, events, ..Default::default() });
            dut.open.next = true;
            dut.open_pair.next = (pair as u64).into();
            dut.opened.next = QueueConfig {
                driver: ring.into(),
                device: used.into(),
                size_log2: (size_log2 as u64).into(),
                function: 3u64.into(),
                features: Negotiated { event_idx: events, ..Default::default() },
                ..Default::default()
            };
            tick(&mut *dut, |d| &mut d.clock);
        }
        dut.open.next = false;
        dut.live.next = ((1u64 << PAIRS) - 1).into();
        dut.room.next = ((1u64 << PAIRS) - 1).into();
        dut.free.next = 64u64.into();
        let (faults, resets, writes) = Default::default();
        Self { dut, memory: Memory::new(0x10000), writes, written: 0, queues, rng, faults, resets }
    }

    /// Makes a chain available.
    fn offer(&mut self, pair: usize, entry: u16) {
        let q = &mut self.queues[pair];
        self.memory.write16(q.ring + 4 + 2 * u64::from(q.index % q.size), entry);
        q.index = q.index.wrapping_add(1);
        self.memory.write16(q.ring + 2, q.index);
        q.entries.push_back(entry);
        // virtio 2.7.10.1: whether the device wants to be told of this entry.
        let event = q.event(&self.memory);
        q.notify |= !q.events || q.index.wrapping_sub(event).wrapping_sub(1) < 1;
    }

    /// Writes become visible one after the other, and are answered some time after.
    fn drive_writes(&mut self) {
        let dut = &mut *self.dut;
        dut.write.ready.next = self.rng.random_bool(0.6);
        if let Some(write) = self.writes.iter_mut().find(|write| !write.visible).filter(|_| self.rng.random_bool(0.2)) {
            write.visible = true;
            let line = self.memory.bytes.get_mut(write.place..write.place + 64).into_iter().flatten();
            for (i, byte) in line.enumerate().filter(|(i, _)| write.strobe >> i & 1 == 1) {
                *byte = write.data[i];
            }
        }
        let answer = self.writes.front().filter(|write| write.visible && self.rng.random_bool(0.2));
        dut.written.valid.next = answer.is_some();
        dut.written.data.next = answer.map_or(0, |write| write.error).into();
    }

    /// With all inputs settled: the write that is taken and the answer that is.
    fn sample_writes(&mut self) {
        if self.dut.written.valid.val() && self.dut.written.ready.val() {
            self.writes.pop_front();
        }
        if self.dut.write.valid.val() && self.dut.write.ready.val() {
            let write = self.dut.write.data.val();
            let place = write.address.to_u64() as usize / 64 * 64;
            let (strobe, error) = (write.strobe.to_u64(), if place < 0x10000 { 0 } else { reason::WINDOW });
            assert_eq!((strobe.count_ones(), write.function.to_u64()), (2, 3));
            let data = bytes(write.data, Bits::<7>::from(64u64));
            self.writes.push_back(Write { place, data, strobe, visible: false, error });
            self.written += 1;
        }
    }

    fn clock(&mut self) {
        self.drive_writes();
        let dut = &mut *self.dut;
        let due: Vec<usize> = (0..PAIRS).filter(|pair| self.queues[*pair].notify).collect();
        let told = (!due.is_empty() && self.rng.random_bool(0.2)).then(|| due[self.rng.random_range(0..due.len())]);
        dut.notify.next = told.is_some();
        if let Some(pair) = told {
            self.queues[pair].notify = false;
            self.queues[pair].notifications += 1;
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
        self.sample_writes();
        let dut = &mut *self.dut;
        if dut.granted.val() {
            self.queues[dut.granted_pair.val().to_u64() as usize].granted += dut.granted_count.val().to_u64() as usize;
        }
        if dut.heads.valid.val() && dut.heads.ready.val() {
            let head = dut.heads.data.val();
            let q = &mut self.queues[head.pair.to_u64() as usize];
            if head.reset {
                self.resets.push(head.pair.to_u64() as usize);
                *q = Queue { size: q.size, ring: q.ring, used: q.used, events: q.events, ..Default::default() };
                assert!(q.rests(&self.writes), "a write after the reset");
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
        // The clock stands still while it may.
        if !dut.idle.val() {
            tick(&mut *dut, |d| &mut d.clock);
        }
        if resetting {
            self.dut.reset_pair.valid.next = false;
        }
    }

    /// Runs until nothing is under way, at most `limit` clocks.
    fn run(&mut self, limit: usize) {
        for _ in 0..limit {
            self.clock();
            let due = self.queues.iter().any(|q| q.notify);
            if !due && self.memory.quiet() && self.writes.is_empty() && self.dut.idle.val() {
                return;
            }
        }
        panic!("not idle after {limit} clocks");
    }
}

#[test]
fn every_entry_of_every_queue_comes_out_once_and_in_order_whatever_the_rings_size_and_place() {
    for seed in 0..12 {
        let mut bench = Bench::with_events(seed, seed > 5);
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
        assert!(bench.queues.iter().filter(|q| q.events).all(|q| q.event(&bench.memory) == q.index), "seed {seed}");
        assert_eq!(bench.written > 0, seed > 5);
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
fn a_driver_with_events_notifies_only_a_queue_at_rest() {
    let mut bench = Bench::with_events(12, true);
    for round in 1..=20 {
        for entry in 0..bench.queues[2].size {
            bench.offer(2, entry);
            bench.clock();
        }
        bench.run(5000);
        let q = &bench.queues[2];
        assert_eq!((q.entries.len(), q.event(&bench.memory)), (0, q.index), "round {round}");
        assert!(q.notifications <= 2 * round, "{} notifications in round {round}", q.notifications);
    }
    // Told for no reason it looks, and has nothing to write.
    let written = bench.written;
    bench.queues[2].notify = true;
    bench.run(1000);
    assert_eq!(bench.written, written);
}

#[test]
fn a_queue_that_is_not_live_writes_no_event_and_a_write_that_fails_is_a_fault() {
    let mut bench = Bench::with_events(13, true);
    bench.offer(0, 0);
    bench.dut.live.next = 0u64.into();
    (0..200).for_each(|_| bench.clock());
    assert_eq!((bench.written, bench.queues[0].entries.len()), (0, 1));
    bench.dut.live.next = ((1u64 << PAIRS) - 1).into();
    bench.dut.open.next = true;
    bench.dut.open_pair.next = 4u64.into();
    let features = Negotiated { event_idx: true, ..Default::default() };
    let (driver, device) = (bench.queues[4].ring.into(), 0x10_0000u64.into());
    bench.dut.opened.next = QueueConfig { driver, device, function: 3u64.into(), features, ..Default::default() };
    bench.clock();
    bench.dut.open.next = false;
    bench.queues[4].notify = true;
    bench.run(2000);
    assert_eq!((bench.queues[0].event(&bench.memory), bench.queues[0].entries.len()), (1, 0));
    assert_eq!(bench.faults, [(4, reason::WINDOW)]);
    // An index that goes back.
    bench.memory.write16(bench.queues[0].ring + 2, 0);
    bench.queues[0].notify = true;
    bench.run(2000);
    assert_eq!(bench.faults, [(4, reason::WINDOW), (0, reason::AVAIL_INDEX)]);
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
    for seed in 20..40 {
        let mut bench = Bench::with_events(seed, seed > 25);
        for pair in 0..PAIRS {
            for _ in 0..bench.queues[pair].size.min(20) {
                bench.offer(pair, 0);
            }
        }
        for _ in 0..40 + 5 * (seed - 20) {
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
