// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers, and software's end of the command interface.

use super::staging::Staging;
use crate::base::{Dff, DffE, DffR, LutRam, Param, Reg, Tag};
use crate::comment;
use millrace_regs::config::Config;
use millrace_regs::map::{Access, DATA_WORDS, Reset};
use millrace_regs::{Command, Instance, instances};
use rust_hdl_core::prelude::*;

/// Registers whose value comes from elsewhere in `Control`, in the order of its `live` signals.
const LIVE: [&str; 10] = [
    "STATUS",
    "COUNTER_PACKETS_LO",
    "COUNTER_PACKETS_HI",
    "COUNTER_BYTES_LO",
    "COUNTER_BYTES_HI",
    "COUNTER_EPOCH",
    "COUNTER_FLAGS",
    "MATCHED",
    "ACTED",
    "GENERATION",
];

/// Registers that keep what is written, in the order of `stored`: these, then `QUEUE_CTRL`.
const STORED: [&str; 3] = ["SCRATCH", "AGE_EPOCH", "INDEX"];

/// Register side of the simple bus (see `AxiLite`): a transfer is answered in the fourth clock. All decoding is derived from
/// `millrace_regs`.
///
/// Everything here runs on `clock` = the core's `clock_ctrl`. A command goes to `CommandRunner`, on the pipeline's clock, with `request` and `op`,
/// `table`, `index`, `data`, which stay until `done`; then `request` falls, and the next command starts when `done` has fallen too.
/// `pending` is high all that time: the pipeline's clock must run. Writes wait while a command runs, except to `COMMAND`, so that the
/// operands stay; while the tables are cleared only those to `DATA`, which is zero then. Reset starts that command.
///
/// The queues' counters, `matched` and `acted` are registers on the pipeline's clock, which is the same net or stands still.
#[derive(LogicBlock, Default)]
pub struct Control {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub read: Signal<In, Bit>,
    pub address: Signal<In, Bits<16>>,
    pub write_data: Signal<In, Bits<32>>,
    pub read_data: Signal<Out, Bits<32>>,
    pub ack: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    pub idle: Signal<Out, Bit>,

    pub request: Signal<Out, Bit>,
    pub op: Signal<Out, Bits<4>>,
    pub table_number: Signal<Out, Bits<8>>,
    pub index: Signal<Out, Bits<16>>,
    pub data: Signal<Out, Bits<1024>>,
    pub done: Signal<In, Bit>,
    pub counted: Signal<In, Bit>,
    pub packets: Signal<In, Bits<64>>,
    pub bytes: Signal<In, Bits<64>>,
    pub epoch: Signal<In, Bits<32>>,
    pub pending: Signal<Out, Bit>,

    /// `AGE_EPOCH`.
    pub age_epoch: Signal<Out, Bits<32>>,
    /// Bit q: `drop_when_full` of queue q.
    pub drop_when_full: Signal<Out, Bits<32>>,
    /// One per queue.
    pub queue_packets: Vec<Signal<In, Bits<64>>>,
    pub queue_bytes: Vec<Signal<In, Bits<64>>>,
    pub queue_drops: Vec<Signal<In, Bits<64>>>,
    pub matched: Signal<In, Bits<32>>,
    pub acted: Signal<In, Bits<32>>,

    fixed_address: Vec<Param<Bits<16>>>,
    fixed_value: Vec<Param<Bits<32>>>,
    live_address: Vec<Param<Bits<16>>>,
    stored_address: Vec<Param<Bits<16>>>,
    stored_mask: Vec<Param<Bits<32>>>,
    /// Per queue packets, bytes, drops.
    low_address: Vec<Param<Bits<16>>>,
    high_address: Vec<Param<Bits<16>>>,
    /// Upper bits of the address of `DATA`.
    data_address: Param<Bits<9>>,
    events_address: Param<Bits<16>>,
    command_address: Param<Bits<16>>,
    owner_address: Param<Bits<16>>,
    clear_tables: Param<Bits<4>>,
    /// Per operation: one more than the largest `INDEX`, 0 if there is no such operation.
    index_end: Vec<Param<Bits<33>>>,
    /// Bit n: operation n works on a hash table.
    takes_table: Param<Bits<16>>,
    /// Bit n: operation n writes into a table.
    writes_table: Param<Bits<16>>,
    tables: Param<Bits<8>>,

