// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws flows at random, as text in the language of ovs-ofctl: every field and action that Millrace takes, in forms that Open vSwitch
//! takes too. And tells whether two flows mean the same.

use millrace_firmware::openflow::{Action, Field, Flow};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Protocol shorthands with what they make known: L3 and L4.
const PROTOCOLS: &[(&str, &str, &str)] = &[
    ("", "", ""),
    ("ip", "ip", ""),
    ("ipv6", "ipv6", ""),
    ("arp", "arp", ""),
    ("rarp", "arp", ""),
    ("dl_type=0x88b5", "", ""),
    ("icmp", "ip", "icmp"),
    ("tcp", "ip", "tcp"),
    ("udp", "ip", "udp"),
    ("sctp", "ip", "sctp"),
    ("icmp6", "ipv6", "icmpv6"),
    ("tcp6", "ipv6", "tcp"),
    ("udp6", "ipv6", "udp"),
    ("sctp6", "ipv6", "sctp"),
    ("eth_type=0x0800,ip_proto=47", "ip", ""),
];

/// How values of a field are written.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number(u32),
    Mac,
    Ipv4,
    Ipv6,
}

/// Fields that can be matched and written: names, kind, whether a mask may be given, and what must be known of the packet.
const FIELDS: &[(&str, &str, Kind, bool, &str)] = &[
    ("metadata", "OXM_OF_METADATA", Kind::Number(64), true, ""),
    ("reg0", "NXM_NX_REG0", Kind::Number(32), true, ""),
    ("reg3", "NXM_NX_REG3", Kind::Number(32), true, ""),
    ("reg7", "NXM_NX_REG7", Kind::Number(32), true, ""),
    ("reg15", "NXM_NX_REG15", Kind::Number(32), true, ""),
    ("xreg2", "OXM_OF_PKT_REG2", Kind::Number(64), true, ""),
    ("xreg6", "OXM_OF_PKT_REG6", Kind::Number(64), true, ""),
    ("dl_src", "NXM_OF_ETH_SRC", Kind::Mac, true, ""),
    ("eth_dst", "OXM_OF_ETH_DST", Kind::Mac, true, ""),
    ("nw_src", "NXM_OF_IP_SRC", Kind::Ipv4, true, "ip"),
    ("ip_dst", "OXM_OF_IPV4_DST", Kind::Ipv4, true, "ip"),
    ("ipv6_src", "NXM_NX_IPV6_SRC", Kind::Ipv6, true, "ipv6"),
    ("ipv6_dst", "OXM_OF_IPV6_DST", Kind::Ipv6, true, "ipv6"),
    ("ip_dscp", "OXM_OF_IP_DSCP", Kind::Number(6), false, "ip*"),
    ("nw_ecn", "NXM_NX_IP_ECN", Kind::Number(2), false, "ip*"),
    ("nw_ttl", "NXM_NX_IP_TTL", Kind::Number(8), false, "ip*"),
    ("arp_op", "NXM_OF_ARP_OP", Kind::Number(8), false, "arp"),
    ("arp_spa", "NXM_OF_ARP_SPA", Kind::Ipv4, true, "arp"),
    ("arp_tpa", "OXM_OF_ARP_TPA", Kind::Ipv4, true, "arp"),
    ("arp_sha", "NXM_NX_ARP_SHA", Kind::Mac, true, "arp"),
    ("arp_tha", "OXM_OF_ARP_THA", Kind::Mac, true, "arp"),
    ("tcp_src", "NXM_OF_TCP_SRC", Kind::Number(16), true, "tcp"),
    ("tp_dst", "OXM_OF_TCP_DST", Kind::Number(16), true, "tcp"),
    ("udp_src", "NXM_OF_UDP_SRC", Kind::Number(16), true, "udp"),
    ("udp_dst", "OXM_OF_UDP_DST", Kind::Number(16), true, "udp"),
    ("sctp_src", "OXM_OF_SCTP_SRC", Kind::Number(16), true, "sctp"),
    ("sctp_dst", "OXM_OF_SCTP_DST", Kind::Number(16), true, "sctp"),
    ("icmp_type", "NXM_OF_ICMP_TYPE", Kind::Number(8), false, "icmp"),
    ("icmp_code", "OXM_OF_ICMPV4_CODE", Kind::Number(8), false, "icmp"),
    ("icmpv6_type", "NXM_NX_ICMPV6_TYPE", Kind::Number(8), false, "icmpv6"),
    ("icmpv6_code", "OXM_OF_ICMPV6_CODE", Kind::Number(8), false, "icmpv6"),
];

