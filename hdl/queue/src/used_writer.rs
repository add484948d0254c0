// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the used rings.

use crate::line_timer::LineTimer;
use crate::types::{BEAT_BITS, Fault, QueueConfig, RingAnswer, RingRead, RingWrite, Used};
use crate::used_check::UsedCheck;
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Ram, Reg, RoundRobin, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Words of 32 bits in a line, which is a beat of memory.
const WORDS: usize = BEAT_BITS / 32;
/// Who may be next: a transmitq's chain, a receiveq's, a queue whose line waits too long.
const SENT: usize = 0;
const RECEIVED: usize = 1;
const WAITING: usize = 2;
const SOURCES: usize = 3;

/// What is done with the queue in `vq`.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum UsedTask {
    Idle,
    Enter,
    /// The line of the entry before ended with the ring, but for half an entry.
    Rest,
    Flush,
    Reset,
}

wire_struct! {
    /// A used ring.
    pub struct UsedRing {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// How far a used ring is.
    pub struct Filling {
        /// Index of the next entry, and behind the last whole frame.
        pub next: Bits<16>,
        pub whole: Bits<16>,
        /// Words of the line are not written: from this one on.
        pub open: Bit,
        pub from: Bits<4>,
        /// The first word is the length of an entry that began in the line before.
        pub carried: Bit,
    }
}

wire_struct! {
    /// An entry on its way into a line, and what is written with it.
    pub struct UsedStep<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        pub enters: Bit,
        pub word: Bits<4>,
        pub head: Bits<16>,
        pub length: Bits<16>,
        pub carried: Bit,
        /// Words of the line, both included; a word of it, counted from the ring's begin.
        pub writes_line: Bit,
        pub from: Bits<4>,
        pub to: Bits<4>,
        pub offset: Bits<11>,
        /// `used.idx`
        pub writes_index: Bit,
        pub index: Bits<16>,
        pub ring: Bits<64>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// Of a write that is under way.
    pub struct UsedOwner<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        /// It is `used.idx`, as this.
        pub is_index: Bit,
        pub index: Bits<16>,
    }
}

