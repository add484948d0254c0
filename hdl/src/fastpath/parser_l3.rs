// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, second part: IPv4, IPv6, ARP, and what must be punted.

use super::parser_l2::L2;
use crate::base::{ByteSwap, Dff, DffR, Tag};
use crate::{comment, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A frame whose L3 header has been read.
    pub struct L3 {
        /// Where L4 starts, in words from byte 34 of the frame on: `l4_words` - 5 + `vlans`.
        pub l4_at: Bits<4>,
        /// 5..=15, see [`Layout`](super::types::Layout).
        pub l4_words: Bits<4>,
        /// Bytes of L4 by the L3 header.
        pub l4_len: Bits<16>,
        /// L4 may be looked at: a valid header of a packet that is neither punted nor a later fragment.
        pub l4_ok: Bit,
        /// 0 none, 1 IPv4, 2 IPv6.
        pub l3: Bits<2>,
        pub punt: Bit,
        /// In wire order.
        pub dl_dst: Bits<48>,
        /// In wire order.
        pub dl_src: Bits<48>,
        pub dl_type: Bits<16>,
        pub vlan_tci0: Bits<16>,
        pub vlan_tci1: Bits<16>,
        pub vlan_ad0: Bit,
        pub vlan_ad1: Bit,
        pub vlans: Bits<2>,
        pub nw_src: Bits<128>,
        pub nw_dst: Bits<128>,
        pub nw_proto: Bits<8>,
        pub nw_tos: Bits<8>,
        pub nw_ttl: Bits<8>,
        pub nw_frag: Bits<2>,
        pub vport: Bits<8>,
        pub packet_out: Bit,
        pub len: Bits<14>,
        pub fault: Bits<2>,
    }
}

/// Reads the L3 header. Two clocks (checks, then fields), one header per clock. Steps 3 and 5 to 7 of "Parser" in
/// `docs/hardware.md`.
#[derive(LogicBlock, Default)]
pub struct ParserL3 {
    tag: Tag<Self>,
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
    data: Signal<Local, Bits<64>>,
    fragment: Signal<Local, Bits<32>>,
    slack: Signal<Local, Bits<18>>,
    kind: Signal<Local, Bits<16>>,
    avail: Signal<Local, Bits<17>>,
    word0: Signal<Local, Bits<16>>,
    word1: Signal<Local, Bits<16>>,
    word3: Signal<Local, Bits<16>>,
    total: Signal<Local, Bits<17>>,
    ihl_bytes: Signal<Local, Bits<17>>,
    payload: Signal<Local, Bits<16>>,
    next: Signal<Local, Bits<8>>,
    next2: Signal<Local, Bits<8>>,
    frag6_word: Signal<Local, Bits<16>>,
    has_frag6: Signal<Local, Bit>,
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
    start: Signal<Local, Bits<64>>,
    bytes: Signal<Local, Bits<256>>,
    l4_words: Signal<Local, Bits<4>>,
    src6: ByteSwap<128>,
    dst6: ByteSwap<128>,
    src4: ByteSwap<32>,
    dst4: ByteSwap<32>,
    sha: ByteSwap<48>,
    tha: ByteSwap<48>,
    spa: ByteSwap<32>,
    tpa: ByteSwap<32>,
    punt6: Signal<Local, Bit>,
    payload6: Signal<Local, Bits<16>>,
    l3: Dff<L3>,
    valid2: DffR<Bit>,
}

