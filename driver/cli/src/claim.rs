// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that a run will write. They are opened before it begins, so that one that cannot be written stops it; until it does
//! begin nothing of them is changed, and what was made for it goes away again if it does not.

#[cfg(feature = "simulation")]
mod folder;

#[cfg(feature = "simulation")]
pub use folder::FolderClaim;

use crate::error::{BadInput, BadInputExt};
use crate::standard;
use anyhow::Context;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that can be written and still holds what it held before.
pub struct Claim {
    path: PathBuf,
    file: File,
    /// It was made by this claim, and goes away with it.
    made: bool,
    /// What it holds stays: it is the standard output.
    append: bool,
}

impl Claim {
    /// Opens the file, or makes an empty one.
    pub fn new(path: &Path) -> Result<Self, BadInput> {
        open(path).with_context(|| format!("cannot write {}", path.display())).bad_input()
    }

    /// Like [`Self::new`]; `-` is the standard output.
    pub fn new_or_standard(path: &Path) -> Result<Self, BadInput> {
        if !standard::is(path) {
            return Self::new(path);
        }
        let file = standard::output().context("cannot write to the standard output").bad_input()?;
        Ok(Claim { path: "standard output".into(), file, made: false, append: true })
    }

    /// The run begins: the file stays, and is empty if it is one that can be.
    pub fn take(mut self) -> io::Result<File> {
        self.made = false;
        if !self.append && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.try_clone()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.made {
            // Nothing more can be done about a file that does not go away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<Claim> {
    let claim = |file, made| Claim { path: path.into(), file, made, append: false };
    match File::create_new(path) {
        Ok(file) => Ok(claim(file, true)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Ok(claim(OpenOptions::new().write(true).open(path)?, false))
        }
        Err(error) => Err(error),
    }
}

/// Opens the file of the statistics, if there is one, which is none of those that are read.
pub fn of_stats(stats: Option<&Path>, inputs: &[&Path]) -> Result<Option<Claim>, BadInput> {
    let claim = stats.map(Claim::new_or_standard).transpose()?;
    check_distinct(&claim.iter().collect::<Vec<_>>(), inputs)?;
    Ok(claim)
}

/// Refuses files that would be written twice, or written and read: `outputs` are claims, `inputs` what the run reads.
pub fn check_distinct(outputs: &[&Claim], inputs: &[&Path]) -> Result<(), BadInput> {
    let id = |data: Metadata| data.is_file().then(|| (data.dev(), data.ino()));
    let written: Vec<_> = outputs.iter().filter_map(|c| Some((c.path(), id(c.file.metadata().ok()?)?))).collect();
    for (n, (path, file)) in written.iter().enumerate() {
        if written[..n].iter().any(|(_, other)| other == file) {
            return Err(BadInput(format!("{} would be written twice", path.display())));
        }
        if inputs.iter().any(|input| fs::metadata(input).ok().and_then(id) == Some(*file)) {
            return Err(BadInput(format!("{} would be written, but it is also an input", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_not_taken_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        drop((Claim::new(&at("old")).unwrap(), Claim::new(&at("new")).unwrap()));
        assert_eq!(fs::read(at("old")).unwrap(), b"old");
        assert!(!at("new").exists());
        drop(FolderClaim::new(&at("a/b/c")).unwrap());
        assert!(!at("a").exists());
    }

    #[test]
    fn a_claim_that_is_taken_gives_an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "old").unwrap();
        FolderClaim::new(&at("a/b")).unwrap().take();
        for name in ["old", "a/b/new"] {
            Claim::new(&at(name)).unwrap().take().unwrap();
            assert_eq!(fs::read(at(name)).unwrap(), b"", "{name}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let refused = |error: Option<BadInput>, text: &str| {
            let message = error.expect("it was claimed").0;
            assert!(message.contains(text), "{message}");
        };
        refused(Claim::new(folder.path()).err(), "Is a directory");
        refused(Claim::new(&at("no/file")).err(), "no/file: No such file");
        refused(FolderClaim::new(&at("file")).err(), "file is not a folder");
        refused(FolderClaim::new(&at("file/x")).err(), "cannot make the folder");
        let (one, other) = (Claim::new(&at("x")).unwrap(), Claim::new(&at("./x")).unwrap());
        refused(check_distinct(&[&one, &other], &[]).err(), "x would be written twice");
        refused(check_distinct(&[&one], &[&at("file"), &at("x")]).err(), "x would be written, but it is also an input");
        check_distinct(&[&one], &[&at("file"), &at("none")]).unwrap();
    }
}
