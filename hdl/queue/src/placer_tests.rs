// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames on their way from the core into memory: `Collector`, `ReceiveStore`, `Placer`, `Prepend`, `Scatter`.

use super::*;
use crate::axi::AxiWriteMaster;
use crate::collector::Collector;
use crate::memory::WrittenMemory;
use crate::prepend::Prepend;
use crate::receive_store::ReceiveStore;
use crate::scatter::Scatter;
use crate::testing::{assert_lints, beats, settle, tick};
use crate::types::{BEAT_BITS, Fault, Policy, Segment, Used};
use millrace_hdl::core::types::Beat;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Pairs 0 and 1 are representors, 2 and 3 of the functions 1 and 2.
const PAIRS: usize = 4;
const SOURCES: usize = 3;

/// The way of a frame from the core into memory.
#[millrace_hdl::block]
struct Way {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    #[count(SOURCES)]
    inp: Vec<Snk<Beat<BEAT_BITS, 7>>>,
    whole: Signal<In, Bits<SOURCES>>,
    upcall_vport: Signal<In, Bits<8>>,
    upcall_reason: Signal<In, Bits<8>>,
    live: Signal<In, Bits<PAIRS>>,
    merge: Signal<In, Bits<SOURCES>>,
    granted: Signal<In, Bit>,
    granted_pair: Signal<In, Bits<2>>,
    granted_count: Signal<In, Bits<6>>,
    room: Signal<Out, Bits<PAIRS>>,
    segments: Snk<Segment<2>>,
    axi: AxiWriteMaster,
    used: Src<Used<2>>,
    fault: Src<Fault<2>>,
    no_buffer: Signal<Out, Bit>,
    no_buffer_function: Signal<Out, Bits<8>>,
    idle: Signal<Out, Bit>,
    #[init(ReceiveStore::new())]
    store: ReceiveStore<PAIRS, 2, 10>,
    #[init(Collector::new(&[2, 3]))]
    collector: Collector<SOURCES, 2, 2>,
    placer: Placer<PAIRS, 2, SOURCES>,
    prepend: Prepend,
    scatter: Scatter<2>,
}

#[millrace_hdl::block]
impl Way {
    fn update(&mut self) {
        for i in 0..SOURCES {
            link(self.inp[i], self.collector.inp[i]);
        }
        self.collector.whole = self.whole;
        self.collector.upcall_vport = self.upcall_vport;
        self.collector.steers = 0;
        self.collector.upcall_reason = self.upcall_reason;
        self.collector.policy_write = false;
        self.collector.policy_function = 0;
        self.collector.policy = Policy::default();
        join(self.collector.frames, self.placer.frames);
        join(self.collector.data, self.prepend.inp);
        self.placer.live = self.live;
        self.placer.merge = self.merge;
        self.store.granted = self.granted;
        self.store.granted_pair = self.granted_pair;
        self.store.granted_count = self.granted_count;
        self.store.free_pair = self.granted_pair;
        self.store.packed_free_pair = self.granted_pair;
        self.room = self.store.room;
        link(self.segments, self.store.segments);
        self.store.look = self.placer.look;
        self.store.look_pair = self.placer.look_pair;
        self.placer.chains = self.store.chains;
        self.store.chain = self.placer.chain;
        self.store.descriptor = self.placer.descriptor;
        self.placer.buffer = self.store.buffer;
        self.store.consume = self.placer.consume;
        self.store.consume_pair = self.placer.consume_pair;
        self.store.consumed = self.placer.consumed;
        join(self.store.reset_pair, self.placer.reset_pair);
        join(self.placer.start, self.prepend.start);
        join(self.placer.targets, self.scatter.targets);
        join(self.prepend.out, self.scatter.inp);
        link(self.axi, self.scatter.axi);
        link(self.used, self.scatter.used);
        link(self.fault, self.scatter.fault);
        self.no_buffer = self.placer.no_buffer;
        self.no_buffer_function = self.placer.no_buffer_function;
        let before = self.collector.idle & self.placer.idle & self.store.idle;
        self.idle = before & self.prepend.idle & self.scatter.idle;
    }
}

/// A chain that was made: pair, head, places.
type Chain = (u64, u64, Vec<(u64, u64)>);

