// SPDX-License-Identifier: MIT OR Apache-2.0
//! Megaflows and flows as text, in the forms of `ovs-appctl dpctl/dump-flows -m` and `ovs-ofctl dump-flows`.
//!
//! In a megaflow's actions each step says what is changed in the packet as it was received, then where it goes.

use super::cache::{FlowId, Home, Megaflow};
use super::core::Core;
use super::stats::FlowStats;
use crate::compile::hardware_key;
use crate::openflow::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_RARP, ipproto};
use crate::openflow::{Flow, Ports};
use millrace_regs::{Key, Mask, Step};
use rustc_hash::FxHasher;
use serde::Serialize;
use std::fmt::{self, Display, Write};
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A megaflow as a datapath's flow is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MegaflowDump {
    /// Names the megaflow as long as it is there.
    pub ufid: String,
    /// What packets it is for: `in_port(vf0),eth(…),…`, masks behind slashes.
    pub matches: String,
    /// Packets, in hardware and software.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Nanoseconds since the last packet, none if there was none.
    pub used_ns: Option<u64>,
    /// The hardware handles it.
    pub offloaded: bool,
    /// What is done, or why the slow path has to.
    pub actions: String,
}

impl Display for MegaflowDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ufid:{}, {}, packets:{}, bytes:{}, used:", self.ufid, self.matches, self.packets, self.bytes)?;
        match self.used_ns {
            Some(ns) => write!(f, "{}.{:03}s", ns / 1_000_000_000, ns / 1_000_000 % 1000)?,
            None => f.write_str("never")?,
        }
        if self.offloaded {
            f.write_str(", offloaded:yes")?;
        }
        write!(f, ", dp:{}, actions:{}", if self.offloaded { "millrace" } else { "software" }, self.actions)
    }
}

/// An OpenFlow flow with its counters.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowDump {
    /// The flow.
    pub flow: Flow,
    /// What it counted.
    pub stats: FlowStats,
    /// The device time (ns) of the dump.
    pub now: u64,
}

impl Display for FlowDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.now.saturating_sub(self.stats.created);
        write!(
            f,
            " cookie={:#x}, duration={}.{:03}s, ",
            self.flow.cookie,
            age / 1_000_000_000,
            age / 1_000_000 % 1000
        )?;
        write!(f, "table={}, n_packets={}, n_bytes={}, ", self.flow.table, self.stats.packets, self.stats.bytes)?;
        for (name, seconds) in [("idle_timeout", self.flow.idle_timeout), ("hard_timeout", self.flow.hard_timeout)] {
            if seconds != 0 {
                write!(f, "{name}={seconds}, ")?;
            }
        }
        write!(f, "idle_age={}, ", self.now.saturating_sub(self.stats.used) / 1_000_000_000)?;
        // The rest is as a flow file has it, without what was said above.
        let text = Flow { table: 0, cookie: 0, idle_timeout: 0, hard_timeout: 0, ..self.flow.clone() }.to_string();
        f.write_str(text.strip_prefix("table=0,").unwrap_or(&text).trim_start())
    }
}

impl<R: Copy + PartialEq + std::fmt::Debug> Core<R> {
    /// All megaflows.
    pub fn dump_megaflows(&self, now: u64) -> Vec<MegaflowDump> {
        let ports = self.pipeline.ports();
        self.cache.iter().map(|(id, megaflow)| dump(id, megaflow, &ports, now)).collect()
    }

    /// All OpenFlow flows.
    pub fn dump_flows(&self, now: u64) -> Vec<FlowDump> {
        let flows = self.pipeline.flows();
        flows.map(|(n, flow)| FlowDump { flow: flow.clone(), stats: self.flow_stats[n as usize], now }).collect()
    }
}

fn dump<R: Copy + PartialEq>(id: FlowId, megaflow: &Megaflow<R>, ports: &Ports, now: u64) -> MegaflowDump {
    // As Open vSwitch does: values of a packet of the megaflow also where they do not count.
    let key = hardware_key(&megaflow.packet);
    MegaflowDump {
        ufid: ufid(id, &megaflow.hw_key, &megaflow.hw_mask),
        matches: matches(&key, &megaflow.hw_mask, ports),
        packets: megaflow.count.packets,
        bytes: megaflow.count.bytes,
        used_ns: (megaflow.count.packets > 0).then(|| now.saturating_sub(megaflow.used)),
        offloaded: matches!(megaflow.home, Home::Hardware(_)),
        actions: match megaflow.home {
            Home::Software(reason) => format!("userspace(slow_path({reason}))"),
            Home::Hardware(_) | Home::NoRoom(_) => actions(&megaflow.program, &key, ports),
        },
    }
}

