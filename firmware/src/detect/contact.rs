// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which packets contact somebody, and whom.

use crate::openflow::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ipproto};
use crate::openflow::key::NW_FRAG_LATER;
use crate::openflow::{FlowKey, FlowMask, Slot, slot};
use std::fmt;
use std::net::IpAddr;

/// TCP flags (RFC 9293 §3.1).
const RST: u16 = 0x04;
const ACK: u16 = 0x10;

/// An ARP request (RFC 826).
const ARP_REQUEST: u8 = 1;
/// Echo, timestamp and address mask request (RFC 792, RFC 950).
const ICMP_REQUESTS: [u16; 3] = [8, 13, 17];
/// Echo request and neighbour solicitation (RFC 4443, RFC 4861), whose destination is a group's that tells the neighbour.
const ICMPV6_REQUESTS: [u16; 2] = [128, 135];

/// A protocol and one of its ports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Service {
    /// TCP, UDP or SCTP, by its number in the IP header.
    pub protocol: u8,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            ipproto::TCP => "tcp",
            ipproto::UDP => "udp",
            _ => "sctp",
        };
        write!(f, "{protocol}/{}", self.port)
    }
}

/// Somebody turns to somebody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Who.
    pub source: IpAddr,
    /// To whom.
    pub host: IpAddr,
    /// At which port; none of ARP and ICMP.
    pub service: Option<Service>,
}

/// What a packet is the beginning of, as far as a packet alone tells: a TCP segment with neither ACK nor RST, any packet of UDP and SCTP (which may be
/// an [answer](super::Answers)), a request of ICMP, ICMPv6 or ARP. Adds to `mask` the bits that tell: all packets that agree in them are of the same contact,
/// or of none. (The rest of a conversation costs a bit or two, and no rule for each of its ends.)
pub fn contact(key: &FlowKey, mask: &mut FlowMask) -> Option<Contact> {
    match key.dl_type() {
        ETH_TYPE_ARP => {
            mask.unwildcard(slot::NW_PROTO);
            if key.nw_proto() != ARP_REQUEST {
                return None;
            }
            between(key, mask, None)
        }
        // `nw_frag` and `dl_type` are in each mask.
        ETH_TYPE_IP | ETH_TYPE_IPV6 if key.nw_frag() & NW_FRAG_LATER == 0 => {
            mask.unwildcard(slot::NW_PROTO);
            of_ip(key, mask)
        }
        _ => None,
    }
}

fn of_ip(key: &FlowKey, mask: &mut FlowMask) -> Option<Contact> {
    let port = |mask: &mut FlowMask| {
        mask.unwildcard(slot::TP_DST);
        Some(Service { protocol: key.nw_proto(), port: key.tp_dst() })
    };
    match key.nw_proto() {
        ipproto::TCP => {
            // An ACK tells enough by itself.
            let flags = if key.tcp_flags() & ACK != 0 { ACK } else { ACK | RST };
            mask.set_tcp_flags(mask.tcp_flags() | flags);
            let opens = key.tcp_flags() & flags == 0;
            opens.then(|| port(mask)).and_then(|service| between(key, mask, service))
        }
        ipproto::UDP | ipproto::SCTP => {
            let service = port(mask);
            between(key, mask, service)
        }
        protocol @ (ipproto::ICMP | ipproto::ICMPV6) => {
            mask.set_tp_src(mask.tp_src() | 0xff);
            let requests = if protocol == ipproto::ICMP { &ICMP_REQUESTS[..] } else { &ICMPV6_REQUESTS };
            requests.contains(&key.tp_src()).then(|| between(key, mask, None)).flatten()
        }
        _ => None,
    }
}

/// The contact of the packet's source with its destination.
fn between(key: &FlowKey, mask: &mut FlowMask, service: Option<Service>) -> Option<Contact> {
    let (source, host) = match key.dl_type() {
        ETH_TYPE_IPV6 => (slot::IPV6_SRC, slot::IPV6_DST),
        _ => (slot::NW_SRC, slot::NW_DST),
    };
    mask.unwildcard(source);
    mask.unwildcard(host);
    Some(Contact { source: address(key, source), host: address(key, host), service })
}

/// Who sent a UDP or SCTP packet, and from which port: what comes back there is an answer. Adds to `mask` the bits that tell.
pub fn is_answerable(key: &FlowKey, mask: &mut FlowMask) -> Option<(IpAddr, Service)> {
    if !matches!(key.dl_type(), ETH_TYPE_IP | ETH_TYPE_IPV6) || key.nw_frag() & NW_FRAG_LATER != 0 {
        return None;
    }
    mask.unwildcard(slot::NW_PROTO);
    if !matches!(key.nw_proto(), ipproto::UDP | ipproto::SCTP) {
        return None;
    }
    let source = source_slot(key)?;
    mask.unwildcard(source);
    mask.unwildcard(slot::TP_SRC);
    Some((address(key, source), Service { protocol: key.nw_proto(), port: key.tp_src() }))
}

/// The network address that a packet says to be from, if it has one: of ARP the sender's.
pub fn source(key: &FlowKey) -> Option<IpAddr> {
    source_slot(key).map(|slot| address(key, slot))
}

fn source_slot(key: &FlowKey) -> Option<Slot> {
    match key.dl_type() {
        ETH_TYPE_IPV6 => Some(slot::IPV6_SRC),
        ETH_TYPE_IP | ETH_TYPE_ARP => Some(slot::NW_SRC),
        _ => None,
    }
}

fn address(key: &FlowKey, slot: Slot) -> IpAddr {
    match slot.bits {
        128 => IpAddr::V6(key.get(slot).into()),
        _ => IpAddr::V4((key.get(slot) as u32).into()),
    }
}