struct Bench {
    dut: Box<Way>,
    rng: ChaCha8Rng,
    /// By source: frames that wait, and the beats of the one that goes in.
    frames: Vec<VecDeque<Vec<u8>>>,
    going: Vec<VecDeque<Beat<BEAT_BITS, 7>>>,
    segments: VecDeque<Segment<2>>,
    chains: Vec<Chain>,
    next_address: u64,
    memory: WrittenMemory,
    used: Vec<(u64, u64, u64, bool)>,
    drops: Vec<u64>,
    clocks: usize,
    /// How often a port is ready.
    ease: f64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut dut = Box::<Way>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        dut.live.next = 0b1111u64.into();
        dut.merge.next = 0b010u64.into();
        dut.upcall_vport.next = 1u64.into();
        dut.upcall_reason.next = 2u64.into();
        Self {
            dut,
            rng: ChaCha8Rng::seed_from_u64(seed),
            frames: vec![VecDeque::new(); SOURCES],
            going: vec![VecDeque::new(); SOURCES],
            segments: VecDeque::new(),
            chains: vec![],
            next_address: 0,
            memory: WrittenMemory::new(0x2_0000),
            used: vec![],
            drops: vec![],
            clocks: 0,
            ease: 0.8,
        }
    }

    /// Makes a chain of buffers of these lengths, at addresses of its own.
    fn chain(&mut self, pair: u64, head: u64, lengths: &[u64]) {
        let mut places = vec![];
        for (i, length) in lengths.iter().enumerate() {
            self.next_address += self.rng.random_range(0..64);
            places.push((self.next_address, *length));
            self.segments.push_back(Segment {
                pair: pair.into(),
                function: pair.saturating_sub(1).into(),
                address: self.next_address.into(),
                length: (*length).into(),
                head: head.into(),
                first: i == 0,
                last: i + 1 == lengths.len(),
                ..Default::default()
            });
            self.next_address += length;
        }
        self.chains.push((pair, head, places));
    }

    fn frame(&mut self, source: usize, length: usize) -> Vec<u8> {
        let frame: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
        self.frames[source].push_back(frame.clone());
        frame
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let mut often = || self.rng.random_bool(self.ease);
        let mut whole = 0u64;
        for source in 0..SOURCES {
            if self.going[source].is_empty()
                && let Some(frame) = self.frames[source].pop_front()
            {
                self.going[source] = beats::<BEAT_BITS, 7>(&frame).into();
            }
            let beat = self.going[source].front();
            whole |= u64::from(beat.is_some()) << source;
            dut.inp[source].valid.next = beat.is_some();
            dut.inp[source].data.next = beat.copied().unwrap_or_default();
        }
        dut.whole.next = whole.into();
        dut.segments.valid.next = !self.segments.is_empty() && often();
        dut.segments.data.next = self.segments.front().copied().unwrap_or_default();
        dut.used.ready.next = often();
        self.memory.drive(&mut dut.axi, often);
        settle(dut);
        for source in 0..SOURCES {
            if dut.inp[source].valid.val() && dut.inp[source].ready.val() {
                self.going[source].pop_front();
            }
        }
        if dut.segments.valid.val() && dut.segments.ready.val() {
            self.segments.pop_front();
        }
        self.memory.sample(&dut.axi);
        if dut.used.valid.val() && dut.used.ready.val() {
            let used = dut.used.data.val();
            let n = (used.pair.to_u64(), used.head.to_u64(), used.length.to_u64(), used.reset);
            self.used.push(n);
        }
        assert!(!dut.fault.valid.val());
        if dut.no_buffer.val() {
            self.drops.push(dut.no_buffer_function.val().to_u64());
        }
        self.clocks += 1;
        // The clock stands still while it may.
        if !dut.idle.val() {
            tick(dut, |d| &mut d.clock);
        }
    }

    fn run(&mut self) {
        for _ in 0..30_000 {
            let waits = self.frames.iter().any(|f| !f.is_empty()) || self.going.iter().any(|f| !f.is_empty());
            if !waits && self.segments.is_empty() && self.memory.quiet() && self.dut.idle.val() {
                return;
            }
            self.clock();
        }
        panic!("not idle");
    }

    /// The bytes that were written to a chain, given what was used of it.
    fn written(&self, pair: u64, head: u64, length: u64) -> Vec<u8> {
        let chain = self.chains.iter().find(|chain| (chain.0, chain.1) == (pair, head)).expect("a chain that was made");
        let bytes = chain.2.iter().flat_map(|(at, len)| &self.memory.bytes[*at as usize..(at + len) as usize]);
        let all: Vec<u8> = bytes.copied().collect();
        assert!(all[length as usize..].iter().all(|byte| *byte == 0xee), "nothing else was touched");
        all[..length as usize].to_vec()
    }
}

/// What a driver finds before a frame.
fn header(pair: u64, buffers: u16, reason: u8, length: usize) -> Vec<u8> {
    let mut header = vec![0; 10];
    header.extend(buffers.to_le_bytes());
    if pair < 2 {
        header.extend([reason, 0, 0, 0]);
        header.extend((length as u32).to_le_bytes());
        header.extend([0; 24]);
    }
    header
}

