// SPDX-License-Identifier: MIT OR Apache-2.0
//! Control and CommandRunner together, each on its own clock, against the register map and the contract.

use super::control::Control;
use super::control_runner::CommandRunner;
use super::counters::Counters;
use crate::core::sizes::Sizes;
use crate::core::types::TableWrite;
use crate::sized;
use crate::testing::{assert_lints, settle};
use millrace_regs::config::{Config, Preset};
use millrace_regs::map::{Access, Reset};
use millrace_regs::{Command, DATA_RULE, DATA_VALID, Lengths, addr, instances};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;

/// Places that a sweep clears: few, as its length is the runner's parameter.
const PLACES: usize = 24;
const BAD_COMMAND: u32 = 1;
const WHILE_BUSY: u32 = 2;

const SIM: Sizes = Sizes::of(&Preset::Sim.config());
const STAGED_WORDS: usize = SIM.staged_words;

/// Control, the runner and the counters, connected as in `Core`.
#[millrace_hdl::block]
struct Board {
    pub clock: Signal<In, Clock>,
    pub clock_ctrl: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub read: Signal<In, Bit>,
    pub address: Signal<In, Bits<16>>,
    pub write_data: Signal<In, Bits<32>>,
    pub tables_busy: Signal<In, Bit>,
    pub quiet: Signal<In, Bit>,
    pub count: Signal<In, Bit>,
    pub count_index: Signal<In, Bits<8>>,
    pub count_bytes: Signal<In, Bits<14>>,
    pub queue_packets: Signal<In, Bits<64>>,
    pub queue_bytes: Signal<In, Bits<64>>,
    pub queue_drops: Signal<In, Bits<64>>,
    pub busy: Signal<Out, Bit>,
    #[clock(clock_ctrl)]
    control: sized!(Control<SIM>),
    runner: sized!(CommandRunner<SIM>),
    rules: Counters<16>,
    verdicts: Counters<8>,
    _queues: usize,
}

#[millrace_hdl::block]
impl Board {
    fn update(&mut self) {
        self.control.write = self.write;
        self.control.read = self.read;
        self.control.address = self.address;
        self.control.write_data = self.write_data;
        for q in 0..self._queues {
            self.control.queue_packets[q] = self.queue_packets;
            self.control.queue_bytes[q] = self.queue_bytes;
            self.control.queue_drops[q] = self.queue_drops;
        }
        self.runner.request = self.control.request;
        self.runner.op = self.control.op;
        self.runner.table_number = self.control.table_number;
        self.runner.index = self.control.index;
        self.runner.data = self.control.data;
        self.control.done = self.runner.done;
        self.control.counted = self.runner.counted;
        self.control.packets = self.runner.packets;
        self.control.bytes = self.runner.bytes;
        self.control.epoch = self.runner.epoch;
        self.runner.tables_busy = self.tables_busy;
        self.runner.quiet = self.quiet;
        self.rules.clear = self.runner.counter_clear;
        self.verdicts.clear = self.runner.counter_clear;
        self.rules.count = self.count;
        self.rules.index = cast::<16>(self.count_index);
        self.rules.bytes = self.count_bytes;
        self.rules.epoch = self.control.age_epoch;
        self.verdicts.count = self.count;
        self.verdicts.index = !self.count_index;
        self.verdicts.bytes = self.count_bytes;
        self.verdicts.epoch = self.control.age_epoch;
        self.rules.read = self.runner.rule_read;
        self.rules.read_index = self.runner.read_index;
        self.runner.rule_done = self.rules.done;
        self.runner.rule_packets = self.rules.read_packets;
        self.runner.rule_bytes = self.rules.read_bytes;
        self.runner.rule_epoch = self.rules.read_epoch;
        self.verdicts.read = self.runner.verdict_read;
        self.verdicts.read_index = cast::<8>(self.runner.read_index);
        self.runner.verdict_done = self.verdicts.done;
        self.runner.verdict_packets = self.verdicts.read_packets;
        self.runner.verdict_bytes = self.verdicts.read_bytes;
        self.runner.verdict_epoch = self.verdicts.read_epoch;
        self.busy = self.rules.busy | self.verdicts.busy;
    }
}

