// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `millrace` command: runs a simulated DPU, or the slow path or a function of one that is elsewhere, and looks into a running one. Without
//! feature `simulation` it is what a card needs.

mod answers;
mod args;
#[cfg(feature = "simulation")]
mod attach;
mod by_hand;
#[cfg(feature = "simulation")]
mod card_run;
mod claim;
mod control;
mod detect;
#[cfg(feature = "simulation")]
mod device_choice;
mod dpu;
mod duration;
mod ecpf_choice;
mod error;
mod events;
mod explain;
mod faults;
#[cfg(feature = "simulation")]
mod feeder;
mod firmware_run;
mod flow_file;
mod flow_rule;
mod functions;
#[cfg(feature = "os")]
mod host_link;
#[cfg(feature = "os")]
mod images;
#[cfg(feature = "simulation")]
mod inputs;
#[cfg(feature = "simulation")]
mod line;
mod loader;
mod log;
mod mode;
#[cfg(feature = "os")]
mod os;
#[cfg(feature = "os")]
mod os_send;
#[cfg(feature = "simulation")]
mod outputs;
mod port_name;
mod query;
mod registers;
mod reloading;
#[cfg(feature = "simulation")]
mod run;
#[cfg(feature = "simulation")]
mod serve;
mod signals;
mod slow_path;
mod standard;
mod stats;
#[cfg(feature = "simulation")]
mod taps;
#[cfg(feature = "simulation")]
mod uplink;
mod vf;
#[cfg(feature = "simulation")]
mod wall_clock;

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser;
#[cfg(feature = "simulation")]
use device_choice::DeviceChoice;
use error::BadInput;
use std::process::ExitCode;

/// Exit code for input that cannot be used: flow files, captures, ports, registers, what is to be logged.
const EXIT_BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(EXIT_BAD_INPUT) } else { ExitCode::FAILURE }
        }
    }
}

fn execute(cli: Cli) -> Result<()> {
    log::to_stderr()?;
    match cli.command {
        #[cfg(feature = "simulation")]
        Command::Run(args) => match &args.device {
            DeviceChoice::Embedded => run::run(&args),
            DeviceChoice::Serial { path, baud } => card_run::run(&args, path, *baud),
        },
        #[cfg(feature = "simulation")]
        Command::Serve(args) => serve::run(&args),
        Command::Firmware(args) => firmware_run::run(&args),
        #[cfg(feature = "simulation")]
        Command::Attach(args) => attach::run(&args),
        Command::Rules(args) => query::rules(&args),
        Command::Stats(args) => query::stats(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Reg(args) => query::reg(&args),
        Command::Reload(args) => query::reload(&args),
        Command::Vf(args) => query::vf(&args),
        Command::Mode(args) => mode::run(&args),
        Command::Events(args) => events::run(&args),
        #[cfg(feature = "os")]
        Command::Os(args) => os::run(&args),
    }
}
