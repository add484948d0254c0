// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes flows in the syntax that [`super::parse_flow`] and ovs-ofctl read.

use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::action::Action;
use super::field::*;
use super::flow::{DEFAULT_PRIORITY, Flow, Match};
use super::key::{NW_FRAG_ANY, NW_FRAG_LATER, Slot, slot};
use super::port::OFPP_LOCAL;

impl Display for Flow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut attribute = |name: &str, value: u64, default: u64| {
            if value != default {
                parts.push(format!("{name}={value}"));
            }
        };
        attribute("table", self.table.into(), 0);
        attribute("idle_timeout", self.idle_timeout.into(), 0);
        attribute("hard_timeout", self.hard_timeout.into(), 0);
        attribute("priority", self.priority.into(), DEFAULT_PRIORITY.into());
        if self.cookie != 0 {
            parts.insert(0, format!("cookie={:#x}", self.cookie));
        }
        let matches = self.matches.to_string();
        if !matches.is_empty() {
            parts.push(matches);
        }
        if !parts.is_empty() {
            write!(f, "{} ", parts.join(","))?;
        }
        write!(f, "actions={}", list(&self.actions))
    }
}

/// A list of actions, those of a clone in parentheses behind it.
pub fn list(mut actions: &[Action]) -> String {
    let mut parts = Vec::new();
    while let Some((action, rest)) = actions.split_first() {
        actions = rest;
        if let Action::Clone { actions: count } = *action {
            let (inner, after) = rest.split_at(rest.len().min(count as usize));
            parts.push(format!("{action}({})", list(inner)));
            actions = after;
        } else {
            parts.push(action.to_string());
        }
    }
    if parts.is_empty() { "drop".to_owned() } else { parts.join(",") }
}

/// `aa:bb:cc:dd:ee:ff`, of the lowest 48 bits.
pub fn mac(n: u128) -> String {
    let bytes: Vec<String> = (0..6).rev().map(|i| format!("{:02x}", n >> (8 * i) & 0xff)).collect();
    bytes.join(":")
}

/// A value as its field writes it.
fn value(format: Format, n: u128) -> String {
    match format {
        Format::Port if n == u128::from(OFPP_LOCAL) => "LOCAL".to_owned(),
        Format::Decimal | Format::Port => n.to_string(),
        Format::Hexadecimal | Format::TcpFlags | Format::Frag => format!("{n:#x}"),
        Format::Ethernet => mac(n),
        Format::Ipv4 => Ipv4Addr::from(n as u32).to_string(),
        Format::Ipv6 => Ipv6Addr::from(n).to_string(),
    }
}

/// `value` or `value/mask`; masks of IP addresses as prefix lengths where they are.
pub(super) fn masked(format: Format, n: u128, mask: u128, ones: u128) -> String {
    let text = value(format, n);
    if mask == ones {
        return text;
    }
    let bits = ones.count_ones();
    let prefix = mask.count_ones();
    let is_prefix = mask == if prefix == 0 { 0 } else { ones & ones << (bits - prefix) };
    match format {
        Format::Ipv4 | Format::Ipv6 if is_prefix => format!("{text}/{prefix}"),
        Format::Decimal => format!("{text}/{mask:#x}"),
        _ => format!("{text}/{}", value(format, mask)),
    }
}

/// The name of the protocol that a match is about, with what it says of `dl_type` and `nw_proto`.
pub(super) fn protocol(m: &Match) -> Option<(&'static str, bool)> {
    if m.mask.dl_type() != 0xffff {
        return None;
    }
    let proto = (m.mask.nw_proto() == 0xff).then(|| m.key.nw_proto());
    Some(match (m.key.dl_type(), proto) {
        (ETH_TYPE_IP, Some(ipproto::ICMP)) => ("icmp", true),
        (ETH_TYPE_IP, Some(ipproto::TCP)) => ("tcp", true),
        (ETH_TYPE_IP, Some(ipproto::UDP)) => ("udp", true),
        (ETH_TYPE_IP, Some(ipproto::SCTP)) => ("sctp", true),
        (ETH_TYPE_IPV6, Some(ipproto::ICMPV6)) => ("icmp6", true),
        (ETH_TYPE_IPV6, Some(ipproto::TCP)) => ("tcp6", true),
        (ETH_TYPE_IPV6, Some(ipproto::UDP)) => ("udp6", true),
        (ETH_TYPE_IPV6, Some(ipproto::SCTP)) => ("sctp6", true),
        (ETH_TYPE_IP, _) => ("ip", false),
        (ETH_TYPE_IPV6, _) => ("ipv6", false),
        (ETH_TYPE_ARP, _) => ("arp", false),
        (ETH_TYPE_RARP, _) => ("rarp", false),
        _ => return None,
    })
}