impl Kind {
    fn bits(self) -> u32 {
        match self {
            Kind::Number(bits) => bits,
            Kind::Mac => 48,
            Kind::Ipv4 => 32,
            Kind::Ipv6 => 128,
        }
    }

    fn ones(self) -> u128 {
        u128::MAX >> (128 - self.bits())
    }

    fn text(self, n: u128) -> String {
        match self {
            Kind::Number(_) => format!("{n:#x}"),
            Kind::Mac => {
                let bytes: Vec<String> = n.to_be_bytes()[10..].iter().map(|b| format!("{b:02x}")).collect();
                bytes.join(":")
            }
            Kind::Ipv4 => Ipv4Addr::from(n as u32).to_string(),
            Kind::Ipv6 => Ipv6Addr::from(n).to_string(),
        }
    }
}

/// What is known of the packets of the flow that is being drawn.
pub(crate) struct Known {
    pub l3: &'static str,
    pub l4: &'static str,
    pub tagged: bool,
    /// Clones that the list is in.
    pub clones: u8,
}

impl Known {
    pub fn has(&self, prereq: &str) -> bool {
        match prereq {
            "" => true,
            "ip*" => self.l3.starts_with("ip"),
            p => p == self.l3 || p == self.l4,
        }
    }
}

/// A number that is small, large, or has few bits.
fn number(rng: &mut ChaCha8Rng, ones: u128) -> u128 {
    match rng.random_range(0..4) {
        0 => u128::from(rng.random_range(0..4u8)) & ones,
        1 => ones,
        _ => rng.random::<u128>() & ones,
    }
}

fn value_and_mask(rng: &mut ChaCha8Rng, kind: Kind, maskable: bool) -> (u128, Option<u128>) {
    let value = number(rng, kind.ones());
    if !maskable || rng.random() {
        return (value, None);
    }
    let mask = match rng.random_range(0..3) {
        _ if kind == Kind::Ipv6 => u128::MAX << rng.random_range(0..128),
        0 => kind.ones() & kind.ones() << rng.random_range(0..kind.bits()),
        1 => 1 << rng.random_range(0..kind.bits()),
        _ => number(rng, kind.ones()).max(1),
    };
    (value & mask, Some(mask))
}

fn masked(rng: &mut ChaCha8Rng, kind: Kind, maskable: bool) -> String {
    let (value, mask) = value_and_mask(rng, kind, maskable);
    match mask {
        None => kind.text(value),
        // Open vSwitch takes the digits at the start of an IPv6 mask for a prefix length: only that.
        Some(mask) if kind == Kind::Ipv6 => format!("{}/{}", kind.text(value), mask.leading_ones()),
        Some(mask) => format!("{}/{}", kind.text(value), kind.text(mask)),
    }
}

/// One flow.
pub fn flow(rng: &mut ChaCha8Rng) -> String {
    let mut parts = Vec::new();
    let table = if rng.random() { rng.random_range(0..250u8) } else { 0 };
    if table > 0 {
        parts.push(format!("table={table}"));
    }
    for (name, max) in [("priority", 65535), ("idle_timeout", 65535), ("hard_timeout", 65535), ("cookie", u32::MAX)] {
        if rng.random_ratio(1, 3) {
            parts.push(format!("{name}={}", rng.random_range(0..=max)));
        }
    }
    let (known, matches) = matches(rng);
    parts.extend(matches);
    let separator = if rng.random() { "," } else { ", " };
    format!("{} actions={}", parts.join(separator), actions(rng, known, table).join(separator))
}

