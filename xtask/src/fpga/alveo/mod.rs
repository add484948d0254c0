// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks of the Alveo boards, short of Vivado: the wrapper with Verilator and Yosys, the build script and the constraints over the elaborated
//! design, in Tcl, with stand-ins for Vivado's commands; and that faults put into each of them are found.

mod mutants;
mod netlist;
mod record;

use crate::run;
use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use mutants::Mutant;
use netlist::Netlist;
use record::Record;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The module of the core in the wrappers.
const CORE: &str = "millrace_host";

/// Stands in for Vivado.
const VIVADO: &str = include_str!("vivado.tcl");

/// An Alveo board: a folder of `constraints/`.
struct Card {
    name: &'static str,
    top: &'static str,
    /// Uplinks with a MAC of their own.
    uplinks: usize,
}

const CARDS: &[Card] = &[
    Card { name: "alveo-u50", top: "alveo_u50", uplinks: 1 },
    Card { name: "alveo-u250", top: "alveo_u250", uplinks: 2 },
];

/// The build of the hardware that the boards are made for.
const PRESET: &str = "alveo";

/// Whether there is such a board, and it can have this preset.
///
/// # Errors
/// If not, with what there is.
pub fn fits(board: &str, preset: Option<&str>) -> Result<()> {
    card(board)?;
    match preset {
        Some(preset) if preset != PRESET => bail!("board `{board}` is made for preset `{PRESET}`, not `{preset}`"),
        _ => Ok(()),
    }
}

/// Emits the Verilog of `board` and checks everything that is built from it, the core included.
///
/// # Errors
/// An unknown board; or what is wrong, with its place.
pub fn check(board: &str) -> Result<()> {
    let card = card(board)?;
    let out = run::target().join("fpga").join(card.name);
    let rtl = emit(card, &out)?;
    Check::new(card, rtl, out)?.all(true, "")
}

/// The same for all boards without a look into the core, which tests of its own look into.
pub fn quick() -> Result<()> {
    for (number, card) in CARDS.iter().enumerate() {
        let out = run::target().join("fpga").join(card.name);
        let rtl = emit(card, &out)?;
        // Of what the boards share, a fault found on one is found on all.
        Check::new(card, rtl, out)?.all(false, if number == 0 { "" } else { "{board}" })?;
    }
    Ok(())
}

fn card(board: &str) -> Result<&'static Card> {
    CARDS.iter().find(|card| card.name == board).with_context(|| {
        format!(
            "unknown board `{board}`: the boards are {}",
            CARDS.iter().map(|card| card.name).collect::<Vec<_>>().join(", ")
        )
    })
}

/// Writes the board's Verilog.
fn emit(card: &Card, out: &Path) -> Result<PathBuf> {
    let rtl = out.join("rtl");
    let mut args = vec![format!("--preset={PRESET}"), "--top=host".into(), "--with-cmac-port".into()];
    args.push(format!("--uplinks={}", card.uplinks));
    args.push(format!("--out={}", rtl.display()));
    run::build("millrace-hdl", "verilog", &["cli"])?;
    let mut program = run::command(run::target().join("release/verilog"));
    program.args(&args);
    run::checked(program)?;
    Ok(rtl)
}

/// A board, its Verilog, and a folder to work in.
struct Check {
    card: &'static Card,
    rtl: PathBuf,
    out: PathBuf,
    /// `constraints/`.
    constraints: PathBuf,
    yosys: Yosys,
}

impl Check {
    fn new(card: &'static Card, rtl: PathBuf, out: PathBuf) -> Result<Self> {
        let constraints = run::root().join("constraints").canonicalize().context("constraints/")?;
        Ok(Self { card, rtl: rtl.canonicalize()?, out: out.canonicalize()?, constraints, yosys: Yosys::find()? })
    }

