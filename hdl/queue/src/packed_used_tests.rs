// SPDX-License-Identifier: MIT OR Apache-2.0
//! `PackedUsed` at its `RingPort`.

use super::*;
use crate::axi::AxiMaster;
use crate::ring_port::{ID_BITS, READERS, RingPort, WRITERS};
use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
use crate::types::{Window, reason};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const VQS: usize = 8;
const SIZES: [u64; VQS] = [256, 1, 2, 3, 64, 100, 5, 255];
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// The writer at its port. Queue v belongs to function v mod 4.
#[millrace_hdl::block]
struct Pair {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    open: Signal<In, Bit>,
    open_vq: Signal<In, Bits<3>>,
    opened: Signal<In, QueueConfig>,
    window_write: Signal<In, Bit>,
    window_function: Signal<In, Bits<8>>,
    window: Signal<In, Window>,
    stopped: Signal<In, Bits<VQS>>,
    sent: Snk<Used<2>>,
    received: Snk<Used<2>>,
    interrupt: Src<Bits<3>>,
    fault: Src<Fault<3>>,
    reset_done: Signal<Out, Bit>,
    axi: AxiMaster<Bits<ID_BITS>>,
    idle: Signal<Out, Bit>,
    writer: PackedUsed<2, VQS, 3>,
    port: RingPort<2>,
}

#[millrace_hdl::block]
impl Pair {
    fn update(&mut self) {
        self.writer.open = self.open;
        self.writer.open_vq = self.open_vq;
        self.writer.opened = self.opened;
        self.writer.stopped = self.stopped;
        self.port.window_write = self.window_write;
        self.port.window_function = self.window_function;
        self.port.window = self.window;
        link(self.sent, self.writer.sent);
        link(self.received, self.writer.received);
        link(self.interrupt, self.writer.interrupt);
        link(self.fault, self.writer.fault);
        self.reset_done = self.writer.reset_done;
        link(self.axi, self.port.axi);
        join(self.writer.write, self.port.write[0]);
        join(self.port.written[0], self.writer.written);
        for i in 1..WRITERS {
            self.port.write[i].valid = false;
            self.port.write[i].data.address = 0;
            self.port.write[i].data.function = 0;
            self.port.write[i].data.data = 0;
            self.port.write[i].data.strobe = 0;
            self.port.written[i].ready = true;
        }
        join(self.writer.read, self.port.read[0]);
        join(self.port.answer[0], self.writer.answer);
        for i in 1..READERS {
            self.port.read[i].valid = false;
            self.port.read[i].data.address = 0;
            self.port.read[i].data.function = 0;
            self.port.read[i].data.tag = 0;
            self.port.answer[i].ready = true;
        }
        self.idle = self.writer.idle & self.port.idle;
    }
}

/// A used descriptor that is to come: Buffer ID, bytes, descriptors of the ring.
type Due = (u16, u32, u64);

/// A driver's view of its ring.
#[derive(Default)]
struct Driver {
    /// Where chains are made available, where used ones are looked for: place and wrap counter.
    avail: (u64, bool),
    used: (u64, bool),
    free: u64,
    /// Frames, each with the used descriptors of its chains.
    due: VecDeque<Vec<Due>>,
    in_order: bool,
}

struct Bench {
    dut: Box<Pair>,
    rng: ChaCha8Rng,
    memory: Vec<u8>,
    drivers: Vec<Driver>,
    items: [VecDeque<Used<2>>; 2],
    address: Option<u64>,
    data: Option<(Vec<u8>, u64)>,
    unanswered: VecDeque<(usize, u64)>,
    reads: VecDeque<(usize, u64, u64)>,
    interrupts: Vec<u64>,
    faults: Vec<(u64, u64)>,
    resets: usize,
    writes: usize,
    clocks: usize,
    latency: usize,
    ease: f64,
}

fn ring(vq: usize) -> u64 {
    0x2000 * vq as u64 + 16 * (vq as u64 % 5)
}

