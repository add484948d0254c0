// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: everything that is checked before a change lands.

use crate::stopwatch::Stopwatch;
use crate::{capi, cocotb, fpga, guests, prove};
use anyhow::Result;
use std::process::Command;
use xtask::run;

const HDL: &str = "millrace-hdl";
/// The host side's part of the HDL.
const QUEUE: &str = "millrace-queue";

/// Runs every check in the order of its cost. The first that fails ends the run.
pub fn all() -> Result<()> {
    let all = Stopwatch::start();
    step("format", || run::checked(cargo(&["fmt", "--all", "--check"])))?;
    step("dependencies", || run::checked(unused_dependencies()))?;
    let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    step("clippy", || run::checked(cargo(&clippy)))?;
    // Optimised: most of the time goes into simulation.
    step("tests", || run::checked(nextest(&["--release", "--workspace", "--exclude", HDL, "--exclude", QUEUE])))?;
    let examples = ["test", "--release", "--doc", "--workspace", "--exclude", HDL, "--exclude", QUEUE];
    step("examples in the documentation", || run::checked(cargo(&examples)))?;
    step("emitter", || run::checked(emitter_tests()?))?;
    // The HDL is compiled for speed for these alone: see the workspace's Cargo.toml.
    let blocks = ["--cargo-profile", "simulator", "--package", HDL, "--package", QUEUE, "--lib"];
    step("blocks of the HDL", || run::checked(nextest(&blocks)))?;
    step("proofs", || run::checked(prove::quick()?))?;
    step("cocotb", || run::checked(cocotb::Arguments::quick().command()?))?;
    step("driver for C", capi::check)?;
    let embedded = ["test", "--release", "--package", "millrace-capi", "--features", "embedded"];
    step("driver for C with its simulation", || run::checked(cargo(&embedded)))?;
    step("guests", || guests::run(&guests::Arguments::quick()))?;
    step("boards", fpga::quick)?;
    eprintln!("test: all passed in {all}");
    Ok(())
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

/// Tests side by side, those of different programs too: `.config/nextest.toml`.
fn nextest(args: &[&str]) -> Command {
    let mut command = cargo(&["nextest", "run"]);
    command.args(args);
    command
}

fn cargo(args: &[&str]) -> Command {
    let mut command = run::cargo();
    command.args(args);
    command
}

fn step(name: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("test: {name}");
    let watch = Stopwatch::start();
    check()?;
    eprintln!("test: {name} passed in {watch}");
    Ok(())
}
