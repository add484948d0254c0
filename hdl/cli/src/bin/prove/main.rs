// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask prove`: proves properties of the Verilog that the emitter writes, and that each proof notices a fault.

mod base;
mod board;
mod core;
mod kept;
mod proof;
mod queue;
mod report;
mod sby;

use anyhow::{Result, bail};
use clap::Parser;
use kept::Kept;
use proof::Proof;
use report::Outcome;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

/// Proves properties of the emitted Verilog with SymbiYosys, and runs each proof on mutants of it, which it must refute.
#[derive(Parser)]
#[command(bin_name = "cargo xtask prove --")]
struct Arguments {
    /// Names of the proofs to run (all, if none is given)
    names: Vec<String>,
    /// Only say what each proof states
    #[arg(long)]
    list: bool,
    /// Leave out the proofs that take minutes
    #[arg(long)]
    quick: bool,
    /// Do not run the mutants
    #[arg(long)]
    without_mutants: bool,
    /// Leave out what was proved before of just the same, and kept
    #[arg(long)]
    if_changed: bool,
    /// Write down what ended as it should
    #[arg(long, conflicts_with = "without_mutants")]
    keep: bool,
    /// Solvers to run at a time (as many as there are processors, if not given)
    #[arg(long)]
    jobs: Option<usize>,
    /// Folder for the sources, logs and counterexamples of each run
    #[arg(long, default_value = "target/proofs")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let proofs = chosen(&arguments)?;
    if arguments.list {
        proofs.iter().for_each(|proof| println!("{:15} {}", proof.name, proof.claim));
        return Ok(());
    }
    let tools = sby::Tools::find(&arguments.out)?;
    let mut kept = Kept::read()?;
    let prover = kept::prover()?;
    let is_known = |(proof, hash): &(Proof, String)| arguments.if_changed && kept.has(proof, hash);
    let (before, proofs): (Vec<_>, Vec<_>) = hashed(proofs, &prover)?.into_iter().partition(is_known);
    if !before.is_empty() {
        println!("{} proofs were made before of the same, with all of their mutants", before.len());
    }
    let (proofs, hashes): (Vec<Proof>, Vec<String>) = proofs.into_iter().unzip();
    let jobs = jobs(&proofs, !arguments.without_mutants);
    let workers = arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let outcomes = run(&jobs, workers, &|job| sby::run(&tools, job.proof, job.mutant))?;
    let failures = report::print(&proofs, &outcomes);
    if arguments.keep {
        for (proof, hash) in proofs.iter().zip(hashes).filter(|(proof, _)| report::ended_well(proof, &outcomes)) {
            kept.insert(proof, hash);
        }
        kept.write(&all())?;
    }
    if failures > 0 {
        bail!(
            "{failures} of {} runs did not end as they should; logs and counterexamples are in {}",
            outcomes.len(),
            tools.out.display()
        );
    }
    Ok(())
}

/// Proofs, each with the hash of what it is made of.
fn hashed(proofs: Vec<Proof>, prover: &str) -> Result<Vec<(Proof, String)>> {
    proofs.into_iter().map(|proof| kept::hash(&proof, prover).map(|hash| (proof, hash))).collect()
}

/// One run of SymbiYosys: a proof on the emitted Verilog, or on a mutant of it.
struct Job<'a> {
    proof: &'a Proof,
    mutant: Option<usize>,
}

fn all() -> Vec<Proof> {
    [base::proofs(), core::proofs(), board::proofs(), queue::proofs()].into_iter().flatten().collect()
}

/// The proofs that the arguments ask for.
fn chosen(arguments: &Arguments) -> Result<Vec<Proof>> {
    let mut proofs = all();
    if let Some(name) = arguments.names.iter().find(|name| proofs.iter().all(|proof| proof.name != **name)) {
        let known: Vec<&str> = proofs.iter().map(|proof| proof.name).collect();
        bail!("there is no proof `{name}`; there are {}", known.join(", "));
    }
    let named = |proof: &Proof| arguments.names.is_empty() || arguments.names.iter().any(|name| name == proof.name);
    proofs.retain(|proof| named(proof) && !(arguments.quick && proof.slow));
    Ok(proofs)
}

/// The slow ones first, so that they do not run alone at the end.
fn jobs(proofs: &[Proof], mutants: bool) -> Vec<Job<'_>> {
    let mut jobs = vec![];
    for proof in proofs {
        jobs.push(Job { proof, mutant: None });
        if mutants {
            jobs.extend((0..proof.mutants.len()).map(|i| Job { proof, mutant: Some(i) }));
        }
    }
    jobs.sort_by_key(|job| (!job.proof.slow, job.mutant.is_some()));
    jobs
}

/// Blocks are built on the stack.
const STACK: usize = 32 << 20;

/// Runs all jobs on `workers` threads.
fn run(jobs: &[Job], workers: usize, one: &(dyn Fn(&Job) -> Result<Outcome> + Sync)) -> Result<Vec<Outcome>> {
    let queue = Mutex::new(jobs.iter());
    let outcomes = Mutex::new(vec![]);
    thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.len().max(1)) {
            let worker = || {
                loop {
                    let next = queue.lock().expect("no worker panics").next();
                    let Some(job) = next else { break };
                    let outcome = one(job);
                    outcomes.lock().expect("no worker panics").push(outcome);
                }
            };
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).expect("a thread");
        }
    });
    outcomes.into_inner().expect("no worker panics").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says in seconds what the proofs would say in minutes: that Verilog has changed under a mutant.
    #[test]
    fn each_mutant_finds_its_text() {
        let proofs = all();
        let broken = |proof: &Proof| {
            let faults = proof.mutants.iter().filter_map(|mutant| proof.verilog(Some(mutant)).err());
            faults.map(|fault| fault.to_string()).collect::<Vec<_>>()
        };
        let faults: Vec<String> = proofs.iter().flat_map(broken).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// Yosys makes a wire of a name that it does not know. Those in capitals are constants.
    #[test]
    fn each_constant_of_a_harness_is_declared() {
        for proof in all() {
            let fields = (proof.design)().expect("it can be emitted").fields;
            let lines = proof.sources.iter().flat_map(|source| source.text.lines());
            let code: String =
                lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
            let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let declared = |name: &str| {
                let starts = ["localparam ", "parameter ", "`ifdef ", "`ifndef "];
                starts.iter().any(|start| [&fields, &code].iter().any(|text| has_word(text, start, name)))
            };
            for word in words {
                let constant = word.starts_with(|c: char| c.is_ascii_uppercase()) && word.to_uppercase() == word;
                assert!(!constant || declared(word), "{}: nothing declares `{word}`", proof.name);
            }
        }
    }

    /// `start` with just `name` behind it.
    fn has_word(text: &str, start: &str, name: &str) -> bool {
        text.match_indices(&format!("{start}{name}"))
            .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    }

    /// A module that a harness brings is its top, a helper of its own, or in the place of one of the design's: none is left over.
    #[test]
    fn each_module_of_a_harness_is_used() {
        for proof in all() {
            let texts: String = proof.sources.iter().map(|source| source.text).collect();
            let declared = texts.lines().filter_map(|line| line.strip_prefix("module "));
            let names = declared.filter_map(|rest| rest.split([' ', '(', '#']).next());
            let design = (proof.design)().expect("it can be emitted").modules;
            for name in names.filter(|name| !name.ends_with("_proof")) {
                let helps =
                    texts.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| *word == name).count() > 1;
                let replaces = design.iter().any(|module| module.name == name);
                assert!(helps || replaces, "{}: nothing uses the harness's module {name}", proof.name);
            }
        }
    }
}