/// A name for a megaflow in the shape of a UUID.
fn ufid(id: FlowId, key: &Key, mask: &Mask) -> String {
    let half = |salt: u64| {
        let mut hasher = FxHasher::default();
        (salt, id, key, mask).hash(&mut hasher);
        hasher.finish()
    };
    let (a, b) = (half(1), half(2));
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
}

/// `name=value`, with `/mask` unless it is exact.
struct Item<T, M> {
    name: &'static str,
    value: T,
    mask: Option<M>,
}

impl<T: Display, M: Display> Display for Item<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)?;
        self.mask.as_ref().map_or(Ok(()), |mask| write!(f, "/{mask}"))
    }
}

struct Mac(u64);

impl Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0.to_be_bytes();
        write!(f, "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[2], b[3], b[4], b[5], b[6], b[7])
    }
}

struct Hex(u64);

impl Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:#x}", self.0) }
    }
}

fn number(name: &'static str, value: u64, mask: u64, ones: u64) -> Item<u64, Hex> {
    Item { name, value, mask: (mask != ones).then_some(Hex(mask)) }
}

fn mac(name: &'static str, value: u64, mask: u64) -> Item<Mac, Mac> {
    Item { name, value: Mac(value), mask: (mask != 0xffff_ffff_ffff).then_some(Mac(mask)) }
}

fn ipv4(name: &'static str, value: u128, mask: u128) -> Item<Ipv4Addr, Ipv4Addr> {
    let mask = mask as u32;
    Item { name, value: Ipv4Addr::from(value as u32), mask: (mask != u32::MAX).then(|| Ipv4Addr::from(mask)) }
}

fn ipv6(name: &'static str, value: u128, mask: u128) -> Item<Ipv6Addr, Ipv6Addr> {
    Item { name, value: value.into(), mask: (mask != u128::MAX).then(|| mask.into()) }
}

/// A port's name; its number where there is no such port.
fn port_name(vport: u8, ports: &Ports) -> String {
    ports.name(u16::from(vport) + 1).unwrap_or_else(|| vport.to_string())
}

fn matches(key: &Key, mask: &Mask, ports: &Ports) -> String {
    let mut s = format!(
        "recirc_id(0),in_port({}),packet_type(ns=0,id=0),eth({},{})",
        port_name(key.in_port, ports),
        mac("src", key.dl_src, mask.dl_src),
        mac("dst", key.dl_dst, mask.dl_dst)
    );
    let tags = [(key.vlan_tci0, mask.vlan_tci0, key.vlan_ad0), (key.vlan_tci1, mask.vlan_tci1, key.vlan_ad1)];
    let mut depth = 0;
    for (tci, mask, service) in tags.into_iter().take_while(|(tci, ..)| tci & 0x1000 != 0) {
        let vid = number("vid", (tci & 0xfff).into(), (mask & 0xfff).into(), 0xfff);
        let pcp = number("pcp", (tci >> 13).into(), (mask >> 13).into(), 7);
        let tpid = if service { 0x88a8 } else { 0x8100 };
        _ = write!(s, ",eth_type({tpid:#06x}),vlan({vid},{pcp}),encap(");
        depth += 1;
    }
    // Behind `encap(` no comma.
    let comma = if depth > 0 { "" } else { "," };
    if mask.dl_type == 0xffff {
        _ = write!(s, "{comma}eth_type({:#06x})", key.dl_type);
    }
    match key.dl_type {
        ETH_TYPE_IP | ETH_TYPE_IPV6 => ip(&mut s, key, mask),
        ETH_TYPE_ARP | ETH_TYPE_RARP => arp(&mut s, key, mask),
        _ => {}
    }
    s.extend(std::iter::repeat_n(')', depth));
    s
}

fn ip(s: &mut String, key: &Key, mask: &Mask) {
    let frag = ["no", "first", "?", "later"][usize::from(key.nw_frag & 3)];
    let proto = number("proto", key.nw_proto.into(), mask.nw_proto.into(), 0xff);
    let tos = |name| Item {
        name,
        value: Hex(key.nw_tos.into()),
        mask: (mask.nw_tos != 0xff).then_some(Hex(mask.nw_tos.into())),
    };
    let ttl = |name| number(name, key.nw_ttl.into(), mask.nw_ttl.into(), 0xff);
    _ = if key.dl_type == ETH_TYPE_IP {
        let (src, dst) = (ipv4("src", key.nw_src, mask.nw_src), ipv4("dst", key.nw_dst, mask.nw_dst));
        write!(s, ",ipv4({src},{dst},{proto},{},{},frag={frag})", tos("tos"), ttl("ttl"))
    } else {
        let (src, dst) = (ipv6("src", key.nw_src, mask.nw_src), ipv6("dst", key.nw_dst, mask.nw_dst));
        write!(s, ",ipv6({src},{dst},{proto},{},{},frag={frag})", tos("tclass"), ttl("hlimit"))
    };
    if mask.nw_proto != 0xff || key.nw_frag & 2 != 0 {
        return;
    }
    let l4 = |a, b, ones: u64| {
        let src = number(a, key.tp_src.into(), mask.tp_src.into(), ones);
        format!("{src},{}", number(b, key.tp_dst.into(), mask.tp_dst.into(), ones))
    };
    _ = match key.nw_proto {
        ipproto::TCP => {
            let flags = Hex(key.tcp_flags.into());
            let mask = Hex(mask.tcp_flags.into());
            write!(s, ",tcp({}),tcp_flags({flags}/{mask})", l4("src", "dst", 0xffff))
        }
        ipproto::UDP => write!(s, ",udp({})", l4("src", "dst", 0xffff)),
        ipproto::SCTP => write!(s, ",sctp({})", l4("src", "dst", 0xffff)),
        ipproto::ICMP => write!(s, ",icmp({})", l4("type", "code", 0xff)),
        ipproto::ICMPV6 => write!(s, ",icmpv6({})", l4("type", "code", 0xff)),
        _ => Ok(()),
    };
}

