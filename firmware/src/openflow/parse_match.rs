// SPDX-License-Identifier: MIT OR Apache-2.0
//! The match part of a flow: fields, protocol shorthands, prerequisites.

use super::error::Fault;
use super::field::*;
use super::flow::Match;
use super::key::{FlowMask, VLAN_CFI, slot};
use super::lex::{Pair, Span};
use super::port::Ports;
use super::value;

/// OpenFlow 1.0's value of `dl_vlan` for a packet without a tag (`OFP_VLAN_NONE`).
const OFP_VLAN_NONE: u128 = 0xffff;

/// Collects the fields of one flow's match.
#[derive(Default)]
pub(super) struct MatchParser<'a> {
    result: Match,
    given: Vec<Given<'a>>,
}

/// A field as it was given.
struct Given<'a> {
    field: Field,
    name: Span<'a>,
    value: u128,
    mask: u128,
}

/// `dl_type` and `nw_proto` that a protocol's name stands for.
fn protocol(name: &str) -> Option<(u16, Option<u8>)> {
    Some(match name {
        "ip" | "ipv4" => (ETH_TYPE_IP, None),
        "ipv6" | "ip6" => (ETH_TYPE_IPV6, None),
        "arp" => (ETH_TYPE_ARP, None),
        "rarp" => (ETH_TYPE_RARP, None),
        "icmp" => (ETH_TYPE_IP, Some(ipproto::ICMP)),
        "tcp" => (ETH_TYPE_IP, Some(ipproto::TCP)),
        "udp" => (ETH_TYPE_IP, Some(ipproto::UDP)),
        "sctp" => (ETH_TYPE_IP, Some(ipproto::SCTP)),
        "icmp6" => (ETH_TYPE_IPV6, Some(ipproto::ICMPV6)),
        "tcp6" => (ETH_TYPE_IPV6, Some(ipproto::TCP)),
        "udp6" => (ETH_TYPE_IPV6, Some(ipproto::UDP)),
        "sctp6" => (ETH_TYPE_IPV6, Some(ipproto::SCTP)),
        _ => return None,
    })
}

/// The match field with this plain name (ovs-ofctl takes OXM and NXM names in actions only).
fn field_by_plain_name(name: &str) -> Option<Field> {
    Field::all().find(|f| f.info().name == name || (f.info().alias == name && !name.is_empty()))
}

impl<'a> MatchParser<'a> {
    /// Takes a key of the line if it is a protocol or field name. `None`: it is not, or not one of the match.
    pub fn take(&mut self, pair: &Pair<'a>, ports: &Ports) -> Option<Result<(), Fault>> {
        if let Some((dl_type, nw_proto)) = protocol(pair.key.text) {
            return Some(self.take_protocol(pair, dl_type, nw_proto));
        }
        let field = field_by_plain_name(pair.key.text)?;
        Some(self.take_field(field, pair, ports))
    }

    fn take_protocol(&mut self, pair: &Pair<'a>, dl_type: u16, nw_proto: Option<u8>) -> Result<(), Fault> {
        if let Some(value) = pair.value {
            return Err(Fault::new(value.at, format!("`{}` takes no value", pair.key.text)));
        }
        self.add(Field::EthType, pair.key, u128::from(dl_type), 0xffff)?;
        match nw_proto {
            Some(p) => self.add(Field::IpProto, pair.key, u128::from(p), 0xff),
            None => Ok(()),
        }
    }

    fn take_field(&mut self, field: Field, pair: &Pair<'a>, ports: &Ports) -> Result<(), Fault> {
        let Some(text) = pair.value.filter(|v| !v.is_empty()) else {
            return Err(Fault::new(pair.key.at, format!("field {} has no value", pair.key.text))
                .hint(format!("{}=…", pair.key.text)));
        };
        if field == Field::DlVlan && value::number(text) == Ok(OFP_VLAN_NONE) {
            return self.add(Field::VlanTci, pair.key, 0, 0xffff);
        }
        let (v, m) = value::field_value(field, text, ports)?;
        match field {
            Field::VlanVid => self.add_vlan_vid(pair.key, text, v, m),
            _ => self.add(field, pair.key, v, m),
        }
    }

