// SPDX-License-Identifier: MIT OR Apache-2.0
//! RTL against reference model: cases that are kept, and drawn ones.

use millrace_regs::config::Preset;
use millrace_testbench::compare::kept::{self, Kept};
use millrace_testbench::compare::mutant::Mutant;
use millrace_testbench::compare::soak::{Length, Soak, cases};
use millrace_testbench::compare::{run, run_clocked};
use proptest::strategy::ValueTree;

/// Set `MILLRACE_SEED` for other cases.
fn seed() -> u64 {
    let seed = std::env::var("MILLRACE_SEED").map_or(1, |text| text.parse().expect("MILLRACE_SEED is a number"));
    println!("seed {seed}");
    seed
}

#[test]
fn kept_cases_pass() {
    for (name, Kept { preset, case, .. }) in kept::all().expect("the folder of kept cases") {
        run(&case, preset, None).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
}

#[test]
fn each_fault_of_the_model_is_found_by_the_case_kept_for_it() {
    let all = kept::all().expect("the folder of kept cases");
    for mutant in Mutant::all() {
        let mut of_mutant = all.iter().filter(|(_, kept)| kept.mutant == Some(*mutant)).peekable();
        assert!(of_mutant.peek().is_some(), "no case: cargo xtask soak --mutant {}", mutant.name());
        for (name, Kept { preset, case, .. }) in of_mutant {
            assert!(run(case, *preset, Some(*mutant)).is_err(), "{name} does not find what it is kept for");
        }
    }
}

#[test]
fn twenty_thousand_packets_on_the_sim_preset_show_no_difference() {
    Soak::new(Preset::Sim, 20_000, seed()).run(|_| {}).unwrap();
}

#[test]
fn two_thousand_packets_at_every_other_bus_width_show_no_difference() {
    for preset in Preset::SIMULATED.into_iter().filter(|preset| *preset != Preset::Sim) {
        println!("{preset}");
        Soak::new(preset, 2_000, seed()).run(|_| {}).unwrap();
    }
}

#[test]
fn gated_clocks_change_no_frame_and_no_cycle() {
    for preset in Preset::SIMULATED {
        println!("{preset}");
        for tree in cases(preset, seed(), Length::Short).take(6) {
            let case = tree.unwrap().current();
            let gated = run_clocked(&case, preset, None, true).unwrap();
            let free = run_clocked(&case, preset, None, false).unwrap();
            assert_eq!(gated, free);
        }
    }
}
