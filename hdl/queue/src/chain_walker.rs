// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows descriptor chains.

use crate::types::{
    BEAT_BITS, Fault, Head, LONG_HEADER, QueueConfig, RingAnswer, RingRead, SHORT_HEADER, Segment, Window, reason,
};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// Lines that chains begin in which are kept, log2: 64 at a round trip of 250 clocks are 64 Mpps if each has a line of its own.
const LINES_LOG2: usize = 6;
/// The tag of a read that goes on with a chain; lower ones are those of the lines that chains begin in.
const FURTHER: u64 = 1 << LINES_LOG2;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum WalkState {
    Idle,
    /// `line` has the next descriptor of the chain.
    Walk,
    /// It is in another line: to be asked for, on its way.
    Ask,
    Wait,
}

wire_struct! {
    /// A descriptor table.
    pub struct Table {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// Four descriptors, or why there are none.
    pub struct Line {
        pub data: Bits<BEAT_BITS>,
        pub error: Bits<8>,
    }
}

wire_struct! {
    /// A chain whose first line is asked for.
    pub struct Pending<const PAIR_BITS: usize> {
        pub head: Head<PAIR_BITS>,
        /// The line's number, modulo twice as many as are kept; of a reset the number of the next line.
        pub number: Bits<7>,
    }
}

wire_struct! {
    /// `struct virtq_desc` (virtio 2.7.5).
    pub struct Descriptor {
        pub address: Bits<64>,
        pub length: Bits<32>,
        pub next_follows: Bit,
        pub write: Bit,
        pub indirect: Bit,
        pub other_flags: Bits<13>,
        pub next_index: Bits<16>,
    }
}

wire_struct! {
    /// A descriptor to be checked, and what is known of it from its place in the chain.
    pub struct Step<const PAIR_BITS: usize> {
        pub descriptor: Descriptor,
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub head: Bits<8>,
        pub first: Bit,
        pub last: Bit,
        pub reset: Bit,
        /// The reason of a fault, or 0.
        pub error: Bits<8>,
    }
}

/// Turns the `heads` of one side's queues into `segments`, chain by chain in their order; `RECEIVE` is 1 for the receiveqs.
///
/// The lines of descriptors that up to 128 chains begin in, 64 at most, are read ahead. A chain shares the line of the chain before if it begins in the same and its head is not
/// `fresh`. A chain that goes on in another line waits for that; a descriptor per clock otherwise. What breaks the rules ends its chain with an `abort`, and so does each further chain of a queue that has stopped, until it is reset.
#[millrace_hdl::block]
pub struct ChainWalker<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize, const RECEIVE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub window_write: Signal<In, Bit>,
    pub window_function: Signal<In, Bits<8>>,
    pub window: Signal<In, Window>,
    pub stopped: Signal<In, Bits<PAIRS>>,
    pub heads: Snk<Head<PAIR_BITS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub segments: Src<Segment<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    tables: LutRam<Table, PAIR_BITS>,
    tables_walked: LutRam<Table, PAIR_BITS>,
    windows: LutRam<Window, FUNCTION_BITS>,

    /// The read to make; chains whose first line is asked for; that line of each, by its place in the order.
    ask: DffE<RingRead>,
    ask_valid: DffR<Bit>,
    pending: LutFifo<Pending<PAIR_BITS>, 7, 8>,
    /// Lines that were asked for; the oldest one that is needed.
    asked: Reg<Bits<7>>,
    oldest: Reg<Bits<7>>,
    lines: LutRam<Line, LINES_LOG2>,
    arrived: DffR<Bits<64>>,
    /// The line that was asked for last: whether there is one, of which pair, which of its table.
    last_valid: DffR<Bit>,
    last_pair: DffE<Bits<PAIR_BITS>>,
    last_line: DffE<Bits<7>>,

    /// The chain that is followed: the line, which descriptor of the table is next, how many there were.
    state: DffR<WalkState>,
    head: DffE<Head<PAIR_BITS>>,
    line: DffE<Line>,
    further: DffE<Line>,
    further_arrived: DffR<Bit>,
    index: DffE<Bits<8>>,
    count: DffE<Bits<9>>,
    first: DffE<Bit>,

    /// The descriptor that is checked; the bytes of its chain so far.
    step: DffE<Step<PAIR_BITS>>,
    step_valid: DffR<Bit>,
    total: DffE<Bits<17>>,
    /// The rest of the chain is swallowed; the fault has been reported.
    swallows: DffR<Bit>,
    reported: DffR<Bit>,
    dead: Reg<Bits<PAIRS>>,
    out: Skid<Segment<PAIR_BITS>>,
}

