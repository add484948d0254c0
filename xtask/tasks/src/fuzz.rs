// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fuzz`: what strangers can reach gets anything that they can send.

use anyhow::{Context, Result};
use clap::Subcommand;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;
use xtask::setup::{self, Need};

/// The fuzzer's version: what it finds depends on it.
const CARGO_FUZZ: &str = "0.13.2";

#[derive(Subcommand)]
pub enum Target {
    /// Guests that break every rule of virtio, on the RTL
    Hostile {
        /// Things that happen
        #[arg(long, default_value_t = 100_000)]
        operations: u64,
        /// Seed of all random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Do what this kept case says, and nothing else
        #[arg(long, value_name = "FILE")]
        case: Option<PathBuf>,
    },
    /// Clients of the vfio-user server (libFuzzer)
    VfioUser {
        /// How long to go on
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

/// Runs until something is found or it is over.
pub fn run(target: &Target) -> Result<()> {
    match target {
        Target::Hostile { operations, seed, case } => {
            setup::install(&[Need::Build])?;
            let mut arguments = vec!["--operations".into(), operations.to_string(), "--seed".into(), seed.to_string()];
            if let Some(case) = case {
                arguments.extend(["--case".into(), std::path::absolute(case)?.display().to_string()]);
            }
            run::release("millrace-testbench", "hostile", &["host"], &arguments)
        }
        Target::VfioUser { seconds } => vfio_user(*seconds),
    }
}

fn vfio_user(seconds: u64) -> Result<()> {
    setup::install(&[Need::Build])?;
    let program = run::tools().join("bin/cargo-fuzz");
    if !program.is_file() {
        eprintln!("fuzz: building cargo-fuzz {CARGO_FUZZ} from crates.io, which takes a minute");
        let mut install = run::cargo();
        install.args(["install", "--quiet", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(run::tools());
        install.arg("cargo-fuzz");
        run::checked(install)?;
    }
    let folder = Path::new("driver/vfio-user/fuzz");
    let built = run::target().join("fuzz");
    // What reached something new is where the next run begins.
    let corpus = built.join("corpus");
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut fuzz = run::command(program);
    // The sanitiser's flags are not stable, and the compiler is the one that all else is built with.
    fuzz.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", "--fuzz-dir"]).arg(folder);
    fuzz.arg("--target-dir").arg(&built).arg("server").arg(&corpus).arg("--");
    fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", built.display()));
    fuzz.args(["-max_len=4096", "-print_final_stats=1"]);
    run::checked(fuzz)
}
