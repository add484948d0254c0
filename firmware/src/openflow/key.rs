// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path's view of a packet: every field that a flow table can look at, as an array of 64-bit words.
//!
//! The words are in the order of Open vSwitch's classifier stages (metadata, L2, L3, L4), so that a staged lookup
//! hashes and compares a prefix: [`STAGE_ENDS`]. Multi-byte fields are numbers (10.0.0.1 is 0x0a000001).
//! As in Open vSwitch, ARP shares fields with IPv4: `arp_spa`/`arp_tpa` are `nw_src`/`nw_dst`, `arp_op` is `nw_proto`;
//! ICMP and ICMPv6 keep type and code in `tp_src` and `tp_dst`.

use std::fmt;

/// Number of 64-bit words in a key or mask.
pub const WORDS: usize = 22;

/// First word after each of the four stages: metadata, L2, L3, L4.
pub const STAGE_ENDS: [usize; 4] = [10, 13, 21, 22];

/// The *present* bit of a VLAN TCI in a key (the CFI bit on the wire).
pub const VLAN_CFI: u16 = 0x1000;
/// VLAN identifier bits of a TCI.
pub const VLAN_VID_MASK: u16 = 0x0fff;
/// Priority bits of a TCI.
pub const VLAN_PCP_MASK: u16 = 0xe000;

/// `nw_frag` bit: any fragment.
pub const NW_FRAG_ANY: u8 = 1;
/// `nw_frag` bit: a fragment with an offset other than 0.
pub const NW_FRAG_LATER: u8 = 2;

/// Where a field lies: `bits` bits from bit `shift` of word `word`. A field of 128 bits takes two words, high one first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Index of the (first) word.
    pub word: u8,
    /// Lowest bit in the word.
    pub shift: u8,
    /// Width, 1 to 64, or 128.
    pub bits: u8,
}

impl Slot {
    const fn new(word: u8, shift: u8, bits: u8) -> Slot {
        Slot { word, shift, bits }
    }

    /// All ones in the field's width, at bit 0.
    pub const fn ones(self) -> u128 {
        if self.bits == 128 { u128::MAX } else { (1u128 << self.bits) - 1 }
    }
}

/// The slots of the fields.
pub mod slot {
    use super::Slot;

    /// OpenFlow metadata, 64 bits.
    pub const METADATA: Slot = Slot::new(0, 0, 64);
    /// OpenFlow number of the port the packet came in on.
    pub const IN_PORT: Slot = Slot::new(9, 0, 16);
    /// Ethernet destination.
    pub const DL_DST: Slot = Slot::new(10, 0, 48);
    /// Ethernet type (0x05ff for a frame with a length field).
    pub const DL_TYPE: Slot = Slot::new(10, 48, 16);
    /// Ethernet source.
    pub const DL_SRC: Slot = Slot::new(11, 0, 48);
    /// Outer VLAN tag's TCI, CFI bit set if there is a tag.
    pub const VLAN_TCI0: Slot = Slot::new(12, 0, 16);
    /// Outer VLAN tag's TPID, 0 if there is none.
    pub const VLAN_TPID0: Slot = Slot::new(12, 16, 16);
    /// Inner VLAN tag's TCI.
    pub const VLAN_TCI1: Slot = Slot::new(12, 32, 16);
    /// Inner VLAN tag's TPID.
    pub const VLAN_TPID1: Slot = Slot::new(12, 48, 16);
    /// IPv4 source, ARP sender protocol address.
    pub const NW_SRC: Slot = Slot::new(13, 32, 32);
    /// IPv4 destination, ARP target protocol address.
    pub const NW_DST: Slot = Slot::new(13, 0, 32);
    /// IPv6 source.
    pub const IPV6_SRC: Slot = Slot::new(14, 0, 128);
    /// IPv6 destination.
    pub const IPV6_DST: Slot = Slot::new(16, 0, 128);
    /// IP protocol, ARP opcode.
    pub const NW_PROTO: Slot = Slot::new(18, 0, 8);
    /// TOS or traffic class, all 8 bits.
    pub const NW_TOS: Slot = Slot::new(18, 8, 8);
    /// TTL or hop limit.
    pub const NW_TTL: Slot = Slot::new(18, 16, 8);
    /// Fragment bits, see [`super::NW_FRAG_ANY`].
    pub const NW_FRAG: Slot = Slot::new(18, 24, 8);
    /// TCP flags, 12 bits.
    pub const TCP_FLAGS: Slot = Slot::new(18, 32, 16);
    /// ARP sender hardware address.
    pub const ARP_SHA: Slot = Slot::new(19, 0, 48);
    /// ARP target hardware address.
    pub const ARP_THA: Slot = Slot::new(20, 0, 48);
    /// TCP, UDP or SCTP source port, ICMP type.
    pub const TP_SRC: Slot = Slot::new(21, 16, 16);
    /// TCP, UDP or SCTP destination port, ICMP code.
    pub const TP_DST: Slot = Slot::new(21, 0, 16);

