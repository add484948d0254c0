// SPDX-License-Identifier: MIT OR Apache-2.0
//! The DMA port of the rings.

use crate::axi::AxiMaster;
use crate::types::{BEAT_BITS, RingAnswer, RingRead, RingWrite, Window, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, RoundRobin, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Who reads.
pub const READERS: usize = 8;
/// Who writes.
pub const WRITERS: usize = 7;
/// Identifiers: number of the reader above its tag.
pub const ID_BITS: usize = 11;

wire_struct! {
    /// An answer on its way.
    pub struct Returned {
        pub id: Bits<ID_BITS>,
        pub data: Bits<BEAT_BITS>,
        pub error: Bits<8>,
    }
}

wire_struct! {
    /// What became of a write.
    pub struct Written {
        /// Whose it was.
        pub by: Bits<3>,
        /// 0, or the reason of a fault.
        pub error: Bits<8>,
    }
}

/// Reads of whole beats for eight readers, in turn, whose tags may be in use once each; and writes for seven writers, in turn, which take effect in the order in which they were taken; up to 256 of them
/// are under way.
///
/// What a function may not touch is not asked for: the answer is the reason of the fault.
#[millrace_hdl::block]
pub struct RingPort<const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window_write: Signal<In, Bit>,
    pub window_function: Signal<In, Bits<8>>,
    pub window: Signal<In, Window>,
    #[count(READERS)]
    pub read: Vec<Snk<RingRead>>,
    #[count(READERS)]
    pub answer: Vec<Src<RingAnswer>>,
    #[count(WRITERS)]
    pub write: Vec<Snk<RingWrite>>,
    /// Of each writer's writes, in their order: 0, or the reason of a fault. One that is not taken holds up those of all.
    #[count(WRITERS)]
    pub written: Vec<Src<Bits<8>>>,
    pub axi: AxiMaster<Bits<ID_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    windows: LutRam<Window, FUNCTION_BITS>,
    windows_write: LutRam<Window, FUNCTION_BITS>,
    arbiter: RoundRobin<READERS>,
    /// The read that was chosen, and whose it is; then what is asked for, or the answer of what is not.
    chosen: DffE<RingRead>,
    chosen_by: DffE<Bits<3>>,
    chosen_valid: DffR<Bit>,
    asked: DffE<RingRead>,
    asked_by: DffE<Bits<3>>,
    asked_valid: DffR<Bit>,
    refused: DffE<Bits<ID_BITS>>,
    refused_valid: DffR<Bit>,
    returned: Skid<Returned>,

    /// The write that came, and whose it is; then what is left of it to hand over; and whose those are that are not answered.
    writers: RoundRobin<WRITERS>,
    came: DffE<RingWrite>,
    came_by: DffE<Bits<3>>,
    came_valid: DffR<Bit>,
    placed: DffE<RingWrite>,
    address_valid: DffR<Bit>,
    data_valid: DffR<Bit>,
    owners: LutFifo<Bits<3>, 8, 9>,
    results: Skid<Written>,
}

/// Whether the byte at `address` is in a window.
#[millrace_hdl::function]
fn inside(address: Bits<64>, window: Window) -> Bit {
    let page = address.get_bits::<52>(12);
    (page >= window.first) & (page <= window.last)
}

/// The reason of a fault that a response is; 0: none.
#[millrace_hdl::function]
fn failure(response: Bits<2>) -> Bits<8> {
    let mut error: Bits<8> = 0;
    if response.get_bit(1) {
        error = if response.get_bit(0) { reason::TIME_OUT } else { reason::BUS };
    }
    error
}

