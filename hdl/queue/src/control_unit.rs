// SPDX-License-Identifier: MIT OR Apache-2.0
//! Does what drivers ask for in their controlqs.

use crate::control_fetch::{BYTES_LOG2, Command};
use crate::types::{BEAT_BITS, Fault, MacChange, RingWrite, Used};
use millrace_hdl::base::{DffE, DffR, Param, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::config::Config;
use millrace_regs::host::control::{
    COMMAND_BYTES, Command as Kind, DEFAULT_KEY, ERR, HASH_TYPES, HEADER, KEY_BYTES, TABLE_ENTRIES, VLANS, rss,
};
use rust_hdl_core::prelude::*;

pub const KEY_BITS: usize = 8 * KEY_BYTES;
pub const TABLE_LOG2: usize = 7;

/// Bytes of a table of addresses: the count, and each address.
const COUNT: usize = 4;
const ADDRESS: usize = 6;

/// Class and command, as they lie in the command.
const fn kind(kind: Kind) -> u64 {
    kind.class() as u64 | (kind.command() as u64) << 8
}
const PROMISC: u64 = kind(Kind::Promisc);
const ALL_MULTI: u64 = kind(Kind::AllMulti);
const TABLE_SET: u64 = kind(Kind::TableSet);
const ADDR_SET: u64 = kind(Kind::AddrSet);
const VLAN_ADD: u64 = kind(Kind::VlanAdd);
const VLAN_DEL: u64 = kind(Kind::VlanDel);
const VQ_PAIRS_SET: u64 = kind(Kind::VqPairsSet);
const RSS_CONFIG: u64 = kind(Kind::RssConfig);

/// Bytes of commands; of RSS_CONFIG without entries and key.
const ONE: u64 = HEADER as u64 + 1;
const TWO: u64 = HEADER as u64 + 2;
const SIX: u64 = HEADER as u64 + ADDRESS as u64;
const RSS_REST: u64 = HEADER as u64 + rss::TABLE as u64 + 3;

const ALL_ENTRIES: usize = TABLE_ENTRIES - 1;
const ERR_BYTE: u32 = ERR as u32;
const VLAN_IDS: u32 = VLANS as u32;

wire_struct! {
    /// How the receiveq of a frame is found, but for the table and the key.
    pub struct Steering {
        pub types: Bits<6>,
        pub mask: Bits<TABLE_LOG2>,
        pub unclassified: Bits<8>,
    }
}

/// What the field that was read is, and what is done.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ControlState {
    Idle,
    /// A field is read, byte by byte.
    Seek,
    Take,
    Header,
    OnOff,
    /// How many addresses the first table has, and the second.
    Unicast,
    Multicast,
    AddressLow,
    AddressHigh,
    Vlan,
    Pairs,
    Types,
    Mask,
    Unclassified,
    Entry,
    MaxTransmit,
    KeyLength,
    KeyByte,
    KeyEnd,
    /// The table of VQ_PAIRS_SET, what steers, the address are set.
    Fill,
    Steer,
    Mac,
    /// The ack is written, is visible; the chain is used, or not.
    Ack,
    Visible,
    Use,
    Fault,
}

