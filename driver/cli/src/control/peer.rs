// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is at the other end of the control socket.

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Uid;
use std::io;
use std::os::unix::net::UnixStream;

/// The user whose process made the other end, as the kernel knows it.
pub fn user(stream: &UnixStream) -> io::Result<Uid> {
    Ok(Uid::from_raw(getsockopt(stream, PeerCredentials)?.uid()))
}

/// This user, or root.
pub fn is_trusted(user: Uid) -> bool {
    user == Uid::effective() || user.is_root()
}
