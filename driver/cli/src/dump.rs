// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule in the form of `ovs-appctl dpctl/dump-flows -m` (Open vSwitch, `odp_flow_format` and `format_odp_actions` in
//! lib/odp-util.c). Attributes that the rule does not look at are left out.

use millrace_driver::{Place, RuleCounters, RuleInfo};
use millrace_regs::{Key, Mask, OUTPUT_UPCALL, Step};
use millrace_sim::Config;
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};

const ETH_ARP: u16 = 0x0806;
const ETH_RARP: u16 = 0x8035;
const ETH_IPV6: u16 = 0x86dd;
const TPID_SERVICE: u16 = 0x88a8;
const TPID_CUSTOMER: u16 = 0x8100;
/// "Present" in a TCI of the key (CFI, bit 12).
const PRESENT: u16 = 0x1000;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// The rule as one line. `idle_ns`: time since its last packet.
pub fn line(rule: &RuleInfo, counters: &RuleCounters, idle_ns: Option<u64>, config: &Config) -> String {
    let (place, number) = match rule.place {
        Place::Hash { table, slot } => (format!("table {table}"), slot),
        Place::Tcam { entry } => ("tcam".into(), entry),
    };
    let used = idle_ns.map_or("never".into(), |ns| format!("{:.3}s", ns as f64 / 1e9));
    format!(
        "ufid:{:08x}, priority:{}, {}, packets:{}, bytes:{}, used:{used}, offloaded:yes, dp:millrace({place} {number}), actions:{}",
        rule.id.number(),
        rule.priority,
        matches(&rule.key, &rule.mask, config),
        counters.packets,
        counters.bytes,
        actions(&rule.program, &rule.key, config)
    )
}

fn port(vport: usize, config: &Config) -> String {
    config.vport_name(vport).unwrap_or_else(|| vport.to_string())
}

/// `name(value/mask,…)` of the attributes that are looked at; nothing if none is.
struct Group(Vec<String>);

impl Group {
    fn new() -> Self {
        Group(vec![])
    }

    /// Adds `name=value` or `name=value/mask`, each written by `show`, unless the mask is 0.
    fn add<T: Copy + PartialEq + Default, D: Display>(
        &mut self,
        name: &str,
        value: T,
        mask: T,
        all: T,
        show: impl Fn(T) -> D,
    ) {
        if mask == all {
            self.0.push(format!("{name}={}", show(value)));
        } else if mask != T::default() {
            self.0.push(format!("{name}={}/{}", show(value), show(mask)));
        }
    }

    fn close(self, name: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{name}({})", self.0.join(",")))
    }
}

fn matches(key: &Key, mask: &Mask, config: &Config) -> String {
    let mut parts = vec![];
    match mask.in_port {
        0 => {}
        0xff => parts.push(format!("in_port({})", port(key.in_port.into(), config))),
        mask => parts.push(format!("in_port({:#x}/{mask:#x})", key.in_port)),
    }
    let mut eth = Group::new();
    eth.add("src", key.dl_src, mask.dl_src, Mask::EXACT.dl_src, mac);
    eth.add("dst", key.dl_dst, mask.dl_dst, Mask::EXACT.dl_dst, mac);
    parts.extend(eth.close("eth"));
    parts.extend(vlan("vlan", (key.vlan_tci0, mask.vlan_tci0), (key.vlan_ad0, mask.vlan_ad0)));
    parts.extend(vlan("cvlan", (key.vlan_tci1, mask.vlan_tci1), (key.vlan_ad1, mask.vlan_ad1)));
    match mask.dl_type {
        0 => {}
        0xffff => parts.push(format!("eth_type({:#06x})", key.dl_type)),
        mask => parts.push(format!("eth_type({:#06x}/{mask:#06x})", key.dl_type)),
    }
    match key.dl_type {
        ETH_ARP | ETH_RARP => parts.extend(arp(key, mask)),
        dl_type => {
            parts.extend(ip(key, mask, dl_type == ETH_IPV6));
            parts.extend(l4(key, mask));
        }
    }
    if parts.is_empty() { "eth()".into() } else { parts.join(",") }
}

