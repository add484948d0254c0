// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random flow tables and packets: a translation agrees with the plain way, and so does what the hardware would make, by that
//! translation, of any other packet of the megaflow.

use super::naive::{Output, TAGS, run};
use super::{flows_with, some_groups};
use crate::mac::{Heard, MacTable, Station};
use crate::openflow::{FlowKey, FlowMask, Ports, WORDS, parse_flows, parse_group_file, slot};
use crate::xlate::{Pipeline, Translation, Ttl, Version, XlateError, translate};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

const MACS: [u64; 5] = [0x0200_0000_0001, 0x0200_0000_0002, 0x0200_0000_0103, 0xffff_ffff_ffff, 0x0180_c200_0002];
const IPS: [u32; 5] = [0x0a00_0001, 0x0a00_0002, 0x0a00_0101, 0x0a01_0001, 0xc0a8_0001];
const PORTS: [u16; 5] = [80, 81, 443, 0x8050, 1024];
const VIDS: [u16; 4] = [0, 1, 10, 11];

const IN_PORT: usize = slot::IN_PORT.word as usize;
/// First word of L3.
const L3: usize = slot::NW_SRC.word as usize;

pub(super) fn pick<T: Copy>(rng: &mut ChaCha8Rng, all: &[T]) -> T {
    *all.choose(rng).expect("not empty")
}

/// A packet of an Ethernet type, its fields as a parser would leave them.
pub(super) fn packet(rng: &mut ChaCha8Rng, dl_type: u16) -> FlowKey {
    let mut k = FlowKey::default();
    k.set_in_port(rng.random_range(1..=4));
    k.set_dl_dst(pick(rng, &MACS));
    k.set_dl_src(pick(rng, &MACS[..3]));
    k.set_dl_type(dl_type);
    let tags = rng.random_range(0..4);
    if tags >= 2 {
        k.set_vlan_tpid0(pick(rng, &[0x8100, 0x88a8]));
        k.set_vlan_tci0(0x1000 | pick(rng, &VIDS) | pick(rng, &[0, 0x2000, 0xe000]));
    }
    if tags == 3 {
        k.set_vlan_tpid1(0x8100);
        k.set_vlan_tci1(0x1000 | pick(rng, &VIDS) | pick(rng, &[0, 0x2000]));
    }
    if rng.random_ratio(1, 10) {
        return k; // a broken L3 header
    }
    match dl_type {
        0x0806 => {
            k.set_nw_proto(rng.random_range(1..3));
            k.set_nw_src(pick(rng, &IPS));
            k.set_nw_dst(pick(rng, &IPS));
            k.set_arp_sha(pick(rng, &MACS));
            k.set_arp_tha(pick(rng, &MACS));
        }
        0x0800 | 0x86dd => l3(rng, &mut k, dl_type),
        _ => {}
    }
    k
}

fn l3(rng: &mut ChaCha8Rng, k: &mut FlowKey, dl_type: u16) {
    k.set_nw_tos(pick(rng, &[0, 1, 0x20, 0xb8]));
    k.set_nw_ttl(pick(rng, &[0, 1, 2, 3, 63, 64, 255]));
    k.set_nw_frag(pick(rng, &[0, 0, 0, 1, 3]));
    let (src, dst) = (pick(rng, &IPS), pick(rng, &IPS));
    if dl_type == 0x0800 {
        k.set_nw_src(src);
        k.set_nw_dst(dst);
        k.set_nw_proto(pick(rng, &[6, 17, 1, 132, 47]));
    } else {
        k.set_ipv6_src(0x20010db8 << 96 | u128::from(src));
        k.set_ipv6_dst(0x20010db8 << 96 | u128::from(dst));
        k.set_nw_proto(pick(rng, &[6, 17, 58, 132]));
    }
    if k.nw_frag() & 2 != 0 || rng.random_ratio(1, 12) {
        return; // no L4 header
    }
    match k.nw_proto() {
        6 | 17 | 132 => {
            k.set_tp_src(pick(rng, &PORTS));
            k.set_tp_dst(pick(rng, &PORTS));
            if k.nw_proto() == 6 {
                k.set_tcp_flags(pick(rng, &[0x02, 0x10, 0x12, 0x18]));
            }
        }
        1 | 58 => {
            k.set_tp_src(pick(rng, &[0, 8, 128]));
            k.set_tp_dst(pick(rng, &[0, 1]));
        }
        _ => {}
    }
}