/// A write that `Match` or `Expand` saw.
#[derive(Debug, PartialEq)]
enum Seen {
    Table(Box<TableWrite<{ SIM.data_bits }>>),
    Step(u64, u32),
}

struct Bench {
    dut: Box<Board>,
    config: Config,
    seen: Vec<Seen>,
    /// Gate each clock off while its side says that it is idle.
    gated: bool,
    /// Clocks that the tables stay busy after a write, and that are left of it.
    table_time: u32,
    table_left: u32,
    edges: [u32; 2],
    clocks: usize,
    /// Clocks until `quiet` rises.
    quiet_in: Option<u32>,
}

impl Bench {
    /// Fresh from reset, with the sweep under way.
    fn in_sweep(gated: bool) -> Self {
        let config = Preset::Sim.config();
        let mut dut = Box::new(Board {
            control: <sized!(Control<SIM>)>::new(&config),
            runner: <sized!(CommandRunner<SIM>)>::new(PLACES),
            rules: Counters::at_once(),
            verdicts: Counters::in_turn(),
            _queues: config.queues(),
            ..Default::default()
        });
        dut.connect_all();
        let mut bench = Self {
            dut,
            config,
            seen: vec![],
            gated: false,
            table_time: 0,
            table_left: 0,
            edges: [0; 2],
            clocks: 0,
            quiet_in: None,
        };
        bench.dut.reset.next = true;
        bench.dut.quiet.next = true;
        bench.tick();
        bench.dut.reset.next = false;
        bench.gated = gated;
        bench
    }

    /// After the sweep.
    fn new(gated: bool) -> Self {
        let mut bench = Self::in_sweep(gated);
        bench.wait();
        bench.seen.clear();
        bench
    }

    fn tick(&mut self) {
        let dut = &mut *self.dut;
        dut.tables_busy.next = self.table_left > 0;
        self.clocks += 1;
        if let Some(left) = &mut self.quiet_in {
            *left = left.saturating_sub(1);
            dut.quiet.next = *left == 0;
        }
        settle(dut);
        if dut.runner.table_write_valid.val() {
            self.seen.push(Seen::Table(Box::new(dut.runner.table_write.val())));
            self.table_left = self.table_time;
        }
        if dut.runner.step_write.val() {
            let outputs = dut.runner.step_data.val().outputs.get_bits::<32>(0).to_u32();
            self.seen.push(Seen::Step(dut.runner.step_index.val().to_u64(), outputs));
        }
        let pipeline = !self.gated || dut.control.pending.val() || dut.busy.val() || dut.count.val();
        let control = !self.gated || !dut.control.idle.val();
        dut.clock.next = pipeline.into();
        dut.clock_ctrl.next = control.into();
        settle(dut);
        dut.clock.next = false.into();
        dut.clock_ctrl.next = false.into();
        settle(dut);
        self.edges[0] += u32::from(pipeline);
        self.edges[1] += u32::from(control);
        if pipeline {
            self.table_left = self.table_left.saturating_sub(1);
        }
    }

    /// One transfer on the simple bus: the data read, or none if it is refused.
    fn transfer(&mut self, address: u32, write: Option<u32>) -> Option<u32> {
        self.dut.write.next = write.is_some();
        self.dut.read.next = write.is_none();
        self.dut.address.next = u64::from(address).into();
        self.dut.write_data.next = u64::from(write.unwrap_or(0)).into();
        for _ in 0..100 {
            self.tick();
            if self.dut.control.ack.val() {
                let answer = (!self.dut.control.error.val()).then(|| self.dut.control.read_data.val().to_u32());
                if answer.is_none() && write.is_none() {
                    assert_eq!(self.dut.control.read_data.val(), 0);
                }
                self.dut.write.next = false;
                self.dut.read.next = false;
                self.tick();
                return answer;
            }
        }
        panic!("no answer from {address:#x}");
    }

