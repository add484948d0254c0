// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser, first part: Ethernet and VLAN tags.

use crate::base::{Dff, DffE, DffR, be16};
use crate::core::types::{Meta, Window};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// What the parts behind have of the Ethernet header and the tags.
    pub struct Ethernet {
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
        /// Tags: 0..=2.
        pub vlans: Bits<2>,
    }
}

wire_struct! {
    /// A frame with what L3 must be checked by moved to a fixed place.
    pub struct L2 {
        /// Bytes 0..8 behind the Ethernet type.
        pub l3: Bits<64>,
        /// Bytes 40..44 behind the Ethernet type: of an IPv6 fragment header.
        pub l3_40: Bits<32>,
        pub ethernet: Ethernet,
        /// `vlans` = 1.
        pub one: Bit,
        /// `vlans` = 2.
        pub two: Bit,
        /// Bytes of the frame behind the Ethernet type.
        pub avail: Bits<14>,
        pub meta: Meta,
    }
}

/// Finds up to two VLAN tags and moves the start of L3 to a fixed place. Two clocks (tags, then alignment), one header per clock.
/// No tag select has much more than a hundred loads: the rest is moved later, or picked from where it is, in `hdr`.
/// Steps 1, 2 and 4 of "Parser" in `docs/hardware.md`.
#[millrace_hdl::block]
pub struct ParserL2 {
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
    hdr_q: DffE<Bits<768>>,
    outer_ad: Dff<Bit>,
    inner_ad: Dff<Bit>,
    one: Dff<Bit>,
    two: Dff<Bit>,
    meta: Dff<Meta>,
    valid1: DffR<Bit>,
    // second clock
    l2: Dff<L2>,
    valid2: DffR<Bit>,
}

#[millrace_hdl::block]
impl ParserL2 {
    fn update(&mut self) {
        comment!("Clock 1: the tags.");
        let type0 = be16(self.window.hdr.get_bits::<16>(96));
        let type1 = be16(self.window.hdr.get_bits::<16>(128));
        let ad0 = type0 == 0x88a8;
        let ad1 = type1 == 0x88a8;
        let tag0 = (ad0 | (type0 == 0x8100)) & (self.window.meta.len >= 18);
        let tag1 = (ad1 | (type1 == 0x8100)) & (self.window.meta.len >= 22);
        self.one = tag0 & !tag1;
        self.two = tag0 & tag1;
        self.outer_ad = ad0;
        self.inner_ad = ad1;
        if self.valid {
            self.hdr_q = self.window.hdr.get_bits::<768>(0);
        }
        self.meta = self.window.meta;
        self.valid1 = self.valid;

        comment!("Clock 2: the start of L3 to its place.");
        self.l2.ethernet.dl_dst = self.hdr_q.get_bits::<48>(0);
        self.l2.ethernet.dl_src = self.hdr_q.get_bits::<48>(48);
        self.l2.one = self.one;
        self.l2.two = self.two;
        self.l2.l3 = self.hdr_q.get_bits::<64>(112);
        self.l2.l3_40 = self.hdr_q.get_bits::<32>(432);
        self.l2.ethernet.dl_type = be16(self.hdr_q.get_bits::<16>(96));
        self.l2.ethernet.vlan_tci0 = 0;
        self.l2.ethernet.vlan_tci1 = 0;
        self.l2.ethernet.vlan_ad0 = false;
        self.l2.ethernet.vlan_ad1 = false;
        self.l2.ethernet.vlans = 0;
        self.l2.avail = self.meta.len - 14;
        if self.one | self.two {
            self.l2.ethernet.vlan_tci0 = be16(self.hdr_q.get_bits::<16>(112)) | 0x1000;
            self.l2.ethernet.vlan_ad0 = self.outer_ad;
        }
        if self.one {
            self.l2.l3 = self.hdr_q.get_bits::<64>(144);
            self.l2.l3_40 = self.hdr_q.get_bits::<32>(464);
            self.l2.ethernet.dl_type = be16(self.hdr_q.get_bits::<16>(128));
            self.l2.ethernet.vlans = 1;
            self.l2.avail = self.meta.len - 18;
        }
        if self.two {
            self.l2.l3 = self.hdr_q.get_bits::<64>(176);
            self.l2.l3_40 = self.hdr_q.get_bits::<32>(496);
            self.l2.ethernet.dl_type = be16(self.hdr_q.get_bits::<16>(160));
            self.l2.ethernet.vlan_tci1 = be16(self.hdr_q.get_bits::<16>(144)) | 0x1000;
            self.l2.ethernet.vlan_ad1 = self.inner_ad;
            self.l2.ethernet.vlans = 2;
            self.l2.avail = self.meta.len - 22;
        }
        self.l2.meta = self.meta;
        self.valid2 = self.valid1;

        self.out = self.l2;
        self.hdr = self.hdr_q;
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
        assert_lints(ParserL2::default());
    }
}
