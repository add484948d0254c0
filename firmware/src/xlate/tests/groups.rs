// SPDX-License-Identifier: MIT OR Apache-2.0
//! Groups that choose: what by, how often, and what the megaflow knows then.

use super::flows_with;
use super::megaflow::{blend, packet, pick, possible};
use crate::mac::MacTable;
use crate::openflow::{FlowKey, slot};
use crate::xlate::{Pipeline, Translation, XlateError, translate};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn xlate(flows: &str, groups: &str, key: &FlowKey) -> Translation {
    let mut t = Translation::default();
    translate(&Pipeline::new(flows_with(flows, groups)), &MacTable::default(), key, &mut t);
    t
}

fn connection(client: u32, port: u16) -> FlowKey {
    let mut key = FlowKey::default();
    key.set_in_port(1);
    key.set_dl_type(0x0800);
    key.set_dl_dst(0x0200_0000_0002);
    key.set_dl_src(0x0200_0000_0001);
    key.set_nw_proto(6);
    key.set_nw_ttl(64);
    key.set_nw_src(0x0a00_0000 | client);
    key.set_nw_dst(0x0a01_0001);
    key.set_tp_src(port);
    key.set_tp_dst(80);
    key
}

fn port(t: &Translation) -> u32 {
    assert_eq!(t.versions.len(), 1);
    t.versions[0].outputs.trailing_zeros() + 1
}

#[test]
fn weights_are_shares_of_the_connections() {
    let groups =
        "group_id=1,type=select,bucket=weight:1,output:2,bucket=weight:3,actions=output:3,bucket=weight:0,output:4";
    let pipeline = Pipeline::new(flows_with("actions=group:1", groups));
    let mut counts = [0; 8];
    for n in 0..4000u32 {
        let mut t = Translation::default();
        translate(&pipeline, &MacTable::default(), &connection(n % 50, 1024 + (n / 50) as u16), &mut t);
        counts[port(&t) as usize] += 1;
    }
    assert_eq!(counts[4], 0);
    assert!((850..1150).contains(&counts[2]), "{counts:?}");
}

#[test]
fn both_directions_of_a_connection_take_the_same_way() {
    let groups = "group_id=1,type=select,bucket=output:2,bucket=output:3,bucket=output:4,bucket=output:5";
    for n in 0..64 {
        let there = connection(n, 5000);
        let mut back = there;
        back.set_dl_dst(there.dl_src());
        back.set_dl_src(there.dl_dst());
        back.set_nw_src(there.nw_dst());
        back.set_nw_dst(there.nw_src());
        back.set_tp_src(there.tp_dst());
        back.set_tp_dst(there.tp_src());
        let ports = [there, back].map(|key| port(&xlate("actions=group:1", groups, &key)));
        assert_eq!(ports[0], ports[1], "{n}");
    }
}

#[test]
fn a_megaflow_knows_what_the_choice_was_made_by_and_no_more() {
    let key = connection(7, 5000);
    let of = |fields: &str| {
        let groups =
            format!("group_id=1,type=select,selection_method=hash,fields({fields}),bucket=output:2,bucket=output:3");
        xlate("actions=group:1", &groups, &key).mask
    };
    let mask = of("ip_src=255.255.255.0,tcp_dst");
    assert_eq!((mask.nw_src(), mask.nw_dst(), mask.tp_dst(), mask.tp_src()), (0xffff_ff00, 0, 0xffff, 0));
    // Of a field that the packet has not, that it has not.
    let mask = of("udp_src");
    assert_eq!((mask.nw_proto(), mask.tp_src(), mask.nw_src()), (0xff, 0, 0));
    let all = xlate("actions=group:1", "group_id=1,type=all,bucket=output:2,bucket=output:3", &key);
    assert_eq!((all.mask.nw_src(), all.mask.nw_proto()), (0, 0));
    assert_eq!(all.versions.iter().map(|v| v.outputs).collect::<Vec<_>>(), [6], "one copy for both");
}

