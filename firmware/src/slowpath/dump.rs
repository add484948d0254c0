// SPDX-License-Identifier: MIT OR Apache-2.0
//! Megaflows and flows as text, in the forms of `ovs-appctl dpctl/dump-flows -m` (Open vSwitch, lib/dpif.c and lib/odp-util.c) and
//! `ovs-ofctl dump-flows`.
//!
//! Attributes that Millrace's key does not have (`skb_mark`, `ct_state`, …) are left out. `dec_ttl(1)` stands where Open vSwitch
//! shows the TTL that it sets, for the megaflow does not know it.

use super::cache::{FlowId, Home, Megaflow};
use super::core::Core;
use super::stats::FlowStats;
use crate::compile::hardware_key;
use crate::openflow::field::{
    ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_NONE, ETH_TYPE_RARP, ETH_TYPE_VLAN, ETH_TYPE_VLAN_8021AD,
    ipproto,
};
use crate::openflow::{Flow, Ports};
use millrace_regs::map::MAX_VPORTS;
use millrace_regs::{Key, Mask, Step};
use rustc_hash::FxHasher;
use serde::Serialize;
use std::fmt::{self, Display, Write};
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

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
    /// What is done.
    pub actions: String,
    /// Where in the hardware's tables it is, or why it is in none.
    pub extra: String,
    /// If it is no megaflow but a block: what for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockDump>,
}

/// Why, and for how long, packets are dropped whatever the flow tables say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BlockDump {
    /// `scan` or `spoof`.
    pub reason: &'static str,
    /// Nanoseconds until it is over.
    pub ends_in_ns: u64,
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
        let datapath = if self.offloaded { "millrace" } else { "software" };
        write!(f, ", dp:{datapath}, actions:{}, dp-extra-info:{}", self.actions, self.extra)
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
    /// All megaflows. `place` says where a rule of the hardware is.
    pub fn dump_megaflows(&self, now: u64, place: impl Fn(R) -> String) -> Vec<MegaflowDump> {
        self.dump_some(0..self.cache.end(), now, place)
    }

    /// Those with these numbers.
    pub fn dump_some(&self, ids: Range<FlowId>, now: u64, place: impl Fn(R) -> String) -> Vec<MegaflowDump> {
        let ports = self.pipeline.ports();
        ids.filter_map(|id| Some(dump(id, self.cache.get(id)?, &ports, now, &place))).collect()
    }

    /// All OpenFlow flows.
    pub fn dump_flows(&self, now: u64) -> Vec<FlowDump> {
        let flows = self.pipeline.flows();
        flows.map(|(n, flow)| FlowDump { flow: flow.clone(), stats: self.flow_stats[n as usize], now }).collect()
    }
}

fn dump<R: Copy + PartialEq>(
    id: FlowId,
    megaflow: &Megaflow<R>,
    ports: &Ports,
    now: u64,
    place: impl Fn(R) -> String,
) -> MegaflowDump {
    // As Open vSwitch does: values of a packet of the megaflow also where they do not count.
    let key = hardware_key(&megaflow.packet);
    let program = || actions(&megaflow.program, &key, ports);
    let (actions, extra) = match megaflow.home {
        Home::Hardware(rule) => (program(), place(rule)),
        Home::Refused(refusal, _) => (program(), underscored(refusal)),
        Home::Deferred(_) => (program(), "deferred".to_owned()),
        Home::Software(reason) => ("userspace(pid=0,slow_path(action))".to_owned(), underscored(reason)),
    };
    MegaflowDump {
        ufid: ufid(id, &megaflow.hw_key, &megaflow.hw_mask),
        matches: matches(&key, &megaflow.hw_mask, ports),
        packets: megaflow.count.packets,
        bytes: megaflow.count.bytes,
        used_ns: (megaflow.count.packets > 0).then(|| now.saturating_sub(megaflow.used)),
        offloaded: matches!(megaflow.home, Home::Hardware(_)),
        actions,
        extra,
        block: None,
    }
}

