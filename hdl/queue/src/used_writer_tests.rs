// SPDX-License-Identifier: MIT OR Apache-2.0
//! `UsedWriter` at its `RingPort`.

use super::*;
use crate::axi::AxiMaster;
use crate::ring_port::{ID_BITS, READERS, RingPort};
use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
use crate::types::{Window, reason};
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
        join(self.writer.write, self.port.write);
        join(self.port.written, self.writer.written);
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
    /// Address, data and strobes of a write, as far as they are there.
    address: Option<u64>,
    data: Option<(Vec<u8>, u64)>,
    unanswered: VecDeque<u64>,
    reads: VecDeque<(u64, u64)>,
    interrupts: Vec<u64>,
    faults: Vec<(u64, u64)>,
    resets: usize,
    writes: usize,
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
        let mut dut = Box::<Pair>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        for vq in 0..VQS {
            dut.open.next = true;
            dut.open_vq.next = (vq as u64).into();
            dut.opened.next = QueueConfig {
                desc: 0u64.into(),
                driver: avail(vq).into(),
                device: ring(vq).into(),
                size_log2: SIZE_LOG2[vq].into(),
                function: (vq as u64 % 4).into(),
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
            memory: vec![0; 0x8000],
            items: Default::default(),
            address: None,
            data: None,
            unanswered: VecDeque::new(),
            reads: VecDeque::new(),
            interrupts: vec![],
            faults: vec![],
            resets: 0,
            writes: 0,
        }
    }

    fn push(&mut self, vq: usize, head: u64, length: u64) {
        let item =
            Used { pair: (vq as u64 / 2).into(), head: head.into(), length: length.into(), ..Default::default() };
        self.items[1 - vq % 2].push_back(item);
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let mut often = || self.rng.random_bool(0.6);
        dut.sent.valid.next = !self.items[0].is_empty() && often();
        dut.sent.data.next = self.items[0].front().copied().unwrap_or_default();
        dut.received.valid.next = !self.items[1].is_empty() && often();
        dut.received.data.next = self.items[1].front().copied().unwrap_or_default();
        dut.interrupt.ready.next = often();
        dut.fault.ready.next = often();
        dut.axi.arready.next = often();
        dut.axi.awready.next = self.address.is_none() && often();
        dut.axi.wready.next = self.data.is_none() && often();
        let answers = !self.unanswered.is_empty() && often();
        dut.axi.bvalid.next = answers;
        dut.axi.bresp.next = self.unanswered.front().copied().unwrap_or_default().into();
        let gives = !self.reads.is_empty() && often();
        dut.axi.rvalid.next = gives;
        dut.axi.rlast.next = true;
        if gives {
            let (id, address) = self.reads[0];
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
            self.reads.push_back((dut.axi.arid.val().to_u64(), dut.axi.araddr.val().to_u64()));
        }
        if took(dut.axi.awvalid.val(), dut.axi.awready.val()) {
            self.address = Some(dut.axi.awaddr.val().to_u64());
        }
        if took(dut.axi.wvalid.val(), dut.axi.wready.val()) {
            let beat = bytes(dut.axi.wdata.val(), Bits::<7>::from(64u64));
            self.data = Some((beat, dut.axi.wstrb.val().to_u64()));
        }
        self.resets += usize::from(dut.reset_done.val());
        tick(dut, |d| &mut d.clock);
        if let (Some(address), Some((data, strobe))) = (self.address, &self.data) {
            let place = self.memory.get_mut(address as usize..address as usize + 64);
            self.unanswered.push_back(if place.is_some() { 0 } else { 2 });
            for (i, byte) in place.into_iter().flatten().enumerate().filter(|(i, _)| strobe >> i & 1 == 1) {
                *byte = data[i];
            }
            (self.address, self.data) = (None, None);
            self.writes += 1;
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
        let mut due = vec![vec![]; VQS];
        for number in 0..300u64 {
            let vq = bench.rng.random_range(0..VQS);
            let length = if vq % 2 == 0 { bench.rng.random_range(60..9300) } else { 0 };
            bench.push(vq, number % 256, length);
            due[vq].push((number as u32 % 256, length as u32));
            for _ in 0..bench.rng.random_range(0..20) {
                bench.clock();
            }
        }
        bench.run();
        for vq in 0..VQS {
            assert_eq!(usize::from(bench.read16(ring(vq) + 2)), due[vq].len(), "used.idx of {vq}");
            let size = 1 << SIZE_LOG2[vq];
            let first = due[vq].len().saturating_sub(size);
            for (i, entry) in due[vq].iter().enumerate().skip(first) {
                let at = ring(vq) + 4 + 8 * (i % size) as u64;
                assert_eq!((bench.read32(at), bench.read32(at + 4)), *entry, "seed {seed}, entry {i} of {vq}");
            }
            assert_eq!(bench.interrupts.contains(&(vq as u64)), ![1, 4, 6].contains(&vq), "{vq}");
        }
        assert_eq!(bench.faults, []);
    }
}

#[test]
fn chains_of_a_queue_that_come_together_share_a_write_of_the_index() {
    let mut bench = Bench::new(5);
    bench.dut.stopped.next = (1u64 << 3).into();
    (0..100).for_each(|head| bench.push(7, head, 0));
    (0..10).for_each(|head| bench.push(3, head, 0));
    bench.run();
    assert_eq!(bench.read16(ring(7) + 2), 100);
    assert_eq!(bench.read16(ring(3) + 2), 0, "it has stopped");
    assert!((107..160).contains(&bench.writes), "{} writes", bench.writes);
    assert!(bench.interrupts.len() < 50, "{} interrupts", bench.interrupts.len());
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
    (0..5).for_each(|head| bench.push(6, head, 100));
    bench.items[1].push_back(Used { pair: 3u64.into(), reset: true, ..Default::default() });
    bench.push(6, 77, 200);
    bench.run();
    assert_eq!((bench.resets, bench.read16(ring(6) + 2), bench.read32(ring(6) + 4)), (1, 1, 77));
}

#[test]
fn a_ring_outside_the_window_or_the_memory_is_a_fault() {
    let mut bench = Bench::new(7);
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
