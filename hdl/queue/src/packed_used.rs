// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the used descriptors of packed virtqueues.

use crate::line_timer::LineTimer;
use crate::packed_check::{PackedCheck, UsedPlace};
use crate::types::{BEAT_BITS, Fault, QueueConfig, RingAnswer, RingRead, RingWrite, Used};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Descriptors in a line, which is a beat of memory.
const LANES: usize = BEAT_BITS / 128;
/// Who may be next: a transmitq's chain, a receiveq's, a queue whose line waits too long.
const SENT: usize = 0;
const RECEIVED: usize = 1;
const WAITING: usize = 2;
const SOURCES: usize = 3;

/// What is done with the queue in `vq`.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PackedTask {
    Idle,
    Enter,
    /// The line that was kept back for the rest of a frame is written.
    Rest,
    Flush,
    Reset,
}

wire_struct! {
    /// A ring to which used descriptors are written.
    pub struct UsedDescriptors {
        pub address: Bits<64>,
        pub size: Bits<9>,
        pub function: Bits<8>,
        pub in_order: Bit,
    }
}

wire_struct! {
    /// How far a ring is, and the line that waits.
    pub struct PackedFilling {
        pub next: UsedPlace,
        /// Descriptors of the line that are not written: none if no line waits. Its number; as `odd` of its places.
        pub mask: Bits<LANES>,
        pub line: Bits<7>,
        pub odd: Bit,
        /// It waits for the rest of a frame.
        pub partial: Bit,
        /// Of each descriptor `id` and, above it, `len`.
        pub words: Bits<128>,
    }
}

wire_struct! {
    /// A line, or a part of it, on its way out.
    pub struct PackedWrite<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        pub mask: Bits<LANES>,
        pub words: Bits<128>,
        pub odd: Bit,
        /// Of the line.
        pub address: Bits<64>,
        pub function: Bits<8>,
        pub owner: PackedOwner<VQ_BITS>,
    }
}

wire_struct! {
    /// Of a write that is under way: whether the driver may look for used descriptors up to a place when it is visible.
    pub struct PackedOwner<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        pub publishes: Bit,
        pub place: UsedPlace,
    }
}