    /// 32-bit register `n` (0 to 15). The lower-numbered register of a pair is the high half of its word.
    pub const fn reg(n: u8) -> Slot {
        Slot::new(1 + n / 2, 32 - 32 * (n % 2), 32)
    }

    /// 64-bit register `n` (0 to 7): `reg(2n)` in the high half, `reg(2n + 1)` in the low half.
    pub const fn xreg(n: u8) -> Slot {
        Slot::new(1 + n, 0, 64)
    }

    /// 128-bit register `n` (0 to 3): `reg(4n)` in the highest quarter.
    pub const fn xxreg(n: u8) -> Slot {
        Slot::new(1 + 2 * n, 0, 128)
    }
}

macro_rules! accessors {
    ($($get:ident $set:ident $slot:ident $ty:ty;)*) => {$(
        #[doc = concat!("The field at [`slot::", stringify!($slot), "`].")]
        #[inline]
        pub const fn $get(&self) -> $ty {
            self.get(slot::$slot) as $ty
        }

        #[doc = concat!("Sets the field at [`slot::", stringify!($slot), "`].")]
        #[inline]
        pub const fn $set(&mut self, value: $ty) {
            self.set(slot::$slot, value as u128);
        }
    )*};
}

macro_rules! words_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(transparent)]
        pub struct $name(pub [u64; WORDS]);

        impl Default for $name {
            fn default() -> $name {
                $name([0; WORDS])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "{{"))?;
                for (i, w) in self.0.iter().enumerate().filter(|(_, w)| **w != 0) {
                    write!(f, " {i}:{w:x}")?;
                }
                write!(f, " }}")
            }
        }

        impl $name {
            /// The field's bits, at bit 0.
            #[inline]
            pub const fn get(&self, s: Slot) -> u128 {
                if s.bits == 128 {
                    (self.0[s.word as usize] as u128) << 64 | self.0[s.word as usize + 1] as u128
                } else {
                    (self.0[s.word as usize] >> s.shift) as u128 & s.ones()
                }
            }

            /// Replaces the field's bits by the low bits of `value`; those past its width are ignored.
            #[inline]
            pub const fn set(&mut self, s: Slot, value: u128) {
                if s.bits == 128 {
                    self.0[s.word as usize] = (value >> 64) as u64;
                    self.0[s.word as usize + 1] = value as u64;
                } else {
                    let ones = (s.ones() as u64) << s.shift;
                    let word = &mut self.0[s.word as usize];
                    *word = *word & !ones | (value as u64) << s.shift & ones;
                }
            }

            accessors! {
                metadata set_metadata METADATA u64;
                in_port set_in_port IN_PORT u16;
                dl_dst set_dl_dst DL_DST u64;
                dl_src set_dl_src DL_SRC u64;
                dl_type set_dl_type DL_TYPE u16;
                vlan_tci0 set_vlan_tci0 VLAN_TCI0 u16;
                vlan_tpid0 set_vlan_tpid0 VLAN_TPID0 u16;
                vlan_tci1 set_vlan_tci1 VLAN_TCI1 u16;
                vlan_tpid1 set_vlan_tpid1 VLAN_TPID1 u16;
                nw_src set_nw_src NW_SRC u32;
                nw_dst set_nw_dst NW_DST u32;
                ipv6_src set_ipv6_src IPV6_SRC u128;
                ipv6_dst set_ipv6_dst IPV6_DST u128;
                nw_proto set_nw_proto NW_PROTO u8;
                nw_tos set_nw_tos NW_TOS u8;
                nw_ttl set_nw_ttl NW_TTL u8;
                nw_frag set_nw_frag NW_FRAG u8;
                tcp_flags set_tcp_flags TCP_FLAGS u16;
                arp_sha set_arp_sha ARP_SHA u64;
                arp_tha set_arp_tha ARP_THA u64;
                tp_src set_tp_src TP_SRC u16;
                tp_dst set_tp_dst TP_DST u16;
            }

            /// Register `n` (0 to 15).
            #[inline]
            pub const fn reg(&self, n: u8) -> u32 {
                self.get(slot::reg(n)) as u32
            }

            /// Sets register `n` (0 to 15).
            #[inline]
            pub const fn set_reg(&mut self, n: u8, value: u32) {
                self.set(slot::reg(n), value as u128);
            }
        }
    };
}

