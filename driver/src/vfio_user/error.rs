// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a served function cannot be used.

use crate::virtio::VirtioError;
use millrace_vfio_user::ClientError;
use nix::errno::Errno;
use std::path::PathBuf;

/// What is wrong with a socket, or the function behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// There is no server, or it does not do what it must.
    // The errors below are part of the text, not sources: whoever prints a chain prints them once.
    #[error("{0}")]
    Client(ClientError),
    /// The function is none of Millrace, or not the one that is wanted.
    #[error("{}: {found}", .path.display())]
    NotMillrace {
        /// The socket.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// The function does not come up.
    #[error("{}: {error}", .path.display())]
    Virtio {
        /// The socket.
        path: PathBuf,
        /// Why not.
        error: VirtioError,
    },
    /// So many VFs cannot be enabled.
    #[error("{}: {vfs} VFs: {problem}", .path.display())]
    Vfs {
        /// The PF's socket.
        path: PathBuf,
        /// How many.
        vfs: u16,
        /// Why not.
        problem: String,
    },
    /// This process gets no eventfd.
    #[error("there is no eventfd for an interrupt: {0}")]
    Event(Errno),
}

impl From<ClientError> for AttachError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}
