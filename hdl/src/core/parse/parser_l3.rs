// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, second part: IPv4, IPv6, ARP, and what must be punted.

use super::parser_l2::{Ethernet, L2};
use crate::base::{ByteSwap, Dff, DffR, be16};
use crate::core::types::Meta;
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A frame whose L3 header has been read.
    pub struct L3 {
        /// Where L4 starts, in words from byte 34 of the frame on: `l4_words` - 5 + `ethernet.vlans`.
        pub l4_at: Bits<4>,
        /// 5..=15, see [`Layout`](crate::core::types::Layout).
        pub l4_words: Bits<4>,
        /// Bytes of L4 by the L3 header.
        pub l4_len: Bits<16>,
        /// L4 may be looked at: a valid header of a packet that is neither punted nor a later fragment.
        pub l4_ok: Bit,
        /// 0 none, 1 IPv4, 2 IPv6.
        pub l3: Bits<2>,
        pub punt: Bit,
        /// `dl_type` is that of the key.
        pub ethernet: Ethernet,
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
        pub nw_proto: Bits<8>,
        pub nw_tos: Bits<8>,
        pub nw_ttl: Bits<8>,
        pub nw_frag: Bits<2>,
        pub meta: Meta,
    }
}

/// Reads the L3 header. Two clocks (checks, then fields), one header per clock. Steps 3 and 5 to 7 of "Parser" in
/// `docs/hardware.md`.
#[millrace_hdl::block]
pub struct ParserL3 {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, L2>,
    /// Bytes 22..96 of the frame, not moved.
    pub body: Signal<In, Bits<592>>,
    pub valid: Signal<In, Bit>,
    pub out: Signal<Out, L3>,
    pub out_valid: Signal<Out, Bit>,
    /// No header is inside.
    pub idle: Signal<Out, Bit>,
    // first clock
    l2: Dff<L2>,
    /// Bytes 8..40 of L3.
    fields: Dff<Bits<256>>,
    ip4: Dff<Bit>,
    ip6: Dff<Bit>,
    arp: Dff<Bit>,
    snap: Dff<Bit>,
    length_kind: Dff<Bit>,
    frag4: Dff<Bits<2>>,
    frag6: Dff<Bits<2>>,
    has6: Dff<Bit>,
    extension: Dff<Bit>,
    extension2: Dff<Bit>,
    short_frag6: Dff<Bit>,
    next_after: Dff<Bits<8>>,
    l4_len4: Dff<Bits<16>>,
    valid1: DffR<Bit>,
    // second clock
    src6: ByteSwap<128>,
    dst6: ByteSwap<128>,
    src4: ByteSwap<32>,
    dst4: ByteSwap<32>,
    sha: ByteSwap<48>,
    tha: ByteSwap<48>,
    spa: ByteSwap<32>,
    tpa: ByteSwap<32>,
    l3: Dff<L3>,
    valid2: DffR<Bit>,
}

