// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the available rings.

use crate::types::{BEAT_BITS, Fault, Head, QueueConfig, RingAnswer, RingRead, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Entries that are read at once, at most.
pub const BATCH: usize = 16;

/// What is done with the queue in `pair`.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum FetchState {
    Idle,
    /// A read: of which queue, where, how many entries; it waits to be taken.
    Choose,
    Place,
    Count,
    Ask,
    /// An answer: where in the beat it begins; what it says.
    Look,
    Align,
    Index,
    Entries,
    Fault,
    Reset,
}

wire_struct! {
    /// An available ring.
    pub struct Ring {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// How far a queue is.
    pub struct Progress {
        /// The next entry to take, as it counts in `avail.idx`.
        pub upcoming: Bits<16>,
        /// `avail.idx` as it was read last.
        pub seen: Bits<16>,
        /// Of the read that is under way: it reads so many entries; 0: `avail.idx`.
        pub count: Bits<5>,
    }
}

/// The available rings of one side, the receiveqs or the transmitqs, of `PAIRS` pairs.
///
/// A queue that is live and was notified has its `avail.idx` read, then its new entries, up to 16 with a read, which become `heads`; so until
/// there are no new ones. Each queue has one read under way at most, and those of different queues overlap. Of a queue that faults nothing
/// more is read before its reset as long as it is not live; `live` falls some clocks after the fault.
#[millrace_hdl::block]
pub struct RingFetch<const PAIRS: usize, const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub live: Signal<In, Bits<PAIRS>>,
    pub notify: Signal<In, Bit>,
    pub notify_pair: Signal<In, Bits<PAIR_BITS>>,
    /// Bit p: [`BATCH`] entries of pair p or fewer have room behind `heads`. Counts what was `granted` from the second clock after on.
    pub room: Signal<In, Bits<PAIRS>>,
    /// So many entries of `granted_pair` are being read.
    pub granted: Signal<Out, Bit>,
    pub granted_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub granted_count: Signal<Out, Bits<5>>,
    /// Tagged with the pair.
    pub read: Src<RingRead>,
    /// Always ready: what is behind `heads` may itself wait for answers on the same way.
    pub answer: Snk<RingAnswer>,
    /// Of this pair nothing is kept, and nothing is under way behind the `Head` that says so.
    pub reset_pair: Snk<Bits<PAIR_BITS>>,
    pub heads: Src<Head<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Nothing is under way or could be begun.
    pub idle: Signal<Out, Bit>,

    rings: LutRam<Ring, PAIR_BITS>,
    progress: LutRam<Progress, PAIR_BITS>,
    /// Per pair: notified since `avail.idx` was read last; entries are known that were not taken; a read is under way.
    notified: Reg<Bits<PAIRS>>,
    more: Reg<Bits<PAIRS>>,
    busy: Reg<Bits<PAIRS>>,
    arbiter: RoundRobin<PAIRS>,
    /// Answers, and how many reads have a place for theirs there.
    answers: LutFifo<RingAnswer, 4, 5>,
    places: Reg<Bits<5>>,
    state: DffR<FetchState>,
    chosen: DffE<Bits<PAIRS>>,
    pair: DffE<Bits<PAIR_BITS>>,
    address: DffE<Bits<64>>,
    /// Entries known; entries up to the end of the ring; entries to read, or left of those that were read.
    known: DffE<Bits<16>>,
    to_end: DffE<Bits<9>>,
    count: DffE<Bits<5>>,
    line: DffE<Bits<BEAT_BITS>>,
    lane: DffE<Bits<5>>,
    upcoming: DffE<Bits<16>>,
    /// Of the answer, or of what it says.
    error: DffE<Bits<8>>,
    /// The queue to reset had a read under way.
    reset_waits: DffR<Bit>,
}

