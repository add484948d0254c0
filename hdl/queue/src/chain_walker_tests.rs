// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ChainWalker` at a memory.

use super::*;
use crate::chain_check::ChainCheck;
use crate::memory::Memory;
use crate::testing::{assert_lints, settle, tick};
use crate::types::{Fault, Negotiated, Segment, Window, reason};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const PAIRS: usize = 4;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Number; address, length, flags, next.
type Written = (u16, (u64, u32, u16, u16));

/// Pair, function, address, length, head, first, last, abort, reset.
type Row = (u64, u64, u64, u64, u64, bool, bool, bool, bool);

/// Where indirect tables are, and where the memory ends.
const INDIRECT_TABLES: u64 = 0x8000;
const END: u64 = 0x4_0000;

/// The walker with the block that checks what it finds.
#[millrace_hdl::block]
struct Walked<const RECEIVE: usize> {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    open: Signal<In, Bit>,
    open_pair: Signal<In, Bits<2>>,
    opened: Signal<In, QueueConfig>,
    window_write: Signal<In, Bit>,
    window_function: Signal<In, Bits<8>>,
    window: Signal<In, Window>,
    live: Signal<In, Bits<PAIRS>>,
    stopped: Signal<In, Bits<PAIRS>>,
    heads: Snk<Head<2>>,
    read: Src<RingRead>,
    answer: Snk<RingAnswer>,
    segments: Src<Segment<2>>,
    fault: Src<Fault<2>>,
    idle: Signal<Out, Bit>,
    walk: ChainWalker<PAIRS, 2, 10, 12, RECEIVE>,
    check: ChainCheck<PAIRS, 2, 3, RECEIVE>,
}

#[millrace_hdl::block]
impl<const RECEIVE: usize> Walked<RECEIVE> {
    fn update(&mut self) {
        self.walk.open = self.open;
        self.walk.open_pair = self.open_pair;
        self.walk.opened = self.opened;
        self.walk.live = self.live;
        self.check.window_write = self.window_write;
        self.check.window_function = self.window_function;
        self.check.window = self.window;
        self.check.stopped = self.stopped;
        self.check.ending = 0;
        link(self.heads, self.walk.heads);
        link(self.read, self.walk.read);
        link(self.answer, self.walk.answer);
        join(self.walk.steps, self.check.steps);
        link(self.segments, self.check.segments);
        link(self.fault, self.check.fault);
        self.idle = self.walk.idle & self.check.idle;
    }
}

struct Bench<const RECEIVE: usize> {
    dut: Box<Walked<RECEIVE>>,
    memory: Memory,
    rng: ChaCha8Rng,
    heads: VecDeque<Head<2>>,
    rows: Vec<Row>,
    faults: Vec<(u64, u64)>,
}

/// The last two pairs are those of one function.
fn function(pair: usize) -> u64 {
    pair.min(2) as u64
}

/// Each table begins at another descriptor of its line.
fn table(pair: usize) -> u64 {
    0x2000 * pair as u64 + 16 * pair as u64
}

impl<const RECEIVE: usize> Bench<RECEIVE> {
    fn new(seed: u64, size_log2: u64) -> Self {
        Self::with_tables(seed, size_log2, true)
    }

    /// Whether INDIRECT_DESC is negotiated.
    fn with_tables(seed: u64, size_log2: u64, indirect: bool) -> Self {
        let mut dut = Box::<Walked<RECEIVE>>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        for pair in 0..PAIRS {
            dut.open.next = true;
            dut.open_pair.next = (pair as u64).into();
            dut.opened.next = QueueConfig {
                desc: table(pair).into(),
                size_log2: size_log2.into(),
                function: function(pair).into(),
                features: Negotiated { indirect, ..Default::default() },
                ..Default::default()
            };
            dut.window_write.next = true;
            dut.window_function.next = function(pair).into();
            // From 1 MiB on, 16 pages.
            dut.window.next = Window { first: 0x100u64.into(), last: 0x10fu64.into() };
            tick(&mut *dut, |d| &mut d.clock);
        }
        dut.open.next = false;
        dut.window_write.next = false;
        dut.live.next = 0xfu64.into();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { dut, memory: Memory::new(END as usize), rng, heads: VecDeque::new(), rows: vec![], faults: vec![] }
    }

