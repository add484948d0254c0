// SPDX-License-Identifier: MIT OR Apache-2.0
//! Follows descriptor chains that lie in many lines.

use crate::chain_check::Step;
use crate::descriptor::{At, Descriptor, Followed, Line, Table, follow, line_of, table_of, table_size};
use crate::descriptor_fetch::FREE_TAGS;
use crate::types::{Head, QueueConfig, RingAnswer, RingRead, reason};
use crate::waiting_heads::WaitingHeads;
use millrace_hdl::base::{DffE, DffR, LutRam, Ram, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// Chains under way, log2. Those of a function are in the place that the low bits of its number name, so that no function takes the place of another, up to 16 of them.
const PLACES_LOG2: usize = 4;
const PLACES: usize = 1 << PLACES_LOG2;
/// Lines of a chain that are read at once, log2. The tag of a read is [`FREE_TAGS`], and in it the place above the line's number.
const WINDOW_LOG2: usize = 2;
const LINES_LOG2: usize = PLACES_LOG2 + WINDOW_LOG2;
const LINES: usize = 1 << LINES_LOG2;

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ScatterState {
    /// A queue is looked for that has heads and is in no line, or a place whose chain can go on or begin.
    Idle,
    /// The queue's number; it stands in line.
    Choose,
    Enlist,
    /// The queue that is first in line; what is known of it; its oldest head.
    First,
    Look,
    Begin,
    /// The lines from the next descriptor on are to be read, are asked for.
    Plan,
    Ask,
    /// The chain goes on, in the line that its next descriptor is in.
    Load,
    Turn,
    Walk,
    /// It is whole, and given out.
    Replay,
    /// The queue's heads are dropped.
    Reset,
}

wire_struct! {
    /// A chain that is followed: its queue, its head, where it is. The lines that are there: the first of them as counted from the table's, how many there are behind it.
    pub struct Scattered<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub head: Bits<8>,
        pub at: At,
        pub from: Bits<15>,
        pub behind: Bits<WINDOW_LOG2>,
    }
}

wire_struct! {
    /// What is kept of a descriptor until its chain is whole.
    pub struct Collected {
        pub address: Bits<64>,
        pub length: Bits<32>,
        pub write: Bit,
    }
}