/// The driver's event suppression.
fn event(vq: usize) -> usize {
    0x2000 * vq + 0x1800 + 4 * vq
}

fn next((place, wrap): (u64, bool), count: u64, size: u64) -> (u64, bool) {
    if place + count < size { (place + count, wrap) } else { (place + count - size, !wrap) }
}

impl Bench {
    fn new(seed: u64, in_order: bool) -> Self {
        let mut dut = Box::<Pair>::default();
        dut.connect_all();
        dut.reset.next = true;
        dut.window_write.next = false;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut bench = Self {
            dut,
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: vec![0; 0x1_0000],
            drivers: vec![],
            items: Default::default(),
            address: None,
            data: None,
            unanswered: VecDeque::new(),
            reads: VecDeque::new(),
            interrupts: vec![],
            faults: vec![],
            resets: 0,
            writes: 0,
            clocks: 0,
            latency: 0,
            ease: 0.6,
        };
        for vq in 0..VQS {
            bench.drivers.push(Driver::default());
            bench.open(vq, in_order);
        }
        bench
    }

    /// Enables a queue, as after a reset.
    fn open(&mut self, vq: usize, in_order: bool) {
        let at = ring(vq) as usize;
        self.memory[at..at + 16 * SIZES[vq] as usize].fill(0);
        let due = VecDeque::new();
        self.drivers[vq] = Driver { avail: (0, true), used: (0, true), free: SIZES[vq], due, in_order };
        let dut = &mut *self.dut;
        dut.open.next = true;
        dut.open_vq.next = (vq as u64).into();
        let mut opened = QueueConfig {
            desc: ring(vq).into(),
            // Bit 1 is not looked at.
            driver: (event(vq) as u64 | 2).into(),
            size: SIZES[vq].into(),
            function: (vq as u64 % 4).into(),
            ..Default::default()
        };
        opened.features.in_order = in_order;
        opened.features.event_idx = !vq.is_multiple_of(3);
        dut.opened.next = opened;
        dut.window_write.next = true;
        dut.window_function.next = (vq as u64 % 4).into();
        dut.window.next = Window { first: 0u64.into(), last: 0xffu64.into() };
        self.clock();
        self.dut.open.next = false;
        self.dut.window_write.next = false;
    }

    /// The driver makes the chains of a frame available, and the engine is done with them. Whether there was room.
    fn push(&mut self, vq: usize, chains: &[Due]) -> bool {
        let size = SIZES[vq];
        let driver = &mut self.drivers[vq];
        let count: u64 = chains.iter().map(|chain| chain.2).sum();
        if driver.free < count {
            return false;
        }
        driver.free -= count;
        for _ in 0..count {
            let at = (ring(vq) + 16 * driver.avail.0) as usize;
            let flags = if driver.avail.1 { AVAIL } else { USED };
            self.memory[at + 14..at + 16].copy_from_slice(&flags.to_le_bytes());
            driver.avail = next(driver.avail, 1, size);
        }
        driver.due.push_back(chains.to_vec());
        for (i, (id, length, skip)) in chains.iter().enumerate() {
            self.items[1 - vq % 2].push_back(Used {
                pair: (vq as u64 / 2).into(),
                head: u64::from(*id).into(),
                skip: (*skip).into(),
                length: u64::from(*length).into(),
                partial: i + 1 < chains.len(),
                ..Default::default()
            });
        }
        true
    }