    fn head(&mut self, pair: usize, index: u64) {
        self.heads.push_back(Head { pair: (pair as u64).into(), index: index.into(), ..Default::default() });
    }

    fn clock(&mut self, drain: f64) {
        let dut = &mut *self.dut;
        dut.heads.valid.next = !self.heads.is_empty();
        dut.heads.data.next = self.heads.front().copied().unwrap_or_default();
        dut.segments.ready.next = self.rng.random_bool(drain);
        dut.fault.ready.next = self.rng.random_bool(0.5);
        settle(dut);
        let asked = (dut.read.valid.val(), dut.read.data.val());
        let answer = (&mut dut.answer.valid, &mut dut.answer.data);
        self.memory.drive(asked, &mut dut.read.ready, answer, &mut self.rng);
        settle(dut);
        assert!(dut.answer.ready.val());
        self.memory.taken();
        if dut.heads.valid.val() && dut.heads.ready.val() {
            self.heads.pop_front();
        }
        if dut.segments.valid.val() && dut.segments.ready.val() {
            let s = dut.segments.data.val();
            self.rows.push((
                s.pair.to_u64(),
                s.function.to_u64(),
                s.address.to_u64(),
                s.length.to_u64(),
                s.head.to_u64(),
                s.first,
                s.last,
                s.abort,
                s.reset,
            ));
        }
        if dut.fault.valid.val() && dut.fault.ready.val() {
            let fault = dut.fault.data.val();
            self.faults.push((fault.vq.to_u64(), fault.reason.to_u64()));
        }
        // The clock stands still while it may.
        if !dut.idle.val() {
            tick(dut, |d| &mut d.clock);
        }
    }

    fn run(&mut self) {
        for _ in 0..200_000 {
            self.clock(0.7);
            if self.heads.is_empty() && self.memory.quiet() && self.dut.idle.val() {
                return;
            }
        }
        panic!("not idle");
    }
}

/// Writes random chains over the whole of each table; the heads in random order, with the rows that are due.
fn random_chains<const RECEIVE: usize>(bench: &mut Bench<RECEIVE>, size: u16, longest: usize) -> Vec<Row> {
    let mut chains = vec![];
    for pair in 0..PAIRS {
        let mut free: Vec<u16> = (0..size).collect();
        if bench.rng.random_bool(0.5) {
            free.shuffle(&mut bench.rng);
        }
        while !free.is_empty() {
            let length = bench.rng.random_range(1..=longest.min(free.len()));
            chains.push((pair, free.drain(..length).collect::<Vec<_>>()));
        }
    }
    chains.shuffle(&mut bench.rng);
    let mut due = vec![];
    for (pair, chain) in chains {
        bench.head(pair, chain[0].into());
        for (i, index) in chain.iter().enumerate() {
            let last = i + 1 == chain.len();
            let (address, length) = (0x10_0000 + bench.rng.random_range(0..0x8000u64), bench.rng.random_range(60..200));
            let flags = if last { 0 } else { NEXT } | if RECEIVE == 1 { WRITE } else { 0 };
            let next = if last { bench.rng.random() } else { chain[i + 1] };
            bench.memory.write_descriptor(table(pair), *index, (address, length, flags, next));
            let (p, head) = (pair as u64, chain[0].into());
            due.push((p, function(pair), address, length.into(), head, i == 0, last, false, false));
        }
    }
    due
}

/// The rows of a queue.
fn of_pair(rows: &[Row], pair: usize) -> Vec<Row> {
    rows.iter().copied().filter(|row| row.0 == pair as u64).collect()
}

/// What came is what is due of each queue, chain by chain.
fn assert_same(came: &[Row], due: &[Row], of: impl std::fmt::Debug) {
    for pair in 0..PAIRS {
        assert_eq!(of_pair(came, pair), of_pair(due, pair), "{of:?}, pair {pair}");
    }
    assert!(came.windows(2).all(|two| two[0].6 == two[1].5), "{of:?}: a chain is whole");
}

