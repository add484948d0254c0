// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds in a frame what receive-side scaling looks at.

use crate::types::{BEAT_BITS, BEAT_BYTES};
use millrace_hdl::base::{DffE, DffR, Reg};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// EtherTypes, and the protocols behind IP, as they lie in a frame of which byte 0 is lowest.
const TAG: u64 = 0x0081;
const SERVICE_TAG: u64 = 0xa888;
const IPV4: u64 = 0x0008;
const IPV6: u64 = 0xdd86;
const TCP: u64 = 6;
const UDP: u64 = 17;

/// Lengths in bytes: of the MAC addresses and the EtherType, of a tag, of the headers up to where they are looked at.
const ETHERNET: usize = 14;
const TAG_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const PORTS: usize = 4;

/// Bytes of the second beat that a header may reach: behind two tags and the longest header of IPv4 are the ports.
const REACH: usize = ETHERNET + 2 * TAG_BYTES;
const TAGGED: usize = ETHERNET + TAG_BYTES;
const SECOND_BITS: usize = 8 * REACH;

wire_struct! {
    /// What a frame is (`docs/host.md`, "Headers"), and what it is hashed by.
    pub struct Flow {
        pub ipv4: Bit,
        pub ipv6: Bit,
        pub tcp: Bit,
        pub udp: Bit,
        /// Addresses of IPv6, or of IPv4 and zeros; ports, if it is TCP or UDP. The first byte's highest bit is the highest.
        pub addresses: Bits<256>,
        pub ports: Bits<32>,
    }
}

/// Looks at the frames of which `beat` are the beats, in any clocks with `valid`. Each has its `flow`, with `found` (a pulse), three clocks after its only beat or its second. Frames follow each other in two clocks or more.
#[millrace_hdl::block]
pub struct FlowFields {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub beat: Signal<In, Beat<BEAT_BITS, 7>>,
    pub found: Signal<Out, Bit>,
    pub flow: Signal<Out, Flow>,
    /// Between frames, and nothing is on its way.
    pub idle: Signal<Out, Bit>,

    /// The next beat is a frame's first; its second.
    #[init(Reg::new(true))]
    first: Reg<Bit>,
    second: Reg<Bit>,
    head: DffE<Bits<BEAT_BITS>>,
    tail: DffE<Bits<SECOND_BITS>>,
    /// Bytes of the frame in its first two beats.
    bytes: DffE<Bits<8>>,
    whole: DffR<Bit>,
    /// The frame from its packet on: EtherType, bytes.
    packet: DffE<Bits<BEAT_BITS>>,
    kind: DffE<Bits<16>>,
    rest: DffE<Bits<8>>,
    has_packet: DffR<Bit>,
    flow_q: DffE<Flow>,
    found_q: DffR<Bit>,
}

/// Whether an EtherType is that of a tag.
#[millrace_hdl::function]
fn is_tag(kind: Bits<16>) -> Bit {
    (kind == TAG) | (kind == SERVICE_TAG)
}

/// The bytes of a word the other way round.
#[millrace_hdl::function]
fn reversed(word: Bits<32>) -> Bits<32> {
    concat::<32>(word.get_bits::<8>(0), word.get_bits::<8>(8), word.get_bits::<8>(16), word.get_bits::<8>(24))
}

/// The first eight words, the first byte highest.
#[millrace_hdl::function]
fn words(packet: Bits<512>) -> Bits<256> {
    concat::<256>(
        reversed(packet.get_bits::<32>(0)),
        reversed(packet.get_bits::<32>(32)),
        reversed(packet.get_bits::<32>(64)),
        reversed(packet.get_bits::<32>(96)),
        reversed(packet.get_bits::<32>(128)),
        reversed(packet.get_bits::<32>(160)),
        reversed(packet.get_bits::<32>(192)),
        reversed(packet.get_bits::<32>(224)),
    )
}

