// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels between the blocks of the fast path. Bit layouts that software sees (key, step) are those of
//! `docs/hardware.md`; tests compare them with `millrace_regs`.

use crate::wire_struct;
use millrace_regs::Lengths;
use rust_hdl_core::prelude::*;

/// Width of the header window in bits: all that the parser looks at and the editor changes.
pub const WINDOW_BITS: usize = 8 * millrace_regs::config::WINDOW_BYTES;
/// Width of what the parser gives of the match key, in bits: all of it in a build with one pass.
pub const KEY_BITS: usize = 32 * Lengths::ONE_PASS.key;
/// Width of an action step of a build with one pass in bits, as software writes it.
pub const STEP_BITS: usize = 32 * Lengths::ONE_PASS.step;
/// Width of the MAC addresses of a frame in bits.
pub const MAC_BITS: usize = 96;
/// Width of a VLAN tag in bits.
pub const TAG_BITS: usize = 32;
/// Longest edited head of a frame in bytes, 120: no edit reaches further, and so much is left of a window when two tags are popped.
pub const HEAD_BYTES: usize = (WINDOW_BITS - 2 * TAG_BITS) / 8;
/// Width of that in bits.
pub const HEAD_BITS: usize = 8 * HEAD_BYTES;
/// Width of what follows MAC addresses and tags in a head, in bits: EtherType and 106 bytes.
pub const BODY_BITS: usize = HEAD_BITS - MAC_BITS;
/// Width of the body with as many tags before it as there may be, in bits: two received and two pushed.
pub const TAGGED_BITS: usize = 4 * TAG_BITS + BODY_BITS;

wire_struct! {
    /// One transfer of a frame. `BUS_BITS` bits of data, `COUNT_BITS` = log2(BUS_BITS / 8) + 1.
    pub struct Beat<const BUS_BITS: usize, const COUNT_BITS: usize> {
        /// Byte 0 in bits 7:0. Bytes past `bytes` are zero from `Merge` on.
        pub data: Bits<BUS_BITS>,
        /// Valid bytes, 1..=BUS_BITS/8; BUS_BITS/8 in all beats but the last.
        pub bytes: Bits<COUNT_BITS>,
        pub last: Bit,
    }
}

wire_struct! {
    /// What travels with a frame from `Ingress` to `Expand`.
    pub struct Meta {
        /// Ingress vport; of a packet-out, the destination.
        pub vport: Bits<8>,
        pub packet_out: Bit,
        /// Length in bytes, saturating at 16,383.
        pub len: Bits<14>,
        /// 0 none, 1 runt, 2 oversize, 3 rx_error. A faulty frame is carried as one beat.
        pub fault: Bits<2>,
    }
}

wire_struct! {
    /// A beat behind the merge: frames of all sources, one after the other.
    pub struct MergedBeat<const BUS_BITS: usize, const COUNT_BITS: usize> {
        pub data: Bits<BUS_BITS>,
        pub bytes: Bits<COUNT_BITS>,
        pub last: Bit,
        pub first: Bit,
        pub meta: Meta,
    }
}

wire_struct! {
    /// The first 128 bytes of a frame (zeros past its end) and its meta data.
    pub struct Window {
        pub hdr: Bits<WINDOW_BITS>,
        pub meta: Meta,
    }
}

wire_struct! {
    /// What the parser gives of the match key, 480 bits, exactly as in `docs/hardware.md`.
    pub struct Key {
        pub in_port: Bits<8>,
        pub nw_frag: Bits<2>,
        pub vlan_ad0: Bit,
        pub vlan_ad1: Bit,
        pub tcp_flags: Bits<12>,
        pub nw_ttl: Bits<8>,
        pub dl_type: Bits<16>,
        pub vlan_tci0: Bits<16>,
        pub vlan_tci1: Bits<16>,
        pub nw_proto: Bits<8>,
        pub nw_tos: Bits<8>,
        pub dl_dst: Bits<48>,
        pub dl_src: Bits<48>,
        pub tp_src: Bits<16>,
        pub tp_dst: Bits<16>,
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
    }
}