#[test]
fn chains_of_all_queues_are_followed_in_the_order_of_their_heads() {
    for seed in 0..8 {
        let size_log2 = [0, 1, 2, 3, 5, 6, 8, 8][seed as usize];
        let mut bench = Bench::<0>::new(seed, size_log2);
        let due = random_chains(&mut bench, 1 << size_log2, 40);
        bench.run();
        assert_same(&bench.rows, &due, seed);
        assert_eq!(bench.faults, [], "seed {seed}");
    }
    let mut bench = Bench::<1>::new(9, 8);
    let due = random_chains(&mut bench, 256, RECEIVE_CHAIN);
    bench.run();
    assert_same(&bench.rows, &due, 9);
    assert_eq!(bench.faults, []);
}

/// Writes random chains of which most go on in an indirect table, some of them at once; as `random_chains` otherwise.
fn random_tables<const RECEIVE: usize>(bench: &mut Bench<RECEIVE>, size: u16, longest: usize) -> Vec<Row> {
    let mut chains = vec![];
    for pair in 0..PAIRS {
        let mut free: Vec<u16> = (0..size).collect();
        free.shuffle(&mut bench.rng);
        while !free.is_empty() {
            let length = bench.rng.random_range(1..=3.min(longest).min(free.len()));
            chains.push((pair, free.drain(..length).collect::<Vec<_>>()));
        }
    }
    chains.shuffle(&mut bench.rng);
    let (mut due, mut at) = (vec![], INDIRECT_TABLES);
    let write = if RECEIVE == 1 { WRITE } else { 0 };
    for (pair, direct) in chains {
        bench.head(pair, direct[0].into());
        let tables = bench.rng.random_bool(0.8);
        let inner = if tables { bench.rng.random_range(1..=longest - (direct.len() - 1)) } else { 0 };
        // The places of the chain's descriptors: in the virtqueue's table, in the indirect one, which may have some that no chain names.
        let entries = if tables { inner + bench.rng.random_range(0..3) } else { 0 };
        let mut order: Vec<u16> = (1..entries as u16).collect();
        if bench.rng.random_bool(0.4) {
            order.shuffle(&mut bench.rng);
        }
        let order: Vec<u16> = [0].into_iter().chain(order).take(inner).collect();
        let plain = direct.len() - usize::from(tables);
        let own = direct[..plain].iter().map(|index| (table(pair), *index));
        let places: Vec<_> = own.chain(order.iter().map(|index| (at, *index))).collect();
        for (i, (base, index)) in places.iter().enumerate() {
            let last = i + 1 == places.len();
            let (address, length) = (0x10_0000 + bench.rng.random_range(0..0x8000u64), bench.rng.random_range(60..200));
            let goes_on = if *base == at { !last } else { i + 1 < direct.len() };
            let next = if *base == at { order.get(i + 1 - plain) } else { direct.get(i + 1) };
            let flags = write | if goes_on { NEXT } else { 0 };
            bench.memory.write_descriptor(*base, *index, (address, length, flags, next.copied().unwrap_or(0xffff)));
            let (p, head) = (pair as u64, direct[0].into());
            due.push((p, function(pair), address, length.into(), head, i == 0, last, false, false));
        }
        if tables {
            let flags = INDIRECT | if bench.rng.random() { WRITE } else { 0 };
            let pointer = (at, 16 * entries as u32, flags, bench.rng.random());
            bench.memory.write_descriptor(table(pair), direct[plain], pointer);
            at += 16 * (entries as u64 + bench.rng.random_range(0..4));
        }
    }
    assert!(at < END);
    due
}

#[test]
fn chains_go_on_in_indirect_tables() {
    for seed in 0..6 {
        let size_log2 = [0, 2, 4, 8, 8, 8][seed as usize];
        let mut bench = Bench::<0>::new(seed, size_log2);
        let due = random_tables(&mut bench, 1 << size_log2, 20.min(1 << size_log2));
        bench.run();
        assert_same(&bench.rows, &due, seed);
        assert_eq!(bench.faults, [], "seed {seed}");
        let mut bench = Bench::<1>::new(seed, size_log2);
        let due = random_tables(&mut bench, 1 << size_log2, RECEIVE_CHAIN.min(1 << size_log2));
        bench.run();
        assert_same(&bench.rows, &due, seed);
        assert_eq!(bench.faults, [], "seed {seed}");
    }
}

