// SPDX-License-Identifier: MIT OR Apache-2.0
//! The key that images are signed with.

use anyhow::{Context, Result};
use millrace_update::{SigningKey, generate, read_private};
use std::fs;
use std::path::Path;
use xtask::run;

/// The user's key, or a test key of this machine: said so, for everybody who has that key can make images that cards take.
pub fn signing(file: Option<&Path>) -> Result<SigningKey> {
    if let Some(file) = file {
        return Ok(read_private(file)?);
    }
    let folder = run::target().join("dpu-os");
    let file = folder.join("test-key.pem");
    eprintln!("dpu-os: no --key is given: {} signs, a key for tests", file.display());
    if file.is_file() {
        return Ok(read_private(&file)?);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(generate(&file)?)
}