fn matches(rng: &mut ChaCha8Rng) -> (Known, Vec<String>) {
    let &(protocol, l3, l4) = PROTOCOLS.choose(rng).expect("there are some");
    let mut parts: Vec<String> = if protocol.is_empty() { vec![] } else { vec![protocol.to_owned()] };
    let vlan = [
        "",
        "",
        "vlan_tci=0",
        "dl_vlan=0xffff",
        "vlan_vid=0",
        "dl_vlan=7",
        "dl_vlan=9,dl_vlan_pcp=3",
        "vlan_pcp=2",
        "vlan_vid=0x1000/0x1000",
        "vlan_vid=0x1005/0x100f",
        "vlan_tci=0x1123/0x1fff",
        "vlan_tci=0xf123",
    ]
    .choose(rng)
    .expect("there are some");
    let tagged = !vlan.is_empty() && *vlan != "vlan_tci=0" && *vlan != "dl_vlan=0xffff" && *vlan != "vlan_vid=0";
    let known = Known { l3, l4, tagged, clones: 0 };
    parts.extend((!vlan.is_empty()).then(|| vlan.to_string()));
    if rng.random_ratio(1, 3) {
        parts.push(format!("in_port={}", rng.random_range(1..=11)));
    }
    for &(name, _, kind, maskable, prereq) in FIELDS {
        if known.has(prereq) && rng.random_ratio(1, 5) {
            parts.push(format!("{name}={}", masked(rng, kind, maskable)));
        }
    }
    if known.has("ip*") && rng.random_ratio(1, 4) {
        // Nothing of L4 can be written in a flow for later fragments.
        let kinds = if l4.is_empty() {
            &["no", "yes", "first", "later", "not_later"][..]
        } else {
            &["no", "yes", "first", "not_later"]
        };
        parts.push(format!("nw_frag={}", kinds.choose(rng).expect("some")));
    }
    if l4 == "tcp" && rng.random_ratio(1, 3) {
        parts.push(format!(
            "tcp_flags={}",
            ["+syn-ack", "syn|ack", "0x12/0x3f", "+ece+cwr-ns", "fin"].choose(rng).expect("some")
        ));
    }
    (known, parts)
}

fn actions(rng: &mut ChaCha8Rng, mut known: Known, table: u8) -> Vec<String> {
    let mut list: Vec<String> = (0..rng.random_range(0..5)).map(|_| action(rng, &mut known)).collect();
    if rng.random_ratio(1, 5) {
        list.push(format!("write_metadata:{}", masked(rng, Kind::Number(64), true)));
    }
    if rng.random_ratio(1, 5) {
        list.push(format!("goto_table:{}", rng.random_range(table + 1..=254)));
    }
    if list.is_empty() { vec!["drop".to_owned()] } else { list }
}

/// One action, of any kind, with any value.
pub(crate) fn action(rng: &mut ChaCha8Rng, known: &mut Known) -> String {
    let port = rng.random_range(1..=11);
    let table = rng.random_range(0..250);
    match rng.random_range(0..12) {
        0 => ["output:1", "normal", "flood", "ALL", "in_port", "output:in_port", "5"]
            .choose(rng)
            .expect("some")
            .to_string(),
        1 => format!("output:{port}"),
        2 => format!("resubmit(,{table})"),
        3 => [format!("resubmit({port},{table})"), format!("resubmit:{port}")].choose(rng).expect("some").clone(),
        4 => "output:NXM_NX_REG3[0..15]".to_owned(),
        5 if known.has("ip*") => "dec_ttl".to_owned(),
        5 | 6 => vlan_action(rng, known),
        7 => move_action(rng, known),
        8 => ["exit", "LOCAL", "output:LOCAL", "note:00.01.ff", "note"].choose(rng).expect("some").to_string(),
        9 if known.clones < 3 => clone_action(rng, known),
        _ => write_action(rng, known),
    }
}

/// What its actions make of the packet is not known after it.
fn clone_action(rng: &mut ChaCha8Rng, known: &Known) -> String {
    let mut inner = Known { clones: known.clones + 1, ..*known };
    let list: Vec<String> = (0..rng.random_range(0..4)).map(|_| action(rng, &mut inner)).collect();
    format!("clone({})", if list.is_empty() { "drop".to_owned() } else { list.join(",") })
}

