// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager on the simulated core, with frames going through.

use millrace_driver::{Device, Place, Placement, RuleError, RuleSpec, Rules, Sent};
use millrace_regs::config::Preset;
use millrace_regs::{Command, Key, Mask, Step, UpcallReason, Verdict, addr};
use millrace_sim::{Embedded, Ready};

const LIMIT: u64 = 1_000_000;

/// Ethernet, IPv4, UDP; 60 bytes.
fn udp(destination: u32, port: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1]);
    frame.extend(destination.to_be_bytes());
    frame.extend(4000_u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend([0, 26, 0, 0]);
    frame.resize(60, 0xa5);
    frame
}

const BY_DESTINATION: Mask = Mask { dl_type: 0xffff, nw_dst: 0xffff_ffff, ..Mask::ZERO };

fn to(destination: u32, placement: Placement) -> RuleSpec {
    let key = Key { dl_type: 0x0800, nw_dst: destination.into(), ..Key::default() };
    RuleSpec { key, mask: BY_DESTINATION, priority: 10, placement }
}

fn start(preset: Preset) -> (Embedded, Rules) {
    println!("preset {preset}");
    let mut device = Embedded::new(preset).unwrap();
    let rules = Rules::new(&mut device).unwrap();
    (device, rules)
}

fn settle(device: &mut Embedded) {
    assert!(device.simulation().run_until_idle(LIMIT), "the core does not come to rest");
}

fn received(device: &mut Embedded, vport: usize) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| device.simulation().recv(vport)).map(|received| received.frame).collect()
}

#[test]
fn missed_frame_goes_to_the_slow_path_and_out_through_a_representor() {
    for preset in Preset::SIMULATED {
        let (mut device, mut rules) = start(preset);
        device.simulation().send(0, udp(0x0a00_0002, 53));
        settle(&mut device);
        let upcall = device.recv_upcall().expect("an upcall");
        assert_eq!((upcall.vport, upcall.reason), (0, UpcallReason::Miss));
        assert_eq!(upcall.frame, udp(0x0a00_0002, 53));
        assert_eq!(device.recv_upcall(), None);
        assert_eq!(device.send_packet_out(3, &upcall.frame).unwrap(), Sent::Accepted);
        settle(&mut device);
        assert_eq!(received(&mut device, 3), [udp(0x0a00_0002, 53)]);
        let (p0, vf0) = (rules.verdicts(&mut device, 0).unwrap(), rules.verdicts(&mut device, 3).unwrap());
        assert_eq!((p0[Verdict::Miss].packets, p0[Verdict::Miss].bytes), (1, 60));
        assert_eq!((vf0[Verdict::PacketOut].packets, vf0[Verdict::PacketOut].bytes), (1, 60));
        let queue = rules.queue_stats(&mut device, 3).unwrap();
        assert_eq!((queue.packets, queue.bytes, queue.drops), (1, 60, 0));
    }
}

#[test]
fn full_packet_out_stream_is_reported() {
    for preset in Preset::SIMULATED {
        let (mut device, _) = start(preset);
        let frame = udp(1, 1);
        let mut accepted = 0;
        while device.send_packet_out(1, &frame).unwrap() == Sent::Accepted {
            accepted += 1;
            assert!(accepted < 10_000);
        }
        settle(&mut device);
        assert_eq!(received(&mut device, 1).len(), accepted);
        assert_eq!(device.send_packet_out(1, &frame).unwrap(), Sent::Accepted);
    }
}