/// Whether a parser could leave a key like this.
pub(super) fn possible(k: &FlowKey) -> bool {
    let present = |tci: u16| tci & 0x1000 != 0;
    let tag0 = present(k.vlan_tci0()) && matches!(k.vlan_tpid0(), 0x8100 | 0x88a8);
    let tag1 = present(k.vlan_tci1()) && matches!(k.vlan_tpid1(), 0x8100 | 0x88a8);
    let none0 = k.0[TAGS] == 0;
    let none1 = k.0[TAGS] >> 32 == 0;
    if !(none0 || tag0 && (none1 || tag1)) {
        return false;
    }
    let l4 = k.0[WORDS - 1] != 0;
    let ip = matches!(k.dl_type(), 0x0800 | 0x86dd);
    let proto_ok = match k.nw_proto() {
        6 => true,
        17 | 132 => k.tcp_flags() == 0,
        1 | 58 => k.tcp_flags() == 0 && k.tp_src() < 256 && k.tp_dst() < 256,
        _ => !l4 && k.tcp_flags() == 0,
    };
    let broken = k.0[L3..].iter().all(|w| *w == 0);
    let later_ok = k.nw_frag() & 2 == 0 || !l4 && k.tcp_flags() == 0;
    !ip || broken || proto_ok && later_ok && k.nw_proto() != 0
}

fn condition(rng: &mut ChaCha8Rng) -> String {
    let mut m = String::new();
    let l3 = rng.random_range(0..6);
    let proto = match l3 {
        0 | 1 => "ip,",
        2 => "tcp,",
        3 => "udp,",
        4 => "ipv6,",
        5 => "arp,",
        _ => unreachable!(),
    };
    if rng.random_ratio(3, 4) {
        m += proto;
        let len = pick(rng, &[8, 16, 24, 31, 32]);
        let address = std::net::Ipv4Addr::from(pick(rng, &IPS));
        let side = pick(rng, &["src", "dst"]);
        if rng.random_ratio(1, 2) {
            match l3 {
                0..=3 => write!(m, "nw_{side}={address}/{len},").unwrap(),
                4 => write!(m, "ipv6_{side}=2001:db8::{address}/{},", 96 + len).unwrap(),
                _ => write!(m, "arp_{}={address}/{len},", pick(rng, &["spa", "tpa"])).unwrap(),
            }
        }
        if matches!(l3, 2 | 3) && rng.random_ratio(2, 3) {
            write!(m, "tp_{side}={:#x}/{:#x},", pick(rng, &PORTS), pick(rng, &[0xffffu16, 0xfff0, 0x8000])).unwrap();
        }
        if l3 < 4 && rng.random_ratio(1, 4) {
            m += pick(rng, &["nw_ttl=64,", "nw_ttl=63,", "nw_tos=32,", "nw_frag=no,", "nw_frag=later,", "nw_ecn=1,"]);
        }
        if l3 == 2 && rng.random_ratio(1, 4) {
            m += "tcp_flags=+syn-ack,";
        }
    }
    if rng.random_ratio(1, 3) {
        m += pick(
            rng,
            &[
                "in_port=1,",
                "in_port=2,",
                "dl_vlan=10,",
                "dl_vlan_pcp=1,",
                "vlan_tci=0,",
                "vlan_tci=0x1000/0x1000,",
                "dl_dst=02:00:00:00:00:02,",
                "dl_src=02:00:00:00:00:01,",
                "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,",
                "metadata=5,",
                "reg0=1,",
                "reg1=0x10/0xf0,",
                "reg12=7,",
                "in_port=LOCAL,",
            ],
        );
    }
    m
}

