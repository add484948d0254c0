// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long it takes to write the Verilog of the whole core.

use crate::report::Report;
use anyhow::{Context, Result, ensure};
use millrace_live::program;
use millrace_regs::config::Preset;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::process::{Command, Stdio};

const ROUNDS: usize = 5;

/// CPU time of the program behind `cargo xtask verilog`, from its start to the last file: the median of several runs.
pub fn measure(report: &mut Report) -> Result<()> {
    for preset in [Preset::Sim, Preset::Ecp5, Preset::Alveo] {
        let mut seconds = (0..ROUNDS).map(|_| emit(preset)).collect::<Result<Vec<f64>>>()?;
        seconds.sort_by(f64::total_cmp);
        report.add("emission", format!("{preset} preset, all files, median of {ROUNDS}"), seconds[ROUNDS / 2], "CPU-s");
    }
    Ok(())
}

fn emit(preset: Preset) -> Result<f64> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let before = children()?;
    let mut verilog = Command::new(program("verilog")?);
    verilog.args(["--preset", preset.name(), "--out"]).arg(folder.path()).stdout(Stdio::null());
    ensure!(verilog.status()?.success(), "no Verilog of preset {preset}");
    Ok(children()? - before)
}

/// CPU time of the processes that we started and that have ended, in seconds.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e-6)
}