    /// A random frame.
    fn frame(&mut self, vq: usize) -> Vec<Due> {
        let receives = vq.is_multiple_of(2);
        let chains = if receives && self.rng.random_bool(0.3) { self.rng.random_range(2..=8) } else { 1 };
        (0..chains)
            .map(|_| {
                let skip = if self.rng.random_bool(0.7) { 1 } else { self.rng.random_range(1..=SIZES[vq].min(6)) };
                (self.rng.random(), if receives { self.rng.random_range(1..9300) } else { 0 }, skip)
            })
            .collect()
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let mut often = || self.rng.random_bool(self.ease);
        dut.sent.valid.next = !self.items[0].is_empty() && often();
        dut.sent.data.next = self.items[0].front().copied().unwrap_or_default();
        dut.received.valid.next = !self.items[1].is_empty() && often();
        dut.received.data.next = self.items[1].front().copied().unwrap_or_default();
        dut.interrupt.ready.next = often();
        dut.fault.ready.next = often();
        dut.axi.arready.next = often();
        dut.axi.awready.next = self.address.is_none() && often();
        dut.axi.wready.next = self.data.is_none() && often();
        let is_due = |due: Option<usize>| due.is_some_and(|due| due <= self.clocks);
        let answers = is_due(self.unanswered.front().map(|answer| answer.0)) && often();
        dut.axi.bvalid.next = answers;
        dut.axi.bresp.next = self.unanswered.front().copied().unwrap_or_default().1.into();
        let gives = is_due(self.reads.front().map(|read| read.0)) && often();
        dut.axi.rvalid.next = gives;
        dut.axi.rlast.next = true;
        if gives {
            let (_, id, address) = self.reads[0];
            dut.axi.rid.next = id.into();
            let beat = self.memory.get(address as usize..address as usize + 64);
            dut.axi.rresp.next = if beat.is_some() { 0u64 } else { 2 }.into();
            dut.axi.rdata.next = bits_of(beat.unwrap_or_default());
        }
        settle(dut);
        let took = |valid: bool, ready: bool| valid && ready;
        if took(dut.sent.valid.val(), dut.sent.ready.val()) {
            self.items[0].pop_front();
        }
        if took(dut.received.valid.val(), dut.received.ready.val()) {
            self.items[1].pop_front();
        }
        if took(dut.interrupt.valid.val(), dut.interrupt.ready.val()) {
            self.interrupts.push(dut.interrupt.data.val().to_u64());
        }
        if took(dut.fault.valid.val(), dut.fault.ready.val()) {
            self.faults.push((dut.fault.data.val().vq.to_u64(), dut.fault.data.val().reason.to_u64()));
        }
        if answers && dut.axi.bready.val() {
            self.unanswered.pop_front();
        }
        if gives && dut.axi.rready.val() {
            self.reads.pop_front();
        }
        if took(dut.axi.arvalid.val(), dut.axi.arready.val()) {
            let due = self.clocks + self.latency;
            self.reads.push_back((due, dut.axi.arid.val().to_u64(), dut.axi.araddr.val().to_u64()));
        }
        if took(dut.axi.awvalid.val(), dut.axi.awready.val()) {
            self.address = Some(dut.axi.awaddr.val().to_u64());
        }
        if took(dut.axi.wvalid.val(), dut.axi.wready.val()) {
            let beat = bytes(dut.axi.wdata.val(), Bits::<7>::from(64u64));
            self.data = Some((beat, dut.axi.wstrb.val().to_u64()));
        }
        self.resets += usize::from(dut.reset_done.val());
        self.clocks += 1;
        // The clock stands still while it may.
        if !dut.idle.val() {
            tick(dut, |d| &mut d.clock);
        }
        if let (Some(address), Some((data, strobe))) = (self.address, &self.data) {
            let place = self.memory.get_mut(address as usize..address as usize + 64);
            self.unanswered.push_back((self.clocks + self.latency, if place.is_some() { 0 } else { 2 }));
            for (i, byte) in place.into_iter().flatten().enumerate().filter(|(i, _)| strobe >> i & 1 == 1) {
                *byte = data[i];
            }
            (self.address, self.data) = (None, None);
            self.writes += 1;
            (0..VQS).for_each(|vq| self.look(vq));
        }
    }

    /// Buffer ID, bytes and flags of a descriptor.
    fn descriptor(&self, vq: usize, place: u64) -> (u16, u32, u16) {
        let at = (ring(vq) + 16 * place) as usize;
        let half = |at: usize| u16::from_le_bytes(self.memory[at..at + 2].try_into().expect("two bytes"));
        let length = u32::from_le_bytes(self.memory[at + 8..at + 12].try_into().expect("four bytes"));
        (half(at + 12), length, half(at + 14))
    }

