// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path against rule tables that are a list: every rule that is handed over is kept and can be looked up, as the
//! hardware would.

mod adopt;
mod gap;

use super::*;
use crate::compile::hardware_key;
use crate::openflow::{Ports, parse_flow_file};
use crate::packet::parse;
use crate::xlate::{Translation, translate};
use millrace_driver::{Choice, Count, Placement};
use millrace_regs::config::MAX_FRAME;
use millrace_regs::{Key, Mask, Step, UpcallReason};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Key of a packet, mask, program, counters.
type Entry = (Key, Mask, Vec<Step>, Hits);

/// Rule tables of a fixed size and a few masks.
struct List {
    rules: Vec<Option<Entry>>,
    capacity: usize,
    /// Masks that may be used besides the widest; none: all.
    only: Option<Mask>,
    /// Why every rule is refused, if it is.
    refuse: Option<Refusal>,
    /// An upcall has come while rules are put in.
    upcall_waiting: bool,
    /// Rules that were taken out and what they had counted, with what their last packets have yet to count.
    gone: Vec<(usize, Count)>,
    late: Count,
}

impl List {
    fn new(capacity: usize) -> List {
        List {
            rules: Vec::new(),
            capacity,
            only: None,
            refuse: None,
            upcall_waiting: false,
            gone: Vec::new(),
            late: Count::default(),
        }
    }

    fn live(&self) -> usize {
        self.rules.iter().flatten().count()
    }

    /// A packet in the hardware: the outputs of its rule's first step, none for a miss.
    fn hit(&mut self, vport: u8, frame: &[u8], epoch: u32) -> Option<u128> {
        let key = hardware_key(&parse(frame, u16::from(vport) + 1).0);
        let matching: Vec<usize> = (0..self.rules.len())
            .filter(|&n| self.rules[n].as_ref().is_some_and(|(k, m, ..)| key & *m == *k & *m))
            .collect();
        let programs: Vec<_> = matching.iter().map(|&n| self.rules[n].as_ref().unwrap().2.clone()).collect();
        assert!(programs.windows(2).all(|w| w[0] == w[1]), "rules that overlap disagree");
        let (_, _, program, hits) = self.rules[*matching.first()?].as_mut().unwrap();
        hits.count.packets += 1;
        hits.count.bytes += frame.len() as u64;
        hits.epoch = Some(epoch);
        Some(program[0].outputs)
    }
}

impl Offload for List {
    type Rule = usize;

    fn place(&mut self, mask: &Mask) -> Result<Choice, Refusal> {
        if self.live() < self.capacity {
            Ok(Choice { mask: self.only.map_or(*mask, |only| only | *mask), placement: Placement::Auto })
        } else {
            Err(Refusal::NoRoom)
        }
    }

    fn insert(&mut self, key: &Key, choice: &Choice, program: &[Step], hurry: bool) -> Result<usize, Refusal> {
        let mask = &choice.mask;
        if self.upcall_waiting && !hurry {
            return Err(Refusal::HeldBack);
        }
        let same = |(k, m, ..): &Entry| *k & *m == *key & *mask && m == mask;
        assert!(!self.rules.iter().flatten().any(same), "a rule twice");
        if let Some(refusal) = self.refuse {
            return Err(refusal);
        }
        self.rules.push(Some((*key, *mask, program.to_vec(), Hits::default())));
        Ok(self.rules.len() - 1)
    }

    fn update(&mut self, rule: usize, program: &[Step]) -> Result<(), Refusal> {
        self.rules[rule].as_mut().expect("a live rule").2 = program.to_vec();
        Ok(())
    }

    fn remove(&mut self, rule: usize) {
        let hits = self.rules[rule].take().expect("a live rule").3;
        let Count { packets, bytes } = hits.count;
        self.gone.push((rule, Count { packets: packets + self.late.packets, bytes: bytes + self.late.bytes }));
    }

