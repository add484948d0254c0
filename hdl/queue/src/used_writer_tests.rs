// SPDX-License-Identifier: MIT OR Apache-2.0
//! `UsedWriter` at its `RingPort`.

use super::*;
use crate::axi::AxiMaster;
use crate::ring_port::{ID_BITS, READERS, RingPort, WRITERS};
use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
use crate::types::{Negotiated, Window, reason};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const VQS: usize = 8;

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
    writer: UsedWriter<2, VQS, 3>,
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

struct Bench {
    dut: Box<Pair>,
    rng: ChaCha8Rng,
    memory: Vec<u8>,
    /// By side: transmitqs, receiveqs.
    items: [VecDeque<Used<2>>; 2],
    /// Entries of each queue, and how many of them its driver was told of. Looked at unless something of the queue is lost or reset.
    due: [Vec<(u32, u32)>; VQS],
    told: [u16; VQS],
    all_arrive: bool,
    /// Address, data and strobes of a write, as far as they are there.
    address: Option<u64>,
    data: Option<(Vec<u8>, u64)>,
    /// Each with the clock from which on it is answered.
    unanswered: VecDeque<(usize, u64)>,
    reads: VecDeque<(usize, u64, u64)>,
    interrupts: Vec<u64>,
    faults: Vec<(u64, u64)>,
    resets: usize,
    writes: usize,
    clocks: usize,
    /// Clocks from a request to its answer, and how often a port is ready.
    latency: usize,
    ease: f64,
}

/// A used ring at an address that lets entries lie across the border of two beats, or not.
fn ring(vq: usize) -> u64 {
    0x1000 * vq as u64 + 4 * (vq as u64 % 3)
}

fn avail(vq: usize) -> u64 {
    0x1000 * vq as u64 + 0xe00 + 2 * vq as u64
}

const SIZE_LOG2: [u64; VQS] = [0, 1, 3, 4, 5, 6, 7, 8];

impl Bench {
    fn new(seed: u64) -> Self {
        Self::with_events(seed, false)
    }

    /// Whether EVENT_IDX is negotiated for each second queue.
    fn with_events(seed: u64, events: bool) -> Self {
        let mut dut = Box::<Pair>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        for vq in 0..VQS {
            dut.open.next = true;
            dut.open_vq.next = (vq as u64).into();
            dut.opened.next = QueueConfig {
                driver: avail(vq).into(),
                device: ring(vq).into(),
                size: (1u64 << SIZE_LOG2[vq]).into(),
                size_log2: SIZE_LOG2[vq].into(),
                function: (vq as u64 % 4).into(),
                features: Negotiated { event_idx: events && vq % 2 == 1, ..Default::default() },
                ..Default::default()
            };
            dut.window_write.next = true;
            dut.window_function.next = (vq as u64 % 4).into();
            dut.window.next = Window { first: 0u64.into(), last: 0xffu64.into() };
            tick(&mut *dut, |d| &mut d.clock);
        }
        dut.open.next = false;
        dut.window_write.next = false;
        Self {
            dut,
            rng: ChaCha8Rng::seed_from_u64(seed),
            memory: vec![0; 0x8400],
            items: Default::default(),
            due: Default::default(),
            told: [0; VQS],
            all_arrive: true,
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
        }
    }

