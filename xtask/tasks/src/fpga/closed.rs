// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boards that were seen to close: what was built, by hash, and which frequencies came out. What has not changed since is not placed and routed again.

use crate::rtl;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// The file of the repository that keeps them.
pub const KEPT: &str = "constraints/closed.json";

/// A build that closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Of Verilog, constraints and commands.
    pub sources: String,
    /// MHz by clock.
    pub clocks: BTreeMap<String, f64>,
}

/// Builds by `BOARD/PRESET`.
type Kept = BTreeMap<String, Closed>;

/// What was kept of a build, if it was built from the same.
pub fn find(build: &str, sources: &str) -> Result<Option<Closed>> {
    Ok(read(&path())?.remove(build).filter(|closed| closed.sources == sources))
}

/// Keeps a build.
pub fn keep(build: &str, closed: Closed) -> Result<()> {
    let mut kept = read(&path())?;
    kept.insert(build.into(), closed);
    let text = serde_json::to_string_pretty(&kept)? + "\n";
    fs::write(path(), text).with_context(|| format!("cannot write {KEPT}"))
}

fn path() -> PathBuf {
    run::root().join(KEPT)
}

fn read(path: &Path) -> Result<Kept> {
    if !path.is_file() {
        return Ok(Kept::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `cargo xtask fpga --keep` writes", path.display()))
}

/// The hash of files, comments in lines of their own left out, and of what is done with them.
pub fn hash(files: &[PathBuf], commands: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        add(&rtl::without_remarks(&text));
    }
    commands.iter().for_each(|command| add(command));
    Ok(hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_changes_nothing_and_all_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let hash_of = |text: &str, command: &str| {
            let file = folder.path().join("a.v");
            fs::write(&file, text).unwrap();
            hash(&[file], &[command]).unwrap()
        };
        let first = hash_of("// one\nassign a = b;\n", "synth");
        assert_eq!(first, hash_of("  // another\nassign a = b;\n", "synth"));
        assert_ne!(first, hash_of("// one\nassign a = c;\n", "synth"));
        assert_ne!(first, hash_of("// one\nassign a = b;\n", "synth -flatten"));
    }

    #[test]
    fn what_is_no_list_of_builds_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("closed.json");
        assert_eq!(read(&file).unwrap(), Kept::new(), "no file, no builds");
        fs::write(&file, "[]").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("closed.json is not what"));
    }
}