    fn add_vlan_vid(&mut self, name: Span<'a>, text: Span, value: u128, mask: u128) -> Result<(), Fault> {
        let cfi = u128::from(VLAN_CFI);
        if mask & cfi == 0 || (value != 0 && value & cfi == 0) {
            return Err(Fault::new(text.at, "vlan_vid without the bit that says a tag is present").hint(format!(
                "vlan_vid={:#x}, dl_vlan={} or, for no tag, vlan_vid=0",
                value | cfi,
                value & !cfi
            )));
        }
        self.add(Field::VlanVid, name, value, mask)
    }

    /// Adds a field to the match. As in Open vSwitch it may share bits with fields before it, and replaces what they say of its bits; a
    /// match that would contradict itself or lose something by that is a fault.
    fn add(&mut self, field: Field, name: Span<'a>, value: u128, mask: u128) -> Result<(), Fault> {
        if self.given.iter().any(|g| (g.field, g.value, g.mask) == (field, value, mask)) {
            return Ok(());
        }
        let s = field_slot(field);
        let (new_value, new_mask) = in_slot(field, value, mask);
        let (old_value, old_mask) = (self.result.key.get(s), self.result.mask.get(s));
        let (_, own) = in_slot(field, 0, field.info().valid);
        if (old_value ^ new_value) & old_mask & new_mask != 0 {
            let message = format!("`{}` is at odds with `{}`", name.text, self.name_of_bits(field));
            return Err(Fault::new(name.at, message).hint("no packet matches both"));
        }
        if old_mask & own & !new_mask != 0 {
            let message = format!("`{}` replaces a part of what `{}` says", name.text, self.name_of_bits(field));
            return Err(Fault::new(name.at, message).hint("give both in one value and mask"));
        }
        self.result.key.set(s, old_value | new_value);
        self.result.mask.set(s, old_mask | new_mask);
        self.given.push(Given { field, name, value, mask });
        Ok(())
    }

    /// The name of the last field that has bits in common with `field`.
    fn name_of_bits(&self, field: Field) -> &'a str {
        self.given.iter().rfind(|g| overlaps(g.field, field)).map_or("", |g| g.name.text)
    }

    /// The whole match, once every field of the line is there.
    pub fn finish(self) -> Result<Match, Vec<Fault>> {
        let faults: Vec<Fault> = self.given.iter().filter_map(|g| missing_prereq(g, &self.result)).collect();
        if faults.is_empty() { Ok(self.result) } else { Err(faults) }
    }

    /// What is known so far, for the checks of the actions.
    pub fn so_far(&self) -> Match {
        self.result
    }
}

/// The slot that a field's match bits go to: the VLAN fields all match on the TCI, present bit included.
fn field_slot(field: Field) -> super::key::Slot {
    match field {
        Field::DlVlan | Field::VlanVid | Field::DlVlanPcp | Field::VlanPcp => slot::VLAN_TCI0,
        f => f.info().slot,
    }
}

/// Value and mask in terms of [`field_slot`].
fn in_slot(field: Field, value: u128, mask: u128) -> (u128, u128) {
    let cfi = u128::from(VLAN_CFI);
    match field {
        Field::DlVlan => (value | cfi, mask | cfi),
        Field::DlVlanPcp | Field::VlanPcp => (value << 13 | cfi, mask << 13 | cfi),
        _ => (value, mask & field.info().slot.ones()),
    }
}

/// Whether two fields have bits in common.
fn overlaps(a: Field, b: Field) -> bool {
    let (a, b) = (bits_of(a), bits_of(b));
    a.0.iter().zip(&b.0).any(|(a, b)| a & b != 0)
}

/// The bits of the key that a match on a field is about.
fn bits_of(field: Field) -> FlowMask {
    let mut mask = FlowMask::default();
    mask.set(field_slot(field), in_slot(field, 0, field.info().valid).1);
    mask
}

