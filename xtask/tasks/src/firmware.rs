// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask firmware`: the command `millrace` as a card's own processor runs it.

use crate::architecture::Architecture;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use xtask::run;

pub const PACKAGE: &str = "millrace";
/// What a card needs of it besides.
pub const FEATURES: &str = "os";
/// Cargo's profile: small, and fast throughout.
const PROFILE: &str = "firmware";
/// The linker that comes with Rust: nothing is compiled from C, so that no compiler for the target is needed.
const LINKER: &str = "rust-lld";

/// What it is built for.
#[derive(Args)]
pub struct Arguments {
    /// Processor of the card
    #[arg(long, value_enum, value_name = "ARCHITECTURE")]
    target: Architecture,
    /// Copy the program there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Builds it, and says where it is.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut program = build(arguments.target)?;
    if let Some(out) = &arguments.out {
        fs::copy(&program, out).with_context(|| format!("cannot write {}", out.display()))?;
        program.clone_from(out);
    }
    let bytes = fs::metadata(&program).with_context(|| format!("cannot find {}", program.display()))?.len();
    println!("{}: {bytes} bytes", program.display());
    Ok(())
}

/// Builds the command, with neither the simulation nor Verilator. Where it is.
pub fn build(architecture: Architecture) -> Result<PathBuf> {
    let mut build = cargo(architecture, "build")?;
    build.args(["--package", PACKAGE, "--no-default-features", "--features", FEATURES]);
    run::checked(build)?;
    Ok(built(architecture).join(PACKAGE))
}

/// Builds an example of a package in the same way. Where it is.
pub fn build_example(architecture: Architecture, package: &str, example: &str) -> Result<PathBuf> {
    let mut build = cargo(architecture, "build")?;
    build.args(["--package", package, "--example", example]);
    run::checked(build)?;
    Ok(built(architecture).join("examples").join(example))
}

fn built(architecture: Architecture) -> PathBuf {
    run::target().join(architecture.target()).join(PROFILE)
}

/// A command of cargo's that builds for a card: what needs no libraries.
pub fn cargo(architecture: Architecture, command: &str) -> Result<Command> {
    let target = architecture.target();
    install(target)?;
    let mut cargo = run::cargo();
    cargo.args([command, "--quiet", "--profile", PROFILE, "--target", target]);
    let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    cargo.env(linker, LINKER);
    Ok(cargo)
}

/// Installs Rust's library for a target, if it is missing, and says so.
fn install(target: &str) -> Result<()> {
    if has_library(target)? {
        return Ok(());
    }
    let by_hand = || format!("install Rust's library for {target} by hand: rustup target add {target}");
    eprintln!("setup: adding Rust's library for {target}: the firmware runs there");
    let mut add = run::command("rustup");
    add.args(["target", "add", target]).stdout(Stdio::null()).stderr(Stdio::null());
    run::checked(add).with_context(by_hand)?;
    if has_library(target)? { Ok(()) } else { bail!(by_hand()) }
}

/// Whether the compiler that cargo uses has a library for a target.
fn has_library(target: &str) -> Result<bool> {
    Ok(library(target)?.is_dir())
}

/// Where that compiler has its library for a target.
pub fn library(target: &str) -> Result<PathBuf> {
    let mut rustc: Command = run::command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", target]);
    let output = rustc.output().context("cannot start rustc")?;
    if !output.status.success() {
        bail!("rustc knows no target {target}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().into())
}
