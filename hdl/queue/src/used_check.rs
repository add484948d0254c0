// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks drivers whether they want to be told of used buffers.

use crate::types::{Fault, QueueConfig, RingAnswer, RingRead};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Reads under way at most, log2.
const UNDER_WAY: usize = 5;

wire_struct! {
    /// Where `avail.flags` is, or `used_event`.
    pub struct Flags {
        pub address: Bits<64>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// What a driver wants: what it wrote, and `used.idx` when it was asked.
    pub struct Wish<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        pub word: Bits<16>,
        pub index: Bits<16>,
        /// 0, or the reason of a fault.
        pub error: Bits<8>,
    }
}

/// Reads `avail.flags` of each queue that is `published`, and unless it says NO_INTERRUPT the queue is in `interrupt`. With EVENT_IDX `used_event` is read instead, and the queue is there if the entry with that
/// index was used since the queue was asked for before (virtio 2.7.7.2). Up to 32 queues are asked for at a time. A queue that
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
    pub published_index: Signal<In, Bits<16>>,
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
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    flags: LutRam<Flags, VQ_BITS>,
    /// Which 16 bits of a beat they are.
    lanes: LutRam<Bits<5>, VQ_BITS>,
    /// `used.idx` as it is visible; as it was when the queue was asked for last; when it was before that, unless that is the first time.
    visible: LutRam<Bits<16>, VQ_BITS>,
    asked_at: LutRam<Bits<16>, VQ_BITS>,
    before: LutRam<Bits<16>, VQ_BITS>,
    begins: Reg<Bits<VQS>>,
    /// EVENT_IDX is negotiated.
    events: Reg<Bits<VQS>>,
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
        let ring_end: Bits<64> = cast::<64>(self.opened.size) << 1;
        let behind: Bits<64> = if self.opened.features.event_idx { ring_end + 4 } else { 0 };
        let word_at = self.opened.driver + behind;
        self.flags.wdata = Flags { address: word_at, function: self.opened.function };
        self.lanes.we = self.open;
        self.lanes.waddr = self.open_vq;
        self.lanes.wdata = word_at.get_bits::<5>(1);

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
        self.visible.we = self.published;
        self.visible.waddr = self.published_vq;
        self.visible.wdata = self.published_index;
        self.visible.raddr = self.asked;
        self.asked_at.we = self.read.valid & self.read.ready;
        self.asked_at.waddr = self.asked;
        self.asked_at.wdata = self.visible.rdata;
        self.asked_at.raddr = answered;
        let in_beat = self.answer.data.data >> (cast::<9>(self.lanes.rdata) << 4);
        self.wishes.inp.valid = self.answer.valid;
        self.wishes.inp.data = Wish {
            vq: answered,
            word: in_beat.get_bits::<16>(0),
            index: self.asked_at.rdata,
            error: self.answer.data.error,
        };
        let wish = self.wishes.out.data;
        let wished = one << wish.vq;
        let failed = wish.error.any();
        self.before.raddr = wish.vq;
        let told = if (self.begins & wished).any() { 0 } else { self.before.rdata };
        let used = wish.index - told;
        let behind_event: Bits<16> = wish.index - wish.word - 1;
        let wants = if (self.events & wished).any() { behind_event < used } else { !wish.word.get_bit(0) };
        self.interrupt.valid = self.wishes.out.valid & !failed & wants;
        self.interrupt.data = wish.vq;
        self.fault.valid = self.wishes.out.valid & failed;
        self.fault.data = Fault { vq: wish.vq, reason: wish.error };
        self.wishes.out.ready = if failed { self.fault.ready } else { !wants | self.interrupt.ready };

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
        self.before.we = leaves;
        self.before.waddr = wish.vq;
        self.before.wdata = wish.index;
        let opens = if self.open { one << self.open_vq } else { 0 };
        let heard = if leaves { wished } else { 0 };
        self.begins = (self.begins & !heard) | opens;
        let with_events = if self.opened.features.event_idx { opens } else { 0 };
        self.events = (self.events & !opens) | with_events;
        if takes | skips | leaves {
            self.places = self.places + cast::<6>(takes) - cast::<6>(skips) - cast::<6>(leaves);
        }
        self.rests = !self.places.any();
        let asks = self.chosen_valid | self.asked_valid | (self.arbiter.any & has_place);
        let comes_in = self.answer.valid | self.published | self.open;
        self.idle = self.wishes.empty & !(asks | comes_in);
    }
}