#[test]
fn a_frame_fills_one_chain_whatever_its_buffers_and_lengths() {
    for seed in 0..6 {
        let mut bench = Bench::new(seed);
        let mut due = vec![];
        for head in 0..12 {
            let source = bench.rng.random_range(0..SOURCES);
            let pair = [2, 3, 1][source];
            let length = if head % 6 == 0 { bench.rng.random_range(14..2000) } else { bench.rng.random_range(14..200) };
            let need = length + if source == 2 { 44 } else { 12 };
            let mut lengths = vec![];
            let mut left = need as u64;
            for _ in 0..bench.rng.random_range(0..3) {
                let cut = bench.rng.random_range(1..=left.min(100));
                if cut < left {
                    lengths.push(cut);
                    left -= cut;
                }
            }
            lengths.push(left + bench.rng.random_range(0..50));
            bench.chain(pair, head, &lengths);
            let frame = bench.frame(source, length);
            let reason = if source == 2 { 2 } else { 0 };
            due.push((pair, head, [header(pair, 1, reason, length), frame].concat()));
            // The buffers are there before the frame comes.
            while !bench.segments.is_empty() {
                bench.clock();
            }
        }
        bench.run();
        assert_eq!(bench.used.len(), due.len(), "seed {seed}");
        for (pair, head, expected) in due {
            let used = bench.used.iter().find(|used| (used.0, used.1) == (pair, head)).expect("used");
            assert_eq!(used.2 as usize, expected.len(), "seed {seed}");
            assert!(bench.written(pair, head, used.2) == expected, "seed {seed}, chain {head} of {pair}");
        }
        assert!(bench.drops.is_empty());
    }
}