fn vlan(name: &str, (tci, mask): (u16, u16), (service, service_mask): (bool, bool)) -> Option<String> {
    if mask != 0 && tci & mask & PRESENT == 0 && mask & PRESENT != 0 {
        return Some(format!("{name}(none)"));
    }
    let mut group = Group::new();
    if service_mask {
        group.0.push(format!("tpid={:#06x}", if service { TPID_SERVICE } else { TPID_CUSTOMER }));
    }
    group.add("vid", tci & 0xfff, mask & 0xfff, 0xfff, |vid| vid);
    group.add("pcp", tci >> 13, mask >> 13, 7, |pcp| pcp);
    if group.0.is_empty() && mask & PRESENT != 0 {
        group.0.push("present".into());
    }
    group.close(name)
}

fn arp(key: &Key, mask: &Mask) -> Option<String> {
    let low = |value: u128| value as u32;
    let high = |value: u128| (value >> 80) as u64;
    let mut group = Group::new();
    group.add("sip", low(key.nw_src), low(mask.nw_src), u32::MAX, Ipv4Addr::from);
    group.add("tip", low(key.nw_dst), low(mask.nw_dst), u32::MAX, Ipv4Addr::from);
    group.add("op", key.nw_proto, mask.nw_proto, u8::MAX, |op| op);
    group.add("sha", high(key.nw_src), high(mask.nw_src), Mask::EXACT.dl_src, mac);
    group.add("tha", high(key.nw_dst), high(mask.nw_dst), Mask::EXACT.dl_src, mac);
    group.close("arp")
}

fn ip(key: &Key, mask: &Mask, ipv6: bool) -> Option<String> {
    let mut group = Group::new();
    if ipv6 {
        group.add("src", key.nw_src, mask.nw_src, u128::MAX, Ipv6Addr::from);
        group.add("dst", key.nw_dst, mask.nw_dst, u128::MAX, Ipv6Addr::from);
    } else {
        group.add("src", key.nw_src as u32, mask.nw_src as u32, u32::MAX, Ipv4Addr::from);
        group.add("dst", key.nw_dst as u32, mask.nw_dst as u32, u32::MAX, Ipv4Addr::from);
    }
    group.add("proto", key.nw_proto, mask.nw_proto, u8::MAX, |proto| proto);
    let (tos, ttl) = if ipv6 { ("tclass", "hlimit") } else { ("tos", "ttl") };
    group.add(tos, key.nw_tos, mask.nw_tos, u8::MAX, |tos| format!("{tos:#x}"));
    group.add(ttl, key.nw_ttl, mask.nw_ttl, u8::MAX, |ttl| ttl);
    match (mask.nw_frag, key.nw_frag) {
        (0, _) => {}
        (0b11 | 0b01, 0) => group.0.push("frag=no".into()),
        (0b11, 0b01) => group.0.push("frag=first".into()),
        (0b11 | 0b10, 0b11 | 0b10) => group.0.push("frag=later".into()),
        (mask, frag) => group.0.push(format!("frag={frag:#x}/{mask:#x}")),
    }
    group.close(if ipv6 { "ipv6" } else { "ipv4" })
}

fn l4(key: &Key, mask: &Mask) -> Vec<String> {
    let (name, names) = match key.nw_proto {
        TCP => ("tcp", ("src", "dst")),
        UDP => ("udp", ("src", "dst")),
        SCTP => ("sctp", ("src", "dst")),
        ICMP => ("icmp", ("type", "code")),
        ICMPV6 => ("icmpv6", ("type", "code")),
        _ => ("l4", ("src", "dst")),
    };
    let mut group = Group::new();
    group.add(names.0, key.tp_src, mask.tp_src, u16::MAX, |port| port);
    group.add(names.1, key.tp_dst, mask.tp_dst, u16::MAX, |port| port);
    let mut flags = Group::new();
    flags.add("flags", key.tcp_flags, mask.tcp_flags, Mask::EXACT.tcp_flags, |flags| format!("{flags:#x}"));
    let flags = flags.0.pop().map(|text| format!("tcp_{}", text.replacen('=', "(", 1) + ")"));
    group.close(name).into_iter().chain(flags).collect()
}

