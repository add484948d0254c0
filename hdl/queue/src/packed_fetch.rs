// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the rings of packed virtqueues.

use crate::chain_check::Step;
use crate::descriptor::{Descriptor, Line, in_lane};
use crate::types::{BEAT_BITS, Fault, QueueConfig, RingAnswer, RingRead, RingWrite, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// Lines that are kept, log2, and the tag of a read that goes on with a chain; lower ones are those of the lines.
const LINES_LOG2: usize = 6;
const FURTHER: u64 = 1 << LINES_LOG2;
/// log2 of the most lines that are read at once.
const MOST_LOG2: u64 = 4;
/// `RING_EVENT_FLAGS_DESC` (virtio 2.8.14).
const EVENT_DESC: u64 = 2;

/// A queue is chosen, its place looked up, its lines are counted and asked for; or what it waits for is written.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PackedAsk {
    Idle,
    Choose,
    Place,
    Count,
    Ask,
    Event,
}

/// What is done with the lines in their order.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum PackedWalk {
    Idle,
    /// A descriptor in each clock.
    Walk,
    /// The chain goes on in the next line, which is read anew: what was read of it may be older than the chain. To be skipped, asked for, on its way.
    Skip,
    Further,
    Wait,
    /// The next line; lines behind the last descriptor that is available.
    Next,
    Discard,
    Settle,
    Reset,
}

wire_struct! {
    /// A ring of packed descriptors.
    pub struct PackedRing {
        pub address: Bits<64>,
        pub size: Bits<9>,
        pub function: Bits<8>,
        /// Where the device's event suppression is, if it is written.
        pub event: Bits<64>,
        pub has_event: Bit,
        /// A descriptor may stand for a table.
        pub has_tables: Bit,
    }
}

wire_struct! {
    /// A place in a ring, and whether the ring has been gone through an odd number of times (the wrap counter's complement).
    pub struct PackedPlace {
        pub index: Bits<8>,
        pub odd: Bit,
        /// log2 of the lines that are to be read at once.
        pub burst: Bits<3>,
    }
}

wire_struct! {
    /// A line that was asked for.
    pub struct PackedLine<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        /// Its number, modulo twice as many as are kept.
        pub number: Bits<7>,
        /// Nothing behind it was asked for.
        pub last: Bit,
    }
}

