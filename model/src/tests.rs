// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model against packets that `etherparse` builds, whose checksums are computed from nothing.

use super::*;
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

const CONFIG: Config = millrace_regs::config::Preset::Sim.config();

fn udp(ttl: u8) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], ttl)
        .udp(1000, 53);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"payload").unwrap();
    frame
}

fn tcp6() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .single_vlan(etherparse::VlanId::try_new(7).unwrap())
        .ipv6([0x20; 16], [0x30; 16], 64)
        .tcp(1000, 80, 1, 1024)
        .syn();
    let mut frame = Vec::new();
    builder.write(&mut frame, b"odd").unwrap();
    frame
}

fn model(program: Vec<Step>) -> Model {
    let mut model = Model::new(&CONFIG);
    let rule = Rule { key: Key::ZERO, mask: Mask::ANY, priority: 1, holder: Holder::Hash(0), program };
    model.insert(5, rule);
    model
}

/// The single frame put out on a vport.
fn sent(outcome: &Outcome) -> &[u8] {
    match &outcome.outputs[..] {
        [Output::Vport { frame, .. }] => frame,
        other => panic!("one frame expected: {other:?}"),
    }
}

fn assert_checksums(frame: &[u8]) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Udp(_) | TransportSlice::Tcp(_)) = packet.transport else { panic!("no L4") };
    match (packet.net.unwrap(), packet.transport.unwrap()) {
        (etherparse::NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
            let sum = udp.to_header().calc_checksum_ipv4(&ip.header().to_header(), udp.payload()).unwrap();
            assert_eq!(sum, udp.checksum());
        }
        (etherparse::NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            let sum = tcp.to_header().calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()).unwrap();
            assert_eq!(sum, tcp.checksum());
        }
        other => panic!("unexpected packet {other:?}"),
    }
}

#[test]
fn edited_ipv4_udp_has_right_checksums() {
    let step = Step {
        set_nw_src: true,
        nw_src: 0xc0a8_0101,
        set_tp_dst: true,
        tp_dst: 5353,
        nw_tos: 0xb8,
        nw_tos_mask: 0xfc,
        ttl_dec: 1,
        ..Step::output(2)
    };
    let outcome = model(vec![step]).receive(0, &udp(64), false);
    assert_eq!((outcome.verdict, outcome.rule), (Verdict::Hit, Some(5)));
    let frame = sent(&outcome);
    assert_eq!((frame[22], &frame[26..30], &frame[36..38]), (63, &[192, 168, 1, 1][..], &[0x14, 0xe9][..]));
    assert_checksums(frame);
}

#[test]
fn edited_ipv6_tcp_behind_a_tag_has_right_checksums() {
    let step = Step {
        set_nw_dst: true,
        nw_dst: 1,
        set_tp_src: true,
        tp_src: 9,
        vlan_pop: 1,
        vlan_push: 2,
        push0_tpid: 0x88a8,
        push0_tci: 0x1001,
        push1_tpid: 0x8100,
        push1_tci: 0x1002,
        ..Step::output(1)
    };
    let outcome = model(vec![step]).receive(3, &tcp6(), false);
    let frame = sent(&outcome);
    assert_eq!(frame[12..22], [0x88, 0xa8, 0x10, 1, 0x81, 0, 0x10, 2, 0x86, 0xdd]);
    assert_checksums(frame);
}

#[test]
fn wrong_checksum_stays_wrong_by_the_same_amount() {
    let mut frame = udp(64);
    frame[24] ^= 0x10;
    let step = Step { ttl_dec: 1, ..Step::output(1) };
    let outcome = model(vec![step]).receive(0, &frame, false);
    let mut right = model(vec![step]).receive(0, &udp(64), false);
    let Output::Vport { frame: expected, .. } = &mut right.outputs[0] else { panic!() };
    let at = |frame: &[u8]| bytes::number(frame, 24, 2) as i64;
    let error = (at(&frame) - at(&udp(64))).rem_euclid(0xffff);
    assert_eq!((at(sent(&outcome)) - at(expected)).rem_euclid(0xffff), error);
}

#[test]
fn udp_without_checksum_keeps_none() {
    let mut frame = udp(64);
    frame[40..42].fill(0);
    let step = Step { set_tp_dst: true, tp_dst: 1, set_nw_src: true, nw_src: 9, ..Step::output(1) };
    let outcome = model(vec![step]).receive(0, &frame, false);
    assert_eq!(sent(&outcome)[40..42], [0, 0]);
}

#[test]
fn expiring_step_ends_the_program_and_names_the_verdict_only_if_it_is_the_first() {
    let program = vec![Step::output(1), Step { ttl_dec: 1, ..Step::output(2) }, Step::output(4)];
    let outcome = model(program.clone()).receive(0, &udp(1), false);
    assert_eq!((outcome.verdict, outcome.outputs.len()), (Verdict::Hit, 1));
    let outcome = model(program[1..].to_vec()).receive(0, &udp(1), false);
    assert_eq!((outcome.verdict, outcome.outputs.len()), (Verdict::DropTtl, 0));
}

#[test]
fn equal_priorities_are_decided_by_the_holder() {
    let mut model = model(vec![Step::output(1)]);
    let rule = model.rules[&5].clone();
    model.insert(4, Rule { holder: Holder::Hash(1), ..rule.clone() });
    assert_eq!(model.receive(0, &udp(9), false).rule, Some(5));
    model.insert(9, Rule { holder: Holder::Tcam(31), ..rule.clone() });
    assert_eq!(model.receive(0, &udp(9), false).rule, Some(9));
    model.insert(10, Rule { priority: 2, holder: Holder::Hash(7), ..rule });
    assert_eq!(model.receive(0, &udp(9), false).rule, Some(10));
    model.remove(10);
    assert_eq!(model.receive(0, &udp(9), false).rule, Some(9));
    assert_eq!(model.rule_count(9), Count { packets: 2, bytes: 98 });
}

#[test]
fn bad_frames_are_counted_under_their_fault() {
    let mut model = Model::new(&CONFIG);
    model.receive(2, &[0; 13], false);
    model.receive(2, &[0; 9217], false);
    model.receive(2, &[0; 20_000], true);
    model.packet_out(11, &[0; 14]);
    for (vport, verdict, bytes) in [
        (2, Verdict::DropRunt, 13),
        (2, Verdict::DropOversize, 9217),
        (2, Verdict::DropRxError, 16_383),
        (11, Verdict::DropNoVport, 14),
    ] {
        assert_eq!(model.verdict_count(vport, verdict), Count { packets: 1, bytes }, "{}", verdict.name());
    }
}

#[test]
fn cleared_tables_have_no_rules_and_no_counts() {
    let mut model = model(vec![Step::output(1)]);
    assert_eq!(model.receive(1, &udp(64), false).verdict, Verdict::Hit);
    model.clear_tables();
    assert_eq!((model.rule_count(5), model.verdict_count(1, Verdict::Hit)), (Count::default(), Count::default()));
    assert_eq!(model.receive(1, &udp(64), false).verdict, Verdict::Miss);
    assert_eq!(model.verdict_count(1, Verdict::Miss).packets, 1);
}