/// Clocks per chain of a table of `entries`, at a round trip of 250 clocks; the chains of `pairs` queues in batches of 32.
fn clocks_per_chain(pairs: usize, entries: u16, offset: u64) -> f64 {
    const CHAINS: usize = 1536;
    let mut bench = Bench::<0>::new(1, 8);
    bench.memory.latency = Some(250);
    for chain in 0..CHAINS {
        let (pair, index) = (chain / 32 % pairs, (chain / 32 / pairs * 32 + chain % 32) % 256);
        let at = INDIRECT_TABLES + offset + 128 * index as u64 + 0x8000 * pair as u64;
        for entry in 0..entries {
            let flags = if entry + 1 < entries { NEXT } else { 0 };
            bench.memory.write_descriptor(at, entry, (0x10_0000, 80, flags, entry + 1));
        }
        let pointer = (at, 16 * u32::from(entries), INDIRECT, 0);
        bench.memory.write_descriptor(table(pair), index as u16, pointer);
        let head = Head {
            pair: (pair as u64).into(),
            index: (index as u64).into(),
            fresh: chain % 32 == 0,
            ..Default::default()
        };
        bench.heads.push_back(head);
    }
    let mut clocks = 0;
    while bench.rows.len() < CHAINS * entries as usize {
        bench.clock(1.0);
        clocks += 1;
    }
    f64::from(clocks) / CHAINS as f64
}

#[test]
fn tables_of_many_chains_are_read_at_a_time() {
    // The first two round trips, spread over all chains, are a third of a clock. At 250 MHz four clocks are 62 Mpps.
    for (pairs, entries, most) in [(1, 2, 4.0), (3, 2, 4.0), (1, 3, 4.0), (3, 4, 4.5)] {
        let clocks = clocks_per_chain(pairs, entries, 0);
        assert!(clocks < most, "{pairs} queues, a table of {entries}: {clocks} clocks");
    }
    // Two lines a table, of which 128 are under way: 250 / 64 clocks.
    for (entries, offset) in [(2, 48), (4, 32)] {
        let clocks = clocks_per_chain(3, entries, offset);
        assert!(clocks < 5.5, "a table of {entries} in two lines: {clocks} clocks");
    }
}

#[test]
fn chains_of_one_descriptor_take_a_clock_each() {
    let mut bench = Bench::<0>::new(1, 8);
    for index in 0..200 {
        bench.memory.write_descriptor(table(0), index, (0x10_0000, 80, 0, 0));
        bench.head(0, index.into());
    }
    // What is asked for is answered three times in ten clocks here: that is the limit, not the walker.
    let mut clocks = 0;
    while bench.rows.len() < 200 {
        bench.clock(1.0);
        clocks += 1;
    }
    assert!(clocks < 200 * 4, "{clocks} clocks");
}

#[test]
fn heads_that_were_read_together_share_the_line_of_their_descriptors() {
    let mut bench = Bench::<0>::new(2, 8);
    for index in 0..200 {
        bench.memory.write_descriptor(table(0), index, (0x10_0000, 80, 0, 0));
        bench.heads.push_back(Head { index: u64::from(index).into(), fresh: index % 8 == 0, ..Default::default() });
    }
    bench.run();
    assert_eq!((bench.rows.len(), bench.memory.reads), (200, 50));
    // A head that is fresh sees what was written since.
    for (address, fresh) in [(0x10_1000, true), (0x10_2000, true), (0x10_3000, false)] {
        bench.memory.write_descriptor(table(0), 9, (address, 80, 0, 0));
        bench.heads.push_back(Head { index: 9u64.into(), fresh, ..Default::default() });
        bench.run();
    }
    let addresses: Vec<_> = bench.rows[200..].iter().map(|row| row.2).collect();
    assert_eq!(addresses, [0x10_1000, 0x10_2000, 0x10_2000]);
}

