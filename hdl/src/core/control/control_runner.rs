// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline's end of the command interface.

use crate::base::{Dff, DffR, Param, Reg};
use crate::core::types::{Step, TableWrite};
use millrace_regs::Command;
use rust_hdl_core::prelude::*;

/// Where a command is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum RunnerState {
    Idle,
    /// The one clock in which tables, steps or counters see the command.
    Start,
    /// A table write reaches the table, which says then whether it is busy.
    Settle,
    Wait,
    Count,
    /// No frame starts, and those under way end.
    Drain,
    /// A clock for each place of the largest memory.
    Sweep,
    Done,
}

/// Carries out the command of `Control`, on the pipeline's clock.
///
/// `request` rises with `op`, `table`, `index` and `data`, which stay until `done` (the acknowledge) is high; `request` falls then, and
/// `done` after it. Operands are in range. The result of a counter read is valid with `done`, with `counted` high.
///
/// From reset to the end of the first `CLEAR_TABLES`, and from the beginning to the end of each further one, `hold` keeps frames from
/// starting. The sweep begins when `quiet` says that none is under way, which counts from the third clock of `hold`; then tables, steps and counters are
/// written with zeros at one `index` after the other, from 0 on, a clock each, all at once.
#[millrace_hdl::block]
pub struct CommandRunner<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub request: Signal<In, Bit>,
    pub op: Signal<In, Bits<4>>,
    pub table_number: Signal<In, Bits<8>>,
    pub index: Signal<In, Bits<16>>,
    pub data: Signal<In, Bits<{ SIZES.data_bits }>>,
    pub done: Signal<Out, Bit>,
    pub counted: Signal<Out, Bit>,
    pub packets: Signal<Out, Bits<64>>,
    pub bytes: Signal<Out, Bits<64>>,
    pub epoch: Signal<Out, Bits<32>>,

    /// To `Match`. It may raise `tables_busy` up to three clocks after `table_write_valid`.
    pub table_write: Signal<Out, TableWrite<{ SIZES.data_bits }>>,
    pub table_write_valid: Signal<Out, Bit>,
    pub tables_busy: Signal<In, Bit>,
    /// To `Merge`: no frame may start.
    pub hold: Signal<Out, Bit>,
    /// No block holds a frame whose program has not ended, or an event that is not counted.
    pub quiet: Signal<In, Bit>,
    /// To `Expand`.
    pub step_write: Signal<Out, Bit>,
    pub step_index: Signal<Out, Bits<16>>,
    pub step_data: Signal<Out, Step<{ SIZES.further_step_bits }>>,
    /// To the rule counters and the verdict counters.
    pub rule_read: Signal<Out, Bit>,
    pub verdict_read: Signal<Out, Bit>,
    pub read_index: Signal<Out, Bits<16>>,
    pub counter_clear: Signal<Out, Bit>,
    pub rule_done: Signal<In, Bit>,
    pub rule_packets: Signal<In, Bits<64>>,
    pub rule_bytes: Signal<In, Bits<64>>,
    pub rule_epoch: Signal<In, Bits<32>>,
    pub verdict_done: Signal<In, Bit>,
    pub verdict_packets: Signal<In, Bits<64>>,
    pub verdict_bytes: Signal<In, Bits<64>>,
    pub verdict_epoch: Signal<In, Bits<32>>,

    #[init(op(Command::WriteEntry))]
    write_entry: Param<Bits<4>>,
    #[init(op(Command::WriteMask))]
    write_mask: Param<Bits<4>>,
    #[init(op(Command::WriteTcam))]
    write_tcam: Param<Bits<4>>,
    #[init(op(Command::WriteAction))]
    write_action: Param<Bits<4>>,
    #[init(op(Command::WriteStep))]
    write_step: Param<Bits<4>>,
    #[init(op(Command::ReadRuleCounter))]
    read_rule_counter: Param<Bits<4>>,
    #[init(op(Command::ReadVerdictCounter))]
    read_verdict_counter: Param<Bits<4>>,
    #[init(op(Command::ClearTables))]
    clear_tables: Param<Bits<4>>,

    state: DffR<RunnerState>,
    settled: DffR<Bits<2>>,
    #[init(DffR::new(true))]
    hold_q: DffR<Bit>,
    quiet_q: Dff<Bit>,
    sweep_at: DffR<Bits<16>>,
    sweep_last: Param<Bits<16>>,
    counted_q: Reg<Bit>,
    packets_q: Reg<Bits<64>>,
    bytes_q: Reg<Bits<64>>,
    epoch_q: Reg<Bits<32>>,
}

