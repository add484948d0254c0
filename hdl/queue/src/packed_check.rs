// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks drivers of packed virtqueues whether they want to be told of used buffers.

use crate::types::{Fault, QueueConfig, RingAnswer, RingRead};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Reads under way at most, log2.
const UNDER_WAY: usize = 5;
/// `RING_EVENT_FLAGS_DISABLE`, `RING_EVENT_FLAGS_DESC` (virtio 2.8.14).
const DISABLE: u64 = 1;
const DESC: u64 = 2;

wire_struct! {
    /// The driver's event suppression, and what it is judged by.
    pub struct Suppression {
        /// Without bits 1:0.
        pub address: Bits<62>,
        pub function: Bits<8>,
        pub size: Bits<9>,
        pub event_idx: Bit,
    }
}

wire_struct! {
    /// The place of the next used descriptor, and whether the ring has been gone through an odd number of times.
    pub struct UsedPlace {
        pub index: Bits<8>,
        pub odd: Bit,
    }
}

wire_struct! {
    /// What a driver says.
    pub struct Said<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        /// Place in 15:0, flags in 17:16.
        pub event: Bits<18>,
        /// 0, or the reason of a fault.
        pub error: Bits<8>,
    }
}

/// Reads the event suppression of each queue that is `published`; the queue is in `interrupt` if it asks for that. Up to 32 queues are asked for at a time. A queue that
/// is published again before it is asked for is asked for once, and one that is published while it is asked for again.
#[millrace_hdl::block]
pub struct PackedCheck<const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The packed queue of `open_vq` is enabled.
    pub open: Signal<In, Bit>,
    pub open_vq: Signal<In, Bits<VQ_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub stopped: Signal<In, Bits<VQS>>,
    /// Used descriptors of this queue are visible, up to this place. Not in a clock with `open`.
    pub published: Signal<In, Bit>,
    pub published_vq: Signal<In, Bits<VQ_BITS>>,
    pub published_place: Signal<In, UsedPlace>,
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

    areas: LutRam<Suppression, VQ_BITS>,
    areas_answered: LutRam<Suppression, VQ_BITS>,
    areas_said: LutRam<Suppression, VQ_BITS>,
    /// Of each queue: what is visible, was when it was asked, and was when it was asked before.
    visible: LutRam<UsedPlace, VQ_BITS>,
    now: LutRam<UsedPlace, VQ_BITS>,
    before: LutRam<UsedPlace, VQ_BITS>,
    /// To ask for, and being asked for.
    due: Reg<Bits<VQS>>,
    asking: Reg<Bits<VQS>>,
    arbiter: RoundRobin<VQS>,
    chosen: DffE<Bits<VQS>>,
    chosen_valid: DffR<Bit>,
    asked: DffE<Bits<VQ_BITS>>,
    asked_valid: DffR<Bit>,
    /// Questions, each of which has a place in `answers`.
    places: Reg<Bits<6>>,
    answers: LutFifo<Said<VQ_BITS>, UNDER_WAY, 6>,
    /// The answer that is looked at: whether the driver is to be told.
    said: DffE<Said<VQ_BITS>>,
    said_valid: DffR<Bit>,
    wants: DffE<Bit>,
}

