// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that have packets looked up again, programmed as any driver does, on the simulated core. What random rules of many passes do, `compare.rs` shows.

use millrace_driver::{Device, Placement, RuleError, RuleId, RuleSpec, Rules};
use millrace_regs::config::{MAX_PASSES, Preset};
use millrace_regs::{Key, Mask, Step, UpcallReason, Verdict};
use millrace_sim::{Embedded, Ready};

const LIMIT: u64 = 1_000_000;
const P0: usize = 0;
const P1: usize = 1;
const BY_PASS: Mask = Mask { in_port: 0xff, metadata: u64::MAX, pass: 7, ..Mask::ZERO };

/// What a chain writes into the metadata in its pass.
const fn metadata(pass: u8) -> u64 {
    0x0123_4567_89ab_cdef * pass as u64
}

/// Ethernet, IPv4, UDP, of `length` bytes, with a number.
fn udp(length: usize, number: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0]);
    frame.extend((length as u16 - 14).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(4000_u16.to_be_bytes());
    frame.extend(53_u16.to_be_bytes());
    frame.extend((length as u16 - 34).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(number.to_be_bytes());
    frame.resize(length, 0x5a);
    frame
}

fn start() -> (Embedded, Rules) {
    let mut device = Embedded::new(Preset::Passes).unwrap();
    let rules = Rules::new(&mut device).unwrap();
    (device, rules)
}

/// A rule for frames of a port in a pass, with the metadata that the chain has then.
fn insert(device: &mut Embedded, rules: &mut Rules, port: usize, pass: u8, program: &[Step]) -> RuleId {
    let key = Key { in_port: port as u8, metadata: metadata(pass), pass, ..Key::ZERO };
    let spec = RuleSpec { key, mask: BY_PASS, priority: 1, placement: Placement::Hash };
    rules.insert(device, &spec, program).unwrap()
}

/// Rules by which frames of a port are looked up `passes` times, and then get `program`.
fn chain(device: &mut Embedded, rules: &mut Rules, port: usize, passes: u8, program: &[Step]) -> Vec<RuleId> {
    let on = |pass| [Step::look_again(metadata(pass + 1), u64::MAX)];
    let mut ids: Vec<_> = (0..passes - 1).map(|pass| insert(device, rules, port, pass, &on(pass))).collect();
    ids.push(insert(device, rules, port, passes - 1, program));
    ids
}

fn settle(device: &mut Embedded) {
    assert!(device.simulation().run_until_idle(LIMIT), "the core does not come to rest");
}

fn received(device: &mut Embedded, vport: usize) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| device.simulation().recv(vport)).map(|received| received.frame).collect()
}

#[test]
fn a_chain_of_rules_forwards_and_each_of_them_counts() {
    for passes in 1..=MAX_PASSES as u8 {
        let (mut device, mut rules) = start();
        let ids = chain(&mut device, &mut rules, P0, passes, &[Step::output(1 << P1)]);
        for number in 0..20 {
            device.simulation().send(P0, udp(60 + usize::from(number), number));
        }
        settle(&mut device);
        let expected: Vec<_> = (0..20).map(|number| udp(60 + usize::from(number), number)).collect();
        assert_eq!(received(&mut device, P1), expected, "{passes} passes");
        for id in ids {
            assert_eq!(rules.counters(&mut device, id).unwrap().packets, 20);
        }
        assert_eq!(rules.verdicts(&mut device, P0 as u8).unwrap()[Verdict::Hit].packets, 20);
    }
}

#[test]
fn a_miss_in_a_later_pass_goes_up_as_received_with_pass_and_metadata() {
    let (mut device, mut rules) = start();
    let on = Step { start_from: 2, start: 8, ..Step::look_again(metadata(1), u64::MAX) };
    insert(&mut device, &mut rules, P0, 0, &[on]);
    device.simulation().send(P0, udp(200, 7));
    settle(&mut device);
    let upcall = device.recv_upcall().expect("an upcall");
    assert_eq!((upcall.reason, upcall.pass, upcall.metadata), (UpcallReason::Miss, 1, metadata(1)));
    assert_eq!(upcall.frame, udp(200, 7), "nothing is taken off");
    device.simulation().send(P1, udp(200, 7));
    settle(&mut device);
    let upcall = device.recv_upcall().expect("an upcall");
    assert_eq!((upcall.vport, upcall.pass, upcall.metadata), (P1 as u8, 0, 0));
}

#[test]
fn what_lies_before_the_last_pass_packet_does_not_go_out() {
    let (mut device, mut rules) = start();
    let on = Step { start_from: 2, start: 8, ..Step::look_again(metadata(1), u64::MAX) };
    insert(&mut device, &mut rules, P0, 0, &[on]);
    insert(&mut device, &mut rules, P0, 1, &[Step::output(1 << P1)]);
    // The packet that UDP carries begins behind 42 bytes.
    for inner in [60, 86, 100, 101, 150, 1000, 9000] {
        let mut outer = udp(42 + inner, 0);
        outer.truncate(42);
        outer.extend(udp(inner, inner as u16));
        device.simulation().send(P0, outer);
        settle(&mut device);
        assert_eq!(received(&mut device, P1), [udp(inner, inner as u16)], "{inner} bytes");
    }
}

