// SPDX-License-Identifier: MIT OR Apache-2.0
//! The parser of the reference model: `docs/hardware.md`, "Parser", step by step.

use super::bytes::{number, slice};
use millrace_regs::Key;

const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
/// Bit 12 of a TCI in the key: the tag is there.
const PRESENT: u16 = 0x1000;
/// `dl_type` of an 802.3 frame.
const NO_TYPE: u16 = 0x05ff;
/// Smallest number that is an Ethertype and not a length (IEEE 802.3 §3.2.6).
const SMALLEST_TYPE: u16 = 0x600;

const FRAG_ANY: u8 = 1;
const FRAG_LATER: u8 = 2;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const IPV6_FRAGMENT: u8 = 44;
/// Hop-by-hop, routing, authentication and destination options: the hardware does not walk these.
const IPV6_EXTENSIONS: [u8; 4] = [0, 43, 51, 60];

/// The IP version of a valid L3 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L3 {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

/// An L4 header whose checksum the editor keeps right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4 {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 4443, over IPv6.
    Icmpv6,
}

/// What the parser understood of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What rules are compared with.
    pub key: Key,
    /// VLAN tags seen.
    pub tags: usize,
    /// A valid IPv4 or IPv6 header, and the byte it begins at.
    pub l3: Option<(L3, usize)>,
    /// Length of the IP header, with a fragment header. 0 without a valid one.
    pub ip_len: usize,
    /// A complete L4 header of a kind the editor knows, and the byte it begins at.
    pub l4: Option<(L4, usize)>,
    /// To the slow path without a lookup.
    pub punt: bool,
}

/// Parses a frame of at least 14 bytes that came in on `vport`.
pub fn parse(vport: u8, frame: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    parsed.key.in_port = vport;
    parsed.key.dl_dst = number(frame, 0, 6) as u64;
    parsed.key.dl_src = number(frame, 6, 6) as u64;
    let (ethertype, at) = tags(frame, &mut parsed);
    parsed.key.dl_type = if ethertype >= SMALLEST_TYPE { ethertype } else { NO_TYPE };
    parsed.punt = ethertype < SMALLEST_TYPE && is_snap(&frame[at + 2..]);
    let l3 = at + 2;
    match parsed.key.dl_type {
        0x0800 => ipv4(frame, l3, &mut parsed),
        0x86dd => ipv6(frame, l3, &mut parsed),
        0x0806 | 0x8035 => arp(&frame[l3..], &mut parsed.key),
        _ => {}
    }
    parsed
}

/// Takes in the tags; the type behind them and where it stands.
fn tags(frame: &[u8], parsed: &mut Parsed) -> (u16, usize) {
    let mut at = 12;
    let mut ethertype = number(frame, at, 2) as u16;
    while parsed.tags < 2 && matches!(ethertype, VLAN | SERVICE_VLAN) && frame.len() - at >= 6 {
        let tci = number(frame, at + 2, 2) as u16 | PRESENT;
        let service = ethertype == SERVICE_VLAN;
        let key = &mut parsed.key;
        if parsed.tags == 0 {
            (key.vlan_tci0, key.vlan_ad0) = (tci, service);
        } else {
            (key.vlan_tci1, key.vlan_ad1) = (tci, service);
        }
        parsed.tags += 1;
        at += 4;
        ethertype = number(frame, at, 2) as u16;
    }
    (ethertype, at)
}

/// LLC with a SNAP header (IEEE 802.2) that holds an Ethertype.
fn is_snap(llc: &[u8]) -> bool {
    llc.len() >= 8 && llc[..6] == [0xaa, 0xaa, 3, 0, 0, 0] && number(llc, 6, 2) as u16 >= SMALLEST_TYPE
}