impl Logic for ParserL3 {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            l2,
            fields,
            next_after,
            ip4,
            ip6,
            arp,
            snap,
            length_kind,
            frag4,
            frag6,
            has6,
            extension,
            extension2,
            short_frag6,
            l4_len4,
            valid1,
            l3,
            valid2
        );
        self.valid1.reset.next = self.reset.val();
        self.valid2.reset.next = self.reset.val();

        comment!("Clock 1: what it is, and whether its lengths hold.");
        self.data.next = self.inp.val().l3;
        self.fragment.next = self.inp.val().l3_40;
        self.kind.next = self.inp.val().dl_type;
        self.avail.next = bit_cast::<17, 14>(self.inp.val().avail);
        self.word0.next = bit_cast::<16, 8>(self.data.val().get_bits::<8>(0)) << 8
            | bit_cast::<16, 8>(self.data.val().get_bits::<8>(8));
        self.word1.next = bit_cast::<16, 8>(self.data.val().get_bits::<8>(16)) << 8
            | bit_cast::<16, 8>(self.data.val().get_bits::<8>(24));
        self.word3.next = bit_cast::<16, 8>(self.data.val().get_bits::<8>(48)) << 8
            | bit_cast::<16, 8>(self.data.val().get_bits::<8>(56));

        comment!(
            "IPv4. A header of 20 bytes or more within total_length within avail: no other check of avail is needed."
        );
        self.total.next = bit_cast::<17, 16>(self.word1.val());
        self.ihl_bytes.next = bit_cast::<17, 4>(self.data.val().get_bits::<4>(0)) << 2;
        self.ip4.d.next = (self.kind.val() == 0x0800)
            & (self.ihl_bytes.val() >= 20)
            & (self.ihl_bytes.val() <= self.total.val())
            & (self.total.val() <= self.avail.val());
        self.l4_len4.d.next = bit_cast::<16, 17>(self.total.val() - self.ihl_bytes.val());
        self.frag4.d.next = 0.into();
        if self.word3.val().get_bits::<14>(0).any() {
            self.frag4.d.next = 1.into();
        }
        if self.word3.val().get_bits::<13>(0).any() {
            self.frag4.d.next = 3.into();
        }

        comment!("IPv6, and the fragment header that may follow it.");
        self.payload.next = bit_cast::<16, 8>(self.data.val().get_bits::<8>(32)) << 8
            | bit_cast::<16, 8>(self.data.val().get_bits::<8>(40));
        self.next.next = self.data.val().get_bits::<8>(48);
        self.next2.next = self.fragment.val().get_bits::<8>(0);
        self.frag6_word.next = bit_cast::<16, 8>(self.fragment.val().get_bits::<8>(16)) << 8
            | bit_cast::<16, 8>(self.fragment.val().get_bits::<8>(24));
        comment!("avail - 40 - payload, one adder; its top bit is the sign.");
        self.slack.next = bit_cast::<18, 17>(self.avail.val()) - bit_cast::<18, 16>(self.payload.val()) - 40;
        self.ip6.d.next = (self.kind.val() == 0x86dd) & !self.slack.val().get_bit(17);
        self.has_frag6.next = (self.next.val() == 44) & self.payload.val().get_bits::<13>(3).any();
        self.has6.d.next = self.has_frag6.val();
        self.short_frag6.d.next = (self.next.val() == 44) & !self.payload.val().get_bits::<13>(3).any();
        self.frag6.d.next = 0.into();
        if self.has_frag6.val() & self.frag6_word.val().any() {
            self.frag6.d.next = 1.into();
        }
        if self.has_frag6.val() & self.frag6_word.val().get_bits::<13>(3).any() {
            self.frag6.d.next = 3.into();
        }
        self.next_after.d.next = self.next2.val();
        self.extension.d.next =
            (self.next.val() == 0) | (self.next.val() == 43) | (self.next.val() == 51) | (self.next.val() == 60);
        self.extension2.d.next = (self.next2.val() == 0)
            | (self.next2.val() == 43)
            | (self.next2.val() == 44)
            | (self.next2.val() == 51)
            | (self.next2.val() == 60);

        comment!("ARP and RARP for IPv4 over Ethernet; LLC/SNAP.");
        self.arp.d.next = ((self.kind.val() == 0x0806) | (self.kind.val() == 0x8035))
            & (self.avail.val() >= 28)
            & (self.word0.val() == 1)
            & (self.word1.val() == 0x0800)
            & (self.data.val().get_bits::<8>(32) == 6)
            & (self.data.val().get_bits::<8>(40) == 4);
        self.length_kind.d.next = self.kind.val() < 0x600;
        self.snap.d.next = (self.kind.val() < 0x600)
            & (self.avail.val() >= 8)
            & (self.word0.val() == 0xaaaa)
            & (self.word1.val() == 0x0300)
            & !self.payload.val().any()
            & (self.word3.val() >= 0x600);
        self.l2.d.next = self.inp.val();
        self.fields.d.next = self.body.val().get_bits::<256>(0);
        if self.inp.val().one {
            self.fields.d.next = self.body.val().get_bits::<256>(32);
        }
        if self.inp.val().two {
            self.fields.d.next = self.body.val().get_bits::<256>(64);
        }
        self.valid1.d.next = self.valid.val();

        comment!("Clock 2: the fields.");
        self.start.next = self.l2.q.val().l3;
        self.bytes.next = self.fields.q.val();
        self.src4.inp.next = self.bytes.val().get_bits::<32>(32);
        self.dst4.inp.next = self.bytes.val().get_bits::<32>(64);
        self.src6.inp.next = self.bytes.val().get_bits::<128>(0);
        self.dst6.inp.next = self.bytes.val().get_bits::<128>(128);
        self.sha.inp.next = self.bytes.val().get_bits::<48>(0);
        self.spa.inp.next = self.bytes.val().get_bits::<32>(48);
        self.tha.inp.next = self.bytes.val().get_bits::<48>(80);
        self.tpa.inp.next = self.bytes.val().get_bits::<32>(128);
        self.payload6.next = bit_cast::<16, 8>(self.start.val().get_bits::<8>(32)) << 8
            | bit_cast::<16, 8>(self.start.val().get_bits::<8>(40));
        self.punt6.next = self.extension.q.val()
            | self.short_frag6.q.val()
            | (self.has6.q.val() & self.extension2.q.val() & !self.frag6.q.val().get_bit(1));

        self.l3.d.next.punt = self.snap.q.val();
        self.l3.d.next.l3 = 0.into();
        self.l3.d.next.l4_ok = false;
        self.l4_words.next = self.start.val().get_bits::<4>(0);
        self.l3.d.next.l4_len = self.l4_len4.q.val();
        self.l3.d.next.nw_src = 0.into();
        self.l3.d.next.nw_dst = 0.into();
        self.l3.d.next.nw_proto = 0.into();
        self.l3.d.next.nw_tos = 0.into();
        self.l3.d.next.nw_ttl = 0.into();
        self.l3.d.next.nw_frag = 0.into();
        if self.ip4.q.val() {
            self.l3.d.next.l3 = 1.into();
            self.l3.d.next.l4_ok = !self.frag4.q.val().get_bit(1);
            self.l3.d.next.nw_src = bit_cast::<128, 32>(self.src4.out.val());
            self.l3.d.next.nw_dst = bit_cast::<128, 32>(self.dst4.out.val());
            self.l3.d.next.nw_proto = self.bytes.val().get_bits::<8>(8);
            self.l3.d.next.nw_tos = self.start.val().get_bits::<8>(8);
            self.l3.d.next.nw_ttl = self.bytes.val().get_bits::<8>(0);
            self.l3.d.next.nw_frag = self.frag4.q.val();
        }
        if self.ip6.q.val() {
            self.l3.d.next.punt = self.punt6.val();
            self.l3.d.next.l3 = 2.into();
            self.l3.d.next.l4_ok = !self.punt6.val() & !self.frag6.q.val().get_bit(1);
            self.l4_words.next = 10.into();
            self.l3.d.next.l4_len = self.payload6.val();
            self.l3.d.next.nw_src = self.src6.out.val();
            self.l3.d.next.nw_dst = self.dst6.out.val();
            self.l3.d.next.nw_proto = self.start.val().get_bits::<8>(48);
            self.l3.d.next.nw_tos = bit_cast::<8, 4>(self.start.val().get_bits::<4>(0)) << 4
                | bit_cast::<8, 4>(self.start.val().get_bits::<4>(12));
            self.l3.d.next.nw_ttl = self.start.val().get_bits::<8>(56);
            self.l3.d.next.nw_frag = self.frag6.q.val();
            if self.has6.q.val() {
                self.l4_words.next = 12.into();
                self.l3.d.next.l4_len = self.payload6.val() - 8;
                if !self.frag6.q.val().get_bit(1) {
                    self.l3.d.next.nw_proto = self.next_after.q.val();
                }
            }
        }
        if self.arp.q.val() {
            self.l3.d.next.nw_src =
                bit_cast::<128, 48>(self.sha.out.val()) << 80 | bit_cast::<128, 32>(self.spa.out.val());
            self.l3.d.next.nw_dst =
                bit_cast::<128, 48>(self.tha.out.val()) << 80 | bit_cast::<128, 32>(self.tpa.out.val());
            if self.start.val().get_bits::<8>(48) == 0 {
                self.l3.d.next.nw_proto = self.start.val().get_bits::<8>(56);
            }
        }
        self.l3.d.next.l4_words = self.l4_words.val();
        self.l3.d.next.l4_at = self.l4_words.val() + bit_cast::<4, 2>(self.l2.q.val().vlans) - 5;
        self.l3.d.next.dl_dst = self.l2.q.val().dl_dst;
        self.l3.d.next.dl_src = self.l2.q.val().dl_src;
        self.l3.d.next.dl_type = self.l2.q.val().dl_type;
        if self.length_kind.q.val() {
            self.l3.d.next.dl_type = 0x05ff.into();
        }
        self.l3.d.next.vlan_tci0 = self.l2.q.val().vlan_tci0;
        self.l3.d.next.vlan_tci1 = self.l2.q.val().vlan_tci1;
        self.l3.d.next.vlan_ad0 = self.l2.q.val().vlan_ad0;
        self.l3.d.next.vlan_ad1 = self.l2.q.val().vlan_ad1;
        self.l3.d.next.vlans = self.l2.q.val().vlans;
        self.l3.d.next.vport = self.l2.q.val().vport;
        self.l3.d.next.packet_out = self.l2.q.val().packet_out;
        self.l3.d.next.len = self.l2.q.val().len;
        self.l3.d.next.fault = self.l2.q.val().fault;
        self.valid2.d.next = self.valid1.q.val();

        self.out.next = self.l3.q.val();
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
        assert_lints(ParserL3::default());
    }
}
