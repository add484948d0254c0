// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that client and server share.

use super::ClientError;
use crate::wire::PAGE;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::ftruncate;
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// A memfd of this process, mapped, all 0 at first, and sealed against becoming shorter or longer. Moving the value does not move the memory.
#[derive(Debug)]
pub struct SharedMemory {
    file: OwnedFd,
    start: NonNull<c_void>,
    len: NonZeroUsize,
}

// SAFETY: the mapping belongs to the value; nothing of it is bound to a thread.
unsafe impl Send for SharedMemory {}
// SAFETY: as above; through a reference only the address is given.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// At least this many bytes, 1 or more, in pages of 4 KiB.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn new(bytes: usize) -> Result<Self, ClientError> {
        Self::make(bytes).map_err(|error| ClientError::Memory { bytes, error })
    }

    fn make(bytes: usize) -> Result<Self, Errno> {
        let len = bytes.checked_next_multiple_of(PAGE as usize).and_then(NonZeroUsize::new).ok_or(Errno::EINVAL)?;
        let file = memfd_create("vfio-user", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        ftruncate(&file, len.get().try_into().map_err(|_| Errno::EINVAL)?)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, &file, 0) }?;
        Ok(Self { file, start, len })
    }

    /// The memory's file.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where it is mapped: as many bytes as [`bytes`](Self::bytes), to read and to write, as long as the value lives. The server may change them at any time.
    pub fn start(&self) -> NonNull<u8> {
        self.start.cast()
    }

    /// Bytes.
    pub fn bytes(&self) -> usize {
        self.len.get()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: who has the address knows that it ends with the value.
        if let Err(error) = unsafe { munmap(self.start, self.len.get()) } {
            tracing::error!(%error, "shared memory stays mapped");
        }
    }
}
