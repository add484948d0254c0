// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a translation to a rule of the hardware: key, mask and action program (`docs/hardware.md`).

use crate::openflow::field::{
    ETH_TYPE_ARP, ETH_TYPE_IPV6, ETH_TYPE_RARP, ETH_TYPE_VLAN, ETH_TYPE_VLAN_8021AD, ipproto,
};
use crate::openflow::key::VLAN_CFI;
use crate::openflow::{FlowKey, FlowMask, slot};
use crate::xlate::{Translation, Ttl, Version};
use millrace_regs::{Key, Mask, Step};
use smallvec::SmallVec;
use std::fmt;

/// An action program.
pub type Program = SmallVec<[Step; 1]>;

/// Why packets of a megaflow are handled in software, all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Software {
    /// The hardware cannot edit ARP.
    ArpEdit,
    /// The hardware cannot edit ICMP or ICMPv6.
    IcmpEdit,
    /// The hardware cannot edit SCTP, whose checksum is over the whole packet.
    SctpEdit,
    /// The hardware does not look such packets up (IPv6 extension headers, LLC/SNAP).
    Punted,
    /// The hardware does not hold so long a program.
    ProgramTooLong,
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Software::ArpEdit => "arp edit",
            Software::IcmpEdit => "icmp edit",
            Software::SctpEdit => "sctp edit",
            Software::Punted => "punted",
            Software::ProgramTooLong => "program too long",
        })
    }
}

const fn is_arp(dl_type: u16) -> bool {
    matches!(dl_type, ETH_TYPE_ARP | ETH_TYPE_RARP)
}

/// The hardware's key of a packet, in its first pass: the slow path's rules have no packet looked up again.
#[inline]
pub fn hardware_key(key: &FlowKey) -> Key {
    Key {
        in_port: key.in_port().wrapping_sub(1) as u8,
        nw_frag: key.nw_frag(),
        vlan_ad0: key.vlan_tpid0() == ETH_TYPE_VLAN_8021AD,
        vlan_ad1: key.vlan_tpid1() == ETH_TYPE_VLAN_8021AD,
        tcp_flags: key.tcp_flags(),
        nw_ttl: key.nw_ttl(),
        dl_type: key.dl_type(),
        vlan_tci0: key.vlan_tci0(),
        vlan_tci1: key.vlan_tci1(),
        nw_proto: key.nw_proto(),
        nw_tos: key.nw_tos(),
        dl_dst: key.dl_dst(),
        dl_src: key.dl_src(),
        tp_src: key.tp_src(),
        tp_dst: key.tp_dst(),
        // At most one of these is not 0.
        nw_src: u128::from(key.nw_src()) | key.ipv6_src() | u128::from(key.arp_sha()) << 80,
        nw_dst: u128::from(key.nw_dst()) | key.ipv6_dst() | u128::from(key.arp_tha()) << 80,
        ..Key::ZERO
    }
}

/// The key of a packet that the hardware looks up, from the hardware's key of it, whole: the inverse of [`hardware_key`].
pub fn flow_key(key: &Key) -> FlowKey {
    let tpid = |tci: u16, service: bool| match (tci & VLAN_CFI != 0, service) {
        (false, _) => 0,
        (true, false) => ETH_TYPE_VLAN,
        (true, true) => ETH_TYPE_VLAN_8021AD,
    };
    let mut flow = FlowKey::default();
    flow.set_in_port(u16::from(key.in_port) + 1);
    flow.set_nw_frag(key.nw_frag);
    flow.set_vlan_tpid0(tpid(key.vlan_tci0, key.vlan_ad0));
    flow.set_vlan_tpid1(tpid(key.vlan_tci1, key.vlan_ad1));
    flow.set_tcp_flags(key.tcp_flags);
    flow.set_nw_ttl(key.nw_ttl);
    flow.set_dl_type(key.dl_type);
    flow.set_vlan_tci0(key.vlan_tci0);
    flow.set_vlan_tci1(key.vlan_tci1);
    flow.set_nw_proto(key.nw_proto);
    flow.set_nw_tos(key.nw_tos);
    flow.set_dl_dst(key.dl_dst);
    flow.set_dl_src(key.dl_src);
    flow.set_tp_src(key.tp_src);
    flow.set_tp_dst(key.tp_dst);
    if key.dl_type == ETH_TYPE_IPV6 {
        flow.set_ipv6_src(key.nw_src);
        flow.set_ipv6_dst(key.nw_dst);
    } else {
        flow.set_nw_src(key.nw_src as u32);
        flow.set_nw_dst(key.nw_dst as u32);
        flow.set_arp_sha((key.nw_src >> 80) as u64);
        flow.set_arp_tha((key.nw_dst >> 80) as u64);
    }
    flow
}

