// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time-outs of a DMA port: what memory does not answer is given up.

use crate::axi::{AxiMaster, AxiSlave};
use millrace_hdl::base::{DffE, DffR, LutRam, Reg};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Responses: what is no success, and what was given up. Memory's DECERR comes through as SLVERR.
pub const SLVERR: u64 = 2;
pub const GIVEN_UP: u64 = 3;

/// log2 of the writes under way.
const WRITES_LOG2: usize = 8;

wire_struct! {
    /// A read that has a slot.
    pub struct Taken<const ID_BITS: usize> {
        /// Its master's identifier.
        pub id: Bits<ID_BITS>,
        /// Turned by each read of the slot.
        pub turn: Bit,
    }
}

/// Between a master with identifiers of its own, each in flight once, and memory, which sees `1 << SLOT_BITS` others (`COUNT_BITS` = SLOT_BITS + 1). What memory has taken and not answered for more than
/// `limit` units of `now` (0: for ever) is answered with [`GIVEN_UP`]: a read with a last beat, of no data, and nothing else that comes for it.
///
/// The slot of a read that was given up is free when its answer has come. Writes are answered in their order, 256 are under way at most, and the time of each begins when it is the oldest; answers to
/// those that were given up are swallowed. All that passes does in the same clock. When the oldest read may be too old there is a look at all slots, a clock each; for each that is too old two more, in one of
/// which memory's answers wait. After reset all slots are freed, a clock each.
#[millrace_hdl::block]
pub struct DmaGuard<const ID_BITS: usize, const SLOT_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub now: Signal<In, Bits<16>>,
    pub limit: Signal<In, Bits<16>>,
    pub inp: AxiSlave<Bits<ID_BITS>>,
    pub axi: AxiMaster<Bits<SLOT_BITS>>,
    /// Something may have to be given up as time goes on.
    pub waits: Signal<Out, Bit>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in or time goes on.
    pub idle: Signal<Out, Bit>,

    /// Of each slot: the read that was the last to take it, for answers, for the look and for the next read; when that was.
    taken: LutRam<Taken<ID_BITS>, SLOT_BITS>,
    taken_looked: LutRam<Taken<ID_BITS>, SLOT_BITS>,
    taken_ahead: LutRam<Bit, SLOT_BITS>,
    stamps: LutRam<Bits<16>, SLOT_BITS>,
    /// The `turn` of the read that memory was the last to answer: another than that of the last that took the slot, as long as an answer is owed.
    answered_looked: LutRam<Bit, SLOT_BITS>,
    answered_ahead: LutRam<Bit, SLOT_BITS>,
    /// The read that memory owes an answer was given up.
    given_up: LutRam<Bit, SLOT_BITS>,
    given_up_looked: LutRam<Bit, SLOT_BITS>,
    /// All slots were freed after reset.
    ready: DffR<Bit>,
    /// The slot for the next read, with that one's turn, and the slot that is tried after it.
    slot: Reg<Bits<SLOT_BITS>>,
    turn: DffE<Bit>,
    slot_free: DffR<Bit>,
    ahead: Reg<Bits<SLOT_BITS>>,
    /// Reads that the master waits for, none of which is older than this.
    reads: Reg<Bits<COUNT_BITS>>,
    reads_since: DffE<Bits<16>>,
    /// There is a look; since when the oldest read is awaited that it saw, or since when it goes on; the slot that is looked at, whose read is given up.
    looking: DffR<Bit>,
    oldest: DffE<Bits<16>>,
    looked: Reg<Bits<SLOT_BITS>>,
    gives_up: DffR<Bit>,

    /// Writes that are not answered; when the oldest began to be the oldest; answers that are to be swallowed; the oldest is given up.
    writes: Reg<Bits<9>>,
    writes_since: DffE<Bits<16>>,
    late: Reg<Bits<9>>,
    expired: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const ID_BITS: usize, const SLOT_BITS: usize, const COUNT_BITS: usize> DmaGuard<ID_BITS, SLOT_BITS, COUNT_BITS> {
    fn update(&mut self) {
        let limited = self.limit.any();

        comment!("a read takes the next slot that is free");
        let takes = self.inp.arvalid & self.slot_free & self.axi.arready;
        self.inp.arready = self.slot_free & self.axi.arready;
        self.axi.arvalid = self.inp.arvalid & self.slot_free;
        self.axi.arid = self.slot;
        self.axi.araddr = self.inp.araddr;
        self.axi.arlen = self.inp.arlen;
        self.axi.aruser = self.inp.aruser;
        let frees = !self.ready;
        let seeks = takes | !self.slot_free;
        self.taken_ahead.raddr = self.ahead;
        self.answered_ahead.raddr = self.ahead;
        let ahead_free = self.taken_ahead.rdata == self.answered_ahead.rdata;
        self.slot_free = !seeks | (self.ready & ahead_free);
        if seeks {
            self.slot = self.ahead;
            self.turn = !self.taken_ahead.rdata;
            self.ahead += 1;
        }
        self.ready = self.ready | self.slot.all();
        let turn = self.ready & self.turn;
        let taken: Taken<ID_BITS> = Taken { id: self.inp.arid, turn };
        self.taken.we = takes | frees;
        self.taken.waddr = self.slot;
        self.taken.wdata = taken;
        self.taken_looked.we = takes | frees;
        self.taken_looked.waddr = self.slot;
        self.taken_looked.wdata = taken;
        self.taken_ahead.we = takes | frees;
        self.taken_ahead.waddr = self.slot;
        self.taken_ahead.wdata = turn;
        self.stamps.we = takes;
        self.stamps.waddr = self.slot;
        self.stamps.wdata = self.now;

        comment!("a look at all slots when one may be too old");
        self.taken_looked.raddr = self.looked;
        self.answered_looked.raddr = self.looked;
        self.given_up_looked.raddr = self.looked;
        self.stamps.raddr = self.looked;
        let late_read = self.taken_looked.rdata;
        let owed = late_read.turn ^ self.answered_looked.rdata;
        let awaited = owed & !self.given_up_looked.rdata;
        let age = self.now - self.stamps.rdata;
        let too_old = awaited & limited & (age > self.limit);
        // Not while it is answered after all; and what is offered to the master stays.
        let hinders = self.axi.rvalid & ((self.axi.rid == self.looked) | !self.inp.rready);
        self.gives_up = if self.gives_up { !self.inp.rready } else { self.looking & too_old & !hinders };
        let lets_go = self.gives_up & self.inp.rready;
        let moves_on = self.looking & !too_old & !self.gives_up;
        let ends_look = moves_on & self.looked.all();
        let reads_age = self.now - self.reads_since;
        let due = limited & self.reads.any() & (reads_age > self.limit) & !self.looking;
        self.looking = due | (self.looking & !ends_look);
        if moves_on {
            self.looked += 1;
        }
        let oldest_age = self.now - self.oldest;
        if due {
            self.oldest = self.now;
        } else if moves_on & awaited & (age > oldest_age) {
            self.oldest = self.stamps.rdata;
        }
        if !self.reads.any() {
            self.reads_since = self.now;
        } else if ends_look {
            self.reads_since = self.oldest;
        }

        comment!("answers go to whose read it is, but those to what was given up");
        self.taken.raddr = self.axi.rid;
        self.given_up.raddr = self.axi.rid;
        let read = self.taken.rdata;
        let is_late = self.given_up.rdata;
        self.axi.rready = self.inp.rready & !self.gives_up;
        self.inp.rvalid = self.gives_up | (self.axi.rvalid & !is_late);
        self.inp.rid = if self.gives_up { late_read.id } else { read.id };
        self.inp.rdata = self.axi.rdata;
        let resp: Bits<2> = if self.axi.rresp.get_bit(1) { SLVERR } else { 0 };
        self.inp.rresp = if self.gives_up { GIVEN_UP } else { resp };
        self.inp.rlast = self.gives_up | self.axi.rlast;
        let ends = self.axi.rvalid & self.axi.rready & self.axi.rlast;
        let answered_at = if self.ready { self.axi.rid } else { self.slot };
        let answered = self.ready & read.turn;
        self.answered_looked.we = ends | frees;
        self.answered_looked.waddr = answered_at;
        self.answered_looked.wdata = answered;
        self.answered_ahead.we = ends | frees;
        self.answered_ahead.waddr = answered_at;
        self.answered_ahead.wdata = answered;
        let settled_at = if self.gives_up { self.looked } else { answered_at };
        let settles = ends | frees | lets_go;
        self.given_up.we = settles;
        self.given_up.waddr = settled_at;
        self.given_up.wdata = self.gives_up;
        self.given_up_looked.we = settles;
        self.given_up_looked.waddr = settled_at;
        self.given_up_looked.wdata = self.gives_up;
        let over = lets_go | (ends & !is_late);
        if takes ^ over {
            self.reads = if takes { self.reads + 1 } else { self.reads - 1 };
        }

        comment!("writes, as long as their answers can be counted");
        let room = !self.writes.get_bit(WRITES_LOG2) & !self.late.get_bit(WRITES_LOG2);
        self.axi.awvalid = self.inp.awvalid & room;
        self.axi.awaddr = self.inp.awaddr;
        self.axi.awlen = self.inp.awlen;
        self.axi.awuser = self.inp.awuser;
        self.inp.awready = self.axi.awready & room;
        let begins = self.inp.awvalid & self.axi.awready & room;
        self.axi.wvalid = self.inp.wvalid;
        self.axi.wdata = self.inp.wdata;
        self.axi.wstrb = self.inp.wstrb;
        self.axi.wlast = self.inp.wlast;
        self.inp.wready = self.axi.wready;

        comment!("their answers, late ones first; one that is offered stays as it is");
        let owes_late = self.late.any();
        let comes = self.axi.bvalid & !owes_late;
        self.inp.bvalid = self.expired | comes;
        let result: Bits<2> = if self.axi.bresp.get_bit(1) { SLVERR } else { 0 };
        self.inp.bresp = if self.expired { GIVEN_UP } else { result };
        self.axi.bready = owes_late | (self.inp.bready & !self.expired);
        let told = self.inp.bvalid & self.inp.bready;
        let some = self.writes.any();
        if told | !some {
            self.writes_since = self.now;
        }
        if begins ^ told {
            self.writes = if begins { self.writes + 1 } else { self.writes - 1 };
        }
        let write_age = self.now - self.writes_since;
        let write_old = some & limited & (write_age > self.limit);
        self.expired = if self.expired { !self.inp.bready } else { write_old & !told & !comes };
        let leaves = self.expired & self.inp.bready;
        let swallows = self.axi.bvalid & owes_late;
        if leaves ^ swallows {
            self.late = if leaves { self.late + 1 } else { self.late - 1 };
        }

        self.waits = limited & (self.reads.any() | some);
        let comes_in = self.inp.arvalid | self.axi.rvalid | self.inp.awvalid | self.inp.wvalid | self.axi.bvalid;
        let goes_on = due | self.looking | self.gives_up | !self.slot_free | self.expired | write_old;
        self.idle = !(comes_in | goes_on);
    }
}

#[cfg(test)]
#[path = "dma_guard_tests.rs"]
mod tests;
