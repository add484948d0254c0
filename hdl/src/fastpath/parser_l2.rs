// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, first part: Ethernet and VLAN tags.

use super::types::Window;
use crate::base::{Dff, DffE, DffR, Tag};
use crate::{comment, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A frame with what L3 must be checked by moved to a fixed place.
    pub struct L2 {
        /// Bytes 0..8 behind the Ethernet type.
        pub l3: Bits<64>,
        /// Bytes 40..44 behind the Ethernet type: of an IPv6 fragment header.
        pub l3_40: Bits<32>,
        /// In wire order.
        pub dl_dst: Bits<48>,
        /// In wire order.
        pub dl_src: Bits<48>,
        /// Ethernet type or length behind the tags.
        pub dl_type: Bits<16>,
        pub vlan_tci0: Bits<16>,
        pub vlan_tci1: Bits<16>,
        pub vlan_ad0: Bit,
        pub vlan_ad1: Bit,
        pub vlans: Bits<2>,
        /// `vlans` = 1.
        pub one: Bit,
        /// `vlans` = 2.
        pub two: Bit,
        /// Bytes of the frame behind the Ethernet type.
        pub avail: Bits<14>,
        pub vport: Bits<8>,
        pub packet_out: Bit,
        pub len: Bits<14>,
        pub fault: Bits<2>,
    }
}

/// Finds up to two VLAN tags and moves the start of L3 to a fixed place. Two clocks (tags, then alignment), one header per clock.
/// No tag select has much more than a hundred loads: the rest is moved later, or picked from where it is, in `hdr`.
/// Steps 1, 2 and 4 of "Parser" in `docs/hardware.md`.
#[derive(LogicBlock, Default)]
pub struct ParserL2 {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, Window>,
    pub valid: Signal<In, Bit>,
    pub out: Signal<Out, L2>,
    /// Bytes 0..96 of the frame, one clock after `valid` and until the next one.
    pub hdr: Signal<Out, Bits<768>>,
    pub out_valid: Signal<Out, Bit>,
    /// No header is inside.
    pub idle: Signal<Out, Bit>,
    // first clock
    type0: Signal<Local, Bits<16>>,
    type1: Signal<Local, Bits<16>>,
    ad0: Signal<Local, Bit>,
    ad1: Signal<Local, Bit>,
    tag0: Signal<Local, Bit>,
    tag1: Signal<Local, Bit>,
    hdr_q: DffE<Bits<768>>,
    outer_ad: Dff<Bit>,
    inner_ad: Dff<Bit>,
    one: Dff<Bit>,
    two: Dff<Bit>,
    vport: Dff<Bits<8>>,
    packet_out: Dff<Bit>,
    len: Dff<Bits<14>>,
    fault: Dff<Bits<2>>,
    valid1: DffR<Bit>,
    // second clock
    l2: Dff<L2>,
    valid2: DffR<Bit>,
}

impl Logic for ParserL2 {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, hdr_q, outer_ad, inner_ad, one, two, vport, packet_out, len, fault, valid1, l2, valid2);
        self.valid1.reset.next = self.reset.val();
        self.valid2.reset.next = self.reset.val();

        comment!("Clock 1: the tags.");
        self.type0.next = bit_cast::<16, 8>(self.window.val().hdr.get_bits::<8>(96)) << 8
            | bit_cast::<16, 8>(self.window.val().hdr.get_bits::<8>(104));
        self.type1.next = bit_cast::<16, 8>(self.window.val().hdr.get_bits::<8>(128)) << 8
            | bit_cast::<16, 8>(self.window.val().hdr.get_bits::<8>(136));
        self.ad0.next = self.type0.val() == 0x88a8;
        self.ad1.next = self.type1.val() == 0x88a8;
        self.tag0.next = (self.ad0.val() | (self.type0.val() == 0x8100)) & (self.window.val().len >= 18);
        self.tag1.next = (self.ad1.val() | (self.type1.val() == 0x8100)) & (self.window.val().len >= 22);
        self.one.d.next = self.tag0.val() & !self.tag1.val();
        self.two.d.next = self.tag0.val() & self.tag1.val();
        self.outer_ad.d.next = self.ad0.val();
        self.inner_ad.d.next = self.ad1.val();
        self.hdr_q.en.next = self.valid.val();
        self.hdr_q.d.next = self.window.val().hdr.get_bits::<768>(0);
        self.vport.d.next = self.window.val().vport;
        self.packet_out.d.next = self.window.val().packet_out;
        self.len.d.next = self.window.val().len;
        self.fault.d.next = self.window.val().fault;
        self.valid1.d.next = self.valid.val();

        comment!("Clock 2: the start of L3 to its place.");
        self.l2.d.next.dl_dst = self.hdr_q.q.val().get_bits::<48>(0);
        self.l2.d.next.dl_src = self.hdr_q.q.val().get_bits::<48>(48);
        self.l2.d.next.one = self.one.q.val();
        self.l2.d.next.two = self.two.q.val();
        self.l2.d.next.l3 = self.hdr_q.q.val().get_bits::<64>(112);
        self.l2.d.next.l3_40 = self.hdr_q.q.val().get_bits::<32>(432);
        self.l2.d.next.dl_type = bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(96)) << 8
            | bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(104));
        self.l2.d.next.vlan_tci0 = 0.into();
        self.l2.d.next.vlan_tci1 = 0.into();
        self.l2.d.next.vlan_ad0 = false;
        self.l2.d.next.vlan_ad1 = false;
        self.l2.d.next.vlans = 0.into();
        self.l2.d.next.avail = self.len.q.val() - 14;
        if self.one.q.val() | self.two.q.val() {
            self.l2.d.next.vlan_tci0 = bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(112)) << 8
                | bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(120))
                | 0x1000;
            self.l2.d.next.vlan_ad0 = self.outer_ad.q.val();
        }
        if self.one.q.val() {
            self.l2.d.next.l3 = self.hdr_q.q.val().get_bits::<64>(144);
            self.l2.d.next.l3_40 = self.hdr_q.q.val().get_bits::<32>(464);
            self.l2.d.next.dl_type = bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(128)) << 8
                | bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(136));
            self.l2.d.next.vlans = 1.into();
            self.l2.d.next.avail = self.len.q.val() - 18;
        }
        if self.two.q.val() {
            self.l2.d.next.l3 = self.hdr_q.q.val().get_bits::<64>(176);
            self.l2.d.next.l3_40 = self.hdr_q.q.val().get_bits::<32>(496);
            self.l2.d.next.dl_type = bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(160)) << 8
                | bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(168));
            self.l2.d.next.vlan_tci1 = bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(144)) << 8
                | bit_cast::<16, 8>(self.hdr_q.q.val().get_bits::<8>(152))
                | 0x1000;
            self.l2.d.next.vlan_ad1 = self.inner_ad.q.val();
            self.l2.d.next.vlans = 2.into();
            self.l2.d.next.avail = self.len.q.val() - 22;
        }
        self.l2.d.next.vport = self.vport.q.val();
        self.l2.d.next.packet_out = self.packet_out.q.val();
        self.l2.d.next.len = self.len.q.val();
        self.l2.d.next.fault = self.fault.q.val();
        self.valid2.d.next = self.valid1.q.val();

        self.out.next = self.l2.q.val();
        self.hdr.next = self.hdr_q.q.val();
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
        assert_lints(ParserL2::default());
    }
}