    taken: DffR<Bit>,
    chosen: DffR<Bit>,
    ack_q: DffR<Bit>,
    error_q: DffE<Bit>,
    read_data_q: DffE<Bits<32>>,
    fixed_hit: Vec<DffE<Bit>>,
    live_hit: Vec<DffE<Bit>>,
    stored_hit: Vec<DffE<Bit>>,
    low_hit: Vec<DffE<Bit>>,
    high_hit: Vec<DffE<Bit>>,
    data_hit: DffE<Bit>,
    events_hit: DffE<Bit>,
    command_hit: DffE<Bit>,
    owner_hit: DffE<Bit>,
    stored: Vec<Reg<Bits<32>>>,
    staging: Staging,
    /// The counter of a queue that is read, by queue; then its number among all counters.
    counter_of_queue: Vec<Dff<Bits<64>>>,
    counter_at: Dff<Bits<8>>,
    low_read: DffR<Bit>,
    high_read: DffR<Bit>,
    /// Upper halves of the counters as of the last read of the lower ones, 16 to a RAM; and whether there was one.
    high: Vec<LutRam<Bits<32>, 4>>,
    high_kept: Vec<Reg<Bit>>,
    high_number: Vec<Constant<Bits<4>>>,
    counter_number: Vec<Constant<Bits<8>>>,
    events: DffR<Bits<2>>,
    request_q: DffR<Bit>,
    op_q: Reg<Bits<4>>,
    table_q: DffE<Bits<8>>,
    owner: Reg<Bits<32>>,
    generation: Reg<Bits<16>>,
    written: DffR<Bit>,
    /// `CLEAR_TABLES` has begun: the words of `staging` are all over the core, and no path from the bus leads to them in one clock.
    cleared: DffR<Bit>,
    counter_packets: Reg<Bits<64>>,
    counter_bytes: Reg<Bits<64>>,
    counter_epoch: Reg<Bits<32>>,
    counter_hit: Reg<Bit>,

    busy: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    act: Signal<Local, Bit>,
    answer: Signal<Local, Bits<32>>,
    known: Signal<Local, Bit>,
    writable: Signal<Local, Bit>,
    term: Signal<Local, Bits<32>>,
    live: Vec<Signal<Local, Bits<32>>>,
    counters: Vec<Signal<Local, Bits<64>>>,
    counter: Signal<Local, Bits<64>>,
    term64: Signal<Local, Bits<64>>,
    hit: Signal<Local, Bit>,
    set_events: Signal<Local, Bits<2>>,
    clear_events: Signal<Local, Bits<2>>,
    command: Signal<Local, Bit>,
    command_op: Signal<Local, Bits<4>>,
    command_table: Signal<Local, Bits<8>>,
    end: Signal<Local, Bits<33>>,
    on_table: Signal<Local, Bit>,
    into_table: Signal<Local, Bit>,
    in_range: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    clear: Signal<Local, Bit>,
    /// `OWNER` changes.
    claim: Signal<Local, Bit>,
    operand: Signal<Local, Bit>,
    finish: Signal<Local, Bit>,
    result: Signal<Local, Bit>,
    word: Signal<Local, Bits<32>>,
    counter_choice: Signal<Local, Bits<64>>,
    counter_place: Signal<Local, Bits<8>>,
    any_low: Signal<Local, Bit>,
    any_high: Signal<Local, Bit>,
    to_data: Signal<Local, Bit>,
    modes: Signal<Local, Bits<32>>,
    _fixed: usize,
    _stored: usize,
    _queues: usize,
    _counters: usize,
    _high: usize,
}

