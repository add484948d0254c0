// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frame → key, by the rules of Open vSwitch's `miniflow_extract` with `vlan-limit=2`: those of the hardware's parser
//! (docs/hardware.md, "Parser") and, beyond them, LLC/SNAP and chains of IPv6 extension headers, which the hardware leaves to software.

use super::header::*;
use crate::openflow::field::*;
use crate::openflow::key::{FlowKey, NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI};

/// Smallest number that is an Ethernet type and not a length (IEEE 802.3 §3.2.6).
const ETH_TYPE_MIN: u16 = 0x600;
/// LLC and SNAP headers for an Ethernet type: DSAP, SSAP, control, OUI 0.
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// Tags that are looked at.
const MAX_TAGS: u8 = 2;

/// IPv6 extension headers (RFC 8200 §4.1).
mod ext {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const AUTHENTICATION: u8 = 51;
    pub const DESTINATION: u8 = 60;
}

/// Key and header places of a frame that came in on the port with OpenFlow number `in_port`. Whatever is malformed is left out of
/// both. A frame under 14 bytes has no fields but `in_port`.
pub fn parse(frame: &[u8], in_port: u16) -> (FlowKey, Headers) {
    let mut key = FlowKey::default();
    let mut headers = Headers::default();
    key.set_in_port(in_port);
    if frame.len() < ETH_LEN {
        return (key, headers);
    }
    key.set_dl_dst(be48(frame, 0));
    key.set_dl_src(be48(frame, 6));
    let type_at = vlan_tags(frame, &mut key, &mut headers);
    let (dl_type, l3_at) = ethertype(frame, type_at);
    key.set_dl_type(dl_type);
    headers.l3_at = l3_at as u16;
    let l4 = match dl_type {
        ETH_TYPE_IP => ipv4(frame, l3_at, &mut key, &mut headers),
        ETH_TYPE_IPV6 => ipv6(frame, l3_at, &mut key, &mut headers),
        ETH_TYPE_ARP | ETH_TYPE_RARP => {
            arp(frame, l3_at, &mut key, &mut headers);
            None
        }
        _ => None,
    };
    if let Some((at, len)) = l4 {
        transport(frame, at, len, &mut key, &mut headers);
    }
    (key, headers)
}

/// Reads up to two tags; gives the offset of the type behind them.
#[inline]
fn vlan_tags(frame: &[u8], key: &mut FlowKey, headers: &mut Headers) -> usize {
    let mut at = ETH_ADDRS;
    while headers.tags < MAX_TAGS && frame.len() - at >= VLAN_LEN + 2 {
        let tpid = be16(frame, at);
        if tpid != ETH_TYPE_VLAN && tpid != ETH_TYPE_VLAN_8021AD {
            break;
        }
        let tci = be16(frame, at + 2) | VLAN_CFI;
        if headers.tags == 0 {
            key.set_vlan_tpid0(tpid);
            key.set_vlan_tci0(tci);
        } else {
            key.set_vlan_tpid1(tpid);
            key.set_vlan_tci1(tci);
        }
        headers.tags += 1;
        at += VLAN_LEN;
    }
    at
}

/// The Ethernet type at `at`, of an LLC/SNAP frame the one in SNAP, and the offset of what follows.
#[inline]
fn ethertype(frame: &[u8], at: usize) -> (u16, usize) {
    let t = be16(frame, at);
    let after = at + 2;
    if t >= ETH_TYPE_MIN {
        return (t, after);
    }
    match frame.get(after..after + 8) {
        Some(llc) if llc[..6] == SNAP && be16(llc, 6) >= ETH_TYPE_MIN => (be16(llc, 6), after + 8),
        _ => (ETH_TYPE_NONE, after),
    }
}

/// Reads an IPv4 header; gives place and length of the payload, none of a later fragment.
#[inline]
fn ipv4(frame: &[u8], at: usize, key: &mut FlowKey, headers: &mut Headers) -> Option<(usize, usize)> {
    let ip = &frame[at..];
    if ip.len() < IPV4_LEN {
        return None;
    }
    let ihl = usize::from(ip[0] & 0xf) * 4;
    let total = usize::from(be16(ip, ipv4::TOTAL_LENGTH));
    if ihl < IPV4_LEN || ihl > ip.len() || ihl > total || total > ip.len() {
        return None;
    }
    headers.l3 = L3::Ipv4;
    key.set_nw_src(be32(ip, ipv4::SRC));
    key.set_nw_dst(be32(ip, ipv4::DST));
    key.set_nw_proto(ip[ipv4::PROTO]);
    key.set_nw_tos(ip[ipv4::TOS]);
    key.set_nw_ttl(ip[ipv4::TTL]);
    let frag = be16(ip, ipv4::FRAG);
    let later = frag & 0x1fff != 0;
    if frag & 0x3fff != 0 {
        key.set_nw_frag(if later { NW_FRAG_ANY | NW_FRAG_LATER } else { NW_FRAG_ANY });
    }
    (!later).then_some((at + ihl, total - ihl))
}

