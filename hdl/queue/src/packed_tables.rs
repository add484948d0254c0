// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the indirect tables of packed virtqueues.

use crate::chain_check::{Step, pairs_of};
use crate::descriptor::{Descriptor, Line, in_lane};
use crate::types::{QueueConfig, RingAnswer, RingRead, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Param, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// First lines of tables that are kept, log2. All tags are from [`TABLES`] on; this one is of a line with which a table goes on.
const LINES_LOG2: usize = 5;
pub const TABLES: u64 = 0x80;
const FURTHER: u64 = TABLES + (1 << LINES_LOG2);

/// What is done with the step that is next.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum TableState {
    Pass,
    /// A descriptor of its table in each clock; the next line is to be asked for, on its way.
    Walk,
    Ask,
    Wait,
}

wire_struct! {
    /// A step that waits, and if it stands for a table the number of that one's first line, modulo twice as many as are kept.
    pub struct Kept<const PAIR_BITS: usize> {
        pub step: Step<PAIR_BITS>,
        pub is_table: Bit,
        pub number: Bits<6>,
    }
}

/// Puts the descriptors of its table in the place of each of the `steps` that stands for one; `RECEIVE` is 1 for the receiveqs. The first lines of up to 32 tables are read ahead, the others one by one.
/// The table of a queue that has stopped, or is to be reset, is not gone through, or no further.
#[millrace_hdl::block]
pub struct PackedTables<const PAIRS: usize, const PAIR_BITS: usize, const RECEIVE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The packed queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub stopped: Signal<In, Bits<PAIRS>>,
    /// Bit p: the packed queue of pair p is to be reset.
    pub ending: Signal<In, Bits<PAIRS>>,
    pub steps: Snk<Step<PAIR_BITS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub out: Src<Step<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    /// The pairs whose second is a controlq.
    control: Param<Bits<PAIRS>>,
    sizes: LutRam<Bits<9>, PAIR_BITS>,
    /// Pairs whose reset has not come yet.
    ended: Reg<Bits<PAIRS>>,
    kept: LutFifo<Kept<PAIR_BITS>, LINES_LOG2, 6>,
    /// First lines that were asked for, that are not needed any more.
    asked: Reg<Bits<6>>,
    gone: Reg<Bits<6>>,
    lines: LutRam<Line, LINES_LOG2>,
    arrived: DffR<Bits<32>>,
    state: DffR<TableState>,
    line: DffE<Line>,
    line_arrived: DffR<Bit>,
    index: DffE<Bits<9>>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const RECEIVE: usize> PackedTables<PAIRS, PAIR_BITS, RECEIVE> {
    /// With controlqs at these pairs.
    pub fn new(control: &[usize]) -> Self {
        Self { control: pairs_of(control), ..Default::default() }
    }

    fn update(&mut self) {
        let one: Bits<32> = 1;
        self.sizes.we = self.open;
        self.sizes.waddr = self.open_pair;
        self.sizes.wdata = self.opened.size;

        comment!("a step comes; the first line of its table is asked for, unless one that goes on is");
        let came = self.steps.data;
        let next = self.kept.out.data;
        let table = next.step.descriptor;
        let queue: Bits<PAIRS> = 1;
        let here = queue << next.step.pair;
        let is_dead = ((self.stopped | self.ended) & here).any();
        let goes_on = (self.state == TableState::Ask) & !is_dead;
        let odd = came.descriptor.address.get_bits::<4>(0).any() | came.descriptor.length.get_bits::<4>(0).any();
        let refers = came.descriptor.indirect & !came.error.any() & !came.reset;
        let is_sound = !odd & came.descriptor.length.any();
        let is_table = refers & is_sound;
        let count = self.asked - self.gone;
        let can_ask = !goes_on & !count.get_bit(LINES_LOG2);
        let asks = self.steps.valid & is_table & can_ask & self.kept.inp.ready;
        let at = table.address + (cast::<64>(self.index) << 4);
        self.read.valid = goes_on | asks;
        self.read.data = if goes_on {
            RingRead { address: at, function: next.step.function, tag: FURTHER }
        } else {
            RingRead {
                address: came.descriptor.address,
                function: came.function,
                tag: cast::<8>(self.asked.get_bits::<LINES_LOG2>(0)) | TABLES,
            }
        };
        let asked_first = asks & self.read.ready;
        let asked_further = goes_on & self.read.ready;
        let comes = if is_table { asked_first } else { self.kept.inp.ready };
        self.steps.ready = comes;
        self.kept.inp.valid = self.steps.valid & comes;
        let broken = refers & !is_sound;
        self.kept.inp.data = Kept::<PAIR_BITS> {
            step: Step::<PAIR_BITS> { error: if broken { reason::INDIRECT } else { came.error }, ..came },
            is_table,
            number: self.asked,
        };
        if asked_first {
            self.asked += 1;
        }

        comment!("answers");
        self.answer.ready = true;
        let is_further = self.answer.data.tag == FURTHER;
        let brought: Line = Line { data: self.answer.data.data, error: self.answer.data.error };
        self.lines.we = self.answer.valid & !is_further;
        self.lines.waddr = self.answer.data.tag.get_bits::<LINES_LOG2>(0);
        self.lines.wdata = brought;
        let brought_here = one << self.answer.data.tag.get_bits::<LINES_LOG2>(0);
        let answered = if self.lines.we { brought_here } else { 0 };
        let awaited = if asked_first { one << self.asked.get_bits::<LINES_LOG2>(0) } else { 0 };
        self.arrived = (self.arrived & !awaited) | answered;
        let further = self.answer.valid & is_further;
        self.line_arrived = further;

        comment!("the descriptor of the table");
        let place = next.number.get_bits::<LINES_LOG2>(0);
        self.lines.raddr = place;
        let there = (self.arrived >> place).get_bit(0);
        let is_pass = self.state == TableState::Pass;
        let is_walk = self.state == TableState::Walk;
        let lane = at.get_bits::<2>(4);
        let descriptor: Descriptor = in_lane(self.line.data, lane);
        self.sizes.raddr = next.step.pair;
        let size = self.sizes.rdata;
        let most = if RECEIVE == 1 { if size < RECEIVE_CHAIN { size } else { RECEIVE_CHAIN } } else { size };
        let behind = self.index + 1;
        let is_last = cast::<28>(behind) == table.length.get_bits::<28>(4);
        let mut error = self.line.error;
        if !error.any() & !is_last & (behind == most) {
            error = reason::CHAIN;
        }
        let ends = is_last | error.any() | is_dead;
        comment!(
            "the flags of a packed descriptor stand where a split one's `next` does; WRITE does not count in a transmitq's table"
        );
        let mut write = descriptor.next_index.get_bit(1);
        if RECEIVE == 0 {
            write = write & (self.control & here).any();
        }
        let inner: Step<PAIR_BITS> = Step::<PAIR_BITS> {
            descriptor: Descriptor {
                address: descriptor.address,
                length: descriptor.length,
                next_follows: !ends,
                write,
                indirect: false,
                other_flags: 0,
                next_index: 0,
            },
            first: !self.index.any(),
            last: ends,
            error,
            ..next.step
        };
        let drops = next.is_table & is_dead & there;
        let passes = is_pass & self.kept.out.valid & (!next.is_table | drops);
        self.out.valid = passes | is_walk;
        self.out.data = if is_walk { inner } else { next.step };
        let walked = is_walk & self.out.ready;
        let loads = is_pass & self.kept.out.valid & next.is_table & there & !is_dead;
        self.kept.out.ready = (passes & self.out.ready) | (walked & ends);
        let dropped = passes & drops & self.out.ready;
        if (walked & ends) | dropped {
            self.gone += 1;
        }
        let over = if passes & next.step.reset & self.out.ready { here } else { 0 };
        self.ended = (self.ended & !over) | self.ending;
        if loads | further {
            self.line = if loads { self.lines.rdata } else { brought };
        }
        if loads | walked {
            self.index = if loads { 0 } else { behind };
        }
        let mut state = self.state;
        match self.state {
            TableState::Pass => {
                if loads {
                    state = TableState::Walk;
                }
            }
            TableState::Walk => {
                if walked {
                    state = if ends {
                        TableState::Pass
                    } else if lane == 3 {
                        TableState::Ask
                    } else {
                        TableState::Walk
                    };
                }
            }
            TableState::Ask => {
                if is_dead {
                    state = TableState::Walk;
                } else if asked_further {
                    state = TableState::Wait;
                }
            }
            TableState::Wait => {
                if self.line_arrived {
                    state = TableState::Walk;
                }
            }
        }
        self.state = state;
        let awaits = (self.state == TableState::Wait) & !self.line_arrived;
        let moves = !is_pass | passes | loads;
        let learns = (self.ending & !self.ended).any();
        self.idle = !((moves & !awaits) | self.steps.valid | self.answer.valid | self.open | learns);
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

    const WRITE: u16 = 2;
    const SIZE: u64 = 9;
    /// The pair of which one is a controlq.
    const CONTROL: u64 = 2;

    /// Address, length, write, head, first, last, error.
    type Row = (u64, u64, bool, u64, bool, bool, u64);

    struct Bench<const RECEIVE: usize> {
        dut: Box<PackedTables<4, 2, RECEIVE>>,
        memory: Memory,
        rng: ChaCha8Rng,
        steps: VecDeque<Step<2>>,
        rows: Vec<Row>,
        clocks: usize,
    }

    impl<const RECEIVE: usize> Bench<RECEIVE> {
        fn new(seed: u64) -> Self {
            let mut dut = Box::new(PackedTables::<4, 2, RECEIVE>::new(&[CONTROL as usize]));
            dut.connect_all();
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            for pair in 0..4u64 {
                dut.open.next = true;
                dut.open_pair.next = pair.into();
                dut.opened.next = QueueConfig { size: SIZE.into(), ..Default::default() };
                tick(&mut *dut, |d| &mut d.clock);
            }
            dut.open.next = false;
            let rng = ChaCha8Rng::seed_from_u64(seed);
            Self { dut, memory: Memory::new(0x1_0000), rng, steps: VecDeque::new(), rows: vec![], clocks: 0 }
        }

        fn step(&mut self, head: u64, address: u64, length: u64, indirect: bool) {
            let mut step = Step::<2> { head: head.into(), first: true, last: true, ..Default::default() };
            step.descriptor.address = address.into();
            step.descriptor.length = length.into();
            step.descriptor.indirect = indirect;
            step.pair = (head % 4).into();
            self.steps.push_back(step);
        }

        /// A table at this address with random descriptors; what comes out of it.
        fn table(&mut self, head: u64, address: u64, count: u64) -> Vec<Row> {
            self.step(head, address, 16 * count, true);
            (0..count)
                .map(|i| {
                    let (at, length) = (self.rng.random::<u64>(), self.rng.random::<u32>());
                    let flags = self.rng.random::<u16>();
                    self.memory.write_packed(address, i, (at, length, self.rng.random(), flags));
                    let write = flags & WRITE != 0 && (RECEIVE == 1 || head % 4 == CONTROL);
                    (at, length.into(), write, head, i == 0, i + 1 == count, 0)
                })
                .collect()
        }

        fn run(&mut self) {
            for _ in 0..20_000 {
                self.clock();
                if self.steps.is_empty() && self.memory.quiet() && self.dut.idle.val() {
                    return;
                }
            }
            panic!("not idle");
        }

        fn clock(&mut self) {
            let dut = &mut *self.dut;
            dut.steps.valid.next = !self.steps.is_empty() && self.rng.random_bool(0.8);
            dut.steps.data.next = self.steps.front().copied().unwrap_or_default();
            dut.out.ready.next = self.rng.random_bool(0.8);
            settle(dut);
            let asked = (dut.read.valid.val(), dut.read.data.val());
            let answer = (&mut dut.answer.valid, &mut dut.answer.data);
            self.memory.drive(asked, &mut dut.read.ready, answer, &mut self.rng);
            settle(dut);
            self.memory.taken();
            if dut.steps.valid.val() && dut.steps.ready.val() {
                self.steps.pop_front();
            }
            if dut.out.valid.val() && dut.out.ready.val() {
                let step = dut.out.data.val();
                let d = step.descriptor;
                self.rows.push((
                    d.address.to_u64(),
                    d.length.to_u64(),
                    d.write,
                    step.head.to_u64(),
                    step.first,
                    step.last,
                    step.error.to_u64(),
                ));
            }
            // The clock stands still while it may.
            if !dut.idle.val() {
                tick(dut, |d| &mut d.clock);
            }
            self.clocks += 1;
        }
    }

    #[test]
    fn descriptors_of_tables_stand_in_their_place_and_order() {
        for seed in 0..4 {
            let mut bench = Bench::<0>::new(seed);
            let mut due = vec![];
            for head in 0..120u64 {
                if bench.rng.random_bool(0.6) {
                    let count = bench.rng.random_range(1..=SIZE);
                    due.extend(bench.table(head, 0x200 * head + 16 * (head % 7), count));
                } else {
                    bench.step(head, head << 8, 77, false);
                    due.push((head << 8, 77, false, head, true, true, 0));
                }
            }
            bench.run();
            assert_eq!(bench.rows, due, "seed {seed}");
        }
    }

    #[test]
    fn tables_in_one_line_are_read_side_by_side() {
        let mut bench = Bench::<0>::new(7);
        let due: Vec<Row> = (0..100).flat_map(|head| bench.table(head, 0x200 * head, 2)).collect();
        bench.run();
        assert_eq!(bench.rows, due);
        // An answer comes every three clocks or so.
        assert!(bench.clocks < 600, "{} clocks", bench.clocks);
    }

    #[test]
    fn what_is_no_table_or_too_long_is_a_fault() {
        let cases = [
            (0x1008, 32, reason::INDIRECT),
            (0x1000, 24, reason::INDIRECT),
            (0x1000, 0, reason::INDIRECT),
            (0x1_0000, 32, reason::BUS),
        ];
        for (address, length, reason) in cases {
            let mut bench = Bench::<0>::new(8);
            bench.step(5, address, length, true);
            bench.run();
            let row = bench.rows[0];
            assert_eq!((bench.rows.len(), row.5, row.6), (1, true, reason), "{address:#x}, {length}");
        }
        let mut bench = Bench::<0>::new(9);
        let mut due = bench.table(1, 0x1000, SIZE + 1);
        due.truncate(SIZE as usize);
        let last = due.last_mut().expect("nine");
        (last.5, last.6) = (true, reason::CHAIN);
        bench.run();
        assert_eq!(bench.rows, due);
        let mut bench = Bench::<1>::new(9);
        let mut due = bench.table(1, 0x1000, 5);
        due.truncate(4);
        (due[3].5, due[3].6) = (true, reason::CHAIN);
        bench.run();
        assert_eq!(bench.rows, due);
    }

    #[test]
    fn tables_of_a_queue_that_has_stopped_or_is_to_be_reset_are_not_gone_through() {
        for ends in [false, true] {
            let mut bench = Bench::<0>::new(10);
            for head in [1, 5, 9] {
                bench.table(head, 0x200 * head, SIZE);
            }
            let others = bench.table(2, 0x400, SIZE);
            let pair = Bits::<4>::from(0b10u64);
            if ends {
                bench.dut.ending.next = pair;
            } else {
                bench.dut.stopped.next = pair;
            }
            bench.run();
            let (own, rest): (Vec<Row>, Vec<Row>) = bench.rows.iter().copied().partition(|row| row.3 % 4 == 1);
            assert_eq!(
                own.iter().map(|row| (row.3, row.4, row.5)).collect::<Vec<_>>(),
                [1, 5, 9].map(|head| (head, true, true))
            );
            assert_eq!(rest, others);
            assert_eq!(bench.memory.reads, 3 + 3, "the first line of each, all of the other queue's table");
            // Behind the reset it begins anew.
            bench.dut.ending.next = 0u64.into();
            bench.dut.stopped.next = 0u64.into();
            bench.steps.push_back(Step {
                pair: 1u64.into(),
                first: true,
                last: true,
                reset: true,
                ..Default::default()
            });
            let due = bench.table(1, 0x800, SIZE);
            bench.rows.clear();
            bench.run();
            assert_eq!(bench.rows[1..], due);
        }
    }

    #[test]
    fn a_table_ends_where_its_queue_stops() {
        let mut bench = Bench::<0>::new(11);
        let due = bench.table(1, 0x200, SIZE);
        while bench.rows.len() < 3 {
            bench.clock();
        }
        bench.dut.stopped.next = 0b10u64.into();
        bench.run();
        let rows = bench.rows.len();
        assert!(rows < due.len() && bench.rows[..rows - 1] == due[..rows - 1], "{rows} rows");
        assert!(bench.rows[rows - 1].5);
    }

    #[test]
    fn packed_tables_lints() {
        assert_lints(PackedTables::<5, 3, 0>::new(&[4]));
        assert_lints(PackedTables::<5, 3, 1>::new(&[]));
    }
}