fn vlan_action(rng: &mut ChaCha8Rng, known: &mut Known) -> String {
    if !known.tagged {
        known.tagged = true;
        // Not mod_vlan_vid: OpenFlow 1.0 and 1.1 differ in what it does to a packet that may have no tag.
        return ["push_vlan:0x8100", "push_vlan:0x88a8"].choose(rng).expect("some").to_string();
    }
    let text = [
        "pop_vlan",
        "strip_vlan",
        "set_field:0x1007->vlan_vid",
        "set_field:5->vlan_pcp",
        "mod_vlan_vid:5",
        "set_vlan_vid:6",
    ]
    .choose(rng)
    .expect("some");
    known.tagged = !matches!(*text, "pop_vlan" | "strip_vlan");
    text.to_string()
}

/// A field that the packet is known to have.
fn field(rng: &mut ChaCha8Rng, known: &Known) -> (&'static str, &'static str, Kind, bool) {
    let usable: Vec<_> = FIELDS.iter().filter(|f| known.has(f.4)).collect();
    let f = usable.choose(rng).expect("registers always are");
    (f.0, f.1, f.2, f.3)
}

fn write_action(rng: &mut ChaCha8Rng, known: &Known) -> String {
    let (name, long, kind, maskable) = field(rng, known);
    if rng.random() {
        return format!("set_field:{}->{name}", masked(rng, kind, maskable));
    }
    // Open vSwitch takes a load of part of a field that has no masks, and prints it in a form that it does not take.
    let bits = if maskable { rng.random_range(1..=kind.bits()) } else { kind.bits() };
    let first = rng.random_range(0..=kind.bits() - bits);
    let value = number(rng, u128::MAX >> (128 - bits));
    let range = if bits == kind.bits() { String::new() } else { format!("{first}..{}", first + bits - 1) };
    format!("load:{value:#x}->{}[{range}]", if rng.random() { name } else { long })
}

fn move_action(rng: &mut ChaCha8Rng, known: &Known) -> String {
    let (from, to) = (field(rng, known), field(rng, known));
    let bits = rng.random_range(1..=from.2.bits().min(to.2.bits()));
    let mut range = |kind: Kind| {
        let first = rng.random_range(0..=kind.bits() - bits);
        format!("{first}..{}", first + bits - 1)
    };
    format!("move:{}[{}]->{}[{}]", from.1, range(from.2), to.0, range(to.2))
}

/// Open vSwitch prints some actions as others of the same effect.
pub fn comparable(mut flow: Flow) -> Flow {
    // A packet without the present bit has a TCI of 0, so that the other bits need not be looked at.
    if flow.matches.mask.vlan_tci0() & 0x1000 != 0 && flow.matches.key.vlan_tci0() & 0x1000 == 0 {
        flow.matches.mask.set_vlan_tci0(0xffff);
    }
    for action in &mut flow.actions {
        *action = match *action {
            Action::SetTpSrc(port) => Action::SetField { field: Field::TcpSrc, value: port.into(), mask: 0xffff },
            Action::SetTpDst(port) => Action::SetField { field: Field::TcpDst, value: port.into(), mask: 0xffff },
            Action::SetField { field: Field::UdpSrc | Field::SctpSrc, value, mask } => {
                Action::SetField { field: Field::TcpSrc, value, mask }
            }
            Action::SetField { field: Field::UdpDst | Field::SctpDst, value, mask } => {
                Action::SetField { field: Field::TcpDst, value, mask }
            }
            Action::SetField { field: Field::IpDscp, value, mask } => {
                Action::SetField { field: Field::NwTos, value: value << 2, mask: mask << 2 }
            }
            Action::SetField { field: Field::VlanPcp, value, mask: 7 } => {
                Action::SetVlanPcp { pcp: value as u8, push: true }
            }
            Action::SetField { field: Field::VlanVid, value, mask: 0x1fff } if value >= 0x1000 => {
                Action::SetVlanVid { vid: (value & 0xfff) as u16, push: true }
            }
            // OpenFlow 1.0 has no instructions.
            Action::GotoTable(table) => Action::Resubmit { port: None, table: Some(table) },
            other => other,
        };
    }
    flow
}