words_type! {
    /// The fields of one packet.
    FlowKey
}

words_type! {
    /// Which bits of a [`FlowKey`] count (1) and which do not (0).
    FlowMask
}

impl FlowKey {
    /// The key with every bit cleared that the mask leaves out.
    #[inline]
    pub fn masked(&self, mask: &FlowMask) -> FlowKey {
        FlowKey(std::array::from_fn(|i| self.0[i] & mask.0[i]))
    }
}

impl FlowMask {
    /// Adds all bits of a field to the mask (the slow path looked at it).
    #[inline]
    pub const fn unwildcard(&mut self, s: Slot) {
        self.set(s, s.ones());
    }

    /// Adds to this mask every bit of another.
    #[inline]
    pub fn union(&mut self, other: &FlowMask) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    /// Whether no bit counts.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_set_is_read_back_and_leaves_its_neighbours_alone() {
        let slots = [
            slot::METADATA,
            slot::IN_PORT,
            slot::DL_DST,
            slot::DL_TYPE,
            slot::DL_SRC,
            slot::VLAN_TCI0,
            slot::VLAN_TPID0,
            slot::VLAN_TCI1,
            slot::VLAN_TPID1,
            slot::NW_SRC,
            slot::NW_DST,
            slot::IPV6_SRC,
            slot::IPV6_DST,
            slot::NW_PROTO,
            slot::NW_TOS,
            slot::NW_TTL,
            slot::NW_FRAG,
            slot::TCP_FLAGS,
            slot::ARP_SHA,
            slot::ARP_THA,
            slot::TP_SRC,
            slot::TP_DST,
            slot::reg(0),
            slot::reg(1),
            slot::reg(2),
            slot::reg(3),
            slot::reg(4),
            slot::reg(5),
            slot::reg(6),
            slot::reg(7),
            slot::reg(8),
            slot::reg(15),
        ];
        for a in slots {
            let mut key = FlowKey::default();
            key.set(a, u128::MAX);
            for b in slots {
                assert_eq!(key.get(b), if a == b { a.ones() } else { 0 }, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn wide_registers_hold_the_lower_numbered_register_in_the_high_part() {
        let mut key = FlowKey::default();
        for n in 0..16 {
            key.set_reg(n, 0x1111_1111 * u32::from(n));
        }
        assert_eq!(key.get(slot::xreg(1)), 0x2222_2222_3333_3333);
        assert_eq!(key.get(slot::xxreg(1)), 0x4444_4444_5555_5555_6666_6666_7777_7777);
        assert_eq!(key.get(slot::xreg(7)), 0xeeee_eeee_ffff_ffff);
        assert_eq!(key.get(slot::xxreg(3)), 0xcccc_cccc_dddd_dddd_eeee_eeee_ffff_ffff);
    }
}
