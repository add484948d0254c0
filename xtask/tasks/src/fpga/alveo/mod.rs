// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks of the Alveo boards, short of Vivado: the wrapper with Verilator and Yosys, the build script and the constraints over the elaborated
//! design, in Tcl, with stand-ins for Vivado's commands; and that faults put into each of them are found.

mod mutants;
mod netlist;
mod record;

use super::board::Board;
use super::emit::emit;
use crate::rtl;
use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use mutants::Mutant;
use netlist::Netlist;
use record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use xtask::run;

/// The module of the core in the wrappers.
const CORE: &str = "millrace_host";

/// Stands in for Vivado.
const VIVADO: &str = include_str!("vivado.tcl");

/// Emits the Verilog of `board` and checks everything that is built from it, the core included.
///
/// # Errors
/// What is wrong, with its place.
pub fn check(board: &Board, out: &Path) -> Result<()> {
    Check::new(board, out)?.all(true, "")
}

/// The same without a look into the core, which tests of its own look into. Of what the boards share, a fault found on one is
/// found on all: they are put into the `first` one alone.
pub fn quick(board: &Board, out: &Path, first: bool) -> Result<()> {
    Check::new(board, out)?.all(false, if first { "" } else { "{board}" })
}

/// A board, its Verilog, and a folder to work in.
struct Check<'a> {
    board: &'a Board,
    rtl: PathBuf,
    out: PathBuf,
    /// `constraints/`.
    constraints: PathBuf,
    yosys: Yosys,
}

impl<'a> Check<'a> {
    fn new(board: &'a Board, out: &Path) -> Result<Self> {
        let rtl = emit(board, out)?;
        let constraints = run::root().join("constraints").canonicalize().context("constraints/")?;
        Ok(Self { board, rtl: rtl.canonicalize()?, out: out.canonicalize()?, constraints, yosys: Yosys::find()? })
    }

    /// All checks; faults are put into files below `faults_in`.
    fn all(&self, with_core: bool, faults_in: &str) -> Result<()> {
        let start = Instant::now();
        let name = &self.board.id;
        self.lint(with_core).context("Verilator's lint of the wrapper and the core")?;
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

    /// The wrapper's Verilog below `constraints`.
    fn wrapper(&self, constraints: &Path) -> Result<Vec<PathBuf>> {
        let folder = constraints.join("alveo/rtl");
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        files.push(constraints.join(&self.board.id).join(format!("{}.v", &self.board.top)));
        Ok(files)
    }

    fn black_boxes(&self) -> PathBuf {
        self.constraints.join("alveo/check/black_boxes.v")
    }

    /// The Verilog to elaborate below the wrapper: all that was emitted, or with the core's pins in its place.
    fn below(&self, with_core: bool) -> Result<Vec<PathBuf>> {
        let mut files = vec![self.black_boxes()];
        if with_core {
            files.extend(rtl::files(&self.rtl)?);
            return Ok(files);
        }
        let core = self.rtl.join(format!("{CORE}.v"));
        let text = fs::read_to_string(&core).with_context(|| format!("cannot read {}", core.display()))?;
        let pins = self.out.join(format!("{CORE}_pins.v"));
        let (header, _) = text.split_once("\n);\n").with_context(|| format!("{} has no pins", core.display()))?;
        let waivers = "/* verilator lint_off UNDRIVEN */\n/* verilator lint_off UNUSED */";
        fs::write(&pins, format!("{waivers}\n(* blackbox *)\n{header}\n);\nendmodule\n"))?;
        files.push(pins);
        files.extend(self.reached("cmac_port")?);
        Ok(files)
    }

    /// The emitted files of `module` and all that is in it.
    fn reached(&self, module: &str) -> Result<Vec<PathBuf>> {
        let files: BTreeMap<String, PathBuf> = rtl::files(&self.rtl)?
            .into_iter()
            .filter_map(|file| Some((file.file_stem()?.to_str()?.to_owned(), file)))
            .collect();
        let (mut found, mut open) = (BTreeSet::new(), vec![module.to_owned()]);
        while let Some(name) = open.pop() {
            let file = files.get(&name).with_context(|| format!("{}: no module {name}", self.rtl.display()))?;
            if found.insert(file.clone()) {
                let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                // `    module instance (`
                let first_words =
                    text.lines().filter(|line| line.ends_with(" (")).filter_map(|l| l.split_whitespace().next());
                open.extend(first_words.filter(|word| files.contains_key(*word)).map(str::to_owned));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Every warning on. Waived are a module that is not named after its file, and IP pins that the wrapper leaves open by name.
    fn lint(&self, with_core: bool) -> Result<()> {
        let mut verilator = run::command("verilator");
        verilator.args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-PINCONNECTEMPTY"]);
        verilator.args(["--top-module", &self.board.top]);
        verilator.args(self.below(with_core)?).args(self.wrapper(&self.constraints)?);
        run::checked(verilator)
    }

    /// Elaborates the design with the wrapper below `constraints`. The core becomes a black box, `with_core` after Yosys has checked it.
    fn elaborate(&self, constraints: &Path, with_core: bool) -> Result<Netlist> {
        let files: String = self
            .below(with_core)?
            .iter()
            .chain(&self.wrapper(constraints)?)
            .map(|file| Ok(format!("read_verilog \"{}\"\n", run::way(&self.out, file)?.display())))
            .collect::<Result<_>>()?;
        let script = format!(
            "{files}hierarchy -check -top {top}\nproc\nselect -assert-none t:$dlatch\ncheck -assert\nblackbox {CORE}\n\
             write_json modules.json\nflatten\nmemory_collect\nopt_clean\nwrite_json netlist.json\n",
            top = &self.board.top,
        );
        self.yosys.run(&self.out, &script, &["modules.json", "netlist.json"])?;
        let read = |name: &str| fs::read_to_string(self.out.join(name)).with_context(|| format!("cannot read {name}"));
        netlist::read(&read("modules.json")?, &read("netlist.json")?, &self.board.top, CORE)
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
        tclsh.arg(&self.board.id).args([&self.rtl, &self.out.join("build")]);
        let answer = tclsh.output().context("cannot start tclsh")?;
        if !answer.status.success() {
            bail!("build.tcl: {}", String::from_utf8_lossy(&answer.stderr).trim());
        }
        let record = Record::read(&fs::read_to_string(&record)?)?;
        let elaborated: BTreeSet<PathBuf> =
            rtl::files(&self.rtl)?.into_iter().chain(self.wrapper(constraints)?).collect();
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
        for folder in ["alveo", "alveo/rtl", &self.board.id] {
            fs::create_dir_all(copy.path().join(folder))?;
            for entry in fs::read_dir(self.constraints.join(folder))? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    fs::copy(entry.path(), copy.path().join(folder).join(entry.file_name()))?;
                }
            }
        }
        let file = copy.path().join(mutant.file.replace("{board}", &self.board.id));
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
