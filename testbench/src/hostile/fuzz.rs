// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws cases until enough has happened. The first that fails is made small, and kept.

use super::draw;
use super::op::{Case, Op};
use super::run::{Done, run};
use anyhow::{Context, Result, anyhow, bail};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Things that happen in a case.
const LENGTH: usize = 20_000;
/// Attempts to make a failing case smaller.
const ATTEMPTS: usize = 400;

/// Lets so many things happen, of what follows from the seed; `progress` is told after each case.
///
/// # Errors
/// The first thing that the device must not do; the case is kept in the folder of kept cases.
pub fn fuzz(operations: u64, seed: u64, mut progress: impl FnMut(&Done)) -> Result<Done> {
    let mut done = Done::default();
    for number in 0.. {
        if done.operations >= operations {
            break;
        }
        let case = drawn(seed, number, LENGTH.min((operations - done.operations) as usize));
        match attempt(&case) {
            Ok(more) => done += more,
            Err(error) => {
                eprintln!("case {number} of seed {seed}: {error:#}\nIt is made smaller.");
                let (case, error) = shrink(case, error);
                let path = keep(&case, &format!("{seed}-{number}"))?;
                bail!("case {number} of seed {seed}: {error:#}\nIt is kept in {}", path.display());
            }
        }
        progress(&done);
    }
    Ok(done)
}

/// The case of this number that follows from a seed, of about so many things that happen.
pub fn drawn(seed: u64, number: u64, length: usize) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    draw::case(&mut rng, length)
}

/// Runs a case: what panics fails.
fn attempt(case: &Case) -> Result<Done> {
    catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(anyhow!("{}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")))
    })
}

/// Takes out what is not needed for the case to fail, in pieces that become smaller.
fn shrink(mut case: Case, mut error: anyhow::Error) -> (Case, anyhow::Error) {
    let (mut piece, mut attempts) = (case.ops.len().div_ceil(2), 0);
    while piece > 0 {
        let mut at = 0;
        while at < case.ops.len() && attempts < ATTEMPTS {
            attempts += 1;
            let ops: Vec<Op> = [&case.ops[..at], &case.ops[(at + piece).min(case.ops.len())..]].concat();
            let smaller = Case { ops, ..case.clone() };
            match attempt(&smaller) {
                Err(found) => (case, error) = (smaller, found),
                Ok(_) => at += piece,
            }
        }
        piece /= 2;
    }
    (case, error)
}

fn keep(case: &Case, name: &str) -> Result<PathBuf> {
    let path = folder().join(name).with_extension("json");
    fs::create_dir_all(folder())?;
    fs::write(&path, serde_json::to_string(case)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// A kept case.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Case> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot use {}", path.display()))
}

/// All kept cases, with their files.
///
/// # Errors
/// If one cannot be read.
pub fn kept() -> Result<Vec<(PathBuf, Case)>> {
    let mut kept = vec![];
    for entry in fs::read_dir(folder()).with_context(|| format!("cannot read {}", folder().display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let case = read(&path)?;
            kept.push((path, case));
        }
    }
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(kept)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/hostile")
}
