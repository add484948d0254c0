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
use device_choice::DeviceChoice;
use error::BadInput;
use std::env;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Exit code for input that cannot be used: flow files, captures, ports, registers.
const EXIT_BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(EXIT_BAD_INPUT) } else { ExitCode::FAILURE }
        }
    }
}

/// Warnings, or what `MILLRACE_LOG` asks for: a level, or levels of modules (`millrace_firmware=debug,warn`).
fn log_to_stderr() {
    let asked = env::var("MILLRACE_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let levels = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    tracing_subscriber::registry().with(levels).with(lines).init();
}

fn execute(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Run(args) => match &args.device {
            DeviceChoice::Embedded => run::run(&args),
            DeviceChoice::Serial { path, baud } => card_run::run(&args, path, *baud),
        },
        Command::Rules(args) => query::rules(&args),
        Command::Stats(args) => query::stats(&args),
        Command::Reg(args) => query::reg(&args),
        Command::Reload(args) => query::reload(&args),
    }
}
