// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edits of a frame, with the results of Open vSwitch's datapath actions: only what changes is written, checksums follow by increments,
//! and a wrong checksum stays wrong. A header that the frame does not have is not edited.

use super::buffer::Packet;
use super::checksum::{Delta, crc32c};
use super::header::*;
use crate::openflow::FlowKey;
use crate::openflow::field::ETH_TYPE_ARP;
use crate::openflow::key::VLAN_CFI;

/// A VLAN tag of a key: TPID and TCI. No tag is (0, 0).
type Tag = (u16, u16);

/// The tags of a key, outer one first.
fn tags(key: &FlowKey) -> Tags {
    let all = [(key.vlan_tpid0(), key.vlan_tci0()), (key.vlan_tpid1(), key.vlan_tci1())];
    let count = all.iter().take_while(|t| t.1 & VLAN_CFI != 0).count();
    Tags { all, count }
}

/// Up to two tags.
struct Tags {
    all: [Tag; 2],
    count: usize,
}

impl Tags {
    /// The tags, with (0, 0) for those that are not there.
    fn present(&self) -> [Tag; 2] {
        std::array::from_fn(|i| if i < self.count { self.all[i] } else { (0, 0) })
    }
}

impl Packet {
    /// Turns the frame into one whose fields are those of `to`: MAC addresses, tags, and whatever of `to` the frame's own headers have
    /// (an IPv4 packet's `nw_src`, not its `ipv6_src`; nothing of a header that is malformed or missing). `dl_type`, `nw_proto` of IP,
    /// `nw_frag` and `tcp_flags` cannot be changed.
    pub fn commit(&mut self, to: &FlowKey) {
        self.commit_ethernet(to);
        match self.headers.l3 {
            L3::Ipv4 => self.commit_ipv4(to),
            L3::Ipv6 => self.commit_ipv6(to),
            L3::Arp => self.commit_arp(to),
            L3::None => {}
        }
        match self.headers.l4 {
            L4::Tcp | L4::Udp => self.commit_ports(to),
            L4::Sctp => self.commit_sctp(to),
            L4::Icmp | L4::Icmpv6 => self.commit_icmp(to),
            L4::None => {}
        }
        self.commit_vlan(to);
    }

    fn commit_ethernet(&mut self, to: &FlowKey) {
        self.bytes_mut()[..6].copy_from_slice(&to.dl_dst().to_be_bytes()[2..]);
        self.bytes_mut()[6..12].copy_from_slice(&to.dl_src().to_be_bytes()[2..]);
        self.key.set_dl_dst(to.dl_dst());
        self.key.set_dl_src(to.dl_src());
    }

    /// Writes bytes of a header and tells what that changed. `new` has an even length and lies on 16-bit words of the header.
    fn write(&mut self, at: usize, new: &[u8]) -> Delta {
        let old = &mut self.bytes_mut()[at..at + new.len()];
        let delta = Delta::default().bytes(old, new);
        old.copy_from_slice(new);
        delta
    }

    /// Writes one 16-bit word.
    fn write16(&mut self, at: usize, new: u16) -> Delta {
        self.write(at, &new.to_be_bytes())
    }

    fn update_checksum(&mut self, at: usize, delta: Delta) {
        let sum = delta.apply(be16(self.bytes(), at));
        self.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }

    /// The checksum of TCP, UDP or ICMPv6 after a change of what it covers. UDP's 0 means *none*: it stays, and none becomes it.
    fn update_l4_checksum(&mut self, delta: Delta) {
        let at = usize::from(self.headers.l4_at);
        match self.headers.l4 {
            _ if delta.is_none() => {}
            L4::Tcp => self.update_checksum(at + l4::TCP_CHECKSUM, delta),
            L4::Udp if be16(self.bytes(), at + l4::UDP_CHECKSUM) != 0 => {
                self.update_checksum(at + l4::UDP_CHECKSUM, delta);
                if be16(self.bytes(), at + l4::UDP_CHECKSUM) == 0 {
                    self.write16(at + l4::UDP_CHECKSUM, 0xffff);
                }
            }
            L4::Icmpv6 => self.update_checksum(at + l4::ICMP_CHECKSUM, delta),
            _ => {}
        }
    }

    fn commit_ipv4(&mut self, to: &FlowKey) {
        let at = usize::from(self.headers.l3_at);
        let ip = &self.bytes()[at..];
        let (version_ihl, proto) = (ip[0], ip[ipv4::PROTO]);
        let tos = self.write16(at, u16::from_be_bytes([version_ihl, to.nw_tos()]));
        let ttl = self.write16(at + ipv4::TTL, u16::from_be_bytes([to.nw_ttl(), proto]));
        let src = self.write(at + ipv4::SRC, &to.nw_src().to_be_bytes());
        let dst = self.write(at + ipv4::DST, &to.nw_dst().to_be_bytes());
        for delta in [tos, ttl, src, dst] {
            self.update_checksum(at + ipv4::CHECKSUM, delta);
        }
        if self.headers.l4 != L4::Icmp {
            self.update_l4_checksum(src);
            self.update_l4_checksum(dst);
        }
        self.key.set_nw_tos(to.nw_tos());
        self.key.set_nw_ttl(to.nw_ttl());
        self.key.set_nw_src(to.nw_src());
        self.key.set_nw_dst(to.nw_dst());
    }