const ACTIONS: &[&str] = &[
    "output:1",
    "output:2",
    "output:3",
    "output:p1",
    "output:99",
    "in_port",
    "flood",
    "all",
    "normal",
    "normal",
    "mod_dl_src:02:00:00:00:00:09",
    "mod_dl_dst:02:00:00:00:00:02",
    "mod_nw_src:10.0.0.2",
    "mod_nw_dst:10.1.0.1",
    "mod_nw_tos:32",
    "mod_nw_ecn:2",
    "mod_nw_ttl:7",
    "mod_tp_src:443",
    "mod_tp_dst:80",
    "set_field:10.0.0.0/255.255.255.0->ip_src",
    "set_field:2001:db8::1->ipv6_dst",
    "set_field:81->tcp_dst",
    "set_field:8->udp_src",
    "set_field:1->icmp_code",
    "set_field:02:00:00:00:00:00/ff:ff:ff:ff:ff:00->eth_dst",
    "set_field:02:00:00:00:00:05->arp_sha",
    "set_field:10.0.0.1->arp_tpa",
    "set_field:1->reg0",
    "set_field:0x10->reg1",
    "load:0x3->NXM_NX_REG0[0..3]",
    "load:0->NXM_OF_IN_PORT[]",
    "load:0x5->NXM_OF_TCP_DST[0..3]",
    "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
    "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
    "move:NXM_OF_IP_DST[0..7]->NXM_NX_REG0[0..7]",
    "move:NXM_NX_REG0[0..7]->NXM_OF_IP_TOS[0..7]",
    "move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG0[0..11]",
    "move:NXM_NX_IP_TTL[]->NXM_NX_REG1[0..7]",
    "output:NXM_NX_REG0[0..15]",
    "dec_ttl",
    "dec_ttl",
    "dec_ttl",
    "pop_vlan",
    "pop_vlan",
    "push_vlan:0x8100",
    "push_vlan:0x88a8",
    "mod_vlan_vid:10",
    "mod_vlan_pcp:1",
    "set_field:4107->vlan_vid",
    "load:0->NXM_OF_VLAN_TCI[]",
    "load:0x100a->NXM_OF_VLAN_TCI[]",
    "set_field:3->vlan_pcp",
    "resubmit(,1)",
    "resubmit(,2)",
    "resubmit(2,1)",
    "resubmit(,0)",
    "group:1",
    "group:2",
    "group:3",
    "output:LOCAL",
    "set_field:7->reg12",
    "exit",
];

/// Some actions, some of them in clones.
fn list(rng: &mut ChaCha8Rng, depth: u8) -> Vec<String> {
    let one = |rng: &mut ChaCha8Rng| match rng.random_range(0..8) {
        0 if depth < 3 => format!("clone({})", list(rng, depth + 1).join(",")),
        _ => pick(rng, ACTIONS).to_owned(),
    };
    (0..rng.random_range(0..6)).map(|_| one(rng)).collect()
}

fn actions(rng: &mut ChaCha8Rng) -> String {
    let mut list = list(rng, 0);
    match rng.random_range(0..6) {
        0 => list.push("goto_table:3".into()),
        1 => list.push("write_metadata:5,goto_table:3".into()),
        2 => list.push(format!("resubmit(,{})", rng.random_range(1..4))),
        3 if list.is_empty() => list.push("drop".into()),
        _ => list.push(format!("output:{}", rng.random_range(1..4))),
    }
    list.join(",")
}