#[millrace_hdl::block]
impl FlowFields {
    fn update(&mut self) {
        comment!("the first two beats of a frame");
        let beat = self.beat;
        let begins = self.valid & self.first;
        let goes_on = self.valid & self.second;
        if self.valid {
            self.first = beat.last;
            self.second = self.first & !beat.last;
        }
        if begins {
            self.head = beat.data;
        }
        if goes_on {
            self.tail = beat.data.get_bits::<SECOND_BITS>(0);
        }
        if begins | goes_on {
            let before: Bits<8> = if self.second { BEAT_BYTES } else { 0 };
            self.bytes = cast::<8>(beat.bytes) + before;
        }
        self.whole = (begins & beat.last) | goes_on;

        comment!("its packet, behind two tags at most");
        let outer = self.head.get_bits::<16>(8 * (ETHERNET - 2));
        let middle = self.head.get_bits::<16>(8 * (ETHERNET + TAG_BYTES - 2));
        let inner = self.head.get_bits::<16>(8 * (ETHERNET + 2 * TAG_BYTES - 2));
        let is_tagged = is_tag(outer);
        let is_twice = is_tagged & is_tag(middle);
        let once = is_tagged & !is_twice;
        let header: Bits<8> = if is_twice {
            REACH
        } else if once {
            TAGGED
        } else {
            ETHERNET
        };
        let above = cast::<BEAT_BITS>(self.tail);
        let untagged = (self.head >> (8 * ETHERNET)) | (above << (BEAT_BITS - 8 * ETHERNET));
        let tagged = (self.head >> (8 * (ETHERNET + TAG_BYTES))) | (above << (BEAT_BITS - 8 * (ETHERNET + TAG_BYTES)));
        let twice = (self.head >> (8 * REACH)) | (above << (BEAT_BITS - 8 * REACH));
        self.has_packet = self.whole;
        if self.whole {
            self.packet = if is_twice {
                twice
            } else if once {
                tagged
            } else {
                untagged
            };
            self.kind = if is_twice {
                inner
            } else if once {
                middle
            } else {
                outer
            };
            self.rest = if self.bytes > header { self.bytes - header } else { 0 };
        }

        comment!("what it is");
        let packet = self.packet;
        let version = packet.get_bits::<4>(4);
        let header_words = packet.get_bits::<4>(0);
        let is_ipv4 =
            (self.kind == IPV4) & (version == 4) & (header_words >= IPV4_BYTES / 4) & (self.rest >= IPV4_BYTES);
        let is_ipv6 = (self.kind == IPV6) & (version == 6) & (self.rest >= IPV6_BYTES);
        // MF, and the offset.
        let fragment = packet.get_bits::<6>(48).any() | packet.get_bits::<8>(56).any();
        let behind: Bits<8> = if is_ipv6 { IPV6_BYTES } else { cast::<8>(header_words) << 2_u64 };
        let has_ports = (self.rest >= behind + PORTS) & (is_ipv6 | (is_ipv4 & !fragment));
        let protocol = if is_ipv6 { packet.get_bits::<8>(48) } else { packet.get_bits::<8>(72) };
        let is_tcp = has_ports & (protocol == TCP);
        let is_udp = has_ports & (protocol == UDP);
        let mut ports: Bits<32> = if is_ipv6 { packet.get_bits::<32>(8 * IPV6_BYTES) } else { 0 };
        for i in IPV4_BYTES / 4..16 {
            if !is_ipv6 & (header_words == i) {
                ports |= packet.get_bits::<32>(32 * i);
            }
        }
        let two_addresses = words(packet >> 96_u64).get_bits::<64>(192);
        let none: Bits<192> = 0;
        self.found_q = self.has_packet;
        if self.has_packet {
            self.flow_q = Flow {
                ipv4: is_ipv4,
                ipv6: is_ipv6,
                tcp: is_tcp,
                udp: is_udp,
                addresses: if is_ipv6 { words(packet >> 64_u64) } else { concat::<256>(two_addresses, none) },
                ports: if is_tcp | is_udp { reversed(ports) } else { 0 },
            };
        }
        self.found = self.found_q;
        self.flow = self.flow_q;
        self.idle = self.first & !(self.valid | self.whole | self.has_packet | self.found_q);
    }
}