    /// A driver looks for used descriptors (virtio 2.8.22): those of a frame are all there.
    fn look(&mut self, vq: usize) {
        let size = SIZES[vq];
        loop {
            let driver = &self.drivers[vq];
            let is_used = |(place, wrap): (u64, bool)| {
                let flags = self.descriptor(vq, place).2;
                (flags & AVAIL != 0) == wrap && (flags & USED != 0) == wrap
            };
            let mut at = driver.used;
            if driver.due.is_empty() || !is_used(at) {
                return;
            }
            let mut frames = 1;
            if driver.in_order && vq % 2 == 1 {
                let id = self.descriptor(vq, at.0).0;
                frames = 1 + driver.due.iter().position(|frame| frame[0].0 == id).expect("a chain that was sent");
            } else {
                for chain in &driver.due[0] {
                    assert!(is_used(at), "queue {vq}: the frame's chain at {at:?}");
                    let (id, length, flags) = self.descriptor(vq, at.0);
                    assert_eq!((id, length), (chain.0, chain.1), "queue {vq} at {at:?}");
                    assert_eq!(flags & !(AVAIL | USED), if length > 0 { 2 } else { 0 }, "WRITE");
                    at = next(at, chain.2, size);
                }
            }
            let driver = &mut self.drivers[vq];
            for chain in driver.due.drain(..frames).flatten() {
                driver.used = next(driver.used, chain.2, size);
                driver.free += chain.2;
            }
        }
    }

    fn run(&mut self) {
        for _ in 0..20_000 {
            self.clock();
            let quiet =
                self.items.iter().all(VecDeque::is_empty) && self.unanswered.is_empty() && self.reads.is_empty();
            if quiet && self.dut.idle.val() {
                return;
            }
        }
        panic!("not idle");
    }

    fn set_event(&mut self, vq: usize, place: (u64, bool), flags: u16) {
        let at = event(vq);
        let named = place.0 as u16 | u16::from(place.1) << 15;
        self.memory[at..at + 2].copy_from_slice(&named.to_le_bytes());
        self.memory[at + 2..at + 4].copy_from_slice(&flags.to_le_bytes());
    }
}

#[test]
fn drivers_find_each_chain_with_those_of_its_frame_and_are_told_unless_they_do_not_want_to_be() {
    for seed in 0..6 {
        let mut bench = Bench::new(seed, seed % 2 == 1);
        for vq in [1, 4] {
            bench.set_event(vq, (0, false), 1);
        }
        let mut pushed = [0; VQS];
        for _ in 0..1200 {
            let vq = bench.rng.random_range(0..VQS);
            let frame = bench.frame(vq);
            pushed[vq] += usize::from(bench.push(vq, &frame));
            for _ in 0..bench.rng.random_range(0..12) {
                bench.clock();
            }
        }
        bench.run();
        for vq in 0..VQS {
            assert!(pushed[vq] > 20, "seed {seed}: {pushed:?}");
            assert_eq!(bench.drivers[vq].due.len(), 0, "seed {seed}, queue {vq}: frames that no driver has seen");
            assert_eq!(bench.interrupts.contains(&(vq as u64)), ![1, 4].contains(&vq), "queue {vq}");
        }
        assert_eq!(bench.faults, []);
    }
}

#[test]
fn chains_that_come_together_share_writes_and_in_order_ones_a_descriptor() {
    for (in_order, most) in [(false, 4), (true, 4)] {
        let mut bench = Bench::new(5, in_order);
        bench.ease = 1.0;
        for id in 0..200 {
            assert!(bench.push(7, &[(id, 0, 1)]));
        }
        bench.run();
        assert_eq!(bench.drivers[7].due.len(), 0);
        assert!(bench.writes <= 200 / most + 3, "{} writes", bench.writes);
    }
}