#[test]
fn chains_are_taken_in_order_while_others_come_and_frames_are_dropped() {
    for seed in 20..24 {
        let mut bench = Bench::new(seed);
        bench.ease = if seed % 2 == 0 { 1.0 } else { 0.8 };
        let (mut made, mut sent) = (0, 0);
        for _ in 0..60 {
            let chains = bench.rng.random_range(0..40).min(60 - (made - bench.used.len()));
            for _ in 0..chains {
                // The places come round: what is in them does not matter.
                bench.next_address %= 0x1_f000;
                bench.chain(2, made as u64, &[200]);
                made += 1;
            }
            for _ in 0..bench.rng.random_range(0..40) {
                let length = bench.rng.random_range(14..130);
                bench.frame(0, length);
                sent += 1;
            }
            for _ in 0..bench.rng.random_range(0..200) {
                bench.clock();
            }
        }
        bench.run();
        let heads: Vec<u64> = bench.used.iter().map(|used| used.1).collect();
        assert_eq!(heads, (0..heads.len() as u64).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(heads.len() + bench.drops.len(), sent, "seed {seed}");
        assert!(!bench.drops.is_empty() && heads.len() > 300, "seed {seed}: {} of {sent}", heads.len());
    }
}

#[test]
fn frames_that_fit_a_buffer_each_take_as_long_as_their_bytes() {
    let mut bench = Bench::new(11);
    bench.ease = 1.0;
    for head in 0..60 {
        for pair in [2, 3] {
            bench.chain(pair, head, &[80]);
        }
    }
    bench.run();
    // With their headers they have 76 bytes: two or three beats, and a clock of `Scatter` between frames that end within a beat.
    let frames: Vec<_> = (0..120).map(|i| bench.frame(i % 2, 64)).collect();
    let begin = bench.clocks;
    bench.run();
    assert!(bench.clocks - begin < 120 * 7 / 2, "{} clocks", bench.clocks - begin);
    assert_eq!(bench.used.len(), 120);
    for (i, frame) in frames.iter().enumerate() {
        let (pair, head) = (2 + i as u64 % 2, i as u64 / 2);
        assert!(bench.written(pair, head, 76) == [header(pair, 1, 0, 64), frame.clone()].concat(), "frame {i}");
    }
}

#[test]
fn frames_of_all_kinds_keep_their_order_and_take_the_oldest_chains() {
    for seed in 20..28 {
        let mut bench = Bench::new(seed);
        bench.ease = [0.8, 1.0][seed as usize % 2];
        let (mut heads, mut due) = ([0; PAIRS], vec![]);
        for _ in 0..150 {
            let source = bench.rng.random_range(0..2);
            let pair = source as u64 + 2;
            if bench.rng.random_bool(0.7) {
                let lengths: &[u64] = [&[150][..], &[150], &[30, 120], &[60]][bench.rng.random_range(0..4)];
                bench.chain(pair, heads[pair as usize], lengths);
                heads[pair as usize] += 1;
            }
            let length = bench.rng.random_range(14..130);
            let frame = bench.frame(source, length);
            due.push((pair, frame));
            for _ in 0..bench.rng.random_range(0..20) {
                bench.clock();
            }
        }
        bench.run();
        // What was written is, in order, a part of what was sent; each chain is used once and in its order.
        for pair in [2, 3] {
            let used: Vec<_> = bench.used.iter().filter(|used| used.0 == pair).collect();
            assert!(used.iter().enumerate().all(|(i, used)| used.1 == i as u64), "seed {seed}: {used:?}");
            let written: Vec<u8> = used.iter().flat_map(|used| bench.written(pair, used.1, used.2)).collect();
            let (mut at, mut frames) = (0, due.iter().filter(|frame| frame.0 == pair));
            while at < written.len() {
                let buffers = u16::from_le_bytes(written[at + 10..at + 12].try_into().unwrap());
                let rest = &written[at + 12..];
                let (_, frame) = frames.find(|(_, frame)| rest.starts_with(frame)).expect("a frame that was sent");
                assert!(buffers == 1 || pair == 2);
                at += 12 + frame.len();
            }
            let received = due.iter().filter(|frame| frame.0 == pair).count() - frames.count();
            assert!(received > 20, "seed {seed}: {received}");
        }
        assert!(!bench.drops.is_empty());
    }
}

#[test]
fn a_frame_may_take_eight_chains_where_that_is_negotiated_and_one_where_it_is_not() {
    let mut bench = Bench::new(7);
    for head in 0..10 {
        bench.chain(2, head, &[50, 30]);
        bench.chain(3, head, &[50, 30]);
    }
    // Function 1 takes several chains, function 2 does not.
    let frame = bench.frame(0, 300);
    bench.frame(1, 100);
    bench.run();
    let used: Vec<_> = bench.used.iter().map(|used| (used.0, used.1, used.2)).collect();
    assert_eq!(used, [(2, 0, 80), (2, 1, 80), (2, 2, 80), (2, 3, 72)]);
    let all: Vec<u8> = used.iter().flat_map(|used| bench.written(used.0, used.1, used.2)).collect();
    assert!(all == [header(2, 4, 0, 300), frame].concat());
    assert_eq!(bench.drops, [2u64]);

    // Six chains are left: no room for 481 bytes, but for 468 there is. Then there is none.
    bench.frame(0, 481);
    bench.run();
    bench.frame(0, 468);
    bench.run();
    bench.frame(0, 14);
    bench.run();
    assert_eq!((bench.drops, bench.used.len()), (vec![2, 1, 1], 10));
}

#[test]
fn more_than_eight_chains_are_too_many_and_they_stay() {
    let mut bench = Bench::new(8);
    (0..12).for_each(|head| bench.chain(2, head, &[64]));
    while !bench.segments.is_empty() {
        bench.clock();
    }
    bench.frame(0, 8 * 64 - 11);
    bench.run();
    assert_eq!((bench.drops.as_slice(), bench.used.len()), (&[1][..], 0));
    bench.frame(0, 8 * 64 - 12);
    bench.run();
    assert_eq!((bench.drops.as_slice(), bench.used.len()), (&[1][..], 8));
}

#[test]
fn a_queue_that_is_not_live_has_no_buffers_and_a_reset_forgets_them() {
    let mut bench = Bench::new(9);
    bench.chain(2, 1, &[200]);
    bench.run();
    bench.dut.live.next = 0b1011u64.into();
    bench.frame(0, 60);
    bench.run();
    assert_eq!(bench.drops, [1u64]);
    bench.segments.push_back(Segment { pair: 2u64.into(), last: true, reset: true, ..Default::default() });
    bench.run();
    bench.dut.live.next = 0b1111u64.into();
    bench.frame(0, 60);
    bench.run();
    assert_eq!((bench.drops.as_slice(), bench.used.as_slice()), (&[1, 1][..], &[(2, 0, 0, true)][..]));
    bench.chain(2, 5, &[200]);
    bench.run();
    bench.frame(0, 60);
    bench.run();
    assert_eq!(bench.used[1], (2, 5, 72, false));
}

#[test]
fn room_counts_what_is_granted_until_its_frame_comes() {
    let mut bench = Bench::new(10);
    let grant = |bench: &mut Bench, count: u64| {
        bench.dut.granted.next = true;
        bench.dut.granted_pair.next = 2u64.into();
        bench.dut.granted_count.next = count.into();
        bench.clock();
        bench.dut.granted.next = false;
        bench.clock();
        bench.dut.room.val().get_bit(2)
    };
    for _ in 0..3 {
        assert!(grant(&mut bench, 16));
    }
    assert!(!grant(&mut bench, 1), "49 of 64 places, and 16 would not fit");
    assert!(bench.dut.room.val().get_bit(3));
    (0..2).for_each(|head| bench.chain(2, head, &[100]));
    bench.run();
    assert!(!bench.dut.room.val().get_bit(2));
    bench.frame(0, 60);
    bench.run();
    assert!(bench.dut.room.val().get_bit(2), "48 of 64");
}

#[test]
fn the_way_of_a_frame_lints() {
    assert_lints(Way::default());
}