#[millrace_hdl::block]
impl<const FUNCTION_BITS: usize> RingPort<FUNCTION_BITS> {
    fn update(&mut self) {
        self.windows.we = self.window_write;
        self.windows.waddr = cast::<FUNCTION_BITS>(self.window_function);
        self.windows.wdata = self.window;
        self.windows_write.we = self.window_write;
        self.windows_write.waddr = cast::<FUNCTION_BITS>(self.window_function);
        self.windows_write.wdata = self.window;

        comment!("a read is asked for, or refused");
        self.windows.raddr = cast::<FUNCTION_BITS>(self.chosen.function);
        let allowed = inside(self.chosen.address, self.windows.rdata);
        let asked_free = !self.asked_valid | self.axi.arready;
        let refused_free = !self.refused_valid;
        let asks = self.chosen_valid & allowed & asked_free;
        let refuses = self.chosen_valid & !allowed & refused_free;
        self.asked_valid = asks | (self.asked_valid & !self.axi.arready);
        if asked_free {
            self.asked = self.chosen;
            self.asked_by = self.chosen_by;
        }
        self.axi.arvalid = self.asked_valid;
        self.axi.arid = concat::<ID_BITS>(self.asked_by, self.asked.tag);
        let beat_zero: Bits<6> = 0;
        self.axi.araddr = concat::<64>(self.asked.address.get_bits::<58>(6), beat_zero);
        self.axi.arlen = 0;
        self.axi.aruser = self.asked.function;
        let chosen_free = !self.chosen_valid | asks | refuses;

        comment!("whose turn it is to read");
        let mut requests: Bits<READERS> = 0;
        for i in 0..READERS {
            requests.set_bit(i, self.read[i].valid);
        }
        self.arbiter.request = requests;
        self.arbiter.take = chosen_free & self.arbiter.any;
        let mut next = RingRead::default();
        let mut by: Bits<3> = 0;
        for i in 0..READERS {
            let granted = self.arbiter.grant.get_bit(i);
            self.read[i].ready = chosen_free & granted;
            if granted {
                next.address |= self.read[i].data.address;
                next.function |= self.read[i].data.function;
                next.tag |= self.read[i].data.tag;
                by |= i;
            }
        }
        self.chosen_valid = self.arbiter.any | !chosen_free;
        if chosen_free {
            self.chosen = next;
            self.chosen_by = by;
        }

        comment!("answers, and refusals between them");
        let refusal = self.refused_valid & !self.axi.rvalid;
        self.axi.rready = self.returned.inp.ready;
        self.returned.inp.valid = self.axi.rvalid | refusal;
        let bus_error: Bits<8> = failure(self.axi.rresp);
        self.returned.inp.data = if refusal {
            Returned { id: self.refused, data: 0, error: reason::WINDOW }
        } else {
            Returned { id: self.axi.rid, data: self.axi.rdata, error: bus_error }
        };
        self.refused_valid = refuses | (self.refused_valid & !(refusal & self.returned.inp.ready));
        if refuses {
            self.refused = concat::<ID_BITS>(self.chosen_by, self.chosen.tag);
        }
        let back = self.returned.out.data;
        let reader = back.id.get_bits::<3>(8);
        let mut accepted = false;
        for i in 0..READERS {
            let own = reader == i;
            self.answer[i].valid = self.returned.out.valid & own;
            self.answer[i].data = RingAnswer { tag: back.id.get_bits::<8>(0), data: back.data, error: back.error };
            accepted |= own & self.answer[i].ready;
        }
        self.returned.out.ready = accepted;

        comment!("a write is handed over, address and data, or refused when those before it are done");
        let placed_free = (!self.address_valid | self.axi.awready) & (!self.data_valid | self.axi.wready);
        self.windows_write.raddr = cast::<FUNCTION_BITS>(self.came.function);
        let may_write = inside(self.came.address, self.windows_write.rdata);
        let hands_over = self.came_valid & may_write & placed_free & self.owners.inp.ready;
        let denies = self.came_valid & !may_write & self.owners.empty;
        self.address_valid = hands_over | (self.address_valid & !self.axi.awready);
        self.data_valid = hands_over | (self.data_valid & !self.axi.wready);
        if placed_free {
            self.placed = self.came;
        }
        self.axi.awvalid = self.address_valid;
        self.axi.awaddr = concat::<64>(self.placed.address.get_bits::<58>(6), beat_zero);
        self.axi.awlen = 0;
        self.axi.awuser = self.placed.function;
        self.axi.wvalid = self.data_valid;
        self.axi.wdata = self.placed.data;
        self.axi.wstrb = self.placed.strobe;
        self.axi.wlast = true;

        self.owners.inp.valid = hands_over;
        self.owners.inp.data = self.came_by;

        comment!("whose turn it is to write");
        let mut offers: Bits<WRITERS> = 0;
        for i in 0..WRITERS {
            offers.set_bit(i, self.write[i].valid);
        }
        self.writers.request = offers;
        let result_free = self.results.inp.ready;
        let denied = denies & result_free;
        let came_free = !self.came_valid | hands_over | denied;
        self.writers.take = came_free & self.writers.any;
        let mut coming = RingWrite::default();
        let mut coming_by: Bits<3> = 0;
        for i in 0..WRITERS {
            let granted = self.writers.grant.get_bit(i);
            self.write[i].ready = came_free & granted;
            if granted {
                coming.address |= self.write[i].data.address;
                coming.function |= self.write[i].data.function;
                coming.data |= self.write[i].data.data;
                coming.strobe |= self.write[i].data.strobe;
                coming_by |= i;
            }
        }
        self.came_valid = self.writers.any | !came_free;
        if came_free {
            self.came = coming;
            self.came_by = coming_by;
        }

        comment!("the result of a write goes to its writer");
        self.axi.bready = result_free;
        let answered = self.axi.bvalid & result_free;
        let bus_fails: Bits<8> = failure(self.axi.bresp);
        self.results.inp.valid = self.axi.bvalid | denies;
        self.results.inp.data = if denies {
            Written { by: self.came_by, error: reason::WINDOW }
        } else {
            Written { by: self.owners.out.data, error: bus_fails }
        };
        self.owners.out.ready = answered;
        let result = self.results.out.data;
        let mut delivered = false;
        for i in 0..WRITERS {
            let own = result.by == i;
            self.written[i].valid = self.results.out.valid & own;
            self.written[i].data = result.error;
            delivered |= own & self.written[i].ready;
        }
        self.results.out.ready = delivered;
        let held = self.chosen_valid | self.asked_valid | self.refused_valid | self.came_valid;
        let leaving = self.address_valid | self.data_valid | !self.returned.empty | !self.results.empty;
        let comes_in = requests.any() | offers.any() | self.axi.rvalid | self.axi.bvalid | self.window_write;
        self.idle = !(held | leaving | comes_in);
    }
}