#[millrace_hdl::block]
impl<const VQS: usize, const VQ_BITS: usize> PackedCheck<VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        let area: Suppression = Suppression {
            address: self.opened.driver.get_bits::<62>(2),
            function: self.opened.function,
            size: self.opened.size,
            event_idx: self.opened.features.event_idx,
        };
        self.areas.we = self.open;
        self.areas.waddr = self.open_vq;
        self.areas.wdata = area;
        self.areas_answered.we = self.open;
        self.areas_answered.waddr = self.open_vq;
        self.areas_answered.wdata = area;
        self.areas_said.we = self.open;
        self.areas_said.waddr = self.open_vq;
        self.areas_said.wdata = area;

        comment!("a queue is chosen, then asked for unless it has stopped");
        self.areas.raddr = self.asked;
        let gone = (self.stopped & (one << self.asked)).any();
        let no_bits: Bits<2> = 0;
        self.read.valid = self.asked_valid & !gone;
        self.read.data = RingRead {
            address: concat::<64>(self.areas.rdata.address, no_bits),
            function: self.areas.rdata.function,
            tag: cast::<8>(self.asked),
        };
        let asks = self.asked_valid & !gone & self.read.ready;
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
        self.visible.raddr = self.asked;
        self.now.we = asks;
        self.now.waddr = self.asked;
        self.now.wdata = self.visible.rdata;

        comment!("its answer");
        self.answer.ready = true;
        let answered = cast::<VQ_BITS>(self.answer.data.tag);
        self.areas_answered.raddr = answered;
        let lane = self.areas_answered.rdata.address.get_bits::<4>(0);
        let word = (self.answer.data.data >> (cast::<9>(lane) << 5)).get_bits::<18>(0);
        self.answers.inp.valid = self.answer.valid;
        self.answers.inp.data = Said { vq: answered, event: word, error: self.answer.data.error };

        comment!("whether the place that it names is among those that were used since it was asked before");
        let next = self.answers.out.data;
        self.areas_said.raddr = next.vq;
        self.now.raddr = next.vq;
        self.before.raddr = next.vq;
        let judged = self.areas_said.rdata;
        let now = self.now.rdata;
        let before = self.before.rdata;
        let lap = cast::<17>(judged.size);
        let turned = if now.odd == before.odd { 0 } else { lap };
        let used = cast::<17>(now.index) - cast::<17>(before.index) + turned;
        let named = cast::<17>(next.event.get_bits::<15>(0));
        // The wrap counter is 1 on even laps.
        let same_lap = next.event.get_bit(15) != now.odd;
        let named_before = if same_lap { 0 } else { lap };
        let behind = cast::<17>(now.index) - named + named_before;
        let is_among = behind.any() & (behind <= used);
        let flags = next.event.get_bits::<2>(16);
        let names_place = (flags == DESC) & judged.event_idx;
        let said = self.said;
        let failed = said.error.any();
        self.interrupt.valid = self.said_valid & !failed & self.wants;
        self.interrupt.data = said.vq;
        self.fault.valid = self.said_valid & failed;
        self.fault.data = Fault { vq: said.vq, reason: said.error };
        let taken_on = if failed { self.fault.ready } else { !self.wants | self.interrupt.ready };
        let leaves = self.said_valid & taken_on;
        let said_free = !self.said_valid | leaves;
        let comes = self.answers.out.valid & said_free & !self.open;
        self.answers.out.ready = said_free & !self.open;
        self.said_valid = comes | !said_free;
        if said_free {
            self.said = next;
            self.wants = if names_place { is_among } else { flags != DISABLE };
        }
        let none: UsedPlace = UsedPlace::default();
        self.before.we = comes | self.open;
        self.before.waddr = if self.open { self.open_vq } else { next.vq };
        self.before.wdata = if self.open { none } else { now };
        self.visible.we = self.published | self.open;
        self.visible.waddr = if self.open { self.open_vq } else { self.published_vq };
        self.visible.wdata = if self.open { none } else { self.published_place };

        comment!("what is to be done, and what is under way");
        let published = if self.published { one << self.published_vq } else { 0 };
        let taken = if takes { self.arbiter.grant } else { 0 };
        let forgotten = if self.pause { one << self.pause_vq } else { 0 };
        self.due = (self.due & !taken & !forgotten) | published;
        let skips = self.asked_valid & gone;
        let skipped = if skips { one << self.asked } else { 0 };
        let back = if leaves { one << said.vq } else { 0 };
        self.asking = (self.asking & !skipped & !back) | taken;
        if takes | skips | leaves {
            self.places = self.places + cast::<6>(takes) - cast::<6>(skips) - cast::<6>(leaves);
        }
        self.rests = !self.places.any();
        let asks = self.chosen_valid | self.asked_valid | (self.arbiter.any & has_place);
        let comes_in = self.answer.valid | self.published | self.open;
        self.idle = self.answers.empty & !(asks | self.said_valid | comes_in);
    }
}
