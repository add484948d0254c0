// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pipeline's end of the command interface.

use super::step_from_bits::StepFromBits;
use super::types::{Step, TableWrite};
use crate::base::{Dff, DffR, Param, Reg, Tag};
use crate::comment;
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
#[derive(LogicBlock, Default)]
pub struct CommandRunner {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub request: Signal<In, Bit>,
    pub op: Signal<In, Bits<4>>,
    pub table_number: Signal<In, Bits<8>>,
    pub index: Signal<In, Bits<16>>,
    pub data: Signal<In, Bits<1024>>,
    pub done: Signal<Out, Bit>,
    pub counted: Signal<Out, Bit>,
    pub packets: Signal<Out, Bits<64>>,
    pub bytes: Signal<Out, Bits<64>>,
    pub epoch: Signal<Out, Bits<32>>,

    /// To `Match`. It may raise `tables_busy` up to three clocks after `table_write_valid`.
    pub table_write: Signal<Out, TableWrite>,
    pub table_write_valid: Signal<Out, Bit>,
    pub tables_busy: Signal<In, Bit>,
    /// To `Merge`; and from all who hold frames whose program has not ended, or events that are not counted.
    pub hold: Signal<Out, Bit>,
    pub quiet: Signal<In, Bit>,
    /// To `Expand`.
    pub step_write: Signal<Out, Bit>,
    pub step_index: Signal<Out, Bits<16>>,
    pub step_data: Signal<Out, Step>,
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

    write_entry: Param<Bits<4>>,
    write_mask: Param<Bits<4>>,
    write_tcam: Param<Bits<4>>,
    write_action: Param<Bits<4>>,
    write_step: Param<Bits<4>>,
    read_rule_counter: Param<Bits<4>>,
    read_verdict_counter: Param<Bits<4>>,
    clear_tables: Param<Bits<4>>,

    state: DffR<RunnerState>,
    settled: DffR<Bits<2>>,
    hold_q: DffR<Bit>,
    quiet_q: Dff<Bit>,
    sweep_at: DffR<Bits<16>>,
    sweep_last: Param<Bits<16>>,
    counted_q: Reg<Bit>,
    packets_q: Reg<Bits<64>>,
    bytes_q: Reg<Bits<64>>,
    epoch_q: Reg<Bits<32>>,
    fields: StepFromBits,

    start: Signal<Local, Bit>,
    clears: Signal<Local, Bit>,
    sweeps: Signal<Local, Bit>,
    at: Signal<Local, Bits<16>>,
    to_table: Signal<Local, Bit>,
    to_step: Signal<Local, Bit>,
    answer: Signal<Local, Bit>,
}

impl CommandRunner {
    /// For memories of at most so many places. (`Default` does not know the operations: use this.)
    ///
    /// # Panics
    /// If an index has too few bits for them.
    pub fn new(places: usize) -> Self {
        assert!((1..=1 << 16).contains(&places), "{places} places");
        let op = |command: Command| Param::new((command as u64).into());
        Self {
            write_entry: op(Command::WriteEntry),
            write_mask: op(Command::WriteMask),
            write_tcam: op(Command::WriteTcam),
            write_action: op(Command::WriteAction),
            write_step: op(Command::WriteStep),
            read_rule_counter: op(Command::ReadRuleCounter),
            read_verdict_counter: op(Command::ReadVerdictCounter),
            clear_tables: op(Command::ClearTables),
            hold_q: DffR::new(true),
            sweep_last: Param::new((places - 1).to_bits()),
            ..Default::default()
        }
    }
}