    fn last_counts(&mut self) -> Vec<(usize, Count)> {
        std::mem::take(&mut self.gone)
    }

    fn hits(&mut self, rule: usize) -> Hits {
        self.rules[rule].as_ref().expect("a live rule").3
    }
}

fn flows(text: &str) -> FlowTable {
    parse_flow_file("flows", text, Ports::sim()).unwrap_or_else(|e| panic!("{e}"))
}

struct Bench {
    core: Core<usize>,
    list: List,
    now: u64,
}

impl Bench {
    fn new(text: &str) -> Bench {
        Bench { core: Core::new(flows(text), Settings::default(), MAX_FRAME, 0), list: List::new(100), now: 0 }
    }

    /// A packet as the device sees it: by a rule, or by the slow path. Gives the vports it went to.
    fn packet(&mut self, vport: u8, frame: &[u8]) -> (bool, u128) {
        self.now += 1000;
        if let Some(outputs) = self.list.hit(vport, frame, (self.now / EPOCH_NS) as u32) {
            return (true, outputs);
        }
        let mut outputs = 0;
        self.core.handle(&mut self.list, vport, UpcallReason::Miss, frame, self.now, |vport, _| {
            outputs |= 1 << vport;
            true
        });
        (false, outputs)
    }

    fn replace_flows(&mut self, text: &str) {
        self.core.replace_flows(Replacement::new(flows(text)), self.now);
        while !self.core.stale.is_empty() {
            self.core.agree(&mut self.list, self.now, 3, |_| false);
        }
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 2 {
            self.now += 500_000_000;
            self.core.tick(&mut self.list, self.now);
        }
    }
}

fn mac(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, n]
}

fn ethernet(dst: u8, src: u8) -> Vec<u8> {
    let mut f = [mac(dst), mac(src)].concat();
    f.extend([0x88, 0xb5, 1, 2, 3, 4]);
    f
}

fn udp(dst_port: u16, ttl: u8) -> Vec<u8> {
    let mut f = [mac(2), mac(1)].concat();
    f.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0]);
    f.extend(dst_port.to_be_bytes());
    f.extend([0, 8, 0, 0]);
    f
}

#[test]
fn the_second_packet_of_a_flow_hits_a_rule() {
    let mut b = Bench::new("in_port=p0,actions=output:vf0");
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 8));
    assert_eq!(b.packet(0, &ethernet(3, 4)), (true, 8));
    assert_eq!(b.packet(1, &ethernet(2, 1)), (false, 0));
    assert_eq!(b.packet(1, &ethernet(2, 1)), (true, 0));
    assert_eq!(b.core.megaflows(), (2, 2));
}

#[test]
fn normal_learns_and_rules_follow_the_stations() {
    let mut b = Bench::new("actions=normal");
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 0x7fe), "2 is a stranger: flood");
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 0x7fe));
    assert_eq!(b.packet(1, &ethernet(1, 2)), (false, 1));
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 2), "the flood's rule was updated");
    // 2 moves to vport 5: what goes there follows, and the old place must tell if it comes back.
    assert_eq!(b.packet(5, &ethernet(1, 2)), (false, 1));
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 1 << 5));
    assert_eq!(b.packet(1, &ethernet(1, 2)), (false, 1));
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 2));
}

#[test]
fn stations_are_forgotten_but_not_while_hardware_hears_of_them() {
    let mut b = Bench::new("actions=normal");
    b.packet(0, &ethernet(2, 1));
    b.packet(1, &ethernet(1, 2));
    for _ in 0..40 {
        b.wait(9);
        assert_eq!(b.packet(0, &ethernet(2, 1)).1, 2);
        assert_eq!(b.packet(1, &ethernet(1, 2)).1, 1);
    }
    b.wait(301);
    assert_eq!(b.core.macs.len(), 0);
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 0x7fe));
}

