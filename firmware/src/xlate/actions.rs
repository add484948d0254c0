// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries out one action.

use super::trace::Kind;
use super::{MAX_DEPTH, MAX_RESUBMITS, Ttl, Xlate, XlateError};
use crate::openflow::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_RARP, ipproto};
use crate::openflow::key::NW_FRAG_LATER;
use crate::openflow::port::{OFPP_ALL, OFPP_FLOOD, OFPP_IN_PORT, OFPP_NORMAL, OFPP_TABLE};
use crate::openflow::{Action, Field, Prereq, Slot, Subfield, slot};

/// Whether a key of this Ethernet type has IP fields.
#[inline]
pub(super) const fn is_ip(dl_type: u16) -> bool {
    dl_type == ETH_TYPE_IP || dl_type == ETH_TYPE_IPV6
}

impl Xlate<'_> {
    pub(super) fn act(&mut self, action: &Action) {
        match *action {
            Action::Output(port) => self.output_to(port),
            Action::OutputField(from) => {
                let port = self.read_subfield(from);
                if let Ok(port) = u16::try_from(port) {
                    self.output_to(port);
                }
            }
            Action::InPort => self.output(self.key.in_port()),
            Action::Normal => self.normal(),
            Action::Flood | Action::All => self.flood(),
            Action::Drop => {}
            Action::SetField { field, value, mask } => {
                if self.has(field.info().prereq) {
                    self.set_field(field, value, mask);
                }
            }
            Action::SetVlanVid { vid, push } => self.set_tci(vid, 0x0fff, push),
            Action::SetVlanPcp { pcp, push } => self.set_tci(u16::from(pcp) << 13, 0xe000, push),
            Action::SetTpSrc(port) => self.set_port(slot::TP_SRC, port),
            Action::SetTpDst(port) => self.set_port(slot::TP_DST, port),
            Action::Move { src, dst } => {
                if self.has(dst.field.info().prereq) && self.has(src.field.info().prereq) {
                    let value = self.read_subfield(src);
                    self.set_field(dst.field, value << dst.ofs, dst.mask());
                }
            }
            Action::DecTtl => self.dec_ttl(),
            Action::PushVlan(tpid) => self.push_vlan(tpid),
            Action::PopVlan => self.pop_vlan(),
            Action::Resubmit { port, table } => self.resubmit(table, port.filter(|&port| port != OFPP_IN_PORT)),
            Action::WriteMetadata { value, mask } => self.write(slot::METADATA, value.into(), mask.into()),
            Action::Clone { actions } => self.enter_clone(actions),
            Action::Group(id) => self.group(id),
            Action::Exit if self.leave_bucket() => {}
            Action::Exit => self.frames.clear(),
            Action::GotoTable(table) => self.resubmit(Some(table), None),
        }
    }

    /// `output:N`; reserved numbers mean what their names say.
    fn output_to(&mut self, port: u16) {
        match port {
            OFPP_IN_PORT => self.output(self.key.in_port()),
            OFPP_TABLE => self.resubmit(Some(0), None),
            OFPP_NORMAL => self.normal(),
            OFPP_FLOOD | OFPP_ALL => self.flood(),
            port if port == self.key.in_port() => self.tell(Kind::Warning, |_| "skipping output to input port".into()),
            port => self.output(port),
        }
    }

    fn resubmit(&mut self, table: Option<u8>, in_port: Option<u16>) {
        let frame = *self.frames.last().expect("an action belongs to a flow");
        if frame.depth >= MAX_DEPTH {
            self.out.error = Some(XlateError::TooDeep);
        } else if self.resubmits >= MAX_RESUBMITS {
            self.out.error = Some(XlateError::TooManyResubmits);
        } else {
            let table = table.unwrap_or(frame.table);
            self.resubmits += 1;
            self.enter(table, frame.depth + u16::from(table <= frame.table), in_port);
        }
    }

    /// Whether the packet has the fields of this prerequisite; looks at what decides it.
    pub(super) fn has(&mut self, prereq: Prereq) -> bool {
        let dl_type = self.key.dl_type();
        match prereq {
            Prereq::None => true,
            Prereq::Vlan => self.tagged(),
            Prereq::Arp => dl_type == ETH_TYPE_ARP || dl_type == ETH_TYPE_RARP,
            Prereq::Ipv4 => dl_type == ETH_TYPE_IP,
            Prereq::Ipv6 => dl_type == ETH_TYPE_IPV6,
            Prereq::Ip => is_ip(dl_type),
            Prereq::Tcp => is_ip(dl_type) && self.has_l4(ipproto::TCP),
            Prereq::Udp => is_ip(dl_type) && self.has_l4(ipproto::UDP),
            Prereq::Sctp => is_ip(dl_type) && self.has_l4(ipproto::SCTP),
            Prereq::Icmpv4 => dl_type == ETH_TYPE_IP && self.carries(ipproto::ICMP),
            Prereq::Icmpv6 => dl_type == ETH_TYPE_IPV6 && self.carries(ipproto::ICMPV6),
        }
    }

    /// Whether the packet, which is IP, is of this protocol and no later fragment (`nw_frag` is always looked at).
    fn has_l4(&mut self, proto: u8) -> bool {
        self.carries(proto) && self.key.nw_frag() & NW_FRAG_LATER == 0
    }

    /// Whether the packet, which is IP, is of this protocol. Later fragments have ICMP's fields as Open vSwitch sees it, of the value 0.
    fn carries(&mut self, proto: u8) -> bool {
        self.read(slot::NW_PROTO, 0xff) == u128::from(proto)
    }

    fn read_subfield(&mut self, from: Subfield) -> u128 {
        let info = from.field.info();
        let bits = from.mask() & info.valid & info.slot.ones();
        self.read(info.slot, bits) >> from.ofs
    }

    fn set_field(&mut self, field: Field, value: u128, mask: u128) {
        let info = field.info();
        let mask = mask & info.valid;
        match field {
            Field::VlanTci | Field::VlanVid => self.set_vlan_bits(value as u16, mask as u16),
            // These cannot be written without there being a tag then.
            Field::DlVlan => self.set_vlan_bits(value as u16 | 0x1000, mask as u16 | 0x1000),
            Field::VlanPcp | Field::DlVlanPcp => {
                self.set_vlan_bits((value as u16) << 13 | 0x1000, (mask as u16) << 13 | 0x1000);
            }
            _ => self.write(info.slot, value, mask & info.slot.ones()),
        }
    }

    /// OpenFlow 1.0's set port, whatever the protocol.
    fn set_port(&mut self, s: Slot, port: u16) {
        if is_ip(self.key.dl_type()) && self.key.nw_frag() & NW_FRAG_LATER == 0 {
            self.look(slot::NW_PROTO, 0xff);
            self.write(s, port.into(), 0xffff);
        }
    }

    /// A packet whose TTL is 0 or 1 goes no further in this list; lists that it was resubmitted from go on.
    fn dec_ttl(&mut self) {
        if !is_ip(self.key.dl_type()) {
            return;
        }
        let ttl = self.key.nw_ttl();
        if ttl <= 1 {
            self.look(slot::NW_TTL, 0xff);
            self.out.ttl_expired = true;
            self.tell_expired();
            self.leave();
            return;
        }
        match self.ttl {
            Ttl::Set => {}
            // The hardware ends the program where a packet with too small a TTL would go no further: no need to look at it.
            // Where another list goes on after that it cannot.
            _ if !self.only_list() => {
                self.look(slot::NW_TTL, 0xff);
                self.write(slot::NW_TTL, u128::from(ttl), 0xff);
            }
            Ttl::Keep => {
                // Bits looked at so far are of the packet, those looked at from now on of what the decrement made of it.
                let before = self.looked.get(slot::NW_TTL);
                self.wc.set(slot::NW_TTL, self.wc.get(slot::NW_TTL) | before);
                self.looked.set(slot::NW_TTL, 0);
                self.ttl = Ttl::Dec(1);
            }
            Ttl::Dec(n) => self.ttl = Ttl::Dec(n + 1),
        }
        self.key.set_nw_ttl(ttl - 1);
        self.edited = true;
    }

    /// Before the TTL is written: a decrement before that decided whether the packet goes on, so its TTL counts after all.
    pub(super) fn forget_decrement(&mut self) {
        if matches!(self.ttl, Ttl::Dec(_)) {
            self.wc.unwildcard(slot::NW_TTL);
        }
    }
}