/// Whether a match makes sure that every packet it lets through has what a field needs.
pub(super) fn prereq_met(prereq: Prereq, m: &Match) -> bool {
    let exact = |s: super::key::Slot, values: &[u128]| m.mask.get(s) == s.ones() && values.contains(&m.key.get(s));
    let dl_type = |types: &[u16]| exact(slot::DL_TYPE, &types.iter().map(|&t| u128::from(t)).collect::<Vec<_>>());
    let proto = |p: u8| exact(slot::NW_PROTO, &[u128::from(p)]);
    let ip = || dl_type(&[ETH_TYPE_IP, ETH_TYPE_IPV6]);
    match prereq {
        Prereq::None => true,
        Prereq::Vlan => m.mask.vlan_tci0() & m.key.vlan_tci0() & VLAN_CFI != 0,
        Prereq::Arp => dl_type(&[ETH_TYPE_ARP, ETH_TYPE_RARP]),
        Prereq::Ipv4 => dl_type(&[ETH_TYPE_IP]),
        Prereq::Ipv6 => dl_type(&[ETH_TYPE_IPV6]),
        Prereq::Ip => ip(),
        Prereq::Tcp => ip() && proto(ipproto::TCP),
        Prereq::Udp => ip() && proto(ipproto::UDP),
        Prereq::Sctp => ip() && proto(ipproto::SCTP),
        Prereq::Icmpv4 => dl_type(&[ETH_TYPE_IP]) && proto(ipproto::ICMP),
        Prereq::Icmpv6 => dl_type(&[ETH_TYPE_IPV6]) && proto(ipproto::ICMPV6),
    }
}

/// What to write so that a prerequisite is met.
pub(super) fn prereq_words(prereq: Prereq) -> &'static str {
    match prereq {
        Prereq::None => "",
        Prereq::Vlan => "a VLAN tag: vlan_vid=0x1000/0x1000 or dl_vlan=…",
        Prereq::Arp => "arp or rarp",
        Prereq::Ipv4 => "ip",
        Prereq::Ipv6 => "ipv6",
        Prereq::Ip => "ip or ipv6",
        Prereq::Tcp => "tcp or tcp6",
        Prereq::Udp => "udp or udp6",
        Prereq::Sctp => "sctp or sctp6",
        Prereq::Icmpv4 => "icmp",
        Prereq::Icmpv6 => "icmp6",
    }
}

/// The fault of a field whose prerequisites the rest of the match does not give. OpenFlow 1.0's names mean more than one protocol's
/// field: `nw_src` also ARP's sender, `tp_src` a port of any L4 protocol.
fn missing_prereq(given: &Given, m: &Match) -> Option<Fault> {
    let prereq = given.field.info().prereq;
    let met = |p| prereq_met(p, m);
    let (ok, words) = match given.name.text {
        "vlan_pcp" => (true, ""), // It implies the tag.
        "nw_src" | "nw_dst" | "ip_src" | "ip_dst" => (met(prereq) || met(Prereq::Arp), "ip or arp"),
        "nw_proto" | "ip_proto" => (met(prereq) || met(Prereq::Arp), "ip, ipv6 or arp"),
        "tp_src" | "tp_dst" => {
            (met(Prereq::Tcp) || met(Prereq::Udp) || met(Prereq::Sctp), "tcp, udp, sctp, tcp6, udp6 or sctp6")
        }
        // Open vSwitch prints ICMPv6's so.
        "icmp_type" | "icmp_code" => (met(Prereq::Icmpv4) || met(Prereq::Icmpv6), "icmp or icmp6"),
        _ => (met(prereq), prereq_words(prereq)),
    };
    let is_protocol = protocol(given.name.text).is_some();
    (!ok && !is_protocol).then(|| {
        Fault::new(given.name.at, format!("`{}` needs a match on its protocol", given.name.text))
            .hint(format!("add {words}"))
    })
}