/// Reads an IPv6 header and the extension headers behind it; gives place and length of the payload. A chain that is cut short leaves
/// the addresses alone, as in Open vSwitch.
#[inline]
fn ipv6(frame: &[u8], at: usize, key: &mut FlowKey, headers: &mut Headers) -> Option<(usize, usize)> {
    let ip = &frame[at..];
    if ip.len() < IPV6_LEN {
        return None;
    }
    let payload = usize::from(be16(ip, ipv6::PAYLOAD_LENGTH));
    if IPV6_LEN + payload > ip.len() {
        return None;
    }
    headers.l3 = L3::Ipv6;
    key.set_ipv6_src(be128(ip, ipv6::SRC));
    key.set_ipv6_dst(be128(ip, ipv6::DST));
    let body = &ip[IPV6_LEN..IPV6_LEN + payload];
    let chain = extension_headers(body, ip[ipv6::NEXT])?;
    headers.routed = chain.routed;
    key.set_nw_proto(chain.proto);
    key.set_nw_tos((be16(ip, 0) >> 4) as u8);
    key.set_nw_ttl(ip[ipv6::HOP_LIMIT]);
    key.set_nw_frag(chain.frag);
    (chain.frag & NW_FRAG_LATER == 0).then_some((at + IPV6_LEN + chain.len, payload - chain.len))
}

/// What a chain of IPv6 extension headers comes to.
struct Chain {
    proto: u8,
    /// Bytes of the chain.
    len: usize,
    frag: u8,
    routed: bool,
}

/// Walks the extension headers at the start of `body`. `None` if one is cut short.
fn extension_headers(body: &[u8], next: u8) -> Option<Chain> {
    let mut chain = Chain { proto: next, len: 0, frag: 0, routed: false };
    loop {
        let header = &body[chain.len..];
        let len = match chain.proto {
            ext::HOP_BY_HOP | ext::ROUTING | ext::DESTINATION => (usize::from(*header.get(1)?) + 1) * 8,
            ext::AUTHENTICATION => (usize::from(*header.get(1)?) + 2) * 4,
            ext::FRAGMENT => 8,
            _ => return Some(chain),
        };
        if header.len() < len.max(8) {
            return None;
        }
        chain.routed |= chain.proto == ext::ROUTING && header[3] > 0;
        let is_fragment = chain.proto == ext::FRAGMENT;
        chain.proto = header[0];
        chain.len += len;
        if is_fragment && be16(header, 2) != 0 {
            chain.frag = NW_FRAG_ANY;
            if be16(header, 2) & 0xfff8 != 0 {
                chain.frag |= NW_FRAG_LATER;
                chain.proto = ext::FRAGMENT;
                return Some(chain);
            }
        }
    }
}

/// Reads ARP and RARP for IPv4 over Ethernet.
fn arp(frame: &[u8], at: usize, key: &mut FlowKey, headers: &mut Headers) {
    let arp = &frame[at..];
    /// Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4.
    const IPV4_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
    if arp.len() < ARP_LEN || arp[..6] != IPV4_OVER_ETHERNET {
        return;
    }
    headers.l3 = L3::Arp;
    key.set_nw_proto(u8::try_from(be16(arp, arp::OP)).unwrap_or(0));
    key.set_nw_src(be32(arp, arp::SPA));
    key.set_nw_dst(be32(arp, arp::TPA));
    key.set_arp_sha(be48(arp, arp::SHA));
    key.set_arp_tha(be48(arp, arp::THA));
}

/// Reads the transport header at `at`, of which `len` bytes are in the IP payload.
#[inline]
fn transport(frame: &[u8], at: usize, len: usize, key: &mut FlowKey, headers: &mut Headers) {
    let (kind, needed) = match (key.nw_proto(), headers.l3) {
        (ipproto::TCP, _) => (L4::Tcp, TCP_LEN),
        (ipproto::UDP, _) => (L4::Udp, UDP_LEN),
        (ipproto::SCTP, _) => (L4::Sctp, SCTP_LEN),
        (ipproto::ICMP, L3::Ipv4) => (L4::Icmp, ICMP_LEN),
        (ipproto::ICMPV6, L3::Ipv6) => (L4::Icmpv6, ICMP_LEN),
        _ => return,
    };
    if len < needed {
        return;
    }
    headers.l4 = kind;
    headers.l4_at = at as u16;
    headers.l4_len = len as u16;
    match kind {
        L4::Icmp | L4::Icmpv6 => {
            key.set_tp_src(frame[at].into());
            key.set_tp_dst(frame[at + 1].into());
        }
        _ => {
            key.set_tp_src(be16(frame, at + l4::SRC));
            key.set_tp_dst(be16(frame, at + l4::DST));
        }
    }
    if kind == L4::Tcp {
        key.set_tcp_flags(be16(frame, at + l4::TCP_FLAGS) & 0xfff);
    }
}
