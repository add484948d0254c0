// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model against packets that `etherparse` builds, whose checksums are computed from nothing.

use super::*;
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use millrace_regs::config::MAX_PASSES;

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
    assert_eq!((outcome.verdict, &outcome.rules[..]), (Verdict::Hit, &[5][..]));
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
    assert_eq!(model.receive(0, &udp(9), false).rules, [5]);
    model.insert(9, Rule { holder: Holder::Tcam(31), ..rule.clone() });
    assert_eq!(model.receive(0, &udp(9), false).rules, [9]);
    model.insert(10, Rule { priority: 2, holder: Holder::Hash(7), ..rule });
    assert_eq!(model.receive(0, &udp(9), false).rules, [10]);
    model.remove(10);
    assert_eq!(model.receive(0, &udp(9), false).rules, [9]);
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

/// A build with passes, in which the rule of pass n is number n, with this program, and looks at metadata and pass.
fn chain(programs: &[(u64, Vec<Step>)]) -> Model {
    let mut model = Model::new(&Config { passes: MAX_PASSES, ..CONFIG });
    for (pass, (metadata, program)) in (0u8..).zip(programs) {
        let key = Key { metadata: *metadata, pass, ..Key::ZERO };
        let mask = Mask { metadata: u64::MAX, pass: 7, ..Mask::ANY };
        let program = program.clone();
        model.insert(pass.into(), Rule { key, mask, priority: 1, holder: Holder::Hash(0), program });
    }
    model
}

/// `inner` in VXLAN over UDP over IPv4, behind one tag.
fn vxlan(inner: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([4, 0, 0, 0, 0, 1], [4, 0, 0, 0, 0, 2])
        .single_vlan(etherparse::VlanId::try_new(7).unwrap())
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 9)
        .udp(50_000, 4789);
    let mut frame = Vec::new();
    builder.write(&mut frame, &[&[8, 0, 0, 0, 0, 0, 5, 0], inner].concat()).unwrap();
    frame
}

const UNWRAP: Step = Step {
    look_again: true,
    start_from: 2,
    start: 16,
    metadata: 0x0123_4567_89ab_cdef,
    metadata_mask: 0xffff_0000,
    ..Step::DROP
};

#[test]
fn a_tunnelled_packet_is_looked_up_twice_and_leaves_without_its_outer_header() {
    let edit = Step { set_nw_dst: true, nw_dst: 0x0a00_0009, ttl_dec: 1, ..Step::output(2) };
    let mut model = chain(&[(0, vec![UNWRAP]), (0x89ab_0000, vec![edit])]);
    let frame = vxlan(&udp(64));
    let outcome = model.receive(0, &frame, false);
    assert_eq!((outcome.verdict, &outcome.rules[..]), (Verdict::Hit, &[0, 1][..]));
    let alone = self::model(vec![edit]).receive(0, &udp(64), false);
    assert_eq!(sent(&outcome), sent(&alone), "as if it had come without");
    let count = Count { packets: 1, bytes: frame.len() as u64 };
    assert_eq!([0, 1].map(|rule| model.rule_count(rule)), [count; 2]);
    assert_eq!(model.verdict_count(0, Verdict::Hit), count);
}

#[test]
fn what_misses_in_a_later_pass_goes_up_as_it_was_received() {
    let frame = vxlan(&udp(64));
    let outcome = chain(&[(0, vec![UNWRAP])]).receive(3, &frame, false);
    let upcall = Output::Upcall { vport: 3, reason: UpcallReason::Miss, pass: 1, metadata: 0x89ab_0000, frame };
    assert_eq!((outcome.verdict, outcome.rules, outcome.outputs), (Verdict::Miss, vec![0], vec![upcall]));
    let passes = outcome.keys.iter().map(|key| (key.pass, key.metadata, key.tp_dst)).collect::<Vec<_>>();
    assert_eq!((passes.len(), passes[0].0, passes[1].0, passes[1].1), (2, 0, 1, 0x89ab_0000));
    assert_ne!(passes[0].2, passes[1].2, "the inner ports");
}

#[test]
fn an_upcall_of_the_last_rule_has_the_packet_without_its_outer_header() {
    let up = Step { upcall: true, ..Step::DROP };
    let outcome = chain(&[(0, vec![UNWRAP]), (0x89ab_0000, vec![up])]).receive(3, &vxlan(&udp(64)), false);
    let reason = UpcallReason::Action;
    assert_eq!(outcome.outputs, [Output::Upcall { vport: 3, reason, pass: 1, metadata: 0x89ab_0000, frame: udp(64) }]);
}

#[test]
fn metadata_change_under_their_mask_alone() {
    let write = |metadata, metadata_mask| Step { look_again: true, metadata, metadata_mask, ..Step::DROP };
    let programs =
        [(0, write(0xff, 0x0f)), (0x0f, write(0, 0x03)), (0x0c, write(1 << 63, u64::MAX)), (1 << 63, Step::output(1))];
    let mut model = chain(&programs.map(|(metadata, step)| (metadata, vec![step])));
    let outcome = model.receive(0, &udp(64), false);
    assert_eq!((outcome.verdict, outcome.rules.len(), sent(&outcome)), (Verdict::Hit, 4, &udp(64)[..]));
}

#[test]
fn a_loop_ends_with_the_last_pass_and_is_counted() {
    let again = Step { look_again: true, upcall: true, more: true, ..Step::output(1) };
    let mut model = Model::new(&Config { passes: MAX_PASSES, ..CONFIG });
    let rule = Rule { key: Key::ZERO, mask: Mask::ANY, priority: 1, holder: Holder::Tcam(0), program: vec![again] };
    model.insert(5, rule);
    let outcome = model.receive(2, &udp(64), false);
    assert_eq!((outcome.verdict, outcome.rules, outcome.outputs), (Verdict::DropLoop, vec![5; MAX_PASSES], vec![]));
    assert_eq!((model.rule_count(5).packets, model.verdict_count(2, Verdict::DropLoop).packets), (8, 1));
}

#[test]
fn a_pass_that_cannot_begin_is_a_punt_of_the_one_before() {
    let step = |start_from, start| Step { start_from, start, metadata: 1, metadata_mask: 1, ..UNWRAP };
    let outcome = |step: Step, frame: &[u8]| {
        let outcome = chain(&[(0, vec![step])]).receive(0, frame, false);
        match &outcome.outputs[..] {
            [Output::Upcall { pass, metadata, frame: up, .. }] => {
                assert_eq!(up, frame);
                (outcome.verdict, *pass, *metadata)
            }
            other => panic!("one upcall expected: {other:?}"),
        }
    };
    let (begins, does_not) = ((Verdict::Miss, 1, 1), (Verdict::Punt, 0, 0));
    let long = [vxlan(&udp(64)), vec![0; 100]].concat();
    for (from, start, expected) in [
        (0, 92, begins),
        (0, 93, begins),
        (0, 94, does_not),
        (1, 74, begins),
        (1, 76, does_not),
        (2, 54, begins),
        (2, 56, does_not),
        (3, 0, does_not),
    ] {
        assert_eq!(outcome(step(from, start), &long), expected, "{start} behind {from}");
    }
    assert_eq!(outcome(step(0, 46), &[9; 60]), begins, "14 bytes are left");
    assert_eq!(outcome(step(0, 48), &[9; 60]), does_not, "12 bytes are left");
    assert_eq!(outcome(step(1, 0), &[9; 60]), does_not, "no L3");
    assert_eq!(outcome(step(0, 4), &udp(64)), begins);
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
