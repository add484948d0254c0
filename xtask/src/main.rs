// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask …`. The demo is started from here; for all else the tasks are compiled, which takes longer than this program may for a first look.

use anyhow::{Context, Result};
use clap::Parser;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use xtask::demo::Demo;
use xtask::run;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Here {
    Demo(Demo),
}

fn main() {
    let result = match Here::try_parse() {
        Ok(Here::Demo(demo)) => demo.run(),
        Err(error) if is_demo() => error.exit(),
        Err(_) => hand_over(),
    };
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

/// Whether the demo is asked for, in words that may be wrong.
fn is_demo() -> bool {
    env::args_os().nth(1).is_some_and(|word| word == "demo")
}

/// Becomes the program of the tasks, so that signals are its own.
fn hand_over() -> Result<()> {
    run::build(&["millrace-tasks"], &["tasks"], &[])?;
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let error = run::command(run::target().join("release/tasks")).args(arguments).exec();
    Err(error).context("cannot start the tasks")
}
