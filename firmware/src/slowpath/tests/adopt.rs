// SPDX-License-Identifier: MIT OR Apache-2.0
//! A slow path that starts with the rules of an earlier one.

use super::*;
use crate::compile::flow_key;
use crate::slowpath::Left;

/// What the tables hold, as the next slow path finds it: counters start anew.
fn found(list: &mut List) -> Vec<Left<usize>> {
    let mut found = vec![];
    for (rule, entry) in list.rules.iter_mut().enumerate() {
        if let Some((key, mask, program, hits)) = entry {
            *hits = Hits::default();
            let packet = flow_key(key);
            found.push(Left { rule, packet, key: *key & *mask, mask: *mask, program: program.as_slice().into() });
        }
    }
    found
}

/// The slow path is another, with these flows.
fn restart(b: &mut Bench, text: &str) {
    b.now += 1_000_000;
    let found = found(&mut b.list);
    b.core = Core::new(flows(text), Settings::default(), MAX_FRAME, b.now);
    b.core.adopt(&mut b.list, found, b.now);
    while !b.core.stale.is_empty() {
        b.core.agree(&mut b.list, b.now, 1, |_| false);
    }
    assert_eq!(b.core.megaflows(), (b.list.live(), b.list.live()));
}

/// Rules taken over, then changed, then taken out.
fn counts(b: &Bench) -> (u64, u64, u64) {
    (b.core.stats().taken_over, b.core.stats().updated, b.core.stats().removed)
}

#[test]
fn rules_that_are_right_stay_and_count_from_then_on() {
    let text =
        "in_port=1,udp,actions=dec_ttl,output:2\nin_port=2,actions=output:1,mod_dl_src:02:00:00:00:00:09,output:3";
    let mut b = Bench::new(text);
    for vport in [0, 1, 0, 1] {
        b.packet(vport, &udp(80, 64));
    }
    restart(&mut b, text);
    assert_eq!(counts(&b), (2, 0, 0));
    assert_eq!((b.packet(0, &udp(80, 64)), b.packet(1, &udp(80, 64))), ((true, 2), (true, 1)));
    b.core.sync_all(&mut b.list, b.now);
    let packets: Vec<u64> = b.core.dump_flows(b.now).iter().map(|flow| flow.stats.packets).collect();
    assert_eq!(packets, [1, 1], "not those of the slow path before");
    b.wait(11);
    assert_eq!(b.list.live(), 0, "idle");
}

#[test]
fn rules_that_other_flows_change_are_changed_in_place_or_go() {
    let mut b = Bench::new(
        "in_port=1,actions=output:2\nin_port=2,actions=output:1\nin_port=3,actions=output:4\nin_port=4,actions=output:1",
    );
    for vport in 0..4 {
        b.packet(vport, &udp(80, 64));
    }
    restart(&mut b, "in_port=1,actions=output:5\nin_port=2,actions=output:1\nin_port=3,udp,tp_dst=80,actions=output:4");
    assert_eq!(counts(&b), (4, 2, 1));
    assert_eq!(b.packet(0, &udp(80, 64)), (true, 1 << 4), "changed");
    assert_eq!(b.packet(1, &udp(80, 64)), (true, 1), "kept");
    assert_eq!(b.packet(2, &udp(81, 64)), (false, 0), "too wide");
    assert_eq!(b.packet(3, &udp(80, 64)), (true, 0), "of no flow any more: drops");
}

#[test]
fn stations_are_known_again_from_the_rules_of_their_packets() {
    let mut b = Bench::new("actions=normal");
    for (vport, dst, src) in [(0, 2, 1), (1, 1, 2), (0, 2, 1)] {
        b.packet(vport, &ethernet(dst, src));
    }
    restart(&mut b, "actions=normal");
    assert_eq!(counts(&b), (2, 0, 0));
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 2));
    // 2 moves: both rules follow.
    assert_eq!(b.packet(5, &ethernet(1, 2)), (false, 1));
    assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 1 << 5));
    b.wait(301);
    assert_eq!(b.core.macs.len(), 0, "they are forgotten as ever");
}

#[test]
fn a_station_that_says_nothing_is_known_from_the_rules_that_send_to_it() {
    let mut b = Bench::new("actions=normal");
    b.packet(1, &ethernet(1, 2));
    b.packet(0, &ethernet(2, 1));
    while b.list.live() > 1 {
        b.wait(5);
        assert_eq!(b.packet(0, &ethernet(2, 1)), (true, 2));
    }
    restart(&mut b, "actions=normal");
    assert_eq!(counts(&b), (1, 0, 0), "it is no flood");
    assert_eq!(b.packet(3, &ethernet(2, 4)), (false, 2));
}

#[test]
fn a_rule_that_sends_for_another_reason_tells_nothing() {
    let mut b = Bench::new("in_port=1,actions=output:2");
    b.packet(0, &ethernet(2, 1));
    restart(&mut b, "actions=normal");
    assert_eq!(counts(&b), (1, 0, 1), "its mask does not look at addresses");
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 0x7fe));
}

#[test]
fn with_any_flows_rules_do_what_a_new_upcall_would_do() {
    for seed in 0..60 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut b = Bench::new(&any_flows(&mut rng));
        for _ in 0..6 {
            any_packets(&mut b, &mut rng);
            let text = any_flows(&mut rng);
            restart(&mut b, &text);
        }
    }
}
