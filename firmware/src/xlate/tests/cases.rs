// SPDX-License-Identifier: MIT OR Apache-2.0
use super::flows;
use crate::mac::{Heard, MacTable, Station};
use crate::openflow::{Action, Field, FlowKey, FlowMask, Slot, slot};
use crate::xlate::{Pipeline, Tag, Translation, Ttl, XlateError, is_reserved_multicast, translate};

fn packet(fields: &[(Slot, u128)]) -> FlowKey {
    let mut key = FlowKey::default();
    key.set_in_port(1);
    for &(s, value) in fields {
        key.set(s, value);
    }
    key
}

fn tcp() -> FlowKey {
    packet(&[
        (slot::DL_TYPE, 0x0800),
        (slot::DL_DST, 0x0200_0000_0002),
        (slot::DL_SRC, 0x0200_0000_0001),
        (slot::NW_PROTO, 6),
        (slot::NW_TTL, 64),
        (slot::NW_SRC, 0x0a00_0001),
        (slot::NW_DST, 0x0a00_0002),
        (slot::TP_SRC, 1000),
        (slot::TP_DST, 80),
    ])
}

fn xlate(text: &str, key: &FlowKey) -> Translation {
    let mut t = Translation::default();
    translate(&Pipeline::new(flows(text)), &MacTable::default(), key, &mut t);
    t
}

/// in_port, dl_type and, of IP, nw_frag: what every megaflow looks at.
fn base() -> FlowMask {
    let mut m = FlowMask::default();
    m.set_in_port(0xffff);
    m.set_dl_type(0xffff);
    m.set_nw_frag(3);
    m
}

#[test]
fn a_flow_that_looks_at_nothing_gives_the_widest_megaflow() {
    let t = xlate("actions=output:2", &tcp());
    assert_eq!((t.mask, t.versions[0].outputs), (base(), 2));
}

#[test]
fn no_flow_drops() {
    assert!(xlate("in_port=2,actions=output:1", &tcp()).drops());
}

#[test]
fn output_to_the_port_it_came_in_on_needs_in_port() {
    assert!(xlate("actions=output:1", &tcp()).drops());
    assert_eq!(xlate("actions=in_port", &tcp()).versions[0].outputs, 1);
    assert_eq!(xlate("actions=load:0->NXM_OF_IN_PORT[],output:1", &tcp()).versions[0].outputs, 1);
}

#[test]
fn flood_leaves_out_the_ingress_port() {
    assert_eq!(xlate("actions=flood", &tcp()).versions[0].outputs, 0x7fe);
}

#[test]
fn a_field_that_is_only_written_is_not_looked_at() {
    let t = xlate("actions=mod_dl_dst:02:00:00:00:00:09,mod_nw_tos:32,output:2", &tcp());
    assert_eq!(t.mask, base());
    assert_eq!(t.versions[0].written.nw_tos(), 0xfc);
}

#[test]
fn a_field_that_is_written_before_it_is_matched_is_not_looked_at() {
    let t = xlate(
        "ip,actions=set_field:10.9.9.9->ip_dst,resubmit(,1)\ntable=1,ip,nw_dst=10.9.9.9,actions=output:2",
        &tcp(),
    );
    assert_eq!((t.mask, t.versions[0].outputs), (base(), 2));
}

#[test]
fn a_field_that_is_written_in_part_is_looked_at_for_the_rest() {
    let t = xlate("ip,actions=set_field:10.0.0.0/255.255.255.0->ip_src,output:2", &tcp());
    assert_eq!(t.mask.nw_src(), 0xff);
    assert_eq!(t.versions[0].key.nw_src(), 0x0a00_0001);
}

#[test]
fn dec_ttl_looks_at_one_bit_of_the_ttl_if_nothing_else_shows_that_there_is_one() {
    let t = xlate("ip,actions=dec_ttl,output:2", &tcp());
    assert_eq!((t.mask.nw_ttl(), t.versions[0].ttl), (0x40, Ttl::Dec(1)));
    let t = xlate("tcp,actions=dec_ttl,output:2", &tcp());
    assert_eq!((t.mask.nw_ttl(), t.versions[0].ttl), (0, Ttl::Dec(1)));
}

#[test]
fn dec_ttl_where_the_caller_goes_on_looks_at_the_ttl() {
    let text = "tcp,actions=resubmit(,1),output:3\ntable=1,tcp,actions=dec_ttl,output:2";
    let t = xlate(text, &tcp());
    assert_eq!((t.mask.nw_ttl(), t.versions.len(), t.versions[0].ttl), (0xff, 1, Ttl::Set));
    let mut last = tcp();
    last.set_nw_ttl(1);
    let t = xlate(text, &last);
    assert_eq!((t.mask.nw_ttl(), t.versions[0].outputs, t.versions[0].ttl), (0xff, 4, Ttl::Keep));
}

