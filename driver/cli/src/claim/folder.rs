// SPDX-License-Identifier: MIT OR Apache-2.0
//! Folders that a run will write into.

use crate::error::{BadInput, BadInputExt};
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder to write into. What had to be made for it goes away with the claim unless the run begins.
pub struct FolderClaim {
    /// Folders that were made, the outermost first.
    made: Vec<PathBuf>,
}

impl FolderClaim {
    /// Makes the folder and those it lies in, as far as there are none.
    pub fn new(path: &Path) -> Result<Self, BadInput> {
        let mut claim = FolderClaim { made: vec![] };
        let missing: Vec<&Path> = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))
                .bad_input()?;
            claim.made.push(folder.into());
        }
        if path.is_dir() { Ok(claim) } else { Err(BadInput(format!("{} is not a folder", path.display()))) }
    }

    /// The run begins: the folder stays.
    pub fn take(mut self) {
        self.made.clear();
    }
}

impl Drop for FolderClaim {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}