    fn commit_ipv6(&mut self, to: &FlowKey) {
        let at = usize::from(self.headers.l3_at);
        let src = self.write(at + ipv6::SRC, &to.ipv6_src().to_be_bytes());
        let dst = self.write(at + ipv6::DST, &to.ipv6_dst().to_be_bytes());
        self.update_l4_checksum(src);
        if !self.headers.routed {
            self.update_l4_checksum(dst);
        }
        if self.key.nw_tos() != to.nw_tos() {
            let word = be16(self.bytes(), at) & 0xf00f | u16::from(to.nw_tos()) << 4;
            self.write16(at, word);
        }
        if self.key.nw_ttl() != to.nw_ttl() {
            self.bytes_mut()[at + ipv6::HOP_LIMIT] = to.nw_ttl();
        }
        self.key.set_ipv6_src(to.ipv6_src());
        self.key.set_ipv6_dst(to.ipv6_dst());
        self.key.set_nw_tos(to.nw_tos());
        self.key.set_nw_ttl(to.nw_ttl());
    }

    /// ARP alone: Open vSwitch's datapath does not edit RARP.
    fn commit_arp(&mut self, to: &FlowKey) {
        if self.key.dl_type() != ETH_TYPE_ARP {
            return;
        }
        let at = usize::from(self.headers.l3_at);
        if self.key.nw_proto() != to.nw_proto() {
            self.write16(at + arp::OP, to.nw_proto().into());
        }
        self.write(at + arp::SHA, &to.arp_sha().to_be_bytes()[2..]);
        self.write(at + arp::SPA, &to.nw_src().to_be_bytes());
        self.write(at + arp::THA, &to.arp_tha().to_be_bytes()[2..]);
        self.write(at + arp::TPA, &to.nw_dst().to_be_bytes());
        self.key.set_nw_proto(to.nw_proto());
        self.key.set_arp_sha(to.arp_sha());
        self.key.set_arp_tha(to.arp_tha());
        self.key.set_nw_src(to.nw_src());
        self.key.set_nw_dst(to.nw_dst());
    }

    fn note_ports(&mut self, to: &FlowKey) {
        self.key.set_tp_src(to.tp_src());
        self.key.set_tp_dst(to.tp_dst());
    }

    fn commit_ports(&mut self, to: &FlowKey) {
        let at = usize::from(self.headers.l4_at);
        let src = self.write16(at + l4::SRC, to.tp_src());
        let dst = self.write16(at + l4::DST, to.tp_dst());
        self.update_l4_checksum(src);
        self.update_l4_checksum(dst);
        self.note_ports(to);
    }

    /// CRC32c is linear: the checksum changes by what a right one would have changed by.
    fn commit_sctp(&mut self, to: &FlowKey) {
        if (self.key.tp_src(), self.key.tp_dst()) == (to.tp_src(), to.tp_dst()) {
            return;
        }
        let at = usize::from(self.headers.l4_at);
        let end = at + usize::from(self.headers.l4_len);
        let sum_at = at + l4::SCTP_CHECKSUM;
        let old = u32::from_le_bytes(self.bytes()[sum_at..sum_at + 4].try_into().expect("four bytes"));
        self.bytes_mut()[sum_at..sum_at + 4].fill(0);
        let before = crc32c(&self.bytes()[at..end]);
        self.write16(at + l4::SRC, to.tp_src());
        self.write16(at + l4::DST, to.tp_dst());
        let after = crc32c(&self.bytes()[at..end]);
        self.bytes_mut()[sum_at..sum_at + 4].copy_from_slice(&(old ^ before ^ after).to_le_bytes());
        self.note_ports(to);
    }

    fn commit_icmp(&mut self, to: &FlowKey) {
        let at = usize::from(self.headers.l4_at);
        let delta = self.write(at, &[to.tp_src() as u8, to.tp_dst() as u8]);
        self.update_checksum(at + l4::ICMP_CHECKSUM, delta);
        self.note_ports(to);
    }

    /// Tags are taken off down to the innermost one that both have, then put on. A tag that is put on has CFI 0 on the wire, so
    /// that changing a tag's VID or priority clears it.
    fn commit_vlan(&mut self, to: &FlowKey) {
        let (have, want) = (tags(&self.key), tags(to));
        let mut common = 0;
        while common < have.count.min(want.count)
            && have.all[have.count - 1 - common] == want.all[want.count - 1 - common]
        {
            common += 1;
        }
        for _ in common..have.count {
            self.remove_tag();
        }
        for &(tpid, tci) in want.all[..want.count - common].iter().rev() {
            let ([a, b], [c, d]) = (tpid.to_be_bytes(), (tci & !VLAN_CFI).to_be_bytes());
            self.insert_tag([a, b, c, d]);
        }
        self.headers.tags = want.count as u8;
        let [(tpid0, tci0), (tpid1, tci1)] = want.present();
        self.key.set_vlan_tpid0(tpid0);
        self.key.set_vlan_tci0(tci0);
        self.key.set_vlan_tpid1(tpid1);
        self.key.set_vlan_tci1(tci1);
    }
}
