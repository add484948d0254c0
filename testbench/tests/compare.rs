// SPDX-License-Identifier: MIT OR Apache-2.0
//! RTL against reference model: cases that failed once, and drawn ones.

use millrace_regs::config::Preset;
use millrace_testbench::compare::run;
use millrace_testbench::compare::soak::{Failing, Length, kept_cases, soak};
use std::fs;

/// Set `MILLRACE_SEED` for other cases.
fn seed() -> u64 {
    let seed = std::env::var("MILLRACE_SEED").map_or(1, |text| text.parse().expect("MILLRACE_SEED is a number"));
    println!("seed {seed}");
    seed
}

#[test]
fn cases_that_failed_once_pass() {
    for entry in fs::read_dir(kept_cases()).expect("the folder of kept cases") {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let preset = name.split('-').next().unwrap().parse().expect("the name begins with a preset");
            let case = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if let Err(error) = run(&case, preset) {
                panic!("{name}: {error:#}");
            }
        }
    }
}

#[test]
fn twenty_thousand_packets_on_the_sim_preset_show_no_difference() {
    soak(Preset::Sim, 20_000, seed(), Length::Short, Failing::Keep, |_| {}).unwrap();
}

#[test]
fn two_thousand_packets_at_every_other_bus_width_show_no_difference() {
    for preset in Preset::SIMULATED.into_iter().filter(|preset| *preset != Preset::Sim) {
        println!("{preset}");
        soak(preset, 2_000, seed(), Length::Short, Failing::Keep, |_| {}).unwrap();
    }
}