#[millrace_hdl::block]
impl ParserL3 {
    fn update(&mut self) {
        comment!("Clock 1: what it is, and whether its lengths hold.");
        let data = self.inp.l3;
        let fragment = self.inp.l3_40;
        let kind = self.inp.ethernet.dl_type;
        let avail = cast::<17>(self.inp.avail);
        let word0 = be16(data.get_bits::<16>(0));
        let word1 = be16(data.get_bits::<16>(16));
        let word3 = be16(data.get_bits::<16>(48));

        comment!(
            "IPv4. A header of 20 bytes or more within total_length within avail: no other check of avail is needed."
        );
        let total = cast::<17>(word1);
        let ihl_bytes = cast::<17>(data.get_bits::<4>(0)) << 2;
        self.ip4 = (kind == 0x0800) & (ihl_bytes >= 20) & (ihl_bytes <= total) & (total <= avail);
        self.l4_len4 = cast::<16>(total - ihl_bytes);
        self.frag4 = if word3.get_bits::<14>(0).any() { 1 } else { 0 };
        if word3.get_bits::<13>(0).any() {
            self.frag4 = 3;
        }

        comment!("IPv6, and the fragment header that may follow it.");
        let payload = be16(data.get_bits::<16>(32));
        let next = data.get_bits::<8>(48);
        let next2 = fragment.get_bits::<8>(0);
        let frag6_word = be16(fragment.get_bits::<16>(16));
        comment!("avail - 40 - payload, one adder; its top bit is the sign.");
        let slack = cast::<18>(avail) - cast::<18>(payload) - 40;
        self.ip6 = (kind == 0x86dd) & !slack.get_bit(17);
        let has_frag6 = (next == 44) & payload.get_bits::<13>(3).any();
        self.has6 = has_frag6;
        self.short_frag6 = (next == 44) & !payload.get_bits::<13>(3).any();
        self.frag6 = if has_frag6 & frag6_word.any() { 1 } else { 0 };
        if has_frag6 & frag6_word.get_bits::<13>(3).any() {
            self.frag6 = 3;
        }
        self.next_after = next2;
        self.extension = (next == 0) | (next == 43) | (next == 51) | (next == 60);
        self.extension2 = (next2 == 0) | (next2 == 43) | (next2 == 44) | (next2 == 51) | (next2 == 60);

        comment!("ARP and RARP for IPv4 over Ethernet; LLC/SNAP.");
        self.arp = ((kind == 0x0806) | (kind == 0x8035))
            & (avail >= 28)
            & (word0 == 1)
            & (word1 == 0x0800)
            & (data.get_bits::<8>(32) == 6)
            & (data.get_bits::<8>(40) == 4);
        self.length_kind = kind < 0x600;
        self.snap =
            (kind < 0x600) & (avail >= 8) & (word0 == 0xaaaa) & (word1 == 0x0300) & !payload.any() & (word3 >= 0x600);
        self.l2 = self.inp;
        self.fields = if self.inp.one { self.body.get_bits::<256>(32) } else { self.body.get_bits::<256>(0) };
        if self.inp.two {
            self.fields = self.body.get_bits::<256>(64);
        }
        self.valid1 = self.valid;

        comment!("Clock 2: the fields.");
        let start = self.l2.l3;
        let bytes = self.fields;
        self.src4.inp = bytes.get_bits::<32>(32);
        self.dst4.inp = bytes.get_bits::<32>(64);
        self.src6.inp = bytes.get_bits::<128>(0);
        self.dst6.inp = bytes.get_bits::<128>(128);
        self.sha.inp = bytes.get_bits::<48>(0);
        self.spa.inp = bytes.get_bits::<32>(48);
        self.tha.inp = bytes.get_bits::<48>(80);
        self.tpa.inp = bytes.get_bits::<32>(128);
        let payload6 = be16(start.get_bits::<16>(32));
        let punt6 = self.extension | self.short_frag6 | (self.has6 & self.extension2 & !self.frag6.get_bit(1));

        self.l3.punt = self.snap;
        self.l3.l3 = 0;
        self.l3.l4_ok = false;
        let mut l4_words = start.get_bits::<4>(0);
        self.l3.l4_len = self.l4_len4;
        self.l3.nw_src = 0;
        self.l3.nw_dst = 0;
        self.l3.nw_proto = 0;
        self.l3.nw_tos = 0;
        self.l3.nw_ttl = 0;
        self.l3.nw_frag = 0;
        if self.ip4 {
            self.l3.l3 = 1;
            self.l3.l4_ok = !self.frag4.get_bit(1);
            self.l3.nw_src = cast::<128>(self.src4.out);
            self.l3.nw_dst = cast::<128>(self.dst4.out);
            self.l3.nw_proto = bytes.get_bits::<8>(8);
            self.l3.nw_tos = start.get_bits::<8>(8);
            self.l3.nw_ttl = bytes.get_bits::<8>(0);
            self.l3.nw_frag = self.frag4;
        }
        if self.ip6 {
            self.l3.punt = punt6;
            self.l3.l3 = 2;
            self.l3.l4_ok = !punt6 & !self.frag6.get_bit(1);
            l4_words = 10;
            self.l3.l4_len = payload6;
            self.l3.nw_src = self.src6.out;
            self.l3.nw_dst = self.dst6.out;
            self.l3.nw_proto = start.get_bits::<8>(48);
            self.l3.nw_tos = cast::<8>(start.get_bits::<4>(0)) << 4 | cast::<8>(start.get_bits::<4>(12));
            self.l3.nw_ttl = start.get_bits::<8>(56);
            self.l3.nw_frag = self.frag6;
            if self.has6 {
                l4_words = 12;
                self.l3.l4_len = payload6 - 8;
                if !self.frag6.get_bit(1) {
                    self.l3.nw_proto = self.next_after;
                }
            }
        }
        if self.arp {
            self.l3.nw_src = cast::<128>(self.sha.out) << 80 | cast::<128>(self.spa.out);
            self.l3.nw_dst = cast::<128>(self.tha.out) << 80 | cast::<128>(self.tpa.out);
            if start.get_bits::<8>(48) == 0 {
                self.l3.nw_proto = start.get_bits::<8>(56);
            }
        }
        self.l3.l4_words = l4_words;
        self.l3.l4_at = l4_words + cast::<4>(self.l2.ethernet.vlans) - 5;
        self.l3.ethernet = self.l2.ethernet;
        if self.length_kind {
            self.l3.ethernet.dl_type = 0x05ff;
        }
        self.l3.meta = self.l2.meta;
        self.valid2 = self.valid1;

        self.out = self.l3;
        self.out_valid = self.valid2;
        self.idle = !self.valid1 & !self.valid2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;

    #[test]
    fn lints() {
        assert_lints(ParserL3::default());
    }
}
