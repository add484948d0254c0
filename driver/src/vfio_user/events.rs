// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts as they reach this process.

use super::AttachError;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};

/// An eventfd that one or several vectors of a function signal: ready to read when one has.
#[derive(Debug)]
pub struct Event(EventFd);

impl Event {
    pub(super) fn new() -> Result<Self, AttachError> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        EventFd::from_flags(flags).map(Self).map_err(AttachError::Event)
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