#[test]
fn a_ttl_that_is_matched_after_it_was_decremented_is_looked_at() {
    let t = xlate("tcp,actions=dec_ttl,resubmit(,1)\ntable=1,tcp,nw_ttl=63,actions=output:2", &tcp());
    assert_eq!((t.mask.nw_ttl(), t.versions[0].outputs), (0xff, 2));
}

#[test]
fn ttl_of_one_goes_no_further() {
    let mut key = tcp();
    key.set_nw_ttl(1);
    let t = xlate("actions=output:3,dec_ttl,output:2", &key);
    assert_eq!((t.versions.len(), t.versions[0].outputs, t.mask.nw_ttl()), (1, 4, 0xff));
}

#[test]
fn outputs_with_the_same_edits_share_a_version() {
    let t = xlate("actions=output:2,output:3,mod_dl_src:02:00:00:00:00:07,output:4,output:4", &tcp());
    assert_eq!(t.versions.iter().map(|v| v.outputs).collect::<Vec<_>>(), [6, 8, 8]);
}

#[test]
fn pop_vlan_looks_only_at_whether_there_is_a_tag() {
    let mut key = tcp();
    key.set_vlan_tpid0(0x8100);
    key.set_vlan_tci0(0x100a);
    let t = xlate("actions=pop_vlan,output:2", &key);
    assert_eq!((t.mask.vlan_tci0(), t.mask.vlan_tpid0(), t.mask.vlan_tci1()), (0x1000, 0, 0));
    assert_eq!((t.versions[0].vlan.pop, t.versions[0].vlan.pushed), (1, 0));
}

#[test]
fn a_new_vid_keeps_the_priority_and_the_tpid() {
    let mut key = tcp();
    key.set_vlan_tpid0(0x88a8);
    key.set_vlan_tci0(0x700a);
    let t = xlate("actions=mod_vlan_vid:20,output:2", &key);
    let edit = t.versions[0].vlan;
    assert_eq!((edit.pop, edit.tags()), (1, &[Tag { tpid: 0x88a8, tci: 0x7014 }][..]));
    assert_eq!((t.mask.vlan_tci0(), t.mask.vlan_tpid0()), (0xffff, 0xffff));
    // Where there is none one is put on.
    let edit = xlate("actions=mod_vlan_vid:20,output:2", &tcp()).versions[0].vlan;
    assert_eq!((edit.pop, edit.tags()), (0, &[Tag { tpid: 0x8100, tci: 0x1014 }][..]));
}

#[test]
fn resubmit_finds_another_in_port_but_acts_on_the_packets_own() {
    let t = xlate("in_port=1,actions=resubmit(5,1)\ntable=1,in_port=5,actions=in_port", &tcp());
    assert_eq!(t.versions[0].outputs, 1);
}

#[test]
fn endless_resubmit_drops_everything() {
    let t = xlate("actions=output:2,resubmit(,0)", &tcp());
    assert_eq!((t.drops(), t.error), (true, Some(XlateError::TooDeep)));
    let text = "actions=resubmit(,1),resubmit(,1)\ntable=1,actions=resubmit(,2),resubmit(,2)\ntable=2,actions=resubmit(,0),output:2";
    assert_eq!(xlate(text, &tcp()).error, Some(XlateError::TooDeep));
    let twice = |n: u32| format!("table={n},actions=resubmit(,{}),resubmit(,{})\n", n + 1, n + 1);
    let text: String = (0..14).map(twice).chain(["table=14,actions=output:2".to_owned()]).collect();
    assert_eq!(xlate(&text, &tcp()).error, Some(XlateError::TooManyResubmits));
}

#[test]
fn a_clone_undoes_its_edits_and_keeps_what_was_looked_at() {
    let t = xlate("tcp,actions=clone(mod_tp_dst:7,resubmit(,1)),3\ntable=1,nw_src=10.0.0.0/8,ip,actions=2", &tcp());
    let edits: Vec<(u128, u16)> = t.versions.iter().map(|v| (v.outputs, v.written.tp_dst())).collect();
    assert_eq!(edits, [(2, 0xffff), (4, 0)]);
    assert_eq!((t.mask.nw_src(), t.mask.tp_dst()), (0xff00_0000, 0));
}