#[test]
fn replacing_the_flows_updates_keeps_and_removes_rules() {
    let mut b = Bench::new("in_port=1,actions=output:2\nin_port=2,actions=output:1\nin_port=3,actions=output:4");
    for vport in 0..3 {
        b.packet(vport, &udp(80, 64));
        b.packet(vport, &udp(80, 64));
    }
    let new = "in_port=1,actions=output:5\nin_port=2,actions=output:1\nin_port=3,udp,tp_dst=80,actions=output:4";
    b.replace_flows(new);
    assert_eq!(b.packet(0, &udp(80, 64)), (true, 1 << 4), "updated in place");
    assert_eq!(b.packet(1, &udp(80, 64)), (true, 1), "kept");
    assert_eq!(b.packet(2, &udp(81, 64)), (false, 0), "too wide: removed");
    let s = b.core.stats();
    assert_eq!((s.updated, s.removed), (1, 1));
    b.core.sync_all(&mut b.list, b.now);
    let counts: Vec<u64> = b.core.dump_flows(b.now).iter().map(|f| f.stats.packets).collect();
    assert_eq!(counts, [1, 3, 0], "only the flow that stayed the same keeps its count");
}

#[test]
fn packets_that_count_after_their_rule_was_taken_out_are_credited() {
    let mut b = Bench::new("in_port=1,actions=output:2\nin_port=2,actions=output:1");
    b.packet(0, &udp(80, 64));
    b.packet(0, &udp(80, 64));
    b.list.late = Count { packets: 3, bytes: 126 };
    let narrower =
        "in_port=2,actions=output:1\npriority=65535,in_port=1,udp,tp_dst=81,actions=drop\nin_port=1,actions=output:2";
    b.replace_flows(narrower);
    assert_eq!(b.list.live(), 0, "the rule was too wide");
    // The flow gets another number while the packets are on their way.
    let other = "in_port=1,actions=output:2\nin_port=2,actions=output:1";
    b.replace_flows(other);
    b.now += 1_000_000;
    b.core.tick(&mut b.list, b.now);
    let counts: Vec<(u64, u64)> = b.core.dump_flows(b.now).iter().map(|f| (f.stats.packets, f.stats.bytes)).collect();
    assert_eq!(counts, [(5, 210), (0, 0)]);
    b.core.sync_all(&mut b.list, b.now);
    assert_eq!(b.core.dump_flows(b.now)[0].stats.packets, 5, "and only once");
}

/// A few flows.
fn any_flows(rng: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    for n in 0..rng.random_range(1..8) {
        let condition = [
            "",
            "udp,tp_dst=80,",
            "ip,nw_ttl=64,",
            "dl_dst=02:00:00:00:00:02,",
            "in_port=1,",
            "udp,tp_dst=0x50/0xfff0,",
        ][rng.random_range(0..6)];
        let action =
            ["drop", "output:3", "flood", "normal", "dec_ttl,output:4", "mod_dl_src:02:00:00:00:00:09,output:5"]
                [rng.random_range(0..6)];
        text += &format!("priority={n},{condition}actions={action}\n");
    }
    text
}

/// Packets, each of which goes where the flow tables say without rules.
fn any_packets(b: &mut Bench, rng: &mut ChaCha8Rng) {
    for _ in 0..60 {
        let frame = if rng.random() {
            udp(rng.random_range(76..90), rng.random_range(62..66))
        } else {
            ethernet(rng.random_range(1..4), rng.random_range(1..4))
        };
        let vport = rng.random_range(0..3);
        let (key, _) = parse(&frame, u16::from(vport) + 1);
        let mut t = Translation::default();
        translate(&b.core.pipeline, &b.core.macs, &key, &mut t);
        let expected = t.versions.iter().fold(0, |all, v| all | v.outputs);
        let (hit, outputs) = b.packet(vport, &frame);
        assert_eq!(outputs, expected, "hit {hit} {frame:02x?}");
    }
}

#[test]
fn after_any_replacement_rules_do_what_a_new_upcall_would_do() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut b = Bench::new(&any_flows(&mut rng));
        for _ in 0..6 {
            any_packets(&mut b, &mut rng);
            let text = any_flows(&mut rng);
            b.replace_flows(&text);
        }
    }
}

