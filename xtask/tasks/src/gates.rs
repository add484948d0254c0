// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask gates`: the netlist of preset `ecp5`, as synthesis leaves it, runs random packets in Verilator and is compared
//! with the reference model, byte for byte and counter for counter, as the RTL is.

use crate::fpga_report::synthesis::{Hierarchy, Preset, Rtl, VERILOG, root};
use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::run;

/// The cells that Yosys has simulation models for; the netlist's others are in [`BLOCK_RAM`]. `LUT2` is a part of `CCU2C`.
const CELLS: [&str; 7] = ["LUT2", "LUT4", "PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4"];

/// Our model of the cell that Yosys has none for.
const BLOCK_RAM: &str = include_str!("../../../sim/gates/dp16kd.v");

#[derive(Args)]
pub struct Arguments {
    /// Packets to send
    #[arg(long, default_value_t = 2_000)]
    packets: u64,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Invert the N-th look-up table (from 0) first: the comparison must then fail
    #[arg(long, value_name = "N")]
    fault: Option<usize>,
    /// Do nothing if the same was compared before, and kept
    #[arg(long, conflicts_with = "fault")]
    if_changed: bool,
    /// Write down what was compared without a difference
    #[arg(long, conflicts_with = "fault")]
    keep: bool,
}

/// The file of the repository that keeps what was compared.
const KEPT: &str = "constraints/gates.json";

/// What a netlist is made of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    /// Hash of the preset's Verilog and of our models of cells.
    verilog: String,
    /// Version of Yosys.
    yosys: String,
}

impl Sources {
    fn of(rtl: &Rtl, yosys: &Yosys) -> Self {
        Self { verilog: rtl.hash_with(&[BLOCK_RAM, &CELLS.join(" ")]), yosys: yosys.version.clone() }
    }

    /// Those that were compared before.
    fn kept() -> Result<Option<Self>> {
        let path = run::root().join(KEPT);
        if !path.is_file() {
            return Ok(None);
        }
        let kept = serde_json::from_str(&read(&path)?);
        kept.with_context(|| format!("{KEPT} is not what `cargo xtask gates --keep` writes"))
    }

    fn keep(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(run::root().join(KEPT), text).with_context(|| format!("cannot write {KEPT}"))
    }
}

/// Compares what was not compared before, and keeps that it was.
pub fn keep() -> Result<()> {
    check(&Arguments { packets: 2_000, seed: 1, fault: None, if_changed: true, keep: true })
}

/// Synthesises, builds the simulation of the netlist, and compares.
pub fn check(arguments: &Arguments) -> Result<()> {
    let yosys = Yosys::find()?;
    let rtl = Rtl::emit(Preset::Ecp5)?;
    let sources = Sources::of(&rtl, &yosys);
    if arguments.if_changed && Sources::kept()?.as_ref() == Some(&sources) {
        println!("gates: the netlist of this Verilog was compared before ({KEPT})");
        return Ok(());
    }
    let folder = rtl.synthesise(&yosys, Hierarchy::Flattened)?;
    let mut netlist = read(&folder.join(VERILOG))?;
    if let Some(number) = arguments.fault {
        netlist = inverted(&netlist, number)?;
    }
    // Waveforms of fifty thousand cells would be most of the model.
    let design = format!("/* verilator tracing_off */\n{netlist}\n{}\n{BLOCK_RAM}", models(&yosys, &folder)?);
    let file = root().join("gates.v");
    if fs::read_to_string(&file).ok().as_ref() != Some(&design) {
        fs::write(&file, design).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let (packets, seed) = (arguments.packets.to_string(), arguments.seed.to_string());
    let mut compare = soak(&file)?;
    compare.args(["--preset", Preset::Ecp5.name(), "--as-it-is", "--packets", &packets, "--seed", &seed]);
    match arguments.fault {
        None => {
            run::checked(compare).context("netlist and reference model differ")?;
            if arguments.keep { sources.keep() } else { Ok(()) }
        }
        Some(number) if compare.status()?.success() => {
            bail!("look-up table {number} is inverted, and nothing was seen of it in {packets} packets")
        }
        Some(number) => {
            println!("look-up table {number} is inverted, and the comparison fails, as it must");
            Ok(())
        }
    }
}

/// The comparison, built with this netlist in place of the RTL.
fn soak(netlist: &Path) -> Result<Command> {
    eprintln!("gates: building the simulation of the netlist, which takes minutes if it is new");
    let mut build = run::cargo();
    build.args(["build", "--quiet", "--release", "--package", "millrace-testbench", "--bin", "soak"]);
    build.args(["--features", "gates"]).env("MILLRACE_GATES", netlist);
    run::checked(build)?;
    Ok(run::command(run::target().join("release/soak")))
}

/// The models of the cells as the Yosys at work has them.
fn models(yosys: &Yosys, folder: &Path) -> Result<String> {
    const LOG: &str = "cells.log";
    let script = format!("tee -q -o {LOG} read_verilog -lib -ppdump -DNO_INCLUDES +/ecp5/cells_sim.v\n");
    yosys.run(folder, &script, &[LOG])?;
    let all = read(&folder.join(LOG))?;
    let models: Option<Vec<&str>> = CELLS.iter().map(|cell| module(&all, cell)).collect();
    Ok(models.with_context(|| format!("{} has no models of {}", yosys.version, CELLS.join(", ")))?.join("\n"))
}

/// The text of a module among others.
fn module<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    const END: &str = "endmodule";
    let start = [" (", "("].iter().find_map(|open| text.find(&format!("module {name}{open}")))?;
    let length = text[start..].find(END)? + END.len();
    Some(&text[start..start + length])
}

/// The netlist with the truth table of a look-up table inverted.
fn inverted(netlist: &str, number: usize) -> Result<String> {
    const TABLE: &str = "LUT4 #(\n    .INIT(16'h";
    let count = netlist.matches(TABLE).count();
    let Some((at, _)) = netlist.match_indices(TABLE).nth(number) else {
        bail!("--fault {number}: the netlist has {count} look-up tables, from 0 to {}", count.saturating_sub(1));
    };
    let (before, rest) = netlist.split_at(at + TABLE.len());
    let (digits, after) = rest.split_once(')').context("the netlist is cut short")?;
    let table = u16::from_str_radix(digits, 16).with_context(|| format!("{digits} is no truth table"))?;
    Ok(format!("{before}{:04x}){after}", !table))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_cut_out_of_others() {
        let text = "module LUT4X (a);\nendmodule\nmodule LUT4(b);\n  x\nendmodule\nmodule Z (c);\nendmodule\n";
        assert_eq!(module(text, "LUT4"), Some("module LUT4(b);\n  x\nendmodule"));
        assert_eq!(module(text, "LUT5"), None);
    }

    #[test]
    fn one_table_is_inverted_and_no_other() {
        let cell = |table| format!("  LUT4 #(\n    .INIT(16'h{table})\n  ) x (\n  );\n");
        let netlist = cell("8000") + &cell("00ff");
        assert_eq!(inverted(&netlist, 1).expect("a table"), cell("8000") + &cell("ff00"));
        let error = inverted(&netlist, 2).expect_err("no such table").to_string();
        assert_eq!(error, "--fault 2: the netlist has 2 look-up tables, from 0 to 1");
    }
}
