// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager on a device whose tables can be looked into after every write.

// Each test uses some of them.
#[allow(dead_code)]
mod bench;
#[allow(dead_code)]
mod fake;

use bench::{Bench, EXACT, MASKS, key, op, small};
use fake::{Fake, PACKET_BYTES, Watch};
use millrace_driver::{Choice, Count, Device, DeviceError, Others, Owner, Placement, RuleError, RuleSpec, Rules};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Command, Key, Mask, Step, Verdict, addr};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Keys and steps of the device may be longer than the driver's.
    #[test]
    fn every_live_rule_is_found_at_every_moment(
        ops in prop::collection::vec(op(), 1..400),
        longer in prop::sample::select(vec![(0, 0), (1, 1), (16, 41)]),
    ) {
        let mut device = Fake::new(small());
        device.key_words += longer.0;
        device.step_words += longer.1;
        let mut bench = Bench::of(device);
        for op in &ops {
            bench.apply(op);
        }
        bench.finish();
    }
}

fn spec(n: u16, mask: Mask, placement: Placement) -> RuleSpec {
    RuleSpec { key: key(n), mask, priority: n, placement }
}

#[test]
fn table_of_2048_takes_95_percent_and_survives_churn_at_that_load() {
    let config = Config { hash_tables: 1, slots_log2: 9, ..Preset::Sim.config() };
    let mut device = Fake::new(config);
    device.traffic = false;
    let mut rules = Rules::new(&mut device).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let spec = |n: u32| RuleSpec {
        key: Key { nw_src: n.into(), tp_src: (n % 7) as u16, ..Key::default() },
        mask: EXACT,
        priority: 0,
        placement: Placement::Hash,
    };
    let program = |n: u32| [Step::output(n.into())];
    let watch = |n: u32| Watch { packet: spec(n).key, allowed: vec![(0, program(n).into())] };
    let mut live = Vec::new();
    for n in 0..1945 {
        let id = rules.insert(&mut device, &spec(n), &program(n)).unwrap();
        device.watches.push(watch(n));
        live.push((n, id));
    }
    for n in 10_000..10_150 {
        let at = rng.random_range(0..live.len());
        let (old, id) = live.swap_remove(at);
        device.watches.retain(|watch| watch.packet != spec(old).key);
        rules.delete(&mut device, id).unwrap();
        device.wait(2_000_000);
        live.push((n, rules.insert(&mut device, &spec(n), &program(n)).unwrap()));
        device.watches.push(watch(n));
    }
    assert_eq!(rules.take_events(&mut device).unwrap(), 0);
}

