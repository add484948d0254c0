// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager is killed, at any access, and another takes over what it left: on a device whose tables can be looked into after every
//! write.

#[allow(dead_code)]
mod bench;
#[allow(dead_code)]
mod fake;

use bench::{Bench, MASKS, Op, TakenOver, key, op, program, small};
use fake::Fake;
use millrace_driver::{Device, DeviceError, Image, Others, Owner, Placement, RuleSpec, Rules};
use millrace_regs::config::Config;
use millrace_regs::{Step, addr};
use proptest::prelude::*;
use std::fs;

/// An operation, and after how many accesses of it the manager is killed, and the next one.
type Killed = (Op, Option<(u32, Option<u32>)>);

fn killed() -> impl Strategy<Value = Killed> {
    let op =
        op().prop_filter("the process fails, not the device", |op| !matches!(op, Op::Cut { .. } | Op::Counters { .. }));
    let kill = (1..120_u32, proptest::option::of(1..60_u32));
    (op, proptest::option::weighted(0.2, kill))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_is_found_at_every_moment_whoever_is_killed(
        ops in prop::collection::vec(killed(), 1..200),
        longer in prop::sample::select(vec![(0, 0), (1, 1), (16, 41)]),
    ) {
        let mut device = Fake::new(small());
        device.key_words += longer.0;
        device.step_words += longer.1;
        let mut bench = Bench::with_image(device);
        for (op, kill) in &ops {
            bench.device.dies_in = kill.map(|(accesses, _)| accesses);
            bench.apply(op);
            if let Some((_, again)) = kill {
                bench.take_over(*again);
            }
        }
        bench.finish();
    }
}

/// Operations of every kind, on tables in which rules have to move.
fn script() -> Vec<Op> {
    let insert = |n: u16, placement| Op::Insert {
        key: 7 * n,
        mask: usize::from(n % 2),
        priority: n,
        placement,
        steps: 1 + usize::from(n % 3),
    };
    let mut ops: Vec<Op> = (0..14).map(|n| insert(n, Placement::Hash)).collect();
    ops.extend((14..17).map(|n| insert(n, Placement::Tcam)));
    for n in 0..6 {
        ops.push(Op::Update { which: 5 * n, steps: 1 + n % 3 });
        ops.push(Op::Priority { which: 14 - n, priority: 500 + n as u16 });
        ops.push(Op::Delete { which: 3 * n });
        ops.push(insert(20 + n as u16, Placement::Hash));
        ops.push(Op::Wait);
    }
    ops
}

#[test]
fn a_manager_may_be_killed_at_every_access() {
    let config = Config { hash_tables: 2, slots_log2: 1, tcam_entries: 4, steps_log2: 6, ..small() };
    let mut all = TakenOver::default();
    for kill in 1.. {
        let mut device = Fake::new(config);
        device.dies_in = Some(kill);
        let mut bench = Bench::with_image(device);
        for op in script() {
            bench.apply(&op);
            if bench.device.dead() {
                bench.take_over(None);
            }
        }
        let survived = bench.device.dies_in.is_some();
        bench.device.revive();
        bench.finish();
        let TakenOver { copies, done, undone } = bench.taken_over;
        all = TakenOver { copies: all.copies + copies, done: all.done + done, undone: all.undone + undone };
        if survived {
            println!("killed at each of {kill} accesses: {all:?}");
            assert!(kill > 1_000 && all.copies > 20 && all.done > 100 && all.undone > 500, "{kill} accesses: {all:?}");
            return;
        }
    }
}

const SPEC: fn(u16, Placement) -> RuleSpec =
    |n, placement| RuleSpec { key: key(n), mask: MASKS[1], priority: n, placement };

fn open(folder: &tempfile::TempDir) -> Image {
    Image::open(&folder.path().join("image")).unwrap()
}

/// A device with a rule, whose manager has gone.
fn left() -> (tempfile::TempDir, Fake) {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Fake::new(small());
    let (mut rules, _) = Rules::with_image(&mut device, open(&folder), Others::Refuse).unwrap();
    rules.insert(&mut device, &SPEC(1, Placement::Hash), &program(1, 0, 2)).unwrap();
    (folder, device)
}

