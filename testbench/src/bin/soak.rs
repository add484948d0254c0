// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask soak`: RTL against reference model on any number of random packets.

use anyhow::Result;
use clap::Parser;
use millrace_regs::config::Preset;
use millrace_testbench::compare::mutant::Mutant;
use millrace_testbench::compare::soak::{Failing, Length, Soak};
use std::time::Instant;

/// Compares RTL and reference model on random packets, rules, and changes of rules under traffic.
#[derive(Parser)]
#[command(bin_name = "cargo xtask soak --")]
struct Arguments {
    /// Packets to send
    #[arg(long, default_value_t = 1_000_000)]
    packets: u64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Build of the hardware
    #[arg(long, default_value = "sim")]
    preset: Preset,
    /// Tell a failing case as it is, instead of making it small and keeping it
    #[arg(long)]
    as_it_is: bool,
    /// Give the reference model a fault first: the case that finds it is made small and kept
    #[arg(long)]
    mutant: Option<Mutant>,
}

fn main() -> Result<()> {
    let Arguments { packets, seed, preset, as_it_is, mutant } = Arguments::parse();
    let start = Instant::now();
    let mut reported = 0;
    let failing = if as_it_is { Failing::Tell } else { Failing::Keep };
    // A short case is made small sooner.
    let length = if mutant.is_some() { Length::Short } else { Length::Long };
    let done = Soak { preset, packets, seed, length, failing, mutant }.run(|done| {
        if done / 100_000 > reported {
            reported = done / 100_000;
            println!("{done} packets, {:.0} s", start.elapsed().as_secs_f64());
        }
    })?;
    println!("{done} packets, seed {seed}, preset {preset}: no difference, {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
