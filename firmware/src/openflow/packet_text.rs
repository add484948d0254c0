// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packets and megaflows as `ofproto/trace` writes them (`match_format` in Open vSwitch's lib/match.c).

use super::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_RARP, Format, ipproto};
use super::format::{mac, masked, protocol};
use super::key::{NW_FRAG_ANY, NW_FRAG_LATER, VLAN_CFI, VLAN_PCP_MASK, VLAN_VID_MASK};
use super::{FlowKey, FlowMask, Match, Slot, slot};

const TCP_FLAGS: [&str; 12] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"];
/// Bits that the key has of a packet's TCP flags.
const ALL_TCP_FLAGS: u16 = 0xfff;

/// A packet: all fields that it has, and those of metadata and registers that are not 0.
pub fn packet(key: &FlowKey) -> String {
    let mut mask = fields_of(key);
    let metadata = (0..16).map(slot::reg).chain([slot::METADATA]);
    metadata.filter(|s| key.get(*s) != 0).for_each(|s| mask.unwildcard(s));
    text(key, &mask, "")
}

/// What a megaflow looks at of its packets; `key` is one of them.
pub fn megaflow(key: &FlowKey, mask: &FlowMask) -> String {
    text(key, mask, "recirc_id=0,eth")
}

/// The fields that a packet has (`flow_wildcards_init_for_packet` in lib/flow.c).
fn fields_of(key: &FlowKey) -> FlowMask {
    let mut mask = FlowMask::default();
    let mut all = vec![slot::IN_PORT, slot::DL_DST, slot::DL_SRC, slot::DL_TYPE, slot::VLAN_TCI0];
    if key.vlan_tci0() != 0 {
        all.push(slot::VLAN_TCI1);
    }
    let ip = [slot::NW_PROTO, slot::NW_TOS, slot::NW_TTL, slot::NW_FRAG];
    match key.dl_type() {
        ETH_TYPE_IP => all.extend([slot::NW_SRC, slot::NW_DST].iter().chain(&ip)),
        ETH_TYPE_IPV6 => all.extend([slot::IPV6_SRC, slot::IPV6_DST].iter().chain(&ip)),
        ETH_TYPE_ARP | ETH_TYPE_RARP => {
            all.extend([slot::NW_SRC, slot::NW_DST, slot::NW_PROTO, slot::ARP_SHA, slot::ARP_THA]);
        }
        _ => {}
    }
    let has_ports = match (key.dl_type(), key.nw_proto()) {
        _ if key.nw_frag() & NW_FRAG_LATER != 0 => false,
        (ETH_TYPE_IP, ipproto::ICMP) | (ETH_TYPE_IPV6, ipproto::ICMPV6) => true,
        (ETH_TYPE_IP | ETH_TYPE_IPV6, proto) => [ipproto::TCP, ipproto::UDP, ipproto::SCTP].contains(&proto),
        _ => false,
    };
    if has_ports {
        all.extend([slot::TP_SRC, slot::TP_DST]);
    }
    if has_ports && key.nw_proto() == ipproto::TCP {
        all.push(slot::TCP_FLAGS);
    }
    all.into_iter().for_each(|s| mask.unwildcard(s));
    mask
}

/// Parts of a text, with commas between them.
struct Parts<'a> {
    key: &'a FlowKey,
    mask: &'a FlowMask,
    parts: Vec<String>,
}