wire_struct! {
    /// Where the headers are, for the editor.
    pub struct Layout {
        /// VLAN tags seen, 0..=2.
        pub vlans: Bits<2>,
        /// 0 none, 1 IPv4, 2 IPv6: only if the header is valid.
        pub l3: Bits<2>,
        /// 0 none, 1 TCP, 2 UDP, 3 ICMPv6 over IPv6: only if the header is complete and the packet no later fragment.
        pub l4: Bits<2>,
        /// Start of L4 behind the start of L3, in 4-byte units: 5..=15.
        pub l4_words: Bits<4>,
    }
}

wire_struct! {
    /// What the parser found.
    pub struct Parsed {
        pub key: Bits<KEY_BITS>,
        pub layout: Layout,
        pub punt: Bit,
        pub meta: Meta,
    }
}

wire_struct! {
    /// The answer of one table.
    pub struct Hit {
        pub hit: Bit,
        pub priority: Bits<16>,
        pub rule: Bits<16>,
    }
}

wire_struct! {
    /// A slot of a hash table, as it is stored.
    pub struct Slot<const KEY_BITS: usize> {
        /// Already masked.
        pub key: Bits<KEY_BITS>,
        pub priority: Bits<16>,
        pub rule: Bits<16>,
        pub valid: Bit,
    }
}

wire_struct! {
    /// The operands of `WRITE_ENTRY`.
    pub struct EntryOperands<const KEY_BITS: usize> {
        pub valid: Bit,
        pub reserved: Bits<15>,
        pub priority: Bits<16>,
        pub rule: Bits<32>,
        pub key: Bits<KEY_BITS>,
    }
}

wire_struct! {
    /// The operands of `WRITE_MASK`.
    pub struct MaskOperands<const KEY_BITS: usize> {
        pub enable: Bit,
        pub reserved: Bits<31>,
        pub seed: Bits<32>,
        pub mask: Bits<KEY_BITS>,
    }
}

wire_struct! {
    /// The operands of `WRITE_TCAM`.
    pub struct TcamOperands<const KEY_BITS: usize> {
        pub valid: Bit,
        pub reserved: Bits<15>,
        pub priority: Bits<16>,
        pub rule: Bits<32>,
        pub value: Bits<KEY_BITS>,
        pub mask: Bits<KEY_BITS>,
    }
}

wire_struct! {
    /// One step of a rule's action program, exactly as in `docs/hardware.md`: as software writes it. 672 bits and, in builds with passes, `FURTHER_BITS`.
    pub struct Step<const FURTHER_BITS: usize> {
        pub outputs: Bits<128>,
        pub set_dl_dst: Bit,
        pub set_dl_src: Bit,
        pub set_nw_src: Bit,
        pub set_nw_dst: Bit,
        pub set_tp_src: Bit,
        pub set_tp_dst: Bit,
        pub set_nw_ttl: Bit,
        pub reserved0: Bit,
        pub vlan_pop: Bits<2>,
        pub vlan_push: Bits<2>,
        pub reserved1: Bits<2>,
        pub upcall: Bit,
        pub more: Bit,
        pub reserved2: Bits<16>,
        pub next: Bits<32>,
        pub nw_tos: Bits<8>,
        pub nw_tos_mask: Bits<8>,
        pub nw_ttl: Bits<8>,
        pub ttl_dec: Bits<8>,
        pub push0_tci: Bits<16>,
        pub push0_tpid: Bits<16>,
        pub push1_tci: Bits<16>,
        pub push1_tpid: Bits<16>,
        pub tp_src: Bits<16>,
        pub tp_dst: Bits<16>,
        pub dl_dst: Bits<48>,
        pub dl_src: Bits<48>,
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
        /// A [`FurtherStep`](crate::core::pass::types::FurtherStep), in builds with passes.
        pub further: Bits<FURTHER_BITS>,
    }
}

wire_struct! {
    /// What a step writes into a frame.
    pub struct Edits {
        pub set_dl_dst: Bit,
        pub set_dl_src: Bit,
        pub set_nw_src: Bit,
        pub set_nw_dst: Bit,
        pub set_tp_src: Bit,
        pub set_tp_dst: Bit,
        pub set_nw_ttl: Bit,
        pub vlan_pop: Bits<2>,
        pub vlan_push: Bits<2>,
        pub nw_tos: Bits<8>,
        pub nw_tos_mask: Bits<8>,
        pub nw_ttl: Bits<8>,
        pub ttl_dec: Bits<8>,
        pub push0_tci: Bits<16>,
        pub push0_tpid: Bits<16>,
        pub push1_tci: Bits<16>,
        pub push1_tpid: Bits<16>,
        pub tp_src: Bits<16>,
        pub tp_dst: Bits<16>,
        pub dl_dst: Bits<48>,
        pub dl_src: Bits<48>,
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
    }
}