/// What becomes of one chain, then of a sound one of the same queue and of another's; `inner` are descriptors at `INNER`.
fn outcome<const RECEIVE: usize>(indirect: bool, chain: &[Written], inner: &[Written]) -> (Vec<Row>, Vec<(u64, u64)>) {
    let mut bench = Bench::<RECEIVE>::with_tables(4, 4, indirect);
    for (index, descriptor) in chain {
        bench.memory.write_descriptor(table(1), *index, *descriptor);
    }
    for (index, descriptor) in inner {
        bench.memory.write_descriptor(INNER, *index, *descriptor);
    }
    let flags = if RECEIVE == 1 { WRITE } else { 0 };
    for pair in [1, 2] {
        bench.memory.write_descriptor(table(pair), 15, (0x10_0000, 100, flags, 0));
    }
    bench.head(1, chain[0].0.into());
    bench.head(1, 15);
    bench.head(2, 15);
    bench.run();
    (bench.rows, bench.faults)
}

/// The chain of `outcome` ends with an abort, as does the sound one behind it; the other queue goes on.
fn assert_fault<const RECEIVE: usize>(chain: &[Written], reason: u64) {
    assert_aborts(outcome::<RECEIVE>(false, chain, &[]), reason, chain);
}

/// The same of a chain that goes on in an indirect table.
fn assert_fault_within<const RECEIVE: usize>(chain: &[Written], inner: &[Written], reason: u64) {
    assert_aborts(outcome::<RECEIVE>(true, chain, inner), reason, (chain, inner));
}

fn assert_aborts(outcome: (Vec<Row>, Vec<(u64, u64)>), reason: u64, of: impl std::fmt::Debug) {
    let (rows, faults) = outcome;
    assert_eq!(faults, [(1, reason)], "{of:?}");
    let aborts: Vec<_> = rows.iter().filter(|row| row.7).collect();
    assert_eq!(aborts.len(), 2, "{rows:?}");
    assert!(aborts.iter().all(|row| row.6 && row.0 == 1), "{rows:?}");
    assert!(rows.iter().filter(|row| row.5).count() == 3 && rows.iter().filter(|row| row.6).count() == 3, "{rows:?}");
    let others = of_pair(&rows, 2);
    assert_eq!(others.iter().map(|row| row.7).collect::<Vec<_>>(), [false], "{rows:?}");
}

#[test]
fn what_breaks_the_rules_is_a_fault_of_its_queue_alone() {
    let at = 0x10_0000;
    assert_fault::<0>(&[(3, (at, 100, NEXT, 16))], reason::NEXT);
    assert_fault::<0>(&[(3, (at, 100, NEXT, 4)), (4, (at, 100, NEXT, 3))], reason::CHAIN);
    assert_fault::<0>(&[(3, (at, 100, WRITE, 0))], reason::DIRECTION);
    assert_fault::<0>(&[(3, (at, 100, NEXT, 9)), (9, (at, 100, WRITE, 0))], reason::DIRECTION);
    assert_fault::<1>(&[(3, (at, 100, 0, 0))], reason::DIRECTION);
    assert_fault::<0>(&[(3, (at, 0, 0, 0))], reason::EMPTY);
    assert_fault::<0>(&[(3, (at, 100, INDIRECT, 0))], reason::INDIRECT);
    assert_fault::<1>(&[(3, (at, 100, INDIRECT | WRITE, 0))], reason::INDIRECT);
    assert_fault::<0>(&[(3, (at, 65_602, 0, 0))], reason::TOO_LONG);
    assert_fault::<0>(&[(3, (at, 0x10_0000, 0, 0))], reason::TOO_LONG);
    assert_fault::<0>(&[(3, (at, 0x8000, NEXT, 4)), (4, (at, 0x8042, 0, 0))], reason::TOO_LONG);
    assert_fault::<0>(&[(3, (at, 12, 0, 0))], reason::HEADER);
    assert_fault::<0>(&[(3, (at, 6, NEXT, 4)), (4, (at, 6, 0, 0))], reason::HEADER);
    assert_fault::<0>(&[(3, (at - 1, 100, 0, 0))], reason::WINDOW);
    assert_fault::<0>(&[(3, (at + 0xffff, 2, NEXT, 4)), (4, (at, 100, 0, 0))], reason::WINDOW);
    assert_fault::<0>(&[(3, (u64::MAX - 10, 100, 0, 0))], reason::WINDOW);
    let five: Vec<_> = (3..8).map(|i| (i, (at, 100, WRITE | if i < 7 { NEXT } else { 0 }, i + 1))).collect();
    assert_fault::<1>(&five, reason::CHAIN);
}

