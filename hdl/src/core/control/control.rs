// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers, and software's end of the command interface.

use super::staging::Staging;
use crate::base::{Dff, DffE, DffR, LutRam, Param, Reg};
use crate::core::types::{EntryOperands, Step};
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
#[millrace_hdl::block]
pub struct Control<const SIZES: Sizes> {
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
    pub data: Signal<Out, Bits<{ SIZES.data_bits }>>,
    pub done: Signal<In, Bit>,
    pub counted: Signal<In, Bit>,
    pub packets: Signal<In, Bits<64>>,
    pub bytes: Signal<In, Bits<64>>,
    pub epoch: Signal<In, Bits<32>>,
    pub pending: Signal<Out, Bit>,

    /// `AGE_EPOCH`.
    pub age_epoch: Signal<Out, Bits<32>>,
    /// One per queue.
    pub drop_when_full: Vec<Signal<Out, Bit>>,
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
    /// Addresses of the lower halves of the counters, per queue: packets, bytes, drops.
    low_address: Vec<Param<Bits<16>>>,
    /// Of the upper halves.
    high_address: Vec<Param<Bits<16>>>,
    /// Upper bits of the address of `DATA`.
    data_address: Param<Bits<8>>,
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
    /// Bit n: operation n writes an entry, with a rule id.
    names_rule: Param<Bits<16>>,
    /// Bit n: operation n writes a step, with the number of the next.
    names_step: Param<Bits<16>>,
    /// How many of them there are.
    rule_ids: Param<Bits<32>>,
    steps: Param<Bits<32>>,

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
    /// It is one that a command uses.
    staged_hit: DffE<Bit>,
    events_hit: DffE<Bit>,
    command_hit: DffE<Bit>,
    owner_hit: DffE<Bit>,
    stored: Vec<Reg<Bits<32>>>,
    staging: Staging<SIZES>,
    /// The staging words, as an entry, name a rule that there is not.
    no_such_rule: Dff<Bit>,
    /// The staging words, as a step, name a step that there is not.
    no_such_step: Dff<Bit>,
    /// The counter of a queue that is read, by queue.
    counter_of_queue: Vec<Dff<Bits<64>>>,
    /// Its number among all counters.
    counter_at: Dff<Bits<9>>,
    low_read: DffR<Bit>,
    high_read: DffR<Bit>,
    /// Upper halves of the counters as of the last read of the lower ones, 16 to a RAM.
    high: Vec<LutRam<Bits<32>, 4>>,
    /// Whether there was such a read.
    high_kept: Vec<Reg<Bit>>,
    events: DffR<Bits<2>>,
    #[init(DffR::new(true))]
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
    live: Vec<Signal<Local, Bits<32>>>,
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

#[millrace_hdl::block]
impl<const SIZES: Sizes> Control<SIZES> {
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
        assert_eq!((data.len(), DATA_WORDS), (64, 64), "the kernel counts on 64 staging words");
        assert_eq!(data[0].address % 256, 0, "the kernel takes the number of a staging word from its address");
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
        let names_rule = ops(|command| matches!(command, Command::WriteEntry | Command::WriteTcam));
        let names_step = ops(|command| matches!(command, Command::WriteAction | Command::WriteStep));
        let clear_tables = (Command::ClearTables as u64).to_bits();
        Self {
            drop_when_full: vec![Default::default(); queues],
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
            data_address: Param::new(u64::from(data[0].address >> 8).into()),
            events_address: addresses(&events).remove(0),
            command_address: addresses(&command).remove(0),
            index_end: (0..16).map(|op| Param::new(index_end(op, config).into())).collect(),
            owner_address: addresses(&owner).remove(0),
            clear_tables: Param::new(clear_tables),
            takes_table: Param::new(takes_table.into()),
            writes_table: Param::new(ops(|command| command.writes()).into()),
            op_q: Reg::new(clear_tables),
            tables: Param::new((config.hash_tables as u64).into()),
            names_rule: Param::new(names_rule.into()),
            names_step: Param::new(names_step.into()),
            rule_ids: Param::new((config.rule_ids() as u64).into()),
            steps: Param::new((config.steps() as u64).into()),
            fixed_hit: hits(fixed.len()),
            live_hit: hits(live.len()),
            stored_hit: hits(stored.len()),
            low_hit: hits(low.len()),
            high_hit: hits(high.len()),
            stored: stored.iter().map(reset).collect(),
            staging: Staging::new(),
            counter_of_queue: (0..queues).map(|_| Dff::default()).collect(),
            high: (0..low.len().div_ceil(16)).map(|_| LutRam::new()).collect(),
            live: vec![Default::default(); live.len()],
            high_kept: high.iter().map(|_| Reg::default()).collect(),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("first clock of a transfer: which register");
        let busy = self.request_q | self.done;
        let in_data = self.address.get_bits::<8>(8) == self.data_address;
        let operand = in_data | (self.op_q != self.clear_tables);
        let waits = self.write & busy & operand & (self.address != self.command_address);
        let take = (self.write | self.read) & !self.taken & !self.chosen & !self.ack_q & !waits;
        self.taken = take;
        self.chosen = self.taken;
        if take {
            let word = self.address.get_bits::<6>(2);
            self.data_hit = in_data & !self.address.get_bits::<2>(0).any();
            self.staged_hit = in_data & !self.address.get_bits::<2>(0).any() & (cast::<7>(word) < SIZES.staged_words);
            self.events_hit = self.address == self.events_address;
            self.command_hit = self.address == self.command_address;
            self.owner_hit = self.address == self.owner_address;
            for i in 0..self.fixed_hit.len() {
                self.fixed_hit[i] = self.address == self.fixed_address[i];
            }
            for i in 0..self.live_hit.len() {
                self.live_hit[i] = self.address == self.live_address[i];
            }
            for i in 0..self.stored_hit.len() {
                self.stored_hit[i] = self.address == self.stored_address[i];
            }
            for i in 0..self.low_hit.len() {
                self.low_hit[i] = self.address == self.low_address[i];
                self.high_hit[i] = self.address == self.high_address[i];
            }
        }

        comment!("second clock: write; third clock: choose the value");
        let act = self.taken & self.write;
        let mut answer: Bits<32> = 0;
        let mut writable = self.events_hit | self.command_hit | self.data_hit | self.owner_hit;
        let mut known = writable;
        for i in 0..self.fixed_hit.len() {
            if self.fixed_hit[i] {
                answer |= self.fixed_value[i];
            }
            known |= self.fixed_hit[i];
        }
        self.live[0] = cast::<32>(busy);
        self.live[1] = self.counter_packets.get_bits::<32>(0);
        self.live[2] = self.counter_packets.get_bits::<32>(32);
        self.live[3] = self.counter_bytes.get_bits::<32>(0);
        self.live[4] = self.counter_bytes.get_bits::<32>(32);
        self.live[5] = self.counter_epoch;
        self.live[6] = cast::<32>(self.counter_hit);
        self.live[7] = self.matched;
        self.live[8] = self.acted;
        self.live[9] = concat::<32>(self.written, cast::<31>(self.generation));
        for i in 0..self.live.len() {
            if self.live_hit[i] {
                answer |= self.live[i];
            }
            known |= self.live_hit[i];
        }
        for i in 0..self.stored.len() {
            if act & self.stored_hit[i] {
                self.stored[i] = self.write_data & self.stored_mask[i];
            }
            if self.stored_hit[i] {
                answer |= self.stored[i];
            }
            known |= self.stored_hit[i];
            writable |= self.stored_hit[i];
        }
        self.staging.reset = self.reset | self.cleared;
        self.staging.write = act & self.staged_hit;
        self.staging.at = self.address.get_bits::<{ SIZES.staged_log2 }>(2);
        self.staging.write_data = self.write_data;
        if self.staged_hit {
            answer |= self.staging.value;
        }

        comment!("the queues' counters: in the second clock one of each queue, in the third the one");
        let mut place: Bits<9> = 0;
        let mut any_low = false;
        let mut any_high = false;
        for i in 0..self.low_hit.len() {
            if self.taken & self.read & self.low_hit[i] {
                self.high_kept[i] = true;
            }
            if self.low_hit[i] | self.high_hit[i] {
                place |= i;
            }
            known |= self.low_hit[i] | self.high_hit[i];
            any_low |= self.low_hit[i];
            any_high |= self.high_hit[i] & self.high_kept[i];
        }
        self.counter_at = place;
        self.low_read = self.taken & self.read & any_low;
        self.high_read = self.taken & any_high;
        let mut counter: Bits<64> = 0;
        for q in 0..self.counter_of_queue.len() {
            let mut choice: Bits<64> = 0;
            if self.low_hit[3 * q] {
                choice |= self.queue_packets[q];
            }
            if self.low_hit[3 * q + 1] {
                choice |= self.queue_bytes[q];
            }
            if self.low_hit[3 * q + 2] {
                choice |= self.queue_drops[q];
            }
            self.counter_of_queue[q] = choice;
            counter |= self.counter_of_queue[q];
        }
        if self.low_read {
            answer |= counter.get_bits::<32>(0);
        }
        for i in 0..self.high.len() {
            let here = self.counter_at.get_bits::<5>(4) == i;
            self.high[i].we = self.low_read & here;
            self.high[i].waddr = self.counter_at.get_bits::<4>(0);
            self.high[i].wdata = counter.get_bits::<32>(32);
            self.high[i].raddr = self.counter_at.get_bits::<4>(0);
            if self.high_read & here {
                answer |= self.high[i].rdata;
            }
        }
        if self.owner_hit {
            answer |= self.owner;
        }
        if self.events_hit {
            answer = cast::<32>(self.events);
        }
        self.ack_q = self.chosen;
        if self.chosen {
            self.error_q = !known | (self.write & !writable);
            self.read_data_q = answer;
        }
        self.ack = self.ack_q;
        self.error = self.error_q;
        self.read_data = self.read_data_q;

        comment!("operands that were written are seen here before a command that follows them");
        let entry = unpack::<EntryOperands<{ SIZES.key_bits }>>(cast::<{ SIZES.entry_bits }>(self.staging.data));
        self.no_such_rule = entry.valid & (entry.rule >= self.rule_ids);
        let step = unpack::<Step<{ SIZES.further_step_bits }>>(cast::<{ SIZES.step_bits }>(self.staging.data));
        self.no_such_step = step.more & (step.next >= self.steps);

        comment!("commands");
        let command = act & self.command_hit;
        let command_op = self.write_data.get_bits::<4>(0);
        let command_table = self.write_data.get_bits::<8>(8);
        let mut end: Bits<33> = 0;
        let mut on_table = false;
        let mut into_table = false;
        let mut astray = false;
        for n in 0..16 {
            if command_op == n {
                end = self.index_end[n];
                on_table = self.takes_table.get_bit(n);
                into_table = self.writes_table.get_bit(n);
                astray =
                    (self.names_rule.get_bit(n) & self.no_such_rule) | (self.names_step.get_bit(n) & self.no_such_step);
            }
        }
        let in_range = (cast::<33>(self.stored[2]) < end) & (!on_table | (command_table < self.tables)) & !astray;
        let start = command & !busy & in_range;
        let clear = start & (command_op == self.clear_tables);
        let finish = self.request_q & self.done;
        self.cleared = clear;
        self.request_q = start | (self.request_q & !self.done);
        if start {
            self.op_q = command_op;
            self.table_q = command_table;
        }
        let set_events: Bits<2> = if command & busy {
            2
        } else if command & !in_range {
            1
        } else {
            0
        };
        let clear_events: Bits<2> = if act & self.events_hit { self.write_data.get_bits::<2>(0) } else { 0 };
        self.events = (self.events & !clear_events) | set_events;

        comment!("whose the tables are: a write counts if either the register or the value is 0");
        let claim = act & self.owner_hit & (self.owner.any() ^ self.write_data.any());
        if claim {
            self.owner = self.write_data;
        }
        if claim | clear {
            self.generation += 1;
        }
        self.written = (self.written & !clear) | (start & into_table);

        comment!("results");
        if finish & self.counted {
            self.counter_packets = self.packets;
            self.counter_bytes = self.bytes;
            self.counter_epoch = self.epoch;
            self.counter_hit = self.epoch == self.stored[1];
        }

        comment!("stored registers to where they act");
        self.age_epoch = self.stored[1];
        for q in 0..self.queue_packets.len() {
            self.drop_when_full[q] = self.stored[q + 3].get_bit(0);
        }
        self.request = self.request_q;
        self.op = self.op_q;
        self.table_number = self.table_q;
        self.index = self.stored[2].get_bits::<16>(0);
        self.data = self.staging.data;
        self.pending = busy;
        self.idle = !(self.write | self.read | busy);
    }
}
