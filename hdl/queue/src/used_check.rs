// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks drivers whether they want to be told of used buffers.

use crate::types::{Fault, QueueConfig, RingAnswer, RingRead};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Reads under way at most, log2.
const UNDER_WAY: usize = 5;

wire_struct! {
    /// Where `avail.flags` is.
    pub struct Flags {
        pub address: Bits<64>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// What a driver wants.
    pub struct Wish<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        pub interrupt: Bit,
        /// 0, or the reason of a fault.
        pub error: Bits<8>,
    }
}

/// Reads `avail.flags` of each queue that is `published`, and unless it says NO_INTERRUPT the queue is in `interrupt`. Up to 32 queues are asked for at a time. A queue that
/// is published again before it is asked for is asked for once, and one that is published while it is asked for again.
#[millrace_hdl::block]
pub struct UsedCheck<const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_vq` is enabled.
    pub open: Signal<In, Bit>,
    pub open_vq: Signal<In, Bits<VQ_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub stopped: Signal<In, Bits<VQS>>,
    /// `used.idx` of this queue was written, and is visible.
    pub published: Signal<In, Bit>,
    pub published_vq: Signal<In, Bits<VQ_BITS>>,
    /// Nothing more is asked for meanwhile, and this queue is not to be any more.
    pub pause: Signal<In, Bit>,
    pub pause_vq: Signal<In, Bits<VQ_BITS>>,
    /// Tagged with the queue.
    pub read: Src<RingRead>,
    /// Always ready.
    pub answer: Snk<RingAnswer>,
    pub interrupt: Src<Bits<VQ_BITS>>,
    pub fault: Src<Fault<VQ_BITS>>,
    /// Nothing is under way.
    pub rests: Signal<Out, Bit>,
    /// Nor is there anything to ask for.
    pub idle: Signal<Out, Bit>,

    flags: LutRam<Flags, VQ_BITS>,
    /// Which 16 bits of a beat they are.
    lanes: LutRam<Bits<5>, VQ_BITS>,
    /// To ask for, and being asked for.
    due: Reg<Bits<VQS>>,
    asking: Reg<Bits<VQS>>,
    arbiter: RoundRobin<VQS>,
    chosen: DffE<Bits<VQS>>,
    chosen_valid: DffR<Bit>,
    asked: DffE<Bits<VQ_BITS>>,
    asked_valid: DffR<Bit>,
    /// Questions, each of which has a place in `wishes`.
    places: Reg<Bits<6>>,
    wishes: LutFifo<Wish<VQ_BITS>, UNDER_WAY, 6>,
}

#[millrace_hdl::block]
impl<const VQS: usize, const VQ_BITS: usize> UsedCheck<VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        self.flags.we = self.open;
        self.flags.waddr = self.open_vq;
        self.flags.wdata = Flags { address: self.opened.driver, function: self.opened.function };
        self.lanes.we = self.open;
        self.lanes.waddr = self.open_vq;
        self.lanes.wdata = self.opened.driver.get_bits::<5>(1);

        comment!("a queue is chosen, then asked for unless it has stopped");
        self.flags.raddr = self.asked;
        let gone = (self.stopped & (one << self.asked)).any();
        self.read.valid = self.asked_valid & !gone;
        self.read.data = RingRead {
            address: self.flags.rdata.address,
            function: self.flags.rdata.function,
            tag: cast::<8>(self.asked),
        };
        let asked_free = !self.asked_valid | gone | self.read.ready;
        let chosen_free = !self.chosen_valid | asked_free;
        let has_place = !self.places.get_bit(UNDER_WAY);
        self.arbiter.request = self.due & !self.asking;
        let takes = self.arbiter.any & has_place & chosen_free & !self.pause;
        self.arbiter.take = takes;
        self.chosen_valid = takes | !chosen_free;
        if chosen_free {
            self.chosen = self.arbiter.grant;
        }
        let mut number: Bits<VQ_BITS> = 0;
        for i in 0..VQS {
            if self.chosen.get_bit(i) {
                number |= i;
            }
        }
        self.asked_valid = self.chosen_valid | !asked_free;
        if asked_free {
            self.asked = number;
        }

        comment!("its answer");
        self.answer.ready = true;
        let answered = cast::<VQ_BITS>(self.answer.data.tag);
        self.lanes.raddr = answered;
        let mut lowest: Bits<32> = 0;
        for i in 0..32 {
            lowest.set_bit(i, self.answer.data.data.get_bit(16 * i));
        }
        let no_interrupt = (lowest >> self.lanes.rdata).get_bit(0);
        self.wishes.inp.valid = self.answer.valid;
        self.wishes.inp.data = Wish { vq: answered, interrupt: !no_interrupt, error: self.answer.data.error };
        let wish = self.wishes.out.data;
        let failed = wish.error.any();
        self.interrupt.valid = self.wishes.out.valid & !failed & wish.interrupt;
        self.interrupt.data = wish.vq;
        self.fault.valid = self.wishes.out.valid & failed;
        self.fault.data = Fault { vq: wish.vq, reason: wish.error };
        self.wishes.out.ready = if failed { self.fault.ready } else { !wish.interrupt | self.interrupt.ready };

        comment!("what is to be done, and what is under way");
        let published = if self.published { one << self.published_vq } else { 0 };
        let taken = if takes { self.arbiter.grant } else { 0 };
        let forgotten = if self.pause { one << self.pause_vq } else { 0 };
        self.due = (self.due & !taken & !forgotten) | published;
        let skips = self.asked_valid & gone;
        let skipped = if skips { one << self.asked } else { 0 };
        let back = if self.answer.valid { one << answered } else { 0 };
        self.asking = (self.asking & !skipped & !back) | taken;
        let leaves = self.wishes.out.valid & self.wishes.out.ready;
        if takes | skips | leaves {
            self.places = self.places + cast::<6>(takes) - cast::<6>(skips) - cast::<6>(leaves);
        }
        self.rests = !self.places.any();
        self.idle = !self.places.any() & !self.due.any() & !self.published;
    }
}