#[test]
fn flows_time_out_with_their_megaflows() {
    let mut b = Bench::new(
        "priority=2,hard_timeout=5,in_port=1,actions=output:2\npriority=2,idle_timeout=3,in_port=2,actions=output:1\npriority=0,actions=drop",
    );
    b.packet(0, &ethernet(2, 1));
    b.packet(1, &ethernet(1, 2));
    for _ in 0..4 {
        b.wait(1);
        assert_eq!(b.packet(1, &ethernet(1, 2)), (true, 1), "used in hardware: not idle");
    }
    b.wait(2);
    assert_eq!(b.packet(0, &ethernet(2, 1)).1, 0, "five seconds are over");
    assert_eq!(b.packet(1, &ethernet(1, 2)), (true, 1));
    b.wait(4);
    assert_eq!(b.packet(1, &ethernet(1, 2)).1, 0, "idle for three seconds");
    assert_eq!(b.core.stats().expired, 2);
}

#[test]
fn idle_megaflows_are_removed() {
    let mut b = Bench::new("actions=flood");
    b.packet(0, &ethernet(2, 1));
    b.wait(9);
    assert_eq!(b.core.megaflows(), (1, 1));
    b.wait(3);
    assert_eq!((b.core.megaflows(), b.list.live()), ((0, 0), 0));
}