/// Turns the `heads` that are set aside into `steps`: each chain whole, those of a queue in their order, those of queues of other functions meanwhile.
///
/// A function has one chain under way, and its queues stand in line for the next: one that had its turn goes to the end. A chain takes a round trip to memory for its first four lines and each time that it leaves the four that are there, which are one behind the other; it is
/// kept until all of it is there. So others wait for the steps of a whole chain, of 256 descriptors at most, and for no memory.
///
/// A head of a queue that is not `live` waits until it is, and a chain under way starts over then. The reset of a queue is set aside behind its heads, and drops them: so it waits for one round trip at most.
#[millrace_hdl::block]
pub struct ScatteredWalker<
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const STORE_BITS: usize,
    const CHAIN_BITS: usize,
    const RECEIVE: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub live: Signal<In, Bits<PAIRS>>,
    /// Always ready.
    pub heads: Snk<Head<PAIR_BITS>>,
    /// Bit p: heads of pair p are here, behind which those that come have to wait.
    pub held: Signal<Out, Bits<PAIRS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub steps: Src<Step<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    tables: LutRam<Table, PAIR_BITS>,
    waiting: WaitingHeads<PAIRS, PAIR_BITS, STORE_BITS>,
    /// Per pair: its heads are to be dropped; it stands in line, or its oldest head is being followed (`active`).
    resets: Reg<Bits<PAIRS>>,
    enlisted: Reg<Bits<PAIRS>>,
    active: Reg<Bits<PAIRS>>,
    /// Whose turn it is to stand in line, and which place's.
    newcomers: RoundRobin<PAIRS>,
    turn: RoundRobin<PLACES>,
    /// The line at each place: some stand there, who is first, who is last, who is behind each.
    lined: Reg<Bits<PLACES>>,
    firsts: LutRam<Bits<PAIR_BITS>, PLACES_LOG2>,
    lasts: LutRam<Bits<PAIR_BITS>, PLACES_LOG2>,
    behind: LutRam<Bits<PAIR_BITS>, PAIR_BITS>,
    /// A chain waits in the place for its lines; lines that are on their way.
    busy: Reg<Bits<PLACES>>,
    missing: Reg<Bits<LINES>>,
    places: LutRam<Scattered<PAIR_BITS>, PLACES_LOG2>,
    lines: LutRam<Line, LINES_LOG2>,
    /// The descriptors of the chain in each place.
    collected: Ram<Collected, CHAIN_BITS>,

    state: DffR<ScatterState>,
    chosen: DffE<Bits<PAIRS>>,
    pair: DffE<Bits<PAIR_BITS>>,
    /// The chain at work.
    place: DffE<Bits<PLACES_LOG2>>,
    now: DffE<Scattered<PAIR_BITS>>,
    line: DffE<Line>,
    error: DffE<Bits<8>>,
    /// The line that is asked for, its number, the number of the last; there is none, for it would be behind the last address.
    address: DffE<Bits<64>>,
    number: DffE<Bits<WINDOW_LOG2>>,
    last_number: DffE<Bits<WINDOW_LOG2>>,
    past_end: DffE<Bit>,
    /// Descriptors of the chain that were read to be given out; the last of them is in `collected.rdata`.
    given: DffE<Bits<9>>,
    given_valid: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const STORE_BITS: usize, const CHAIN_BITS: usize, const RECEIVE: usize>
    ScatteredWalker<PAIRS, PAIR_BITS, STORE_BITS, CHAIN_BITS, RECEIVE>
{
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let one_place: Bits<PLACES> = 1;
        let one_line: Bits<LINES> = 1;
        self.tables.we = self.open;
        self.tables.waddr = self.open_pair;
        let opened: Table = table_of(self.opened);
        self.tables.wdata = opened;
        let is_reset = self.state == ScatterState::Reset;
        let is_replay = self.state == ScatterState::Replay;
        let is_walk = self.state == ScatterState::Walk;
        let is_ask = self.state == ScatterState::Ask;
        let is_idle = self.state == ScatterState::Idle;
        let now = self.now;
        let here = one << self.pair;

        comment!("heads, and resets behind them");
        let coming = self.heads.data;
        self.heads.ready = true;
        self.waiting.heads.valid = self.heads.valid & !coming.reset;
        self.waiting.heads.data = coming;
        self.held = self.waiting.held;

        comment!("whose turn it is");
        let newcomers = self.waiting.held & self.live & !self.enlisted;
        self.newcomers.request = newcomers | (self.resets & !self.active);
        let comes = is_idle & self.newcomers.any;
        self.newcomers.take = comes;
        let mut there: Bits<PLACES> = 0;
        for i in 0..PLACES {
            there.set_bit(i, self.busy.get_bit(i) & !self.missing.get_bits::<4>(4 * i).any());
        }
        self.turn.request = there | (self.lined & !self.busy);
        let turns = is_idle & !comes & self.turn.any;
        self.turn.take = turns;
        let resumes = (self.turn.grant & self.busy).any();

        comment!("a queue stands in line for its function's place, or is first there");
        self.tables.raddr = self.pair;
        let table = self.tables.rdata;
        let is_gone = (self.resets & here).any();
        let enlists = (self.state == ScatterState::Enlist) & !is_gone;
        let leaves = self.state == ScatterState::First;
        let line_at = if leaves { self.place } else { table.function.get_bits::<PLACES_LOG2>(0) };
        let line_here = one_place << line_at;
        let stands_alone = !(self.lined & line_here).any();
        self.firsts.raddr = line_at;
        self.lasts.raddr = line_at;
        let first = self.firsts.rdata;
        let last = self.lasts.rdata;
        self.behind.raddr = first;
        self.behind.we = enlists & !stands_alone;
        self.behind.waddr = last;
        self.behind.wdata = self.pair;
        self.lasts.we = enlists;
        self.lasts.waddr = line_at;
        self.lasts.wdata = self.pair;
        self.firsts.we = leaves | (enlists & stands_alone);
        self.firsts.waddr = line_at;
        self.firsts.wdata = if leaves { self.behind.rdata } else { self.pair };
        let emptied = if leaves & (first == last) { line_here } else { 0 };
        let lined = if enlists { line_here } else { 0 };
        self.lined = (self.lined & !emptied) | lined;

        comment!("a queue begins with its oldest head");
        let looks = self.state == ScatterState::Look;
        let may_begin = (self.waiting.held & self.live & !self.resets & here).any();
        self.waiting.look = looks;
        let one_descriptor: Bits<9> = 1;
        let queue_size = one_descriptor << table.size_log2;
        let most =
            if RECEIVE == 1 { if queue_size < RECEIVE_CHAIN { queue_size } else { RECEIVE_CHAIN } } else { queue_size };

        comment!("lines from the next descriptor on, no further than its table");
        let from = line_of(now.at.base, cast::<17>(now.at.index));
        let last_line = line_of(now.at.base, now.at.size - 1);
        let to_end = last_line - from;
        let begin = cast::<65>(now.at.base) + (cast::<65>(now.at.index) << 4);
        let is_top = !(!self.address.get_bits::<58>(6)).any();
        let is_last_line = (self.number == self.last_number) | is_top;
        self.read.valid = is_ask & !self.past_end;
        self.read.data = RingRead {
            address: self.address,
            function: now.function,
            tag: cast::<8>(concat::<LINES_LOG2>(self.place, self.number)) | FREE_TAGS,
        };
        let asked = self.read.valid & self.read.ready;
        let parks = asked & is_last_line;
        self.places.we = parks;
        self.places.waddr = self.place;
        self.places.wdata = Scattered::<PAIR_BITS> { behind: self.number, ..now };

        comment!("answers");
        self.answer.ready = true;
        let answer = self.answer.data;
        self.lines.we = self.answer.valid;
        self.lines.waddr = answer.tag.get_bits::<LINES_LOG2>(0);
        self.lines.wdata = Line { data: answer.data, error: answer.error };
        let came = if self.answer.valid { one_line << answer.tag.get_bits::<LINES_LOG2>(0) } else { 0 };
        let went = if asked { one_line << concat::<LINES_LOG2>(self.place, self.number) } else { 0 };
        self.missing = (self.missing & !came) | went;

        comment!("a chain goes on if its queue does");
        self.places.raddr = self.place;
        let parked = self.places.rdata;
        let parked_here = one << parked.pair;
        let loads = self.state == ScatterState::Load;
        let gives_up = loads & !(self.live & !self.resets & parked_here).any();
        let offset = (from - now.from).get_bits::<WINDOW_LOG2>(0);
        self.lines.raddr = concat::<LINES_LOG2>(self.place, offset);

        comment!("its next descriptor");
        let followed: Followed = follow(self.line, now.at);
        let descriptor = followed.descriptor;
        let in_window = followed.next_line - now.from <= cast::<15>(now.behind);
        let before = cast::<CHAIN_BITS>(now.at.count - 1);
        let of_place = cast::<CHAIN_BITS>(self.place);
        self.collected.we = is_walk & !followed.enters;
        self.collected.waddr = before | if RECEIVE == 1 { of_place << 2 } else { of_place << 8 };
        self.collected.wdata =
            Collected { address: descriptor.address, length: descriptor.length, write: descriptor.write };

        comment!("it is given out");
        let free = !self.given_valid | self.steps.ready;
        let reads = is_replay & free & (self.given != now.at.count);
        self.collected.re = reads;
        self.collected.raddr =
            cast::<CHAIN_BITS>(self.given) | if RECEIVE == 1 { of_place << 2 } else { of_place << 8 };
        self.given_valid = reads | (self.given_valid & !self.steps.ready);
        let step = self.collected.rdata;
        let is_last = self.given == now.at.count;
        self.steps.valid = self.given_valid | is_reset;
        self.steps.data = Step::<PAIR_BITS> {
            descriptor: Descriptor {
                address: step.address,
                length: step.length,
                next_follows: !is_last,
                write: step.write,
                indirect: false,
                other_flags: 0,
                next_index: 0,
            },
            pair: if is_reset { self.pair } else { now.pair },
            function: now.function,
            head: cast::<16>(now.head),
            skip: 0,
            first: is_reset | (self.given == 1),
            last: is_reset | is_last,
            reset: is_reset,
            error: if is_last & !is_reset { self.error } else { 0 },
        };
        let given = self.given_valid & self.steps.ready & is_last;
        let drops = is_reset & self.steps.ready;
        self.waiting.pair = if is_replay { now.pair } else { self.pair };
        self.waiting.take = given;
        self.waiting.clear = drops;

        let mut state = self.state;
        match self.state {
            ScatterState::Idle => {
                self.chosen = self.newcomers.grant;
                let mut place: Bits<PLACES_LOG2> = 0;
                for i in 0..PLACES {
                    if self.turn.grant.get_bit(i) {
                        place |= i;
                    }
                }
                self.place = place;
                if comes {
                    state = ScatterState::Choose;
                } else if turns {
                    state = if resumes { ScatterState::Load } else { ScatterState::First };
                }
            }
            ScatterState::Choose => {
                let mut number: Bits<PAIR_BITS> = 0;
                for i in 0..PAIRS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.pair = number;
                state = ScatterState::Enlist;
            }
            ScatterState::Enlist => {
                state = if is_gone { ScatterState::Reset } else { ScatterState::Idle };
            }
            ScatterState::First => {
                self.pair = first;
                state = ScatterState::Look;
            }
            ScatterState::Look => {
                self.now = Scattered::<PAIR_BITS> {
                    pair: self.pair,
                    function: table.function,
                    head: 0,
                    at: At {
                        base: table.address,
                        size: cast::<17>(queue_size),
                        index: 0,
                        count: 1,
                        most,
                        may_enter: table.indirect,
                    },
                    from: 0,
                    behind: 0,
                };
                state = if may_begin { ScatterState::Begin } else { ScatterState::Idle };
            }
            ScatterState::Begin => {
                let oldest = self.waiting.oldest;
                self.now =
                    Scattered::<PAIR_BITS> { head: oldest, at: At { index: cast::<16>(oldest), ..now.at }, ..now };
                state = ScatterState::Plan;
            }
            ScatterState::Plan => {
                self.address = begin.get_bits::<64>(0);
                self.past_end = begin.get_bit(64);
                self.number = 0;
                self.last_number = if to_end > 3 { 3 } else { to_end.get_bits::<WINDOW_LOG2>(0) };
                self.now = Scattered::<PAIR_BITS> { from, ..now };
                state = ScatterState::Ask;
            }
            ScatterState::Ask => {
                if asked {
                    self.number += 1;
                    self.address = self.address + 64;
                }
                if self.past_end {
                    self.line = Line { data: 0, error: reason::WINDOW };
                    state = ScatterState::Walk;
                } else if parks {
                    state = ScatterState::Idle;
                }
            }
            ScatterState::Load => {
                self.now = parked;
                state = if gives_up { ScatterState::Idle } else { ScatterState::Turn };
            }
            ScatterState::Turn => {
                self.line = self.lines.rdata;
                state = ScatterState::Walk;
            }
            ScatterState::Walk => {
                self.given = 0;
                self.error = followed.error;
                if followed.ends {
                    state = ScatterState::Replay;
                } else if followed.enters {
                    self.now = Scattered::<PAIR_BITS> {
                        at: At {
                            base: descriptor.address,
                            size: table_size(descriptor),
                            index: 0,
                            may_enter: false,
                            ..now.at
                        },
                        ..now
                    };
                    state = ScatterState::Plan;
                } else {
                    self.now = Scattered::<PAIR_BITS> {
                        at: At { index: descriptor.next_index, count: now.at.count + 1, ..now.at },
                        ..now
                    };
                    if !followed.same_line {
                        state = if in_window { ScatterState::Turn } else { ScatterState::Plan };
                    }
                }
            }
            ScatterState::Replay => {
                if reads {
                    self.given += 1;
                }
                if given {
                    state = ScatterState::Idle;
                }
            }
            ScatterState::Reset => {
                if drops {
                    state = ScatterState::Idle;
                }
            }
        }
        self.state = state;

        comment!("what is known of each queue and place");
        let started = if looks & may_begin { here } else { 0 };
        let passed_by = if looks & !may_begin { here } else { 0 };
        let ended = if given { one << now.pair } else { 0 };
        let given_up = if gives_up { parked_here } else { 0 };
        let to_drop = if self.heads.valid & coming.reset { one << coming.pair } else { 0 };
        let dropped = if drops { here } else { 0 };
        let stands = if enlists { here } else { 0 };
        self.active = (self.active & !ended & !given_up) | started;
        self.enlisted = (self.enlisted & !ended & !given_up & !passed_by) | stands;
        self.resets = (self.resets & !dropped) | to_drop;
        let taken = if loads { one_place << self.place } else { 0 };
        let put = if parks { one_place << self.place } else { 0 };
        self.busy = (self.busy & !taken) | put;
        let comes_in = self.heads.valid | self.answer.valid | self.open;
        self.idle = is_idle & !(comes | turns | comes_in);
    }
}