/// A flow file, and whether the parser takes it (a random action may not go with its match).
fn flow_file(rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut lines = Vec::new();
    let count = rng.random_range(2..25);
    while lines.len() < count {
        let n = lines.len();
        let table = if n == 0 { 0 } else { rng.random_range(0..4) };
        let conditions = if rng.random_ratio(1, 6) { String::new() } else { condition(rng) };
        let mut list = actions(rng);
        if table == 3 {
            list = list.replace("goto_table:3", "output:1").replace("write_metadata:5,", "");
        }
        let line = format!("table={table},priority={n},{conditions}actions={list}");
        // Of random combinations the parser refuses those without prerequisites; what it takes must work.
        if parse_flows("line", &line, Ports::sim(), some_groups()).is_ok() {
            lines.push(line);
        }
    }
    lines
}

/// Groups 1 to 3, of which each may use those behind it.
fn group_file(rng: &mut ChaCha8Rng) -> String {
    let bucket = |rng: &mut ChaCha8Rng, id: u32| loop {
        let actions: Vec<&str> = (0..rng.random_range(0..5)).map(|_| pick(rng, ACTIONS)).collect();
        let back = actions.iter().any(|action| (1..=id).any(|n| *action == format!("group:{n}")));
        let end = if rng.random() { format!("output:{}", rng.random_range(1..4)) } else { "resubmit(,2)".into() };
        let watch = pick(rng, &["watch_port:1", "watch_port:vf7"]);
        let text = format!("bucket={watch},actions={},{end}", actions.join(","));
        let group =
            format!("group_id=9,type=all,{text}\ngroup_id=1,type=all\ngroup_id=2,type=all\ngroup_id=3,type=all");
        if !back && parse_group_file("group", &group, Ports::sim()).is_ok() {
            return text;
        }
    };
    let line = |rng: &mut ChaCha8Rng, id| {
        let kind = pick(rng, &["all", "all", "ff", "indirect"]);
        let count = if kind == "indirect" { 1 } else { rng.random_range(1..4) };
        let buckets: Vec<String> = (0..count).map(|_| bucket(rng, id)).collect();
        format!("group_id={id},type={kind},{}", buckets.join(","))
    };
    (1..=3).map(|id| line(rng, id)).collect::<Vec<_>>().join("\n")
}

/// What the hardware makes of a packet of the megaflow by the program of a translation.
fn hardware(versions: &[Version], packet: &FlowKey) -> Vec<Output> {
    let l3_ok = packet.0[L3..].iter().any(|w| *w != 0);
    let mut outputs = Vec::new();
    for v in versions {
        let mut key = FlowKey(std::array::from_fn(|i| packet.0[i] & !v.written.0[i] | v.key.0[i] & v.written.0[i]));
        key.set_nw_ttl(match v.ttl {
            Ttl::Dec(n) if l3_ok && packet.nw_ttl() <= n => break,
            Ttl::Dec(n) => packet.nw_ttl().wrapping_sub(n),
            Ttl::Keep => packet.nw_ttl(),
            Ttl::Set => v.key.nw_ttl(),
        });
        key.0[TAGS] = tags(v, packet);
        key.0[0] = (own_tags(packet).len() as u64).saturating_sub(v.vlan.pop.into());
        for port in 0..32u16 {
            if v.outputs >> port & 1 != 0 {
                outputs.push((port + 1, key));
            }
        }
    }
    outputs
}

/// The tags of a key, the outer one first.
fn own_tags(key: &FlowKey) -> Vec<u64> {
    [key.0[TAGS] & 0xffff_ffff, key.0[TAGS] >> 32].into_iter().filter(|t| *t != 0).collect()
}

/// How many of the packet's own tags stay where they are (with their DEI bits) when it gets those of `out`: the inner ones that both
/// have.
fn kept_tags(out: &FlowKey, packet: &FlowKey) -> u64 {
    let (out, own) = (own_tags(out), own_tags(packet));
    out.iter().rev().zip(own.iter().rev()).take_while(|(a, b)| a == b).count() as u64
}

fn tags(v: &Version, packet: &FlowKey) -> u64 {
    let rest = own_tags(packet).into_iter().skip(v.vlan.pop.into());
    let new = v.vlan.tags().iter().map(|t| u64::from(t.tpid) << 16 | u64::from(t.tci));
    let mut all = new.chain(rest);
    all.next().unwrap_or(0) | all.next().unwrap_or(0) << 32
}