/// Does one `command` after the other: takes it when its chain is used, or never will be. Bytes behind what a command takes are not looked at. Everything but what the memory and `mac` take is over in 2,000 clocks.
///
/// RSS_CONFIG is read twice: to see whether it is valid, and to do it.
#[millrace_hdl::block]
pub struct ControlUnit<const PAIR_BITS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Of `ControlFetch`.
    pub command: Snk<Command<PAIR_BITS>>,
    pub at: Signal<Out, Bits<BYTES_LOG2>>,
    pub byte: Signal<In, Bits<8>>,
    /// An entry of the function's table.
    pub table_write: Signal<Out, Bit>,
    pub table_index: Signal<Out, Bits<TABLE_LOG2>>,
    pub table_entry: Signal<Out, Bits<8>>,
    /// All else of it; from now on frames of the function are steered.
    pub steer: Signal<Out, Bit>,
    pub steering: Signal<Out, Steering>,
    /// The first byte's highest bit is the highest.
    pub key: Signal<Out, Bits<KEY_BITS>>,
    pub function: Signal<Out, Bits<8>>,
    /// That function may not change its address.
    pub keeps_mac: Signal<In, Bit>,
    pub mac: Src<MacChange>,
    pub write: Src<RingWrite>,
    pub written: Snk<Bits<8>>,
    pub used: Src<Used<PAIR_BITS>>,
    pub fault: Src<Fault<VQ_BITS>>,
    /// The queue of this pair may have another chain.
    pub done: Signal<Out, Bit>,
    pub done_pair: Signal<Out, Bits<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// Pairs of a function.
    pairs: Param<Bits<16>>,
    #[init(Param::new(DEFAULT_KEY.iter().fold(0u64.into(), |key: Bits<KEY_BITS>, byte| key << 8_u64 | Bits::from(u64::from(*byte)))))]
    default_key: Param<Bits<KEY_BITS>>,
    state: DffR<ControlState>,
    /// What the field is, its bytes that are not read, those that are (the last ones highest), and the place of the next.
    field_is: DffE<ControlState>,
    left: DffE<Bits<3>>,
    field: DffE<Bits<32>>,
    place: DffR<Bits<10>>,
    /// Why the ack could not be written.
    written_error: DffE<Bits<8>>,
    /// The command is not valid; it is done, not only looked at.
    wrong: DffR<Bit>,
    commits: DffR<Bit>,
    low: DffE<Bits<32>>,
    steering_q: DffE<Steering>,
    count: DffR<Bits<TABLE_LOG2>>,
    entry: DffR<Bits<8>>,
    key_q: DffE<Bits<KEY_BITS>>,
    /// Bytes of the key that were given and are not read; those that are not in `key_q`.
    key_left: DffE<Bits<6>>,
    key_room: DffE<Bits<6>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQ_BITS: usize> ControlUnit<PAIR_BITS, VQ_BITS> {
    /// For the functions of a build.
    pub fn new(config: &Config) -> Self {
        Self { pairs: Param::new((config.queue_pairs as u64).into()), ..Default::default() }
    }

    fn update(&mut self) {
        let command = self.command.data;
        comment!("what is longer than is kept has no bytes that count");
        let bytes: Bits<10> = if command.bytes > COMMAND_BYTES { 0 } else { command.bytes };
        let field = self.field;
        let word = field.get_bits::<16>(16);
        let byte = field.get_bits::<8>(24);
        let mut state = self.state;
        let mut wrong = self.wrong;
        let mut place = self.place;
        let mut count = self.count;
        let mut entry = self.entry;
        let mut commits = self.commits;
        let mut reads: Bits<3> = 0;
        let mut next = ControlState::Header;
        self.at = self.place.get_bits::<BYTES_LOG2>(0);
        self.table_write = false;
        self.table_entry = word.get_bits::<8>(0);
        let queues = self.pairs;
        let beyond = word >= queues;
        let none_or_beyond = !word.any() | (word > queues);
        // Bytes up to the table's end, or the addresses' end.
        let entries = cast::<10>(self.steering_q.mask) + 1;
        let addresses = cast::<11>(field.get_bits::<7>(0));
        let table_bytes = (addresses << 2_u64) + (addresses << 1_u64);
        let behind = cast::<11>(self.place) + table_bytes;
        let end = cast::<11>(bytes);
        let too_many = field.get_bits::<25>(7).any();

        match self.state {
            ControlState::Idle => {
                place = 0;
                wrong = false;
                commits = false;
                if self.command.valid {
                    if command.abort | command.reset {
                        state = if command.abort { ControlState::Idle } else { ControlState::Use };
                    } else if command.error.any() {
                        state = ControlState::Fault;
                    } else {
                        reads = 2;
                    }
                }
            }
            ControlState::Seek => {
                state = ControlState::Take;
            }
            ControlState::Take => {
                self.field = concat::<32>(self.byte, field.get_bits::<24>(8));
                place = self.place + 1;
                self.left = self.left - 1;
                state = if self.left == 1 { self.field_is } else { ControlState::Seek };
            }
            ControlState::Header => {
                wrong = true;
                if ((word == PROMISC) | (word == ALL_MULTI)) & (bytes >= ONE) {
                    next = ControlState::OnOff;
                    reads = 1;
                }
                if (word == TABLE_SET) & (bytes >= HEADER + 2 * COUNT) {
                    next = ControlState::Unicast;
                    reads = 4;
                }
                if (word == ADDR_SET) & (bytes >= SIX) {
                    next = ControlState::AddressLow;
                    reads = 4;
                }
                if ((word == VLAN_ADD) | (word == VLAN_DEL)) & (bytes >= TWO) {
                    next = ControlState::Vlan;
                    reads = 2;
                }
                if (word == VQ_PAIRS_SET) & (bytes >= TWO) {
                    next = ControlState::Pairs;
                    reads = 2;
                }
                if (word == RSS_CONFIG) & (bytes >= RSS_REST) {
                    next = ControlState::Types;
                    reads = 4;
                }
                if reads.any() {
                    wrong = false;
                } else {
                    state = ControlState::Ack;
                }
            }
            ControlState::OnOff => {
                wrong = byte > 1;
                state = ControlState::Ack;
            }
            ControlState::Unicast => {
                place = behind.get_bits::<10>(0);
                wrong = too_many | (behind + COUNT > end);
                next = ControlState::Multicast;
                if wrong {
                    state = ControlState::Ack;
                } else {
                    reads = 4;
                }
            }
            ControlState::Multicast => {
                wrong = too_many | (behind > end);
                state = ControlState::Ack;
            }
            ControlState::AddressLow => {
                self.low = field;
                wrong = field.get_bit(0);
                next = ControlState::AddressHigh;
                reads = 2;
            }
            ControlState::AddressHigh => {
                wrong = self.wrong | self.keeps_mac;
                state = if wrong { ControlState::Ack } else { ControlState::Mac };
            }
            ControlState::Vlan => {
                wrong = word >= VLAN_IDS;
                state = ControlState::Ack;
            }
            ControlState::Pairs => {
                count = 0;
                entry = 0;
                self.steering_q = Steering { types: HASH_TYPES, mask: ALL_ENTRIES, unclassified: 0 };
                self.key_q = self.default_key;
                wrong = none_or_beyond;
                state = if wrong { ControlState::Ack } else { ControlState::Fill };
            }
            ControlState::Types => {
                self.steering_q = Steering { types: field.get_bits::<6>(0), ..self.steering_q };
                wrong = self.wrong | field.get_bits::<26>(6).any();
                next = ControlState::Mask;
                reads = 2;
            }
            ControlState::Mask => {
                self.steering_q = Steering { mask: word.get_bits::<TABLE_LOG2>(0), ..self.steering_q };
                wrong = self.wrong | word.get_bits::<9>(TABLE_LOG2).any() | (word & (word + 1)).any();
                next = ControlState::Unclassified;
                reads = 2;
            }
            ControlState::Unclassified => {
                self.steering_q = Steering { unclassified: word.get_bits::<8>(0), ..self.steering_q };
                wrong = self.wrong | beyond | ((entries << 1_u64) + RSS_REST > bytes);
                count = 0;
                next = ControlState::Entry;
                if wrong {
                    state = ControlState::Ack;
                } else {
                    reads = 2;
                }
            }
            ControlState::Entry => {
                wrong = self.wrong | beyond;
                self.table_write = self.commits;
                count = self.count + 1;
                next = if self.count == self.steering_q.mask { ControlState::MaxTransmit } else { ControlState::Entry };
                reads = 2;
            }
            ControlState::MaxTransmit => {
                wrong = self.wrong | none_or_beyond;
                next = ControlState::KeyLength;
                reads = 1;
            }
            ControlState::KeyLength => {
                self.key_left = byte.get_bits::<6>(0);
                self.key_room = KEY_BYTES;
                wrong = self.wrong | (byte > KEY_BYTES) | (self.place + cast::<10>(byte) > bytes);
                next = ControlState::KeyByte;
                if wrong {
                    state = ControlState::Ack;
                } else if byte.any() {
                    reads = 1;
                } else {
                    state = ControlState::KeyEnd;
                }
            }
            ControlState::KeyByte => {
                self.key_q = concat::<KEY_BITS>(self.key_q.get_bits::<{ KEY_BITS - 8 }>(0), byte);
                self.key_left = self.key_left - 1;
                self.key_room = self.key_room - 1;
                next = ControlState::KeyByte;
                if self.key_left == 1 {
                    state = ControlState::KeyEnd;
                } else {
                    reads = 1;
                }
            }
            ControlState::KeyEnd => {
                self.key_room = self.key_room - 1;
                next = ControlState::Types;
                if self.key_room.any() {
                    self.key_q = self.key_q << 8_u64;
                } else if self.commits {
                    state = ControlState::Steer;
                } else {
                    commits = true;
                    place = HEADER;
                    reads = 4;
                }
            }
            ControlState::Fill => {
                self.table_write = true;
                self.table_entry = self.entry;
                entry = if cast::<16>(self.entry) + 1 == word { 0 } else { self.entry + 1 };
                count = self.count + 1;
                if self.count.all() {
                    state = ControlState::Steer;
                }
            }
            ControlState::Steer => {
                state = ControlState::Ack;
            }
            ControlState::Mac => {
                if self.mac.ready {
                    state = ControlState::Ack;
                }
            }
            ControlState::Ack => {
                if self.write.ready {
                    state = ControlState::Visible;
                }
            }
            ControlState::Visible => {
                self.written_error = self.written.data;
                if self.written.valid {
                    state = if self.written.data.any() { ControlState::Fault } else { ControlState::Use };
                }
            }
            ControlState::Use => {
                if self.used.ready {
                    state = ControlState::Idle;
                }
            }
            ControlState::Fault => {
                if self.fault.ready {
                    state = ControlState::Idle;
                }
            }
        }
        if reads.any() {
            self.left = reads;
            self.field_is = next;
            state = ControlState::Seek;
        }
        self.state = state;
        self.wrong = wrong;
        self.place = place;
        self.count = count;
        self.entry = entry;
        self.commits = commits;

        comment!("what is set");
        self.table_index = self.count;
        self.steer = self.state == ControlState::Steer;
        self.steering = self.steering_q;
        self.key = self.key_q;
        self.function = command.function;
        self.mac.valid = self.state == ControlState::Mac;
        self.mac.data = MacChange { function: command.function, mac: concat::<48>(word, self.low) };

        comment!("the ack");
        self.write.valid = self.state == ControlState::Ack;
        let err: Bits<8> = ERR_BYTE;
        let mut acks: Bits<BEAT_BITS> = 0;
        for i in 0..64 {
            acks |= cast::<BEAT_BITS>(err) << (8 * i);
        }
        let first_byte: Bits<64> = 1;
        self.write.data = RingWrite {
            address: command.ack,
            function: command.function,
            data: if self.wrong { acks } else { 0 },
            strobe: first_byte << command.ack.get_bits::<6>(0),
        };
        self.written.ready = self.state == ControlState::Visible;

        comment!("the end of the chain");
        let is_idle = self.state == ControlState::Idle;
        let is_use = self.state == ControlState::Use;
        self.used.valid = is_use;
        self.used.data = Used::<PAIR_BITS> {
            pair: command.pair,
            head: command.head,
            skip: command.skip,
            length: 1,
            partial: false,
            void: false,
            reset: command.reset,
        };
        let is_fault = self.state == ControlState::Fault;
        self.fault.valid = is_fault;
        let reason: Bits<8> = if command.error.any() { command.error } else { self.written_error };
        self.fault.data = Fault { vq: concat::<VQ_BITS>(command.pair, true), reason };
        let gives_up = is_idle & command.abort & self.command.valid;
        let ends = gives_up | (is_use & self.used.ready);
        self.command.ready = ends | (is_fault & self.fault.ready);
        self.done = ends;
        self.done_pair = command.pair;
        self.idle = is_idle & !self.command.valid;
    }
}

#[cfg(test)]
#[path = "control_unit_tests.rs"]
mod tests;