    fn read(&mut self, address: u32) -> u32 {
        self.transfer(address, None).unwrap_or_else(|| panic!("read of {address:#x} refused"))
    }

    fn write(&mut self, address: u32, value: u32) {
        assert!(self.transfer(address, Some(value)).is_some(), "write of {address:#x} refused");
    }

    fn wait(&mut self) {
        for _ in 0..100 {
            if self.read(addr::STATUS) == 0 {
                return;
            }
        }
        panic!("the command does not end");
    }

    /// Runs a command; the events that it set.
    fn command(&mut self, command: Command, table: u8, index: u32) -> u32 {
        self.write(addr::INDEX, index);
        self.write(addr::COMMAND, command.word(table));
        self.wait();
        let events = self.read(addr::EVENTS);
        self.write(addr::EVENTS, events);
        events
    }
}

#[test]
fn every_register_has_the_reset_value_and_the_access_rule_of_the_map() {
    let mut bench = Bench::new(false);
    let vports = bench.config.vports() as u32;
    for i in instances(vports) {
        let reset = match i.register.reset {
            Reset::Value(value) => value,
            Reset::Build => bench.config.registers()[i.register.name[6..].parse::<usize>().unwrap()],
        };
        assert_eq!(bench.transfer(i.address, None), Some(reset), "{i}");
    }
    for i in instances(vports) {
        let before = bench.read(i.address);
        match i.register.access {
            Access::Ro => {
                assert_eq!(bench.transfer(i.address, Some(!before)), None, "{i}");
                assert_eq!(bench.read(i.address), before, "{i}");
            }
            Access::Rw => {
                for value in [u32::MAX, 0x1234_5678, 0] {
                    bench.write(i.address, value);
                    assert_eq!(bench.read(i.address), value & i.mask(Lengths::ONE_PASS), "{i}");
                }
                bench.write(i.address, i.address | 1);
            }
            Access::Claim => {
                for (value, read) in [(0x1234_5678, 0x1234_5678), (u32::MAX, 0x1234_5678), (0, 0), (u32::MAX, u32::MAX)]
                {
                    bench.write(i.address, value);
                    assert_eq!(bench.read(i.address), read, "{i}");
                }
                bench.write(i.address, 0);
            }
            Access::Wo => {
                bench.write(i.address, 0);
                assert_eq!(bench.read(i.address), 0, "{i}");
            }
            Access::W1c => {
                assert_eq!(bench.read(i.address), 0, "{i}");
                bench.write(i.address, u32::MAX);
                assert_eq!(bench.read(i.address), 0, "{i}: only hardware sets it");
            }
        }
    }
    for i in instances(vports).filter(|i| i.register.access == Access::Rw) {
        assert_eq!(bench.read(i.address), (i.address | 1) & i.mask(Lengths::ONE_PASS), "{i} holds its own value");
    }
}

#[test]
fn other_addresses_are_refused() {
    let mut bench = Bench::new(false);
    let vports = bench.config.vports() as u32;
    let known: Vec<u32> = instances(vports).map(|i| i.address).collect();
    let unaligned = (0..0x200).chain(0x1000..0x1040).filter(|a| a % 4 != 0);
    let all = (0..0x1400).step_by(4).chain(unaligned).chain([0x2000, 0x8000, 0x9040, 0xfffc]);
    for address in all.filter(|a| !known.contains(a)) {
        assert_eq!(bench.transfer(address, None), None, "{address:#x}");
        assert_eq!(bench.transfer(address, Some(u32::MAX)), None, "{address:#x}");
    }
    assert_eq!(bench.read(addr::SCRATCH), 0);
}