/// RFC 791 §3.1.
fn ipv4(frame: &[u8], l3: usize, parsed: &mut Parsed) {
    let header = &frame[l3..];
    if header.len() < 20 {
        return;
    }
    let header_len = usize::from(header[0] & 0xf) * 4;
    let total = number(header, 2, 2) as usize;
    if header_len < 20 || header_len > header.len() || header_len > total || total > header.len() {
        return;
    }
    let key = &mut parsed.key;
    (key.nw_tos, key.nw_ttl, key.nw_proto) = (header[1], header[8], header[9]);
    (key.nw_src, key.nw_dst) = (number(header, 12, 4), number(header, 16, 4));
    let fragment = number(header, 6, 2);
    if fragment & 0x3fff != 0 {
        key.nw_frag |= FRAG_ANY;
    }
    if fragment & 0x1fff != 0 {
        key.nw_frag |= FRAG_LATER;
    }
    parsed.l3 = Some((L3::V4, l3));
    parsed.ip_len = header_len;
    l4(frame, l3 + header_len, total - header_len, parsed);
}

/// RFC 8200 §3 and §4.5.
fn ipv6(frame: &[u8], l3: usize, parsed: &mut Parsed) {
    let header = &frame[l3..];
    if header.len() < 40 {
        return;
    }
    let payload = number(header, 4, 2) as usize;
    if 40 + payload > header.len() {
        return;
    }
    let key = &mut parsed.key;
    key.nw_tos = (number(header, 0, 2) >> 4) as u8;
    (key.nw_proto, key.nw_ttl) = (header[6], header[7]);
    (key.nw_src, key.nw_dst) = (number(header, 8, 16), number(header, 24, 16));
    parsed.l3 = Some((L3::V6, l3));
    parsed.ip_len = 40;
    if key.nw_proto != IPV6_FRAGMENT {
        parsed.punt = IPV6_EXTENSIONS.contains(&key.nw_proto);
        return l4(frame, l3 + 40, payload, parsed);
    }
    if payload < 8 {
        parsed.punt = true;
        return;
    }
    let fragment = number(header, 42, 2);
    if fragment != 0 {
        key.nw_frag |= FRAG_ANY;
    }
    if fragment & 0xfff8 != 0 {
        key.nw_frag |= FRAG_LATER;
        key.nw_proto = IPV6_FRAGMENT;
    } else {
        key.nw_proto = header[40];
        parsed.punt = key.nw_proto == IPV6_FRAGMENT || IPV6_EXTENSIONS.contains(&key.nw_proto);
    }
    parsed.ip_len = 48;
    l4(frame, l3 + 48, payload - 8, parsed);
}

/// RFC 826, for Ethernet and IPv4 alone.
fn arp(packet: &[u8], key: &mut Key) {
    if packet.len() < 28 || packet[..6] != [0, 1, 8, 0, 6, 4] {
        return;
    }
    key.nw_proto = u8::try_from(number(packet, 6, 2)).unwrap_or(0);
    key.nw_src = number(packet, 8, 6) << 80 | number(packet, 14, 4);
    key.nw_dst = number(packet, 18, 6) << 80 | number(packet, 24, 4);
}

/// TCP, UDP, SCTP, ICMP and ICMPv6, whose header of `len` bytes with its payload begins at byte `at`.
fn l4(frame: &[u8], at: usize, len: usize, parsed: &mut Parsed) {
    let Some((l3, _)) = parsed.l3 else { return };
    if parsed.punt || parsed.key.nw_frag & FRAG_LATER != 0 {
        return;
    }
    let header = slice(frame, at, len);
    let key = &mut parsed.key;
    let (ports, kind) = match (key.nw_proto, l3) {
        (TCP, _) if len >= 20 => {
            key.tcp_flags = number(header, 12, 2) as u16 & 0xfff;
            (true, Some(L4::Tcp))
        }
        (UDP, _) if len >= 8 => (true, Some(L4::Udp)),
        (SCTP, _) if len >= 12 => (true, None),
        (ICMP, L3::V4) if len >= 8 => (false, None),
        (ICMPV6, L3::V6) if len >= 8 => (false, Some(L4::Icmpv6)),
        _ => return,
    };
    (key.tp_src, key.tp_dst) = if ports {
        (number(header, 0, 2) as u16, number(header, 2, 2) as u16)
    } else {
        (header[0].into(), header[1].into())
    };
    parsed.l4 = kind.map(|kind| (kind, at));
}