#[test]
fn rules_in_hash_table_and_tcam_forward_and_count() {
    for preset in Preset::SIMULATED {
        let (mut device, mut rules) = start(preset);
        let hash = rules.insert(&mut device, &to(1, Placement::Hash), &[Step::output(1 << 2)]).unwrap();
        let tcam = rules.insert(&mut device, &to(2, Placement::Tcam), &[Step::output(1 << 3)]).unwrap();
        let drop = rules.insert(&mut device, &to(3, Placement::Auto), &[Step::DROP]).unwrap();
        for destination in [1, 2, 1, 3, 1] {
            device.simulation().send(0, udp(destination, 9));
        }
        settle(&mut device);
        assert_eq!(received(&mut device, 2), [udp(1, 9), udp(1, 9), udp(1, 9)]);
        assert_eq!(received(&mut device, 3), [udp(2, 9)]);
        assert_eq!(device.recv_upcall(), None);
        for (rule, packets) in [(hash, 3), (tcam, 1), (drop, 1)] {
            let counters = rules.counters(&mut device, rule).unwrap();
            assert_eq!((counters.packets, counters.bytes), (packets, 60 * packets));
            assert_eq!((counters.epoch, counters.hit), (Some(1), true));
        }
        let verdicts = rules.verdicts(&mut device, 0).unwrap();
        assert_eq!((verdicts[Verdict::Hit].packets, verdicts[Verdict::DropRule].packets), (4, 1));
        rules.set_epoch(&mut device, 2).unwrap();
        device.simulation().send(0, udp(2, 9));
        settle(&mut device);
        assert!(!rules.counters(&mut device, hash).unwrap().hit);
        assert_eq!(rules.counters(&mut device, tcam).unwrap().epoch, Some(2));

        rules.delete(&mut device, hash).unwrap();
        rules.delete(&mut device, tcam).unwrap();
        device.simulation().send(0, udp(1, 9));
        device.simulation().send(0, udp(2, 9));
        settle(&mut device);
        assert_eq!((device.recv_upcall().is_some(), device.recv_upcall().is_some()), (true, true));
        assert_eq!(rules.take_events(&mut device).unwrap(), 0);
    }
}

#[test]
fn programs_are_replaced_whole_under_traffic() {
    for preset in Preset::SIMULATED {
        let (mut device, mut rules) = start(preset);
        // Each program puts out the same mark on ports 1, 2 and 3, one step each.
        let program = |mark: u64| -> Vec<Step> {
            (1..4).map(|port| Step { set_dl_dst: true, dl_dst: mark, ..Step::output(1 << port) }).collect()
        };
        let rule = rules.insert(&mut device, &to(1, Placement::Hash), &program(0)).unwrap();
        let (updates, frames) = (60, 6_000);
        for _ in 0..frames {
            device.simulation().send(0, udp(1, 9));
        }
        for mark in 1..=updates {
            while let Err(error) = rules.update(&mut device, rule, &program(mark)) {
                // So few are there that all rest until the frames that may read them are through.
                assert!(matches!(error, RuleError::NoSteps { capacity: ..=32, .. }), "{error}");
                device.poll().unwrap();
            }
        }
        assert!(device.simulation().pending(0) > 0, "the updates took longer than the traffic");
        settle(&mut device);
        let mark = |frame: &Vec<u8>| frame[..6].iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte));
        let marks: [Vec<u64>; 3] = std::array::from_fn(|i| received(&mut device, 1 + i).iter().map(mark).collect());
        assert_eq!(marks[0].len(), frames);
        assert!(marks[0] == marks[1] && marks[1] == marks[2], "a packet saw parts of two programs");
        assert!(marks[0].is_sorted() && marks[0].contains(&(updates / 2)));
        assert_eq!(device.recv_upcall(), None);
    }
}

/// What a new manager may find.
#[derive(Debug, PartialEq)]
enum Left {
    /// The rules of one before it.
    Rules,
    /// A device that was reset, bitstream and memories as they were.
    Reset,
}

