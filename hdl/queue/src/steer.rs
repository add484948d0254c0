// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chooses the receiveqs of frames.

use crate::collector::Received;
use crate::control_unit::{KEY_BITS, Steering, TABLE_LOG2};
use crate::flow_fields::FlowFields;
use crate::toeplitz::Toeplitz;
use crate::types::BEAT_BITS;
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Ram, Reg, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use millrace_regs::host::control::hash_type;
use rust_hdl_core::prelude::*;

const fn bit(of: u32) -> usize {
    of.trailing_zeros() as usize
}
const IPV4: usize = bit(hash_type::IPV4);
const TCPV4: usize = bit(hash_type::TCPV4);
const UDPV4: usize = bit(hash_type::UDPV4);
const IPV6: usize = bit(hash_type::IPV6);
const TCPV6: usize = bit(hash_type::TCPV6);
const UDPV6: usize = bit(hash_type::UDPV6);

wire_struct! {
    /// A frame whose hash is on its way: what is done with it.
    pub struct Hashing {
        pub function: Bits<8>,
        pub mask: Bits<TABLE_LOG2>,
        pub unclassified: Bits<8>,
        /// Some hash type fits it.
        pub classified: Bit,
    }
}

/// Gives each of `frames` that is `steered` the pair that its function's driver wants it in (`docs/host.md`, "Steering"); the others pass. A frame in two clocks; the choice takes nine from the frame's second beat on, or its only one.
///
/// `TABLE_BITS` = FUNCTION_BITS + 7.
#[millrace_hdl::block]
pub struct Steer<const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize, const TABLE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Of `ControlUnit`.
    pub table_write: Signal<In, Bit>,
    pub table_index: Signal<In, Bits<TABLE_LOG2>>,
    pub table_entry: Signal<In, Bits<8>>,
    pub apply: Signal<In, Bit>,
    pub steering: Signal<In, Steering>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub function: Signal<In, Bits<8>>,
    /// A pulse: this function's frames are not steered any more.
    pub finished: Signal<In, Bit>,
    pub finished_function: Signal<In, Bits<8>>,
    /// Of `Collector`: bit i is that of function i + 1. There are no more frames between it and here than 30.
    pub steers: Signal<Out, Bits<FUNCTIONS>>,
    pub steered: Signal<In, Bit>,
    pub beat: Signal<In, Beat<BEAT_BITS, 7>>,
    pub steered_function: Signal<In, Bits<8>>,
    pub frames: Snk<Received<PAIR_BITS>>,
    pub out: Src<Received<PAIR_BITS>>,
    /// No steered frame is here, and nothing changes.
    pub idle: Signal<Out, Bit>,

    /// Bit f: function f has its frames steered.
    active: Reg<Bits<FUNCTIONS>>,
    keys: LutRam<Bits<KEY_BITS>, FUNCTION_BITS>,
    steerings: LutRam<Steering, FUNCTION_BITS>,
    table: Ram<Bits<8>, TABLE_BITS>,
    fields: FlowFields,
    toeplitz: Toeplitz,
    /// The functions of the frames that `fields` looks at.
    owners: LutFifo<Bits<8>, 3, 4>,
    owner_begins: Reg<Bit>,
    /// The frame that is hashed, in each clock of it; the one that is looked up.
    hashing: DffE<Hashing>,
    halved: DffE<Hashing>,
    hashed: DffE<Hashing>,
    looked: DffE<Hashing>,
    second: DffR<Bit>,
    third: DffR<Bit>,
    looks: DffR<Bit>,
    choices: LutFifo<Bits<8>, 5, 6>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const FUNCTIONS: usize, const FUNCTION_BITS: usize, const TABLE_BITS: usize>
    Steer<PAIR_BITS, FUNCTIONS, FUNCTION_BITS, TABLE_BITS>
{
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            TABLE_BITS == FUNCTION_BITS + TABLE_LOG2 && FUNCTIONS <= 1 << FUNCTION_BITS,
            "Steer<{PAIR_BITS}, {FUNCTIONS}, {FUNCTION_BITS}, {TABLE_BITS}>: sizes do not fit"
        );
        Self::default()
    }

    fn update(&mut self) {
        comment!("what drivers have set");
        let one: Bits<FUNCTIONS> = 1;
        let begun = if self.apply { one << self.function } else { 0 };
        let ended = if self.finished { one << self.finished_function } else { 0 };
        self.active = (self.active | begun) & !ended;
        self.steers = self.active >> 1_u64;
        self.keys.we = self.apply;
        self.keys.waddr = cast::<FUNCTION_BITS>(self.function);
        self.keys.wdata = self.key;
        self.steerings.we = self.apply;
        self.steerings.waddr = cast::<FUNCTION_BITS>(self.function);
        self.steerings.wdata = self.steering;
        self.table.we = self.table_write;
        self.table.waddr = concat::<TABLE_BITS>(cast::<FUNCTION_BITS>(self.function), self.table_index);
        self.table.wdata = self.table_entry;

        comment!("the hash of a frame");
        self.fields.valid = self.steered;
        self.fields.beat = self.beat;
        if self.steered {
            self.owner_begins = !self.beat.last;
        }
        self.owners.inp.valid = self.steered & !self.owner_begins;
        self.owners.inp.data = self.steered_function;
        let owner = self.owners.out.data;
        let found = self.fields.found;
        self.owners.out.ready = found;
        self.keys.raddr = cast::<FUNCTION_BITS>(owner);
        self.steerings.raddr = cast::<FUNCTION_BITS>(owner);
        let flow = self.fields.flow;
        let steering = self.steerings.rdata;
        let types = steering.types;
        let by_ports4 = (flow.tcp & types.get_bit(TCPV4)) | (flow.udp & types.get_bit(UDPV4));
        let by_ports6 = (flow.tcp & types.get_bit(TCPV6)) | (flow.udp & types.get_bit(UDPV6));
        let by_ports = (flow.ipv4 & by_ports4) | (flow.ipv6 & by_ports6);
        let by_addresses = (flow.ipv4 & types.get_bit(IPV4)) | (flow.ipv6 & types.get_bit(IPV6));
        let ports = if by_ports { flow.ports } else { 0 };
        let none: Bits<192> = 0;
        let short = concat::<288>(flow.addresses.get_bits::<64>(192), ports, none);
        self.toeplitz.start = found;
        self.toeplitz.data = if flow.ipv6 { concat::<288>(flow.addresses, ports) } else { short };
        self.toeplitz.key = self.keys.rdata;
        if found {
            self.hashing = Hashing {
                function: owner,
                mask: steering.mask,
                unclassified: steering.unclassified,
                classified: by_ports | by_addresses,
            };
        }
        self.second = found;
        self.third = self.second;
        if self.second {
            self.halved = self.hashing;
        }
        if self.third {
            self.hashed = self.halved;
        }

        comment!("its receiveq");
        let index = self.toeplitz.hash.get_bits::<TABLE_LOG2>(0) & self.hashed.mask;
        self.table.re = self.toeplitz.done;
        self.table.raddr = concat::<TABLE_BITS>(cast::<FUNCTION_BITS>(self.hashed.function), index);
        self.looks = self.toeplitz.done;
        if self.toeplitz.done {
            self.looked = self.hashed;
        }
        self.choices.inp.valid = self.looks;
        self.choices.inp.data = if self.looked.classified { self.table.rdata } else { self.looked.unclassified };

        comment!("the frame");
        let frame = self.frames.data;
        let is_chosen = !frame.steered | self.choices.out.valid;
        let chosen = if frame.steered { cast::<PAIR_BITS>(self.choices.out.data) } else { 0 };
        self.out.valid = self.frames.valid & is_chosen;
        self.out.data = Received::<PAIR_BITS> { pair: frame.pair + chosen, ..frame };
        self.frames.ready = self.out.ready & is_chosen;
        self.choices.out.ready = self.frames.valid & frame.steered & self.out.ready;
        let changes = self.table_write | self.apply | self.finished;
        let under_way = self.second | self.third | self.looks | !self.owners.empty | !self.choices.empty;
        self.idle = self.fields.idle & self.toeplitz.idle & !(changes | under_way);
    }
}

#[cfg(test)]
#[path = "steer_tests.rs"]
mod tests;