#[test]
fn full_tables_evict_what_is_not_used_and_lose_nothing() {
    let mut b = Bench::new("udp,tp_dst=1,actions=drop\nudp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
    b.list.capacity = 4;
    for port in 0x100..0x108 {
        assert_eq!(b.packet(0, &udp(port, 64)), (false, 2));
    }
    assert_eq!((b.list.live(), b.core.stats().no_room), (4, 4), "all in use: the rest stay in software");
    b.now += 10_000_000;
    assert_eq!(b.packet(0, &udp(0x107, 64)), (false, 2));
    assert_eq!((b.list.live(), b.core.stats().evicted), (4, 1));
    assert_eq!(b.packet(0, &udp(0x107, 64)), (true, 2));
    b.now += 10_000_000;
    assert_eq!(b.packet(0, &udp(0x200, 64)), (false, 2));
    assert_eq!(b.core.stats().evicted, 1, "one that was seen once pushes none out");
}

#[test]
fn only_a_lack_of_room_pushes_rules_out_and_only_what_may_change_is_offered_again() {
    let offers = [
        (Refusal::NoRoom, 3, 2, "tables_full"),
        (Refusal::NoRuleId, 3, 2, "rule_ids_used_up"),
        (Refusal::RuleIdsRest, 3, 0, "rule_ids_used_up"),
        (Refusal::NoSteps, 3, 0, "steps_used_up"),
        (Refusal::TooLong, 1, 0, "program_too_long"),
    ];
    for (refusal, refused, evicted, extra) in offers {
        let mut b = Bench::new("udp,actions=move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],output:2");
        for port in 2..6 {
            // So that there are rules that could go.
            b.packet(0, &udp(port << 10, 64));
        }
        b.list.refuse = Some(refusal);
        for _ in 0..3 {
            b.now += 10_000_000;
            assert_eq!(b.packet(0, &udp(2, 64)), (false, 2));
        }
        let s = *b.core.stats();
        assert_eq!(s.no_room + s.no_rule_id + s.no_steps + s.too_long, refused, "{refusal:?}");
        assert_eq!(s.evicted, evicted, "{refusal:?}");
        let dumps = b.core.dump_megaflows(b.now, |_| String::new());
        assert!(dumps.iter().any(|dump| dump.extra == extra), "{dumps:?}");
    }
}

#[test]
fn a_megaflow_is_handed_over_when_its_packets_have_left() {
    let mut b = Bench::new("actions=output:2");
    let upcall = |b: &mut Bench| {
        b.core.forward(0, UpcallReason::Miss, &udp(1, 64), |_, _| true);
        b.core.program(&mut b.list, b.now, b.now);
    };
    let hand_over = |b: &mut Bench, calm| {
        b.core.hand_over(&mut b.list, calm, b.now);
        b.list.live()
    };
    upcall(&mut b);
    b.now += 900;
    upcall(&mut b);
    b.now += 900;
    assert_eq!(hand_over(&mut b, true), 0, "more may come");
    b.now += 100;
    assert_eq!(hand_over(&mut b, false), 0, "packets are on their way out");
    b.list.upcall_waiting = true;
    assert_eq!((hand_over(&mut b, true), b.core.deferred()), (0, 1), "one came meanwhile");
    b.list.upcall_waiting = false;
    assert_eq!(hand_over(&mut b, true), 1);
    assert_eq!((b.core.deferred(), b.core.stats().in_haste, b.core.stats().overtaken), (0, 0, 0));
    upcall(&mut b);
    assert_eq!(b.core.stats().overtaken, 1);
}

#[test]
fn a_megaflow_does_not_wait_for_ever() {
    let mut b = Bench::new("actions=output:2");
    for n in 0.. {
        b.core.forward(0, UpcallReason::Miss, &udp(1, 64), |_, _| true);
        b.core.program(&mut b.list, b.now, b.now);
        b.core.hand_over(&mut b.list, true, b.now);
        if b.list.live() > 0 {
            assert_eq!((n, b.core.stats().in_haste), (2000, 1));
            break;
        }
        b.now += 500;
    }
}

#[test]
fn copies_are_as_long_as_the_device_has_frames() {
    let mut b = Bench::new("actions=drop");
    b.core = Core::new(flows("actions=output:p1,push_vlan:0x8100,output:p1"), Settings::default(), 2048, 0);
    let frame = [udp(1, 64), vec![0; 2046 - 42]].concat();
    b.core.handle(&mut b.list, 0, UpcallReason::Miss, &frame, 0, |_, _| true);
    assert_eq!((b.core.stats().sent, b.core.stats().copies_oversize), (1, 1));
}

#[test]
fn megaflows_are_narrowed_to_a_mask_that_there_is() {
    let mut b = Bench::new("in_port=1,actions=output:2");
    b.list.only = Some(Mask { dl_src: 0xff, ..Mask::ANY });
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 2));
    assert_eq!(b.packet(0, &ethernet(2, 3)), (false, 2));
    assert_eq!(b.packet(0, &ethernet(7, 3)), (true, 2));
    assert_eq!((b.core.stats().narrowed, b.core.megaflows()), (2, (2, 2)));
    // Both frames of a flow may be waiting when the first is handled.
    b.core.handle(&mut b.list, 0, UpcallReason::Miss, &ethernet(2, 3), b.now, |_, _| true);
    assert_eq!(b.core.megaflows(), (2, 2));
}

#[test]
fn arp_edits_stay_in_software() {
    let mut b = Bench::new("arp,actions=set_field:02:00:00:00:00:05->arp_sha,output:2");
    let mut frame = [mac(2), mac(1)].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend([mac(1).as_slice(), &[10, 0, 0, 1], &mac(2), &[10, 0, 0, 2]].concat());
    let mut out = Vec::new();
    for _ in 0..2 {
        b.core.handle(&mut b.list, 0, UpcallReason::Miss, &frame, 0, |_, f| {
            out = f.to_vec();
            true
        });
        assert_eq!(out[22..28], mac(5));
    }
    assert_eq!((b.core.megaflows(), b.list.live()), ((1, 0), 0));
    assert_eq!(b.core.dump_megaflows(0, |_| unreachable!())[0].actions, "userspace(pid=0,slow_path(action))");
    assert_eq!(b.core.dump_megaflows(0, |_| unreachable!())[0].extra, "arp_edit");
}

