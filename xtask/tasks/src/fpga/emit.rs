// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a board is built from: the emitted Verilog, and copies of its own files.

use super::board::{Board, Family};
use crate::rtl;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// Puts a copy of a file into a folder, and gives its path.
pub fn copy_into(folder: &Path, file: &Path) -> Result<PathBuf> {
    let copy = folder.join(file.file_name().context("a source without a name")?);
    fs::copy(file, &copy).with_context(|| format!("cannot write {}", copy.display()))?;
    Ok(copy)
}

/// Emits the Verilog that a board's wrapper instantiates into `out/rtl`, and gives that folder.
pub fn emit(board: &Board, out: &Path) -> Result<PathBuf> {
    let folder = out.join("rtl");
    emit_into(board, &folder)?;
    Ok(folder)
}

pub fn emit_into(board: &Board, folder: &Path) -> Result<()> {
    let mut args = vec![format!("--preset={}", board.preset), format!("--uplinks={}", board.uplinks)];
    match &board.family {
        Family::Ecp5(ecp5) => {
            args.push("--top=gigabit-nic".into());
            args.push(format!("--uart-clocks-per-bit={}", ecp5.uart_clocks_per_bit));
        }
        Family::Alveo => args.extend(["--top=host".into(), "--with-cmac-port".into()]),
    }
    run::checked(rtl::emitter(&args, folder)?)
}