fn arp(s: &mut String, key: &Key, mask: &Mask) {
    let high = |v: u128| (v >> 80) as u64;
    _ = write!(
        s,
        ",arp({},{},{},{},{})",
        ipv4("sip", key.nw_src, mask.nw_src),
        ipv4("tip", key.nw_dst, mask.nw_dst),
        number("op", key.nw_proto.into(), mask.nw_proto.into(), 0xff),
        mac("sha", high(key.nw_src), high(mask.nw_src)),
        mac("tha", high(key.nw_dst), high(mask.nw_dst)),
    );
}

/// A program as datapath actions.
fn actions(program: &[Step], key: &Key, ports: &Ports) -> String {
    if program.iter().all(|step| step.outputs == 0) {
        return "drop".to_owned();
    }
    let mut list: Vec<String> = Vec::new();
    for (n, step) in program.iter().enumerate() {
        let same = n > 0 && Step { outputs: 0, ..*step } == Step { outputs: 0, ..program[n - 1] };
        if !same {
            edits(step, key, &mut list);
        }
        let vports = (0..31u8).filter(|v| step.outputs >> v & 1 != 0);
        list.extend(vports.map(|v| port_name(v, ports)));
    }
    list.join(",")
}

fn edits(step: &Step, key: &Key, list: &mut Vec<String>) {
    let set = |protocol: &str, fields: &[Option<String>]| {
        let fields: Vec<&str> = fields.iter().flatten().map(String::as_str).collect();
        (!fields.is_empty()).then(|| format!("set({protocol}({}))", fields.join(",")))
    };
    let src = step.set_dl_src.then(|| mac("src", step.dl_src, u64::MAX >> 16).to_string());
    let dst = step.set_dl_dst.then(|| mac("dst", step.dl_dst, u64::MAX >> 16).to_string());
    list.extend(set("eth", &[src, dst]));
    list.extend((0..step.vlan_pop).map(|_| "pop_vlan".to_owned()));
    let tags = [(step.push0_tpid, step.push0_tci), (step.push1_tpid, step.push1_tci)];
    for (tpid, tci) in tags[..usize::from(step.vlan_push.min(2))].iter().rev() {
        let tpid = if *tpid == 0x8100 { String::new() } else { format!("tpid={tpid:#06x},") };
        list.push(format!("push_vlan({tpid}vid={},pcp={})", tci & 0xfff, tci >> 13));
    }
    let v4 = key.dl_type == ETH_TYPE_IP;
    let address = |on: bool, name, value: u128| {
        on.then(|| if v4 { ipv4(name, value, u128::MAX).to_string() } else { ipv6(name, value, u128::MAX).to_string() })
    };
    let tos = (step.nw_tos_mask != 0).then(|| Item {
        name: if v4 { "tos" } else { "tclass" },
        value: Hex(step.nw_tos.into()),
        mask: (step.nw_tos_mask != 0xff).then_some(Hex(step.nw_tos_mask.into())),
    });
    let ttl = step.set_nw_ttl.then(|| format!("{}={}", if v4 { "ttl" } else { "hlimit" }, step.nw_ttl));
    let (src, dst) = (address(step.set_nw_src, "src", step.nw_src), address(step.set_nw_dst, "dst", step.nw_dst));
    list.extend(set(if v4 { "ipv4" } else { "ipv6" }, &[src, dst, tos.map(|t| t.to_string()), ttl]));
    if step.ttl_dec > 0 {
        list.push(format!("dec_ttl({})", step.ttl_dec));
    }
    let (src, dst) = (
        step.set_tp_src.then(|| format!("src={}", step.tp_src)),
        step.set_tp_dst.then(|| format!("dst={}", step.tp_dst)),
    );
    list.extend(set(if key.nw_proto == ipproto::UDP { "udp" } else { "tcp" }, &[src, dst]));
}