#[test]
fn a_chain_takes_little_more_than_a_clock_however_long_memory_takes() {
    let mut bench = Bench::new(9, false);
    (bench.latency, bench.ease) = (250, 1.0);
    let mut clocks = 0;
    for round in 0..4 {
        let from = bench.clocks;
        for id in 0..60 {
            for vq in [0, 4, 5, 7] {
                assert!(bench.push(vq, &[(id, 0, 1)]), "round {round}");
            }
        }
        bench.run();
        clocks += bench.clocks - from;
    }
    assert!(clocks < 4 * (240 + 3 * 250 + 300), "{clocks} clocks");
}

#[test]
fn an_event_names_the_place_that_a_driver_waits_for() {
    let mut bench = Bench::new(12, false);
    bench.ease = 1.0;
    for vq in [1, 2, 4, 5] {
        let size = SIZES[vq];
        let mut at = (0, true);
        for round in 0..if size < 10 { 30 } else { 1 } {
            // Some places from here on, less than a ring.
            let ahead = bench.rng.random_range(0..size);
            let waits_for = next(at, ahead, size);
            bench.set_event(vq, waits_for, 2);
            bench.interrupts.clear();
            for used in 0..size {
                assert!(bench.push(vq, &[(used as u16, 0, 1)]));
                bench.run();
                let told = usize::from(used >= ahead);
                assert_eq!(bench.interrupts.len(), told, "queue {vq}, round {round}: {used} of {ahead}");
            }
            at = next(at, size, size);
        }
    }
    // Without EVENT_IDX a driver that names a place is told of all.
    bench.interrupts.clear();
    bench.set_event(6, (3, true), 2);
    bench.push(6, &[(1, 60, 1)]);
    bench.run();
    assert_eq!(bench.interrupts, [6]);
}

#[test]
fn a_queue_that_stopped_or_lost_a_chain_writes_nothing_and_begins_anew_after_its_reset() {
    let mut bench = Bench::new(20, false);
    bench.dut.stopped.next = (1u64 << 5).into();
    bench.push(5, &[(1, 0, 1)]);
    bench.push(4, &[(2, 100, 1), (3, 200, 1), (4, 50, 2)]);
    bench.items[1].back_mut().expect("the frame's last chain").void = true;
    bench.push(4, &[(5, 60, 1)]);
    bench.run();
    assert_eq!((bench.writes, bench.interrupts.len()), (0, 0));
    for vq in [4usize, 5] {
        bench.items[1 - vq % 2].push_back(Used { pair: (vq as u64 / 2).into(), reset: true, ..Default::default() });
    }
    bench.run();
    assert_eq!(bench.resets, 2);
    bench.dut.stopped.next = 0u64.into();
    for vq in [4, 5] {
        bench.open(vq, false);
        bench.push(vq, &[(9, 0, 3)]);
    }
    bench.run();
    assert!(bench.drivers[4].due.is_empty() && bench.drivers[5].due.is_empty());
}

#[test]
fn rings_and_events_that_are_not_there_are_faults() {
    let mut bench = Bench::new(21, false);
    for (vq, desc, driver) in [(0usize, 0x40_0000u64, 0u64), (2, 0x1000, 0x40_0000)] {
        bench.dut.open.next = true;
        bench.dut.open_vq.next = (vq as u64).into();
        bench.dut.opened.next =
            QueueConfig { desc: desc.into(), driver: driver.into(), size: 8u64.into(), ..Default::default() };
        bench.dut.window_write.next = true;
        bench.dut.window_function.next = 0u64.into();
        bench.dut.window.next = Window { first: 0u64.into(), last: 0xffffu64.into() };
        bench.clock();
        bench.dut.open.next = false;
        bench.items[1].push_back(Used { pair: (vq as u64 / 2).into(), skip: 1u64.into(), ..Default::default() });
    }
    bench.dut.window_write.next = false;
    bench.run();
    bench.faults.sort();
    assert_eq!(bench.faults, [(0, reason::BUS), (2, reason::BUS)]);
}

#[test]
fn packed_used_lints() {
    assert_lints(PackedUsed::<2, VQS, 3>::default());
}
