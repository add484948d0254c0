// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// Why an image is not taken, or a slot not written. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {cause}", path.display())]
    File {
        /// What was to be done with it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A key is not one of Ed25519 in PEM.
    #[error("{} is no {kind} key for Ed25519 in PEM: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        kind: &'static str,
        /// What its reader says.
        why: String,
    },
    /// An archive is not taken.
    #[error("{} is refused: {why}", path.display())]
    Refused {
        /// The archive.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The disk is not as it has to be, or the system not one that was started from it.
    #[error("{0}")]
    Disk(String),
}

/// Turns the system's errors into ours.
pub trait At<T> {
    /// Says what was to be done with which file.
    fn at(self, what: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, what: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|cause| Error::File { what, path: path.to_owned(), cause: cause.into() })
    }
}
