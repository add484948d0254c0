// SPDX-License-Identifier: MIT OR Apache-2.0
//! The emitted Verilog: having it written, and what was written.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::run;

/// The program behind `cargo xtask verilog`, built, to write into `folder`.
pub fn emitter(args: &[String], folder: &Path) -> Result<Command> {
    run::build(&["millrace-hdl-cli"], &["verilog"], &[])?;
    let mut emitter = run::command(run::target().join("release/verilog"));
    emitter.args(args).arg("--out").arg(folder);
    Ok(emitter)
}

/// The Verilog files that were written into `folder`, in the order of their list.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = folder.join("millrace.f");
    let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(text.lines().map(|name| folder.join(name)).collect())
}

/// Verilog without the lines that are remarks: those change without the hardware.
pub fn without_remarks(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
