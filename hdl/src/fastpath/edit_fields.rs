// SPDX-License-Identifier: MIT OR Apache-2.0
//! Second stage of the header editor: edits the IP header, and collects what the checksums depend on.

use super::edit_types::{Aligned, ChecksumWords, EditedBody};
use crate::base::{Dff, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// One clock from `aligned` to `edited` (addresses, TOS and TTL in place, ports still those received), `words`, and
/// `port_flips` with `port_at`: the bits of the ports that turn over, and the ports' place, in 4-byte words behind the EtherType.
///
/// Fields are edited by turning bits over: old xor new is the same for both ways to put a field back, and zero for what does not
/// change.
#[derive(LogicBlock, Default)]
pub struct EditFields {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub aligned: Signal<In, Aligned>,
    pub edited: Signal<Out, EditedBody>,
    pub words: Signal<Out, ChecksumWords>,
    pub port_flips: Signal<Out, Bits<32>>,
    pub port_at: Signal<Out, Bits<4>>,
    stage: Dff<EditedBody>,
    words_q: Dff<ChecksumWords>,
    port_flips_q: Dff<Bits<32>>,
    port_at_q: Dff<Bits<4>>,
    a: Signal<Local, Aligned>,
    body: Signal<Local, Bits<864>>,
    new_body: Signal<Local, Bits<864>>,
    /// The first 40 bytes of the IP header.
    ip: Signal<Local, Bits<320>>,
    tos: Signal<Local, Bits<8>>,
    new_tos: Signal<Local, Bits<8>>,
    tos_flips: Signal<Local, Bits<8>>,
    ttl: Signal<Local, Bits<8>>,
    new_ttl: Signal<Local, Bits<8>>,
    ttl_flips: Signal<Local, Bits<8>>,
    src: Signal<Local, Bits<128>>,
    dst: Signal<Local, Bits<128>>,
    new_src: Signal<Local, Bits<128>>,
    new_dst: Signal<Local, Bits<128>>,
    src_flips: Signal<Local, Bits<128>>,
    dst_flips: Signal<Local, Bits<128>>,
    ip_flips: Signal<Local, Bits<320>>,
    /// IPv4's words with the TOS and the TTL.
    tos_word: Signal<Local, Bits<16>>,
    ttl_word: Signal<Local, Bits<16>>,
    new_tos_word: Signal<Local, Bits<16>>,
    new_ttl_word: Signal<Local, Bits<16>>,
    has_ports: Signal<Local, Bit>,
    candidate: Signal<Local, Bits<32>>,
    ports_there: Signal<Local, Bits<32>>,
    tcp_there: Signal<Local, Bits<16>>,
    udp_there: Signal<Local, Bits<16>>,
    icmpv6_there: Signal<Local, Bits<16>>,
    ports: Signal<Local, Bits<32>>,
    new_ports: Signal<Local, Bits<32>>,
    half: Signal<Local, Bits<16>>,
    l4_checksum: Signal<Local, Bits<16>>,
    l4_at: Signal<Local, Bits<6>>,
    /// 16-bit words that the outgoing tags take.
    tag_words: Signal<Local, Bits<6>>,
}

impl Logic for EditFields {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, stage, words_q, port_flips_q, port_at_q);
        self.a.next = self.aligned.val();
        self.body.next = self.a.val().body;
        self.ip.next = self.body.val().get_bits::<320>(16);

        comment!("IP fields as received; IPv4 addresses in the low word");
        self.tos.next = 0.into();
        self.ttl.next = 0.into();
        self.src.next = 0.into();
        self.dst.next = 0.into();
        self.tos_word.next = 0.into();
        self.ttl_word.next = 0.into();
        if self.a.val().ipv4 {
            self.tos.next = self.ip.val().get_bits::<8>(8);
            self.ttl.next = self.ip.val().get_bits::<8>(64);
            self.src.next = bit_cast::<128, 32>(self.ip.val().get_bits::<32>(96));
            self.dst.next = bit_cast::<128, 32>(self.ip.val().get_bits::<32>(128));
            self.tos_word.next = self.ip.val().get_bits::<16>(0);
            self.ttl_word.next = self.ip.val().get_bits::<16>(64);
        } else if self.a.val().ipv6 {
            self.tos.next = (bit_cast::<8, 4>(self.ip.val().get_bits::<4>(0)) << 4)
                | bit_cast::<8, 4>(self.ip.val().get_bits::<4>(12));
            self.ttl.next = self.ip.val().get_bits::<8>(56);
            self.src.next = self.ip.val().get_bits::<128>(64);
            self.dst.next = self.ip.val().get_bits::<128>(192);
        }

        comment!("and as they go out");
        self.new_tos.next =
            (self.tos.val() & !self.a.val().nw_tos_mask) | (self.a.val().nw_tos & self.a.val().nw_tos_mask);
        self.new_ttl.next = self.ttl.val();
        if self.a.val().ttl_dec.any() {
            self.new_ttl.next = self.ttl.val() - self.a.val().ttl_dec;
        } else if self.a.val().set_nw_ttl {
            self.new_ttl.next = self.a.val().nw_ttl;
        }
        self.new_src.next = self.src.val();
        if self.a.val().set_nw_src & self.a.val().ipv4 {
            self.new_src.next = bit_cast::<128, 32>(self.a.val().nw_src.get_bits::<32>(96));
        } else if self.a.val().set_nw_src & self.a.val().ipv6 {
            self.new_src.next = self.a.val().nw_src;
        }
        self.new_dst.next = self.dst.val();
        if self.a.val().set_nw_dst & self.a.val().ipv4 {
            self.new_dst.next = bit_cast::<128, 32>(self.a.val().nw_dst.get_bits::<32>(96));
        } else if self.a.val().set_nw_dst & self.a.val().ipv6 {
            self.new_dst.next = self.a.val().nw_dst;
        }

        comment!("turn over the bits that differ");
        self.tos_flips.next = self.tos.val() ^ self.new_tos.val();
        self.ttl_flips.next = self.ttl.val() ^ self.new_ttl.val();
        self.src_flips.next = self.src.val() ^ self.new_src.val();
        self.dst_flips.next = self.dst.val() ^ self.new_dst.val();
        self.ip_flips.next = 0.into();
        self.new_tos_word.next = 0.into();
        self.new_ttl_word.next = 0.into();
        if self.a.val().ipv4 {
            self.new_tos_word.next = self.tos_word.val() ^ (bit_cast::<16, 8>(self.tos_flips.val()) << 8);
            self.new_ttl_word.next = self.ttl_word.val() ^ bit_cast::<16, 8>(self.ttl_flips.val());
            self.ip_flips.next = (bit_cast::<320, 8>(self.tos_flips.val()) << 8)
                | (bit_cast::<320, 8>(self.ttl_flips.val()) << 64)
                | (bit_cast::<320, 32>(self.src_flips.val().get_bits::<32>(0)) << 96)
                | (bit_cast::<320, 32>(self.dst_flips.val().get_bits::<32>(0)) << 128);
        } else if self.a.val().ipv6 {
            self.ip_flips.next = bit_cast::<320, 4>(self.tos_flips.val().get_bits::<4>(4))
                | (bit_cast::<320, 4>(self.tos_flips.val().get_bits::<4>(0)) << 12)
                | (bit_cast::<320, 8>(self.ttl_flips.val()) << 56)
                | (bit_cast::<320, 128>(self.src_flips.val()) << 64)
                | (bit_cast::<320, 128>(self.dst_flips.val()) << 192);
        }

        comment!("what stands where the ports and the checksum of TCP, UDP and ICMPv6 may be");
        self.ports_there.next = 0.into();
        self.tcp_there.next = 0.into();
        self.udp_there.next = 0.into();
        self.icmpv6_there.next = 0.into();
        for k in 5..16 {
            self.candidate.next = 0.into();
            if self.a.val().l4_words == k.to_bits::<4>() {
                self.candidate.next = self.body.val().get_bits::<32>(k * 32 + 16);
            }
            self.ports_there.next = self.ports_there.val() | self.candidate.val();
            self.icmpv6_there.next = self.icmpv6_there.val() | self.candidate.val().get_bits::<16>(16);
            self.half.next = 0.into();
            if self.a.val().l4_words == k.to_bits::<4>() {
                self.half.next = self.body.val().get_bits::<16>(k * 32 + 144);
            }
            self.tcp_there.next = self.tcp_there.val() | self.half.val();
            self.half.next = 0.into();
            if self.a.val().l4_words == k.to_bits::<4>() {
                self.half.next = self.body.val().get_bits::<16>(k * 32 + 64);
            }
            self.udp_there.next = self.udp_there.val() | self.half.val();
        }
        self.has_ports.next = (self.a.val().l4 == 1) | (self.a.val().l4 == 2);
        self.ports.next = 0.into();
        self.new_ports.next = 0.into();
        if self.has_ports.val() {
            self.ports.next = self.ports_there.val();
            self.new_ports.next = self.ports_there.val();
            if self.a.val().set_tp_src & self.a.val().set_tp_dst {
                self.new_ports.next = self.a.val().ports;
            } else if self.a.val().set_tp_src {
                self.new_ports.next = (bit_cast::<32, 16>(self.ports_there.val().get_bits::<16>(16)) << 16)
                    | bit_cast::<32, 16>(self.a.val().ports.get_bits::<16>(0));
            } else if self.a.val().set_tp_dst {
                self.new_ports.next = (bit_cast::<32, 16>(self.a.val().ports.get_bits::<16>(16)) << 16)
                    | bit_cast::<32, 16>(self.ports_there.val().get_bits::<16>(0));
            }
        }
        self.port_flips_q.d.next = self.ports.val() ^ self.new_ports.val();
        self.port_at_q.d.next = self.a.val().l4_words;
        self.l4_checksum.next = self.icmpv6_there.val();
        self.l4_at.next = (bit_cast::<6, 4>(self.a.val().l4_words) << 1) + 2;
        if self.a.val().l4 == 1 {
            self.l4_checksum.next = self.tcp_there.val();
            self.l4_at.next = (bit_cast::<6, 4>(self.a.val().l4_words) << 1) + 9;
        } else if self.a.val().l4 == 2 {
            self.l4_checksum.next = self.udp_there.val();
            self.l4_at.next = (bit_cast::<6, 4>(self.a.val().l4_words) << 1) + 4;
        }

        self.words_q.d.next.old = bit_cast::<320, 128>(self.src.val())
            | (bit_cast::<320, 128>(self.dst.val()) << 128)
            | (bit_cast::<320, 32>(self.ports.val()) << 256)
            | (bit_cast::<320, 16>(self.tos_word.val()) << 288)
            | (bit_cast::<320, 16>(self.ttl_word.val()) << 304);
        self.words_q.d.next.new = bit_cast::<320, 128>(self.new_src.val())
            | (bit_cast::<320, 128>(self.new_dst.val()) << 128)
            | (bit_cast::<320, 32>(self.new_ports.val()) << 256)
            | (bit_cast::<320, 16>(self.new_tos_word.val()) << 288)
            | (bit_cast::<320, 16>(self.new_ttl_word.val()) << 304);
        self.words_q.d.next.ip_checksum = self.ip.val().get_bits::<16>(80);
        self.words_q.d.next.l4_checksum = self.l4_checksum.val();
        self.words_q.d.next.ipv4 = self.a.val().ipv4;
        self.words_q.d.next.l4 = self.a.val().l4.any();
        self.words_q.d.next.udp = self.a.val().l4 == 2;
        self.tag_words.next = bit_cast::<6, 3>(self.a.val().tag_count) << 1;
        self.words_q.d.next.ip_at = bit_cast::<4, 6>(self.tag_words.val()) + 6;
        self.words_q.d.next.l4_at = self.l4_at.val() + self.tag_words.val();

        self.new_body.next = self.body.val() ^ (bit_cast::<864, 320>(self.ip_flips.val()) << 16);
        self.stage.d.next.tagged =
            bit_cast::<992, 128>(self.a.val().tags) | (bit_cast::<992, 864>(self.new_body.val()) << 128);
        // 4 - tag_count, of three bits
        self.stage.d.next.ahead = !self.a.val().tag_count + 5;
        self.stage.d.next.mac = self.a.val().mac;
        self.stage.d.next.meta = self.a.val().meta;
        self.edited.next = self.stage.q.val();
        self.words.next = self.words_q.q.val();
        self.port_flips.next = self.port_flips_q.q.val();
        self.port_at.next = self.port_at_q.q.val();
    }
}