/// The slots that a match is written from, with their names and formats for this match's protocol.
fn slots(m: &Match) -> Vec<(&'static str, Slot, Format)> {
    let arp = matches!(m.key.dl_type(), ETH_TYPE_ARP | ETH_TYPE_RARP);
    let (src, dst, proto) = if arp { ("arp_spa", "arp_tpa", "arp_op") } else { ("nw_src", "nw_dst", "nw_proto") };
    let (tp_src, tp_dst) = match (m.key.dl_type(), m.key.nw_proto()) {
        (ETH_TYPE_IP, ipproto::ICMP) => (Field::IcmpType.info(), Field::IcmpCode.info()),
        (ETH_TYPE_IPV6, ipproto::ICMPV6) => (Field::Icmpv6Type.info(), Field::Icmpv6Code.info()),
        _ => (Field::TcpSrc.info(), Field::TcpDst.info()),
    };
    let tp_name = |info: &FieldInfo| if info.alias.is_empty() { info.name } else { info.alias };
    let mut slots = vec![
        ("in_port", slot::IN_PORT, Format::Port),
        ("metadata", slot::METADATA, Format::Hexadecimal),
        ("vlan_tci", slot::VLAN_TCI0, Format::Hexadecimal),
        ("dl_src", slot::DL_SRC, Format::Ethernet),
        ("dl_dst", slot::DL_DST, Format::Ethernet),
        (src, slot::NW_SRC, Format::Ipv4),
        (dst, slot::NW_DST, Format::Ipv4),
        ("ipv6_src", slot::IPV6_SRC, Format::Ipv6),
        ("ipv6_dst", slot::IPV6_DST, Format::Ipv6),
        ("nw_ttl", slot::NW_TTL, Format::Decimal),
        ("arp_sha", slot::ARP_SHA, Format::Ethernet),
        ("arp_tha", slot::ARP_THA, Format::Ethernet),
        ("tcp_flags", Field::TcpFlags.info().slot, Format::TcpFlags),
        (tp_name(tp_src), tp_src.slot, Format::Decimal),
        (tp_name(tp_dst), tp_dst.slot, Format::Decimal),
    ];
    match protocol(m) {
        None => {
            slots.extend([("dl_type", slot::DL_TYPE, Format::Hexadecimal), (proto, slot::NW_PROTO, Format::Decimal)])
        }
        Some((_, false)) => slots.push((proto, slot::NW_PROTO, Format::Decimal)),
        Some((_, true)) => {}
    }
    slots
}

/// DSCP and ECN, each a field of its own.
fn tos(m: &Match) -> Vec<String> {
    let (v, mask) = (m.key.nw_tos(), m.mask.nw_tos());
    let mut parts = Vec::new();
    if mask & 0xfc != 0 {
        parts.push(format!("nw_tos={}", v & 0xfc));
    }
    if mask & 3 != 0 {
        parts.push(format!("nw_ecn={}", v & 3));
    }
    parts
}

fn frag(m: &Match) -> Option<String> {
    let both = NW_FRAG_ANY | NW_FRAG_LATER;
    let kind = match (m.key.nw_frag(), m.mask.nw_frag() & both) {
        (_, 0) => return None,
        (0, NW_FRAG_LATER) => "not_later",
        (0, _) => "no",
        (NW_FRAG_ANY, NW_FRAG_ANY) => "yes",
        (NW_FRAG_ANY, _) => "first",
        _ => "later",
    };
    Some(format!("nw_frag={kind}"))
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = protocol(self).map(|(name, _)| name.to_owned()).into_iter().collect();
        let regs = (0..16).map(|n| (format!("reg{n}"), slot::reg(n), Format::Hexadecimal));
        for (name, s, format) in regs.chain(slots(self).into_iter().map(|(n, s, f)| (n.to_owned(), s, f))) {
            let (v, m) = (self.key.get(s), self.mask.get(s));
            if m != 0 {
                parts.push(format!("{name}={}", masked(format, v, m, s.ones())));
            }
        }
        parts.extend(tos(self));
        parts.extend(frag(self));
        f.write_str(&parts.join(","))
    }
}

