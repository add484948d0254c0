// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux TAP devices: Ethernet interfaces whose other end is this process.

use crate::ffi;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// Longest frame that is read; longer ones are cut by the kernel, so more than any vport takes.
const BUFFER: usize = 16 * 1024;

/// An open TAP device. Frames go in and out as they are on the wire, without FCS. All offloads are off: checksums are
/// complete and no frame is longer than the interface's MTU and headers.
pub struct Tap {
    file: File,
    name: String,
    buffer: Vec<u8>,
}

impl Tap {
    /// Opens the TAP device `name` of the network namespace of this process, or makes one (which takes CAP_NET_ADMIN). One
    /// that was made here goes away with this value; it may be moved to another namespace meanwhile.
    pub fn open(name: &str) -> io::Result<Self> {
        let interface = ffi::InterfaceName::new(name)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        ffi::attach_tap(&file, &interface)?;
        Ok(Self { file, name: name.into(), buffer: vec![0; BUFFER] })
    }

    /// The interface's name when it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next frame that the interface sends; none if there is none now.
    pub fn recv(&mut self) -> io::Result<Option<&[u8]>> {
        match self.file.read(&mut self.buffer) {
            Ok(length) => Ok(Some(&self.buffer[..length])),
            Err(error) if is_quiet(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the interface a frame to receive; false if it took none (it is down, or its queue is full).
    pub fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        match self.file.write(frame) {
            Ok(_) => Ok(true),
            Err(error) if is_quiet(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The interface was deleted (the kernel says EBADFD): nothing will ever pass again.
pub fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADFD)
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Nothing to read or no room now; or the interface is down (the kernel says EIO to writes, and to reads while it goes down).
fn is_quiet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        || error.raw_os_error() == Some(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_interface_can_have_are_refused() {
        for name in ["", "sixteen-bytes-xx", "nul\0"] {
            let error = Tap::open(name).err().unwrap_or_else(|| panic!("{name:?} was opened"));
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}: {error}");
        }
    }
}
