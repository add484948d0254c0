// SPDX-License-Identifier: MIT OR Apache-2.0
//! The match key, and masks over it (`docs/hardware.md`, "Key").

use crate::packed::packed;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not};

/// Defines the key and its mask, which have the same shape.
macro_rules! key_and_mask {
    ($($(#[doc = $doc:literal])* $field:ident : $ty:ident = [$high:literal : $low:literal],)*) => {
        packed! {
            /// What a packet is matched on: one canonical key for all tables.
            pub struct Key [19],
            /// The fields of [`Key`] and [`Mask`], in the order of their offsets.
            pub const KEY_FIELDS {
                $($(#[doc = $doc])* $field: $ty = 0 [$high:$low],)*
            }
        }

        packed! {
            /// Which bits of a [`Key`] a table or a rule looks at: 1 (or `true`) = look.
            pub struct Mask [19],
            #[allow(dead_code)]
            const MASK_FIELDS {
                $($(#[doc = $doc])* $field: $ty = 0 [$high:$low],)*
            }
        }

        impl Mask {
            /// Looks at every bit.
            pub const EXACT: Mask = Mask { $($field: key_and_mask!(@ones $ty, $high, $low),)* };
            /// Looks at nothing: matches every packet.
            pub const ANY: Mask = Mask::ZERO;
        }

        impl BitAnd<Mask> for Key {
            type Output = Key;
            #[inline]
            fn bitand(self, mask: Mask) -> Key { Key { $($field: self.$field & mask.$field,)* } }
        }

        impl BitAnd for Mask {
            type Output = Mask;
            #[inline]
            fn bitand(self, other: Mask) -> Mask { Mask { $($field: self.$field & other.$field,)* } }
        }

        impl BitOr for Mask {
            type Output = Mask;
            #[inline]
            fn bitor(self, other: Mask) -> Mask { Mask { $($field: self.$field | other.$field,)* } }
        }

        impl Not for Mask {
            type Output = Mask;
            #[inline]
            fn not(self) -> Mask { Mask { $($field: !self.$field & Mask::EXACT.$field,)* } }
        }
    };
    (@ones bool, $high:literal, $low:literal) => { true };
    (@ones $ty:ident, $high:literal, $low:literal) => { $ty::MAX >> ($ty::BITS as usize - ($high - $low + 1)) };
}

key_and_mask! {
    /// Ingress vport number.
    in_port: u8 = [7:0],
    /// Bit 0 *any*: a fragment; bit 1 *later*: not the first.
    nw_frag: u8 = [9:8],
    /// The outer tag is a service tag (TPID 0x88a8).
    vlan_ad0: bool = [10:10],
    /// The inner tag is a service tag (TPID 0x88a8).
    vlan_ad1: bool = [11:11],
    /// TCP flags, the 12 bits behind the data offset.
    tcp_flags: u16 = [23:12],
    /// TTL or hop limit.
    nw_ttl: u8 = [31:24],
    /// Ethertype behind the tags; 0x05ff for an 802.3 frame.
    dl_type: u16 = [47:32],
    /// TCI of the outer tag with bit 12 set, 0 if there is none.
    vlan_tci0: u16 = [63:48],
    /// TCI of the inner tag with bit 12 set, 0 if there is none.
    vlan_tci1: u16 = [79:64],
    /// IP protocol or next header; opcode of ARP.
    nw_proto: u8 = [87:80],
    /// IPv4 TOS or IPv6 traffic class, all 8 bits.
    nw_tos: u8 = [95:88],
    /// Destination MAC address.
    dl_dst: u64 = [143:96],
    /// Source MAC address.
    dl_src: u64 = [191:144],
    /// Source port of TCP, UDP or SCTP; type of ICMP.
    tp_src: u16 = [207:192],
    /// Destination port of TCP, UDP or SCTP; code of ICMP.
    tp_dst: u16 = [223:208],
    /// IPv6 source, or IPv4 source or ARP SPA in bits 31:0 (and ARP SHA in 127:80).
    nw_src: u128 = [351:224],
    /// IPv6 destination, or IPv4 destination or ARP TPA in bits 31:0 (and ARP THA in 127:80).
    nw_dst: u128 = [479:352],
    /// What earlier passes wrote, 0 in the first. Only in builds with passes, as all that follows.
    metadata: u64 = [543:480],
    /// Number of the pass, 0 for the first.
    pass: u8 = [578:576],
}

impl BitAndAssign<Mask> for Key {
    #[inline]
    fn bitand_assign(&mut self, mask: Mask) {
        *self = *self & mask;
    }
}

impl BitAndAssign for Mask {
    #[inline]
    fn bitand_assign(&mut self, other: Mask) {
        *self = *self & other;
    }
}

impl BitOrAssign for Mask {
    #[inline]
    fn bitor_assign(&mut self, other: Mask) {
        *self = *self | other;
    }
}

impl Mask {
    /// Whether this mask looks at every bit that `other` looks at.
    #[inline]
    pub fn covers(&self, other: &Mask) -> bool {
        *self & *other == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lengths;

    #[test]
    fn fields_of_one_pass_fill_the_key_without_gap_or_overlap() {
        let bits = 32 * Lengths::ONE_PASS.key;
        let end = KEY_FIELDS.iter().filter(|field| field.offset < bits).fold(0, |at, field| {
            assert_eq!(field.offset, at, "{}", field.name);
            at + field.width
        });
        assert_eq!(end, bits);
        let behind = KEY_FIELDS.iter().filter(|field| field.offset >= bits).map(|field| (field.name, field.offset));
        assert_eq!(behind.collect::<Vec<_>>(), [("metadata", 480), ("pass", 576)]);
    }

    #[test]
    fn exact_mask_has_all_bits_of_fields_set() {
        let mut all = [u32::MAX; Mask::WORDS];
        (all[17], all[18]) = (0, 7);
        assert_eq!(Mask::EXACT.pack(), all);
        assert_eq!((!Mask::EXACT).pack(), [0; Mask::WORDS]);
        assert_eq!(!Mask::ANY, Mask::EXACT);
    }

    #[test]
    fn packed_key_has_each_field_where_the_contract_says() {
        let key =
            Key { nw_src: 0x0a00_0001, dl_type: 0x0800, dl_dst: 0x0102_0304_0506, vlan_ad1: true, ..Key::default() };
        let words = key.pack();
        assert_eq!(words[7], 0x0a00_0001);
        assert_eq!(words[1] & 0xffff, 0x0800);
        assert_eq!((words[3], words[4] & 0xffff), (0x0304_0506, 0x0102));
        assert_eq!(words[0], 1 << 11);
    }

    #[test]
    fn oversized_values_are_cut_off() {
        let key = Key { tcp_flags: 0xffff, nw_frag: 0xff, dl_src: u64::MAX, ..Key::default() };
        let back = Key::unpack(&key.pack());
        assert_eq!(back, Key { tcp_flags: 0xfff, nw_frag: 3, dl_src: 0xffff_ffff_ffff, ..Key::default() });
    }

    #[test]
    fn pack_agrees_with_the_field_table() {
        for field in KEY_FIELDS {
            let mut words = [0; Key::WORDS];
            field.set(&mut words, u128::MAX);
            let key = Key::unpack(&words);
            assert_eq!(key.pack(), words, "{}", field.name);
            assert_eq!(field.get(&words), field.max());
            let others = KEY_FIELDS.iter().filter(|other| other.name != field.name);
            assert!(others.into_iter().all(|other| other.get(&words) == 0), "{}", field.name);
        }
    }

    #[test]
    fn covers_is_per_bit() {
        let narrow = Mask { nw_dst: 0xffff_ff00, ..Mask::ANY };
        let wide = Mask { nw_dst: 0xffff_ffff, ..Mask::ANY };
        assert!(wide.covers(&narrow) && !narrow.covers(&wide) && narrow.covers(&narrow));
    }
}
