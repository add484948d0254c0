// SPDX-License-Identifier: MIT OR Apache-2.0
//! File descriptors to wait for.

use crate::error::Failure;
use crate::error::millrace_error::{MILLRACE_E_NO_MEMORY, MILLRACE_E_UNSUPPORTED};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};

/// Several descriptors as one, ready to read when one of them is.
pub struct Watch(Epoll);

impl Watch {
    pub fn new<'a>(descriptors: impl IntoIterator<Item = &'a OwnedFd>) -> Result<Self, Failure> {
        let failed =
            |errno| Failure::new(MILLRACE_E_NO_MEMORY, format!("there is no file descriptor to wait for: {errno}"));
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        for descriptor in descriptors {
            epoll.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(failed)?;
        }
        Ok(Self(epoll))
    }
}

/// The number of the descriptor, for C.
pub fn descriptor(watch: Option<&Watch>) -> Result<c_int, Failure> {
    let unsupported =
        || Failure::new(MILLRACE_E_UNSUPPORTED, "it was opened without MILLRACE_EVENTS, or its backend has none");
    watch.map(|watch| watch.0.0.as_raw_fd()).ok_or_else(unsupported)
}

/// Whether an eventfd was signalled since it was last asked.
pub fn take(event: &OwnedFd) -> bool {
    nix::unistd::read(event, &mut [0; 8]).is_ok()
}
