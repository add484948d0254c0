// SPDX-License-Identifier: MIT OR Apache-2.0
//! Second stage of the header editor: edits the IP header, and collects what the checksums depend on.

use super::edit_types::{Aligned, ChecksumWords, EditedBody};
use crate::base::Dff;
use crate::core::types::{BODY_BITS, TAG_BITS, TAGGED_BITS};
use rust_hdl_core::prelude::*;

/// One clock from `aligned` to `edited` (addresses, TOS and TTL in place, ports still those received), `words`, and
/// `port_flips` with `port_at`: the bits of the ports that turn over, and the ports' place, in 4-byte words behind the EtherType.
///
/// Fields are edited by turning bits over: old xor new is the same for both ways to put a field back, and zero for what does not
/// change.
#[millrace_hdl::block]
pub struct EditFields<const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub aligned: Signal<In, Aligned<QUEUES, NOTE_BITS>>,
    pub edited: Signal<Out, EditedBody<QUEUES, NOTE_BITS>>,
    pub words: Signal<Out, ChecksumWords>,
    pub port_flips: Signal<Out, Bits<32>>,
    pub port_at: Signal<Out, Bits<4>>,
    stage: Dff<EditedBody<QUEUES, NOTE_BITS>>,
    words_q: Dff<ChecksumWords>,
    port_flips_q: Dff<Bits<32>>,
    port_at_q: Dff<Bits<4>>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize, const NOTE_BITS: usize> EditFields<QUEUES, NOTE_BITS> {
    fn update(&mut self) {
        let a = self.aligned;
        let body = a.body;
        let ip = body.get_bits::<320>(16);

        comment!("IP fields as received; IPv4 addresses in the low word");
        let mut tos: Bits<8> = 0;
        let mut ttl: Bits<8> = 0;
        let mut src: Bits<128> = 0;
        let mut dst: Bits<128> = 0;
        let mut tos_word: Bits<16> = 0;
        let mut ttl_word: Bits<16> = 0;
        if a.ipv4 {
            tos = ip.get_bits::<8>(8);
            ttl = ip.get_bits::<8>(64);
            src = cast::<128>(ip.get_bits::<32>(96));
            dst = cast::<128>(ip.get_bits::<32>(128));
            tos_word = ip.get_bits::<16>(0);
            ttl_word = ip.get_bits::<16>(64);
        } else if a.ipv6 {
            tos = (cast::<8>(ip.get_bits::<4>(0)) << 4) | cast::<8>(ip.get_bits::<4>(12));
            ttl = ip.get_bits::<8>(56);
            src = ip.get_bits::<128>(64);
            dst = ip.get_bits::<128>(192);
        }

        comment!("and as they go out");
        let new_tos = (tos & !a.nw_tos_mask) | (a.nw_tos & a.nw_tos_mask);
        let new_ttl = if a.ttl_dec.any() {
            ttl - a.ttl_dec
        } else if a.set_nw_ttl {
            a.nw_ttl
        } else {
            ttl
        };
        let new_src = if a.set_nw_src & a.ipv4 {
            cast::<128>(a.nw_src.get_bits::<32>(96))
        } else if a.set_nw_src & a.ipv6 {
            a.nw_src
        } else {
            src
        };
        let new_dst = if a.set_nw_dst & a.ipv4 {
            cast::<128>(a.nw_dst.get_bits::<32>(96))
        } else if a.set_nw_dst & a.ipv6 {
            a.nw_dst
        } else {
            dst
        };

        comment!("turn over the bits that differ");
        let tos_flips = tos ^ new_tos;
        let ttl_flips = ttl ^ new_ttl;
        let src_flips = src ^ new_src;
        let dst_flips = dst ^ new_dst;
        let mut ip_flips: Bits<320> = 0;
        let mut new_tos_word: Bits<16> = 0;
        let mut new_ttl_word: Bits<16> = 0;
        if a.ipv4 {
            new_tos_word = tos_word ^ (cast::<16>(tos_flips) << 8);
            new_ttl_word = ttl_word ^ cast::<16>(ttl_flips);
            ip_flips = (cast::<320>(tos_flips) << 8)
                | (cast::<320>(ttl_flips) << 64)
                | (cast::<320>(src_flips.get_bits::<32>(0)) << 96)
                | (cast::<320>(dst_flips.get_bits::<32>(0)) << 128);
        } else if a.ipv6 {
            ip_flips = cast::<320>(tos_flips.get_bits::<4>(4))
                | (cast::<320>(tos_flips.get_bits::<4>(0)) << 12)
                | (cast::<320>(ttl_flips) << 56)
                | (cast::<320>(src_flips) << 64)
                | (cast::<320>(dst_flips) << 192);
        }

        comment!("what stands where the ports and the checksum of TCP, UDP and ICMPv6 may be");
        let mut ports_there: Bits<32> = 0;
        let mut tcp_there: Bits<16> = 0;
        let mut udp_there: Bits<16> = 0;
        let mut icmpv6_there: Bits<16> = 0;
        for k in 5..16 {
            let mut candidate: Bits<32> = 0;
            if a.l4_words == k {
                candidate = body.get_bits::<32>(k * 32 + 16);
            }
            ports_there |= candidate;
            icmpv6_there |= candidate.get_bits::<16>(16);
            let tcp_half: Bits<16> = if a.l4_words == k { body.get_bits::<16>(k * 32 + 144) } else { 0 };
            tcp_there |= tcp_half;
            let udp_half: Bits<16> = if a.l4_words == k { body.get_bits::<16>(k * 32 + 64) } else { 0 };
            udp_there |= udp_half;
        }
        let has_ports = (a.l4 == 1) | (a.l4 == 2);
        let mut ports: Bits<32> = 0;
        let mut new_ports: Bits<32> = 0;
        if has_ports {
            ports = ports_there;
            new_ports = if a.set_tp_src & a.set_tp_dst {
                a.ports
            } else if a.set_tp_src {
                (cast::<32>(ports_there.get_bits::<16>(16)) << 16) | cast::<32>(a.ports.get_bits::<16>(0))
            } else if a.set_tp_dst {
                (cast::<32>(a.ports.get_bits::<16>(16)) << 16) | cast::<32>(ports_there.get_bits::<16>(0))
            } else {
                ports_there
            };
        }
        self.port_flips_q = ports ^ new_ports;
        self.port_at_q = a.l4_words;
        let mut l4_checksum = icmpv6_there;
        let mut l4_at = (cast::<6>(a.l4_words) << 1) + 2;
        if a.l4 == 1 {
            l4_checksum = tcp_there;
            l4_at = (cast::<6>(a.l4_words) << 1) + 9;
        } else if a.l4 == 2 {
            l4_checksum = udp_there;
            l4_at = (cast::<6>(a.l4_words) << 1) + 4;
        }

        self.words_q.old = cast::<320>(src)
            | (cast::<320>(dst) << 128)
            | (cast::<320>(ports) << 256)
            | (cast::<320>(tos_word) << 288)
            | (cast::<320>(ttl_word) << 304);
        self.words_q.new = cast::<320>(new_src)
            | (cast::<320>(new_dst) << 128)
            | (cast::<320>(new_ports) << 256)
            | (cast::<320>(new_tos_word) << 288)
            | (cast::<320>(new_ttl_word) << 304);
        self.words_q.ip_checksum = ip.get_bits::<16>(80);
        self.words_q.l4_checksum = l4_checksum;
        self.words_q.ipv4 = a.ipv4;
        self.words_q.l4 = a.l4.any();
        self.words_q.udp = a.l4 == 2;
        let tag_words = cast::<6>(a.tag_count) << 1;
        self.words_q.ip_at = cast::<4>(tag_words) + 6;
        self.words_q.l4_at = l4_at + tag_words;

        let new_body = body ^ (cast::<BODY_BITS>(ip_flips) << 16);
        self.stage.tagged = cast::<TAGGED_BITS>(a.tags) | (cast::<TAGGED_BITS>(new_body) << (4 * TAG_BITS));
        // 4 - tag_count, of three bits
        self.stage.ahead = !a.tag_count + 5;
        self.stage.mac = a.mac;
        self.stage.meta = a.meta;
        self.edited = self.stage;
        self.words = self.words_q;
        self.port_flips = self.port_flips_q;
        self.port_at = self.port_at_q;
    }
}
