// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cases that are kept: those on which hardware and model once differed, and for each [`Mutant`] one that finds it.

use super::case::Case;
use super::mutant::Mutant;
use anyhow::{Context, Result};
use millrace_regs::config::Preset;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A case, and what it runs on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Build of the hardware.
    #[serde(deserialize_with = "preset")]
    pub preset: Preset,
    /// The fault of the model that it finds.
    pub mutant: Option<Mutant>,
    pub case: Case,
}

fn preset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Preset, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl Kept {
    /// Writes the case into a file of that name (without ending); its path.
    pub fn write(&self, name: &str) -> Result<PathBuf> {
        let path = folder().join(name).with_extension("json");
        fs::create_dir_all(folder())?;
        fs::write(&path, serde_json::to_string(self)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// All kept cases, with the names of their files.
pub fn all() -> Result<Vec<(String, Kept)>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder()).with_context(|| format!("cannot read {}", folder().display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let case = serde_json::from_str(&fs::read_to_string(&path)?);
            kept.push((path.display().to_string(), case.with_context(|| format!("cannot use {}", path.display()))?));
        }
    }
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(kept)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}
