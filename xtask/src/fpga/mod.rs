// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fpga`: boards.

pub mod alveo;

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Arguments {
    /// Folder of the board below `constraints/`
    #[arg(long)]
    board: String,
    /// Check everything short of the vendor's tools
    #[arg(long)]
    check: bool,
    /// Build of the hardware [default: the one that the board is made for]
    #[arg(long)]
    preset: Option<String>,
}

/// Checks a board.
///
/// # Errors
/// An unknown board, a preset that does not fit it, or what is wrong with it.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { board, check, preset } = arguments;
    alveo::fits(board, preset.as_deref())?;
    if !check {
        bail!("{board} is built by Vivado (constraints/alveo/README.md); --check does everything short of that");
    }
    crate::setup::install(&[crate::setup::Need::Build, crate::setup::Need::Synthesis, crate::setup::Need::Vendor])?;
    alveo::check(board)
}