#[test]
fn full_table_is_an_error_that_names_it_and_changes_nothing() {
    let mut bench = Bench::new(Config { hash_tables: 1, tcam_entries: 1, ..small() });
    let mut n = 0;
    let error = loop {
        match bench.insert(spec(n, EXACT, Placement::Hash), 1) {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(n >= 29, "{n} of 32");
    assert!(error.to_string().starts_with(&format!("hash table 0 is full: {n} rules in 32 slots")), "{error}");
    let writes = bench.device.writes;
    assert!(matches!(
        bench.insert(spec(n, EXACT, Placement::Hash), 1),
        Err(RuleError::TableFull { table: 0, capacity: 32, .. })
    ));
    assert!(matches!(bench.insert(spec(500, MASKS[1], Placement::Hash), 1), Err(RuleError::NoFreeTable { tables: 1 })));
    assert_eq!(bench.device.writes, writes, "a refused rule wrote registers");
    // Auto goes on in the TCAM, and then reports the table.
    bench.insert(spec(500, MASKS[1], Placement::Auto), 1).unwrap();
    assert!(matches!(bench.insert(spec(n, EXACT, Placement::Auto), 1), Err(RuleError::TableFull { table: 0, .. })));
    assert!(matches!(bench.insert(spec(n, EXACT, Placement::Tcam), 1), Err(RuleError::TcamFull { capacity: 1 })));
    bench.check_listing();
}

#[test]
fn table_that_lost_its_last_rule_takes_another_mask() {
    let mut bench = Bench::new(Config { hash_tables: 1, ..small() });
    let first = bench.insert(spec(1, MASKS[1], Placement::Hash), 1).unwrap();
    assert!(bench.insert(spec(2, MASKS[2], Placement::Hash), 1).is_err());
    bench.delete(0).unwrap();
    bench.insert(spec(2, MASKS[2], Placement::Hash), 1).unwrap();
    assert_eq!(bench.rules.tables().next().unwrap().mask, Some(MASKS[2]));
    assert!(matches!(bench.rules.delete(&mut bench.device, first), Err(RuleError::NoSuchRule(_))));
}

#[test]
fn rules_share_a_table_when_none_is_left_for_their_masks() {
    let mut bench = Bench::new(Config { hash_tables: 3, tcam_entries: 1, ..small() });
    let dst = |nw_dst| Mask { nw_dst, ..Mask::ZERO };
    let widest = dst(0xffff_ffff);
    let wanted = [
        // A table each, but not the last; then the TCAM.
        (dst(0xf0), dst(0xf0), Placement::Auto),
        (dst(0xf00), dst(0xf00), Placement::Auto),
        (dst(0xf000), dst(0xf000), Placement::Tcam),
        // All that is left is for the mask that covers the others.
        (dst(0xf), widest, Placement::Auto),
        (dst(0xf_0000), widest, Placement::Auto),
        // A mask that has its table is not narrowed.
        (dst(0xf00), dst(0xf00), Placement::Auto),
    ];
    for ((wanted, mask, placement), n) in wanted.into_iter().zip(0..) {
        let choice = Choice { mask, placement };
        assert_eq!(bench.rules.choose(&wanted, &widest), Some(choice), "{wanted:?}");
        bench.insert(spec(n, mask, placement), 1).unwrap();
    }
    // No table covers it.
    assert_eq!(bench.rules.choose(&Mask { tp_dst: 1, ..widest }, &widest), None);
    bench.check_listing();
}

#[test]
fn second_table_takes_the_overflow_of_the_first() {
    let mut bench = Bench::new(Config { hash_tables: 2, ..small() });
    for n in 0..58 {
        bench.insert(spec(n, EXACT, Placement::Hash), 1).unwrap();
    }
    assert!(bench.rules.tables().all(|table| table.rules >= 25 && table.mask == Some(EXACT)));
    assert!(matches!(bench.insert(spec(3, EXACT, Placement::Hash), 1), Err(RuleError::Duplicate(_))));
}

#[test]
fn program_that_the_device_cannot_hold_is_refused() {
    let mut bench = Bench::new(small());
    let spec = spec(1, EXACT, Placement::Auto);
    let mut insert = |program: &[Step]| bench.rules.insert(&mut bench.device, &spec, program).unwrap_err().to_string();
    assert_eq!(insert(&[]), "the action program has no step");
    assert_eq!(insert(&[Step::DROP; 18]), "the action program has 18 steps, the device holds at most 17");
    let tags = Step { vlan_push: 3, ..Step::DROP };
    assert_eq!(insert(&[Step::DROP, tags]), "step 1 of the action program pops or pushes more than two VLAN tags");
}

#[test]
fn reused_id_starts_with_counters_at_zero() {
    let config = Config { hash_tables: 1, slots_log2: 0, tcam_entries: 0, ..small() };
    let mut bench = Bench::new(config);
    for round in 0..20 {
        for n in 0..4 {
            bench.insert(spec(4 * round + n, EXACT, Placement::Hash), 2).unwrap();
        }
        (0..4).for_each(|at| bench.check_counters(at));
        (0..4).for_each(|_| bench.delete(0).unwrap());
        bench.device.wait(0);
    }
}

#[test]
fn freed_id_rests_while_packets_may_refer_to_it_however_long() {
    let config = Config { hash_tables: 1, slots_log2: 0, tcam_entries: 0, ..small() };
    let mut bench = Bench::new(config);
    for n in 0..4 {
        bench.insert(spec(n, EXACT, Placement::Hash), 1).unwrap();
    }
    bench.device.blocked = true;
    while bench.device.in_flight() == 0 {
        bench.device.check();
    }
    bench.delete(0).unwrap();
    for _ in 0..5_000 {
        bench.device.poll().unwrap();
    }
    let error = bench.insert(spec(9, EXACT, Placement::Hash), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no rule id to be had: of 4, 1 are free, but packets in the device may still refer to them"
    );
    bench.device.wait(0);
    bench.insert(spec(9, EXACT, Placement::Hash), 1).unwrap();
}

#[test]
fn last_count_of_a_deleted_rule_holds_the_packets_that_were_in_flight() {
    let mut bench = Bench::new(small());
    let rule = bench.insert(spec(1, EXACT, Placement::Hash), 1).unwrap();
    bench.device.blocked = true;
    while bench.device.in_flight() < 5 {
        bench.device.check();
    }
    assert_eq!(bench.rules.counters(&mut bench.device, rule).unwrap().packets, 0);
    bench.delete(0).unwrap();
    bench.rules.settle(&mut bench.device).unwrap();
    assert_eq!(bench.rules.last_counts().count(), 0, "they are in the device");
    bench.device.wait(0);
    bench.rules.settle(&mut bench.device).unwrap();
    let count = Count { packets: 5, bytes: 5 * PACKET_BYTES };
    assert_eq!(bench.rules.last_counts().collect::<Vec<_>>(), [(rule, count)]);
    bench.rules.settle(&mut bench.device).unwrap();
    assert_eq!(bench.rules.last_counts().count(), 0, "once");
}

#[test]
fn priority_that_could_not_be_changed_leaves_no_copy_in_the_tcam() {
    let writes_of_a_change = {
        let mut bench = Bench::new(small());
        bench.insert(spec(1, MASKS[1], Placement::Tcam), 1).unwrap();
        let before = bench.device.writes;
        bench.set_priority(0, 700).unwrap();
        bench.device.writes - before
    };
    for cut in 1..=writes_of_a_change {
        let mut bench = Bench::new(small());
        bench.insert(spec(1, MASKS[1], Placement::Tcam), 1).unwrap();
        bench.device.fail_in = Some(cut as u32);
        bench.set_priority(0, 700).unwrap_err();
        let packet = bench.live[0].packet;
        bench.delete(0).unwrap();
        assert_eq!(bench.device.lookup(&packet), None, "write {cut} of {writes_of_a_change} failed");
    }
}

#[test]
fn new_manager_clears_what_the_old_one_left() {
    let mut bench = Bench::new(small());
    for n in 0..20 {
        bench.insert(spec(n, MASKS[usize::from(n) % 2], Placement::Auto), 1).unwrap();
        bench.insert(spec(100 + n, MASKS[4], Placement::Tcam), 1).ok();
    }
    bench.device.watches.clear();
    bench.device.wait(0);
    let packets: Vec<Key> = bench.live.iter().map(|rule| rule.packet).collect();
    let mut device = bench.device;
    let mut rules = Rules::new(&mut device).unwrap();
    assert!(packets.iter().all(|packet| device.lookup(packet).is_none()));
    let id = rules.insert(&mut device, &spec(1, EXACT, Placement::Hash), &[Step::DROP]).unwrap();
    assert_eq!(rules.counters(&mut device, id).unwrap().packets, 0);
}

#[test]
fn tables_of_another_are_left_alone_unless_they_are_to_be_taken_over() {
    let mut device = Fake::new(small());
    let [first, second] = [1, 2].map(|number| Owner::new(number).unwrap());
    let mut theirs = Rules::with_owner(&mut device, first, Others::Refuse).unwrap();
    let theirs_spec = spec(1, EXACT, Placement::Hash);
    theirs.insert(&mut device, &theirs_spec, &[Step::output(1)]).unwrap();
    for others in [Others::Refuse, Others::default()] {
        let refused = Rules::with_owner(&mut device, second, others).err().unwrap();
        assert!(matches!(refused, DeviceError::Owned { owner: 1 }), "{refused}");
    }
    let refused = Rules::new(&mut device).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the device's tables belong to owner 0x00000001, which is at work or has left them: its rules are not touched unless they are to be taken over"
    );
    assert!(device.lookup(&theirs_spec.key).is_some());
    theirs.check_owner(&mut device).unwrap();
    let ours = Rules::with_owner(&mut device, second, Others::TakeOver).unwrap();
    assert_eq!(device.lookup(&theirs_spec.key), None);
    ours.check_owner(&mut device).unwrap();
    let lost = theirs.check_owner(&mut device).unwrap_err();
    assert!(matches!(lost, DeviceError::TablesLost { owner: 2 }), "{lost}");
    assert!(theirs.release(&mut device).is_err(), "only the owner releases");
    ours.release(&mut device).unwrap();
    Rules::with_owner(&mut device, first, Others::Refuse).unwrap();
}

#[test]
fn an_owner_that_starts_again_loses_its_first_run_and_its_rules() {
    let mut device = Fake::new(small());
    let mut first = Rules::new(&mut device).unwrap();
    first.insert(&mut device, &spec(1, EXACT, Placement::Tcam), &[Step::output(1)]).unwrap();
    let second = Rules::new(&mut device).unwrap();
    assert_eq!(device.lookup(&key(1)), None);
    assert!(matches!(first.check_owner(&mut device), Err(DeviceError::TablesLost { .. })));
    second.check_owner(&mut device).unwrap();
}

#[test]
fn free_tables_are_cleared_only_if_somebody_wrote_to_them() {
    let mut device = Fake::new(small());
    let clears = |device: &mut Fake| {
        let before = device.read32(addr::GENERATION).unwrap() & 0xffff;
        drop(Rules::new(device).unwrap());
        device.read32(addr::GENERATION).unwrap() & 0xffff == before + 2
    };
    assert!(!clears(&mut device), "fresh from reset");
    device.write32(addr::OWNER, 0).unwrap();
    device.write32(addr::COMMAND, Command::WriteStep.word(0)).unwrap();
    while device.read32(addr::STATUS).unwrap() != 0 {}
    assert!(clears(&mut device));
}

#[test]
fn devices_of_another_major_version_are_refused() {
    for (version, accepted) in [(0x0002_0000, true), (0x0002_0001, true), (0x0001_0001, false), (0x0003_0000, false)] {
        let mut device = Fake::new(small());
        device.version = version;
        match Rules::new(&mut device).err() {
            None => assert!(accepted, "{version:#x}"),
            Some(error) => {
                assert!(!accepted && error.to_string().ends_with("this driver needs 2.0 or a later 2"), "{error}");
            }
        }
    }
}

#[test]
fn devices_whose_keys_or_steps_the_driver_cannot_write_are_refused() {
    for (key_words, step_words, refused) in [
        (15, 21, None),
        (31, 62, None),
        (14, 21, Some("a key shorter than the contract has it")),
        (40, 21, Some("a key longer than the staging words have room for")),
        (15, 20, Some("a step shorter than the contract has it")),
        (15, 63, Some("a step longer than the staging words have room for")),
    ] {
        let mut device = Fake::new(small());
        (device.key_words, device.step_words) = (key_words, step_words);
        let value = device.read32(addr::CONFIG5).unwrap();
        let error = Rules::new(&mut device).err().map(|error| error.to_string());
        assert_eq!(error, refused.map(|problem| format!("register CONFIG5 reads {value:#010x}: {problem}")));
    }
}

#[test]
fn verdict_counters_of_the_right_vport_are_read() {
    let mut bench = Bench::new(small());
    let verdicts = bench.rules.verdicts(&mut bench.device, 11).unwrap();
    assert_eq!(verdicts.iter().count(), Verdict::ALL.len());
    for (verdict, count) in verdicts.iter() {
        let index = u64::from(11 * 16 + verdict as u32);
        assert_eq!((count.packets, count.bytes), (index, 1 << 32 | (index + 1)), "{}", verdict.name());
    }
    assert_eq!(verdicts[Verdict::DropRule].packets, 186);
}

#[test]
fn second_insert_of_a_like_rule_writes_few_registers() {
    let mut device = Fake::new(small());
    let mut rules = Rules::new(&mut device).unwrap();
    let spec = |n: u128| RuleSpec {
        key: Key { dl_type: 0x0800, nw_dst: 0x0a00_0000 + n, ..Key::default() },
        mask: MASKS[1],
        priority: 10,
        placement: Placement::Hash,
    };
    rules.insert(&mut device, &spec(0), &[Step::output(2)]).unwrap();
    let before = device.writes;
    rules.insert(&mut device, &spec(1), &[Step::output(2)]).unwrap();
    let writes = device.writes - before;
    assert!(writes <= 15, "{writes} writes");
}