/// Every bit that [`contact`] and [`is_answerable`] may look at.
pub(super) fn all_bits() -> FlowMask {
    let mut all = FlowMask::default();
    let fields = [slot::NW_PROTO, slot::TCP_FLAGS, slot::NW_SRC, slot::NW_DST, slot::IPV6_SRC, slot::IPV6_DST];
    fields.into_iter().chain([slot::TP_SRC, slot::TP_DST]).for_each(|slot| all.unwildcard(slot));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::parse;
    use etherparse::{PacketBuilder, TcpHeader};
    use proptest::prelude::*;

    fn key(frame: &[u8]) -> FlowKey {
        parse(frame, 4).0
    }

    fn tcp(flags: u16, port: u16) -> FlowKey {
        let mut header = TcpHeader::new(50_000, port, 1, 1000);
        (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        (header.psh, header.ack) = (flags & 8 != 0, flags & 16 != 0);
        let mut frame = vec![];
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        builder.tcp_header(header).write(&mut frame, &[]).unwrap();
        key(&frame)
    }

    fn opened(key: &FlowKey) -> Option<String> {
        contact(key, &mut FlowMask::default()).map(|contact| {
            let service = contact.service.map_or("none".to_owned(), |service| service.to_string());
            format!("{} {} {service}", contact.source, contact.host)
        })
    }

    #[test]
    fn segments_that_begin_something_are_contacts_and_the_rest_of_a_connection_is_none() {
        for flags in [2, 0, 1, 1 | 8 | 32] {
            assert_eq!(opened(&tcp(flags, 80)).as_deref(), Some("10.0.0.1 10.0.0.2 tcp/80"), "flags {flags}");
        }
        for flags in [2 | 16, 16, 1 | 16, 4, 4 | 16] {
            assert_eq!(opened(&tcp(flags, 80)), None, "flags {flags}");
        }
    }

    #[test]
    fn what_goes_on_costs_no_rule_for_each_end() {
        let mut mask = FlowMask::default();
        contact(&tcp(16, 80), &mut mask);
        assert_eq!((mask.tcp_flags(), mask.nw_dst(), mask.tp_dst()), (ACK, 0, 0));
    }

    #[test]
    fn requests_of_arp_and_icmp_contact_hosts() {
        let mut arp = vec![0xff; 6];
        arp.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
        arp.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 9]);
        assert_eq!(opened(&key(&arp)).as_deref(), Some("10.0.0.1 10.0.0.9 none"));
        arp[21] = 2;
        assert_eq!(opened(&key(&arp)), None, "an answer");
        let ping = |request: bool| {
            let mut frame = vec![];
            let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64);
            let builder = if request { builder.icmpv6_echo_request(1, 1) } else { builder.icmpv6_echo_reply(1, 1) };
            builder.write(&mut frame, &[]).unwrap();
            opened(&key(&frame))
        };
        assert!(ping(true).is_some_and(|text| text.ends_with(" none")));
        assert_eq!(ping(false), None);
    }

    /// Keys in which few values differ, so that masks leave something out.
    fn any_key() -> impl Strategy<Value = FlowKey> {
        let types = prop::sample::select(vec![ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, 0x88b5]);
        let protocols = prop::sample::select(vec![0u8, 1, 2, 6, 17, 58, 132]);
        let numbers = (0..3u32, 0..3u32, prop::sample::select(vec![0u16, 2, 4, 5, 16, 18]), 0..3u8);
        let ports = (prop::sample::select(vec![0u16, 8, 128, 135, 53]), 0..3u16);
        (types, protocols, numbers, ports).prop_map(|(dl_type, protocol, (src, dst, flags, frag), (from, to))| {
            let mut key = FlowKey::default();
            key.set_dl_type(dl_type);
            if dl_type == 0x88b5 {
                return key;
            }
            key.set_nw_proto(protocol);
            if dl_type == ETH_TYPE_IPV6 {
                key.set_ipv6_src(src.into());
                key.set_ipv6_dst(dst.into());
            } else {
                key.set_nw_src(src);
                key.set_nw_dst(dst);
            }
            if dl_type != ETH_TYPE_ARP {
                key.set_nw_frag(frag);
                if frag & NW_FRAG_LATER == 0 {
                    key.set_tp_src(from);
                    key.set_tp_dst(to);
                    key.set_tcp_flags(if protocol == ipproto::TCP { flags } else { 0 });
                }
            }
            key
        })
    }

    proptest! {
        /// A rule of this mask hides nothing: whatever it matches is the same contact.
        #[test]
        fn packets_that_agree_under_the_mask_are_the_same_contact(a in any_key(), b in any_key()) {
            type Look = fn(&FlowKey, &mut FlowMask) -> String;
            let looks: [Look; 2] =
                [|key, mask| format!("{:?}", contact(key, mask)), |key, mask| format!("{:?}", is_answerable(key, mask))];
            for look in looks {
                let mut mask = FlowMask::default();
                mask.unwildcard(slot::DL_TYPE);
                mask.set_nw_frag(3);
                let of_a = look(&a, &mut mask);
                if a.masked(&mask) == b.masked(&mask) {
                    prop_assert_eq!(of_a, look(&b, &mut FlowMask::default()));
                }
                let mut all = all_bits();
                let before = all;
                all.union(&mask);
                let known = [slot::DL_TYPE, slot::NW_FRAG];
                known.into_iter().for_each(|slot| all.set(slot, before.get(slot)));
                prop_assert_eq!(all, before);
            }
        }
    }
}