#[test]
fn exit_ends_the_lists_around_it_too() {
    let t = xlate("actions=resubmit(,1),3\ntable=1,actions=clone(2,exit,4),5", &tcp());
    assert_eq!(t.versions.iter().map(|v| v.outputs).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_goes_to_the_local_port_goes_nowhere() {
    assert!(xlate("actions=LOCAL,output:LOCAL", &tcp()).drops());
    assert!(xlate("in_port=LOCAL,actions=2", &tcp()).drops());
    assert_eq!(xlate("actions=resubmit(LOCAL,1)\ntable=1,in_port=LOCAL,actions=2", &tcp()).versions[0].outputs, 2);
}

#[test]
fn lists_of_any_length_are_carried_out_up_to_a_number_of_copies() {
    let many = |action: &str, n: usize| format!("actions={}", vec![action; n].join(","));
    assert_eq!(xlate(&many("output:2", 4096), &tcp()).versions.len(), 4096);
    // Ten ports, and the version that each begins: what counts are copies.
    assert_eq!(xlate(&many("flood", 409), &tcp()).versions.len(), 409);
    for text in [many("output:2", 4097), many("flood", 410), many("normal", 410), many("flood", 65_535)] {
        let t = xlate(&text, &tcp());
        assert_eq!((t.error, t.versions.len()), (Some(XlateError::TooManyCopies), 0));
    }
    // Two lists that are each short enough.
    let text = format!("actions=resubmit(,1),resubmit(,2)\ntable=1,{}\ntable=2,actions=2", many("output:2", 4096));
    assert_eq!(xlate(&text, &tcp()).error, Some(XlateError::TooManyCopies));
    // A list that was not read from a file.
    let mut flow = flows("actions=1");
    flow.flows[0].actions = vec![Action::DecTtl; 70_000];
    flow.flows[0].actions.extend([Action::SetField { field: Field::EthDst, value: 1, mask: 1 }, Action::Output(2)]);
    let mut t = Translation::default();
    translate(&Pipeline::new(flow), &MacTable::default(), &FlowKey::default(), &mut t);
    assert_eq!(t.versions.len(), 1);
}

#[test]
fn lists_that_are_resubmitted_to_end_by_a_number_of_actions() {
    let list = |n: usize| vec!["mod_nw_tos:4"; n].join(",");
    let with = |n: usize, again: &str| format!("ip,actions=2{again}\ntable=1,ip,actions={}", list(n));
    assert_eq!(xlate(&with(65_535, &",resubmit(,1)".repeat(3)), &tcp()).error, None);
    let t = xlate(&with(65_535, &",resubmit(,1)".repeat(5)), &tcp());
    assert_eq!((t.error, t.versions.len()), (Some(XlateError::TooManyActions), 0));
}

#[test]
fn many_normals_learn_and_ask_once() {
    let normals = |n: usize| format!("actions={}", vec!["normal"; n].join(","));
    let t = xlate(&normals(400), &tcp());
    assert_eq!((t.learned.len(), t.asked.len(), t.error), (1, 1, None));
    // The destination is where the packet came from: no copy, and yet an end.
    let text = |n: usize| format!("actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],{}", vec!["normal"; n].join(","));
    assert_eq!(xlate(&text(4096), &tcp()).error, None);
    assert_eq!(xlate(&text(4097), &tcp()).error, Some(XlateError::TooManyCopies));
}

#[test]
fn normal_floods_to_strangers_and_learns() {
    let t = xlate("actions=normal", &tcp());
    assert_eq!(t.versions[0].outputs, 0x7fe);
    assert_eq!(t.learned[..], [(Station::new(0, 0x0200_0000_0001), 1)]);
    assert_eq!(t.asked[..], [Station::new(0, 0x0200_0000_0002)]);
    let mut mask = base();
    mask.unwildcard(slot::DL_DST);
    mask.unwildcard(slot::DL_SRC);
    mask.set_vlan_tci0(0x1000);
    assert_eq!(t.mask, mask);
}

#[test]
fn normal_sends_to_where_a_station_is_and_not_back() {
    let pipeline = Pipeline::new(flows("actions=normal"));
    let mut macs = MacTable::default();
    macs.learn(Station::new(0, 0x0200_0000_0002), 7, Heard::Packet(0), |_| ());
    let mut t = Translation::default();
    translate(&pipeline, &macs, &tcp(), &mut t);
    assert_eq!(t.versions[0].outputs, 1 << 6);
    macs.learn(Station::new(0, 0x0200_0000_0002), 1, Heard::Packet(0), |_| ());
    translate(&pipeline, &macs, &tcp(), &mut t);
    assert!(t.drops());
}

#[test]
fn normal_does_not_forward_bridge_protocols() {
    let mut key = tcp();
    key.set_dl_dst(0x0180_c200_0002);
    let t = xlate("actions=normal", &key);
    assert!(t.drops() && t.learned.is_empty());
    assert!(is_reserved_multicast(0x0100_0ccc_cccd) && !is_reserved_multicast(0x0180_c200_0010));
}

#[test]
fn normal_takes_a_tag_off_that_says_nothing() {
    let mut key = tcp();
    key.set_vlan_tpid0(0x8100);
    key.set_vlan_tci0(0x1000);
    assert_eq!(xlate("actions=normal", &key).versions[0].vlan.pop, 2);
    key.set_vlan_tci0(0x3000);
    assert_eq!(xlate("actions=normal", &key).versions[0].vlan.pop, 0);
}

#[test]
fn fragments_have_no_ports() {
    let mut key = tcp();
    key.set_nw_frag(1);
    let t = xlate("priority=9,tcp,tp_dst=80,actions=output:2\ntcp,tp_dst=0,actions=output:3", &key);
    assert_eq!((t.versions[0].outputs, t.mask.tp_dst()), (4, 0));
}
