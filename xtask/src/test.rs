// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: everything that is checked before a change lands.

use crate::{capi, cocotb, fpga, guests, prove, run};
use anyhow::Result;
use std::process::Command;
use std::time::Instant;

const HDL: &str = "millrace-hdl";
/// The host side's part of the HDL.
const QUEUE: &str = "millrace-queue";

/// Runs every check in the order of its cost. The first that fails ends the run.
pub fn all() -> Result<()> {
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    step("dependencies", unused_dependencies())?;
    step("clippy", cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    // Optimised: most of the time goes into simulation. `--no-fail-fast` so that one run shows all that is broken.
    let test = ["test", "--release", "--workspace", "--no-fail-fast", "--exclude", HDL, "--exclude", QUEUE];
    step("test", cargo(&test))?;
    step("test of the emitter", emitter_tests()?)?;
    // The HDL is compiled for speed for these alone: see the workspace's Cargo.toml.
    let blocks = ["test", "--profile", "simulator", "--no-fail-fast", "--package", HDL, "--package", QUEUE, "--lib"];
    step("test of the HDL's blocks", cargo(&blocks))?;
    step("proofs", prove::quick()?)?;
    step("cocotb", cocotb::Arguments::quick().command()?)?;
    eprintln!("test: driver for C");
    capi::check()?;
    let embedded = ["test", "--release", "--package", "millrace-capi", "--features", "embedded"];
    step("test of the driver for C with its simulation", cargo(&embedded))?;
    eprintln!("test: guests");
    guests::run(&guests::Arguments::quick())?;
    eprintln!("test: boards");
    fpga::quick()
}

/// Fails if a `Cargo.toml` names a crate that nothing uses, or that only tests use among those of the product.
fn unused_dependencies() -> Command {
    let mut command = run::command("cargo-shear");
    command.args(["--locked", "--deny-warnings"]);
    command
}

/// The tests in the HDL's folder `tests`: by name, of the whole workspace, so that what they depend on is what the step before has built.
fn emitter_tests() -> Result<Command> {
    let mut command = cargo(&["test", "--release", "--no-fail-fast", "--workspace", "--exclude", QUEUE]);
    for entry in run::root().join("hdl/tests").read_dir()? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").is_file();
        if let Some(name) = path.file_stem().filter(|_| is_test) {
            command.arg("--test").arg(name);
        }
    }
    Ok(command)
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