#[test]
fn what_a_bucket_edits_is_undone_behind_it() {
    let groups = "group_id=1,type=all,bucket=set_field:10.9.9.9->ip_dst,output:2,bucket=mod_tp_dst:8080,output:3";
    let t = xlate("actions=group:1,output:4", groups, &connection(1, 1));
    let found: Vec<_> = t.versions.iter().map(|v| (v.outputs, v.key.nw_dst(), v.key.tp_dst())).collect();
    assert_eq!(found, [(2, 0x0a09_0909, 80), (4, 0x0a01_0001, 8080), (8, 0x0a01_0001, 80)]);
}

#[test]
fn the_first_bucket_that_is_live_is_taken() {
    let watch = "group_id=1,type=ff,bucket=watch_port:vf7,output:2,bucket=watch_port:1,output:3";
    assert_eq!(port(&xlate("actions=group:1", watch, &connection(1, 1))), 2);
    // A group without a bucket that is live is not.
    let watch = "group_id=1,type=ff,bucket=watch_group:2,output:2,bucket=watch_port:1,output:3\ngroup_id=2,type=select";
    assert_eq!(port(&xlate("actions=group:1", watch, &connection(1, 1))), 3);
    // Nor are those that watch each other.
    let watch = "group_id=1,type=ff,bucket=watch_group:2,output:2,bucket=watch_port:any,watch_group:1,output:3\n\
                 group_id=2,type=ff,bucket=watch_group:1,output:2";
    assert!(xlate("actions=group:1", watch, &connection(1, 1)).drops());
}

#[test]
fn groups_in_groups_end() {
    let groups = "group_id=1,type=all,bucket=group:2,bucket=output:3\ngroup_id=2,type=indirect,bucket=group:1";
    let t = xlate("actions=group:1,output:2", groups, &connection(1, 1));
    // A bucket that is too deep in others ends, and those behind it go on.
    assert_eq!(t.error, None);
    assert_eq!(t.versions.iter().map(|v| v.outputs).fold(0, |a, b| a | b), 6);
    let bomb = "group_id=1,type=all,bucket=group:1,bucket=group:1,bucket=group:1";
    let t = xlate("actions=group:1,output:2", bomb, &connection(1, 1));
    assert_eq!((t.error, t.drops()), (Some(XlateError::TooManyActions), true));
}

#[test]
fn exit_in_a_bucket_ends_the_bucket() {
    let flows = "table=0,actions=group:1,output:4\ntable=1,actions=output:2,exit,output:3";
    let t = xlate(flows, "group_id=1,type=all,bucket=resubmit(,1),bucket=resubmit(,1)", &connection(1, 1));
    assert_eq!(t.versions.iter().map(|v| v.outputs).collect::<Vec<_>>(), [2, 2 | 8]);
}

#[test]
fn every_packet_of_a_megaflow_takes_the_same_bucket() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let fields = ["ip_src,tcp_dst=0xff", "eth_src", "vlan_vid", "nw_tos,udp_src", "ipv6_src,arp_tpa", "in_port,reg0"];
    let mut compared = 0;
    for round in 0..600 {
        let method = match round % 4 {
            0 => String::new(),
            _ => format!("selection_method=hash,fields({}),", pick(&mut rng, &fields)),
        };
        let groups =
            format!("group_id=1,type=select,{method}bucket=output:2,bucket=weight:2,output:3,bucket=dec_ttl,output:4");
        let flows = "actions=set_field:7->reg0,group:1";
        let dl_type = pick(&mut rng, &[0x0800, 0x0800, 0x86dd, 0x0806, 0x88cc]);
        let a = packet(&mut rng, dl_type);
        let of_a = xlate(flows, &groups, &a);
        for _ in 0..10 {
            let b = blend(&a, &packet(&mut rng, dl_type), &of_a.mask);
            let of_b = xlate(flows, &groups, &b);
            if possible(&b) && a.get(slot::NW_TTL) > 1 && b.get(slot::NW_TTL) > 1 {
                compared += 1;
                let outputs = |t: &Translation| t.versions.iter().map(|v| v.outputs).collect::<Vec<_>>();
                assert_eq!(outputs(&of_a), outputs(&of_b), "{groups}\n{a:?}\n{b:?}");
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}