wire_struct! {
    /// A step as a build stores and carries it: no reserved bits, no vports and no continuation steps that the build does not have.
    pub struct StoredStep<const QUEUES: usize, const STEPS_LOG2: usize, const AGAIN_BITS: usize> {
        /// By transmit queue: bit v = vport v, the last is the upcall queue.
        pub outputs: Bits<QUEUES>,
        pub more: Bit,
        pub next: Bits<STEPS_LOG2>,
        pub edits: Edits,
        /// A [`LookAgain`](crate::core::pass::types::LookAgain), in builds with passes; of a rule's first step.
        pub again: Bits<AGAIN_BITS>,
    }
}

wire_struct! {
    /// The outcome of the match stage.
    pub struct MatchResult<const QUEUES: usize, const STEPS_LOG2: usize, const AGAIN_BITS: usize, const NOTE_BITS: usize> {
        pub hit: Bit,
        pub punt: Bit,
        pub rule: Bits<16>,
        /// The rule's first step, valid with `hit`.
        pub step: StoredStep<QUEUES, STEPS_LOG2, AGAIN_BITS>,
        pub layout: Layout,
        /// TTL or hop limit of the frame, valid with `l3`.
        pub ttl: Bits<8>,
        /// `len` is that of the packet that was looked up.
        pub meta: Meta,
        /// A [`Note`](crate::core::pass::types::Note), in builds with passes.
        pub note: Bits<NOTE_BITS>,
    }
}

wire_struct! {
    /// One outgoing version of a frame, to be made.
    pub struct EditJob<const QUEUES: usize, const NOTE_BITS: usize> {
        /// By transmit queue.
        pub outputs: Bits<QUEUES>,
        pub edits: Edits,
        pub layout: Layout,
        pub vport: Bits<8>,
        pub len: Bits<14>,
        /// The frame was cut to one beat by `Ingress` (always together with `discard`).
        pub faulty: Bit,
        /// Consume the payload, put nothing out.
        pub discard: Bit,
        /// Another step of the same frame follows: the payload is read again.
        pub again: Bit,
        /// Upcall reason: 0 miss, 1 punt, 2 action.
        pub reason: Bits<2>,
        /// A [`Note`](crate::core::pass::types::Note), in builds with passes.
        pub note: Bits<NOTE_BITS>,
    }
}

wire_struct! {
    /// An outgoing frame: a head that is made, and behind it the received frame from `payload_offset` on.
    pub struct Edited<const QUEUES: usize, const NOTE_BITS: usize> {
        /// Lengths in bytes; `out_len` = `head_len` + `in_len` - `payload_offset`.
        pub out_len: Bits<14>,
        pub in_len: Bits<14>,
        /// Bytes of the head, `HEAD_BYTES` at most. A frame that is shorter ends within the head.
        pub head_len: Bits<8>,
        /// Where the payload begins in the received frame: at most 128 bytes behind `head_len`, so that it is in the buffer when it is read.
        pub payload_offset: Bits<14>,
        /// By transmit queue.
        pub outputs: Bits<QUEUES>,
        pub faulty: Bit,
        pub discard: Bit,
        pub again: Bit,
        pub vport: Bits<8>,
        pub reason: Bits<2>,
        pub note: Bits<NOTE_BITS>,
    }
}

wire_struct! {
    /// A beat on its way to the egress queues.
    pub struct OutBeat<const BUS_BITS: usize, const COUNT_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize> {
        pub data: Bits<BUS_BITS>,
        pub bytes: Bits<COUNT_BITS>,
        pub last: Bit,
        pub first: Bit,
        pub out_len: Bits<14>,
        /// By transmit queue.
        pub outputs: Bits<QUEUES>,
        pub vport: Bits<8>,
        pub reason: Bits<2>,
        pub note: Bits<NOTE_BITS>,
    }
}

