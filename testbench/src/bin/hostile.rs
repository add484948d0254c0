// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fuzz hostile`: guests that break the rules of virtio, on the RTL.

use anyhow::Result;
use clap::Parser;
use millrace_regs::host::FaultReason;
use millrace_testbench::hostile::{Done, fuzz, read, run};
use std::path::PathBuf;
use std::time::Instant;

/// Lets guests break every rule of virtio on the RTL, beside functions that must not notice.
#[derive(Parser)]
#[command(bin_name = "cargo xtask fuzz hostile")]
struct Arguments {
    /// Things that happen
    #[arg(long, default_value_t = 100_000)]
    operations: u64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Do what a file of testbench/cases/hostile says, and nothing else
    #[arg(long, value_name = "FILE")]
    case: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { operations, seed, case } = Arguments::parse();
    let start = Instant::now();
    if let Some(path) = case {
        tell(&run(&read(&path)?)?, start);
        return Ok(());
    }
    let mut reported = 0;
    let done = fuzz(operations, seed, |done| {
        if done.operations / 100_000 > reported {
            reported = done.operations / 100_000;
            tell(done, start);
        }
    })?;
    tell(&done, start);
    println!("seed {seed}: the device kept to its contract");
    Ok(())
}

fn tell(done: &Done, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let Done { operations, cycles, frames, sent, restless, faults, .. } = done;
    println!(
        "{operations} operations in {cycles} cycles and {seconds:.0} s: {frames} frames of neighbours, {sent} of guests, {restless} times stopped"
    );
    let faults = (1..).map_while(FaultReason::from_number).zip(&faults[1..]);
    println!(
        "faults: {}",
        faults.map(|(reason, count)| format!("{} {count}", reason.name())).collect::<Vec<_>>().join(", ")
    );
}