#[test]
fn a_loop_is_cut_after_the_last_pass_and_counted() {
    let (mut device, mut rules) = start();
    let key = Key { in_port: P0 as u8, ..Key::ZERO };
    let mask = Mask { in_port: 0xff, ..Mask::ZERO };
    let spec = RuleSpec { key, mask, priority: 1, placement: Placement::Tcam };
    let id = rules.insert(&mut device, &spec, &[Step::look_again(0, 0)]).unwrap();
    (0..5).for_each(|number| device.simulation().send(P0, udp(100, number)));
    settle(&mut device);
    assert_eq!(device.recv_upcall(), None);
    let loops = rules.verdicts(&mut device, P0 as u8).unwrap()[Verdict::DropLoop];
    assert_eq!((loops.packets, loops.bytes), (5, 500));
    assert_eq!(rules.counters(&mut device, id).unwrap().packets, 5 * MAX_PASSES as u64);
}

#[test]
fn frames_keep_their_order_whatever_their_passes_and_whoever_makes_them_wait() {
    let (mut device, mut rules) = start();
    // Frames of the tags 0 to 7 take one pass more than their tag says.
    let mask = Mask { vlan_tci0: 0x1fff, metadata: u64::MAX, ..Mask::ZERO };
    for tag in 0..MAX_PASSES as u16 {
        for pass in 0..=tag {
            let (vlan_tci0, left) = (0x1000 | tag, u64::from(pass));
            let key = Key { vlan_tci0, metadata: left, ..Key::ZERO };
            let last = pass == tag;
            let step = if last { Step::output(1 << P1) } else { Step::look_again(left + 1, u64::MAX) };
            let spec = RuleSpec { key, mask, priority: 1, placement: Placement::Hash };
            rules.insert(&mut device, &spec, &[step]).unwrap();
        }
    }
    let tagged = |number: u16| {
        let mut frame = udp(60 + usize::from(number % 97), number);
        frame.splice(12..12, [0x81, 0, 0, (number * 5 % 8) as u8]);
        frame
    };
    let sent: Vec<_> = (0..800).map(tagged).collect();
    for pattern in [Ready::Always, Ready::Random { of_256: 30, seed: 3 }] {
        device.simulation().set_ready(P1, pattern);
        sent.iter().for_each(|frame| device.simulation().send(P0, frame.clone()));
        settle(&mut device);
        assert_eq!(received(&mut device, P1), sent);
    }
    // An output that takes nothing for a long time: nothing is lost, and all goes on afterwards.
    device.simulation().set_ready(P1, Ready::Never);
    sent.iter().for_each(|frame| device.simulation().send(P0, frame.clone()));
    device.simulation().skip(20_000);
    device.simulation().set_ready(P1, Ready::Always);
    settle(&mut device);
    assert_eq!(received(&mut device, P1), sent);
}

/// Clocks between the first beat that leaves and the last, of so many frames that are looked up `passes` times.
fn clocks(passes: u8, length: usize, frames: u16) -> u64 {
    let (mut device, mut rules) = start();
    chain(&mut device, &mut rules, P0, passes, &[Step::output(1 << P1)]);
    (0..frames).for_each(|number| device.simulation().send(P0, udp(length, number)));
    settle(&mut device);
    let received: Vec<_> = std::iter::from_fn(|| device.simulation().recv(P1)).collect();
    assert_eq!(received.len(), usize::from(frames));
    received[received.len() - 1].cycle - received[0].first_cycle + 1
}

#[test]
fn a_pass_costs_a_lookup_and_nothing_else() {
    const FRAMES: u16 = 2000;
    for (passes, length, beats) in
        [(1, 60, 1), (2, 60, 1), (3, 60, 1), (8, 60, 1), (2, 128, 2), (3, 180, 3), (8, 512, 8)]
    {
        let clocks = clocks(passes, length, FRAMES);
        let lookups = u64::from(FRAMES) * u64::from(passes).max(beats);
        assert!(clocks <= lookups * 103 / 100 + 100, "{passes} passes, {length} bytes: {clocks} clocks for {lookups}");
    }
}

#[test]
fn a_device_of_one_pass_refuses_such_rules() {
    let mut device = Embedded::new(Preset::W128).unwrap();
    let mut rules = Rules::new(&mut device).unwrap();
    let key = Key { in_port: 1, ..Key::ZERO };
    let spec = |key| RuleSpec { key, mask: BY_PASS, priority: 1, placement: Placement::Hash };
    let refused = rules.insert(&mut device, &spec(key), &[Step::look_again(1, 1)]);
    assert!(matches!(refused, Err(RuleError::OnePass)), "{refused:?}");
    let refused = rules.insert(&mut device, &spec(Key { pass: 1, ..key }), &[Step::DROP]);
    assert!(matches!(refused, Err(RuleError::OnePass)), "{refused:?}");
}