wire_struct! {
    /// One transfer of an upcall.
    pub struct UpcallBeat<const BUS_BITS: usize, const COUNT_BITS: usize, const NOTE_BITS: usize> {
        pub data: Bits<BUS_BITS>,
        pub bytes: Bits<COUNT_BITS>,
        pub last: Bit,
        /// Vport that the frame came in on.
        pub vport: Bits<8>,
        /// 0 miss, 1 punt, 2 action.
        pub reason: Bits<2>,
        /// Of which pass it comes, in builds with passes.
        pub note: Bits<NOTE_BITS>,
    }
}

wire_struct! {
    /// A command of `Control` to a table of the match stage; travels with a `valid` pulse of one clock, and stays until the command is done.
    /// Exactly one of the four `write_*` bits is set, `table` and `index` are in range; or `clear` is set with `write_entry` and
    /// `write_action`, `data` is zero, and `index` goes through all slots and rules, with `valid` in each clock.
    pub struct TableWrite<const DATA_BITS: usize> {
        pub write_entry: Bit,
        pub write_mask: Bit,
        pub write_tcam: Bit,
        pub write_action: Bit,
        /// Of all tables: the slot `index` becomes invalid, and all that is not in a memory is as after reset.
        pub clear: Bit,
        pub table: Bits<8>,
        pub index: Bits<16>,
        /// The staging words that a command uses, word 0 in the least significant bits.
        pub data: Bits<DATA_BITS>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_regs::{Command, Field, KEY_FIELDS, Place, STEP_FIELDS};
    use rust_hdl_core::type_descriptor::TypeKind;

    /// Fields by name, offset and width.
    fn fields<T: Synth>() -> Vec<(String, usize, usize)> {
        let TypeKind::Composite(fields) = T::descriptor().kind else { panic!("a struct") };
        let mut offset = 0;
        let mut all = vec![];
        for field in fields {
            let TypeKind::Bits(width) = field.kind.kind else { panic!("{} is bits", field.fieldname) };
            all.push((field.fieldname, offset, width));
            offset += width;
        }
        all
    }

    /// Each field that the register map has in a build with one pass is in the struct, at its place.
    fn assert_same<T: Synth>(map: &[Field], bits: usize) {
        assert_eq!(T::BITS, bits);
        let own = fields::<T>();
        for field in map.iter().filter(|field| field.offset < bits) {
            assert!(own.contains(&(field.name.into(), field.offset, field.width)), "{} in {own:?}", field.name);
        }
    }

    #[test]
    fn key_and_step_are_those_of_the_register_map() {
        assert_same::<Key>(KEY_FIELDS, KEY_BITS);
        assert_same::<Step<0>>(STEP_FIELDS, STEP_BITS);
    }

    /// Operands with keys of `KEY_BITS`, in a build of these lengths.
    fn operands_lie_where_they_should<const KEY_BITS: usize>(lengths: Lengths) {
        for (command, own) in [
            (Command::WriteEntry, fields::<EntryOperands<KEY_BITS>>()),
            (Command::WriteMask, fields::<MaskOperands<KEY_BITS>>()),
            (Command::WriteTcam, fields::<TcamOperands<KEY_BITS>>()),
        ] {
            let named = own.iter().filter(|field| field.0 != "reserved").count();
            let mut found = 0;
            for operand in command.operands(lengths) {
                let Place::Data { word, low, width } = operand.place else { continue };
                let field = (operand.name.to_string(), (32 * word + low) as usize, width as usize);
                assert!(own.contains(&field), "{} of {}: {field:?} in {own:?}", operand.name, command.name());
                found += 1;
            }
            assert_eq!(found, named, "{}", command.name());
        }
        let operands =
            [EntryOperands::<KEY_BITS>::BITS, MaskOperands::<KEY_BITS>::BITS, TcamOperands::<KEY_BITS>::BITS];
        assert_eq!(operands.into_iter().max(), Some(32 * lengths.staged()));
        assert!(32 * lengths.step <= 32 * lengths.staged());
    }

    #[test]
    fn operands_lie_where_the_register_map_has_them() {
        operands_lie_where_they_should::<KEY_BITS>(Lengths::ONE_PASS);
        operands_lie_where_they_should::<{ 32 * Lengths::FULL.key }>(Lengths::FULL);
    }
}