/// A block as a megaflow is shown, which is in the hardware at this place or not at all.
pub(super) fn block(key: &Key, mask: &Mask, ports: &Ports, place: Option<String>, block: BlockDump) -> MegaflowDump {
    let BlockDump { reason, ends_in_ns } = block;
    let ends = format!("{}.{:03}s", ends_in_ns / 1_000_000_000, ends_in_ns / 1_000_000 % 1000);
    let offloaded = place.is_some();
    let place = place.unwrap_or_else(|| "tables_full".into());
    MegaflowDump {
        ufid: ufid(FlowId::MAX, key, mask),
        matches: matches(key, mask, ports),
        packets: 0,
        bytes: 0,
        used_ns: None,
        offloaded,
        actions: "drop".into(),
        extra: format!("{place},block(reason={reason},ends_in={ends})"),
        block: Some(block),
    }
}

/// A reason as one word.
fn underscored(reason: impl Display) -> String {
    reason.to_string().replace(' ', "_")
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

/// What a rule looks at, with the values that a packet has there.
pub fn matches(key: &Key, mask: &Mask, ports: &Ports) -> String {
    let mut s = format!(
        "recirc_id(0),in_port({}),packet_type(ns=0,id=0),eth({},{})",
        port_name(key.in_port, ports),
        mac("src", key.dl_src, mask.dl_src),
        mac("dst", key.dl_dst, mask.dl_dst)
    );
    let tags = [(key.vlan_tci0, mask.vlan_tci0, key.vlan_ad0), (key.vlan_tci1, mask.vlan_tci1, key.vlan_ad1)];
    let mut depth = 0;
    for (tci, mask, service) in tags.into_iter().take_while(|(tci, ..)| tci & 0x1000 != 0) {
        let part = |name, value: u16, mask: u16, ones| {
            let mask = (mask != ones).then(|| format!("{mask:#x}"));
            Item { name, value, mask }
        };
        let vid = part("vid", tci & 0xfff, mask & 0xfff, 0xfff);
        let pcp = part("pcp", tci >> 13, mask >> 13, 7);
        let tpid = if service { 0x88a8 } else { 0x8100 };
        let comma = if depth == 0 { "," } else { "" };
        _ = write!(s, "{comma}eth_type({tpid:#06x}),vlan({vid},{pcp}),encap(");
        depth += 1;
    }
    // Behind `encap(` no comma.
    let comma = if depth == 0 { "," } else { "" };
    _ = match key.dl_type {
        // No Ethernet type (LLC).
        ETH_TYPE_NONE => write!(s, "{comma}eth_type(0/0xffff)"),
        // A tag that is cut: no packet of this type has a TCI.
        ETH_TYPE_VLAN | ETH_TYPE_VLAN_8021AD if depth == 0 => {
            write!(s, ",eth_type({:#06x}),vlan(vid=0,pcp=0/0x0,cfi=0),encap()", key.dl_type)
        }
        dl_type => write!(s, "{comma}eth_type({dl_type:#06x})"),
    };
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
    if key.nw_frag & 2 != 0 {
        return;
    }
    let l4 = |a, b, ones: u64| {
        let src = number(a, key.tp_src.into(), mask.tp_src.into(), ones);
        format!("{src},{}", number(b, key.tp_dst.into(), mask.tp_dst.into(), ones))
    };
    _ = match key.nw_proto {
        ipproto::TCP => {
            write!(s, ",tcp({})", l4("src", "dst", 0xffff)).and_then(|()| tcp_flags(s, key.tcp_flags, mask.tcp_flags))
        }
        ipproto::UDP => write!(s, ",udp({})", l4("src", "dst", 0xffff)),
        ipproto::SCTP => write!(s, ",sctp({})", l4("src", "dst", 0xffff)),
        ipproto::ICMP if key.dl_type == ETH_TYPE_IP => write!(s, ",icmp({})", l4("type", "code", 0xff)),
        ipproto::ICMPV6 if key.dl_type == ETH_TYPE_IPV6 => write!(s, ",icmpv6({})", l4("type", "code", 0xff)),
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

const TCP_FLAGS: [&str; 12] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"];

/// `tcp_flags(syn|ack)` if all flags count, `tcp_flags(+syn-ack)` if some do, `tcp_flags(0/0)` if none does.
fn tcp_flags(s: &mut String, flags: u16, mask: u16) -> fmt::Result {
    let named = |bits: u16| TCP_FLAGS.iter().enumerate().filter(move |(n, _)| bits >> n & 1 != 0);
    match mask {
        0 => s.write_str(",tcp_flags(0/0)"),
        0xfff if flags == 0 => s.write_str(",tcp_flags(0)"),
        0xfff => write!(s, ",tcp_flags({})", named(flags).map(|(_, name)| *name).collect::<Vec<_>>().join("|")),
        _ => {
            let sign = |n: usize| if flags >> n & 1 != 0 { '+' } else { '-' };
            let some: String = named(mask).map(|(n, name)| format!("{}{name}", sign(n))).collect();
            write!(s, ",tcp_flags({some})")
        }
    }
}

/// A program as datapath actions: before each output what has changed since the one before. What a later step undoes is in a clone.
pub fn actions(program: &[Step], key: &Key, ports: &Ports) -> String {
    if program.iter().all(|step| step.outputs == 0 && !step.upcall) {
        return "drop".to_owned();
    }
    let mut list: Vec<String> = Vec::new();
    let mut before = Edits::new(&Step::DROP, key);
    for (step, undone) in program.iter().zip(undone(program)) {
        let edits = Edits::new(step, key);
        let mut part = Vec::new();
        edits.since(&before, key, &mut part);
        part.extend(outputs(step, ports));
        if undone {
            list.push(format!("clone({})", part.join(",")));
        } else {
            list.extend(part);
            before = edits;
        }
    }
    list.join(",")
}

/// What one step of a program does with a packet as it was received: edits, then ports.
pub fn step_actions(step: &Step, key: &Key, ports: &Ports) -> Vec<String> {
    let mut list = Vec::new();
    Edits::new(step, key).since(&Edits::new(&Step::DROP, key), key, &mut list);
    list.extend(outputs(step, ports));
    list
}

fn outputs(step: &Step, ports: &Ports) -> impl Iterator<Item = String> {
    let vports = (0..MAX_VPORTS as u8).filter(|v| step.outputs >> v & 1 != 0);
    vports.map(|v| port_name(v, ports))
}

/// For each step, whether a later one has not all of its edits; those of VLAN tags aside, which can be undone.
fn undone(program: &[Step]) -> Vec<bool> {
    let mut later = Writes { fields: u8::MAX, tos: u8::MAX, ttl: u8::MAX };
    let mut undone: Vec<bool> = Vec::with_capacity(program.len());
    for writes in program.iter().rev().map(Writes::new) {
        undone.push(later.and(&writes) != writes);
        later = later.and(&writes);
    }
    undone.reverse();
    undone
}

/// The fields that a step writes.
#[derive(Clone, Copy, PartialEq)]
struct Writes {
    /// A bit for each address and port.
    fields: u8,
    /// The bits of the TOS.
    tos: u8,
    /// What is taken from the TTL, the most if it is set.
    ttl: u8,
}

impl Writes {
    fn new(step: &Step) -> Writes {
        let fields =
            [step.set_dl_src, step.set_dl_dst, step.set_nw_src, step.set_nw_dst, step.set_tp_src, step.set_tp_dst];
        Writes {
            fields: fields.iter().fold(0, |bits, set| bits << 1 | u8::from(*set)),
            tos: step.nw_tos_mask,
            ttl: if step.set_nw_ttl { u8::MAX } else { step.ttl_dec },
        }
    }

    /// What both write.
    fn and(&self, other: &Writes) -> Writes {
        Writes { fields: self.fields & other.fields, tos: self.tos & other.tos, ttl: self.ttl.min(other.ttl) }
    }
}

/// What a step makes of a packet, as far as it changes it.
struct Edits {
    dl: [Option<u64>; 2],
    nw: [Option<u128>; 2],
    tos: Option<(u8, u8)>,
    ttl: Option<u8>,
    ttl_dec: u8,
    tp: [Option<u16>; 2],
    /// TPID and TCI of the outer tags, the outermost first, those of the packet itself too.
    tags: Vec<(u16, u16)>,
}

impl Edits {
    fn new(step: &Step, key: &Key) -> Edits {
        let own = [(key.vlan_tci0, key.vlan_ad0), (key.vlan_tci1, key.vlan_ad1)];
        let own = own.into_iter().filter(|(tci, _)| tci & 0x1000 != 0);
        let own = own.map(|(tci, service)| (if service { 0x88a8 } else { 0x8100 }, tci & !0x1000));
        let pushed = [(step.push0_tpid, step.push0_tci), (step.push1_tpid, step.push1_tci)];
        let pushed = pushed.into_iter().take(step.vlan_push.into());
        Edits {
            dl: [step.set_dl_src.then_some(step.dl_src), step.set_dl_dst.then_some(step.dl_dst)],
            nw: [step.set_nw_src.then_some(step.nw_src), step.set_nw_dst.then_some(step.nw_dst)],
            tos: (step.nw_tos_mask != 0).then_some((step.nw_tos, step.nw_tos_mask)),
            ttl: step.set_nw_ttl.then_some(step.nw_ttl),
            ttl_dec: step.ttl_dec,
            tp: [step.set_tp_src.then_some(step.tp_src), step.set_tp_dst.then_some(step.tp_dst)],
            tags: pushed.chain(own.skip(step.vlan_pop.into())).collect(),
        }
    }

    /// The actions that lead here from another state of the packet, in the order in which Open vSwitch gives them.
    fn since(&self, before: &Edits, key: &Key, list: &mut Vec<String>) {
        let v4 = key.dl_type == ETH_TYPE_IP;
        const NAMES: [&str; 2] = ["src", "dst"];
        let dl = (0..2).filter(|&n| self.dl[n] != before.dl[n]);
        let dl = dl.filter_map(|n| Some(mac(NAMES[n], self.dl[n]?, u64::MAX >> 16).to_string()));
        list.extend(set("eth", dl.collect()));

        let address = |n: usize, value: u128| match v4 {
            true => ipv4(NAMES[n], value, u128::MAX).to_string(),
            false => ipv6(NAMES[n], value, u128::MAX).to_string(),
        };
        let nw = (0..2).filter(|&n| self.nw[n] != before.nw[n]);
        let mut nw: Vec<String> = nw.filter_map(|n| Some(address(n, self.nw[n]?))).collect();
        nw.extend(self.tos.filter(|tos| Some(*tos) != before.tos).map(|(value, mask)| {
            let mask = (mask != 0xff).then_some(Hex(mask.into()));
            Item { name: if v4 { "tos" } else { "tclass" }, value: Hex(value.into()), mask }.to_string()
        }));
        let ttl = self.ttl.filter(|ttl| Some(*ttl) != before.ttl);
        nw.extend(ttl.map(|ttl| format!("{}={ttl}", if v4 { "ttl" } else { "hlimit" })));
        list.extend(set(if v4 { "ipv4" } else { "ipv6" }, nw));
        if self.ttl_dec > before.ttl_dec {
            list.push(format!("dec_ttl({})", self.ttl_dec - before.ttl_dec));
        }

        let tp = (0..2).filter(|&n| self.tp[n] != before.tp[n]);
        let tp = tp.filter_map(|n| Some(format!("{}={}", NAMES[n], self.tp[n]?))).collect();
        list.extend(set(if key.nw_proto == ipproto::UDP { "udp" } else { "tcp" }, tp));
        self.tags_since(before, list);
    }

    /// Takes off and puts on tags, but those that both have at the inner end.
    fn tags_since(&self, before: &Edits, list: &mut Vec<String>) {
        let pairs = self.tags.iter().rev().zip(before.tags.iter().rev());
        let same = pairs.take_while(|(new, old)| new == old).count();
        list.extend((same..before.tags.len()).map(|_| "pop_vlan".to_owned()));
        for (tpid, tci) in self.tags.iter().rev().skip(same) {
            let tpid = if *tpid == 0x8100 { String::new() } else { format!("tpid={tpid:#06x},") };
            list.push(format!("push_vlan({tpid}vid={},pcp={})", tci & 0xfff, tci >> 13));
        }
    }
}

fn set(protocol: &str, fields: Vec<String>) -> Option<String> {
    (!fields.is_empty()).then(|| format!("set({protocol}({}))", fields.join(",")))
}