#[test]
fn table_commands_reach_the_tables_once_with_their_operands() {
    for gated in [false, true] {
        let mut bench = Bench::new(gated);
        let mut words: Vec<u32> = (1..=STAGED_WORDS as u32).map(|n| 0x0101_0101 * n).collect();
        words[DATA_RULE] = 16415;
        for (at, word) in words.iter().enumerate() {
            bench.write(addr::data(at as u32), *word);
        }
        bench.table_time = 20;
        assert_eq!(bench.command(Command::WriteEntry, 7, 2047), 0);
        assert_eq!(bench.command(Command::WriteMask, 3, 0xffff_ffff), 0);
        assert_eq!(bench.command(Command::WriteTcam, 0xff, 31), 0);
        assert_eq!(bench.command(Command::WriteAction, 0, 16415), 0);
        assert_eq!(bench.command(Command::WriteStep, 0, 255), 0);
        let kinds: Vec<_> = bench
            .seen
            .iter()
            .map(|seen| match seen {
                Seen::Table(w) => {
                    for (n, word) in words.iter().enumerate() {
                        assert_eq!(w.data.get_bits::<32>(32 * n).to_u32(), *word);
                    }
                    let bits = [w.write_entry, w.write_mask, w.write_tcam, w.write_action];
                    (bits.iter().position(|b| *b).unwrap(), bits.iter().filter(|b| **b).count(), w.index.to_u64())
                }
                Seen::Step(index, outputs) => (4, *outputs as usize, *index),
            })
            .collect();
        assert_eq!(kinds, [(0, 1, 2047), (1, 1, 0xffff), (2, 1, 31), (3, 1, 16415), (4, 0x0101_0101, 255)]);
        let Seen::Table(first) = &bench.seen[0] else { panic!() };
        assert_eq!(first.table, 7);
    }
}

#[test]
fn commands_out_of_range_do_nothing_and_say_so() {
    let mut bench = Bench::new(false);
    for (command, table, index) in [
        (Command::WriteEntry, 8, 0),
        (Command::WriteEntry, 0, 2048),
        (Command::WriteEntry, 0, 0x8000_0000),
        (Command::WriteMask, 8, 0),
        (Command::WriteTcam, 0, 32),
        (Command::WriteAction, 0, 16416),
        (Command::WriteStep, 0, 256),
        (Command::ReadRuleCounter, 0, 16416),
        (Command::ReadVerdictCounter, 0, 192),
    ] {
        assert_eq!(bench.command(command, table, index), BAD_COMMAND, "{command:?} {table} {index:#x}");
    }
    for op in [0, 8, 10, 15] {
        bench.write(addr::COMMAND, op);
        assert_eq!(bench.read(addr::EVENTS), BAD_COMMAND, "operation {op}");
        bench.write(addr::EVENTS, WHILE_BUSY);
        assert_eq!(bench.read(addr::EVENTS), BAD_COMMAND, "the other bit was written");
        bench.write(addr::EVENTS, BAD_COMMAND);
        assert_eq!(bench.read(addr::EVENTS), 0);
    }
    assert_eq!(bench.seen, []);
}

/// Rule ids and continuation steps that a build does not have are refused where they are operands, and where they are not they do not matter.
#[test]
fn entries_and_steps_that_name_what_there_is_not_are_refused() {
    for gated in [false, true] {
        let mut bench = Bench::new(gated);
        let (rules, steps) = (bench.config.rule_ids() as u32, bench.config.steps() as u32);
        for (command, flag, word, end) in [
            (Command::WriteEntry, (DATA_VALID, 1), DATA_RULE, rules),
            (Command::WriteTcam, (DATA_VALID, 1), DATA_RULE, rules),
            (Command::WriteAction, (4, 1 << 15), 5, steps),
            (Command::WriteStep, (4, 1 << 15), 5, steps),
        ] {
            for at in 0..STAGED_WORDS as u32 {
                bench.write(addr::data(at), 0);
            }
            for (number, there) in [(0, true), (end - 1, true), (end, false), (end | 1 << 31, false), (1 << 16, false)]
            {
                bench.write(addr::data(flag.0 as u32), flag.1);
                bench.write(addr::data(word as u32), number);
                bench.seen.clear();
                let events = if there { 0 } else { BAD_COMMAND };
                assert_eq!(bench.command(command, 0, 0), events, "{command:?} {number:#x}");
                assert_eq!(bench.seen.len(), usize::from(there), "{command:?} {number:#x}");
                bench.write(addr::data(flag.0 as u32), 0);
                assert_eq!(bench.command(command, 0, 0), 0, "{command:?} {number:#x} that does not count");
            }
        }
    }
}