#[test]
fn no_rule_that_was_there_before_a_new_manager_or_a_reset_is_hit_again() {
    for preset in Preset::SIMULATED {
        for left in [Left::Rules, Left::Reset] {
            println!("{left:?}");
            let (mut device, mut rules) = start(preset);
            let program = [Step::output(1 << 1), Step::output(1 << 2)];
            for n in 0..40 {
                rules.insert(&mut device, &to(n, Placement::Hash), &program[..=(n % 8 / 7) as usize]).unwrap();
            }
            for n in 40..44 {
                rules.insert(&mut device, &to(n, Placement::Tcam), &program).unwrap();
            }
            let send_all = |device: &mut Embedded| {
                (0..44).for_each(|n| device.simulation().send(0, udp(n, 9)));
                settle(device);
                let upcalls = std::iter::from_fn(|| device.recv_upcall()).count();
                (upcalls, received(device, 1).len(), received(device, 2).len())
            };
            assert_eq!(send_all(&mut device), (0, 44, 9));
            assert_eq!(rules.verdicts(&mut device, 0).unwrap()[Verdict::Hit].packets, 44);
            let before = device.read32(addr::GENERATION).unwrap();
            if left == Left::Reset {
                device.simulation().reset();
                assert!(rules.check_owner(&mut device).is_err());
            }
            let mut rules = Rules::new(&mut device).unwrap();
            let generation = if left == Left::Reset { 1 } else { (before + 1) & 0xffff };
            assert_eq!(device.read32(addr::GENERATION).unwrap(), generation);
            assert_eq!(send_all(&mut device), (44, 0, 0));
            // The table has its mask again, and the rule the id and the counter of an old one.
            let rule = rules.insert(&mut device, &to(44, Placement::Hash), &program[..1]).unwrap();
            let other = rules.insert(&mut device, &to(45, Placement::Tcam), &program).unwrap();
            assert_eq!(send_all(&mut device), (44, 0, 0), "{left:?}");
            (44..46).for_each(|n| device.simulation().send(0, udp(n, 9)));
            settle(&mut device);
            for rule in [rule, other] {
                let counters = rules.counters(&mut device, rule).unwrap();
                assert_eq!((counters.packets, counters.bytes), (1, 60));
            }
            let verdicts = rules.verdicts(&mut device, 0).unwrap();
            assert_eq!((verdicts[Verdict::Hit].packets, verdicts[Verdict::Miss].packets), (2, 88));
            assert_eq!(rules.take_events(&mut device).unwrap(), 0);
            rules.check_owner(&mut device).unwrap();
        }
    }
}

fn clear_tables(device: &mut Embedded) {
    device.write32(addr::COMMAND, Command::ClearTables.word(0)).unwrap();
}

fn busy(device: &mut Embedded) -> bool {
    device.read32(addr::STATUS).unwrap() != 0
}

#[test]
fn each_frame_under_way_when_the_tables_are_cleared_hits_wholly_or_misses() {
    for preset in Preset::SIMULATED {
        let (mut device, mut rules) = start(preset);
        let program = [Step::output(1 << 1), Step::output(1 << 2)];
        rules.insert(&mut device, &to(1, Placement::Hash), &program).unwrap();
        rules.insert(&mut device, &to(2, Placement::Tcam), &program).unwrap();
        let frames = 400;
        (0..frames).for_each(|n| device.simulation().send(0, udp(1 + n % 2, n as u16)));
        while device.simulation().received(2) < 50 {
            device.poll().unwrap();
        }
        clear_tables(&mut device);
        let cleared_at = device.simulation().cycle();
        settle(&mut device);
        assert!(!busy(&mut device));
        let port = |frame: &Vec<u8>| u16::from_be_bytes([frame[36], frame[37]]);
        let hits: Vec<u16> = received(&mut device, 1).iter().map(port).collect();
        let second: Vec<u16> = received(&mut device, 2).iter().map(port).collect();
        let upcalls: Vec<u16> = std::iter::from_fn(|| device.recv_upcall()).map(|upcall| port(&upcall.frame)).collect();
        println!("{} hits, {} misses from cycle {cleared_at}", hits.len(), upcalls.len());
        assert_eq!(hits, second, "a program ended half way");
        assert!(hits.len() >= 50 && upcalls.len() >= 50);
        assert!(hits.iter().chain(&upcalls).copied().eq(0..frames as u16), "all before, then all after");
        let verdicts = rules.verdicts(&mut device, 0).unwrap();
        assert_eq!((verdicts[Verdict::Hit].packets, verdicts[Verdict::Miss].packets), (0, upcalls.len() as u64));
    }
}