/// An indirect table that ends with a line, one that ends with the memory.
const INNER: u64 = INDIRECT_TABLES + 0x100;
const EDGE: u64 = END - 0x20;

#[test]
fn what_breaks_the_rules_of_tables_is_a_fault_of_its_queue_alone() {
    let at = 0x10_0000;
    let to = |address, length, flags| [(3, (address, length, INDIRECT | flags, 0))];
    let good = [(0, (at, 100, NEXT, 1)), (1, (at, 100, 0, 0))];
    // The descriptor that stands for a table.
    assert_fault_within::<0>(&to(INNER, 32, NEXT), &good, reason::INDIRECT);
    assert_fault_within::<0>(&to(INNER, 0, 0), &good, reason::INDIRECT);
    assert_fault_within::<0>(&to(INNER, 40, 0), &good, reason::INDIRECT);
    for misaligned in [1, 2, 8] {
        assert_fault_within::<0>(&to(INNER + misaligned, 32, 0), &good, reason::INDIRECT);
    }
    let behind = [(3, (at, 100, NEXT, 5)), (5, (INNER + 4, 32, INDIRECT, 0))];
    assert_fault_within::<0>(&behind, &good, reason::INDIRECT);
    // A table in a table: itself, and another one; as its first descriptor and behind it.
    let itself = (INNER, 32, INDIRECT, 0);
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, itself)], reason::INDIRECT);
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, (at, 100, NEXT, 1)), (1, itself)], reason::INDIRECT);
    assert_fault_within::<0>(&to(INNER, 16, 0), &[(0, (EDGE, 16, INDIRECT, 0))], reason::INDIRECT);
    // Loops, of one, two and many lines; a chain longer than the queue in a table that is long enough.
    let far = |next| (at, 100, NEXT, next);
    assert_fault_within::<0>(&to(INNER, 16, 0), &[(0, far(0))], reason::CHAIN);
    assert_fault_within::<0>(&to(INNER, 160, 0), &[(0, far(7)), (7, far(0))], reason::CHAIN);
    assert_fault_within::<0>(&to(INNER, 0x1000, 0), &[(0, far(200)), (200, far(100)), (100, far(200))], reason::CHAIN);
    let long: Vec<Written> = (0..17).map(|i| (i, (at, 100, if i < 16 { NEXT } else { 0 }, i + 1))).collect();
    assert_fault_within::<0>(&to(INNER, 17 * 16, 0), &long, reason::CHAIN);
    let with_head = [(3, (at, 100, NEXT, 5)), (5, (INNER, 16 * 16, INDIRECT, 0))];
    assert_fault_within::<0>(
        &with_head,
        &long[1..].iter().map(|(i, d)| (i - 1, (d.0, d.1, d.2, *i))).collect::<Vec<_>>(),
        reason::CHAIN,
    );
    // The number behind the last of the table, whatever the queue has.
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, far(2))], reason::NEXT);
    assert_fault_within::<0>(&to(INNER, 32 * 16, 0), &[(0, far(20)), (20, far(32))], reason::NEXT);
    // Where no memory is: the table, what is behind its first line, what is past the last address.
    assert_fault_within::<0>(&to(END, 32, 0), &[], reason::BUS);
    let last = ((END - 16 - INNER) / 16) as u16;
    for next in [1, 4, 5, 15] {
        assert_fault_within::<0>(&to(END - 16, 256, 0), &[(last, far(next))], reason::BUS);
        assert_fault_within::<0>(&to(u64::MAX - 15, 256, 0), &[(last, far(next))], reason::WINDOW);
    }
    // What holds of all descriptors.
    assert_fault_within::<0>(&to(INNER, 16, WRITE), &[(0, (at, 100, WRITE, 0))], reason::DIRECTION);
    assert_fault_within::<1>(&to(INNER, 16, WRITE), &[(0, (at, 100, 0, 0))], reason::DIRECTION);
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, far(1)), (1, (at, 0, 0, 0))], reason::EMPTY);
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, (at, 6, NEXT, 1)), (1, (at, 6, 0, 0))], reason::HEADER);
    assert_fault_within::<0>(&to(INNER, 32, 0), &[(0, far(1)), (1, (at - 1, 100, 0, 0))], reason::WINDOW);
    let five: Vec<Written> = (0..5).map(|i| (i, (at, 100, WRITE | if i < 4 { NEXT } else { 0 }, i + 1))).collect();
    assert_fault_within::<1>(&to(INNER, 80, 0), &five, reason::CHAIN);
}