/// The lesser of two counts.
#[millrace_hdl::function]
fn lesser(a: Bits<16>, b: Bits<16>) -> Bits<16> {
    if a < b { a } else { b }
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize> RingFetch<PAIRS, PAIR_BITS> {
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let here = one << self.pair;
        self.rings.we = self.open;
        self.rings.waddr = self.open_pair;
        self.rings.wdata =
            Ring { address: self.opened.driver, size_log2: self.opened.size_log2, function: self.opened.function };
        self.rings.raddr = self.pair;
        self.progress.raddr = self.pair;
        let ring = self.rings.rdata;
        let so_far = self.progress.rdata;
        let descriptor: Bits<9> = 1;
        let size = descriptor << ring.size_log2;

        comment!("whose turn it is: who has entries that are known, or may have some that are not");
        let eligible = self.live & !self.busy & ((self.more & self.room) | (self.notified & !self.more));
        let has_place = !self.places.get_bit(4);
        self.arbiter.request = eligible;
        link(self.answer, self.answers.inp);
        self.arbiter.take = false;
        let is_reset = self.reset_pair.valid & !self.reset_waits;
        self.answers.out.ready = false;
        self.reset_pair.ready = false;
        let mut pair_next = self.pair;
        let mut state = self.state;
        let mut set_busy = false;
        let mut asks_index = false;
        let mut settled = false;
        let mut more_here = false;
        let mut forget = false;

        comment!("the word of the ring that the queue is at");
        let place = so_far.upcoming & cast::<16>(size - 1);
        let entries_known = so_far.seen - so_far.upcoming;
        let reading_entries = self.state == FetchState::Place;
        let takes_entries = if reading_entries { entries_known.any() } else { so_far.count.any() };
        let offset = if takes_entries { cast::<64>(place << 1) + 4 } else { 2 };
        let word = ring.address + offset;

        self.heads.valid = false;
        self.heads.data = Head { pair: self.pair, index: self.line.get_bits::<8>(0), reset: false };
        self.read.valid = self.state == FetchState::Ask;
        self.read.data = RingRead { address: self.address, function: ring.function, tag: cast::<8>(self.pair) };
        self.granted = false;
        self.granted_pair = self.pair;
        self.granted_count = self.count;
        self.fault.valid = self.state == FetchState::Fault;
        self.fault.data = Fault { vq: self.pair, reason: self.error };
        self.progress.we = false;
        self.progress.waddr = self.pair;
        self.progress.wdata = so_far;
        self.reset_waits = self.reset_waits & self.reset_pair.valid;

        match self.state {
            FetchState::Idle => {
                if !self.answers.empty {
                    self.answers.out.ready = true;
                    pair_next = cast::<PAIR_BITS>(self.answers.out.data.tag);
                    state = FetchState::Look;
                } else if is_reset {
                    pair_next = self.reset_pair.data;
                    state = FetchState::Reset;
                } else if self.arbiter.any & has_place {
                    self.arbiter.take = true;
                    state = FetchState::Choose;
                }
                self.chosen = self.arbiter.grant;
                self.line = self.answers.out.data.data;
                self.error = self.answers.out.data.error;
            }
            FetchState::Choose => {
                pair_next = 0;
                for i in 0..PAIRS {
                    if self.chosen.get_bit(i) {
                        pair_next |= i;
                    }
                }
                state = FetchState::Place;
            }
            FetchState::Place => {
                self.address = word;
                self.known = entries_known;
                self.to_end = size - cast::<9>(place);
                state = FetchState::Count;
            }
            FetchState::Count => {
                let in_beat = cast::<16>(32 - cast::<6>(self.address.get_bits::<5>(1)));
                let most = lesser(self.known, lesser(cast::<16>(self.to_end), lesser(in_beat, BATCH)));
                self.count = cast::<5>(most);
                state = FetchState::Ask;
            }
            FetchState::Ask => {
                if self.read.ready {
                    set_busy = true;
                    asks_index = !self.count.any();
                    self.granted = self.count.any();
                    self.progress.we = true;
                    self.progress.wdata = Progress { count: self.count, ..so_far };
                    state = FetchState::Idle;
                }
            }
            FetchState::Look => {
                self.lane = word.get_bits::<5>(1);
                self.count = so_far.count;
                self.upcoming = so_far.upcoming;
                self.reset_waits = false;
                state = if self.error.any() { FetchState::Fault } else { FetchState::Align };
            }
            FetchState::Align => {
                self.line = self.line >> (cast::<9>(self.lane) << 4);
                state = if self.count.any() { FetchState::Entries } else { FetchState::Index };
            }
            FetchState::Index => {
                let seen = self.line.get_bits::<16>(0);
                self.error = reason::AVAIL_INDEX;
                settled = true;
                more_here = seen != so_far.upcoming;
                self.progress.we = true;
                self.progress.wdata = Progress { seen, ..so_far };
                state = if seen - so_far.upcoming > cast::<16>(size) { FetchState::Fault } else { FetchState::Idle };
            }
            FetchState::Entries => {
                let sound = cast::<16>(size) > self.line.get_bits::<16>(0);
                self.heads.valid = sound;
                self.error = reason::HEAD;
                if self.heads.ready & sound {
                    self.line = self.line >> 16_u64;
                    self.upcoming += 1;
                    self.count -= 1;
                }
                if !sound {
                    state = FetchState::Fault;
                } else if self.heads.ready & (self.count == 1) {
                    settled = true;
                    more_here = self.upcoming + 1 != so_far.seen;
                    self.progress.we = true;
                    self.progress.wdata = Progress { upcoming: self.upcoming + 1, ..so_far };
                    state = FetchState::Idle;
                }
            }
            FetchState::Fault => {
                forget = self.fault.ready;
                if self.fault.ready {
                    state = FetchState::Idle;
                }
            }
            FetchState::Reset => {
                let waits = (self.busy & here).any();
                self.reset_waits = waits;
                self.heads.valid = !waits;
                self.heads.data = Head { pair: self.pair, index: 0, reset: true };
                if waits {
                    state = FetchState::Idle;
                } else if self.heads.ready {
                    self.reset_pair.ready = true;
                    self.progress.we = true;
                    self.progress.wdata = Progress::default();
                    forget = true;
                    state = FetchState::Idle;
                }
            }
        }
        self.state = state;
        self.pair = pair_next;

        comment!("what is known of each queue");
        let told = if self.notify { one << self.notify_pair } else { 0 };
        let read_now = if asks_index { here } else { 0 };
        let gone = if forget { here } else { 0 };
        let done = if settled { here } else { 0 };
        let some = if more_here { here } else { 0 };
        self.notified = (self.notified & !read_now & !gone) | told;
        self.more = ((self.more & !done) | some) & !gone;
        self.busy = (self.busy & !done & !gone) | if set_busy { here } else { 0 };
        if set_busy ^ self.answers.out.ready {
            self.places = if set_busy { self.places + 1 } else { self.places - 1 };
        }
        let at_work = (self.state != FetchState::Idle) | self.busy.any() | self.answer.valid | self.reset_pair.valid;
        self.idle = !(at_work | self.notify | eligible.any());
    }
}

#[cfg(test)]
mod tests {
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
                self.queues[dut.granted_pair.val().to_u64() as usize].granted +=
                    dut.granted_count.val().to_u64() as usize;
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
}