/// Outputs without what is not of the packet but the number of tags that stay, in the first word; those of one moment in the order of
/// ports.
fn comparable(mut outputs: Vec<Output>, packet: &FlowKey, kept: impl Fn(&FlowKey) -> u64) -> Vec<Output> {
    let broken = packet.0[L3..].iter().all(|w| *w == 0);
    let ip = matches!(packet.dl_type(), 0x0800 | 0x86dd);
    // What has no header cannot be edited, whatever the flow tables think of it.
    let l4 = packet.0[WORDS - 1] != 0 && (!ip || packet.nw_frag() & 2 == 0);
    for (_, key) in &mut outputs {
        key.0[0] = kept(key);
        key.0[1..=IN_PORT].fill(0);
        if broken {
            key.0[L3..].fill(0);
        }
        if !l4 || !matches!(packet.nw_proto(), 1 | 6 | 17 | 58 | 132) {
            key.0[WORDS - 1] = 0;
        }
    }
    outputs.sort();
    outputs
}

#[test]
fn every_packet_of_a_megaflow_is_handled_as_the_flow_tables_say() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
    };
    let (rounds, first) = (number("MILLRACE_ROUNDS", 1500), number("MILLRACE_SEED", 0));
    let mut compared = 0;
    for seed in first..first + rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let text = flow_file(&mut rng).join("\n");
        let groups = group_file(&mut rng);
        let table = flows_with(&text, &groups);
        let told = format!("{text}\ngroups:\n{groups}");
        let pipeline = Pipeline::new(table.clone());
        let mut macs = MacTable::default();
        for mac in &MACS[..2] {
            for vlan in VIDS {
                if rng.random() {
                    macs.learn(Station::new(vlan, *mac), rng.random_range(1..=4), Heard::Packet(0), |_| ());
                }
            }
        }
        for _ in 0..20 {
            let dl_type = pick(&mut rng, &[0x0800, 0x0800, 0x0800, 0x86dd, 0x0806, 0x88cc, 0x8100]);
            let a = packet(&mut rng, dl_type);
            let mut t = Translation::default();
            translate(&pipeline, &macs, &a, &mut t);
            check(&table, &macs, &t, &a, &a, seed, &told);
            for _ in 0..10 {
                let other = packet(&mut rng, dl_type);
                let b = blend(&a, &other, &t.mask);
                if possible(&b) {
                    compared += u32::from(check(&table, &macs, &t, &a, &b, seed, &told) && b != a);
                }
            }
        }
    }
    assert!(compared > rounds as u32 * 20, "only {compared} other packets were compared");
}

pub(super) fn blend(a: &FlowKey, b: &FlowKey, mask: &FlowMask) -> FlowKey {
    FlowKey(std::array::from_fn(|i| a.0[i] & mask.0[i] | b.0[i] & !mask.0[i]))
}

/// Whether it could be compared, which it is then.
fn check(
    table: &crate::openflow::FlowTable,
    macs: &MacTable,
    t: &Translation,
    a: &FlowKey,
    b: &FlowKey,
    seed: u64,
    text: &str,
) -> bool {
    // Of limits to what is done for a packet the plain way has none.
    if matches!(t.error, Some(XlateError::TooManyCopies | XlateError::TooManyActions)) {
        return false;
    }
    let expected = comparable(run(table, macs, b), b, |out| kept_tags(out, b));
    let got = comparable(hardware(&t.versions, b), b, |out| out.0[0]);
    assert!(
        expected == got,
        "MILLRACE_SEED={seed}\n{text}\nmegaflow of {a:?}\nmask {:?}\nversions {:#?}\npacket {b:?}\nexpected {expected:?}\ngot      {got:?}",
        t.mask,
        t.versions,
    );
    true
}