/// What each step does more than the one before it, then where it puts the frame.
fn actions(program: &[Step], key: &Key, config: &Config) -> String {
    let mut parts = vec![];
    let mut before: Vec<String> = vec![];
    for step in program {
        let edits = edits(step, key);
        parts.extend(edits.iter().filter(|edit| !before.contains(edit)).cloned());
        parts.extend(
            (0..config.vports()).filter(|vport| step.outputs >> vport & 1 != 0).map(|vport| port(vport, config)),
        );
        if step.outputs & OUTPUT_UPCALL != 0 {
            parts.push("userspace".into());
        }
        before = edits;
    }
    if program.iter().all(|step| step.outputs == 0) { "drop".into() } else { parts.join(",") }
}

fn edits(step: &Step, key: &Key) -> Vec<String> {
    let ipv6 = key.dl_type == ETH_IPV6;
    let address = |value: u128| {
        if ipv6 { Ipv6Addr::from(value).to_string() } else { Ipv4Addr::from(value as u32).to_string() }
    };
    let mut edits = vec![];
    if step.vlan_pop > 0 {
        edits.push(vec!["pop_vlan"; step.vlan_pop.into()].join(","));
    }
    let tags = [(step.push0_tpid, step.push0_tci), (step.push1_tpid, step.push1_tci)];
    // The tag pushed last is the outermost.
    edits.extend(tags[..usize::from(step.vlan_push).min(2)].iter().rev().map(|(tpid, tci)| push(*tpid, *tci)));
    let mut eth = Group::new();
    eth.add("src", step.dl_src, if step.set_dl_src { u64::MAX } else { 0 }, u64::MAX, mac);
    eth.add("dst", step.dl_dst, if step.set_dl_dst { u64::MAX } else { 0 }, u64::MAX, mac);
    edits.extend(eth.close("eth").map(set));
    let mut ip = Group::new();
    ip.add("src", step.nw_src, if step.set_nw_src { u128::MAX } else { 0 }, u128::MAX, address);
    ip.add("dst", step.nw_dst, if step.set_nw_dst { u128::MAX } else { 0 }, u128::MAX, address);
    let (tos, ttl) = if ipv6 { ("tclass", "hlimit") } else { ("tos", "ttl") };
    ip.add(tos, step.nw_tos, step.nw_tos_mask, u8::MAX, |tos| format!("{tos:#x}"));
    if step.ttl_dec != 0 {
        ip.0.push(format!("{ttl}-={}", step.ttl_dec));
    } else if step.set_nw_ttl {
        ip.0.push(format!("{ttl}={}", step.nw_ttl));
    }
    edits.extend(ip.close(if ipv6 { "ipv6" } else { "ipv4" }).map(set));
    let mut ports = Group::new();
    ports.add("src", step.tp_src, if step.set_tp_src { u16::MAX } else { 0 }, u16::MAX, |port| port);
    ports.add("dst", step.tp_dst, if step.set_tp_dst { u16::MAX } else { 0 }, u16::MAX, |port| port);
    edits.extend(ports.close(if key.nw_proto == UDP { "udp" } else { "tcp" }).map(set));
    edits
}

fn set(text: String) -> String {
    format!("set({text})")
}

fn push(tpid: u16, tci: u16) -> String {
    let tpid = if tpid == TPID_CUSTOMER { String::new() } else { format!("tpid={tpid:#06x},") };
    format!("push_vlan({tpid}vid={},pcp={})", tci & 0xfff, tci >> 13)
}