impl Parts<'_> {
    /// Adds a field, if anything of it counts.
    fn field(&mut self, name: &str, s: Slot, format: Format) {
        let (value, mask) = (self.key.get(s), self.mask.get(s));
        if mask != 0 {
            self.parts.push(format!("{name}={}", masked(format, value & mask, mask, s.ones())));
        }
    }

    /// A port, or an ICMP type or code; hexadecimal if a part of it counts.
    fn port(&mut self, name: &str, s: Slot, ones: u128) {
        let (value, mask) = (self.key.get(s), self.mask.get(s));
        match mask {
            0 => {}
            mask if mask & ones == ones => self.parts.push(format!("{name}={value}")),
            mask => self.parts.push(format!("{name}={:#x}/{mask:#x}", value & mask)),
        }
    }

    fn tag(&mut self, n: usize, s: Slot) {
        let (value, mask) = (self.key.get(s) as u16, self.mask.get(s) as u16);
        let (vid, pcp) = (mask & VLAN_VID_MASK, mask & VLAN_PCP_MASK);
        let whole = |part: u16, ones: u16| part == 0 || part == ones;
        let name = |name: &str| if n == 0 { name.to_owned() } else { format!("{name}{n}") };
        let present = value & mask & VLAN_CFI != 0;
        if present && whole(vid, VLAN_VID_MASK) && whole(pcp, VLAN_PCP_MASK) && vid | pcp != 0 {
            if vid != 0 {
                self.parts.push(format!("{}={}", name("dl_vlan"), value & VLAN_VID_MASK));
            }
            if pcp != 0 {
                self.parts.push(format!("{}={}", name("dl_vlan_pcp"), value >> 13));
            }
        } else if mask == u16::MAX {
            self.parts.push(format!("{}={value:#06x}", name("vlan_tci")));
        } else if mask != 0 {
            self.parts.push(format!("{}={:#06x}/{mask:#06x}", name("vlan_tci"), value & mask));
        }
    }

    fn fragment(&mut self) {
        let (key, mask) = (self.key.nw_frag(), self.mask.nw_frag() & (NW_FRAG_ANY | NW_FRAG_LATER));
        let kind = match (key, mask) {
            (_, 0) => return,
            (0, NW_FRAG_LATER) => "not_later",
            (0, _) => "no",
            (_, NW_FRAG_ANY) => "yes",
            (key, _) if key & NW_FRAG_LATER != 0 => "later",
            _ => "first",
        };
        self.parts.push(format!("nw_frag={kind}"));
    }

    fn transport(&mut self) {
        const BYTE: u128 = 0xff;
        let icmp = match self.key.dl_type() {
            ETH_TYPE_IP => self.key.nw_proto() == ipproto::ICMP,
            _ => self.key.nw_proto() == ipproto::ICMPV6,
        };
        let (src, dst, ones) =
            if icmp { ("icmp_type", "icmp_code", BYTE) } else { ("tp_src", "tp_dst", slot::TP_SRC.ones()) };
        self.port(src, slot::TP_SRC, ones);
        self.port(dst, slot::TP_DST, ones);
        self.parts.extend(tcp_flags(self.key.tcp_flags(), self.mask.tcp_flags() & ALL_TCP_FLAGS));
    }
}

fn tcp_flags(flags: u16, mask: u16) -> Option<String> {
    let named = |bits: u16| TCP_FLAGS.iter().enumerate().filter(move |(n, _)| bits >> n & 1 != 0);
    let text = match mask {
        0 => return None,
        ALL_TCP_FLAGS if flags == 0 => "0".to_owned(),
        ALL_TCP_FLAGS => named(flags).map(|(_, name)| *name).collect::<Vec<_>>().join("|"),
        _ => named(mask).map(|(n, name)| format!("{}{name}", if flags >> n & 1 != 0 { '+' } else { '-' })).collect(),
    };
    Some(format!("tcp_flags={text}"))
}

