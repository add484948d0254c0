// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fpga`: boards, from Rust to a bitstream, or as far as that goes without a vendor's tools.

mod alveo;
mod board;
mod closed;
mod ecp5;
mod emit;
mod pins;

use anyhow::{Context, Result, bail};
use board::{Board, Family};
use clap::{Args, Parser};
use emit::{copy_into, emit_into};
use std::path::{self, PathBuf};
use xtask::run;
use xtask::setup::{self, Need};

#[derive(Args)]
pub struct Arguments {
    /// Folder of the board below `constraints/`; with --check and no board, all boards are checked, but not the cores in them
    #[arg(long, required_unless_present = "check")]
    board: Option<String>,
    /// Check everything short of place and route
    #[arg(long)]
    check: bool,
    /// Build of the hardware [default: the one that the board is made for]
    #[arg(long, requires = "board")]
    preset: Option<String>,
    /// Seed of nextpnr's placer; may be given several times: all have to close, the first is the bitstream's
    #[arg(long = "seed", default_values_t = [1], conflicts_with = "check")]
    seeds: Vec<u32>,
    /// Do nothing if it is built from the same as what constraints/closed.json says of it
    #[arg(long, requires = "board", conflicts_with = "check")]
    if_changed: bool,
    /// Write to constraints/closed.json that it closes, and from what it was built
    #[arg(long, requires = "board", conflicts_with_all = ["check", "if_changed"])]
    keep: bool,
    /// Folder to write into [default: target/fpga/BOARD/PRESET]
    #[arg(long, requires = "board")]
    out: Option<PathBuf>,
}

/// Builds a board, or checks it.
///
/// # Errors
/// An unknown board, a preset that does not fit it, or what is wrong with it; a clock that is too slow.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Some(board) = &arguments.board else {
        setup::install(&[Need::Build, Need::Synthesis, Need::Vendor])?;
        return quick();
    };
    let board = Board::load(board)?.with_preset(arguments.preset.as_deref())?;
    let out = arguments.out.clone().unwrap_or_else(|| folder(&board));
    // Tools run in other folders than this one.
    let out = path::absolute(&out).with_context(|| format!("--out {}", out.display()))?;
    println!("{}, preset {}, into {}", board.title, board.preset, out.display());
    match (&board.family, arguments.check) {
        (Family::Ecp5(_), true) => {
            setup::install(&[Need::Build, Need::Synthesis])?;
            ecp5::check(&board, &out)
        }
        (Family::Ecp5(ecp5), false) => {
            setup::install(&[Need::Synthesis, Need::Route])?;
            ecp5::Build { board: &board, ecp5, out: &out }.run(&arguments.seeds, arguments.if_changed, arguments.keep)
        }
        (Family::Alveo, true) => {
            setup::install(&[Need::Build, Need::Synthesis, Need::Vendor])?;
            alveo::check(&board, &out)
        }
        (Family::Alveo, false) => {
            bail!(
                "{} is built by Vivado (constraints/alveo/README.md); --check does everything short of that",
                board.id
            )
        }
    }
}

/// The board and preset that CI takes to a bitstream when what it is built from has changed.
const WATCHED: (&str, &str) = ("versa-ecp5", "ecp5-small");

/// Builds the board that CI watches, unless it was kept that it closes, and keeps that.
///
/// # Errors
/// A clock that is too slow.
pub fn keep_watched() -> Result<()> {
    let (board, preset) = (Some(WATCHED.0.into()), Some(WATCHED.1.into()));
    run(&Arguments { board, preset, check: false, seeds: vec![1], if_changed: true, keep: true, out: None })
}

/// The quick checks of all boards, for the tests.
pub fn quick() -> Result<()> {
    let mut first = true;
    for board in Board::all()? {
        let out = folder(&board);
        match board.family {
            Family::Ecp5(_) => ecp5::check(&board, &out)?,
            Family::Alveo => alveo::quick(&board, &out, std::mem::take(&mut first))?,
        }
    }
    Ok(())
}

/// Writes what a board is built from into one folder: the emitted Verilog, its wrapper and its constraints.
#[derive(Parser)]
#[command(bin_name = "cargo xtask verilog")]
pub struct VerilogArguments {
    /// Folder of the board below `constraints/`
    #[arg(long)]
    board: String,
    /// Build of the hardware [default: the one that the board is made for]
    #[arg(long)]
    preset: Option<String>,
    /// Folder to write into; made if it is not there
    #[arg(long)]
    out: PathBuf,
}

/// Writes what a board is built from into a folder: the emitted Verilog beside its wrapper and constraints.
///
/// # Errors
/// An unknown board, or a preset that is not its own.
pub fn verilog(arguments: &VerilogArguments) -> Result<()> {
    let board = Board::load(&arguments.board)?.with_preset(arguments.preset.as_deref())?;
    let out = path::absolute(&arguments.out).with_context(|| format!("--out {}", arguments.out.display()))?;
    emit_into(&board, &out)?;
    for file in board.sources().chain([board.pins()]) {
        copy_into(&out, &file)?;
    }
    Ok(())
}

/// Where a board is built.
fn folder(board: &Board) -> PathBuf {
    run::target().join("fpga").join(&board.id).join(&board.preset)
}