/// All instances of the registers of this name.
fn named(all: &[Instance], name: &str) -> Vec<Instance> {
    let found: Vec<_> = all.iter().filter(|i| i.register.name == name).copied().collect();
    assert!(!found.is_empty(), "no register {name}");
    found
}

fn addresses(registers: &[Instance]) -> Vec<Param<Bits<16>>> {
    registers.iter().map(|i| Param::new(u64::from(i.address).into())).collect()
}

fn hits(count: usize) -> Vec<DffE<Bit>> {
    (0..count).map(|_| DffE::default()).collect()
}

/// What reading a register gives that never changes: its reset value, or a property of the build.
fn fixed_value(register: &Instance, config: &Config) -> Param<Bits<32>> {
    let value = match register.register.reset {
        Reset::Value(value) => value,
        Reset::Build => {
            let number = register.register.name.strip_prefix("CONFIG").and_then(|n| n.parse::<usize>().ok());
            config.registers()[number.expect("CONFIG0 and so on depend on the build")]
        }
    };
    Param::new(u64::from(value).into())
}

/// One more than the largest `INDEX` of an operation.
fn index_end(op: usize, config: &Config) -> u64 {
    match Command::from_op(op as u32) {
        Some(Command::WriteEntry) => config.table_rules() as u64,
        Some(Command::WriteMask | Command::ClearTables) => 1 << 32,
        Some(Command::WriteTcam) => config.tcam_entries as u64,
        Some(Command::WriteAction | Command::ReadRuleCounter) => config.rule_ids() as u64,
        Some(Command::WriteStep) => config.steps() as u64,
        Some(Command::ReadVerdictCounter) => config.verdict_counters() as u64,
        None => 0,
    }
}

impl Control {
    /// The registers of a build.
    ///
    /// # Panics
    /// If the register map has a register that this block does not know.
    pub fn new(config: &Config) -> Self {
        let all: Vec<Instance> = instances(config.vports() as u32).collect();
        let of = |names: &[&str]| names.iter().flat_map(|name| named(&all, name)).collect::<Vec<_>>();
        let live = of(&LIVE);
        let mut stored = of(&STORED);
        let data = of(&["DATA"]);
        assert_eq!((data.len(), DATA_WORDS), (32, 32), "the kernel counts on 32 staging words");
        assert_eq!(data[0].address % 128, 0, "the kernel takes the number of a staging word from its address");
        stored.extend(of(&["QUEUE_CTRL"]));
        let by_queue = |mut registers: Vec<Instance>| {
            registers.sort_by_key(|i| i.address);
            registers
        };
        let low = by_queue(of(&["QUEUE_PACKETS_LO", "QUEUE_BYTES_LO", "QUEUE_DROPS_LO"]));
        let high = by_queue(of(&["QUEUE_PACKETS_HI", "QUEUE_BYTES_HI", "QUEUE_DROPS_HI"]));
        let (events, command, owner) = (of(&["EVENTS"]), of(&["COMMAND"]), of(&["OWNER"]));
        let others: Vec<Instance> =
            [&live, &stored, &data, &low, &high, &events, &command, &owner].into_iter().flatten().copied().collect();
        let fixed: Vec<Instance> = all.iter().filter(|i| !others.contains(i)).copied().collect();
        for register in &fixed {
            assert_eq!(register.register.access, Access::Ro, "{register} is not implemented");
        }
        for register in &all {
            let writable = [&stored, &data, &events, &command, &owner].iter().any(|some| some.contains(register));
            assert_eq!(register.register.access.writable(), writable, "{register}");
        }
        let queues = config.queues();
        let reset = |i: &Instance| match i.register.reset {
            Reset::Value(value) => Reg::new(u64::from(value).into()),
            Reset::Build => panic!("{i} is stored and depends on the build"),
        };
        let ops = |which: fn(&Command) -> bool| {
            Command::ALL.iter().copied().filter(which).fold(0u64, |bits, c| bits | 1 << c as u64)
        };
        let takes_table = ops(|command| matches!(command, Command::WriteEntry | Command::WriteMask));
        let clear_tables = (Command::ClearTables as u64).to_bits();
        Self {
            queue_packets: vec![Default::default(); queues],
            queue_bytes: vec![Default::default(); queues],
            queue_drops: vec![Default::default(); queues],
            fixed_address: addresses(&fixed),
            fixed_value: fixed.iter().map(|i| fixed_value(i, config)).collect(),
            live_address: addresses(&live),
            stored_address: addresses(&stored),
            stored_mask: stored.iter().map(|i| Param::new(u64::from(i.register.mask()).into())).collect(),
            low_address: addresses(&low),
            high_address: addresses(&high),
            data_address: Param::new(u64::from(data[0].address >> 7).into()),
            events_address: addresses(&events).remove(0),
            command_address: addresses(&command).remove(0),
            index_end: (0..16).map(|op| Param::new(index_end(op, config).into())).collect(),
            owner_address: addresses(&owner).remove(0),
            clear_tables: Param::new(clear_tables),
            takes_table: Param::new(takes_table.into()),
            writes_table: Param::new(ops(|command| command.writes()).into()),
            request_q: DffR::new(true),
            op_q: Reg::new(clear_tables),
            tables: Param::new((config.hash_tables as u64).into()),
            fixed_hit: hits(fixed.len()),
            live_hit: hits(live.len()),
            stored_hit: hits(stored.len()),
            low_hit: hits(low.len()),
            high_hit: hits(high.len()),
            stored: stored.iter().map(reset).collect(),
            staging: Staging::new(),
            counter_of_queue: (0..queues).map(|_| Dff::default()).collect(),
            high: (0..low.len().div_ceil(16)).map(|_| LutRam::new()).collect(),
            high_kept: high.iter().map(|_| Reg::default()).collect(),
            high_number: (0..low.len().div_ceil(16)).map(|i| Constant::new((i as u64).into())).collect(),
            counter_number: (0..low.len()).map(|i| Constant::new((i as u64).into())).collect(),
            live: vec![Default::default(); live.len()],
            counters: vec![Default::default(); low.len()],
            _fixed: fixed.len(),
            _stored: stored.len(),
            _queues: queues,
            _counters: low.len(),
            _high: low.len().div_ceil(16),
            ..Default::default()
        }
    }
}

