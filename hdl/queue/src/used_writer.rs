// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the used rings, and asks whether the driver wants to be told.

use crate::types::{Fault, QueueConfig, RingAnswer, RingRead, RingWrite, Used};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Entries that one write of `used.idx` tells of, at most.
pub const BATCH: u64 = 16;

/// Of the entry that is written.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum UsedState {
    Idle,
    Place,
    Entry,
    /// The entry's length, where it lies in another beat.
    Length,
    Index,
    Reset,
}

/// Of the queue whose driver may want to be told.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum CheckState {
    Idle,
    Choose,
    /// Its `used.idx` is being written.
    Settle,
    Ask,
    Answer,
    Tell,
    Fault,
}

wire_struct! {
    /// A used ring.
    pub struct UsedRing {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// Where `avail.flags` is.
    pub struct Flags {
        pub address: Bits<64>,
        pub function: Bits<8>,
    }
}

/// Puts the chains of `sent` (transmitqs) and `received` (receiveqs) on the used rings of their queues, `VQS` in all.
///
/// Entries of one queue that come one after the other share a write of `used.idx`, up to 16 or those of a frame. When that has been answered, `avail.flags` is read, and unless
/// it says NO_INTERRUPT the queue is in `interrupt`; a queue that is written again meanwhile is asked for again. Of a queue that has stopped nothing is written.
#[millrace_hdl::block]
pub struct UsedWriter<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_vq` is enabled.
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
    /// Nothing is held or under way.
    pub idle: Signal<Out, Bit>,

    rings: LutRam<UsedRing, VQ_BITS>,
    flags: LutRam<Flags, VQ_BITS>,
    indices: LutRam<Bits<16>, VQ_BITS>,
    state: DffR<UsedState>,
    vq: DffE<Bits<VQ_BITS>>,
    item: DffE<Used<PAIR_BITS>>,
    address: DffE<Bits<64>>,
    /// The last side that was served.
    turn: DffR<Bit>,
    /// `used.idx` of the queue in `vq` is behind, by so many entries; and the frame of the last of them has more chains.
    behind: DffR<Bits<5>>,
    owes: DffR<Bit>,
    /// One of the frame's chains was lost, and the rest goes with it.
    loses_rest: DffR<Bit>,
    /// Whose write is under way; writes that were made, and answered, modulo 256.
    owners: LutFifo<Bits<VQ_BITS>, 4, 5>,
    made: Reg<Bits<8>>,
    answered: Reg<Bits<8>>,

    /// Queues to ask for.
    due: Reg<Bits<VQS>>,
    arbiter: RoundRobin<VQS>,
    check: DffR<CheckState>,
    chosen: DffE<Bits<VQS>>,
    asked: DffE<Bits<VQ_BITS>>,
    mark: DffE<Bits<8>>,
    error: DffE<Bits<8>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> UsedWriter<PAIR_BITS, VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        let here = one << self.vq;
        self.rings.we = self.open;
        self.rings.waddr = self.open_vq;
        self.rings.wdata =
            UsedRing { address: self.opened.device, size_log2: self.opened.size_log2, function: self.opened.function };
        self.flags.we = self.open;
        self.flags.waddr = self.open_vq;
        self.flags.wdata = Flags { address: self.opened.driver, function: self.opened.function };
        self.rings.raddr = self.vq;
        self.indices.raddr = self.vq;
        let ring = self.rings.rdata;
        let index = self.indices.rdata;

        comment!("which chain is next: one more of the queue that is behind, or one of the side whose turn it is");
        let sent_vq = concat::<VQ_BITS>(self.sent.data.pair, true);
        let received_vq = concat::<VQ_BITS>(self.received.data.pair, false);
        let goes_on_sent = self.sent.valid & (sent_vq == self.vq) & !self.sent.data.reset;
        let goes_on_received = self.received.valid & (received_vq == self.vq) & !self.received.data.reset;
        let is_behind = self.behind.any();
        let stays = is_behind & (self.behind < BATCH) & (goes_on_sent | goes_on_received);
        let prefers_sent = if self.owes {
            false
        } else if stays {
            goes_on_sent
        } else {
            self.sent.valid & (!self.received.valid | !self.turn)
        };
        let item = if prefers_sent { self.sent.data } else { self.received.data };
        let item_vq = if prefers_sent { sent_vq } else { received_vq };
        let chooses = if self.owes {
            self.received.valid
        } else {
            (self.sent.valid | self.received.valid) & (stays | !is_behind)
        };
        let takes = (self.state == UsedState::Idle) & chooses;
        let is_stopped = (self.stopped & (one << item_vq)).any();
        self.sent.ready = takes & prefers_sent;
        self.received.ready = takes & !prefers_sent;

        comment!("its entry, and used.idx when no more follows");
        let one_entry: Bits<9> = 1;
        let place = index & cast::<16>((one_entry << ring.size_log2) - 1);
        let entry = ring.address + (cast::<64>(place) << 3) + 4;
        let apart = self.address.get_bits::<6>(0) == 60;
        let id = cast::<32>(self.item.head);
        let is_entry = self.state == UsedState::Entry;
        let is_length = self.state == UsedState::Length;
        let is_index = self.state == UsedState::Index;
        self.write.valid = (is_entry | is_length | is_index) & self.owners.inp.ready;
        self.write.data = RingWrite {
            address: if is_index {
                ring.address + 2
            } else if is_length {
                self.address + 4
            } else {
                self.address
            },
            function: ring.function,
            data: if is_index {
                cast::<64>(index)
            } else if is_length {
                cast::<64>(self.item.length)
            } else {
                concat::<64>(cast::<32>(self.item.length), id)
            },
            strobe: if is_index {
                0x03
            } else if is_length | apart {
                0x0f
            } else {
                0xff
            },
        };
        let writes = self.write.valid & self.write.ready;
        self.owners.inp.valid = writes;
        self.owners.inp.data = self.vq;
        if writes {
            self.made += 1;
        }
        let entered = writes & ((is_entry & !apart) | is_length);
        let rests = self.owners.empty & (self.check == CheckState::Idle);
        let is_reset = self.state == UsedState::Reset;
        self.reset_done = is_reset & rests;
        self.indices.we = entered | self.reset_done;
        self.indices.waddr = self.vq;
        self.indices.wdata = if is_reset { 0 } else { index + 1 };
        let loses = takes & (item.void | is_stopped | self.loses_rest);
        self.loses_rest = if takes { loses & item.partial & !item.reset } else { self.loses_rest };
        self.owes = if takes { item.partial & !item.reset } else { self.owes };
        self.behind = if is_reset | (is_index & writes) | loses {
            0
        } else if entered {
            self.behind + 1
        } else {
            self.behind
        };
        if takes {
            self.vq = item_vq;
            self.item = item;
            self.turn = prefers_sent;
        } else {
            self.turn = self.turn;
        }
        self.address = entry;
        self.address.en = self.state == UsedState::Place;
        let mut state = self.state;
        match self.state {
            UsedState::Idle => {
                if takes & item.reset {
                    state = UsedState::Reset;
                } else if takes & !loses {
                    state = UsedState::Place;
                } else if is_behind & !takes & !self.owes {
                    state = UsedState::Index;
                }
            }
            UsedState::Place => {
                state = UsedState::Entry;
            }
            UsedState::Entry => {
                if writes {
                    state = if apart { UsedState::Length } else { UsedState::Idle };
                }
            }
            UsedState::Length => {
                if writes {
                    state = UsedState::Idle;
                }
            }
            UsedState::Index => {
                if writes {
                    state = UsedState::Idle;
                }
            }
            UsedState::Reset => {
                if rests {
                    state = UsedState::Idle;
                }
            }
        }
        self.state = state;

        comment!("answers to writes; the reason of a fault waits for its turn");
        let failed = self.written.data.any();
        let checks_fault = self.check == CheckState::Fault;
        let write_fails = self.written.valid & failed & !checks_fault;
        self.fault.valid = write_fails | checks_fault;
        self.fault.data = if checks_fault {
            Fault { vq: self.asked, reason: self.error }
        } else {
            Fault { vq: self.owners.out.data, reason: self.written.data }
        };
        self.written.ready = !failed | (!checks_fault & self.fault.ready);
        let answers = self.written.valid & self.written.ready;
        self.owners.out.ready = answers;
        if answers {
            self.answered += 1;
        }

        comment!("who may want to be told");
        self.arbiter.request = self.due;
        self.arbiter.take = (self.check == CheckState::Idle) & self.due.any() & !is_reset;
        self.chosen = self.arbiter.grant;
        self.chosen.en = self.arbiter.take;
        let published = if is_index & writes { here } else { 0 };
        let taken = if self.arbiter.take { self.arbiter.grant } else { 0 };
        let forgotten = if is_reset { here } else { 0 };
        self.due = (self.due & !taken & !forgotten) | published;
        self.flags.raddr = self.asked;
        let place_of_flags = self.flags.rdata.address;
        let gone = (self.stopped & (one << self.asked)).any();
        let behind_mark = (self.answered - self.mark).get_bit(7);
        self.read.valid = self.check == CheckState::Ask;
        self.read.data = RingRead { address: place_of_flags, function: self.flags.rdata.function, tag: 0 };
        self.answer.ready = self.check == CheckState::Answer;
        let word = (self.answer.data.data >> (cast::<9>(place_of_flags.get_bits::<5>(1)) << 4)).get_bits::<16>(0);
        self.interrupt.valid = self.check == CheckState::Tell;
        self.interrupt.data = self.asked;
        let mut check = self.check;
        match self.check {
            CheckState::Idle => {
                if self.arbiter.take {
                    check = CheckState::Choose;
                }
            }
            CheckState::Choose => {
                let mut number: Bits<VQ_BITS> = 0;
                for i in 0..VQS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.asked = number;
                self.mark = self.made;
                check = CheckState::Settle;
            }
            CheckState::Settle => {
                if gone {
                    check = CheckState::Idle;
                } else if !behind_mark {
                    check = CheckState::Ask;
                }
            }
            CheckState::Ask => {
                if self.read.ready {
                    check = CheckState::Answer;
                }
            }
            CheckState::Answer => {
                self.error = self.answer.data.error;
                if self.answer.valid {
                    check = if self.answer.data.error.any() {
                        CheckState::Fault
                    } else if word.get_bit(0) {
                        CheckState::Idle
                    } else {
                        CheckState::Tell
                    };
                }
            }
            CheckState::Tell => {
                if self.interrupt.ready {
                    check = CheckState::Idle;
                }
            }
            CheckState::Fault => {
                if self.fault.ready {
                    check = CheckState::Idle;
                }
            }
        }
        self.check = check;
        let at_work = (self.state != UsedState::Idle) | (self.check != CheckState::Idle) | is_behind | self.due.any();
        self.idle = !(at_work | self.sent.valid | self.received.valid | !self.owners.empty);
    }
}

#[cfg(test)]
#[path = "used_writer_tests.rs"]
mod tests;