impl Logic for CommandRunner {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, state, settled, counted_q, packets_q, bytes_q, epoch_q, hold_q, quiet_q, sweep_at);
        self.state.reset.next = self.reset.val();
        self.settled.reset.next = self.reset.val();
        self.hold_q.reset.next = self.reset.val();
        self.counted_q.reset.next = self.reset.val();
        self.packets_q.reset.next = self.reset.val();
        self.bytes_q.reset.next = self.reset.val();
        self.epoch_q.reset.next = self.reset.val();

        comment!("a sweep goes through all indices");
        self.clears.next = self.op.val() == self.clear_tables.val();
        self.sweeps.next = self.state.q.val() == RunnerState::Sweep;
        self.sweep_at.reset.next = !self.sweeps.val();
        self.sweep_at.d.next = self.sweep_at.q.val() + 1;
        self.at.next = self.index.val();
        if self.hold_q.q.val() {
            self.at.next = self.sweep_at.q.val();
        }
        self.quiet_q.d.next = self.quiet.val();
        self.hold.next = self.hold_q.q.val();
        self.counter_clear.next = self.sweeps.val();

        comment!("operands are wires; one clock says that they count");
        self.start.next = self.state.q.val() == RunnerState::Start;
        self.table_write.next.write_entry = (self.op.val() == self.write_entry.val()) | self.clears.val();
        self.table_write.next.write_mask = self.op.val() == self.write_mask.val();
        self.table_write.next.write_tcam = self.op.val() == self.write_tcam.val();
        self.table_write.next.write_action = (self.op.val() == self.write_action.val()) | self.clears.val();
        self.table_write.next.clear = self.clears.val();
        self.table_write.next.table = self.table_number.val();
        self.table_write.next.index = self.at.val();
        self.table_write.next.data = self.data.val();
        self.to_table.next = (self.op.val() == self.write_entry.val())
            | (self.op.val() == self.write_mask.val())
            | (self.op.val() == self.write_tcam.val())
            | (self.op.val() == self.write_action.val());
        self.to_step.next = self.op.val() == self.write_step.val();
        self.table_write_valid.next = (self.start.val() & self.to_table.val()) | self.sweeps.val();
        self.step_write.next = (self.start.val() & self.to_step.val()) | self.sweeps.val();
        self.step_index.next = self.at.val();
        self.fields.bits.next = self.data.val().get_bits::<544>(0);
        self.step_data.next = self.fields.step.val();
        self.rule_read.next = self.start.val() & (self.op.val() == self.read_rule_counter.val());
        self.verdict_read.next = self.start.val() & (self.op.val() == self.read_verdict_counter.val());
        self.read_index.next = self.at.val();

        comment!("the result stays until the next command");
        self.answer.next = self.rule_done.val() | self.verdict_done.val();
        self.packets_q.en.next = self.answer.val();
        self.bytes_q.en.next = self.answer.val();
        self.epoch_q.en.next = self.answer.val();
        self.packets_q.d.next = self.verdict_packets.val();
        self.bytes_q.d.next = self.verdict_bytes.val();
        self.epoch_q.d.next = self.verdict_epoch.val();
        if self.rule_done.val() {
            self.packets_q.d.next = self.rule_packets.val();
            self.bytes_q.d.next = self.rule_bytes.val();
            self.epoch_q.d.next = self.rule_epoch.val();
        }
        self.counted_q.en.next = self.start.val() | self.answer.val();
        self.counted_q.d.next = self.answer.val();
        self.packets.next = self.packets_q.q.val();
        self.bytes.next = self.bytes_q.q.val();
        self.epoch.next = self.epoch_q.q.val();
        self.counted.next = self.counted_q.q.val();

        self.hold_q.d.next =
            (self.start.val() & self.clears.val()) | (self.hold_q.q.val() & (self.state.q.val() != RunnerState::Done));
        self.settled.d.next = 0.into();
        self.state.d.next = self.state.q.val();
        match self.state.q.val() {
            RunnerState::Idle => {
                if self.request.val() {
                    self.state.d.next = RunnerState::Start;
                }
            }
            RunnerState::Start => {
                self.state.d.next = RunnerState::Count;
                if self.to_table.val() {
                    self.state.d.next = RunnerState::Settle;
                } else if self.to_step.val() {
                    self.state.d.next = RunnerState::Done;
                } else if self.clears.val() {
                    self.state.d.next = RunnerState::Drain;
                }
            }
            RunnerState::Drain => {
                if self.settled.q.val() != 3 {
                    self.settled.d.next = self.settled.q.val() + 1;
                } else {
                    self.settled.d.next = self.settled.q.val();
                    if self.quiet_q.q.val() {
                        self.state.d.next = RunnerState::Sweep;
                    }
                }
            }
            RunnerState::Sweep => {
                if self.sweep_at.q.val() == self.sweep_last.val() {
                    self.state.d.next = RunnerState::Settle;
                }
            }
            RunnerState::Settle => {
                self.settled.d.next = self.settled.q.val() + 1;
                if self.settled.q.val() == 2 {
                    self.state.d.next = RunnerState::Wait;
                }
            }
            RunnerState::Wait => {
                if !self.tables_busy.val() {
                    self.state.d.next = RunnerState::Done;
                }
            }
            RunnerState::Count => {
                if self.answer.val() {
                    self.state.d.next = RunnerState::Done;
                }
            }
            RunnerState::Done => {
                if !self.request.val() {
                    self.state.d.next = RunnerState::Idle;
                }
            }
        }
        self.done.next = self.state.q.val() == RunnerState::Done;
    }
}