    /// All checks; faults are put into files below `faults_in`.
    fn all(&self, with_core: bool, faults_in: &str) -> Result<()> {
        let start = Instant::now();
        let name = self.card.name;
        self.lint().context("Verilator's lint of the wrapper and the core")?;
        let netlist = self.elaborate(&self.constraints, with_core).context("Yosys's elaboration")?;
        let (cells, crossings, clocks) = netlist.size();
        println!("{name}: {cells} cells outside the core, {clocks} clocks, {crossings} ends of paths between clocks");
        let record = self.run(&self.constraints, &netlist, "0.100", "MET")?;
        let (pins, exceptions) = record.size();
        println!("{name}: build.tcl runs to its end; {pins} pins, {exceptions} timing exceptions, all right");
        let found = self.mutants(&netlist, faults_in)?;
        println!("{name}: {found} faults put in, all found, in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// The Verilog that `list` names.
    fn emitted(&self) -> Result<Vec<PathBuf>> {
        let list = self.rtl.join("millrace.f");
        let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        Ok(text.lines().map(|name| self.rtl.join(name)).collect())
    }

    /// The wrapper's Verilog below `constraints`.
    fn wrapper(&self, constraints: &Path) -> Result<Vec<PathBuf>> {
        let folder = constraints.join("alveo/rtl");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        files.push(constraints.join(self.card.name).join(format!("{}.v", self.card.top)));
        Ok(files)
    }

    fn black_boxes(&self) -> PathBuf {
        self.constraints.join("alveo/check/black_boxes.v")
    }

    /// Every warning on; the three waivers are those of the core's own lint, about no defect.
    fn lint(&self) -> Result<()> {
        let mut verilator = run::command("verilator");
        verilator.args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSED", "-Wno-PINCONNECTEMPTY"]);
        verilator.args(["--top-module", self.card.top]).arg(self.black_boxes());
        verilator.args(self.emitted()?).args(self.wrapper(&self.constraints)?);
        run::checked(verilator)
    }

    /// Elaborates the design with the wrapper below `constraints`. The core becomes a black box: after Yosys has checked it (`with_core`),
    /// or, when that has been done elsewhere, before.
    fn elaborate(&self, constraints: &Path, with_core: bool) -> Result<Netlist> {
        let quoted =
            |files: &[PathBuf]| files.iter().map(|file| format!(" \"{}\"", file.display())).collect::<String>();
        let core = if with_core { String::new() } else { format!("blackbox {CORE}; ") };
        let script = format!(
            "read_verilog{emitted}{boxes}\n{core}read_verilog{wrapper}\nhierarchy -check -top {top}\nproc\n\
             select -assert-none t:$dlatch\ncheck -assert\nblackbox {CORE}\nwrite_json modules.json\nflatten\nmemory_collect\nopt_clean\nwrite_json netlist.json\n",
            emitted = quoted(&self.emitted()?),
            boxes = quoted(&[self.black_boxes()]),
            wrapper = quoted(&self.wrapper(constraints)?),
            top = self.card.top,
        );
        self.yosys.run(&self.out, &script.replace("; ", "\n"), &["modules.json", "netlist.json"])?;
        let read = |name: &str| fs::read_to_string(self.out.join(name)).with_context(|| format!("cannot read {name}"));
        netlist::read(&read("modules.json")?, &read("netlist.json")?, self.card.top, CORE)
    }

    /// Runs the build script below `constraints`, and judges what it asked for.
    fn run(&self, constraints: &Path, netlist: &Netlist, slack: &str, skew: &str) -> Result<Record> {
        let write = |name: &str, text: &str| -> Result<PathBuf> {
            let path = self.out.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        let vivado = write("vivado.tcl", VIVADO)?;
        let design = write("netlist.tcl", &netlist.tcl(slack, skew))?;
        let record = self.out.join("record.txt");
        let mut tclsh = run::command("tclsh");
        tclsh.args([&vivado, &design, &record]).arg(constraints.join("alveo/build.tcl"));
        tclsh.arg(self.card.name).args([&self.rtl, &self.out.join("build")]);
        let answer = tclsh.output().context("cannot start tclsh")?;
        if !answer.status.success() {
            bail!("build.tcl: {}", String::from_utf8_lossy(&answer.stderr).trim());
        }
        let record = Record::read(&fs::read_to_string(&record)?)?;
        let elaborated: BTreeSet<PathBuf> = self.emitted()?.into_iter().chain(self.wrapper(constraints)?).collect();
        record::same_files(&record.verilog, &elaborated)?;
        record.judge(netlist)?;
        Ok(record)
    }

    /// Puts each fault into a copy of `constraints/` and demands that it is found, and named. Gives their number.
    fn mutants(&self, netlist: &Netlist, faults_in: &str) -> Result<usize> {
        for (slack, skew, said) in [("-0.010", "MET", "timing is not met"), ("0.100", "VIOLATED", "too far apart")] {
            found(said, self.run(&self.constraints, netlist, slack, skew).map(|_| ()))?;
        }
        let chosen = |mutants: &'static [Mutant]| mutants.iter().filter(|mutant| mutant.file.starts_with(faults_in));
        for mutant in chosen(mutants::SCRIPTS) {
            let copy = self.mutate(mutant)?;
            found(mutant.said, self.run(copy.path(), netlist, "0.100", "MET").map(|_| ()))
                .with_context(|| format!("{}: `{}` for `{}`", mutant.file, mutant.to, mutant.from))?;
        }
        for mutant in chosen(mutants::WRAPPER) {
            let copy = self.mutate(mutant)?;
            let outcome = self
                .elaborate(copy.path(), false)
                .and_then(|netlist| self.run(copy.path(), &netlist, "0.100", "MET").map(|_| ()));
            found(mutant.said, outcome)
                .with_context(|| format!("{}: `{}` for `{}`", mutant.file, mutant.to, mutant.from))?;
        }
        Ok(2 + chosen(mutants::SCRIPTS).count() + chosen(mutants::WRAPPER).count())
    }

    /// A copy of `constraints/alveo` and the board's folder with the mutant's fault.
    fn mutate(&self, mutant: &Mutant) -> Result<tempfile::TempDir> {
        let copy = tempfile::tempdir_in(&self.out).context("a temporary folder")?;
        for folder in ["alveo", "alveo/rtl", self.card.name] {
            fs::create_dir_all(copy.path().join(folder))?;
            for entry in fs::read_dir(self.constraints.join(folder))? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    fs::copy(entry.path(), copy.path().join(folder).join(entry.file_name()))?;
                }
            }
        }
        let file = copy.path().join(mutant.file.replace("{board}", self.card.name));
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if !text.contains(mutant.from) {
            bail!("{} has no `{}` to put a fault into", mutant.file, mutant.from);
        }
        fs::write(&file, text.replacen(mutant.from, mutant.to, 1))?;
        Ok(copy)
    }
}

/// Demands an error that says `said`.
fn found(said: &str, outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if format!("{error:#}").contains(said) => Ok(()),
        Err(error) => bail!("the fault was to be called `{said}`, but this was said: {error:#}"),
        Ok(()) => bail!("the fault was not found; `{said}` was to be said"),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = |board, preset| fits(board, preset).unwrap_err().to_string();
        assert_eq!(refused("alveo-u280", None), "unknown board `alveo-u280`: the boards are alveo-u50, alveo-u250");
        assert_eq!(refused("alveo-u50", Some("ecp5")), "board `alveo-u50` is made for preset `alveo`, not `ecp5`");
        assert!(fits("alveo-u250", Some("alveo")).is_ok());
    }
}