/// The hardware's mask of a megaflow. In the mask of a megaflow only fields count that its packets have.
#[inline]
pub fn hardware_mask(mask: &FlowMask) -> Mask {
    Mask {
        in_port: if mask.in_port() != 0 { 0xff } else { 0 },
        nw_frag: mask.nw_frag(),
        vlan_ad0: mask.vlan_tpid0() != 0,
        vlan_ad1: mask.vlan_tpid1() != 0,
        tcp_flags: mask.tcp_flags(),
        nw_ttl: mask.nw_ttl(),
        dl_type: mask.dl_type(),
        vlan_tci0: mask.vlan_tci0(),
        vlan_tci1: mask.vlan_tci1(),
        nw_proto: mask.nw_proto(),
        nw_tos: mask.nw_tos(),
        dl_dst: mask.dl_dst(),
        dl_src: mask.dl_src(),
        tp_src: mask.tp_src(),
        tp_dst: mask.tp_dst(),
        nw_src: u128::from(mask.nw_src()) | mask.ipv6_src() | u128::from(mask.arp_sha()) << 80,
        nw_dst: u128::from(mask.nw_dst()) | mask.ipv6_dst() | u128::from(mask.arp_tha()) << 80,
        ..Mask::ZERO
    }
}

/// The action program of a translation; `key` is the key of its packet.
///
/// # Errors
/// If an edit is one that the hardware cannot make.
#[inline]
pub fn program(key: &FlowKey, translation: &Translation) -> Result<Program, Software> {
    if translation.drops() {
        return Ok(smallvec::smallvec![Step::DROP]);
    }
    translation.versions.iter().map(|version| step(key, version)).collect()
}

fn step(key: &FlowKey, version: &Version) -> Result<Step, Software> {
    let (now, written) = (&version.key, &version.written);
    let dl_type = key.dl_type();
    let mut step = Step::output(version.outputs);
    if written.dl_dst() != 0 {
        (step.set_dl_dst, step.dl_dst) = (true, now.dl_dst());
    }
    if written.dl_src() != 0 {
        (step.set_dl_src, step.dl_src) = (true, now.dl_src());
    }
    if is_arp(dl_type) {
        let edits = [slot::NW_SRC, slot::NW_DST, slot::NW_PROTO, slot::ARP_SHA, slot::ARP_THA];
        if edits.iter().any(|s| written.get(*s) != 0) {
            return Err(Software::ArpEdit);
        }
    }
    if written.get(slot::NW_SRC) | written.get(slot::IPV6_SRC) != 0 {
        (step.set_nw_src, step.nw_src) = (true, u128::from(now.nw_src()) | now.ipv6_src());
    }
    if written.get(slot::NW_DST) | written.get(slot::IPV6_DST) != 0 {
        (step.set_nw_dst, step.nw_dst) = (true, u128::from(now.nw_dst()) | now.ipv6_dst());
    }
    step.nw_tos_mask = written.nw_tos();
    step.nw_tos = now.nw_tos() & written.nw_tos();
    match version.ttl {
        Ttl::Keep => {}
        Ttl::Dec(n) => step.ttl_dec = n,
        Ttl::Set => (step.set_nw_ttl, step.nw_ttl) = (true, now.nw_ttl()),
    }
    ports(key, version, &mut step)?;
    vlans(version, &mut step);
    Ok(step)
}

fn ports(key: &FlowKey, version: &Version, step: &mut Step) -> Result<(), Software> {
    let (src, dst) = (version.written.tp_src() != 0, version.written.tp_dst() != 0);
    if !src && !dst {
        return Ok(());
    }
    match key.nw_proto() {
        ipproto::TCP | ipproto::UDP => {
            if src {
                (step.set_tp_src, step.tp_src) = (true, version.key.tp_src());
            }
            if dst {
                (step.set_tp_dst, step.tp_dst) = (true, version.key.tp_dst());
            }
            Ok(())
        }
        ipproto::SCTP => Err(Software::SctpEdit),
        ipproto::ICMP | ipproto::ICMPV6 => Err(Software::IcmpEdit),
        // No ports to write.
        _ => Ok(()),
    }
}

fn vlans(version: &Version, step: &mut Step) {
    step.vlan_pop = version.vlan.pop;
    step.vlan_push = version.vlan.pushed;
    let tags = version.vlan.tags();
    if let Some(outer) = tags.first() {
        (step.push0_tpid, step.push0_tci) = (outer.tpid, wire_tci(outer.tci));
    }
    if let Some(inner) = tags.get(1) {
        (step.push1_tpid, step.push1_tci) = (inner.tpid, wire_tci(inner.tci));
    }
}

/// A TCI as it is on the wire: its CFI bit means something else there.
pub(crate) const fn wire_tci(tci: u16) -> u16 {
    tci & !VLAN_CFI
}
