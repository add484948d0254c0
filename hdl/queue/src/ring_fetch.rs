// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the available rings.

use crate::types::{BEAT_BITS, Fault, Head, QueueConfig, RingAnswer, RingRead, RingWrite, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Entries that there is to be room for before more are read. As many as lie in a beat are read at once.
pub const BATCH: usize = 16;

/// Reads and writes under way at most, log2; and in the tag of a read: entries are read, not `avail.idx`.
const UNDER_WAY: usize = 5;
const ENTRIES: u64 = 0x80;

/// What is read, or that `avail_event` is written.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum AskKind {
    Index,
    Entries,
    Event,
}

/// A read or write: of which queue, where, how many entries; it waits to be taken.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum AskState {
    Idle,
    Choose,
    Place,
    Count,
    Ask,
}

/// An answer: whether it counts, where in the beat it begins, what it says.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum AnswerState {
    Idle,
    Look,
    Align,
    Index,
    Entries,
    Fault,
    Reset,
}

wire_struct! {
    /// An available ring, and the used ring behind which `avail_event` lies.
    pub struct Ring {
        pub address: Bits<64>,
        pub used: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// What answers are judged by: where in its beat `avail.idx` is, and the ring's size.
    pub struct Limits {
        pub lane: Bits<5>,
        pub size_log2: Bits<4>,
    }
}

wire_struct! {
    /// Entries that are being read: where in their beat they begin, and how many they are.
    pub struct Entries {
        pub lane: Bits<5>,
        pub count: Bits<6>,
    }
}

wire_struct! {
    /// What came of a read, or (`is_event`) of a write.
    pub struct Reply {
        pub tag: Bits<8>,
        pub is_event: Bit,
        pub data: Bits<BEAT_BITS>,
        pub error: Bits<8>,
    }
}

/// The available rings of one side, the receiveqs or the transmitqs, of `PAIRS` pairs.
///
/// A queue that is live and was notified has its `avail.idx` read; meanwhile the new entries that are known of are read, up to 32 with a read, which become `heads`. Each queue has one read of
/// each kind under way at most, all together 32. An entry in a clock.
///
/// With EVENT_IDX `avail.idx` is read once more when all entries that are known of have been asked for. When it says nothing new it is written to `avail_event`, and read again when that is visible: then the queue is at rest until
/// it is notified.
///
/// Of a queue that faults nothing more is read, and no head comes, before its reset.
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
    /// Bit p: pair p turns out to be packed, and what it was notified of is not for here.
    pub forget: Signal<In, Bits<PAIRS>>,
    /// Bit p: [`BATCH`] entries of pair p or more have room behind `heads`; and how many of `granted_pair` have. Both count what was `granted` before.
    pub room: Signal<In, Bits<PAIRS>>,
    pub free: Signal<In, Bits<7>>,
    /// So many entries of `granted_pair` are being read.
    pub granted: Signal<Out, Bit>,
    pub granted_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub granted_count: Signal<Out, Bits<6>>,
    /// Tagged with the pair, and with what is read.
    pub read: Src<RingRead>,
    /// Always ready: what is behind `heads` may itself wait for answers on the same way.
    pub answer: Snk<RingAnswer>,
    pub write: Src<RingWrite>,
    pub written: Snk<Bits<8>>,
    /// Of this pair nothing is kept, and nothing is under way behind the `Head` that says so.
    pub reset_pair: Snk<Bits<PAIR_BITS>>,
    pub heads: Src<Head<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Bit p: pair p has entries that were not asked for, or may have some.
    pub backlog: Signal<Out, Bits<PAIRS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    rings: LutRam<Ring, PAIR_BITS>,
    limits: LutRam<Limits, PAIR_BITS>,
    /// The next entry to read, as it counts in `avail.idx`, for questions and for answers; `avail.idx` as it was read last; what is being read.
    upcoming: LutRam<Bits<16>, PAIR_BITS>,
    upcoming_answer: LutRam<Bits<16>, PAIR_BITS>,
    seen: LutRam<Bits<16>, PAIR_BITS>,
    entries: LutRam<Entries, PAIR_BITS>,
    /// Per pair: notified since `avail.idx` was asked for last; entries are known that were not read; reads are under way; it has faulted.
    notified: Reg<Bits<PAIRS>>,
    more: Reg<Bits<PAIRS>>,
    index_busy: Reg<Bits<PAIRS>>,
    entries_busy: Reg<Bits<PAIRS>>,
    dead: Reg<Bits<PAIRS>>,
    /// Per pair: EVENT_IDX is negotiated; `avail_event` is to be written, is being written, has been and nothing new came since.
    events: Reg<Bits<PAIRS>>,
    event_due: Reg<Bits<PAIRS>>,
    event_busy: Reg<Bits<PAIRS>>,
    armed: Reg<Bits<PAIRS>>,
    arbiter: RoundRobin<PAIRS>,
    /// Whose the writes are that are under way. Answers, and how many reads and writes have a place for theirs there.
    owners: LutFifo<Bits<PAIR_BITS>, UNDER_WAY, 6>,
    answers: LutFifo<Reply, UNDER_WAY, 6>,
    places: Reg<Bits<6>>,

    ask: DffR<AskState>,
    chosen: DffE<Bits<PAIRS>>,
    kind: DffE<AskKind>,
    pair: DffE<Bits<PAIR_BITS>>,
    address: DffE<Bits<64>>,
    /// Entries known; up to the end of the ring; that there is room for; to read.
    known: DffE<Bits<16>>,
    to_end: DffE<Bits<9>>,
    room_here: DffE<Bits<7>>,
    count: DffE<Bits<6>>,

    state: DffR<AnswerState>,
    answered: DffE<Bits<PAIR_BITS>>,
    has_entries: DffE<Bit>,
    is_event: DffE<Bit>,
    line: DffE<Bits<BEAT_BITS>>,
    lane: DffE<Bits<5>>,
    /// Entries of the answer that are left, and whether the next is the first.
    left: DffE<Bits<6>>,
    fresh: DffE<Bit>,
    /// Of the answer, or of what it says.
    error: DffE<Bits<8>>,
    /// The queue to reset; and nothing of it is under way.
    resetting: DffR<Bits<PAIRS>>,
    reset_free: DffR<Bit>,
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
        let there = one << self.answered;
        self.rings.we = self.open;
        self.rings.waddr = self.open_pair;
        self.rings.wdata = Ring {
            address: self.opened.driver,
            used: self.opened.device,
            size_log2: self.opened.size_log2,
            function: self.opened.function,
        };
        self.limits.we = self.open;
        self.limits.waddr = self.open_pair;
        self.limits.wdata = Limits { lane: self.opened.driver.get_bits::<5>(1) + 1, size_log2: self.opened.size_log2 };
        self.rings.raddr = self.pair;
        self.upcoming.raddr = self.pair;
        self.seen.raddr = self.pair;
        let ring = self.rings.rdata;
        let one_entry: Bits<9> = 1;
        let size = one_entry << ring.size_log2;

        comment!("whose turn it is: who has entries that are known, or may have some that are not");
        let asks_event = self.event_due & !self.event_busy;
        let asks_index = self.notified & !(self.index_busy | self.event_due | self.event_busy);
        let asks_entries = self.more & self.room & !self.entries_busy;
        let eligible = self.live & !self.dead & !self.resetting & (asks_index | asks_entries | asks_event);
        self.backlog = self.live & !self.dead & (self.more | self.notified | self.index_busy);
        let has_place = !self.places.get_bit(UNDER_WAY);
        self.arbiter.request = eligible;
        let chooses = (self.ask == AskState::Idle) & self.arbiter.any & has_place;
        self.arbiter.take = chooses;

        comment!("the place in the ring that the queue is at");
        let place = cast::<9>(self.upcoming.rdata) & (size - 1);
        let is_index = self.kind == AskKind::Index;
        let is_event = self.kind == AskKind::Event;
        let base = if is_event { ring.used } else { ring.address };
        let offset = if is_index {
            2
        } else if is_event {
            (cast::<64>(size) << 3) + 4
        } else {
            (cast::<64>(place) << 1) + 4
        };
        let in_beat = cast::<16>(32 - cast::<6>(self.address.get_bits::<5>(1)));
        let ring_has = lesser(self.known, cast::<16>(self.to_end));
        let most = lesser(ring_has, lesser(in_beat, cast::<16>(self.room_here)));
        let is_asked = self.ask == AskState::Ask;
        let next = self.upcoming.rdata + cast::<16>(self.count);
        let asks_nothing = is_asked & (self.kind == AskKind::Entries) & !self.count.any();
        self.read.valid = is_asked & !is_event & !asks_nothing;
        self.read.data = RingRead {
            address: self.address,
            function: ring.function,
            tag: if is_index { cast::<8>(self.pair) } else { cast::<8>(self.pair) | ENTRIES },
        };
        let mut all_lanes: Bits<BEAT_BITS> = 0;
        for i in 0..32 {
            all_lanes |= cast::<BEAT_BITS>(self.upcoming.rdata) << (16 * i);
        }
        let two_bytes: Bits<64> = 0b11;
        self.write.valid = is_asked & is_event;
        self.write.data = RingWrite {
            address: self.address,
            function: ring.function,
            data: all_lanes,
            strobe: two_bytes << (cast::<6>(self.address.get_bits::<5>(1)) << 1),
        };
        let asked_event = self.write.valid & self.write.ready;
        let asked_read = self.read.valid & self.read.ready;
        let asked = asked_read | asked_event;
        let asked_entries = asked_read & !is_index;
        let asked_index = asked_read & is_index;
        self.owners.inp.valid = asked_event;
        self.owners.inp.data = self.pair;
        self.granted = asked_entries;
        self.granted_pair = self.pair;
        self.granted_count = self.count;
        self.entries.we = asked_entries;
        self.entries.waddr = self.pair;
        self.entries.wdata = Entries { lane: self.address.get_bits::<5>(1), count: self.count };
        let has_more = next != self.seen.rdata;
        let mut ask = self.ask;
        match self.ask {
            AskState::Idle => {
                self.chosen = self.arbiter.grant;
                self.kind = if (self.arbiter.grant & asks_index).any() {
                    AskKind::Index
                } else if (self.arbiter.grant & asks_event).any() {
                    AskKind::Event
                } else {
                    AskKind::Entries
                };
                if chooses {
                    ask = AskState::Choose;
                }
            }
            AskState::Choose => {
                let mut number: Bits<PAIR_BITS> = 0;
                for i in 0..PAIRS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.pair = number;
                ask = AskState::Place;
            }
            AskState::Place => {
                self.address = base + offset;
                self.known = self.seen.rdata - self.upcoming.rdata;
                self.to_end = size - place;
                self.room_here = self.free;
                ask = AskState::Count;
            }
            AskState::Count => {
                self.count = cast::<6>(most);
                ask = AskState::Ask;
            }
            AskState::Ask => {
                if asked | asks_nothing {
                    ask = AskState::Idle;
                }
            }
        }
        self.ask = ask;

        comment!("an answer, or a reset when there is none of its queue");
        self.answer.ready = self.answers.inp.ready;
        self.written.ready = self.answers.inp.ready & !self.answer.valid;
        self.answers.inp.valid = self.answer.valid | self.written.valid;
        self.answers.inp.data = if self.answer.valid {
            Reply {
                tag: self.answer.data.tag,
                is_event: false,
                data: self.answer.data.data,
                error: self.answer.data.error,
            }
        } else {
            Reply { tag: cast::<8>(self.owners.out.data), is_event: true, data: 0, error: self.written.data }
        };
        self.owners.out.ready = self.written.valid & self.written.ready;
        self.limits.raddr = self.answered;
        self.upcoming_answer.raddr = self.answered;
        self.entries.raddr = self.answered;
        let limits = self.limits.rdata;
        let size_there = one_entry << limits.size_log2;
        let seen = self.line.get_bits::<16>(0);
        let ahead = seen - self.upcoming_answer.rdata;
        let is_sound = cast::<16>(size_there) > seen;
        let is_dead = (self.dead & there).any();
        let is_entry = (self.state == AnswerState::Entries) & is_sound;
        let can_reset = (self.state == AnswerState::Reset) & !is_asked;
        self.heads.valid = is_entry | can_reset;
        self.heads.data = Head {
            pair: self.answered,
            index: self.line.get_bits::<8>(0),
            fresh: self.fresh,
            reset: self.state == AnswerState::Reset,
        };
        let heard = is_entry & self.heads.ready;
        let resets = can_reset & self.heads.ready;
        self.reset_pair.ready = resets;
        self.fault.valid = self.state == AnswerState::Fault;
        self.fault.data = Fault { vq: self.answered, reason: self.error };
        self.answers.out.ready = (self.state == AnswerState::Idle) & !self.reset_free;
        let takes = self.answers.out.ready & self.answers.out.valid;
        let mut state = self.state;
        let mut settled = false;
        let mut visible = false;
        let mut learns = false;
        let mut faults = false;
        match self.state {
            AnswerState::Idle => {
                let answer = self.answers.out.data;
                self.answered =
                    if self.reset_free { self.reset_pair.data } else { cast::<PAIR_BITS>(answer.tag.get_bits::<7>(0)) };
                self.has_entries = answer.tag.get_bit(7);
                self.is_event = answer.is_event;
                self.line = answer.data;
                self.error = answer.error;
                if self.reset_free {
                    state = AnswerState::Reset;
                } else if takes {
                    state = AnswerState::Look;
                }
            }
            AnswerState::Look => {
                self.lane = if self.has_entries { self.entries.rdata.lane } else { limits.lane };
                self.left = self.entries.rdata.count;
                self.fresh = true;
                visible = self.is_event & !is_dead & !self.error.any();
                settled = is_dead | visible;
                state = if settled {
                    AnswerState::Idle
                } else if self.error.any() {
                    AnswerState::Fault
                } else {
                    AnswerState::Align
                };
            }
            AnswerState::Align => {
                self.line = self.line >> (cast::<9>(self.lane) << 4);
                state = if self.has_entries { AnswerState::Entries } else { AnswerState::Index };
            }
            AnswerState::Index => {
                self.error = reason::AVAIL_INDEX;
                let is_far = ahead > cast::<16>(size_there);
                settled = !is_far;
                learns = !is_far;
                state = if is_far { AnswerState::Fault } else { AnswerState::Idle };
            }
            AnswerState::Entries => {
                self.error = reason::HEAD;
                if heard {
                    self.line = self.line >> 16_u64;
                    self.left -= 1;
                    self.fresh = false;
                }
                if !is_sound {
                    state = AnswerState::Fault;
                } else if heard & (self.left == 1) {
                    settled = true;
                    state = AnswerState::Idle;
                }
            }
            AnswerState::Fault => {
                if self.fault.ready {
                    settled = true;
                    faults = true;
                    state = AnswerState::Idle;
                }
            }
            AnswerState::Reset => {
                if resets {
                    state = AnswerState::Idle;
                }
            }
        }
        self.state = state;

        comment!("what is known of each queue");
        self.upcoming.we = asked_entries | resets;
        self.upcoming.waddr = if resets { self.answered } else { self.pair };
        self.upcoming.wdata = if resets { 0 } else { next };
        self.upcoming_answer.we = asked_entries | resets;
        self.upcoming_answer.waddr = if resets { self.answered } else { self.pair };
        self.upcoming_answer.wdata = if resets { 0 } else { next };
        self.seen.we = learns | resets;
        self.seen.waddr = self.answered;
        self.seen.wdata = if resets { 0 } else { seen };
        let told = if self.notify { one << self.notify_pair } else { 0 };
        let asked_index_now = if asked_index { here } else { 0 };
        let asked_entries_now = if asked_entries { here } else { 0 };
        let has_all = if (asked_entries | asks_nothing) & !has_more { here } else { 0 };
        let learnt = if learns & ahead.any() { there } else { 0 };
        let done = if settled { there } else { 0 };
        let gone = if faults | resets { there } else { 0 };
        let asked_event_now = if asked_event { here } else { 0 };
        let has_events = (self.events & there).any();
        let is_armed = (self.armed & there).any();
        let rests = if learns & has_events & !is_armed & !ahead.any() { there } else { 0 };
        let arms = if visible { there } else { 0 };
        let kept = (self.notified & !asked_index_now & !gone) | told | arms | (has_all & self.events);
        self.notified = kept & !self.forget;
        self.event_due = ((self.event_due & !asked_event_now) | rests) & !gone;
        self.armed = ((self.armed & !learnt) | arms) & !gone;
        let opens = if self.open { one << self.open_pair } else { 0 };
        let with_events = if self.opened.features.event_idx { opens } else { 0 };
        self.events = (self.events & !opens) | with_events;
        self.more = ((self.more & !has_all) | learnt) & !gone;
        let done_event = if self.is_event { done } else { 0 };
        let done_index = if self.has_entries | self.is_event { 0 } else { done };
        let done_entries = if self.has_entries { done } else { 0 };
        self.index_busy = (self.index_busy & !done_index) | asked_index_now;
        self.entries_busy = (self.entries_busy & !done_entries) | asked_entries_now;
        self.event_busy = (self.event_busy & !done_event) | asked_event_now;
        let died = if faults { there } else { 0 };
        let revived = if resets { there } else { 0 };
        self.dead = (self.dead | died) & !revived;
        if asked ^ takes {
            self.places = if asked { self.places + 1 } else { self.places - 1 };
        }
        self.resetting = if self.reset_pair.valid & !resets { one << self.reset_pair.data } else { 0 };
        let busy = self.index_busy | self.entries_busy | self.event_busy;
        let waits = (busy & self.resetting).any() | (self.ask != AskState::Idle);
        self.reset_free = self.resetting.any() & !waits & !resets;
        let at_work = (self.ask != AskState::Idle) | (self.state != AnswerState::Idle) | self.answers.out.valid;
        let begins = (self.arbiter.any & has_place) | self.resetting.any() | self.reset_free;
        let told_of = self.notify | self.open | self.forget.any();
        let comes_in = self.answer.valid | self.written.valid | self.reset_pair.valid | told_of;
        self.idle = !(at_work | begins | comes_in);
    }
}

#[cfg(test)]
#[path = "ring_fetch_tests.rs"]
mod tests;