#[test]
fn a_table_at_the_end_of_what_may_be_read_is_followed_as_far_as_its_chain_goes() {
    let at = 0x10_0000;
    // The table says that it goes on behind the end, its chain does not.
    let place = ((EDGE - INNER) / 16) as u16;
    let inner = [(place, (at, 100, NEXT, 1)), (place + 1, (at, 100, 0, 0))];
    for length in [32, 256, 0xffff_fff0] {
        let (rows, faults) = outcome::<0>(true, &[(3, (EDGE, length, INDIRECT, 0))], &inner);
        assert_eq!((rows.len(), faults), (4, vec![]), "{length}");
    }
    // Nor is the descriptor that stands for it one of the chain's: as many follow as the queue has.
    let all: Vec<Written> = (0..16).map(|i| (i, (at, 100, if i < 15 { NEXT } else { 0 }, i + 1))).collect();
    let (rows, faults) = outcome::<0>(true, &[(3, (INNER, 256, INDIRECT, 0))], &all);
    assert_eq!((rows.len(), faults), (18, vec![]));
}

#[test]
fn what_is_just_within_the_rules_passes() {
    let at = 0x10_0000;
    for chain in [
        vec![(3, (at, 0x1_0000, 0, 0))],
        vec![(3, (at, 0x8000, NEXT, 4)), (4, (at, 0x8041, 0, 0))],
        vec![(3, (at + 0xfff3, 13, 0, 0))],
        vec![(3, (at, 12, NEXT, 4)), (4, (at, 1, 0, 0))],
    ] {
        let (rows, faults) = outcome::<0>(true, &chain, &[]);
        assert_eq!((rows.len(), faults), (chain.len() + 2, vec![]));
    }
    // In a receiveq a descriptor may be as long as it likes.
    let (rows, faults) = outcome::<1>(true, &[(3, (at, 0x1_0000, WRITE, 0))], &[]);
    assert_eq!((rows[0].3, faults), (0x1_0000, vec![]));
}

#[test]
fn a_reset_ends_what_a_fault_began_and_a_stopped_queue_is_swallowed() {
    let mut bench = Bench::<0>::new(5, 4);
    bench.memory.write_descriptor(table(1), 3, (0, 100, 0, 0));
    bench.memory.write_descriptor(table(1), 4, (0x10_0000, 100, 0, 0));
    bench.memory.write_descriptor(table(2), 4, (0x10_0000, 100, 0, 0));
    bench.dut.stopped.next = 0b100u64.into();
    bench.head(1, 3);
    bench.head(1, 4);
    bench.heads.push_back(Head { pair: 1u64.into(), reset: true, ..Default::default() });
    bench.head(1, 4);
    bench.head(2, 4);
    bench.run();
    let kinds: Vec<_> = bench.rows.iter().map(|row| (row.0, row.7, row.8)).collect();
    let due = [(1, true, false), (1, true, false), (1, false, true), (1, false, false), (2, true, false)];
    assert_eq!(kinds, due);
    assert_eq!(bench.faults, [(1, reason::WINDOW)], "and no word of the queue that was stopped for another reason");
}

#[test]
fn chain_walker_lints() {
    assert_lints(ChainWalker::<5, 3, 11, 12, 0>::default());
    assert_lints(ChainWalker::<5, 3, 11, 6, 1>::default());
}

#[path = "scattered_walker_tests.rs"]
mod scattered;
