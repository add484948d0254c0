// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask demo`.

use crate::run;
use crate::setup::{self, Need};
use anyhow::Result;
use clap::Args;
use nix::unistd::Uid;

/// Run two real network stacks through the simulated DPU: ping, then iperf3
#[derive(Args)]
pub struct Demo {
    /// Arguments of the demo (see `cargo xtask demo -- --help`)
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Demo {
    /// Installs and compiles what the demo needs, no more, and runs it.
    pub fn run(&self) -> Result<()> {
        let replay = !Uid::effective().is_root() || self.args.iter().any(|arg| arg == "--replay");
        setup::install(if replay { &[Need::Build] } else { &[Need::Build, Need::Demo] })?;
        eprintln!(
            "demo: compiling the command and its simulation, which takes three minutes of processor time at first and seconds after that"
        );
        run::build_least(&["millrace", "millrace-live"], &["millrace", "demo"])?;
        run::built("demo", &self.args)
    }
}
