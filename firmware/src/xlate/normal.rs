// SPDX-License-Identifier: MIT OR Apache-2.0
//! `normal`: a learning switch whose ports are trunks of all VLANs (`xlate_normal` in ofproto/ofproto-dpif-xlate.c).

use super::trace::Kind;
use super::vlan::Stack;
use super::{VlanEdit, Xlate};
use crate::mac::Station;
use crate::openflow::field::{ETH_TYPE_VLAN, ETH_TYPE_VLAN_8021AD};
use crate::openflow::port::{OFPP_CONTROLLER, OFPP_NONE};
use crate::openflow::{mac as mac_text, slot};

/// The word of a key that holds both tags.
const TAGS: usize = slot::VLAN_TCI0.word as usize;

/// Addresses that a bridge does not forward (`eth_addr_is_reserved` in lib/packets.c): IEEE 802.1D's, and the control
/// protocols of two vendors.
pub const fn is_reserved_multicast(mac: u64) -> bool {
    matches!(mac,
        0x0180_c200_0000..=0x0180_c200_000f
        | 0x00e0_2b00_0000 | 0x00e0_2b00_0004 | 0x00e0_2b00_0006
        | 0x0100_0c00_0000
        | 0x0100_0ccc_cccc | 0x0100_0ccc_cccd | 0x0100_0ccd_cdcd
        | 0x0100_0ccc_ccc0..=0x0100_0ccc_ccc7)
}

/// Whether the address is a multicast or the broadcast address.
pub(super) const fn is_multicast(mac: u64) -> bool {
    mac >> 40 & 1 != 0
}

impl Xlate<'_> {
    pub(super) fn normal(&mut self) {
        let dst = self.read(slot::DL_DST, slot::DL_DST.ones()) as u64;
        let src = self.read(slot::DL_SRC, slot::DL_SRC.ones()) as u64;
        let vlan = self.vid();
        let in_port = self.key.in_port();
        // A packet of nobody's port is forwarded but teaches nothing.
        let nobody = matches!(in_port, OFPP_NONE | OFPP_CONTROLLER);
        if !nobody && !self.pipeline.ports().contains(in_port) {
            self.tell(Kind::Warning, |_| format!("no such port {in_port}, dropping packet"));
            return;
        }
        if matches!(self.key.dl_type(), ETH_TYPE_VLAN | ETH_TYPE_VLAN_8021AD) && !self.tagged() {
            self.tell(Kind::Warning, |_| "dropping packet with partial VLAN tag".into());
            return;
        }
        if !nobody && is_reserved_multicast(dst) {
            self.tell(Kind::Detail, |_| "packet has reserved destination MAC, dropping".into());
            return;
        }
        if !nobody && !is_multicast(src) {
            self.hear(Station::new(vlan, src), in_port);
        }
        match self.whereabouts(Station::new(vlan, dst)) {
            Some(port) if port == in_port => {
                self.tell(Kind::Detail, |_| "output port is input port, dropping".into());
                self.count_copy();
            }
            Some(port) => {
                self.tell(Kind::Detail, |_| "forwarding to learned port".into());
                self.normal_output(|x| x.output(port));
            }
            None if is_multicast(dst) => {
                self.tell(Kind::Detail, |_| "multicast, flooding".into());
                self.normal_output(Self::flood);
            }
            None => {
                self.tell(Kind::Detail, |_| "no learned MAC for destination, flooding".into());
                self.normal_output(Self::flood);
            }
        }
    }

    /// Learns where a station is.
    fn hear(&mut self, station: Station, port: u16) {
        if self.just_heard(station) != Some(port) {
            self.tell_news(station, port);
            self.out.learned.push((station, port));
        }
    }

    /// Tells where a station is, if that is news.
    fn tell_news(&mut self, station: Station, port: u16) {
        if self.macs.lookup(station) != Some(port) {
            self.tell(Kind::Detail, |xlate| {
                let name = xlate.pipeline.ports().name(port).unwrap_or_else(|| port.to_string());
                let (mac, vlan) = (mac_text(station.mac().into()), station.vlan());
                format!("learned that {mac} is on port {name} in VLAN {vlan}")
            });
        }
    }

    /// Where this packet said that a station is.
    fn just_heard(&self, station: Station) -> Option<u16> {
        self.out.learned.iter().rev().find(|(known, _)| *known == station).map(|(_, port)| *port)
    }

    /// The port that a station is on.
    fn whereabouts(&mut self, station: Station) -> Option<u16> {
        if is_multicast(station.mac()) {
            return None;
        }
        if !self.out.asked.contains(&station) {
            self.out.asked.push(station);
        }
        self.just_heard(station).or_else(|| self.macs.lookup(station))
    }

    /// Puts out without tags that say nothing: an outer one, which hides what is below it, or an inner one.
    fn normal_output(&mut self, output: impl FnOnce(&mut Self)) {
        let (vlan, tags) = if self.null_tag() {
            (VlanEdit { pop: 2, ..VlanEdit::default() }, 0)
        } else if self.null_inner_tag() {
            (Stack::outer_only(self), self.key.0[TAGS] & 0xffff_ffff)
        } else {
            output(self);
            return;
        };
        self.edited = true;
        let first = self.out.versions.len();
        output(self);
        for version in &mut self.out.versions[first..] {
            version.vlan = vlan;
            version.key.0[TAGS] = tags;
        }
        self.edited = true;
    }
}
