// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws cases until enough packets have gone through, and shrinks the one that fails.

use super::case::{Case, case};
use super::kept::Kept;
use super::mutant::Mutant;
use super::run;
use anyhow::{Result, bail};
use millrace_regs::config::Preset;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::path::PathBuf;

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
    /// It is made as small as can be, and [kept](super::kept).
    Keep,
    /// It is told as it is.
    Tell,
}

/// Attempts to make a failing case smaller.
const SHRINK_LIMIT: usize = 2_000;

/// A comparison on drawn cases.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Build of the hardware.
    pub preset: Preset,
    /// Packets to send, at least.
    pub packets: u64,
    /// Of all random choices.
    pub seed: u64,
    pub length: Length,
    pub failing: Failing,
    /// A fault of the model, to be found.
    pub mutant: Option<Mutant>,
}

impl Soak {
    /// With short cases; one that fails is kept.
    pub fn new(preset: Preset, packets: u64, seed: u64) -> Self {
        Self { preset, packets, seed, length: Length::Short, failing: Failing::Keep, mutant: None }
    }

    /// Compares RTL and model until enough packets went through; the number that did. `progress` is told it after each case.
    ///
    /// # Errors
    /// The first difference.
    pub fn run(&self, mut progress: impl FnMut(u64)) -> Result<u64> {
        let Self { preset, packets, seed, mutant, .. } = *self;
        let mut done = 0;
        for tree in cases(preset, seed, self.length) {
            let mut tree = tree?;
            if let Err(error) = run(&tree.current(), preset, mutant) {
                if self.failing == Failing::Tell {
                    return Err(error.context(format!("seed {seed}, after {done} packets")));
                }
                let (case, error) = self.shrink(&mut tree);
                let path = self.keep(case)?;
                bail!("seed {seed}, after {done} packets: {error:#}\nThe case is kept in {}", path.display());
            }
            done += tree.current().packets() as u64;
            progress(done);
            if done >= packets {
                break;
            }
        }
        Ok(done)
    }

    /// The smallest case found that still fails, and how it does.
    fn shrink(&self, tree: &mut impl ValueTree<Value = Case>) -> (Case, anyhow::Error) {
        let run = |case: &Case| run(case, self.preset, self.mutant);
        let mut smallest = tree.current();
        let mut error = run(&smallest).expect_err("runs are deterministic");
        for _ in 0..SHRINK_LIMIT {
            let moved = match run(&tree.current()) {
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

    fn keep(&self, case: Case) -> Result<PathBuf> {
        let Self { preset, seed, mutant, .. } = *self;
        let name = match mutant {
            Some(mutant) => format!("{preset}-{}", mutant.name()),
            None => format!("{preset}-{seed}-{}", case.ops.len()),
        };
        Kept { preset, mutant, case }.write(&name)
    }
}

/// Cases for a preset, without end.
pub fn cases(preset: Preset, seed: u64, length: Length) -> impl Iterator<Item = Result<impl ValueTree<Value = Case>>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let config = preset.config();
    let strategy = case(config.vports(), config.passes, length as usize);
    std::iter::from_fn(move || {
        Some(strategy.new_tree(&mut runner).map_err(|reason| anyhow::anyhow!("cannot draw a case: {reason}")))
    })
}