#[test]
fn a_full_queue_holds_up_a_clear_only_if_it_pushes_back() {
    for preset in Preset::SIMULATED {
        for drop in [false, true] {
            let (mut device, mut rules) = start(preset);
            rules.insert(&mut device, &to(1, Placement::Hash), &[Step::output(1 << 1)]).unwrap();
            rules.set_drop_when_full(&mut device, 1, drop).unwrap();
            device.simulation().set_ready(1, Ready::Never);
            // Short ones: long ones stop when their payloads have no room, with all programs at their end.
            let frames = 6_000;
            (0..frames).for_each(|n| device.simulation().send(0, udp(1, n as u16)));
            // Half of them enter, or fewer if they stop to.
            let (mut left, mut unchanged) = (frames, 0);
            while left > frames / 2 && unchanged < 1_000 {
                device.poll().unwrap();
                let before = std::mem::replace(&mut left, device.simulation().pending(0));
                unchanged = if left == before { unchanged + 1 } else { 0 };
            }
            clear_tables(&mut device);
            (0..20_000).for_each(|_| device.poll().unwrap());
            assert_eq!(busy(&mut device), !drop, "{preset}, {left} of {frames} left");
            // Registers other than `DATA` can be written meanwhile.
            device.write32(addr::INDEX, 7).unwrap();
            device.simulation().set_ready(1, Ready::Always);
            settle(&mut device);
            assert!(!busy(&mut device));
            let drops = rules.queue_stats(&mut device, 1).unwrap().drops as usize;
            let (out, upcalls) = (received(&mut device, 1).len(), std::iter::from_fn(|| device.recv_upcall()).count());
            assert!(drop == (drops > 0) && upcalls > 0, "{drops} dropped, {upcalls} upcalls");
            assert_eq!(drops + out + upcalls, frames);
        }
    }
}

#[test]
fn no_frame_misses_while_a_table_is_filled_to_95_percent() {
    for preset in Preset::SIMULATED {
        let (mut device, mut rules) = start(preset);
        let config = *rules.config();
        // Other masks take the other tables.
        for n in 1..config.hash_tables {
            let mask = Mask { tp_dst: 1 << n, ..BY_DESTINATION };
            rules.insert(&mut device, &RuleSpec { mask, ..to(!0, Placement::Hash) }, &[Step::DROP]).unwrap();
        }
        let count = (config.table_rules() * 95 / 100) as u32;
        let ports = config.vports() as u32 - 1;
        let port = |n: u32| 1 + n % ports;
        let mut sent = 0;
        let mut placed = Vec::new();
        for n in 0..count {
            let id = rules.insert(&mut device, &to(n, Placement::Hash), &[Step::output(1 << port(n))]).unwrap();
            let place = rules.place(id).unwrap();
            placed.push((id, place));
            assert!(matches!(place, Place::Hash { table, .. } if table as usize == config.hash_tables - 1));
            // A frame per clock while the next insertion moves rules about, which it hardly does before the table is half full.
            if n >= count / 2 && device.simulation().pending(0) < 600 {
                for i in 0..600 {
                    device.simulation().send(0, udp((n * 7919 + i * 613) % (n + 1), 9));
                    sent += 1;
                }
            }
        }
        settle(&mut device);
        assert_eq!(device.recv_upcall(), None, "a frame missed");
        let out: usize = (1..=ports).map(|port| received(&mut device, port as usize).len()).sum();
        assert_eq!(out, sent);
        assert_eq!(rules.take_events(&mut device).unwrap(), 0);
        let moved = placed.iter().filter(|(id, place)| rules.place(*id).unwrap() != *place).count();
        assert!(moved > count as usize / 19, "only {moved} rules were moved");
        // Each rule is where it should be.
        for n in 0..count {
            device.simulation().send(0, udp(n, 9));
        }
        settle(&mut device);
        for to in 1..=ports {
            let expected: Vec<_> = (0..count).filter(|n| port(*n) == to).map(|n| udp(n, 9)).collect();
            assert!(received(&mut device, to as usize) == expected, "port {to}");
        }
    }
}
