// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, last part: L4, and the key.

use super::parser_l3::L3;
use crate::base::{ByteSwap, Dff, DffE, DffR, be16};
use crate::core::types::{KEY_BITS, Key, Parsed};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// Which L4 header is complete: at most one bit is set.
    pub struct L4Kind {
        pub tcp: Bit,
        pub udp: Bit,
        pub sctp: Bit,
        /// ICMP over IPv4, ICMPv6 over IPv6.
        pub icmp: Bit,
    }
}

/// Reads the L4 header and puts the key together. Two clocks (selection of the words, then the key), one header per clock.
/// Step 8 of "Parser" and the table "Key" in `docs/hardware.md`.
#[millrace_hdl::block]
pub struct ParserL4 {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, L3>,
    /// Bytes 34..96 of the frame: L4 starts at one of its first thirteen words.
    pub tail: Signal<In, Bits<496>>,
    pub valid: Signal<In, Bit>,
    /// Stays until the next one.
    pub parsed: Signal<Out, Parsed>,
    pub out_valid: Signal<Out, Bit>,
    /// No header is inside.
    pub idle: Signal<Out, Bit>,
    // first clock
    l3: Dff<L3>,
    head: Dff<Bits<32>>,
    flags: Dff<Bits<16>>,
    kind: Dff<L4Kind>,
    valid1: DffR<Bit>,
    // second clock
    dl_dst: ByteSwap<48>,
    dl_src: ByteSwap<48>,
    out: DffE<Parsed>,
    valid2: DffR<Bit>,
}

#[millrace_hdl::block]
impl ParserL4 {
    fn update(&mut self) {
        comment!("Clock 1: the words of L4 that count, and whether it is complete.");
        let at = self.inp.l4_at;
        let mut first: Bits<32> = 0;
        let mut fourth: Bits<16> = 0;
        for i in 0..13 {
            if at == i {
                first |= self.tail.get_bits::<32>(i * 32);
                fourth |= self.tail.get_bits::<16>(i * 32 + 96);
            }
        }
        self.head = first;
        self.flags = fourth;
        let proto = self.inp.nw_proto;
        let l4_len = self.inp.l4_len;
        let l4_ok = self.inp.l4_ok;
        let ip6 = self.inp.l3 == 2;
        self.kind.tcp = l4_ok & (proto == 6) & (l4_len >= 20);
        self.kind.udp = l4_ok & (proto == 17) & (l4_len >= 8);
        self.kind.sctp = l4_ok & (proto == 132) & (l4_len >= 12);
        self.kind.icmp = l4_ok & (((proto == 1) & !ip6) | ((proto == 58) & ip6)) & (l4_len >= 8);
        self.l3 = self.inp;
        self.valid1 = self.valid;

        comment!("Clock 2: the key.");
        self.dl_dst.inp = self.l3.ethernet.dl_dst;
        self.dl_src.inp = self.l3.ethernet.dl_src;
        let ports = self.kind.tcp | self.kind.udp | self.kind.sctp;
        let mut key = Key::default();
        key.in_port = self.l3.meta.vport;
        key.nw_frag = self.l3.nw_frag;
        key.vlan_ad0 = self.l3.ethernet.vlan_ad0;
        key.vlan_ad1 = self.l3.ethernet.vlan_ad1;
        key.nw_ttl = self.l3.nw_ttl;
        key.dl_type = self.l3.ethernet.dl_type;
        key.vlan_tci0 = self.l3.ethernet.vlan_tci0;
        key.vlan_tci1 = self.l3.ethernet.vlan_tci1;
        key.nw_proto = self.l3.nw_proto;
        key.nw_tos = self.l3.nw_tos;
        key.dl_dst = self.dl_dst.out;
        key.dl_src = self.dl_src.out;
        key.nw_src = self.l3.nw_src;
        key.nw_dst = self.l3.nw_dst;
        key.tcp_flags = 0;
        key.tp_src = 0;
        key.tp_dst = 0;
        if self.kind.tcp {
            key.tcp_flags = cast::<12>(self.flags.get_bits::<4>(0)) << 8 | cast::<12>(self.flags.get_bits::<8>(8));
        }
        if ports {
            key.tp_src = be16(self.head.get_bits::<16>(0));
            key.tp_dst = be16(self.head.get_bits::<16>(16));
        }
        if self.kind.icmp {
            key.tp_src = cast::<16>(self.head.get_bits::<8>(0));
            key.tp_dst = cast::<16>(self.head.get_bits::<8>(8));
        }
        if self.valid1 {
            self.out.key = pack::<KEY_BITS>(key);
            self.out.layout.l4 = if self.kind.tcp { 1 } else { 0 };
            if self.kind.udp {
                self.out.layout.l4 = 2;
            }
            if self.kind.icmp & (self.l3.l3 == 2) {
                self.out.layout.l4 = 3;
            }
            self.out.layout.vlans = self.l3.ethernet.vlans;
            self.out.layout.l3 = self.l3.l3;
            self.out.layout.l4_words = self.l3.l4_words;
            self.out.punt = self.l3.punt;
            self.out.meta = self.l3.meta;
        }
        self.valid2 = self.valid1;

        self.parsed = self.out;
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
        assert_lints(ParserL4::default());
    }
}