#[test]
fn a_command_while_busy_is_ignored_and_operands_stay() {
    let mut bench = Bench::new(false);
    bench.table_time = 60;
    bench.write(addr::data(0), 0x1111);
    bench.write(addr::COMMAND, Command::WriteTcam.word(0));
    assert_eq!(bench.read(addr::STATUS), 1);
    bench.write(addr::COMMAND, Command::WriteStep.word(0));
    assert_eq!(bench.read(addr::EVENTS), WHILE_BUSY);
    bench.write(addr::data(0), 0x2222);
    assert_eq!((bench.table_left, bench.read(addr::STATUS)), (0, 0), "the write waited for the command's end");
    assert_eq!(bench.seen.len(), 1);
}

/// What the sweep wrote: every index once, in order, everywhere at once.
fn assert_swept(seen: &[Seen]) {
    let (mut tables, mut steps) = (vec![], vec![]);
    for write in seen {
        match write {
            Seen::Table(write) => tables.push(write),
            Seen::Step(index, outputs) => steps.push((*index, *outputs)),
        }
    }
    for (i, write) in tables.iter().enumerate() {
        let bits = [write.write_entry, write.write_mask, write.write_tcam, write.write_action, write.clear];
        assert_eq!((bits, write.index.to_u64(), write.data.any()), ([true, false, false, true, true], i as u64, false));
    }
    assert_eq!(tables.len(), PLACES);
    assert_eq!(steps, (0..PLACES as u64).map(|i| (i, 0)).collect::<Vec<_>>());
}

#[test]
fn reset_and_the_command_clear_every_place_once_with_zeros() {
    for gated in [false, true] {
        let mut bench = Bench::in_sweep(gated);
        assert!(bench.dut.runner.hold.val(), "frames are held from reset on");
        assert_eq!(bench.read(addr::STATUS), 1);
        bench.wait();
        assert_swept(&std::mem::take(&mut bench.seen));
        assert!(!bench.dut.runner.hold.val());
        for word in 0..32 {
            bench.write(addr::data(word), !word);
        }
        let clocks = bench.clocks;
        assert_eq!(bench.command(Command::ClearTables, 0xff, u32::MAX), 0, "its operands may be anything");
        assert!(bench.clocks - clocks < PLACES + 80, "{} clocks", bench.clocks - clocks);
        assert_swept(&bench.seen);
        assert!((0..32).all(|word| bench.read(addr::data(word)) == 0));
        assert_eq!(bench.read(addr::INDEX), u32::MAX);
    }
}

#[test]
fn all_counters_are_zero_after_a_clear_and_count_on() {
    let mut bench = Bench::new(false);
    let count = |bench: &mut Bench, index: u64| {
        bench.dut.count.next = true;
        bench.dut.count_index.next = index.into();
        bench.dut.count_bytes.next = 100u64.into();
        bench.tick();
        bench.dut.count.next = false;
        (0..4).for_each(|_| bench.tick());
    };
    let counted = |bench: &mut Bench, command: Command, index: u32| {
        assert_eq!(bench.command(command, 0, index), 0);
        [addr::COUNTER_PACKETS_LO, addr::COUNTER_BYTES_LO, addr::COUNTER_EPOCH].map(|address| bench.read(address))
    };
    // An event counts for verdict 255 - index.
    for index in [3, 3, 5, 240] {
        count(&mut bench, index);
    }
    let all = |bench: &mut Bench| {
        let rules = [3, 5].map(|rule| counted(bench, Command::ReadRuleCounter, rule));
        [rules[0], rules[1], counted(bench, Command::ReadVerdictCounter, 15)]
    };
    assert_eq!(all(&mut bench), [[2, 200, 1], [1, 100, 1], [1, 100, 1]]);
    assert_eq!(bench.command(Command::ClearTables, 0, 0), 0);
    assert_eq!(all(&mut bench), [[0; 3]; 3]);
    for index in [5, 240, 240] {
        count(&mut bench, index);
    }
    assert_eq!(all(&mut bench), [[0; 3], [1, 100, 1], [2, 200, 1]]);
}