/// Puts the chains of `sent` (transmitqs) and `received` (receiveqs) on the rings of their packed queues, `VQS` in all. A chain in a clock, up to 256 writes are under way.
///
/// Each queue collects its used descriptors in a line of memory, which is written when the next place is in another one, and after 256 clocks at most, or some 32
/// when nothing else comes. Of a frame that goes on in other lines those are written before the one in which it begins. With IN_ORDER chains of a transmitq that share a line share a descriptor.
/// When a write is visible the driver's event suppression is read ([`PackedCheck`]). Of a queue that has stopped nothing is written.
#[millrace_hdl::block]
pub struct PackedUsed<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The packed queue of `open_vq` is enabled.
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

    rings: LutRam<UsedDescriptors, VQ_BITS>,
    fillings: LutRam<PackedFilling, VQ_BITS>,
    sent_items: LutFifo<Used<PAIR_BITS>, 2, 3>,
    received_items: LutFifo<Used<PAIR_BITS>, 2, 3>,
    turn: RoundRobin<SOURCES>,
    task: DffR<PackedTask>,
    vq: DffE<Bits<VQ_BITS>>,
    item: DffE<Used<PAIR_BITS>>,
    leaving: DffE<PackedWrite<VQ_BITS>>,
    leaving_valid: DffR<Bit>,
    out: Skid<RingWrite>,
    owners: LutFifo<PackedOwner<VQ_BITS>, 8, 9>,
    /// Of a queue that lost a chain nothing is entered any more.
    dead: Reg<Bits<VQS>>,
    timer: LineTimer<VQS>,
    check: PackedCheck<VQS, VQ_BITS>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> PackedUsed<PAIR_BITS, VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        let here = one << self.vq;
        self.rings.we = self.open;
        self.rings.waddr = self.open_vq;
        self.rings.wdata = UsedDescriptors {
            address: self.opened.desc,
            size: self.opened.size,
            function: self.opened.function,
            in_order: self.opened.features.in_order,
        };
        self.rings.raddr = self.vq;
        self.fillings.raddr = self.vq;
        let ring = self.rings.rdata;
        let filling = self.fillings.rdata;
        link(self.sent, self.sent_items.inp);
        link(self.received, self.received_items.inp);

        comment!("a line leaves");
        let leaving = self.leaving;
        let mut data: Bits<BEAT_BITS> = 0;
        let mut strobe: Bits<64> = 0;
        let wrap = !leaving.odd;
        let no_flags: Bits<7> = 0;
        let no_more: Bits<5> = 0;
        let no_next: Bit = false;
        for i in 0..LANES {
            let word = leaving.words.get_bits::<32>(32 * i);
            let length = cast::<32>(word.get_bits::<16>(16));
            let flags = concat::<16>(wrap, no_flags, wrap, no_more, length.any(), no_next);
            let descriptor = concat::<64>(flags, word.get_bits::<16>(0), length);
            data |= cast::<BEAT_BITS>(descriptor) << (128 * i + 64);
            for byte in 0..8 {
                strobe.set_bit(16 * i + 8 + byte, leaving.mask.get_bit(i));
            }
        }
        let may_leave = self.out.inp.ready & self.owners.inp.ready;
        let leaves = self.leaving_valid & may_leave;
        let moves = !self.leaving_valid | may_leave;
        self.out.inp.valid = leaves;
        self.out.inp.data = RingWrite { address: leaving.address, function: leaving.function, data, strobe };
        link(self.write, self.out.out);
        self.owners.inp.valid = leaves;
        self.owners.inp.data = leaving.owner;

        comment!("where the next used descriptor of the queue is");
        let is_enter = self.task == PackedTask::Enter;
        let is_rest = self.task == PackedTask::Rest;
        let is_flush = self.task == PackedTask::Flush;
        let is_reset = self.task == PackedTask::Reset;
        let is_stopped = (self.stopped & here).any();
        let item = self.item;
        let next = filling.next;
        let begin = cast::<9>(ring.address.get_bits::<2>(4));
        let place = begin + cast::<9>(next.index);
        let line = place.get_bits::<7>(2);
        let one_lane: Bits<LANES> = 1;
        let lane = one_lane << place.get_bits::<2>(0);
        let sum = cast::<10>(next.index) + cast::<10>(item.skip);
        let over = sum >= cast::<10>(ring.size);
        let index = if over { sum - cast::<10>(ring.size) } else { sum };
        let then: UsedPlace = UsedPlace { index: index.get_bits::<8>(0), odd: next.odd ^ over };
        let then_line = (begin + cast::<9>(then.index)).get_bits::<7>(2);
        let goes_on = over | (then_line != line);
        let held = filling.mask.any();
        let same = !held | ((filling.line == line) & (filling.odd == next.odd));
        let accepts = is_enter & !is_stopped & !item.void & !(self.dead & here).any();
        let joins = held & ring.in_order & self.vq.get_bit(0);
        let closes = same & goes_on & !item.partial;
        let flushes = is_flush & !is_stopped & !filling.partial & (self.timer.waiting & here).any();

        comment!("the line with it");
        let word = concat::<32>(item.length, item.head);
        let ones: Bits<128> = 0xffff_ffff;
        let mut entered = filling.words;
        for i in 0..LANES {
            if joins | lane.get_bit(i) {
                entered = (entered & !(ones << (32 * i))) | (cast::<128>(word) << (32 * i));
            }
        }
        let mask = if !held {
            lane
        } else if joins {
            filling.mask
        } else {
            filling.mask | lane
        };
        let alone = accepts & !same;
        let writes_line = (accepts & (closes | alone)) | flushes | is_rest;
        let keeps_words = !alone & is_enter;
        let acted = moves & !self.open;
        self.leaving_valid = if moves { writes_line & !self.open } else { self.leaving_valid };
        let line_number = if is_enter { line } else { filling.line };
        let line_bytes: Bits<6> = 0;
        let beats = ring.address.get_bits::<58>(6) + cast::<58>(line_number);
        let place_now = if is_enter { then } else { next };
        if moves {
            self.leaving = PackedWrite::<VQ_BITS> {
                vq: self.vq,
                mask: if alone {
                    lane
                } else if keeps_words {
                    mask
                } else {
                    filling.mask
                },
                words: if is_enter { entered } else { filling.words },
                odd: if is_enter { next.odd } else { filling.odd },
                address: concat::<64>(beats, line_bytes),
                function: ring.function,
                owner: PackedOwner::<VQ_BITS> { vq: self.vq, publishes: !alone, place: place_now },
            };
        }
        let rests = self.check.rests & self.owners.empty & !self.leaving_valid;
        let acts = acted & (accepts | flushes | is_rest);
        self.reset_done = is_reset & rests;
        let none: PackedFilling = PackedFilling::default();
        let kept: Bits<LANES> = if closes { 0 } else { mask };
        self.fillings.we = acts | self.open;
        self.fillings.waddr = if self.open { self.open_vq } else { self.vq };
        self.fillings.wdata = if self.open {
            none
        } else if alone {
            PackedFilling { next: then, ..filling }
        } else if is_enter {
            PackedFilling { next: then, mask: kept, line, odd: next.odd, partial: item.partial, words: entered }
        } else {
            PackedFilling { mask: 0, partial: false, ..filling }
        };

        comment!("what is next");
        let has_rest = alone & !item.partial;
        let ends = acted & ((is_enter & !has_rest) | is_rest | is_flush);
        let free = (self.task == PackedTask::Idle) | ends | self.reset_done;
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
        self.timer.flush.ready = free & takes_flush;
        let taken = if takes_sent { self.sent_items.out.data } else { self.received_items.out.data };
        let mut flush_vq: Bits<VQ_BITS> = 0;
        for i in 0..VQS {
            if self.timer.flush.data.get_bit(i) {
                flush_vq |= i;
            }
        }
        if self.turn.take {
            self.item = taken;
            self.vq = if takes_flush { flush_vq } else { concat::<VQ_BITS>(taken.pair, takes_sent) };
        }
        let mut task = self.task;
        if free {
            task = PackedTask::Idle;
            if waiting.any() {
                task = if takes_flush {
                    PackedTask::Flush
                } else if taken.reset {
                    PackedTask::Reset
                } else {
                    PackedTask::Enter
                };
            }
        } else if acted & is_enter & has_rest {
            task = PackedTask::Rest;
        }
        self.task = task;

        comment!("whose line waits");
        let waits = acted & accepts & same & !closes & !item.partial;
        let wrote = acted & ((accepts & closes) | flushes | is_rest);
        let loses = acted & is_enter & item.void;
        self.timer.entered = if waits { here } else { 0 };
        self.timer.left = if wrote | is_reset | (is_flush & is_stopped) { here } else { 0 };
        self.timer.busy = is_enter;
        let lost = if loses { here } else { 0 };
        let revived = if is_reset { here } else { 0 };
        self.dead = (self.dead | lost) & !revived;

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
        let taken_back = if failed { !self.check.fault.valid & self.fault.ready } else { !self.open };
        self.written.ready = taken_back;
        self.owners.out.ready = self.written.valid & taken_back;
        self.check.published = self.written.valid & taken_back & !failed & owner.publishes;
        self.check.published_vq = owner.vq;
        self.check.published_place = owner.place;
        self.check.open = self.open;
        self.check.open_vq = self.open_vq;
        self.check.opened = self.opened;
        self.check.stopped = self.stopped;
        self.check.pause = is_reset;
        self.check.pause_vq = self.vq;
        link(self.read, self.check.read);
        link(self.answer, self.check.answer);
        link(self.interrupt, self.check.interrupt);
        let waits_for_line = self.timer.waiting.any() | self.timer.flush.valid;
        let at_work = (self.task != PackedTask::Idle) | self.leaving_valid | waits_for_line;
        let held_back = !self.out.empty | !self.sent_items.empty | !self.received_items.empty;
        let comes_in = self.sent.valid | self.received.valid | self.written.valid | self.open;
        self.idle = self.check.idle & !(at_work | held_back | comes_in);
    }
}

#[cfg(test)]
#[path = "packed_used_tests.rs"]
mod tests;