    fn push(&mut self, vq: usize, head: u64, length: u64) {
        let item =
            Used { pair: (vq as u64 / 2).into(), head: head.into(), length: length.into(), ..Default::default() };
        self.items[1 - vq % 2].push_back(item);
        self.due[vq].push((head as u32, length as u32));
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
            self.look();
        }
    }

    /// What drivers see: of what `used.idx` tells is there.
    fn look(&mut self) {
        for vq in (0..VQS).filter(|_| self.all_arrive) {
            let index = self.read16(ring(vq) + 2);
            let size = 1 << SIZE_LOG2[vq];
            let told = usize::from(std::mem::replace(&mut self.told[vq], index));
            // What is there of an entry whose place a later one has does not matter.
            for i in told.max(self.due[vq].len().saturating_sub(size))..usize::from(index) {
                let at = ring(vq) + 4 + 8 * (i % size) as u64;
                assert_eq!((self.read32(at), self.read32(at + 4)), self.due[vq][i], "{vq} is told of entry {i}");
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

    fn read16(&self, address: u64) -> u16 {
        u16::from_le_bytes(self.memory[address as usize..][..2].try_into().unwrap())
    }

    fn read32(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.memory[address as usize..][..4].try_into().unwrap())
    }
}

#[test]
fn every_chain_is_in_the_ring_of_its_queue_and_its_driver_is_told_unless_it_does_not_want_to_be() {
    for seed in 0..4 {
        let mut bench = Bench::new(seed);
        for vq in [1, 4, 6] {
            bench.memory[avail(vq) as usize] = 1;
        }
        for number in 0..300u64 {
            let vq = bench.rng.random_range(0..VQS);
            let length = if vq % 2 == 0 { bench.rng.random_range(60..9300) } else { 0 };
            bench.push(vq, number % 256, length);
            for _ in 0..bench.rng.random_range(0..20) {
                bench.clock();
            }
        }
        bench.run();
        for vq in 0..VQS {
            assert_eq!(usize::from(bench.told[vq]), bench.due[vq].len(), "seed {seed}: used.idx of {vq}");
            assert_eq!(bench.interrupts.contains(&(vq as u64)), ![1, 4, 6].contains(&vq), "{vq}");
        }
        assert_eq!(bench.faults, []);
    }
}

#[test]
fn a_driver_with_events_is_told_when_the_entry_that_it_names_is_used_and_once() {
    let mut begins = 0;
    for seed in 20..23 {
        let mut bench = Bench::with_events(seed, true);
        // Where `used_event` is, and what it says; drivers wait for their first entry.
        let place = |vq: usize| avail(vq) as usize + 4 + 2 * (1 << SIZE_LOG2[vq]);
        let mut events = [0u16; VQS];
        let mut told = [0; VQS];
        for number in 0..2000u64 {
            if number < 1500 && bench.rng.random_bool(0.1) {
                let vq = bench.rng.random_range(0..VQS);
                bench.push(vq, number % 256, 0);
            }
            bench.clock();
            for vq in std::mem::take(&mut bench.interrupts).into_iter().map(|vq| vq as usize) {
                told[vq] += 1;
                if vq % 2 == 0 {
                    continue;
                }
                let index = bench.read16(ring(vq) + 2);
                assert!(
                    index.wrapping_sub(events[vq]).wrapping_sub(1) < 0x8000,
                    "{vq} is told before entry {}",
                    events[vq]
                );
                // It takes what there is, and waits for one of the next.
                events[vq] = index.wrapping_add(bench.rng.random_range(0..4));
                bench.memory[place(vq)..][..2].copy_from_slice(&events[vq].to_le_bytes());
            }
        }
        bench.run();
        assert!(bench.interrupts.is_empty(), "all was quiet before");
        for vq in 0..VQS {
            let (index, due) = (bench.read16(ring(vq) + 2), bench.due[vq].len());
            assert_eq!(usize::from(index), due, "seed {seed}: used.idx of {vq}");
            assert!(vq % 2 == 0 || index <= events[vq], "{vq} was not told of entry {} of {index}", events[vq]);
            begins += told[vq];
        }
        assert_eq!(bench.faults, []);
    }
    assert!(begins > 100, "{begins} interrupts");
}

#[test]
fn chains_of_a_queue_that_come_together_share_writes_of_lines_and_of_the_index() {
    let mut bench = Bench::new(5);
    bench.dut.stopped.next = (1u64 << 3).into();
    (0..100).for_each(|head| bench.push(7, head, 0));
    (0..10).for_each(|head| bench.push(3, head, 0));
    bench.run();
    assert_eq!(bench.read16(ring(7) + 2), 100);
    assert_eq!(bench.read16(ring(3) + 2), 0, "it has stopped");
    // The ring's first line has 7 entries, its others 8.
    assert!((26..50).contains(&bench.writes), "{} writes", bench.writes);
    assert!(bench.interrupts.len() < 50, "{} interrupts", bench.interrupts.len());
}

#[test]
fn a_chain_takes_little_more_than_a_clock_however_long_memory_takes() {
    let mut bench = Bench::new(9);
    (bench.latency, bench.ease) = (250, 1.0);
    for head in 0..1000 {
        for vq in [4, 5, 6, 7] {
            bench.push(vq, head % 256, 0);
        }
    }
    bench.run();
    assert!([4, 5, 6, 7].iter().all(|vq| bench.read16(ring(*vq) + 2) == 1000));
    assert!(bench.clocks < 5000 + 1000, "{} clocks", bench.clocks);
    assert!(bench.writes < 4000 / 8 * 2 + 300, "{} writes", bench.writes);
}

#[test]
fn a_chain_that_comes_alone_is_told_of_soon() {
    let mut bench = Bench::new(10);
    bench.ease = 1.0;
    bench.push(5, 7, 0);
    while bench.read16(ring(5) + 2) == 0 {
        bench.clock();
    }
    assert!(bench.clocks < VQS + 60, "{} clocks", bench.clocks);
    // So is one of a queue while another has a lot to do.
    (0..2000).for_each(|head| bench.push(7, head % 256, 0));
    bench.push(4, 8, 100);
    let begin = bench.clocks;
    while bench.read16(ring(4) + 2) == 0 {
        bench.clock();
    }
    assert!(bench.clocks - begin < 300, "{} clocks", bench.clocks - begin);
}

#[test]
fn the_chains_of_a_frame_are_told_of_at_once_and_not_at_all_if_one_failed() {
    let mut bench = Bench::new(8);
    for head in 0..30 {
        bench.push(6, head, 100);
        bench.items[1].back_mut().unwrap().partial = head % 10 != 9;
        bench.push(3, head, 0);
    }
    let mut seen = vec![];
    for _ in 0..3000 {
        bench.clock();
        seen.push(bench.read16(ring(6) + 2));
    }
    seen.dedup();
    assert_eq!((bench.read16(ring(6) + 2), bench.read16(ring(3) + 2)), (30, 30));
    assert!(seen.iter().all(|index| index % 10 == 0), "{seen:?}");
    bench.all_arrive = false;
    for head in 0..3 {
        bench.push(6, head, 100);
        bench.items[1].back_mut().unwrap().partial = head < 2;
        bench.items[1].back_mut().unwrap().void = head == 1;
    }
    bench.run();
    assert_eq!(bench.read16(ring(6) + 2), 30);
}

#[test]
fn a_reset_begins_the_ring_anew_when_all_is_written() {
    let mut bench = Bench::new(6);
    bench.all_arrive = false;
    (0..5).for_each(|head| bench.push(6, head, 100));
    bench.items[1].push_back(Used { pair: 3u64.into(), reset: true, ..Default::default() });
    bench.push(6, 77, 200);
    bench.run();
    assert_eq!((bench.resets, bench.read16(ring(6) + 2), bench.read32(ring(6) + 4)), (1, 1, 77));
}

#[test]
fn a_ring_outside_the_window_or_the_memory_is_a_fault() {
    let mut bench = Bench::new(7);
    bench.all_arrive = false;
    bench.dut.open.next = true;
    for (vq, device, driver) in [(1u64, 0x10_0000, avail(1)), (2, 0x9000, avail(2)), (3, ring(3), 0x10_0000)] {
        bench.dut.open_vq.next = vq.into();
        bench.dut.opened.next =
            QueueConfig { device: device.into(), driver: driver.into(), size_log2: 3u64.into(), ..Default::default() };
        bench.clock();
    }
    bench.dut.open.next = false;
    for vq in 1..5 {
        bench.push(vq, 5, 0);
    }
    bench.run();
    bench.faults.sort();
    bench.faults.dedup();
    assert_eq!(bench.faults, [(1, reason::WINDOW), (2, reason::BUS), (3, reason::WINDOW)]);
    assert_eq!(bench.interrupts.iter().filter(|vq| **vq == 4).count(), 1);
}

#[test]
fn used_writer_and_ring_port_lint() {
    assert_lints(Pair::default());
}
