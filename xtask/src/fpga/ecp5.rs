// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a board's Verilog to a bitstream with the open tools: Yosys, nextpnr-ecp5, ecppack.

use super::board::{Board, Ecp5};
use super::{copy_into, emit, pins};
use crate::nextpnr::{self, Report};
use crate::yosys::Yosys;
use crate::{rtl, run};
use anyhow::{Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

const NETLIST: &str = "netlist.json";

/// Builds a board in the folder `out`: synthesis, then place and route once per seed, then a bitstream of the first seed that closes.
///
/// # Errors
/// Pins that do not fit, a tool that fails, or a seed whose clocks are slower than the board needs; all seeds are tried first.
pub fn build(board: &Board, ecp5: &Ecp5, out: &Path, seeds: &[u32]) -> Result<()> {
    pins::check(board)?;
    synthesise(board, &emit(board, out)?, out)?;
    let mut closed = None;
    let mut slow = vec![];
    for seed in seeds {
        let report = route(board, ecp5, out, *seed)?;
        println!("seed {seed}:\n{report}");
        let too_slow = report.too_slow();
        if too_slow.is_empty() {
            closed = closed.or(Some(*seed));
        } else {
            slow.push(format!("seed {seed}: {}", too_slow.join(", ")));
        }
    }
    if let Some(seed) = closed {
        println!("bitstream: {}", pack(board, out, seed)?.display());
    }
    if !slow.is_empty() {
        bail!("{} of {} seeds do not close:\n{}", slow.len(), seeds.len(), slow.join("\n"));
    }
    Ok(())
}

/// Checks a board short of synthesis: its pins, and with Yosys the wrapper around what is emitted.
pub fn check(board: &Board, out: &Path) -> Result<()> {
    pins::check(board)?;
    let read = read(board, &emit(board, out)?, out)?;
    let top = &board.top;
    let script = format!(
        "read_verilog -lib +/ecp5/cells_sim.v +/ecp5/cells_bb.v\n{read}hierarchy -check -top {top}\nproc\n\
         select -assert-none t:$dlatch\ncheck -assert\ntee -q -o elaborated.txt stat\n"
    );
    timed(&format!("{}: elaboration", board.id), || Yosys::find()?.run(out, &script, &["elaborated.txt"]))
}

/// The commands for a Yosys in `out` to read what was emitted into a folder in it, and the wrapper, of which a copy is put there: paths become
/// names in the netlist, and the result of place and route should not depend on where `out` is.
fn read(board: &Board, emitted: &Path, out: &Path) -> Result<String> {
    let mut sources = rtl::files(emitted)?;
    for source in board.sources() {
        sources.push(copy_into(out, &source)?);
    }
    sources.iter().map(|file| Ok(format!("read_verilog {}\n", run::way(out, file)?.display()))).collect()
}

fn synthesise(board: &Board, emitted: &Path, out: &Path) -> Result<()> {
    let read = read(board, emitted, out)?;
    // Up to `check`, which gives every cell a name: minutes of work, and nets have names already. nextpnr wants models of cells gone.
    let script = format!(
        "{read}synth_ecp5 -top {top} -no-rw-check -run begin:check\ntee -q -o cells.txt stat\n\
         hierarchy -check -top {top}\ncheck -assert\nblackbox =A:whitebox\nwrite_json {NETLIST}\n",
        top = board.top
    );
    let yosys = Yosys::find()?;
    timed("synthesis", || yosys.run(out, &script, &[NETLIST]))
}

fn route(board: &Board, ecp5: &Ecp5, out: &Path, seed: u32) -> Result<Report> {
    let report = format!("seed{seed}.json");
    let mut nextpnr = nextpnr::command(&ecp5.part, seed);
    nextpnr.current_dir(out).args(["--json", NETLIST, "--textcfg", &config(seed), "--report", &report]);
    nextpnr.arg("--lpf").arg(run::way(out, &board.pins())?).args(["--log", &format!("seed{seed}.log")]);
    timed(&format!("place and route, seed {seed}"), || run::checked(nextpnr))?;
    Report::read(&out.join(report))
}

fn pack(board: &Board, out: &Path, seed: u32) -> Result<PathBuf> {
    let bitstream = format!("{}.bit", board.top);
    let program = env::var_os("MILLRACE_ECPPACK").map_or_else(|| "yowasp-ecppack".into(), PathBuf::from);
    let mut ecppack = run::command(program);
    ecppack.current_dir(out).args(["--compress", "--input", &config(seed), "--bit", &bitstream]);
    ecppack.args(["--svf", &format!("{}.svf", board.top)]);
    timed("bitstream", || run::checked(ecppack))?;
    Ok(out.join(bitstream))
}

/// nextpnr's result for a seed.
fn config(seed: u32) -> String {
    format!("seed{seed}.config")
}

fn timed(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("fpga: {what}");
    let start = Instant::now();
    work()?;
    eprintln!("fpga: {what} took {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