fn text(key: &FlowKey, mask: &FlowMask, before: &str) -> String {
    let named = protocol(&Match { key: *key, mask: *mask });
    let mut parts = Parts { key, mask, parts: vec![] };
    parts.parts.extend((!before.is_empty()).then(|| before.to_owned()));
    parts.parts.extend(named.map(|(name, _)| name.to_owned()));
    for n in 0..16 {
        parts.field(&format!("reg{n}"), slot::reg(n), Format::Hexadecimal);
    }
    parts.field("metadata", slot::METADATA, Format::Hexadecimal);
    parts.field("in_port", slot::IN_PORT, Format::Port);
    parts.tag(0, slot::VLAN_TCI0);
    parts.tag(1, slot::VLAN_TCI1);
    for (name, s) in [("dl_src", slot::DL_SRC), ("dl_dst", slot::DL_DST)] {
        let (value, mask) = (key.get(s), mask.get(s));
        match mask {
            0 => {}
            mask if mask == s.ones() => parts.parts.push(format!("{name}={}", mac(value))),
            mask => parts.parts.push(format!("{name}={}/{}", mac(value & mask), mac(mask))),
        }
    }
    if named.is_none() && mask.dl_type() != 0 {
        parts.parts.push(format!("dl_type={:#06x}", key.dl_type()));
    }
    let arp = matches!(key.dl_type(), ETH_TYPE_ARP | ETH_TYPE_RARP);
    let [src, dst, proto] = if arp { ["arp_spa", "arp_tpa", "arp_op"] } else { ["nw_src", "nw_dst", "nw_proto"] };
    parts.field(src, slot::NW_SRC, Format::Ipv4);
    parts.field(dst, slot::NW_DST, Format::Ipv4);
    parts.field("ipv6_src", slot::IPV6_SRC, Format::Ipv6);
    parts.field("ipv6_dst", slot::IPV6_DST, Format::Ipv6);
    if !named.is_some_and(|(_, with_proto)| with_proto) {
        parts.field(proto, slot::NW_PROTO, Format::Decimal);
    }
    parts.field("arp_sha", slot::ARP_SHA, Format::Ethernet);
    parts.field("arp_tha", slot::ARP_THA, Format::Ethernet);
    let tos = (key.nw_tos(), mask.nw_tos());
    if tos.1 & 0xfc != 0 {
        parts.parts.push(format!("nw_tos={}", tos.0 & 0xfc));
    }
    if tos.1 & 3 != 0 {
        parts.parts.push(format!("nw_ecn={}", tos.0 & 3));
    }
    parts.field("nw_ttl", slot::NW_TTL, Format::Decimal);
    parts.fragment();
    parts.transport();
    parts.parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::parse;

    /// A frame of these bytes, that came in at port 4.
    fn key(hex: &str) -> FlowKey {
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        parse(&bytes, 4).0
    }

    const ADDRESSES: &str = "020000000002020000000001";

    // What ofproto/trace of Open vSwitch 3.1 prints of the same frames.

    #[test]
    fn a_packet_is_written_as_open_vswitch_writes_it() {
        let tcp =
            "08004500002800000000400666ce0a0000010a00000204d200510000000100000000501200640000_0000".replace('_', "");
        let flow = packet(&key(&format!("{ADDRESSES}{tcp}")));
        let expected = "tcp,in_port=4,vlan_tci=0x0000,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,\
                        nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=1234,tp_dst=81,tcp_flags=syn|ack";
        assert_eq!(flow, expected);
        let two_tags =
            format!("{ADDRESSES}88a8a065810000070800450000_1c00000000401166cf0a0000010a0000020005000600080000");
        let expected = "udp,in_port=4,dl_vlan=101,dl_vlan_pcp=5,dl_vlan1=7,dl_vlan_pcp1=0,dl_src=02:00:00:00:00:01,\
                        dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,nw_frag=no,tp_src=5,tp_dst=6";
        assert_eq!(packet(&key(&two_tags.replace('_', ""))), expected);
        let arp = format!("{ADDRESSES}08060001080006040001{}0a000001{}0a000002", "020000000001", "000000000000");
        let expected = "arp,in_port=4,vlan_tci=0x0000,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp_spa=10.0.0.1,\
                        arp_tpa=10.0.0.2,arp_op=1,arp_sha=02:00:00:00:00:01,arp_tha=00:00:00:00:00:00";
        assert_eq!(packet(&key(&arp)), expected);
        let other = format!("{ADDRESSES}0005{}", "00".repeat(46));
        let expected = "in_port=4,vlan_tci=0x0000,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x05ff";
        assert_eq!(packet(&key(&other)), expected);
    }

    #[test]
    fn a_megaflow_shows_what_counts() {
        let key =
            key(&format!("{ADDRESSES}08004500001c00000000400166df0a0000010a00000208000000_00010002").replace('_', ""));
        let mut mask = FlowMask::default();
        for s in [slot::IN_PORT, slot::DL_TYPE, slot::NW_PROTO, slot::DL_SRC, slot::NW_FRAG] {
            mask.unwildcard(s);
        }
        mask.set_nw_dst(0xffff_0000);
        mask.set_tp_src(0xff);
        let expected =
            "recirc_id=0,eth,icmp,in_port=4,dl_src=02:00:00:00:00:01,nw_dst=10.0.0.0/16,nw_frag=no,icmp_type=8";
        assert_eq!(megaflow(&key, &mask), expected);
    }

    #[test]
    fn flags_of_which_some_count_have_signs() {
        assert_eq!(tcp_flags(0x12, 0x13).unwrap(), "tcp_flags=-fin+syn+ack");
        assert_eq!((tcp_flags(0, 0xfff).unwrap(), tcp_flags(1, 0)), ("tcp_flags=0".into(), None));
    }
}