/// The packed virtqueues of one side of `PAIRS` pairs, the receiveqs (`RECEIVE` = 1) or the transmitqs: descriptors of available chains come out as `steps`, chain by chain.
///
/// A queue that is live and was notified has lines of its ring read, one at first, and twice as many each time that all of their descriptors are available. Each queue has one batch under way, all together 64
/// lines. A descriptor in a clock, and a clock for each line; a chain that goes on in the next line waits for that to be read anew. Of a queue that has
/// stopped, or is to be reset, nothing more is read; a chain of it ends with its next descriptor. With EVENT_IDX a queue that finds nothing says so in its `event` and looks once more.
#[millrace_hdl::block]
pub struct PackedFetch<const PAIRS: usize, const PAIR_BITS: usize, const RECEIVE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The packed queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub live: Signal<In, Bits<PAIRS>>,
    pub stopped: Signal<In, Bits<PAIRS>>,
    pub notify: Signal<In, Bit>,
    pub notify_pair: Signal<In, Bits<PAIR_BITS>>,
    /// Bit p: pair p turns out to be split, and what it was notified of is not for here.
    pub forget: Signal<In, Bits<PAIRS>>,
    /// Bit p: there is room for many chains of pair p; and for how many of `granted_pair`. Both count what was `granted` before.
    pub room: Signal<In, Bits<PAIRS>>,
    pub free: Signal<In, Bits<7>>,
    /// A chain of `granted_pair` begins, if `may_grant`.
    pub granted: Signal<Out, Bit>,
    pub granted_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub may_grant: Signal<In, Bit>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    /// Event suppression, and the answer: 0, or the reason of a fault.
    pub event: Src<RingWrite>,
    pub event_written: Snk<Bits<8>>,
    /// Of this pair nothing is kept, and nothing is under way behind the `Step` that says so.
    pub reset_pair: Snk<Bits<PAIR_BITS>>,
    pub steps: Src<Step<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Bit p: pair p has lines that were not looked at.
    pub backlog: Signal<Out, Bits<PAIRS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    /// Of each queue, for questions and for answers: the ring, the next place.
    rings: LutRam<PackedRing, PAIR_BITS>,
    rings_walked: LutRam<PackedRing, PAIR_BITS>,
    places: LutRam<PackedPlace, PAIR_BITS>,
    places_walked: LutRam<PackedPlace, PAIR_BITS>,
    /// Per pair: notified, or not all was looked at; lines are under way; the event is to be written, has been for this place; it has faulted.
    due: Reg<Bits<PAIRS>>,
    busy: Reg<Bits<PAIRS>>,
    unsaid: Reg<Bits<PAIRS>>,
    said: Reg<Bits<PAIRS>>,
    dead: Reg<Bits<PAIRS>>,
    arbiter: RoundRobin<PAIRS>,

    ask: DffR<PackedAsk>,
    chosen: DffE<Bits<PAIRS>>,
    pair: DffE<Bits<PAIR_BITS>>,
    is_event: DffE<Bit>,
    address: DffE<Bits<64>>,
    /// Lines up to the end of the ring; lines to ask for.
    to_end: DffE<Bits<7>>,
    left: DffE<Bits<5>>,
    event_waits: DffR<Bit>,
    pending: LutFifo<PackedLine<PAIR_BITS>, LINES_LOG2, 7>,
    /// Lines that were asked for; the oldest one that is needed.
    asked: Reg<Bits<7>>,
    oldest: Reg<Bits<7>>,
    lines: LutRam<Line, LINES_LOG2>,
    arrived: DffR<Bits<64>>,

    walk: DffR<PackedWalk>,
    walked: DffE<Bits<PAIR_BITS>>,
    place: DffE<PackedPlace>,
    line: DffE<Line>,
    line_is_last: DffE<Bit>,
    further_arrived: DffR<Bit>,
    /// The next descriptor is a chain's first; descriptors of the chain before it.
    first: DffE<Bit>,
    count: DffE<Bits<9>>,
    /// All lines of the batch were available; some descriptor was.
    full: DffE<Bit>,
    moved: DffE<Bit>,
    /// The queue is to be looked at again, when there is room.
    cut: DffE<Bit>,
    out: Skid<Step<PAIR_BITS>>,
    resetting: DffR<Bits<PAIRS>>,
    reset_free: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const RECEIVE: usize> PackedFetch<PAIRS, PAIR_BITS, RECEIVE> {
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let one_line: Bits<64> = 1;
        let here = one << self.pair;
        let there = one << self.walked;
        let opened_ring: PackedRing = PackedRing {
            address: self.opened.desc,
            size: self.opened.size,
            function: self.opened.function,
            event: self.opened.device,
            has_event: self.opened.features.event_idx,
            has_tables: self.opened.features.indirect,
        };
        self.rings.we = self.open;
        self.rings.waddr = self.open_pair;
        self.rings.wdata = opened_ring;
        self.rings_walked.we = self.open;
        self.rings_walked.waddr = self.open_pair;
        self.rings_walked.wdata = opened_ring;
        let opened_here = if self.open { one << self.open_pair } else { 0 };

        comment!("whose turn it is");
        let ask_idle = self.ask == PackedAsk::Idle;
        let may = self.live & !self.dead & !self.resetting & !self.busy;
        let looks = self.due & self.room;
        self.backlog = self.live & !self.dead & (self.due | self.busy);
        self.arbiter.request = may & (looks | self.unsaid);
        let takes = ask_idle & self.arbiter.any;
        self.arbiter.take = takes;

        comment!("where it is, how many lines are to be read");
        self.rings.raddr = self.pair;
        self.places.raddr = self.pair;
        let ring = self.rings.rdata;
        let at = self.places.rdata;
        let begin = cast::<9>(ring.address.get_bits::<2>(4));
        let at_line = (begin + cast::<9>(at.index)) >> 2;
        let end_line = (cast::<10>(begin) + cast::<10>(ring.size) - 1) >> 2;
        let one_burst: Bits<7> = 1;
        let burst = one_burst << at.burst;
        let is_ask = self.ask == PackedAsk::Ask;
        let kept = self.asked - self.oldest;
        let can_ask = self.pending.inp.ready & !kept.get_bit(LINES_LOG2);
        let gone = ((self.dead | self.stopped | self.resetting) & there).any();
        let goes_on = (self.walk == PackedWalk::Further) & !gone;
        let asks = is_ask & can_ask & !goes_on;
        self.rings_walked.raddr = self.walked;
        let walked_ring = self.rings_walked.rdata;
        let place = self.place;
        self.read.valid = goes_on | asks;
        self.read.data = if goes_on {
            RingRead {
                address: walked_ring.address + (cast::<64>(place.index) << 4),
                function: walked_ring.function,
                tag: FURTHER,
            }
        } else {
            RingRead {
                address: self.address,
                function: ring.function,
                tag: cast::<8>(self.asked.get_bits::<LINES_LOG2>(0)),
            }
        };
        let asked_line = asks & self.read.ready;
        let asked_further = goes_on & self.read.ready;
        self.pending.inp.valid = asked_line;
        self.pending.inp.data = PackedLine { pair: self.pair, number: self.asked, last: self.left == 1 };
        if asked_line {
            self.asked += 1;
            self.left -= 1;
            self.address = self.address + 64;
        }

        comment!("what it waits for");
        let has_event = (self.ask == PackedAsk::Event) & !self.event_waits;
        self.event.valid = has_event;
        let lane = ring.event.get_bits::<4>(2);
        let zero: Bits<7> = 0;
        let word = concat::<32>(Bits::<16>::from(EVENT_DESC), !at.odd, zero, at.index);
        let strobes: Bits<64> = 0xf;
        self.event.data = RingWrite {
            address: ring.event,
            function: ring.function,
            data: cast::<BEAT_BITS>(word) << (cast::<9>(lane) << 5),
            strobe: strobes << (cast::<6>(lane) << 2),
        };
        let event_sent = has_event & self.event.ready;
        let event_failed = self.event_written.data.any();
        let event_taken = !event_failed | self.fault.ready;
        let event_done = self.event_written.valid & event_taken;
        self.event_written.ready = event_taken;
        self.fault.valid = self.event_written.valid & event_failed;
        self.fault.data = Fault { vq: self.pair, reason: self.event_written.data };
        self.event_waits = event_sent | (self.event_waits & !event_done);

        let mut ask = self.ask;
        match self.ask {
            PackedAsk::Idle => {
                self.chosen = self.arbiter.grant;
                self.is_event = !(self.arbiter.grant & looks).any();
                if takes {
                    ask = PackedAsk::Choose;
                }
            }
            PackedAsk::Choose => {
                let mut number: Bits<PAIR_BITS> = 0;
                for i in 0..PAIRS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.pair = number;
                ask = PackedAsk::Place;
            }
            PackedAsk::Place => {
                self.address = ring.address + (cast::<64>(at.index) << 4);
                self.to_end = cast::<7>(end_line - cast::<10>(at_line)) + 1;
                ask = if self.is_event { PackedAsk::Event } else { PackedAsk::Count };
            }
            PackedAsk::Count => {
                self.left = cast::<5>(if self.to_end < burst { self.to_end } else { burst });
                ask = PackedAsk::Ask;
            }
            PackedAsk::Ask => {
                if asked_line & (self.left == 1) {
                    ask = PackedAsk::Idle;
                }
            }
            PackedAsk::Event => {
                if event_done {
                    ask = PackedAsk::Idle;
                }
            }
        }
        self.ask = ask;

        comment!("answers");
        self.answer.ready = true;
        let is_further = self.answer.data.tag == FURTHER;
        let brought: Line = Line { data: self.answer.data.data, error: self.answer.data.error };
        self.lines.we = self.answer.valid & !is_further;
        self.lines.waddr = cast::<LINES_LOG2>(self.answer.data.tag);
        self.lines.wdata = brought;
        let answered = if self.lines.we { one_line << cast::<LINES_LOG2>(self.answer.data.tag) } else { 0 };
        let awaited = if asked_line { one_line << self.asked.get_bits::<LINES_LOG2>(0) } else { 0 };
        self.arrived = (self.arrived & !awaited) | answered;
        let next = self.pending.out.data;
        self.lines.raddr = next.number.get_bits::<LINES_LOG2>(0);
        let has_line = self.pending.out.valid & (self.arrived >> next.number.get_bits::<LINES_LOG2>(0)).get_bit(0);

        comment!("the descriptor at the place");
        self.places_walked.raddr = next.pair;
        let offset = walked_ring.address.get_bits::<2>(4) + place.index.get_bits::<2>(0);
        let descriptor: Descriptor = in_lane(self.line.data, offset);
        // `id` and `flags` stand where a split ring's descriptor has `flags` and `next`.
        let flags = descriptor.next_index;
        let id = concat::<16>(descriptor.other_flags, descriptor.indirect, descriptor.write, descriptor.next_follows);
        let is_available = (flags.get_bit(7) != place.odd) & (flags.get_bit(15) == place.odd);
        let failed = self.line.error.any();
        let is_table = flags.get_bit(2);
        let follows = flags.get_bit(0) & !failed;
        let size = walked_ring.size;
        let most = if RECEIVE == 1 { if size < RECEIVE_CHAIN { size } else { RECEIVE_CHAIN } } else { size };
        let mut error = self.line.error;
        if !error.any() & is_table & (!walked_ring.has_tables | !self.first | follows) {
            error = reason::INDIRECT;
        }
        if !error.any() & follows & (self.count + 1 == most) {
            error = reason::CHAIN;
        }
        let ends = error.any() | !follows | gone;
        let is_walk = self.walk == PackedWalk::Walk;
        let nothing = self.first & !failed & !is_available;
        let full_up = self.first & !self.free.any();
        let stops = is_walk & (nothing | full_up | (gone & self.first));
        let waits = self.first & !self.may_grant;
        let emits = is_walk & !stops & !waits;
        let is_reset = self.walk == PackedWalk::Reset;
        let resets = is_reset & self.out.inp.ready;
        self.reset_pair.ready = resets;
        self.out.inp.valid = emits | is_reset;
        self.out.inp.data = Step {
            descriptor: Descriptor {
                address: descriptor.address,
                length: descriptor.length,
                next_follows: follows,
                write: flags.get_bit(1),
                indirect: is_table,
                other_flags: 0,
                next_index: 0,
            },
            pair: self.walked,
            function: walked_ring.function,
            head: id,
            skip: self.count + 1,
            first: self.first,
            last: ends | is_reset,
            reset: is_reset,
            error: if is_reset { 0 } else { error },
        };
        link(self.steps, self.out.out);
        let sent = emits & self.out.inp.ready;
        self.granted = sent & self.first;
        self.granted_pair = self.walked;
        let at_end = cast::<9>(place.index) == size - 1;
        let line_ends = at_end | (offset == 3);
        let moved: PackedPlace = PackedPlace {
            index: if at_end { 0 } else { place.index + 1 },
            odd: place.odd ^ at_end,
            burst: place.burst,
        };
        let dies = sent & error.any();

        comment!("from line to line");
        let mut walk = self.walk;
        let mut takes_line = false;
        let mut settles = false;
        match self.walk {
            PackedWalk::Idle => {
                self.walked = next.pair;
                self.place = self.places_walked.rdata;
                self.first = true;
                self.count = 0;
                self.cut = false;
                self.full = false;
                self.moved = false;
                if self.reset_free {
                    self.walked = self.reset_pair.data;
                    walk = PackedWalk::Reset;
                } else if self.pending.out.valid {
                    walk = PackedWalk::Next;
                }
            }
            PackedWalk::Next => {
                takes_line = has_line;
                self.line = self.lines.rdata;
                self.line_is_last = next.last;
                if has_line {
                    walk = PackedWalk::Walk;
                }
            }
            PackedWalk::Walk => {
                if stops {
                    self.cut = full_up;
                    walk = if self.line_is_last { PackedWalk::Settle } else { PackedWalk::Discard };
                } else if sent {
                    self.place = moved;
                    self.moved = true;
                    self.first = ends;
                    self.count = if ends { 0 } else { self.count + 1 };
                    if dies {
                        walk = if self.line_is_last { PackedWalk::Settle } else { PackedWalk::Discard };
                    } else if line_ends & !ends {
                        walk = if self.line_is_last { PackedWalk::Further } else { PackedWalk::Skip };
                    } else if line_ends {
                        self.full = self.line_is_last;
                        walk = if self.line_is_last { PackedWalk::Settle } else { PackedWalk::Next };
                    }
                }
            }
            PackedWalk::Skip => {
                takes_line = has_line;
                self.line_is_last = next.last;
                if has_line {
                    walk = PackedWalk::Further;
                }
            }
            PackedWalk::Further => {
                if gone {
                    walk = PackedWalk::Walk;
                } else if asked_further {
                    walk = PackedWalk::Wait;
                }
            }
            PackedWalk::Wait => {
                if self.further_arrived {
                    walk = PackedWalk::Walk;
                }
            }
            PackedWalk::Discard => {
                takes_line = has_line;
                if has_line & next.last {
                    walk = PackedWalk::Settle;
                }
            }
            PackedWalk::Settle => {
                settles = !self.open;
                if settles {
                    walk = PackedWalk::Idle;
                }
            }
            PackedWalk::Reset => {
                if resets {
                    walk = PackedWalk::Idle;
                }
            }
        }
        self.walk = walk;
        self.pending.out.ready = takes_line;
        if takes_line {
            self.oldest = next.number + 1;
        }

        comment!("what is known of each queue");
        let fuller = if place.burst == MOST_LOG2 { place.burst } else { place.burst + 1 };
        let emptier = if place.burst.any() { place.burst - 1 } else { place.burst };
        let settled: PackedPlace = PackedPlace {
            index: place.index,
            odd: place.odd,
            burst: if self.full {
                fuller
            } else if self.cut {
                place.burst
            } else {
                emptier
            },
        };
        let none: PackedPlace = PackedPlace::default();
        let writes_place = settles | self.open;
        let written_at = if self.open { self.open_pair } else { self.walked };
        self.places.we = writes_place;
        self.places.waddr = written_at;
        self.places.wdata = if self.open { none } else { settled };
        self.places_walked.we = writes_place;
        self.places_walked.waddr = written_at;
        self.places_walked.wdata = if self.open { none } else { settled };
        let told = if self.notify { one << self.notify_pair } else { 0 };
        let begun = if takes { self.arbiter.grant & looks } else { 0 };
        let again = if settles & (self.full | self.cut) { there } else { 0 };
        let written = if event_done & !event_failed { here } else { 0 };
        let failed_here = if event_done & event_failed { here } else { 0 };
        let died = if dies { there } else { 0 };
        let gone_now = if resets { there } else { 0 };
        self.due = ((self.due & !begun) | told | again | written) & !gone_now & !self.forget;
        let over = if settles { there } else { 0 };
        self.busy = (self.busy & !over) | begun;
        self.dead = (self.dead | died | failed_here) & !gone_now;
        let left_place = if settles & self.moved { there } else { 0 };
        let said = (self.said | written) & !left_place & !gone_now & !opened_here;
        self.said = said;
        let finds_nothing = settles & !self.full & !self.cut & walked_ring.has_event;
        let to_say = if finds_nothing { there & !said } else { 0 };
        let saying = if takes { self.arbiter.grant & !looks } else { 0 };
        self.unsaid = ((self.unsaid & !saying) | to_say) & !gone_now;
        self.resetting = if self.reset_pair.valid & !resets { one << self.reset_pair.data } else { 0 };
        let waits_for = (self.busy & self.resetting).any() | !ask_idle;
        self.reset_free = self.resetting.any() & !waits_for & !resets;
        let asking = !ask_idle & !self.event_waits;
        let needs_line =
            (self.walk == PackedWalk::Next) | (self.walk == PackedWalk::Skip) | (self.walk == PackedWalk::Discard);
        let awaits = (needs_line & !has_line) | ((self.walk == PackedWalk::Wait) & !self.further_arrived);
        let rests = (self.walk == PackedWalk::Idle) & !self.pending.out.valid & !self.reset_free;
        let begins = self.arbiter.any | self.resetting.any();
        let comes_in = self.notify
            | self.open
            | self.reset_pair.valid
            | self.answer.valid
            | self.event_written.valid
            | self.forget.any();
        self.idle = self.out.empty & (awaits | rests) & !(asking | begins | comes_in);

        let further = self.answer.valid & is_further;
        if further {
            self.line = brought;
        }
        self.further_arrived = further;
    }
}

#[cfg(test)]
#[path = "packed_fetch_tests.rs"]
mod tests;
