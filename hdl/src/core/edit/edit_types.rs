// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels between the stages of the header editor. Bytes and words are in wire order: byte 0 in bits 7:0.

use crate::core::types::{BODY_BITS, Edited, HEAD_BITS, MAC_BITS, TAG_BITS, TAGGED_BITS};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A frame taken apart, and the step's numbers in wire order.
    pub struct Aligned<const QUEUES: usize, const NOTE_BITS: usize> {
        /// Outgoing MAC addresses.
        pub mac: Bits<MAC_BITS>,
        /// Outgoing tags, the innermost in bits 127:96; `tag_count` of them count.
        pub tags: Bits<{ 4 * TAG_BITS }>,
        pub tag_count: Bits<3>,
        /// Received EtherType and 106 bytes after it.
        pub body: Bits<BODY_BITS>,
        pub ipv4: Bit,
        pub ipv6: Bit,
        pub l4: Bits<2>,
        pub l4_words: Bits<4>,
        pub set_nw_src: Bit,
        pub set_nw_dst: Bit,
        pub set_tp_src: Bit,
        pub set_tp_dst: Bit,
        pub set_nw_ttl: Bit,
        /// An IPv4 address is in bits 127:96.
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
        /// Source in bits 15:0, destination in 31:16.
        pub ports: Bits<32>,
        pub nw_tos: Bits<8>,
        pub nw_tos_mask: Bits<8>,
        pub nw_ttl: Bits<8>,
        pub ttl_dec: Bits<8>,
        pub meta: Edited<QUEUES, NOTE_BITS>,
    }
}

wire_struct! {
    /// A frame whose checksums are still those received.
    pub struct EditedBody<const QUEUES: usize, const NOTE_BITS: usize> {
        pub mac: Bits<MAC_BITS>,
        /// Four tags, the outgoing ones last, and the body: what goes out behind the MAC addresses, and before it in the lowest bits
        /// `ahead` tags that do not.
        pub tagged: Bits<TAGGED_BITS>,
        pub ahead: Bits<3>,
        pub meta: Edited<QUEUES, NOTE_BITS>,
    }
}

wire_struct! {
    /// What the checksums depend on, before and after the edits.
    pub struct ChecksumWords {
        /// 20 words of 16 bits: source address (8), destination address (8), ports (2), IPv4's word with the TOS, and with the TTL.
        /// What the frame does not have is zero.
        pub old: Bits<320>,
        pub new: Bits<320>,
        pub ip_checksum: Bits<16>,
        pub l4_checksum: Bits<16>,
        pub ipv4: Bit,
        /// There is an L4 checksum.
        pub l4: Bit,
        pub udp: Bit,
        /// Places of the checksums behind the outgoing MAC addresses, in 16-bit words.
        pub ip_at: Bits<4>,
        pub l4_at: Bits<6>,
    }
}

wire_struct! {
    /// Which bits of the checksums the edits turn over.
    pub struct ChecksumFlips {
        pub ip: Bits<16>,
        pub l4: Bits<16>,
        /// Bit n: the checksum of IPv4 (of L4) is word n behind the outgoing MAC addresses.
        pub ip_here: Bits<15>,
        pub l4_here: Bits<48>,
    }
}

wire_struct! {
    /// A frame's head as it goes out.
    pub struct EditedFrame<const QUEUES: usize, const NOTE_BITS: usize> {
        /// First `HEAD_BYTES` bytes.
        pub head: Bits<HEAD_BITS>,
        pub meta: Edited<QUEUES, NOTE_BITS>,
    }
}