/// `aa:bb:cc:dd:ee:ff`
fn mac(address: u64) -> String {
    let bytes: Vec<String> = address.to_be_bytes()[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_sim::Preset;

    const ETH_IPV4: u16 = 0x0800;
    const CONFIG: Config = Preset::Sim.config();

    #[test]
    fn a_tcp_rule_reads_like_open_vswitchs() {
        let key = Key {
            in_port: 3,
            dl_src: 0x0200_0000_0001,
            dl_type: ETH_IPV4,
            nw_proto: TCP,
            nw_src: 0x0a00_0100,
            tp_dst: 80,
            tcp_flags: 2,
            ..Key::default()
        };
        let mask = Mask {
            in_port: 0xff,
            dl_src: Mask::EXACT.dl_src,
            dl_type: 0xffff,
            nw_proto: 0xff,
            nw_src: 0xffff_ff00,
            nw_frag: 3,
            tp_dst: 0xffff,
            tcp_flags: 2,
            ..Mask::ANY
        };
        assert_eq!(
            matches(&key, &mask, &CONFIG),
            "in_port(vf0),eth(src=02:00:00:00:00:01),eth_type(0x0800),\
             ipv4(src=10.0.1.0/255.255.255.0,proto=6,frag=no),tcp(dst=80),tcp_flags(0x2/0x2)"
        );
    }

    #[test]
    fn tags_arp_and_ipv6_have_their_own_attributes() {
        let key = Key {
            vlan_tci0: 0x1000 | 3 << 13 | 5,
            dl_type: ETH_ARP,
            nw_proto: 1,
            nw_dst: 0x0a00_0001,
            ..Key::default()
        };
        let mask = Mask {
            vlan_tci0: 0xffff,
            vlan_tci1: 0x1000,
            dl_type: 0xffff,
            nw_proto: 0xff,
            nw_dst: 0xffff_ffff,
            ..Mask::ANY
        };
        assert_eq!(
            matches(&key, &mask, &CONFIG),
            "vlan(vid=5,pcp=3),cvlan(none),eth_type(0x0806),arp(tip=10.0.0.1,op=1)"
        );
        let key = Key { dl_type: ETH_IPV6, nw_src: 1, nw_proto: ICMPV6, tp_src: 135, ..Key::default() };
        let mask = Mask { dl_type: 0xffff, nw_src: u128::MAX, nw_proto: 0xff, tp_src: 0xffff, ..Mask::ANY };
        assert_eq!(matches(&key, &mask, &CONFIG), "eth_type(0x86dd),ipv6(src=::1,proto=58),icmpv6(type=135)");
        assert_eq!(matches(&Key::default(), &Mask::ANY, &CONFIG), "eth()");
    }

    #[test]
    fn steps_show_what_they_add() {
        let first = Step { outputs: 0b11, ..Step::DROP };
        let second = Step {
            outputs: 1 << 3 | OUTPUT_UPCALL,
            set_dl_dst: true,
            dl_dst: 0x0200_0000_0002,
            ttl_dec: 1,
            vlan_push: 1,
            push0_tpid: TPID_CUSTOMER,
            push0_tci: 0x1007,
            ..Step::DROP
        };
        let third = Step { outputs: 1 << 4, set_tp_dst: true, tp_dst: 8080, ..second };
        let key = Key { dl_type: ETH_IPV4, nw_proto: TCP, ..Key::default() };
        assert_eq!(
            actions(&[first, second, third], &key, &CONFIG),
            "p0,p1,push_vlan(vid=7,pcp=0),set(eth(dst=02:00:00:00:00:02)),set(ipv4(ttl-=1)),vf0,userspace,set(tcp(dst=8080)),vf1"
        );
        assert_eq!(actions(&[Step::DROP], &key, &CONFIG), "drop");
    }
}
