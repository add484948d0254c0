// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: everything that is checked before a change lands.

use crate::{fpga, prove, run};
use anyhow::Result;
use std::process::Command;
use std::time::Instant;

/// Runs every check in the order of its cost. The first that fails ends the run.
pub fn all() -> Result<()> {
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--features", "millrace-hdl/cli"];
    step("clippy", cargo(&[&clippy[..], &["--", "--deny", "warnings"]].concat()))?;
    // Optimised: most of the time goes into simulation. `--no-fail-fast` so that one run shows all that is broken.
    // With the programs of `hdl`, which the proofs need next.
    let test = ["test", "--release", "--workspace", "--features", "millrace-hdl/cli", "--no-fail-fast"];
    step("test", cargo(&test))?;
    step("proofs", prove::quick()?)?;
    eprintln!("test: boards");
    fpga::quick()
}

fn cargo(args: &[&str]) -> Command {
    let mut command = run::cargo();
    command.args(args);
    command
}

fn step(name: &str, command: Command) -> Result<()> {
    eprintln!("test: {name}");
    let start = Instant::now();
    run::checked(command)?;
    eprintln!("test: {name} passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