#[test]
fn a_clear_waits_for_frames_under_way_and_all_registers_but_data_can_be_written_meanwhile() {
    let mut bench = Bench::new(false);
    bench.dut.quiet.next = false;
    bench.write(addr::COMMAND, Command::ClearTables.word(0));
    (0..200).for_each(|_| bench.tick());
    assert!(bench.dut.runner.hold.val());
    assert_eq!((bench.seen.len(), bench.read(addr::STATUS)), (0, 1));
    bench.write(addr::queue_ctrl(3), 1);
    bench.write(addr::INDEX, 77);
    assert_eq!((bench.read(addr::queue_ctrl(3)), bench.read(addr::INDEX)), (1, 77));
    bench.write(addr::COMMAND, Command::WriteStep.word(0));
    assert_eq!(bench.read(addr::EVENTS), WHILE_BUSY);
    // A write to DATA waits; the frames' end comes while it does.
    bench.quiet_in = Some(20);
    bench.write(addr::data(4), 5);
    assert_eq!((bench.read(addr::STATUS), bench.read(addr::data(4))), (0, 5));
    assert_swept(&bench.seen);
}

#[test]
fn the_owner_is_claimed_and_released_and_the_generation_counts_it() {
    let mut bench = Bench::new(false);
    let generation = |bench: &mut Bench| bench.read(addr::GENERATION);
    assert_eq!(generation(&mut bench), 0, "the sweep after reset does not count");
    bench.write(addr::OWNER, 0);
    assert_eq!((bench.read(addr::OWNER), generation(&mut bench)), (0, 0));
    bench.write(addr::OWNER, 7);
    bench.write(addr::OWNER, 8);
    bench.write(addr::OWNER, 7);
    assert_eq!((bench.read(addr::OWNER), generation(&mut bench)), (7, 1), "the second comes too late");
    bench.command(Command::ReadRuleCounter, 0, 0);
    assert_eq!(generation(&mut bench), 1);
    for command in Command::ALL.iter().copied().filter(|command| command.writes()) {
        let before = generation(&mut bench);
        bench.command(command, 0, 0xffff_0000);
        let refused = command != Command::WriteMask;
        assert_eq!(generation(&mut bench) != before, !refused, "{command:?} out of range writes nothing");
        bench.command(command, 0, 0);
        assert_eq!(generation(&mut bench), before | 1 << 31, "{command:?}");
        bench.command(Command::ClearTables, 0, 0);
        assert_eq!(generation(&mut bench), before + 1);
    }
    bench.write(addr::OWNER, 0);
    assert_eq!((bench.read(addr::OWNER), generation(&mut bench)), (0, 7));
}