/// The operation of a command.
fn op(command: Command) -> Param<Bits<4>> {
    Param::new((command as u64).into())
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> CommandRunner<SIZES> {
    /// For memories of at most so many places.
    ///
    /// # Panics
    /// If an index has too few bits for them.
    pub fn new(places: usize) -> Self {
        assert!((1..=1 << 16).contains(&places), "{places} places");
        Self { sweep_last: Param::new((places - 1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("a sweep goes through all indices");
        let clears = self.op == self.clear_tables;
        let sweeps = self.state == RunnerState::Sweep;
        self.sweep_at.reset = !sweeps;
        self.sweep_at += 1;
        let at = if self.hold_q { self.sweep_at } else { self.index };
        self.quiet_q = self.quiet;
        self.hold = self.hold_q;
        self.counter_clear = sweeps;

        comment!("operands are wires; one clock says that they count");
        let start = self.state == RunnerState::Start;
        let to_table = (self.op == self.write_entry)
            | (self.op == self.write_mask)
            | (self.op == self.write_tcam)
            | (self.op == self.write_action);
        let to_step = self.op == self.write_step;
        self.table_write = TableWrite {
            write_entry: (self.op == self.write_entry) | clears,
            write_mask: self.op == self.write_mask,
            write_tcam: self.op == self.write_tcam,
            write_action: (self.op == self.write_action) | clears,
            clear: clears,
            table: self.table_number,
            index: at,
            data: self.data,
        };
        self.table_write_valid = (start & to_table) | sweeps;
        self.step_write = (start & to_step) | sweeps;
        self.step_index = at;
        self.step_data = unpack::<Step<{ SIZES.further_step_bits }>>(cast::<{ SIZES.step_bits }>(self.data));
        self.rule_read = start & (self.op == self.read_rule_counter);
        self.verdict_read = start & (self.op == self.read_verdict_counter);
        self.read_index = at;

        comment!("the result stays until the next command");
        let answer = self.rule_done | self.verdict_done;
        if answer {
            self.packets_q = if self.rule_done { self.rule_packets } else { self.verdict_packets };
            self.bytes_q = if self.rule_done { self.rule_bytes } else { self.verdict_bytes };
            self.epoch_q = if self.rule_done { self.rule_epoch } else { self.verdict_epoch };
        }
        if start | answer {
            self.counted_q = answer;
        }
        self.packets = self.packets_q;
        self.bytes = self.bytes_q;
        self.epoch = self.epoch_q;
        self.counted = self.counted_q;

        self.hold_q = (start & clears) | (self.hold_q & (self.state != RunnerState::Done));
        let mut next = self.state;
        let mut settled: Bits<2> = 0;
        match self.state {
            RunnerState::Idle => {
                if self.request {
                    next = RunnerState::Start;
                }
            }
            RunnerState::Start => {
                if to_table {
                    next = RunnerState::Settle;
                } else if to_step {
                    next = RunnerState::Done;
                } else if clears {
                    next = RunnerState::Drain;
                } else {
                    next = RunnerState::Count;
                }
            }
            RunnerState::Drain => {
                settled = if self.settled == 3 { 3 } else { self.settled + 1 };
                if (self.settled == 3) & self.quiet_q {
                    next = RunnerState::Sweep;
                }
            }
            RunnerState::Sweep => {
                if self.sweep_at == self.sweep_last {
                    next = RunnerState::Settle;
                }
            }
            RunnerState::Settle => {
                settled = self.settled + 1;
                if self.settled == 2 {
                    next = RunnerState::Wait;
                }
            }
            RunnerState::Wait => {
                if !self.tables_busy {
                    next = RunnerState::Done;
                }
            }
            RunnerState::Count => {
                if answer {
                    next = RunnerState::Done;
                }
            }
            RunnerState::Done => {
                if !self.request {
                    next = RunnerState::Idle;
                }
            }
        }
        self.state = next;
        self.settled = settled;
        self.done = self.state == RunnerState::Done;
    }
}