/// The first reason that is not 0.
#[millrace_hdl::function]
fn first_of(earlier: Bits<8>, is_so: Bit, reason: Bits<8>) -> Bits<8> {
    if earlier.any() | !is_so { earlier } else { reason }
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize, const RECEIVE: usize>
    ChainWalker<PAIRS, PAIR_BITS, FUNCTION_BITS, RECEIVE>
{
    fn update(&mut self) {
        let table: Table =
            Table { address: self.opened.desc, size_log2: self.opened.size_log2, function: self.opened.function };
        self.tables.we = self.open;
        self.tables.waddr = self.open_pair;
        self.tables.wdata = table;
        self.tables_walked.we = self.open;
        self.tables_walked.waddr = self.open_pair;
        self.tables_walked.wdata = table;
        self.windows.we = self.window_write;
        self.windows.waddr = cast::<FUNCTION_BITS>(self.window_function);
        self.windows.wdata = self.window;

        comment!("lines that chains begin in are asked for, unless a chain that is followed has to go on");
        let goes_on = self.state == WalkState::Ask;
        let ask_free = !self.ask_valid | self.read.ready;
        let kept = self.asked - self.oldest;
        let takes = ask_free & !goes_on & self.pending.inp.ready & !kept.get_bit(LINES_LOG2);
        self.heads.ready = takes;
        let took = takes & self.heads.valid;
        let coming = self.heads.data;
        self.tables.raddr = coming.pair;
        let begin = cast::<9>(self.tables.rdata.address.get_bits::<2>(4)) + cast::<9>(coming.index);
        let line_number = begin.get_bits::<7>(2);
        let shares =
            self.last_valid & !coming.fresh & (self.last_pair == coming.pair) & (self.last_line == line_number);
        let asks = took & !coming.reset & !shares;
        self.last_valid = if took { !coming.reset } else { self.last_valid };
        if took {
            self.last_pair = coming.pair;
            self.last_line = line_number;
        }
        self.tables_walked.raddr = self.head.pair;
        let walked_table = self.tables_walked.rdata;
        if ask_free {
            self.ask = if goes_on {
                RingRead {
                    address: walked_table.address + (cast::<64>(self.index) << 4),
                    function: walked_table.function,
                    tag: FURTHER,
                }
            } else {
                RingRead {
                    address: self.tables.rdata.address + (cast::<64>(self.heads.data.index) << 4),
                    function: self.tables.rdata.function,
                    tag: cast::<8>(self.asked.get_bits::<LINES_LOG2>(0)),
                }
            };
        }
        self.ask_valid = asks | goes_on | (self.ask_valid & !self.read.ready);
        self.read.valid = self.ask_valid;
        self.read.data = self.ask;
        self.pending.inp.valid = took;
        self.pending.inp.data =
            Pending::<PAIR_BITS> { head: coming, number: if shares { self.asked - 1 } else { self.asked } };
        if asks {
            self.asked += 1;
        }

        comment!("answers");
        self.answer.ready = true;
        let is_further = self.answer.data.tag == FURTHER;
        self.lines.we = self.answer.valid & !is_further;
        self.lines.waddr = cast::<LINES_LOG2>(self.answer.data.tag);
        self.lines.wdata = Line { data: self.answer.data.data, error: self.answer.data.error };
        let arrives = self.answer.valid & is_further;
        if arrives {
            self.further = Line { data: self.answer.data.data, error: self.answer.data.error };
        }
        self.further_arrived = arrives | (self.further_arrived & (self.state == WalkState::Wait));

        comment!("the descriptor in the line");
        let lane = self.index.get_bits::<2>(0) + walked_table.address.get_bits::<2>(4);
        let descriptor = unpack::<Descriptor>((self.line.data >> (cast::<9>(lane) << 7)).get_bits::<128>(0));
        let one_line: Bits<64> = 1;
        let one_descriptor: Bits<9> = 1;
        let size = one_descriptor << walked_table.size_log2;
        let most = if RECEIVE == 1 { if size < RECEIVE_CHAIN { size } else { RECEIVE_CHAIN } } else { size };
        let beyond = descriptor.next_index >= cast::<16>(size);
        let next_place = cast::<9>(descriptor.next_index) + cast::<9>(walked_table.address.get_bits::<2>(4));
        let place = cast::<9>(self.index) + cast::<9>(walked_table.address.get_bits::<2>(4));
        let same_line = (next_place >> 2) == (place >> 2);
        let mut error = self.line.error;
        error = first_of(error, descriptor.indirect, reason::INDIRECT);
        error = first_of(error, descriptor.next_follows & beyond, reason::NEXT);
        error = first_of(error, descriptor.next_follows & (self.count == most), reason::CHAIN);
        let ends = self.head.reset | error.any() | !descriptor.next_follows;

        comment!("what the descriptor before it may be");
        let window = self.windows.rdata;
        self.windows.raddr = cast::<FUNCTION_BITS>(self.step.function);
        let step = self.step;
        let length = step.descriptor.length;
        let end = cast::<65>(step.descriptor.address) + cast::<65>(length - 1);
        let outside = (step.descriptor.address.get_bits::<52>(12) < window.first)
            | (end.get_bits::<52>(12) > window.last)
            | end.get_bit(64);
        let before = if step.first { 0 } else { self.total };
        let total = before + cast::<17>(length.get_bits::<16>(0));
        let long = length.get_bits::<16>(16).any();
        let header: Bits<17> = if step.function.any() { SHORT_HEADER } else { LONG_HEADER };
        let mut wrong = step.error;
        wrong = first_of(wrong, step.descriptor.write != (RECEIVE == 1), reason::DIRECTION);
        wrong = first_of(wrong, !length.any(), reason::EMPTY);
        if RECEIVE == 0 {
            wrong = first_of(wrong, long | total.get_bit(16), reason::TOO_LONG);
            wrong = first_of(wrong, step.last & (total <= header), reason::HEADER);
        }
        wrong = first_of(wrong, outside, reason::WINDOW);
        let one: Bits<PAIRS> = 1;
        let here = one << step.pair;
        let is_dead = ((self.stopped | self.dead) & here).any();

        comment!("it goes on, ends its chain, or is swallowed");
        let silent = self.swallows & !step.first & !step.reset;
        let plain = !step.reset & !silent;
        let faults = plain & !is_dead & wrong.any();
        let aborts = plain & (is_dead | wrong.any());
        let reports = self.step_valid & faults & !self.reported;
        self.fault.valid = reports;
        self.fault.data = Fault { vq: step.pair, reason: wrong };
        let emits = self.step_valid & !silent & !reports;
        self.reported = (reports & self.fault.ready) | (self.reported & !self.out.inp.ready);
        self.out.inp.valid = emits;
        self.out.inp.data = Segment {
            pair: step.pair,
            function: step.function,
            address: step.descriptor.address,
            length: if long { 0xffff } else { length.get_bits::<16>(0) },
            head: step.head,
            first: step.first,
            last: step.last | aborts | step.reset,
            abort: aborts,
            reset: step.reset,
        };
        link(self.segments, self.out.out);
        let sent = emits & self.out.inp.ready;
        let step_free = !self.step_valid | silent | sent;
        self.swallows = if sent { aborts & !step.last } else { self.swallows };
        let dies = if sent & aborts { here } else { 0 };
        let lives = if sent & step.reset { here } else { 0 };
        self.dead = (self.dead | dies) & !lives;
        if sent {
            self.total = total;
        }

        comment!("the next descriptor of the chain, and the next chain right behind the last");
        let walks = (self.state == WalkState::Walk) & step_free;
        self.step_valid = walks | !step_free;
        if step_free {
            self.step = Step {
                descriptor,
                pair: self.head.pair,
                function: walked_table.function,
                head: self.head.index,
                first: self.first,
                last: ends,
                reset: self.head.reset,
                error: if self.head.reset { 0 } else { error },
            };
        }
        let next = self.pending.out.data;
        let place_of_line = next.number.get_bits::<LINES_LOG2>(0);
        self.lines.raddr = place_of_line;
        let here_line = one_line << place_of_line;
        let there = (self.arrived & here_line).any() | next.head.reset;
        let free = (self.state == WalkState::Idle) | (walks & ends);
        let loads = free & self.pending.out.valid & there;
        self.pending.out.ready = free & there;
        let answered = if self.lines.we { one_line << cast::<LINES_LOG2>(self.answer.data.tag) } else { 0 };
        let awaited = if asks { one_line << self.asked.get_bits::<LINES_LOG2>(0) } else { 0 };
        self.arrived = (self.arrived & !awaited) | answered;
        if loads {
            self.oldest = next.number;
            self.head = next.head;
        }
        let goes = walks & !ends;
        let resumes = (self.state == WalkState::Wait) & self.further_arrived;
        if loads | resumes {
            self.line = if loads { self.lines.rdata } else { self.further };
        }
        if loads | goes {
            self.index = if loads { next.head.index } else { descriptor.next_index.get_bits::<8>(0) };
            self.count = if loads { 1 } else { self.count + 1 };
            self.first = loads;
        }
        let mut state = self.state;
        if loads | resumes {
            state = WalkState::Walk;
        } else if free {
            state = WalkState::Idle;
        } else if goes & !same_line {
            state = WalkState::Ask;
        } else if goes_on & ask_free {
            state = WalkState::Wait;
        }
        self.state = state;
        let held = !self.pending.empty | (self.state != WalkState::Idle) | self.step_valid | !self.out.empty;
        self.idle = !(held | self.heads.valid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::testing::{assert_lints, settle, tick};
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const PAIRS: usize = 3;
    const NEXT: u16 = 1;
    const WRITE: u16 = 2;
    const INDIRECT: u16 = 4;

    /// Number; address, length, flags, next.
    type Written = (u16, (u64, u32, u16, u16));

    /// Pair, function, address, length, head, first, last, abort, reset.
    type Row = (u64, u64, u64, u64, u64, bool, bool, bool, bool);

    struct Bench<const RECEIVE: usize> {
        dut: Box<ChainWalker<PAIRS, 2, 3, RECEIVE>>,
        memory: Memory,
        rng: ChaCha8Rng,
        heads: VecDeque<Head<2>>,
        rows: Vec<Row>,
        faults: Vec<(u64, u64)>,
    }

    /// Each table begins at another descriptor of its line. Pair p belongs to function p.
    fn table(pair: usize) -> u64 {
        0x2000 * pair as u64 + 16 * pair as u64
    }

    impl<const RECEIVE: usize> Bench<RECEIVE> {
        fn new(seed: u64, size_log2: u64) -> Self {
            let mut dut = Box::<ChainWalker<PAIRS, 2, 3, RECEIVE>>::default();
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
                    function: (pair as u64).into(),
                    ..Default::default()
                };
                dut.window_write.next = true;
                dut.window_function.next = (pair as u64).into();
                // From 1 MiB on, 16 pages.
                dut.window.next = Window { first: 0x100u64.into(), last: 0x10fu64.into() };
                tick(&mut *dut, |d| &mut d.clock);
            }
            dut.open.next = false;
            dut.window_write.next = false;
            let rng = ChaCha8Rng::seed_from_u64(seed);
            Self { dut, memory: Memory::new(0x8000), rng, heads: VecDeque::new(), rows: vec![], faults: vec![] }
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
                let n = |pair: Bits<2>, rest: [Bits<8>; 2], address: Bits<64>, length: Bits<16>| {
                    (pair.to_u64(), rest[0].to_u64(), address.to_u64(), length.to_u64(), rest[1].to_u64())
                };
                let (pair, function, address, length, head) = n(s.pair, [s.function, s.head], s.address, s.length);
                self.rows.push((pair, function, address, length, head, s.first, s.last, s.abort, s.reset));
            }
            if dut.fault.valid.val() && dut.fault.ready.val() {
                let fault = dut.fault.data.val();
                self.faults.push((fault.vq.to_u64(), fault.reason.to_u64()));
            }
            tick(dut, |d| &mut d.clock);
        }

        fn run(&mut self) {
            for _ in 0..20_000 {
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
                let (address, length) =
                    (0x10_0000 + bench.rng.random_range(0..0x8000u64), bench.rng.random_range(60..200));
                let flags = if last { 0 } else { NEXT } | if RECEIVE == 1 { WRITE } else { 0 };
                let next = if last { bench.rng.random() } else { chain[i + 1] };
                bench.memory.write_descriptor(table(pair), *index, (address, length, flags, next));
                let (p, head) = (pair as u64, chain[0].into());
                due.push((p, p, address, length.into(), head, i == 0, last, false, false));
            }
        }
        due
    }

    #[test]
    fn chains_of_all_queues_are_followed_in_the_order_of_their_heads() {
        for seed in 0..8 {
            let size_log2 = [0, 1, 2, 3, 5, 6, 8, 8][seed as usize];
            let mut bench = Bench::<0>::new(seed, size_log2);
            let due = random_chains(&mut bench, 1 << size_log2, 40);
            bench.run();
            assert_eq!(bench.rows, due, "seed {seed}");
            assert_eq!(bench.faults, [], "seed {seed}");
        }
        let mut bench = Bench::<1>::new(9, 8);
        let due = random_chains(&mut bench, 256, RECEIVE_CHAIN);
        bench.run();
        assert_eq!((bench.rows, bench.faults), (due, vec![]));
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

    /// What becomes of one chain, then of a sound one of the same queue and of another's.
    fn outcome<const RECEIVE: usize>(chain: &[Written]) -> (Vec<Row>, Vec<(u64, u64)>) {
        let mut bench = Bench::<RECEIVE>::new(4, 4);
        for (index, descriptor) in chain {
            bench.memory.write_descriptor(table(1), *index, *descriptor);
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
        let (rows, faults) = outcome::<RECEIVE>(chain);
        assert_eq!(faults, [(1, reason)], "{chain:?}");
        let aborts: Vec<_> = rows.iter().filter(|row| row.7).collect();
        assert_eq!(aborts.len(), 2, "{rows:?}");
        assert!(aborts.iter().all(|row| row.6 && row.0 == 1), "{rows:?}");
        assert!(
            rows.iter().filter(|row| row.5).count() == 3 && rows.iter().filter(|row| row.6).count() == 3,
            "{rows:?}"
        );
        assert_eq!(rows.last().map(|row| (row.0, row.7)), Some((2, false)), "{rows:?}");
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
        assert_fault::<0>(&[(3, (at, 0x1_0000, 0, 0))], reason::TOO_LONG);
        assert_fault::<0>(&[(3, (at, 0x8000, NEXT, 4)), (4, (at, 0x8000, 0, 0))], reason::TOO_LONG);
        assert_fault::<0>(&[(3, (at, 12, 0, 0))], reason::HEADER);
        assert_fault::<0>(&[(3, (at, 6, NEXT, 4)), (4, (at, 6, 0, 0))], reason::HEADER);
        assert_fault::<0>(&[(3, (at - 1, 100, 0, 0))], reason::WINDOW);
        assert_fault::<0>(&[(3, (at + 0xffff, 2, NEXT, 4)), (4, (at, 100, 0, 0))], reason::WINDOW);
        assert_fault::<0>(&[(3, (u64::MAX - 10, 100, 0, 0))], reason::WINDOW);
        let five: Vec<_> = (3..8).map(|i| (i, (at, 100, WRITE | if i < 7 { NEXT } else { 0 }, i + 1))).collect();
        assert_fault::<1>(&five, reason::CHAIN);
    }

    #[test]
    fn what_is_just_within_the_rules_passes() {
        let at = 0x10_0000;
        for chain in [
            vec![(3, (at + 0x1_0000 - 65_535, 65_535, 0, 0))],
            vec![(3, (at + 0xfff3, 13, 0, 0))],
            vec![(3, (at, 12, NEXT, 4)), (4, (at, 1, 0, 0))],
        ] {
            let (rows, faults) = outcome::<0>(&chain);
            assert_eq!((rows.len(), faults), (chain.len() + 2, vec![]));
        }
        // In a receiveq a descriptor may be as long as it likes.
        let (rows, faults) = outcome::<1>(&[(3, (at, 0x1_0000, WRITE, 0))]);
        assert_eq!((rows[0].3, faults), (0xffff, vec![]));
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
        assert_lints(ChainWalker::<3, 2, 3, 0>::default());
        assert_lints(ChainWalker::<3, 2, 3, 1>::default());
    }
}
