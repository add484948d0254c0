// SPDX-License-Identifier: MIT OR Apache-2.0
//! Built libraries by the hash of all that went into them.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Entries that stay when a new one is made.
const KEEP: usize = 32;

pub struct Cache {
    root: PathBuf,
    base: Sha256,
}

impl Cache {
    /// A cache in `MILLRACE_CACHE`, else in the `target` folder that `out` (cargo's `OUT_DIR`) lies in, shared by all
    /// profiles. `tools` are the versions and options of the programs at work.
    pub fn new(out: &Path, tools: &[&str]) -> Result<Self> {
        // target/PROFILE/build/PACKAGE-HASH/out
        let target = out.ancestors().nth(4).context("OUT_DIR is not in a target folder")?;
        let root = env::var_os("MILLRACE_CACHE").map_or_else(|| target.join("millrace-models"), PathBuf::from);
        fs::create_dir_all(&root).with_context(|| format!("cannot make the cache {}", root.display()))?;
        let mut base = Sha256::new();
        for part in tools.iter().map(|s| s.as_bytes()).chain(own_sources()) {
            update(&mut base, part);
        }
        Ok(Self { root, base })
    }

    /// The folder with the library `name` of `inputs`, made by `make` if there is none.
    pub fn get(&self, name: &str, inputs: &[&str], make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let mut hash = self.base.clone();
        for part in [name].iter().chain(inputs) {
            update(&mut hash, part.as_bytes());
        }
        let digest: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let folder = self.root.join(format!("{name}-{digest}"));
        if folder.is_dir() {
            // Marks the entry as used; a cache that cannot be written to still works.
            let _ = fs::write(folder.join("used"), b"");
            return Ok(folder);
        }
        let temporary = self.root.join(format!(".{name}-{digest}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary)?;
        let made = make(&temporary).and_then(|()| strip(&temporary));
        let moved = made.and_then(|()| match fs::rename(&temporary, &folder) {
            // Somebody else was faster: theirs is as good.
            Err(_) if folder.is_dir() => Ok(()),
            other => other.context("cannot move the library into the cache"),
        });
        let _ = fs::remove_dir_all(&temporary);
        moved.map(|()| folder)
    }

    /// Removes the entries that were not used for longest.
    pub fn prune(&self) -> Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.root)?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.is_dir() && !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
            .map(|path| (last_use(&path), path))
            .collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.0));
        for (_, path) in entries.iter().skip(KEEP) {
            let _ = fs::remove_dir_all(path);
        }
        Ok(())
    }
}

fn last_use(folder: &Path) -> SystemTime {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified());
    time(&folder.join("used")).or_else(|_| time(folder)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Parts are hashed with their length, so that no two lists of parts look the same.
fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part);
}

/// This build script decides on flags and shim: it is part of every key.
fn own_sources() -> [&'static [u8]; 5] {
    [
        include_bytes!("../build.rs"),
        include_bytes!("cache.rs"),
        include_bytes!("compile.rs"),
        include_bytes!("shim.rs"),
        include_bytes!("verilator.rs"),
    ]
}

/// Leaves nothing but the library.
fn strip(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.extension().is_none_or(|extension| extension != "a") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
