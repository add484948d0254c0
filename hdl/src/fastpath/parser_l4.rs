// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, last part: L4, and the key.

use super::parser_l3::L3;
use super::types::{Key, Parsed};
use crate::base::{ByteSwap, Dff, DffE, DffR, Tag};
use crate::{comment, wire_struct};
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
#[derive(LogicBlock, Default)]
pub struct ParserL4 {
    tag: Tag<Self>,
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
    at: Signal<Local, Bits<4>>,
    first: Signal<Local, Bits<32>>,
    fourth: Signal<Local, Bits<16>>,
    proto: Signal<Local, Bits<8>>,
    l4_len: Signal<Local, Bits<16>>,
    l4_ok: Signal<Local, Bit>,
    ip6: Signal<Local, Bit>,
    l3: Dff<L3>,
    head: Dff<Bits<32>>,
    flags: Dff<Bits<16>>,
    kind: Dff<L4Kind>,
    valid1: DffR<Bit>,
    // second clock
    dl_dst: ByteSwap<48>,
    dl_src: ByteSwap<48>,
    ports: Signal<Local, Bit>,
    key: Signal<Local, Key>,
    out: DffE<Parsed>,
    valid2: DffR<Bit>,
}

impl Logic for ParserL4 {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, l3, head, flags, kind, valid1, out, valid2);
        self.valid1.reset.next = self.reset.val();
        self.valid2.reset.next = self.reset.val();

        comment!("Clock 1: the words of L4 that count, and whether it is complete.");
        self.at.next = self.inp.val().l4_at;
        self.first.next = 0.into();
        self.fourth.next = 0.into();
        for i in 0..13 {
            if self.at.val() == i.to_bits::<4>() {
                self.first.next = self.first.val() | self.tail.val().get_bits::<32>(i * 32);
                self.fourth.next = self.fourth.val() | self.tail.val().get_bits::<16>(i * 32 + 96);
            }
        }
        self.head.d.next = self.first.val();
        self.flags.d.next = self.fourth.val();
        self.proto.next = self.inp.val().nw_proto;
        self.l4_len.next = self.inp.val().l4_len;
        self.l4_ok.next = self.inp.val().l4_ok;
        self.ip6.next = self.inp.val().l3 == 2;
        self.kind.d.next.tcp = self.l4_ok.val() & (self.proto.val() == 6) & (self.l4_len.val() >= 20);
        self.kind.d.next.udp = self.l4_ok.val() & (self.proto.val() == 17) & (self.l4_len.val() >= 8);
        self.kind.d.next.sctp = self.l4_ok.val() & (self.proto.val() == 132) & (self.l4_len.val() >= 12);
        self.kind.d.next.icmp = self.l4_ok.val()
            & (((self.proto.val() == 1) & !self.ip6.val()) | ((self.proto.val() == 58) & self.ip6.val()))
            & (self.l4_len.val() >= 8);
        self.l3.d.next = self.inp.val();
        self.valid1.d.next = self.valid.val();

        comment!("Clock 2: the key.");
        self.dl_dst.inp.next = self.l3.q.val().dl_dst;
        self.dl_src.inp.next = self.l3.q.val().dl_src;
        self.ports.next = self.kind.q.val().tcp | self.kind.q.val().udp | self.kind.q.val().sctp;
        self.key.next.in_port = self.l3.q.val().vport;
        self.key.next.nw_frag = self.l3.q.val().nw_frag;
        self.key.next.vlan_ad0 = self.l3.q.val().vlan_ad0;
        self.key.next.vlan_ad1 = self.l3.q.val().vlan_ad1;
        self.key.next.nw_ttl = self.l3.q.val().nw_ttl;
        self.key.next.dl_type = self.l3.q.val().dl_type;
        self.key.next.vlan_tci0 = self.l3.q.val().vlan_tci0;
        self.key.next.vlan_tci1 = self.l3.q.val().vlan_tci1;
        self.key.next.nw_proto = self.l3.q.val().nw_proto;
        self.key.next.nw_tos = self.l3.q.val().nw_tos;
        self.key.next.dl_dst = self.dl_dst.out.val();
        self.key.next.dl_src = self.dl_src.out.val();
        self.key.next.nw_src = self.l3.q.val().nw_src;
        self.key.next.nw_dst = self.l3.q.val().nw_dst;
        self.key.next.tcp_flags = 0.into();
        self.key.next.tp_src = 0.into();
        self.key.next.tp_dst = 0.into();
        if self.kind.q.val().tcp {
            self.key.next.tcp_flags = bit_cast::<12, 4>(self.flags.q.val().get_bits::<4>(0)) << 8
                | bit_cast::<12, 8>(self.flags.q.val().get_bits::<8>(8));
        }
        if self.ports.val() {
            self.key.next.tp_src = bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(0)) << 8
                | bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(8));
            self.key.next.tp_dst = bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(16)) << 8
                | bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(24));
        }
        if self.kind.q.val().icmp {
            self.key.next.tp_src = bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(0));
            self.key.next.tp_dst = bit_cast::<16, 8>(self.head.q.val().get_bits::<8>(8));
        }
        self.out.en.next = self.valid1.q.val();
        self.out.d.next.key = bit_cast::<480, 8>(self.key.val().in_port)
            | bit_cast::<480, 2>(self.key.val().nw_frag) << 8
            | bit_cast::<480, 1>(self.key.val().vlan_ad0.into()) << 10
            | bit_cast::<480, 1>(self.key.val().vlan_ad1.into()) << 11
            | bit_cast::<480, 12>(self.key.val().tcp_flags) << 12
            | bit_cast::<480, 8>(self.key.val().nw_ttl) << 24
            | bit_cast::<480, 16>(self.key.val().dl_type) << 32
            | bit_cast::<480, 16>(self.key.val().vlan_tci0) << 48
            | bit_cast::<480, 16>(self.key.val().vlan_tci1) << 64
            | bit_cast::<480, 8>(self.key.val().nw_proto) << 80
            | bit_cast::<480, 8>(self.key.val().nw_tos) << 88
            | bit_cast::<480, 48>(self.key.val().dl_dst) << 96
            | bit_cast::<480, 48>(self.key.val().dl_src) << 144
            | bit_cast::<480, 16>(self.key.val().tp_src) << 192
            | bit_cast::<480, 16>(self.key.val().tp_dst) << 208
            | bit_cast::<480, 128>(self.key.val().nw_src) << 224
            | bit_cast::<480, 128>(self.key.val().nw_dst) << 352;
        self.out.d.next.l4 = 0.into();
        if self.kind.q.val().tcp {
            self.out.d.next.l4 = 1.into();
        }
        if self.kind.q.val().udp {
            self.out.d.next.l4 = 2.into();
        }
        if self.kind.q.val().icmp & (self.l3.q.val().l3 == 2) {
            self.out.d.next.l4 = 3.into();
        }
        self.out.d.next.vlans = self.l3.q.val().vlans;
        self.out.d.next.l3 = self.l3.q.val().l3;
        self.out.d.next.l4_words = self.l3.q.val().l4_words;
        self.out.d.next.punt = self.l3.q.val().punt;
        self.out.d.next.vport = self.l3.q.val().vport;
        self.out.d.next.packet_out = self.l3.q.val().packet_out;
        self.out.d.next.len = self.l3.q.val().len;
        self.out.d.next.fault = self.l3.q.val().fault;
        self.valid2.d.next = self.valid1.q.val();

        self.parsed.next = self.out.q.val();
        self.out_valid.next = self.valid2.q.val();
        self.idle.next = !self.valid1.q.val() & !self.valid2.q.val();
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