#[test]
fn what_is_dropped_counts_once_under_its_port_and_reason() {
    let flows = format!(
        "priority=3,udp,tp_dst=7,actions={}\n\
         priority=3,udp,tp_dst=1,actions=dec_ttl,output:p1\n\
         priority=3,udp,tp_dst=2,actions=resubmit(,0),output:p1\n\
         priority=3,udp,tp_dst=3,actions=push_vlan:0x8100,output:p1,output:vf3\n\
         priority=3,udp,tp_dst=4,actions=output:vf3,push_vlan:0x8100,output:p1\n\
         priority=0,actions=drop",
        ["flood"; 500].join(",")
    );
    let mut b = Bench::new(&flows);
    let long = |tp_dst| [udp(tp_dst, 64), vec![0; MAX_FRAME - 42]].concat();
    let frames = [udp(1, 1), udp(1, 9), udp(2, 9), long(3), long(4), udp(5, 9), udp(6, 9), udp(7, 9)];
    let mut taken = Vec::new();
    for frame in &frames {
        b.core.handle(&mut b.list, 2, UpcallReason::Miss, frame, b.now, |vport, frame| {
            taken.push((vport, frame.len()));
            true
        });
    }
    assert_eq!(taken, [(1, 42), (6, MAX_FRAME)]);
    b.core.handle(&mut b.list, 4, UpcallReason::Miss, &udp(1, 9), b.now, |_, _| false);
    let expected = Dropped {
        drop_flow: 2,
        drop_ttl: 1,
        drop_resubmits: 1,
        drop_copies: 1,
        drop_tx_oversize: 1,
        drop_queue_full: 0,
        drop_blocked: 0,
    };
    assert_eq!(b.core.dropped(2), expected);
    assert_eq!(b.core.dropped(4), Dropped { drop_queue_full: 1, ..Dropped::default() });
    let stats = b.core.stats();
    assert_eq!((stats.dropped.total(), stats.sent), (7, 2));
    assert_eq!((stats.copies_oversize, stats.copies_queue_full), (3, 1));
    assert_eq!(stats.misses, stats.dropped.total() + 2);
}

#[test]
fn dumps_have_the_forms_of_open_vswitch() {
    let mut b = Bench::new("table=0,priority=9,udp,tp_dst=80,actions=dec_ttl,mod_dl_src:02:00:00:00:00:09,output:vf0");
    b.packet(0, &udp(80, 64));
    let dump = |b: &Bench| b.core.dump_megaflows(b.now, |rule| format!("rule({rule})"))[0].to_string();
    assert!(dump(&b).contains(", packets:0, bytes:0, used:never, "), "the packet that it was made for does not count");
    b.packet(0, &udp(80, 64));
    b.core.sync_all(&mut b.list, b.now);
    b.now += 5_000_000;
    let expected = ", recirc_id(0),in_port(p0),packet_type(ns=0,id=0),\
        eth(src=02:00:00:00:00:01/00:00:00:00:00:00,dst=02:00:00:00:00:02/00:00:00:00:00:00),eth_type(0x0800),\
        ipv4(src=10.0.0.1/0.0.0.0,dst=10.0.0.2/0.0.0.0,proto=17,tos=0/0,ttl=64/0,frag=no),udp(src=1024/0,dst=80), \
        packets:1, bytes:42, used:0.005s, offloaded:yes, dp:millrace, actions:set(eth(src=02:00:00:00:00:09)),dec_ttl(1),vf0, \
        dp-extra-info:rule(0)";
    let dump = dump(&b);
    assert_eq!(dump.split_once(", ").map(|(_, rest)| format!(", {rest}")).as_deref(), Some(expected));
    let flow = b.core.dump_flows(b.now)[0].to_string();
    assert!(flow.starts_with(" cookie=0x0, duration=0.005s, table=0, n_packets=2, n_bytes=84, idle_age=0, priority=9,udp,tp_dst=80 actions="), "{flow}");
}

mod moves;
