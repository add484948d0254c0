// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::memory::Memory;
use crate::testing::{assert_lints, bytes, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const PAIRS: usize = 5;
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

type Dut<const RECEIVE: usize> = PackedFetch<PAIRS, 3, RECEIVE>;

/// What is to come out of a descriptor: address, length, flags, whether it is its chain's first, and last; id and number of the last.
#[derive(Debug, PartialEq, Clone, Copy)]
struct Due {
    address: u64,
    length: u64,
    write: bool,
    indirect: bool,
    first: bool,
    last: Option<(u64, u64)>,
}

/// What driver and engine know of a queue.
struct Queue {
    ring: u64,
    event: u64,
    size: u64,
    /// Where the next chain goes; descriptors that are free; lengths of chains that were not used.
    index: u64,
    wrap: bool,
    free: u64,
    under_way: VecDeque<u64>,
    due: VecDeque<Due>,
    has_event: bool,
    notify: bool,
    /// Chains that have a place in the store; those of them that came there.
    kept: u64,
    came: u64,
}

struct Bench<const RECEIVE: usize> {
    dut: Box<Dut<RECEIVE>>,
    memory: Memory,
    queues: Vec<Queue>,
    rng: ChaCha8Rng,
    resets: Vec<usize>,
    /// Faults in the steps: pair and reason.
    faults: Vec<(usize, u64)>,
    written: VecDeque<u64>,
    notifications: usize,
    /// Nothing leaves the store.
    pause: bool,
    /// A queue that has stopped or is to be reset; whether its steps since were the last of their chains.
    gone: Option<usize>,
    given_up: Vec<bool>,
}

impl<const RECEIVE: usize> Bench<RECEIVE> {
    fn new(seed: u64, has_event: bool) -> Self {
        let mut dut = Box::<Dut<RECEIVE>>::default();
        dut.connect_all();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut queues = vec![];
        for pair in 0..PAIRS as u64 {
            let size = [256, 1, 3, 100, 64][pair as usize];
            let ring = 0x2000 * pair + 16 * rng.random_range(0..200u64);
            let event = 0x2000 * pair + 0x1f00 + 4 * rng.random_range(0..60u64);
            let (under_way, due) = Default::default();
            queues.push(Queue {
                ring,
                event,
                size,
                index: 0,
                wrap: true,
                free: size,
                under_way,
                due,
                has_event,
                notify: false,
                kept: 0,
                came: 0,
            });
            dut.open.next = true;
            dut.open_pair.next = pair.into();
            let mut opened =
                QueueConfig { desc: ring.into(), device: event.into(), size: size.into(), ..Default::default() };
            opened.function = 3u64.into();
            opened.features.event_idx = has_event;
            opened.features.indirect = true;
            dut.opened.next = opened;
            tick(&mut *dut, |d| &mut d.clock);
        }
        dut.open.next = false;
        dut.live.next = ((1u64 << PAIRS) - 1).into();
        let (resets, faults, written, gone, given_up) = Default::default();
        let memory = Memory::new(0xa000);
        Self { dut, memory, queues, rng, resets, faults, written, notifications: 0, pause: false, gone, given_up }
    }

    /// Makes a chain available: its descriptors but the first, and that last.
    fn offer(&mut self, pair: usize, count: u64) {
        let q = &mut self.queues[pair];
        let id = self.rng.random::<u16>();
        let mut places = vec![];
        for i in 0..count {
            let indirect = count == 1 && self.rng.random_bool(0.2);
            let length = self.rng.random_range(1..5000);
            let address = self.rng.random::<u64>() >> 20;
            let more = i + 1 < count;
            let ours = if q.wrap { AVAIL } else { USED };
            let flags = ours
                | if more { NEXT } else { 0 }
                | if RECEIVE == 1 { WRITE } else { 0 }
                | if indirect { INDIRECT } else { 0 };
            let own_id = if more { self.rng.random() } else { id };
            places.push((q.index, (address, length, own_id, flags)));
            q.due.push_back(Due {
                address,
                length: length.into(),
                write: RECEIVE == 1,
                indirect,
                first: i == 0,
                last: (!more).then_some((id.into(), count)),
            });
            q.index += 1;
            if q.index == q.size {
                q.index = 0;
                q.wrap = !q.wrap;
            }
        }
        q.free -= count;
        q.under_way.push_back(count);
        let last_event = u32::from_le_bytes(self.memory.bytes[q.event as usize..][..4].try_into().expect("four"));
        for (index, descriptor) in places.iter().rev() {
            self.memory.write_packed(q.ring, *index, *descriptor);
        }
        q.notify |= !q.has_event || wants(last_event, q, count);
    }

    fn clock(&mut self) {
        let due: Vec<usize> = (0..PAIRS).filter(|pair| self.queues[*pair].notify).collect();
        let told = (!due.is_empty() && self.rng.random_bool(0.2)).then(|| due[self.rng.random_range(0..due.len())]);
        let dut = &mut *self.dut;
        dut.notify.next = told.is_some();
        if let Some(pair) = told {
            self.notifications += 1;
            self.queues[pair].notify = false;
            dut.notify_pair.next = (pair as u64).into();
        }
        if self.rng.random_ratio(1, 100) {
            self.pause = self.rng.random();
        }
        for q in &mut self.queues {
            if !self.pause && q.came > 0 && self.rng.random_bool(0.3) {
                (q.came, q.kept) = (q.came - 1, q.kept - 1);
            }
        }
        dut.steps.ready.next = self.rng.random_bool(0.8);
        dut.may_grant.next = self.rng.random_bool(0.9);
        dut.event.ready.next = self.rng.random_bool(0.5);
        dut.event_written.valid.next = !self.written.is_empty() && self.rng.random_bool(0.1);
        dut.event_written.data.next = self.written.front().copied().unwrap_or_default().into();
        dut.fault.ready.next = true;
        let room = (0..PAIRS).filter(|p| self.queues[*p].kept <= 48).fold(0, |bits, p| bits | 1u64 << p);
        dut.room.next = room.into();
        settle(dut);
        let asked = (dut.read.valid.val(), dut.read.data.val());
        self.memory.drive(asked, &mut dut.read.ready, (&mut dut.answer.valid, &mut dut.answer.data), &mut self.rng);
        settle(dut);
        dut.free.next = (64 - self.queues[dut.granted_pair.val().to_u64() as usize % PAIRS].kept).into();
        settle(dut);
        assert!(dut.answer.ready.val());
        self.memory.taken();
        if dut.granted.val() {
            assert!(dut.may_grant.val());
            self.queues[dut.granted_pair.val().to_u64() as usize].kept += 1;
        }
        if dut.event_written.valid.val() && dut.event_written.ready.val() {
            self.written.pop_front();
        }
        if dut.event.valid.val() && dut.event.ready.val() {
            let write = dut.event.data.val();
            let line = write.address.to_u64() as usize & !63;
            let data = bytes(write.data, Bits::<7>::from(64u64));
            let mut error = 0;
            for (i, byte) in data.iter().enumerate().filter(|(i, _)| write.strobe.get_bit(*i)) {
                match self.memory.bytes.get_mut(line + i) {
                    Some(place) => *place = *byte,
                    None => error = reason::BUS,
                }
            }
            self.written.push_back(error);
        }
        if dut.steps.valid.val() && dut.steps.ready.val() {
            let step = dut.steps.data.val();
            self.take(step);
        }
        if self.dut.fault.valid.val() {
            let fault = self.dut.fault.data.val();
            self.faults.push((fault.vq.to_u64() as usize, fault.reason.to_u64()));
        }
        let resetting = self.dut.reset_pair.valid.val() && self.dut.reset_pair.ready.val();
        // The clock stands still while it may.
        if !self.dut.idle.val() {
            tick(&mut *self.dut, |d| &mut d.clock);
        }
        if resetting {
            self.dut.reset_pair.valid.next = false;
        }
    }

    /// A step that came out.
    fn take(&mut self, step: Step<3>) {
        let pair = step.pair.to_u64() as usize;
        let q = &mut self.queues[pair];
        if step.reset {
            self.resets.push(pair);
            return;
        }
        if self.gone == Some(pair) {
            self.given_up.push(step.last);
            return;
        }
        if step.error.any() {
            assert!(step.last);
            self.faults.push((pair, step.error.to_u64()));
            return;
        }
        let d = step.descriptor;
        let came = Due {
            address: d.address.to_u64(),
            length: d.length.to_u64(),
            write: d.write,
            indirect: d.indirect,
            first: step.first,
            last: step.last.then(|| (step.head.to_u64(), step.skip.to_u64())),
        };
        assert_eq!((Some(came), step.function.to_u64()), (q.due.pop_front(), 3));
        if step.last {
            q.came += 1;
            q.free += q.under_way.pop_front().expect("a chain");
        }
    }

    fn run(&mut self, limit: usize) {
        for _ in 0..limit {
            self.clock();
            let due = self.queues.iter().any(|q| q.notify);
            let came = self.queues.iter().any(|q| q.came > 0);
            if !due && !came && self.memory.quiet() && self.written.is_empty() && self.dut.idle.val() {
                return;
            }
        }
        panic!("not idle after {limit} clocks");
    }

    /// Random chains on random queues.
    fn play(&mut self, chains: usize) {
        for _ in 0..chains {
            let pair = self.rng.random_range(0..PAIRS);
            let most = if RECEIVE == 1 { 4 } else { 9 };
            let count = self.rng.random_range(1..=self.queues[pair].size.min(most));
            let burst = if self.rng.random_bool(0.1) { 100 } else { 1 };
            for _ in 0..burst {
                if self.queues[pair].free >= count {
                    self.offer(pair, count);
                }
            }
            for _ in 0..self.rng.random_range(0..30) {
                self.clock();
            }
        }
        self.run(20_000);
    }
}

/// Whether the event suppression asks for a notification of the last `count` descriptors (virtio 2.8.10, 2.8.14).
fn wants(event: u32, q: &Queue, count: u64) -> bool {
    let (place, flags) = (event & 0xffff, event >> 16);
    assert!(flags == 0 || flags == 2);
    if flags == 0 {
        return true;
    }
    // As places on an endless ring: the driver is at `now`, at most a ring ahead of what the device waits for.
    let lap = |wrap: bool| if wrap == q.wrap { 0 } else { q.size as i64 };
    let waits_at = i64::from(place & 0x7fff) - lap(place >> 15 == 1);
    let now = q.index as i64;
    (now - count as i64..now).contains(&waits_at)
}

#[test]
fn every_descriptor_of_every_queue_comes_out_once_and_in_order() {
    for seed in 0..6 {
        let mut bench = Bench::<0>::new(seed, seed % 2 == 1);
        bench.play(600);
        assert!(bench.queues.iter().all(|q| q.due.is_empty() && q.kept == 0), "seed {seed}");
        assert_eq!((bench.faults.len(), bench.resets.len()), (0, 0), "seed {seed}");
    }
}

#[test]
fn receiveqs_wait_for_room() {
    for seed in 10..14 {
        let mut bench = Bench::<1>::new(seed, seed % 2 == 1);
        bench.queues[0].kept = 60;
        bench.queues[3].kept = 64;
        bench.play(300);
        let waiting: Vec<usize> = bench.queues.iter().map(|q| q.due.len()).collect();
        assert!(waiting[0] > 0 && waiting[3] > 0, "{waiting:?}");
        assert_eq!((waiting[1], waiting[2], waiting[4]), (0, 0, 0), "seed {seed}");
        bench.queues[0].kept -= 60;
        bench.queues[3].kept -= 64;
        bench.run(20_000);
        assert!(bench.queues.iter().all(|q| q.due.is_empty() && q.kept == 0), "seed {seed}");
        assert_eq!(bench.faults, []);
    }
}

#[test]
fn a_busy_queue_with_an_event_asks_for_few_notifications() {
    let mut bench = Bench::<0>::new(20, true);
    let mut chains = 0;
    for _ in 0..4000 {
        if bench.queues[0].free > 56 {
            bench.offer(0, 1);
            chains += 1;
        }
        bench.clock();
    }
    bench.run(5000);
    assert!(bench.queues[0].due.is_empty());
    assert!(3 * bench.notifications < chains, "{} of {chains}", bench.notifications);
}

#[test]
fn what_breaks_the_rules_is_a_fault_with_its_reason() {
    let (ours, mut bench) = (AVAIL, Bench::<0>::new(30, false));
    let ring = |bench: &Bench<0>, pair: usize| bench.queues[pair].ring;
    // More descriptors than the ring has; a table with a chain behind it; a table behind a chain; a ring that is not in memory.
    for (pair, index, flags) in
        [(2, 0, NEXT), (2, 1, NEXT), (2, 2, NEXT), (3, 0, NEXT | INDIRECT), (4, 0, NEXT), (4, 1, INDIRECT)]
    {
        let at = ring(&bench, pair);
        bench.memory.write_packed(at, index, (0x100, 64, 7, ours | flags));
    }
    for pair in [2, 3, 4] {
        for i in 0..2 {
            let address = 0x100;
            let due = Due { address, length: 64, write: false, indirect: false, first: i == 0, last: None };
            if pair != 3 && i < 2 {
                bench.queues[pair].due.push_back(due);
            }
        }
        bench.queues[pair].notify = true;
    }
    bench.dut.open.next = true;
    bench.dut.open_pair.next = 0u64.into();
    bench.dut.opened.next = QueueConfig { desc: 0x10_0000u64.into(), size: 8u64.into(), ..Default::default() };
    bench.queues[0].notify = true;
    bench.clock();
    bench.dut.open.next = false;
    bench.run(3000);
    bench.faults.sort();
    assert_eq!(bench.faults, [(0, reason::BUS), (2, reason::CHAIN), (3, reason::INDIRECT), (4, reason::INDIRECT)]);
}

#[test]
fn a_reset_waits_for_what_is_under_way_and_the_queue_begins_anew() {
    for seed in 40..48 {
        let mut bench = Bench::<0>::new(seed, seed % 2 == 0);
        for pair in 0..PAIRS {
            for _ in 0..bench.queues[pair].size.min(20) {
                bench.offer(pair, 1);
            }
        }
        for _ in 0..bench.rng.random_range(0..120) {
            bench.clock();
        }
        let pair = seed as usize % PAIRS;
        bench.dut.live.next = (((1u64 << PAIRS) - 1) & !(1 << pair)).into();
        bench.dut.reset_pair.valid.next = true;
        bench.dut.reset_pair.data.next = (pair as u64).into();
        bench.queues[pair].notify = false;
        while bench.resets.is_empty() {
            bench.clock();
        }
        let q = &mut bench.queues[pair];
        (q.index, q.wrap, q.free, q.kept, q.came) = (0, true, q.size, 0, 0);
        q.due.clear();
        q.under_way.clear();
        let (from, until) = (q.ring as usize, (q.ring + 16 * q.size) as usize);
        bench.memory.bytes[from..until].fill(0);
        let event = q.event as usize;
        bench.memory.bytes[event..event + 4].fill(0);
        bench.run(5000);
        let mut opened = QueueConfig::default();
        let q = &bench.queues[pair];
        (opened.desc, opened.device, opened.size) = (q.ring.into(), q.event.into(), q.size.into());
        (opened.function, opened.features.event_idx) = (3u64.into(), q.has_event);
        opened.features.indirect = true;
        bench.dut.open.next = true;
        bench.dut.open_pair.next = (pair as u64).into();
        bench.dut.opened.next = opened;
        bench.clock();
        bench.dut.open.next = false;
        bench.dut.live.next = ((1u64 << PAIRS) - 1).into();
        bench.play(100);
        assert!(bench.queues.iter().all(|q| q.due.is_empty()), "seed {seed}");
        assert_eq!((bench.resets, bench.faults.len()), (vec![pair], 0));
    }
}

#[test]
fn a_chain_of_a_queue_that_has_stopped_or_is_to_be_reset_ends_with_its_next_descriptor() {
    for seed in 50..58 {
        let mut bench = Bench::<0>::new(seed, false);
        bench.offer(0, 200);
        bench.offer(4, 9);
        while bench.queues[0].due.len() > 150 {
            bench.clock();
        }
        let reads = bench.memory.reads;
        bench.gone = Some(0);
        bench.dut.live.next = 0b11110u64.into();
        if seed % 2 == 0 {
            bench.dut.stopped.next = 1u64.into();
        } else {
            bench.dut.reset_pair.valid.next = true;
            bench.dut.reset_pair.data.next = 0u64.into();
        }
        bench.run(2000);
        let (last, before) = bench.given_up.split_last().expect("the end of the chain");
        // Steps on their way out, and one that was looked at.
        assert!(*last && before.len() <= 3 && !before.contains(&true), "seed {seed}: {:?}", bench.given_up);
        assert!(bench.queues[4].due.is_empty(), "seed {seed}");
        // The other queue's chain lies in four lines at most; those that were asked for come.
        assert!(bench.memory.reads - reads < 2 + 3 + 4, "seed {seed}: {} reads", bench.memory.reads - reads);
        assert_eq!((bench.resets.len(), bench.faults.len()), (seed as usize % 2, 0), "seed {seed}");
    }
}

#[test]
fn packed_fetch_lints() {
    assert_lints(Dut::<0>::default());
    assert_lints(Dut::<1>::default());
}