#[test]
fn an_image_is_believed_only_of_the_tables_that_it_shows() {
    let take_over = |folder: &tempfile::TempDir, device: &mut Fake| {
        let (rules, found) = Rules::with_image(device, open(folder), Others::Refuse).unwrap();
        assert_eq!((rules.len(), device.entries()), (found.len(), found.len()));
        found.len()
    };
    let (folder, mut device) = left();
    assert_eq!(take_over(&folder, &mut device), 1);
    // A manager without an image has had the tables, and left a rule.
    let mut other = Rules::new(&mut device).unwrap();
    other.insert(&mut device, &SPEC(2, Placement::Tcam), &[Step::DROP]).unwrap();
    assert_eq!(take_over(&folder, &mut device), 0);
    // Another device, at the same generation.
    let (folder, _) = left();
    let (_, mut device) = left();
    assert_eq!(take_over(&folder, &mut device), 0);
    // No image at all.
    let (_, mut device) = left();
    assert_eq!(take_over(&tempfile::tempdir().unwrap(), &mut device), 0);
    // Of another time: half of it is there.
    let (folder, mut device) = left();
    let path = folder.path().join("image");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(take_over(&folder, &mut device), 0);
    // It was given back, empty.
    let (folder, mut device) = left();
    let (rules, _) = Rules::with_image(&mut device, open(&folder), Others::Refuse).unwrap();
    rules.release(&mut device).unwrap();
    assert_eq!((take_over(&folder, &mut device), device.read32(addr::OWNER).unwrap() >> 24), (0, 0x52));
}

#[test]
fn an_image_that_cannot_be_right_is_not_followed() {
    let (folder, mut device) = left();
    let path = folder.path().join("image");
    let mut bytes = fs::read(&path).unwrap();
    // The first slot that holds something has a bit in its key that its table does not look at.
    let is_entry = |at: &usize| bytes[4 * at..][..4] == [1, 0, 1, 0];
    let at = (128..bytes.len() / 4).find(is_entry).expect("an entry of priority 1") * 4;
    bytes[at + 8] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (rules, found) = Rules::with_image(&mut device, open(&folder), Others::Refuse).unwrap();
    assert_eq!((rules.len(), found.len(), device.entries()), (0, 0, 0));
}

#[test]
fn what_a_device_did_when_it_failed_is_not_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = Fake::new(small());
    let (mut rules, _) = Rules::with_image(&mut device, open(&folder), Others::Refuse).unwrap();
    let rule = rules.insert(&mut device, &SPEC(1, Placement::Hash), &program(1, 0, 1)).unwrap();
    rules.update(&mut device, rule, &program(1, 1, 1)).unwrap();
    let writes = device.writes;
    rules.update(&mut device, rule, &program(1, 3, 1)).unwrap();
    device.fail_in = Some((device.writes - writes) as u32);
    rules.update(&mut device, rule, &program(1, 2, 1)).unwrap_err();
    rules.insert(&mut device, &SPEC(2, Placement::Hash), &program(2, 0, 1)).unwrap();
    drop(rules);
    let (_, found) = Rules::with_image(&mut device, open(&folder), Others::Refuse).unwrap();
    assert_eq!((found.len(), device.entries()), (0, 0));
}

#[test]
fn tables_of_another_are_left_alone_with_an_image_too() {
    let (folder, mut device) = left();
    let other = Owner::new(7).unwrap();
    let refused = Rules::with_owner(&mut device, other, Others::Refuse).err().unwrap();
    assert!(matches!(refused, DeviceError::Owned { .. }), "{refused}");
    let theirs = Rules::with_owner(&mut device, other, Others::TakeOver).unwrap();
    let refused = Rules::with_image(&mut device, open(&folder), Others::Refuse).err().unwrap();
    assert!(matches!(refused, DeviceError::Owned { owner: 7 }), "{refused}");
    theirs.check_owner(&mut device).unwrap();
    let (_, found) = Rules::with_image(&mut device, open(&folder), Others::TakeOver).unwrap();
    assert!(found.is_empty());
    assert!(matches!(theirs.check_owner(&mut device), Err(DeviceError::TablesLost { .. })));
}
