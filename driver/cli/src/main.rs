// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `millrace` command: runs a simulated DPU or the slow path of a card, and looks into a running one.

mod args;
mod card_run;
mod claim;
mod control;
mod device_choice;
mod dpu;
mod error;
mod feeder;
mod flow_file;
mod inputs;
mod outputs;
mod query;
mod registers;
mod run;
mod signals;
mod standard;
mod stats;
mod taps;

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser;
use error::BadInput;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

/// Exit code for input that cannot be used: flow files, captures, ports, registers.
const EXIT_BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("MILLRACE_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal()).init();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(EXIT_BAD_INPUT) } else { ExitCode::FAILURE }
        }
    }
}

fn execute(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Rules(args) => query::rules(&args),
        Command::Stats(args) => query::stats(&args),
        Command::Reg(args) => query::reg(&args),
        Command::Reload(args) => query::reload(&args),
    }
}