/// Puts the chains of `sent` (transmitqs) and `received` (receiveqs) on the used rings of their queues, `VQS` in all. A chain in a clock, up to 256 writes are under way.
///
/// Each queue collects its entries in a line of memory, which is written, and `used.idx` behind it, when it is full, at the end of the ring, and after 256 clocks at most, or some 32
/// when nothing else comes. When `used.idx` is visible the driver is asked whether it wants to be told ([`UsedCheck`]). Of a queue that has stopped nothing is written.
#[millrace_hdl::block]
pub struct UsedWriter<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_vq` is enabled.
    pub open: Signal<In, Bit>,
    pub open_vq: Signal<In, Bits<VQ_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub stopped: Signal<In, Bits<VQS>>,
    pub sent: Snk<Used<PAIR_BITS>>,
    pub received: Snk<Used<PAIR_BITS>>,
    pub write: Src<RingWrite>,
    /// A write has taken effect, in the order of the writes: 0, or the reason of a fault.
    pub written: Snk<Bits<8>>,
    pub read: Src<RingRead>,
    pub answer: Snk<RingAnswer>,
    pub interrupt: Src<Bits<VQ_BITS>>,
    pub fault: Src<Fault<VQ_BITS>>,
    /// A queue whose reset came in `sent` or `received` is at rest: for one clock.
    pub reset_done: Signal<Out, Bit>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    rings: LutRam<UsedRing, VQ_BITS>,
    fillings: LutRam<Filling, VQ_BITS>,
    /// Each queue's line, word by word.
    #[count(WORDS)]
    lines: Vec<Ram<Bits<32>, VQ_BITS>>,
    /// The length of an entry whose line ends between `id` and `len`: a line is read in the clock in which the next line's is written here.
    carried: Ram<Bits<32>, VQ_BITS>,
    sent_items: LutFifo<Used<PAIR_BITS>, 2, 3>,
    received_items: LutFifo<Used<PAIR_BITS>, 2, 3>,
    turn: RoundRobin<SOURCES>,
    task: DffR<UsedTask>,
    vq: DffE<Bits<VQ_BITS>>,
    item: DffE<Used<PAIR_BITS>>,

    /// An entry goes into its line, a line is read, it is on its way out; where it is, and which of its words count.
    entering: DffE<UsedStep<VQ_BITS>>,
    entering_valid: DffR<Bit>,
    reading: DffE<UsedStep<VQ_BITS>>,
    reading_at: DffE<Bits<64>>,
    reading_valid: DffR<Bit>,
    leaving: DffE<UsedStep<VQ_BITS>>,
    leaving_at: DffE<Bits<64>>,
    leaving_words: DffE<Bits<WORDS>>,
    line_due: DffR<Bit>,
    index_due: DffR<Bit>,
    out: Skid<RingWrite>,
    owners: LutFifo<UsedOwner<VQ_BITS>, 8, 9>,

    /// Of a queue that lost a chain nothing is entered any more.
    dead: Reg<Bits<VQS>>,
    /// Queues whose `used.idx` is behind.
    timer: LineTimer<VQS>,
    check: UsedCheck<VQS, VQ_BITS>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> UsedWriter<PAIR_BITS, VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        let here = one << self.vq;
        self.rings.we = self.open;
        self.rings.waddr = self.open_vq;
        self.rings.wdata =
            UsedRing { address: self.opened.device, size_log2: self.opened.size_log2, function: self.opened.function };
        self.rings.raddr = self.vq;
        self.fillings.raddr = self.vq;
        let ring = self.rings.rdata;
        let filling = self.fillings.rdata;
        link(self.sent, self.sent_items.inp);
        link(self.received, self.received_items.inp);

        comment!("what leaves: the line, then used.idx");
        let may_leave = self.out.inp.ready & self.owners.inp.ready;
        let leaves = may_leave & (self.line_due | self.index_due);
        let moves = !(self.line_due | self.index_due) | (may_leave & !(self.line_due & self.index_due));
        let leaving = self.leaving;
        let mut line: Bits<BEAT_BITS> = 0;
        let mut index: Bits<BEAT_BITS> = 0;
        let mut line_strobe: Bits<64> = 0;
        for i in 0..WORDS {
            if (i == 0) & leaving.carried {
                line |= cast::<BEAT_BITS>(self.carried.rdata);
            } else {
                line |= cast::<BEAT_BITS>(self.lines[i].rdata) << (32 * i);
            }
            index |= cast::<BEAT_BITS>(leaving.index) << (32 * i + 16);
            for byte in 0..4 {
                line_strobe.set_bit(4 * i + byte, self.leaving_words.get_bit(i));
            }
        }
        let index_bytes: Bits<64> = 0b1100;
        self.out.inp.valid = leaves;
        self.out.inp.data = RingWrite {
            address: if self.line_due { self.leaving_at } else { leaving.ring },
            function: leaving.function,
            data: if self.line_due { line } else { index },
            strobe: if self.line_due {
                line_strobe
            } else {
                index_bytes << (cast::<6>(leaving.ring.get_bits::<4>(2)) << 2)
            },
        };
        link(self.write, self.out.out);
        self.owners.inp.valid = leaves;
        self.owners.inp.data = UsedOwner::<VQ_BITS> { vq: leaving.vq, is_index: !self.line_due, index: leaving.index };
        self.line_due = if moves { self.reading_valid & self.reading.writes_line } else { self.line_due & !leaves };
        self.index_due = if moves { self.reading_valid & self.reading.writes_index } else { self.index_due };

        comment!("a line is read");
        let reading = self.reading;
        let crosses = reading.word == 15;
        self.carried.re = moves;
        self.carried.raddr = reading.vq;
        self.carried.we = moves & self.reading_valid & reading.enters & crosses;
        self.carried.waddr = reading.vq;
        self.carried.wdata = cast::<32>(reading.length);
        let all_words = !Bits::<WORDS>::default();
        let up_to = all_words >> (15 - reading.to);
        let words = up_to & (all_words << reading.from);
        for i in 0..WORDS {
            self.lines[i].re = moves;
            self.lines[i].raddr = reading.vq;
        }
        if moves {
            self.leaving = reading;
            self.leaving_at = self.reading_at;
            self.leaving_words = words;
        }

        comment!("an entry goes into its line; its length may belong to the next one");
        let entering = self.entering;
        let next_word = entering.word + 1;
        for i in 0..WORDS {
            let is_id = entering.word == i;
            let is_length = (i > 0) & (next_word == i);
            self.lines[i].we = moves & self.entering_valid & entering.enters & (is_id | is_length);
            self.lines[i].waddr = entering.vq;
            self.lines[i].wdata = if is_id { cast::<32>(entering.head) } else { cast::<32>(entering.length) };
        }
        self.reading_valid = if moves { self.entering_valid } else { self.reading_valid };
        if moves {
            self.reading = entering;
            self.reading_at = entering.ring + (cast::<64>(entering.offset) << 2);
        }

        comment!("where the next entry of the queue is, and what it completes");
        let is_enter = self.task == UsedTask::Enter;
        let is_rest = self.task == UsedTask::Rest;
        let is_flush = self.task == UsedTask::Flush;
        let is_reset = self.task == UsedTask::Reset;
        let is_stopped = (self.stopped & here).any();
        let one_entry: Bits<9> = 1;
        let size = one_entry << ring.size_log2;
        let place = cast::<9>(filling.next) & (size - 1);
        let at_end = place == size - 1;
        let before = ring.address.get_bits::<4>(2) + (cast::<4>(place) << 1);
        let word = before + 1;
        let apart = word == 15;
        let closes = at_end | (word >= 14);
        let splits = at_end & apart;
        let partial = self.item.partial;
        let accepts = is_enter & !is_stopped & !self.item.void & !(self.dead & here).any();
        let flushes = is_flush & !is_stopped & (self.timer.waiting & here).any();
        let acts = moves & (accepts | flushes | is_rest);
        let from = if is_rest {
            0
        } else if filling.open {
            filling.from
        } else {
            word
        };
        let writes_line = (accepts & closes) | (flushes & filling.open) | is_rest;
        comment!("an entry whose length is in the next line is told of with that");
        let writes_index = (accepts & closes & !apart & !partial) | flushes | (is_rest & !partial);
        let next = filling.next + 1;
        self.entering_valid = if moves { accepts | flushes | is_rest } else { self.entering_valid };
        if moves {
            self.entering = UsedStep::<VQ_BITS> {
                vq: self.vq,
                enters: accepts,
                word,
                head: self.item.head,
                length: self.item.length,
                carried: filling.carried,
                writes_line,
                from,
                to: if is_rest {
                    0
                } else if is_flush {
                    before
                } else if apart {
                    15
                } else {
                    word + 1
                },
                offset: if is_rest { cast::<11>(size) << 1 } else { (cast::<11>(place) << 1) + cast::<11>(is_enter) },
                writes_index,
                index: if is_enter { next } else { filling.whole },
                ring: ring.address,
                function: ring.function,
            };
        }
        let rests = self.check.rests
            & self.owners.empty
            & !(self.entering_valid | self.reading_valid | self.line_due | self.index_due);
        self.reset_done = is_reset & rests;
        self.fillings.we = acts | self.reset_done;
        self.fillings.waddr = self.vq;
        self.fillings.wdata = if is_reset {
            Filling::default()
        } else if is_enter {
            Filling {
                next,
                whole: if partial { filling.whole } else { next },
                open: !closes | apart,
                from: if closes { 0 } else { from },
                carried: if closes { apart } else { filling.carried },
            }
        } else {
            Filling { open: false, carried: false, ..filling }
        };

        comment!("what is next");
        let goes_on = accepts & splits;
        let ends = moves & ((is_enter & !goes_on) | is_rest | is_flush);
        let free = (self.task == UsedTask::Idle) | ends | self.reset_done;
        let mut waiting: Bits<SOURCES> = 0;
        waiting.set_bit(SENT, self.sent_items.out.valid);
        waiting.set_bit(RECEIVED, self.received_items.out.valid);
        waiting.set_bit(WAITING, self.timer.flush.valid);
        self.turn.request = waiting;
        self.turn.take = free & waiting.any();
        let takes_sent = self.turn.grant.get_bit(SENT);
        let takes_received = self.turn.grant.get_bit(RECEIVED);
        let takes_flush = self.turn.grant.get_bit(WAITING);
        self.sent_items.out.ready = free & takes_sent;
        self.received_items.out.ready = free & takes_received;
        let item = if takes_sent { self.sent_items.out.data } else { self.received_items.out.data };
        let mut flush_vq: Bits<VQ_BITS> = 0;
        for i in 0..VQS {
            if self.timer.flush.data.get_bit(i) {
                flush_vq |= i;
            }
        }
        if self.turn.take {
            self.item = item;
            self.vq = if takes_flush { flush_vq } else { concat::<VQ_BITS>(item.pair, takes_sent) };
        }
        let mut task = self.task;
        if free {
            task = UsedTask::Idle;
            if waiting.any() {
                task = if takes_flush {
                    UsedTask::Flush
                } else if item.reset {
                    UsedTask::Reset
                } else {
                    UsedTask::Enter
                };
            }
        } else if moves & is_enter & goes_on {
            task = UsedTask::Rest;
        }
        self.task = task;

        comment!("whose line waits for too long");
        let entered = if moves & accepts & !partial & !writes_index { here } else { 0 };
        let told = if (acts & writes_index) | is_reset { here } else { 0 };
        let loses = if moves & is_enter & self.item.void { here } else { 0 };
        let revived = if is_reset { here } else { 0 };
        let stopped_here = if is_flush & is_stopped { here } else { 0 };
        self.dead = (self.dead | loses) & !revived;
        self.timer.entered = entered;
        self.timer.left = told | stopped_here;
        self.timer.busy = is_enter;
        self.timer.flush.ready = free & takes_flush;

        comment!("answers to writes: what is visible is asked for, what failed is a fault");
        let owner = self.owners.out.data;
        let failed = self.written.data.any();
        let write_fails = self.written.valid & failed & !self.check.fault.valid;
        self.fault.valid = write_fails | self.check.fault.valid;
        self.fault.data = if self.check.fault.valid {
            self.check.fault.data
        } else {
            Fault { vq: owner.vq, reason: self.written.data }
        };
        self.check.fault.ready = self.fault.ready;
        self.written.ready = !failed | (!self.check.fault.valid & self.fault.ready);
        self.owners.out.ready = self.written.valid & self.written.ready;
        self.check.published = self.written.valid & !failed & owner.is_index;
        self.check.published_vq = owner.vq;
        self.check.published_index = owner.index;
        self.check.open = self.open;
        self.check.open_vq = self.open_vq;
        self.check.opened = self.opened;
        self.check.stopped = self.stopped;
        self.check.pause = is_reset;
        self.check.pause_vq = self.vq;
        link(self.read, self.check.read);
        link(self.answer, self.check.answer);
        link(self.interrupt, self.check.interrupt);
        let on_its_way = self.entering_valid | self.reading_valid | self.line_due | self.index_due;
        let at_work = (self.task != UsedTask::Idle) | on_its_way | self.timer.waiting.any() | self.timer.flush.valid;
        let held = !self.out.empty | !self.sent_items.empty | !self.received_items.empty;
        let comes_in = self.sent.valid | self.received.valid | self.written.valid | self.open;
        self.idle = self.check.idle & !(at_work | held | comes_in);
    }
}

#[cfg(test)]
#[path = "used_writer_tests.rs"]
mod tests;
