// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws cases until enough packets have gone through, and shrinks the one that fails.

use super::case::{Case, case};
use super::run;
use anyhow::{Context, Result, bail};
use millrace_regs::config::Preset;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::fs;
use std::path::{Path, PathBuf};

/// Things that happen in one case, at most: short cases are made small sooner when they fail, long ones spend less of their
/// time on starting.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    Short = 400,
    Long = 4_000,
}

/// What is done with a case that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It is made as small as can be, and kept in [`kept_cases`].
    Keep,
    /// It is told as it is.
    Tell,
}

/// Attempts to make a failing case smaller.
const SHRINK_LIMIT: usize = 2_000;

/// The folder in which failing cases are kept: `cargo xtask test` runs them again.
pub fn kept_cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Compares RTL and model until `packets` packets went through; the number that did. `progress` is told it after each case.
///
/// # Errors
/// The first difference.
pub fn soak(
    preset: Preset,
    packets: u64,
    seed: u64,
    length: Length,
    failing: Failing,
    mut progress: impl FnMut(u64),
) -> Result<u64> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = case(preset.config().vports(), length as usize);
    let mut done = 0;
    while done < packets {
        let mut tree =
            strategy.new_tree(&mut runner).map_err(|reason| anyhow::anyhow!("cannot draw a case: {reason}"))?;
        if let Err(error) = run(&tree.current(), preset) {
            if failing == Failing::Tell {
                return Err(error.context(format!("seed {seed}, after {done} packets")));
            }
            let (case, error) = shrink(&mut tree, preset);
            let path = keep(&case, preset, seed)?;
            bail!("seed {seed}, after {done} packets: {error:#}\nThe case is kept in {}", path.display());
        }
        done += tree.current().packets() as u64;
        progress(done);
    }
    Ok(done)
}

/// The smallest case found that still fails, and how it does.
fn shrink(tree: &mut impl ValueTree<Value = Case>, preset: Preset) -> (Case, anyhow::Error) {
    let mut smallest = tree.current();
    let mut error = run(&smallest, preset).expect_err("runs are deterministic");
    for _ in 0..SHRINK_LIMIT {
        let moved = match run(&tree.current(), preset) {
            Err(found) => {
                (smallest, error) = (tree.current(), found);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
        if !moved {
            break;
        }
    }
    (smallest, error)
}

fn keep(case: &Case, preset: Preset, seed: u64) -> Result<PathBuf> {
    let folder = kept_cases();
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{preset}-{seed}-{}.json", case.ops.len()));
    fs::write(&path, serde_json::to_string_pretty(case)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
