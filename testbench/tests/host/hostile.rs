// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests that break every rule: see `millrace_testbench::hostile`. `cargo xtask fuzz hostile` goes on for longer.

use millrace_testbench::hostile::{Case, Op, drawn, fuzz, kept, resets, run};

/// Set `MILLRACE_SEED` for other cases.
fn seed() -> u64 {
    let seed = std::env::var("MILLRACE_SEED").map_or(1, |text| text.parse().expect("MILLRACE_SEED is a number"));
    println!("seed {seed}");
    seed
}

#[test]
fn kept_cases_of_hostile_guests_do_no_harm() {
    for (path, case) in kept().expect("the folder of kept cases") {
        run(&case).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
    }
}

#[test]
fn a_hundred_thousand_operations_of_hostile_guests_do_no_harm() {
    let done = fuzz(100_000, seed(), |_| {}).unwrap();
    println!("{done:?}");
    // All reasons but the last, which is that of memory which refuses: `faults` has it.
    assert!(done.faults[1..11].iter().all(|count| *count > 0), "reasons that are not told: {:?}", done.faults);
    assert!(done.frames > 5_000 && done.sent > 200, "{done:?}");
}

#[test]
fn neighbours_get_the_same_frames_as_without_hostile_guests() {
    let case = drawn(seed(), 0, 2_000);
    let alone = Case {
        ops: case.ops.iter().filter(|op| !matches!(op, Op::Guest { .. } | Op::Revive { .. })).cloned().collect(),
        ..case.clone()
    };
    let (with, without) = (run(&case).unwrap(), run(&alone).unwrap());
    assert!(with.frames > 100 && with.faults != without.faults);
    assert_eq!((with.frames, with.digest), (without.frames, without.digest));
}

#[test]
fn resets_under_traffic_disturb_nobody_and_leak_nothing() {
    for seed in 0..2 {
        let done = resets(16, seed).unwrap();
        assert_eq!((done.functions, done.queues), (16, 16));
    }
}
