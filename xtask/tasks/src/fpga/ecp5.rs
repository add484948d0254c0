// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a board's Verilog to a bitstream with the open tools: Yosys, nextpnr-ecp5, ecppack.

use super::board::{Board, Ecp5};
use super::closed::{self, Closed};
use super::emit::{copy_into, emit};
use super::pins;
use crate::nextpnr::{self, Report};
use crate::rtl;
use crate::yosys::Yosys;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;
use xtask::run;

const NETLIST: &str = "netlist.json";

/// A board on its way to a bitstream.
pub struct Build<'a> {
    pub board: &'a Board,
    pub ecp5: &'a Ecp5,
    /// The folder that it is built in.
    pub out: &'a Path,
}

impl Build<'_> {
    /// Synthesis, then place and route once per seed, then a bitstream of the first seed that closes. With `if_changed` nothing
    /// of that if it was done from the same before; with `keep` it is written down that it was done.
    ///
    /// # Errors
    /// Pins that do not fit, a tool that fails, or a seed whose clocks are slower than the board needs; all seeds are tried first.
    pub fn run(&self, seeds: &[u32], if_changed: bool, keep: bool) -> Result<()> {
        pins::check(self.board)?;
        let read = read(self.board, &emit(self.board, self.out)?, self.out)?;
        let script = synthesis(self.board, &read);
        let (name, sources) = (format!("{}/{}", self.board.id, self.board.preset), self.sources(seeds, &script)?);
        if if_changed && let Some(closed) = closed::find(&name, &sources)? {
            println!("built from the same as when it closed (constraints/closed.json), at {}", frequencies(&closed));
            return Ok(());
        }
        let yosys = Yosys::find()?;
        timed("synthesis", || yosys.run(self.out, &script, &[NETLIST]))?;
        let clocks = self.route_all(seeds)?;
        if keep {
            closed::keep(&name, Closed { sources, clocks })?;
            println!("written to {}", closed::KEPT);
        }
        Ok(())
    }

    /// Hash of all that decides on the result.
    fn sources(&self, seeds: &[u32], script: &str) -> Result<String> {
        let mut files = rtl::files(&self.out.join("rtl"))?;
        files.extend(self.board.sources().chain([self.board.pins()]));
        let commands: Vec<String> =
            seeds.iter().map(|seed| run::shown(&nextpnr::command(&self.ecp5.part, *seed))).collect();
        closed::hash(&files, &[script, &commands.join("\n")])
    }

    /// The frequencies of the first seed.
    fn route_all(&self, seeds: &[u32]) -> Result<BTreeMap<String, f64>> {
        let mut closed = None;
        let mut slow = vec![];
        for seed in seeds {
            let report = route(self.board, self.ecp5, self.out, *seed)?;
            println!("seed {seed}:\n{report}");
            let too_slow = report.too_slow();
            if too_slow.is_empty() {
                closed = closed.or(Some((*seed, report.frequencies())));
            } else {
                slow.push(format!("seed {seed}: {}", too_slow.join(", ")));
            }
        }
        if let Some((seed, _)) = closed {
            println!("bitstream: {}", pack(self.board, self.out, seed)?.display());
        }
        if !slow.is_empty() {
            bail!("{} of {} seeds do not close:\n{}", slow.len(), seeds.len(), slow.join("\n"));
        }
        Ok(closed.map(|(_, clocks)| clocks).unwrap_or_default())
    }
}

fn frequencies(closed: &Closed) -> String {
    closed.clocks.iter().map(|(clock, mhz)| format!("{clock} {mhz:.1} MHz")).collect::<Vec<_>>().join(", ")
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

/// The commands that make a netlist of what the commands `read` read.
fn synthesis(board: &Board, read: &str) -> String {
    // Up to `check`, which gives every cell a name: minutes of work, and nets have names already. nextpnr wants models of cells gone.
    format!(
        "{read}synth_ecp5 -top {top} -no-rw-check -run begin:check\ntee -q -o cells.txt stat\n\
         hierarchy -check -top {top}\ncheck -assert\nblackbox =A:whitebox\nwrite_json {NETLIST}\n",
        top = board.top
    )
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