#[test]
fn counters_are_read_with_either_clock_gated_off_in_between() {
    for gated in [false, true] {
        let mut bench = Bench::new(gated);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut model = [[0u64; 3]; 256];
        bench.write(addr::AGE_EPOCH, 5);
        for _ in 0..30 {
            for _ in 0..20 {
                let (index, bytes) = (rng.random_range(0..4usize), rng.random_range(14..9217u64));
                bench.dut.count.next = true;
                bench.dut.count_index.next = (index as u64).into();
                bench.dut.count_bytes.next = bytes.into();
                bench.tick();
                let epoch = u64::from(bench.dut.control.age_epoch.val().to_u32());
                let m = &mut model[index];
                *m = [m[0] + 1, m[1] + bytes, epoch];
            }
            bench.dut.count.next = false;
            let index = rng.random_range(0..4usize);
            let verdict = rng.random_bool(0.5) && index != 0;
            let (command, at) = if verdict {
                (Command::ReadVerdictCounter, 191 - index as u32)
            } else {
                (Command::ReadRuleCounter, index as u32)
            };
            let want = if verdict { [0; 3] } else { model[index] };
            assert_eq!(bench.command(command, 0, at), 0);
            let packets = [bench.read(addr::COUNTER_PACKETS_LO), bench.read(addr::COUNTER_PACKETS_HI)];
            let bytes = [bench.read(addr::COUNTER_BYTES_LO), bench.read(addr::COUNTER_BYTES_HI)];
            assert_eq!(packets.map(u64::from), [want[0], 0]);
            assert_eq!(bytes.map(u64::from), [want[1], 0]);
            assert_eq!(u64::from(bench.read(addr::COUNTER_EPOCH)), want[2]);
            let epoch = bench.read(addr::AGE_EPOCH);
            assert_eq!(bench.read(addr::COUNTER_FLAGS), u32::from(u64::from(epoch) == want[2]));
            if rng.random_bool(0.3) {
                bench.write(addr::AGE_EPOCH, epoch + 1);
            }
            for _ in 0..rng.random_range(0..20) {
                bench.tick();
            }
        }
        if gated {
            let before = bench.edges;
            (0..50).for_each(|_| bench.tick());
            assert_eq!(bench.edges, before, "both clocks stand still");
        }
    }
}

#[test]
fn reading_the_low_half_of_a_queue_counter_latches_the_high_half() {
    let mut bench = Bench::new(false);
    bench.dut.queue_packets.next = 0x0000_0007_ffff_ffff_u64.into();
    bench.dut.queue_bytes.next = 0x0000_000a_0000_0003_u64.into();
    bench.dut.queue_drops.next = 0x0000_000b_0000_0004_u64.into();
    assert_eq!(bench.read(addr::queue_packets_hi(1)), 0);
    assert_eq!(bench.read(addr::queue_packets_lo(1)), 0xffff_ffff);
    bench.dut.queue_packets.next = 0x0000_0009_0000_0002_u64.into();
    assert_eq!(bench.read(addr::queue_packets_lo(2)), 2);
    assert_eq!(bench.read(addr::queue_bytes_lo(1)), 3);
    assert_eq!(bench.read(addr::queue_drops_lo(11)), 4);
    assert_eq!(bench.read(addr::queue_packets_hi(1)), 7);
    assert_eq!(bench.read(addr::queue_packets_hi(2)), 9);
    assert_eq!(bench.read(addr::queue_bytes_hi(1)), 10);
    assert_eq!(bench.read(addr::queue_drops_hi(11)), 11);
    assert_eq!(bench.read(addr::queue_packets_hi(3)), 0);
}

#[test]
fn drop_when_full_and_age_epoch_leave_the_block() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.dut.control.age_epoch.val(), 1);
    bench.write(addr::queue_ctrl(0), 1);
    bench.write(addr::queue_ctrl(11), u32::MAX);
    bench.write(addr::AGE_EPOCH, 0xfedc_ba98);
    let dropping = |bench: &Bench| -> Vec<bool> { bench.dut.control.drop_when_full.iter().map(|q| q.val()).collect() };
    assert_eq!(dropping(&bench), (0..12).map(|q| q == 0 || q == 11).collect::<Vec<_>>());
    assert_eq!(bench.dut.control.age_epoch.val(), 0xfedc_ba98);
}

#[test]
fn verilog_passes_lint() {
    for preset in Preset::ALL {
        assert_lints(<sized!(Control<SIM>)>::new(&preset.config()));
    }
    assert_lints(<sized!(Control<SIM>)>::new(&Config { vfs: 124, ..Preset::Sim.config() }));
    assert_lints(<sized!(CommandRunner<SIM>)>::new(1 << 16));
}
