// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads descriptors ahead.

use crate::descriptor::{Descriptor, Line, Table, in_lane, is_table, table_of, table_size};
use crate::types::{Head, QueueConfig, RingAnswer, RingRead};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Lines that chains begin in which are kept, log2: 64 at a round trip of 250 clocks are 64 Mpps if each has a line of its own.
const LINES_LOG2: usize = 6;
/// Lines of indirect tables that are kept, log2: at the same round trip 128 Mpps if a table is in one line.
const TABLE_LINES_LOG2: usize = 7;

/// The tag of a read is the place that its line is kept in: lines that chains begin in from 0 on, and from [`TABLES`] on those of indirect tables. Those from [`FREE_TAGS`] on between them are for others.
pub const FREE_TAGS: u64 = 1 << LINES_LOG2;
pub const TABLES: u64 = 1 << TABLE_LINES_LOG2;

wire_struct! {
    /// A chain that is to be followed.
    pub struct Chain<const PAIR_BITS: usize> {
        pub head: Head<PAIR_BITS>,
        /// Its head stands for a table: where that is, and how many descriptors it has.
        pub indirect: Bit,
        pub address: Bits<64>,
        pub size: Bits<17>,
        /// Where the line is kept in which its first descriptor lies. `second`: the table goes on, and so it does in the place behind.
        pub place: Bits<8>,
        pub second: Bit,
    }
}

wire_struct! {
    /// A chain whose first line is asked for.
    pub struct Pending<const PAIR_BITS: usize> {
        pub head: Head<PAIR_BITS>,
        /// The line's number, modulo twice as many as are kept; of a reset the number of the next line. Where in it the head is.
        pub number: Bits<7>,
        pub lane: Bits<2>,
        pub function: Bits<8>,
        /// INDIRECT_DESC is negotiated.
        pub indirect: Bit,
    }
}

wire_struct! {
    /// A chain whose first descriptor is known.
    pub struct Looked<const PAIR_BITS: usize> {
        pub pending: Pending<PAIR_BITS>,
        pub descriptor: Descriptor,
        pub error: Bits<8>,
    }
}

wire_struct! {
    /// A chain that waits to be followed, and what is not needed any more when it is: lines before `number`, lines of tables before `table`.
    pub struct Waiting<const PAIR_BITS: usize> {
        pub chain: Chain<PAIR_BITS>,
        pub number: Bits<7>,
        pub table: Bits<8>,
    }
}

