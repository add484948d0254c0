// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is told of a translation. The shape is that of `ofproto/trace` of Open vSwitch 3.1 for the same flows.

use super::flows_with;
use crate::mac::MacTable;
use crate::openflow::FlowKey;
use crate::xlate::{Pipeline, Trace, Translation, XlateError, explain, translate};

/// A TCP packet that came in at port 4.
fn packet(tp_dst: u16, ttl: u8) -> FlowKey {
    let mut key = FlowKey::default();
    key.set_in_port(4);
    key.set_dl_type(0x0800);
    key.set_dl_dst(0x0200_0000_0002);
    key.set_dl_src(0x0200_0000_0001);
    key.set_nw_proto(6);
    key.set_nw_ttl(ttl);
    key.set_nw_src(0x0a00_0001);
    key.set_nw_dst(0x0a00_0002);
    key.set_tp_dst(tp_dst);
    key
}

/// Lines that tell of the packet, the packet at the end, and the error if there is one.
fn told(flows: &str, groups: &str, key: &FlowKey) -> (String, FlowKey, Option<XlateError>) {
    let (mut trace, mut explained, mut translated) = (Trace::default(), Translation::default(), Translation::default());
    let (pipeline, macs) = (Pipeline::new(flows_with(flows, groups)), MacTable::default());
    let end = explain(&pipeline, &macs, key, &mut explained, &mut trace);
    translate(&pipeline, &macs, key, &mut translated);
    assert_eq!(format!("{explained:?}"), format!("{translated:?}"), "who listens changes nothing");
    (trace.text(), end, explained.error)
}

#[test]
fn tables_follow_each_other_and_lists_that_come_back_are_indented() {
    let flows = "\
table=0,priority=80,tcp,tp_dst=81,cookie=5,actions=load:7->NXM_NX_REG0[],resubmit(,1),resubmit(,2),clone(mod_dl_src:02:00:00:00:00:09,output:2,resubmit(,3)),exit
table=1,actions=normal
table=2,priority=4,ip,nw_src=10.0.0.0/8,actions=output:5,output:4,group:1,group:2
table=3,priority=4,ipv6,actions=drop";
    let groups = "group_id=1,type=all,bucket=actions=mod_dl_dst:02:00:00:00:00:05,output:3,bucket=actions=output:6\n\
                  group_id=2,type=ff\n";
    let (text, end, error) = told(flows, groups, &packet(81, 64));
    let expected = " 0. tcp,tp_dst=81, priority 80, cookie 0x5
    set_field:0x7->reg0
    resubmit(,1)
     1. priority 32768
            NORMAL
             -> learned that 02:00:00:00:00:01 is on port vf0 in VLAN 0
             -> no learned MAC for destination, flooding
    resubmit(,2)
     2. ip,nw_src=10.0.0.0/8, priority 4
            output:5
            output:4
             >> skipping output to input port
            group:1
            bucket 0
                    mod_dl_dst:02:00:00:00:00:05
                    output:3
            bucket 1
                    output:6
            group:2
             -> no live bucket
    clone(mod_dl_src:02:00:00:00:00:09,output:2,resubmit(,3))
    mod_dl_src:02:00:00:00:00:09
    output:2
    resubmit(,3)
     3. No match.
            drop
    exit
";
    assert_eq!(text, expected);
    assert_eq!((end.reg(0), error), (7, None));
}

#[test]
fn what_ends_a_list_or_all_is_told() {
    let (text, ..) = told("ip,actions=dec_ttl,output:1", "", &packet(1, 1));
    assert_eq!(text, " 0. ip, priority 32768\n    dec_ttl\n     >> IPv4 decrement TTL exception\n");
    let (text, _, error) = told("actions=resubmit(,0)", "", &packet(1, 64));
    assert_eq!(error, Some(XlateError::TooDeep));
    let end = " 0. priority 32768\n    resubmit(,0)\n     >>>> over max translation depth 64 <<<<\n";
    assert!(text.ends_with(end) && text.lines().count() == 2 * 65 + 1, "{text}");
    let (text, ..) = told("actions=drop", "", &packet(1, 1));
    assert_eq!(text, " 0. priority 32768\n    drop\n");
}

#[test]
fn a_text_has_an_end_whatever_the_flows_do() {
    let (text, _, error) = told(
        "actions=resubmit(,1),resubmit(,1)\ntable=1,actions=resubmit(,2),resubmit(,2)\ntable=2,actions=resubmit(,3),resubmit(,3)\ntable=3,actions=resubmit(,0),resubmit(,0)",
        "",
        &packet(1, 64),
    );
    assert_eq!(error, Some(XlateError::TooDeep));
    let many: String = "output:1,output:2,".repeat(2000);
    let (long, _, error) = told(&format!("actions={}", many.trim_end_matches(',')), "", &packet(1, 64));
    assert_eq!(error, None);
    assert!(text.len() < 1 << 20 && long.ends_with(" more are left out\n"), "{long}");
    assert_eq!(long.lines().count(), 1024);
}
