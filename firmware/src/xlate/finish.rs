// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a translation: the megaflow's mask in its simplest form.

use super::actions::is_ip;
use super::{Ttl, Version, Xlate};
use crate::openflow::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_RARP, ipproto};
use crate::openflow::key::{NW_FRAG_LATER, VLAN_CFI};
use crate::openflow::{FlowKey, FlowMask, Slot, WORDS, slot};

/// Fields that can only be written whole: where a flow writes a part, the megaflow must know the rest.
const WHOLE: [Slot; 8] = [
    slot::DL_DST,
    slot::DL_SRC,
    slot::NW_SRC,
    slot::NW_DST,
    slot::IPV6_SRC,
    slot::IPV6_DST,
    slot::TP_SRC,
    slot::TP_DST,
];

impl Xlate<'_> {
    pub(super) fn finish(&mut self) {
        if matches!(self.ttl, Ttl::Dec(_)) && self.looked.nw_ttl() != 0 {
            // What was looked at after a decrement is not the packet's own bits.
            self.wc.unwildcard(slot::NW_TTL);
            self.looked.set_nw_ttl(0);
        }
        self.out.versions.dedup_by(|next, last| join(last, next));
        self.settle_vlans();
        let vlans = self.wc.0[slot::VLAN_TCI0.word as usize];
        for i in 0..WORDS {
            self.wc.0[i] |= self.looked.0[i] & !self.written.0[i];
        }
        self.wc.0[slot::VLAN_TCI0.word as usize] = vlans;
        for version in &self.out.versions {
            know_rest(version, &mut self.wc);
        }
        self.finish_ttl();
        canonical(self.original, &mut self.wc);
        self.out.mask = self.wc;
    }

    /// A packet with a broken IP header has TTL 0 in its key, but the hardware does not see it as IP, so that it would not
    /// end a program that decrements. The megaflow must leave such packets out: any bit of L3 that is 1 does that.
    fn finish_ttl(&mut self) {
        let Ttl::Dec(_) = self.ttl else {
            return;
        };
        let fields =
            [slot::NW_PROTO, slot::NW_SRC, slot::NW_DST, slot::IPV6_SRC, slot::IPV6_DST, slot::NW_TOS, slot::NW_TTL];
        if fields.iter().all(|s| self.original.get(*s) & self.wc.get(*s) == 0) {
            let ttl = self.original.nw_ttl();
            let top = 0x80 >> ttl.leading_zeros();
            self.wc.set(slot::NW_TTL, self.wc.get(slot::NW_TTL) | top);
        }
    }
}

/// Puts a version that is the same as the one before it out with that, if it goes to other ports. Whether it was.
fn join(last: &mut Version, next: &Version) -> bool {
    let same = last.outputs & next.outputs == 0 && Version { outputs: last.outputs, ..*next } == *last;
    if same {
        last.outputs |= next.outputs;
    }
    same
}

/// Adds to the mask the bits of partly written fields that were not written.
fn know_rest(version: &Version, wc: &mut FlowMask) {
    for s in WHOLE {
        let written = version.written.get(s);
        if written != 0 && written != s.ones() {
            wc.set(s, wc.get(s) | s.ones() & !written);
        }
    }
}

/// Adds what every megaflow looks at and leaves out what follows from the rest, so that megaflows for the same decision have
/// the same mask.
fn canonical(key: &FlowKey, wc: &mut FlowMask) {
    wc.0[..slot::IN_PORT.word as usize].fill(0);
    wc.unwildcard(slot::IN_PORT);
    wc.unwildcard(slot::DL_TYPE);
    let dl_type = key.dl_type();
    let arp = dl_type == ETH_TYPE_ARP || dl_type == ETH_TYPE_RARP;
    // Fields that a packet of this type does not have are 0.
    if dl_type != ETH_TYPE_IPV6 {
        wc.set(slot::IPV6_SRC, 0);
        wc.set(slot::IPV6_DST, 0);
    }
    if dl_type != ETH_TYPE_IP && !arp {
        wc.set(slot::NW_SRC, 0);
        wc.set(slot::NW_DST, 0);
    }
    if !arp {
        wc.set(slot::ARP_SHA, 0);
        wc.set(slot::ARP_THA, 0);
    }
    if is_ip(dl_type) {
        wc.set(slot::NW_FRAG, 3);
        canonical_l4(key, wc);
    } else {
        let proto = if arp { wc.nw_proto() } else { 0 };
        wc.0[slot::NW_PROTO.word as usize] = 0;
        wc.set_nw_proto(proto);
        wc.set(slot::TP_SRC, 0);
        wc.set(slot::TP_DST, 0);
    }
    canonical_vlans(key, wc);
}

fn canonical_l4(key: &FlowKey, wc: &mut FlowMask) {
    let later = key.nw_frag() & NW_FRAG_LATER != 0;
    if later {
        wc.set(slot::TP_SRC, 0);
        wc.set(slot::TP_DST, 0);
        wc.set(slot::TCP_FLAGS, 0);
        return;
    }
    if wc.nw_proto() != 0xff {
        return;
    }
    let proto = key.nw_proto();
    if proto != ipproto::TCP {
        wc.set(slot::TCP_FLAGS, 0);
    }
    match proto {
        ipproto::TCP | ipproto::UDP | ipproto::SCTP => {}
        ipproto::ICMP | ipproto::ICMPV6 => {
            wc.set_tp_src(wc.tp_src() & 0xff);
            wc.set_tp_dst(wc.tp_dst() & 0xff);
        }
        _ => {
            wc.set(slot::TP_SRC, 0);
            wc.set(slot::TP_DST, 0);
        }
    }
}

/// That a tag is not there is known by its CFI bit alone; where it is, its CFI bit says so.
fn canonical_vlans(key: &FlowKey, wc: &mut FlowMask) {
    let looked0 = wc.vlan_tci0() != 0 || wc.vlan_tpid0() != 0;
    let looked1 = wc.vlan_tci1() != 0 || wc.vlan_tpid1() != 0;
    if looked0 || looked1 {
        wc.set_vlan_tci0(wc.vlan_tci0() | VLAN_CFI);
    }
    if key.vlan_tci0() & VLAN_CFI == 0 {
        let cfi = wc.vlan_tci0() & VLAN_CFI;
        wc.0[slot::VLAN_TCI0.word as usize] = u64::from(cfi);
        return;
    }
    if looked1 {
        wc.set_vlan_tci1(wc.vlan_tci1() | VLAN_CFI);
        if key.vlan_tci1() & VLAN_CFI == 0 {
            wc.set_vlan_tci1(VLAN_CFI);
            wc.set_vlan_tpid1(0);
        }
    }
    // TPIDs are one of two: one bit tells them apart.
    for s in [slot::VLAN_TPID0, slot::VLAN_TPID1] {
        if wc.get(s) != 0 {
            wc.unwildcard(s);
        }
    }
}
