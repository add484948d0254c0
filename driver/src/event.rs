// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts as they reach this process.

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An eventfd that one or several vectors of a function signal: ready to read when one has. Asking it does not block.
#[derive(Debug)]
pub struct Event(EventFd);

impl Event {
    pub(crate) fn new() -> Result<Self, Errno> {
        EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).map(Self)
    }

    /// Whether it was signalled since it was last asked. Who then looks at what the interrupt tells of misses nothing.
    pub fn take(&self) -> bool {
        self.0.read().is_ok()
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Event> for OwnedFd {
    fn from(event: Event) -> Self {
        event.0.into()
    }
}
