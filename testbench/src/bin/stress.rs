// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask stress`: Open vSwitch against `millrace run` on any number of random frames.

use anyhow::Result;
use clap::Parser;
use millrace_testbench::stress::stress;
use std::time::Instant;

/// Compares what Open vSwitch and `millrace run` put out, byte for byte, on random flow tables and random frames, well-formed and not.
#[derive(Parser)]
#[command(bin_name = "cargo xtask stress --")]
struct Arguments {
    /// Frames to send, each twice
    #[arg(long, default_value_t = 50_000)]
    frames: u64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let Arguments { frames, seed } = Arguments::parse();
    let start = Instant::now();
    let mut reported = 0;
    let tally = stress(frames, seed, |done| {
        if done / 10_000 > reported {
            reported = done / 10_000;
            println!("{done} frames, {:.0} s", start.elapsed().as_secs_f64());
        }
    })?;
    println!("{} frames, seed {seed}: no difference, {:.0} s", tally.frames, start.elapsed().as_secs_f64());
    for (why, count) in tally.left_out {
        println!("left out: {count} frames, {why}");
    }
    Ok(())
}
