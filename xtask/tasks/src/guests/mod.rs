// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask guests`: stock Linux guests in QEMU whose network functions are those of a simulated DPU.

mod arm;
mod bench;
mod devel;
mod dpu;
mod dpu_os;
mod ecpf;
mod guest;
mod initramfs;
mod install;
mod instructions;
mod kselftest;
mod multi_queue;
mod network;
mod offload;
mod own_kernel;
mod process;
mod qmp;
mod scenarios;
mod testpmd;
mod traffic;
mod vfio;
mod wait;
mod wire;

use anyhow::{Context, Result, bail};
use bench::Bench;
use clap::Args;
use initramfs::Contents;
use install::Install;
use nix::unistd::Uid;
use scenarios::{ALL, Outcome, Scenario};
use std::time::Instant;
use wait::Interrupts;
use xtask::run;
use xtask::setup::{self, Need};

#[derive(Args)]
pub struct Arguments {
    /// Print the scenarios and what they show
    #[arg(long)]
    list: bool,
    /// Run this scenario alone (may be given more than once)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Run them on QEMU's own network functions, to tell a fault of the DPU from one of the guests
    #[arg(long)]
    self_test: bool,
}

impl Arguments {
    /// What is run with all other tests: two minutes.
    pub fn quick() -> Self {
        let only = ["ping", "uplink", "offload", "large-frames", "kill", "vfio", "ecpf"].map(String::from).into();
        Arguments { list: false, only, self_test: false }
    }
}

/// Runs scenarios and counts what came of them; fails if one did.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        ALL.iter().for_each(|scenario| println!("{:<14}{}", scenario.name, scenario.shows));
        return Ok(());
    }
    let chosen = arguments.only.iter().map(|name| find(name)).collect::<Result<Vec<&Scenario>>>()?;
    let chosen = if chosen.is_empty() { ALL.iter().collect() } else { chosen };
    let install = prepare(arguments.self_test)?;
    let interrupts = Interrupts::catch()?;
    let initramfs = tempfile::NamedTempFile::new()?;
    initramfs::write(&install, &Contents::STOCK, initramfs.path())?;
    let mut tally = Tally::default();
    for scenario in chosen {
        let bench = Bench::new(scenario.name, &install, initramfs.path(), &interrupts, arguments.self_test)?;
        tally.run(scenario, &bench)?;
    }
    tally.end()
}

fn find(name: &str) -> Result<&'static Scenario> {
    let found = ALL.iter().find(|scenario| scenario.name == name);
    found.with_context(|| format!("no scenario is named {name:?}: see `cargo xtask guests --list`"))
}

/// Installs and builds what the scenarios need.
fn prepare(self_test: bool) -> Result<Install> {
    if !self_test {
        let peers = if Uid::effective().is_root() { &[Need::Build, Need::Demo][..] } else { &[Need::Build] };
        setup::install(peers)?;
        run::build(&["millrace"], &["millrace"], &[])?;
    }
    Install::ensure()
}

#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    /// Runs a scenario, and says what came of it. An error means that no other is to run.
    fn run(&mut self, scenario: &Scenario, bench: &Bench) -> Result<()> {
        let (name, start) = (scenario.name, Instant::now());
        eprintln!("guests: {name}: {}", scenario.shows);
        let outcome = (scenario.run)(bench);
        let seconds = start.elapsed().as_secs();
        match outcome {
            Ok(Outcome::Passed(measured)) => {
                self.passed += 1;
                println!("{name} passed in {seconds} s{}{measured}", if measured.is_empty() { "" } else { ": " });
            }
            Ok(Outcome::Skipped(reason)) => {
                self.skipped += 1;
                println!("{name} skipped: {reason}");
            }
            Err(error) if bench.interrupts.came() => return Err(error.context(name)),
            Err(error) => {
                self.failed += 1;
                println!("{name} failed after {seconds} s: {error:#}");
                eprint!("{}", bench.tails()?);
            }
        }
        Ok(())
    }

    fn end(&self) -> Result<()> {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed > 0 {
            bail!("not every scenario passed");
        }
        Ok(())
    }
}
