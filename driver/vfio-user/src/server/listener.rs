// SPDX-License-Identifier: MIT OR Apache-2.0
//! The socket that clients come to.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::fs::{remove_file, symlink_metadata};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why a function cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A server is at work there.
    #[error("{}: another server listens on this socket", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{}: this is no socket, and is not replaced", .0.display())]
    NotASocket(PathBuf),
    /// The socket could not be made, looked at, or removed.
    #[error("{}: the socket {action}: {error}", .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What failed.
        action: &'static str,
        /// How.
        error: io::Error,
    },
}

/// A socket at a path, which is removed with it.
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode of the path: what is there later may be another's.
    identity: (u64, u64),
}

impl Listener {
    pub fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |action| move |error| ServerError::Socket { path: path.to_owned(), action, error };
        make_way(path)?;
        let socket = UnixListener::bind(path).map_err(failed("cannot be made"))?;
        socket.set_nonblocking(true).map_err(failed("cannot be set up"))?;
        let identity = identity(path).map_err(failed("cannot be looked at"))?;
        Ok(Self { socket, path: path.to_owned(), identity })
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next client that waits.
    pub fn accept(&self) -> Result<Option<UnixStream>, ServerError> {
        loop {
            match self.socket.accept() {
                Ok((socket, _)) => return Ok(Some(socket)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    // It has gone before it was taken.
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        return Err(ServerError::Socket { path: self.path.clone(), action: "takes no clients", error });
                    }
                },
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket stays behind");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Removes the socket of a dead server.
fn make_way(path: &Path) -> Result<(), ServerError> {
    let failed = |action, error| ServerError::Socket { path: path.to_owned(), action, error };
    match symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("cannot be looked at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(ServerError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match knock(path) {
        // Full is who has clients that wait.
        Ok(()) | Err(Errno::EAGAIN) => Err(ServerError::InUse(path.to_owned())),
        Err(Errno::ECONNREFUSED) => {
            remove_file(path).map_err(|error| failed("of a dead server cannot be removed", error))
        }
        Err(error) => Err(failed("cannot be tried", error.into())),
    }
}

/// Connects to who listens there, without waiting, and goes away.
fn knock(path: &Path) -> Result<(), Errno> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}
