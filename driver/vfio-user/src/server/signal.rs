// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signals the eventfds of clients, and never waits for room in one.
//!
//! A write to an eventfd that is full waits if whoever made it wants that, and whether it does can change between a look and the write: the client has
//! the same file. The kernel itself signals eventfds without waiting; it is had to by a read (io_submit(2), `IOCB_FLAG_RESFD`) of a file in memory.

use nix::errno::Errno;
use nix::libc::{SYS_io_destroy, SYS_io_getevents, SYS_io_setup, SYS_io_submit, c_long, c_ulong, syscall, timespec};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::null_mut;

/// `IOCB_CMD_PREAD` and `IOCB_FLAG_RESFD` of `linux/aio_abi.h`.
const READ: u16 = 0;
const SIGNAL: u32 = 1;

/// `struct iocb`; the key and `aio_rw_flags`, whose order is the machine's, are 0.
#[repr(C)]
#[derive(Default)]
struct Request {
    data: u64,
    key_and_flags: u64,
    opcode: u16,
    priority: i16,
    file: u32,
    buffer: u64,
    bytes: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event`.
#[repr(C)]
#[derive(Default)]
struct Completion {
    data: u64,
    request: u64,
    result: i64,
    result2: i64,
}

/// The way to signal.
pub struct Signaller(Option<Reads>);

/// Reads that the kernel does on its own.
struct Reads {
    context: c_ulong,
    /// An empty file in memory: reading it is over at once.
    file: OwnedFd,
}

impl Signaller {
    /// On a kernel that does not do reads on its own, only a client that fills its eventfd at the very moment of a signal holds it up.
    pub fn new() -> Self {
        Self(Reads::new().inspect_err(|error| tracing::debug!(%error, "eventfds are written to")).ok())
    }

    /// Adds 1 to an eventfd, if it has room: one that has none is signalled already.
    pub fn signal(&self, event: &OwnedFd) {
        let signalled = match &self.0 {
            Some(reads) => reads.signal(event),
            None => write_to(event),
        };
        if let Err(error) = signalled {
            tracing::warn!(%error, "an interrupt could not be given: what the client set is no eventfd");
        }
    }
}

impl Reads {
    fn new() -> Result<Self, Errno> {
        let file = memfd_create(c"signals", MFdFlags::MFD_CLOEXEC)?;
        let mut context: c_ulong = 0;
        // SAFETY: io_setup(2) writes the context's number, which outlives the call.
        check(unsafe { syscall(SYS_io_setup, 1, &raw mut context) })?;
        Ok(Self { context, file })
    }

    fn signal(&self, event: &OwnedFd) -> Result<(), Errno> {
        let mut request = Request {
            opcode: READ,
            file: self.file.as_raw_fd() as u32,
            flags: SIGNAL,
            eventfd: event.as_raw_fd() as u32,
            ..Request::default()
        };
        let mut completion = Completion::default();
        let requests = [&raw mut request];
        // SAFETY: io_submit(2) reads one pointer to a request, and the request, which outlive the call; a read of no bytes writes nowhere. It is over when
        // the call returns, and io_getevents(2) writes what came of it.
        unsafe {
            check(syscall(SYS_io_submit, self.context, 1, requests.as_ptr()))?;
            check(syscall(SYS_io_getevents, self.context, 1, 1, &raw mut completion, null_mut::<timespec>()))?;
        }
        Ok(())
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and nothing of it is under way.
        let _ = unsafe { syscall(SYS_io_destroy, self.context) };
    }
}

fn check(result: c_long) -> Result<(), Errno> {
    if result < 0 { Err(Errno::last()) } else { Ok(()) }
}

fn write_to(event: &OwnedFd) -> Result<(), Errno> {
    let mut events = [PollFd::new(event.as_fd(), PollFlags::POLLOUT)];
    let has_room = poll(&mut events, PollTimeout::ZERO).is_ok_and(|count| count == 1)
        && events[0].revents().is_some_and(|events| events.contains(PollFlags::POLLOUT));
    if has_room { write(event, &1u64.to_ne_bytes()).map(|_| ()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::eventfd::{EfdFlags, EventFd};

    #[test]
    fn an_eventfd_is_signalled_and_a_full_one_is_not_waited_for() {
        for signaller in [Signaller::new(), Signaller(None)] {
            let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
            let its = event.as_fd().try_clone_to_owned().unwrap();
            (0..3).for_each(|_| signaller.signal(&its));
            assert_eq!(event.read(), Ok(3));
            event.write(u64::MAX - 1).unwrap();
            (0..3).for_each(|_| signaller.signal(&its));
            // The kernel counts one higher than a write may.
            assert!(event.read().unwrap() >= u64::MAX - 1);
        }
    }

    #[test]
    fn this_kernel_signals_without_a_write() {
        assert!(Signaller::new().0.is_some());
    }

    #[test]
    fn what_is_no_eventfd_is_left_alone() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert_eq!(Reads::new().unwrap().signal(&writer), Err(Errno::EINVAL));
        drop(writer);
        assert_eq!(nix::unistd::read(&reader, &mut [0; 8]), Ok(0));
    }
}
