// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong between a client and its server.

use crate::wire::{Command, VERSION};
use nix::errno::Errno;
use std::fmt;
use std::fs::read_dir;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a client was not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there.
    #[error("{}: cannot connect: {error}{}", .path.display(), hint(.path, .error))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Who listens there speaks another protocol.
    #[error("{}: this is no vfio-user server: {found}", .path.display())]
    NotVfioUser {
        /// The socket.
        path: PathBuf,
        /// What it did.
        found: String,
    },
    /// Who listens there does not want us.
    #[error("{}: the connection was closed at once: the function has another client, or this is no vfio-user server", .0.display())]
    TurnedAway(PathBuf),
    /// The server speaks another version of the protocol.
    #[error("{}: the server does not speak vfio-user {}.{}, but {found}", .path.display(), VERSION.0, VERSION.1)]
    Version {
        /// The socket.
        path: PathBuf,
        /// What it speaks.
        found: String,
    },
    /// The server refused a command.
    #[error("the server refused {command}: {error}")]
    Refused {
        /// Name of the command, and what it was about.
        command: Request,
        /// Its errno.
        error: Errno,
    },
    /// The server did not answer.
    #[error("the server did not answer {command} within {} s", .timeout.as_secs_f32())]
    Timeout {
        /// The command.
        command: Request,
        /// How long it was waited.
        timeout: Duration,
    },
    /// The server has gone.
    #[error("the server closed the connection")]
    Closed,
    /// The connection ended otherwise, or what came over it is no message.
    #[error("the connection to the server is lost: {0}")]
    Lost(String),
    /// The server answered what it must not.
    #[error("the server's answer to {command} is wrong: {problem}")]
    Answer {
        /// The command.
        command: Request,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More bytes than the server moves at once.
    #[error("{bytes} bytes are more than the server moves at once, which are {most}")]
    TooLong {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        most: u64,
    },
    /// Memory could not be made.
    #[error("{bytes} bytes of shared memory cannot be had: {error}")]
    Memory {
        /// How many there should be.
        bytes: usize,
        /// Why not.
        error: Errno,
    },
}

/// A command as it is told of in errors.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) command: Command,
    /// Offset in a region or device address, where the command has one.
    pub(crate) place: Option<u64>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.command)?;
        match self.place {
            Some(place) => write!(f, " at {place:#x}"),
            None => Ok(()),
        }
    }
}

/// What would be right.
fn hint(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => match sockets_beside(path) {
            names if names.is_empty() => String::new(),
            names => format!(" (there are {})", names.join(", ")),
        },
        ErrorKind::PermissionDenied => " (its owner has to let you write to it: chown or chmod)".into(),
        ErrorKind::ConnectionRefused => " (nobody serves it, or it is no socket)".into(),
        _ => String::new(),
    }
}

/// Names of the sockets in the folder of a socket that is not there.
fn sockets_beside(path: &Path) -> Vec<String> {
    let Some(Ok(entries)) = path.parent().map(read_dir) else { return vec![] };
    let sockets = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let mut names: Vec<String> = sockets.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn who_cannot_connect_is_told_what_would_be_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vf7.sock");
        let text = |kind: ErrorKind| ClientError::Connect { path: path.clone(), error: kind.into() }.to_string();
        assert!(!text(ErrorKind::NotFound).contains("there are"));
        let _sockets = ["vf1.sock", "pf.sock"].map(|name| UnixListener::bind(folder.path().join(name)).unwrap());
        std::fs::write(folder.path().join("log"), "").unwrap();
        assert!(text(ErrorKind::NotFound).ends_with(" (there are pf.sock, vf1.sock)"), "{}", text(ErrorKind::NotFound));
        assert!(text(ErrorKind::PermissionDenied).contains("chown"));
        assert!(text(ErrorKind::ConnectionRefused).contains("nobody serves it"));
    }
}
