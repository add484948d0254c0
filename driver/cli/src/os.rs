// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace os`: the images of DPU-OS on a card's disk.

use crate::args::{OsArgs, OsCommand};
use crate::error::BadInput;
use crate::os_send;
use anyhow::{Context, Result};
use millrace_update::{Archive, Error, Installed, Slots, Trial, read_public};
use std::env::consts::ARCH;
use std::fs;

/// What the system was started with.
const COMMAND_LINE: &str = "/proc/cmdline";

pub fn run(args: &OsArgs) -> Result<()> {
    let slots = || {
        let command_line = fs::read_to_string(COMMAND_LINE).with_context(|| format!("cannot read {COMMAND_LINE}"))?;
        Slots::open(&args.boot, &command_line).map_err(sorted)
    };
    match &args.command {
        OsCommand::Show => {
            for image in slots()?.installed().map_err(sorted)? {
                println!("{}", line(&image));
            }
        }
        OsCommand::Install { image, key } => {
            let archive = Archive::open(image, &read_public(key).map_err(sorted)?).map_err(sorted)?;
            println!("{}", line(&slots()?.install(&archive, ARCH).map_err(sorted)?));
        }
        OsCommand::Confirm => {
            slots()?.confirm().map_err(sorted)?;
        }
        OsCommand::Send { image, via } => os_send::run(image, via)?,
    }
    Ok(())
}

/// `2 in slot b: DPU-OS minimal 0.1.0: has come up, runs`.
fn line(image: &Installed) -> String {
    let state = match image.entry.trial {
        Trial::Passed => "has come up".to_owned(),
        Trial::Running { left: 0, .. } if !image.running => "did not come up".into(),
        Trial::Running { left, done } => format!("on trial, started {done} times, {left} starts left"),
    };
    let runs = if image.running { ", runs" } else { "" };
    format!("{} in slot {}: {}: {state}{runs}", image.entry.number, image.slot.name(), image.title)
}

fn sorted(error: Error) -> anyhow::Error {
    match error {
        refused @ (Error::Refused { .. } | Error::Key { .. }) => BadInput(refused.to_string()).into(),
        other => other.into(),
    }
}