/// Reads the lines of descriptors that the chains of `heads` begin in, 64 at most, and of those whose head stands for an indirect table the table's first two lines, 128 at most. `chains` come in the order of
/// the heads, up to 256 are held. A chain shares the line of the chain before if it begins in the same and its head is not `fresh`.
///
/// The line kept in `place` is in `line` if it is `there`, and with `second` the one behind it as well. The first line of a chain stays until the next chain is taken.
#[millrace_hdl::block]
pub struct DescriptorFetch<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub heads: Snk<Head<PAIR_BITS>>,
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub chains: Src<Chain<PAIR_BITS>>,
    pub place: Signal<In, Bits<8>>,
    pub second: Signal<In, Bit>,
    pub line: Signal<Out, Line>,
    pub there: Signal<Out, Bit>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in, or a chain is taken.
    pub idle: Signal<Out, Bit>,

    tables: LutRam<Table, PAIR_BITS>,
    /// The read to make.
    ask: DffE<RingRead>,
    ask_valid: DffR<Bit>,
    pending: LutFifo<Pending<PAIR_BITS>, 7, 8>,
    /// Lines that were asked for; the oldest one that is needed. The same of tables' lines.
    asked: Reg<Bits<7>>,
    oldest: Reg<Bits<7>>,
    table_asked: Reg<Bits<8>>,
    table_oldest: Reg<Bits<8>>,
    /// All lines; those that chains begin in once more, to be looked at.
    lines: LutRam<Line, 8>,
    first_lines: LutRam<Line, LINES_LOG2>,
    arrived: DffR<Bits<256>>,
    /// The line that was asked for last: whether there is one, of which pair, which of its table.
    last_valid: DffR<Bit>,
    last_pair: DffE<Bits<PAIR_BITS>>,
    last_line: DffE<Bits<7>>,

    looked: DffE<Looked<PAIR_BITS>>,
    looked_valid: DffR<Bit>,
    /// The first line of its table is asked for.
    has_first: DffR<Bit>,
    waiting: LutFifo<Waiting<PAIR_BITS>, 7, 8>,
    /// Chains there that need their line.
    direct: Reg<Bits<8>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> DescriptorFetch<PAIR_BITS> {
    fn update(&mut self) {
        self.tables.we = self.open;
        self.tables.waddr = self.open_pair;
        let opened: Table = table_of(self.opened);
        self.tables.wdata = opened;
        let ask_free = !self.ask_valid | self.read.ready;

        comment!("a table, or two lines of it, are asked for; a chain without one goes on at once");
        let looked = self.looked;
        let pointer = looked.descriptor;
        let has_table = !looked.pending.head.reset & !looked.error.any() & is_table(pointer, looked.pending.indirect);
        let size = table_size(pointer);
        let is_last = !(!pointer.address.get_bits::<58>(6)).any();
        let second = (cast::<18>(size) + cast::<18>(pointer.address.get_bits::<2>(4)) > 4) & !is_last;
        let tables_kept = self.table_asked - self.table_oldest;
        let table_free = ask_free & self.waiting.inp.ready & (tables_kept <= TABLES - 2);
        let asks_table = self.looked_valid & has_table & table_free;
        let has_all = asks_table & (!second | self.has_first);
        let passes = self.looked_valid & !has_table & self.waiting.inp.ready;
        let leaves = has_all | passes;
        self.has_first = (asks_table | self.has_first) & !has_all;
        let first_number = if self.has_first { self.table_asked - 1 } else { self.table_asked };
        let number = looked.pending.number;
        let mut place = cast::<8>(number.get_bits::<LINES_LOG2>(0));
        if has_table {
            place = cast::<8>(first_number.get_bits::<TABLE_LINES_LOG2>(0)) | TABLES;
        }
        self.waiting.inp.valid = leaves;
        self.waiting.inp.data = Waiting::<PAIR_BITS> {
            chain: Chain::<PAIR_BITS> {
                head: looked.pending.head,
                indirect: has_table,
                address: pointer.address,
                size,
                place,
                second: has_table & second,
            },
            number,
            table: first_number,
        };
        if asks_table {
            self.table_asked += 1;
        }

        comment!("lines that chains begin in are asked for when nothing else is");
        let kept = self.asked - self.oldest;
        let takes = ask_free & !asks_table & self.pending.inp.ready & !kept.get_bit(LINES_LOG2);
        self.heads.ready = takes;
        let took = takes & self.heads.valid;
        let coming = self.heads.data;
        self.tables.raddr = coming.pair;
        let table = self.tables.rdata;
        let begin = cast::<9>(table.address.get_bits::<2>(4)) + cast::<9>(coming.index);
        let line_number = begin.get_bits::<7>(2);
        let shares =
            self.last_valid & !coming.fresh & (self.last_pair == coming.pair) & (self.last_line == line_number);
        let asks = took & !coming.reset & !shares;
        self.last_valid = if took { !coming.reset } else { self.last_valid };
        if took {
            self.last_pair = coming.pair;
            self.last_line = line_number;
        }
        self.pending.inp.valid = took;
        self.pending.inp.data = Pending::<PAIR_BITS> {
            head: coming,
            number: if shares { self.asked - 1 } else { self.asked },
            lane: begin.get_bits::<2>(0),
            function: table.function,
            indirect: table.indirect,
        };
        if asks {
            self.asked += 1;
        }

        comment!("the read");
        let tag = if asks_table {
            cast::<8>(self.table_asked.get_bits::<TABLE_LINES_LOG2>(0)) | TABLES
        } else {
            cast::<8>(self.asked.get_bits::<LINES_LOG2>(0))
        };
        let line_behind: Bits<64> = if self.has_first { 64 } else { 0 };
        if ask_free {
            self.ask = if asks_table {
                RingRead { address: pointer.address + line_behind, function: looked.pending.function, tag }
            } else {
                RingRead { address: table.address + (cast::<64>(coming.index) << 4), function: table.function, tag }
            };
        }
        let asks_any = asks_table | asks;
        self.ask_valid = asks_any | (self.ask_valid & !self.read.ready);
        self.read.valid = self.ask_valid;
        self.read.data = self.ask;

        comment!("answers");
        let one_place: Bits<256> = 1;
        self.answer.ready = true;
        let came: Line = Line { data: self.answer.data.data, error: self.answer.data.error };
        let is_first = !self.answer.data.tag.get_bits::<2>(LINES_LOG2).any();
        self.lines.we = self.answer.valid;
        self.lines.waddr = self.answer.data.tag;
        self.lines.wdata = came;
        self.first_lines.we = self.answer.valid & is_first;
        self.first_lines.waddr = cast::<LINES_LOG2>(self.answer.data.tag);
        self.first_lines.wdata = came;
        let answered = if self.answer.valid { one_place << self.answer.data.tag } else { 0 };
        let awaited = if asks_any { one_place << tag } else { 0 };
        self.arrived = (self.arrived & !awaited) | answered;

        comment!("a head is looked at when its line is there");
        let next = self.pending.out.data;
        let next_place = next.number.get_bits::<LINES_LOG2>(0);
        self.first_lines.raddr = next_place;
        let first_line = self.first_lines.rdata;
        let next_there = next.head.reset | (self.arrived & (one_place << next_place)).any();
        let looked_free = !self.looked_valid | leaves;
        self.pending.out.ready = looked_free & next_there;
        self.looked_valid = (self.pending.out.valid & next_there) | !looked_free;
        let first_descriptor: Descriptor = in_lane(first_line.data, next.lane);
        if looked_free {
            self.looked = Looked::<PAIR_BITS> { pending: next, descriptor: first_descriptor, error: first_line.error };
        }

        comment!("chains, and what they need no more");
        let front = self.waiting.out.data;
        self.chains.valid = self.waiting.out.valid;
        self.chains.data = front.chain;
        self.waiting.out.ready = self.chains.ready;
        let followed = self.waiting.out.valid & self.chains.ready;
        let needs_line = passes;
        let leaves_line = followed & !front.chain.indirect;
        if needs_line ^ leaves_line {
            self.direct = if needs_line { self.direct + 1 } else { self.direct - 1 };
        }
        if leaves_line {
            self.oldest = front.number;
        } else if has_all & !self.direct.any() {
            self.oldest = number;
        }
        if followed {
            self.table_oldest = front.table;
        }
        self.lines.raddr = self.place;
        self.line = self.lines.rdata;
        let place_behind = cast::<8>((self.place + 1).get_bits::<TABLE_LINES_LOG2>(0)) | TABLES;
        let behind_there = (self.arrived & (one_place << place_behind)).any();
        self.there = (self.arrived & (one_place << self.place)).any() & (!self.second | behind_there);
        let held = self.ask_valid | self.looked_valid | (self.pending.out.valid & next_there);
        let comes_in = self.heads.valid | self.answer.valid | self.open;
        self.idle = !(held | comes_in);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;

    #[test]
    fn descriptor_fetch_lints() {
        assert_lints(DescriptorFetch::<2>::default());
    }
}