/// A field's name in actions: NXM, else OXM, else plain.
fn action_name(field: Field) -> &'static str {
    let info = field.info();
    [info.nxm, info.oxm, info.name].into_iter().find(|n| !n.is_empty()).unwrap_or(info.name)
}

impl Display for Subfield {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = action_name(self.field);
        match (self.ofs, self.bits) {
            (0, bits) if bits == self.field.info().bits => write!(f, "{name}[]"),
            (ofs, 1) => write!(f, "{name}[{ofs}]"),
            (ofs, bits) => write!(f, "{name}[{ofs}..{}]", ofs + bits - 1),
        }
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Action::Output(OFPP_LOCAL) => f.write_str("LOCAL"),
            Action::Output(port) => write!(f, "output:{port}"),
            Action::OutputField(src) => write!(f, "output:{src}"),
            Action::InPort => f.write_str("IN_PORT"),
            Action::Normal => f.write_str("NORMAL"),
            Action::Flood => f.write_str("FLOOD"),
            Action::All => f.write_str("ALL"),
            Action::Drop => f.write_str("drop"),
            Action::SetField { field, value, mask } => set_field(f, field, value, mask),
            Action::SetVlanVid { vid, push } => write!(f, "{}_vlan_vid:{vid}", if push { "mod" } else { "set" }),
            Action::SetVlanPcp { pcp, push } => write!(f, "{}_vlan_pcp:{pcp}", if push { "mod" } else { "set" }),
            Action::SetTpSrc(port) => write!(f, "mod_tp_src:{port}"),
            Action::SetTpDst(port) => write!(f, "mod_tp_dst:{port}"),
            Action::Move { src, dst } => write!(f, "move:{src}->{dst}"),
            Action::DecTtl => f.write_str("dec_ttl"),
            Action::PushVlan(tpid) => write!(f, "push_vlan:{tpid:#06x}"),
            Action::PopVlan => f.write_str("pop_vlan"),
            Action::Resubmit { port: Some(port), table: None } => write!(f, "resubmit:{port}"),
            Action::Resubmit { port, table } => {
                let text = |n: Option<u16>| n.map(|n| n.to_string()).unwrap_or_default();
                write!(f, "resubmit({},{})", text(port), text(table.map(u16::from)))
            }
            Action::WriteMetadata { value, mask: u64::MAX } => write!(f, "write_metadata:{value:#x}"),
            Action::WriteMetadata { value, mask } => write!(f, "write_metadata:{value:#x}/{mask:#x}"),
            Action::Clone { .. } => f.write_str("clone"),
            Action::Group(id) => write!(f, "group:{id}"),
            Action::Exit => f.write_str("exit"),
            Action::GotoTable(table) => write!(f, "goto_table:{table}"),
        }
    }
}

/// `mod_*` where OpenFlow 1.0 has it (it asks nothing of the match), `load` for runs of bits, else `set_field`.
fn set_field(f: &mut Formatter<'_>, field: Field, n: u128, mask: u128) -> fmt::Result {
    let info = field.info();
    let whole = mask == info.valid;
    let text = value(info.format, n);
    let name = match field {
        Field::EthSrc => "mod_dl_src",
        Field::EthDst => "mod_dl_dst",
        Field::Ipv4Src => "mod_nw_src",
        Field::Ipv4Dst => "mod_nw_dst",
        Field::NwTos => "mod_nw_tos",
        Field::IpEcn => "mod_nw_ecn",
        Field::NwTtl => "mod_nw_ttl",
        _ => "",
    };
    let (ofs, bits) = (mask.trailing_zeros() as u8, mask.count_ones() as u8);
    let is_run =
        mask != 0 && mask >> ofs == super::field::ones(bits) && u32::from(ofs) + u32::from(bits) <= info.bits.into();
    // A load of bits that the field does not use.
    let unused = super::field::ones(info.bits) & !info.valid;
    match name {
        _ if mask == 0 && unused != 0 => {
            write!(f, "load:0->{}", Subfield { field, ofs: unused.trailing_zeros() as u8, bits: 1 })
        }
        "" if whole => write!(f, "set_field:{text}->{}", info.name),
        name if whole => write!(f, "{name}:{text}"),
        _ if is_run => write!(f, "load:{:#x}->{}", n >> ofs, Subfield { field, ofs, bits }),
        _ => write!(f, "set_field:{text}/{}->{}", value(info.format, mask), info.name),
    }
}