impl Logic for Control {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            taken,
            chosen,
            ack_q,
            error_q,
            read_data_q,
            data_hit,
            events_hit,
            command_hit,
            owner_hit,
            events,
            request_q,
            op_q,
            table_q
        );
        clock!(self, clock, counter_packets, counter_bytes, counter_epoch, counter_hit, staging, counter_at);
        clock!(self, clock, low_read, high_read, owner, generation, written, cleared);
        self.low_read.reset.next = self.reset.val();
        self.high_read.reset.next = self.reset.val();
        self.chosen.reset.next = self.reset.val();
        self.taken.reset.next = self.reset.val();
        self.ack_q.reset.next = self.reset.val();
        self.events.reset.next = self.reset.val();
        self.request_q.reset.next = self.reset.val();
        self.op_q.reset.next = self.reset.val();
        self.owner.reset.next = self.reset.val();
        self.generation.reset.next = self.reset.val();
        self.written.reset.next = self.reset.val();
        self.cleared.reset.next = self.reset.val();
        self.staging.reset.next = self.reset.val() | self.cleared.q.val();
        self.counter_packets.reset.next = self.reset.val();
        self.counter_bytes.reset.next = self.reset.val();
        self.counter_epoch.reset.next = self.reset.val();
        self.counter_hit.reset.next = self.reset.val();

        comment!("first clock of a transfer: which register");
        self.busy.next = self.request_q.q.val() | self.done.val();
        self.operand.next = (self.address.val().get_bits::<9>(7) == self.data_address.val())
            | (self.op_q.q.val() != self.clear_tables.val());
        self.take.next = (self.write.val() | self.read.val())
            & !self.taken.q.val()
            & !self.chosen.q.val()
            & !self.ack_q.q.val()
            & !(self.write.val()
                & self.busy.val()
                & self.operand.val()
                & (self.address.val() != self.command_address.val()));
        self.taken.d.next = self.take.val();
        self.chosen.d.next = self.taken.q.val();
        self.data_hit.en.next = self.take.val();
        self.data_hit.d.next = (self.address.val().get_bits::<9>(7) == self.data_address.val())
            & !self.address.val().get_bits::<2>(0).any();
        self.events_hit.en.next = self.take.val();
        self.events_hit.d.next = self.address.val() == self.events_address.val();
        self.command_hit.en.next = self.take.val();
        self.command_hit.d.next = self.address.val() == self.command_address.val();
        self.owner_hit.en.next = self.take.val();
        self.owner_hit.d.next = self.address.val() == self.owner_address.val();
        for i in 0..self._fixed {
            self.fixed_hit[i].clock.next = self.clock.val();
            self.fixed_hit[i].en.next = self.take.val();
            self.fixed_hit[i].d.next = self.address.val() == self.fixed_address[i].val();
        }
        for i in 0..10 {
            self.live_hit[i].clock.next = self.clock.val();
            self.live_hit[i].en.next = self.take.val();
            self.live_hit[i].d.next = self.address.val() == self.live_address[i].val();
        }
        for i in 0..self._stored {
            self.stored_hit[i].clock.next = self.clock.val();
            self.stored_hit[i].en.next = self.take.val();
            self.stored_hit[i].d.next = self.address.val() == self.stored_address[i].val();
        }
        for i in 0..self._counters {
            self.low_hit[i].clock.next = self.clock.val();
            self.low_hit[i].en.next = self.take.val();
            self.low_hit[i].d.next = self.address.val() == self.low_address[i].val();
            self.high_hit[i].clock.next = self.clock.val();
            self.high_hit[i].en.next = self.take.val();
            self.high_hit[i].d.next = self.address.val() == self.high_address[i].val();
        }

        comment!("second clock: write; third clock: choose the value");
        self.act.next = self.taken.q.val() & self.write.val();
        self.answer.next = 0.into();
        self.known.next =
            self.events_hit.q.val() | self.command_hit.q.val() | self.data_hit.q.val() | self.owner_hit.q.val();
        self.writable.next =
            self.events_hit.q.val() | self.command_hit.q.val() | self.data_hit.q.val() | self.owner_hit.q.val();
        for i in 0..self._fixed {
            self.hit.next = self.fixed_hit[i].q.val();
            self.term.next = 0.into();
            if self.hit.val() {
                self.term.next = self.fixed_value[i].val();
            }
            self.answer.next = self.answer.val() | self.term.val();
            self.known.next = self.known.val() | self.hit.val();
        }
        self.live[0].next = bit_cast::<32, 1>(self.busy.val().into());
        self.live[1].next = self.counter_packets.q.val().get_bits::<32>(0);
        self.live[2].next = self.counter_packets.q.val().get_bits::<32>(32);
        self.live[3].next = self.counter_bytes.q.val().get_bits::<32>(0);
        self.live[4].next = self.counter_bytes.q.val().get_bits::<32>(32);
        self.live[5].next = self.counter_epoch.q.val();
        self.live[6].next = bit_cast::<32, 1>(self.counter_hit.q.val().into());
        self.live[7].next = self.matched.val();
        self.live[8].next = self.acted.val();
        self.live[9].next =
            bit_cast::<32, 16>(self.generation.q.val()) | (bit_cast::<32, 1>(self.written.q.val().into()) << 31);
        for i in 0..10 {
            self.hit.next = self.live_hit[i].q.val();
            self.term.next = 0.into();
            if self.hit.val() {
                self.term.next = self.live[i].val();
            }
            self.answer.next = self.answer.val() | self.term.val();
            self.known.next = self.known.val() | self.hit.val();
        }
        for i in 0..self._stored {
            self.stored[i].clock.next = self.clock.val();
            self.stored[i].reset.next = self.reset.val();
            self.hit.next = self.stored_hit[i].q.val();
            self.stored[i].en.next = self.act.val() & self.hit.val();
            self.stored[i].d.next = self.write_data.val() & self.stored_mask[i].val();
            self.term.next = 0.into();
            if self.hit.val() {
                self.term.next = self.stored[i].q.val();
            }
            self.answer.next = self.answer.val() | self.term.val();
            self.known.next = self.known.val() | self.hit.val();
            self.writable.next = self.writable.val() | self.hit.val();
        }
        self.to_data.next = self.act.val() & self.data_hit.q.val();
        self.staging.write.next = self.to_data.val();
        self.staging.at.next = self.address.val().get_bits::<5>(2);
        self.staging.write_data.next = self.write_data.val();
        if self.data_hit.q.val() {
            self.answer.next = self.answer.val() | self.staging.value.val();
        }

        comment!("the queues' counters: in the second clock one of each queue, in the third the one");
        for q in 0..self._queues {
            self.counters[3 * q].next = self.queue_packets[q].val();
            self.counters[3 * q + 1].next = self.queue_bytes[q].val();
            self.counters[3 * q + 2].next = self.queue_drops[q].val();
        }
        self.counter_place.next = 0.into();
        self.any_low.next = false;
        self.any_high.next = false;
        for i in 0..self._counters {
            self.high_kept[i].clock.next = self.clock.val();
            self.high_kept[i].reset.next = self.reset.val();
            self.high_kept[i].en.next = self.taken.q.val() & self.read.val() & self.low_hit[i].q.val();
            self.high_kept[i].d.next = true;
            self.hit.next = self.low_hit[i].q.val() | self.high_hit[i].q.val();
            self.known.next = self.known.val() | self.hit.val();
            if self.hit.val() {
                self.counter_place.next = self.counter_place.val() | self.counter_number[i].val();
            }
            self.any_low.next = self.any_low.val() | self.low_hit[i].q.val();
            self.any_high.next = self.any_high.val() | (self.high_hit[i].q.val() & self.high_kept[i].q.val());
        }
        self.counter_at.d.next = self.counter_place.val();
        self.low_read.d.next = self.taken.q.val() & self.read.val() & self.any_low.val();
        self.high_read.d.next = self.taken.q.val() & self.any_high.val();
        self.counter.next = 0.into();
        for q in 0..self._queues {
            self.counter_choice.next = 0.into();
            for kind in 0..3 {
                self.term64.next = self.counters[3 * q + kind].val();
                if self.low_hit[3 * q + kind].q.val() {
                    self.counter_choice.next = self.counter_choice.val() | self.term64.val();
                }
            }
            self.counter_of_queue[q].clock.next = self.clock.val();
            self.counter_of_queue[q].d.next = self.counter_choice.val();
            self.counter.next = self.counter.val() | self.counter_of_queue[q].q.val();
        }
        if self.low_read.q.val() {
            self.answer.next = self.answer.val() | self.counter.val().get_bits::<32>(0);
        }
        for i in 0..self._high {
            self.hit.next = self.counter_at.q.val().get_bits::<4>(4) == self.high_number[i].val();
            self.high[i].clock.next = self.clock.val();
            self.high[i].we.next = self.low_read.q.val() & self.hit.val();
            self.high[i].waddr.next = self.counter_at.q.val().get_bits::<4>(0);
            self.high[i].wdata.next = self.counter.val().get_bits::<32>(32);
            self.high[i].raddr.next = self.counter_at.q.val().get_bits::<4>(0);
            if self.high_read.q.val() & self.hit.val() {
                self.answer.next = self.answer.val() | self.high[i].rdata.val();
            }
        }
        if self.owner_hit.q.val() {
            self.answer.next = self.answer.val() | self.owner.q.val();
        }
        if self.events_hit.q.val() {
            self.answer.next = bit_cast::<32, 2>(self.events.q.val());
        }
        self.ack_q.d.next = self.chosen.q.val();
        self.error_q.en.next = self.chosen.q.val();
        self.error_q.d.next = !self.known.val() | (self.write.val() & !self.writable.val());
        self.read_data_q.en.next = self.chosen.q.val();
        self.read_data_q.d.next = self.answer.val();
        self.ack.next = self.ack_q.q.val();
        self.error.next = self.error_q.q.val();
        self.read_data.next = self.read_data_q.q.val();

        comment!("commands");
        self.command.next = self.act.val() & self.command_hit.q.val();
        self.command_op.next = self.write_data.val().get_bits::<4>(0);
        self.command_table.next = self.write_data.val().get_bits::<8>(8);
        self.end.next = 0.into();
        self.on_table.next = false;
        self.into_table.next = false;
        for n in 0..16 {
            if self.command_op.val() == n.to_bits::<4>() {
                self.end.next = self.index_end[n].val();
                self.on_table.next = self.takes_table.val().get_bit(n);
                self.into_table.next = self.writes_table.val().get_bit(n);
            }
        }
        self.in_range.next = (bit_cast::<33, 32>(self.stored[2].q.val()) < self.end.val())
            & (!self.on_table.val() | (self.command_table.val() < self.tables.val()));
        self.start.next = self.command.val() & !self.busy.val() & self.in_range.val();
        self.clear.next = self.start.val() & (self.command_op.val() == self.clear_tables.val());
        self.cleared.d.next = self.clear.val();
        self.finish.next = self.request_q.q.val() & self.done.val();
        self.request_q.d.next = self.start.val() | (self.request_q.q.val() & !self.done.val());
        self.op_q.en.next = self.start.val();
        self.op_q.d.next = self.command_op.val();
        self.table_q.en.next = self.start.val();
        self.table_q.d.next = self.command_table.val();
        self.set_events.next = 0.into();
        if self.command.val() & self.busy.val() {
            self.set_events.next = 2.into();
        } else if self.command.val() & !self.in_range.val() {
            self.set_events.next = 1.into();
        }
        self.clear_events.next = 0.into();
        if self.act.val() & self.events_hit.q.val() {
            self.clear_events.next = self.write_data.val().get_bits::<2>(0);
        }
        self.events.d.next = (self.events.q.val() & !self.clear_events.val()) | self.set_events.val();

        comment!("whose the tables are: a write counts if either the register or the value is 0");
        self.claim.next =
            self.act.val() & self.owner_hit.q.val() & (self.owner.q.val().any() ^ self.write_data.val().any());
        self.owner.en.next = self.claim.val();
        self.owner.d.next = self.write_data.val();
        self.generation.en.next = self.claim.val() | self.clear.val();
        self.generation.d.next = self.generation.q.val() + 1;
        self.written.d.next = (self.written.q.val() & !self.clear.val()) | (self.start.val() & self.into_table.val());

        comment!("results");
        self.result.next = self.finish.val() & self.counted.val();
        self.counter_packets.en.next = self.result.val();
        self.counter_packets.d.next = self.packets.val();
        self.counter_bytes.en.next = self.result.val();
        self.counter_bytes.d.next = self.bytes.val();
        self.counter_epoch.en.next = self.result.val();
        self.counter_epoch.d.next = self.epoch.val();
        self.counter_hit.en.next = self.result.val();
        self.counter_hit.d.next = self.epoch.val() == self.stored[1].q.val();

        comment!("stored registers to where they act");
        self.modes.next = 0.into();
        for q in 0..self._queues {
            self.word.next = self.stored[q + 3].q.val();
            self.modes.next = self.modes.val().replace_bit(q, self.word.val().get_bit(0));
        }
        self.age_epoch.next = self.stored[1].q.val();
        self.drop_when_full.next = self.modes.val();
        self.request.next = self.request_q.q.val();
        self.op.next = self.op_q.q.val();
        self.table_number.next = self.table_q.q.val();
        self.index.next = self.stored[2].q.val().get_bits::<16>(0);
        self.data.next = self.staging.data.val();
        self.pending.next = self.request_q.q.val() | self.done.val();
        self.idle.next = !(self.write.val() | self.read.val() | self.busy.val());
    }
}
