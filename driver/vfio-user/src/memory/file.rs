// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of the client that are mapped into this process: each once, however many pieces of it the client maps.

use super::copy;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::fstat;
use nix::sys::statfs::{HUGETLBFS_MAGIC, TMPFS_MAGIC, fstatfs};
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::ffi::c_void;
use std::io::{IoSlice, IoSliceMut};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::rc::{Rc, Weak};

/// Files that a client may have mapped at once.
const MAX_FILES: usize = 1_024;

/// A file, mapped whole.
pub struct MappedFile {
    start: NonNull<c_void>,
    len: NonZeroUsize,
    writable: bool,
    /// It can never become shorter.
    sealed: bool,
}

impl MappedFile {
    fn new(file: &OwnedFd, len: NonZeroUsize) -> Result<Self, Errno> {
        let sealed = is_sealed(file);
        if !sealed && !is_memory(file)? {
            return Err(Errno::EINVAL);
        }
        let read_only = || map(file, len, ProtFlags::PROT_READ).map(|start| (start, false));
        let (start, writable) = if is_writable(file)? {
            match map(file, len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) {
                // A seal against writing.
                Err(Errno::EPERM) => read_only()?,
                other => (other?, true),
            }
        } else {
            read_only()?
        };
        Ok(Self { start, len, writable, sealed })
    }

    fn at(&self, offset: u64, len: usize) -> Result<*mut u8, Errno> {
        let offset = usize::try_from(offset).map_err(|_| Errno::EFAULT)?;
        if offset > self.len.get() || len > self.len.get() - offset {
            return Err(Errno::EFAULT);
        }
        // SAFETY: the mapping has at least `offset` bytes.
        Ok(unsafe { self.start.as_ptr().cast::<u8>().add(offset) })
    }

    /// Copies out of the file.
    ///
    /// # Errors
    /// If the file has become shorter.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        let from = self.at(offset, bytes.len())?;
        if self.sealed {
            // SAFETY: inside of the mapping, which lives as long as `self`, and to which no references are made.
            unsafe { copy::load(from, bytes) };
            return Ok(());
        }
        let remote = [RemoteIoVec { base: from.addr(), len: bytes.len() }];
        let len = bytes.len();
        whole(process_vm_readv(Pid::this(), &mut [IoSliceMut::new(bytes)], &remote)?, len)
    }

    /// Copies into the file.
    ///
    /// # Errors
    /// If the file has become shorter.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let to = self.at(offset, bytes.len())?;
        if !self.writable {
            return Err(Errno::EACCES);
        }
        if self.sealed {
            // SAFETY: as in `read`; and the mapping is writable.
            unsafe { copy::store(to, bytes) };
            return Ok(());
        }
        let remote = [RemoteIoVec { base: to.addr(), len: bytes.len() }];
        whole(process_vm_writev(Pid::this(), &[IoSlice::new(bytes)], &remote)?, bytes.len())
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: nobody reaches the mapping but through `self`.
        if let Err(error) = unsafe { munmap(self.start, self.len.get()) } {
            tracing::error!(%error, "a file of the client stays mapped");
        }
    }
}

fn map(file: &OwnedFd, len: NonZeroUsize, protection: ProtFlags) -> Result<NonNull<c_void>, Errno> {
    // SAFETY: a new mapping at an address of the kernel's choice.
    unsafe { mmap(None, len, protection, MapFlags::MAP_SHARED, file, 0) }
}

/// Whether the file can never become shorter: then reading its mapping cannot raise SIGBUS.
fn is_sealed(file: &OwnedFd) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_retain(seals).contains(SealFlag::F_SEAL_SHRINK))
}

/// Whether the file lies in memory: an access then never waits for a disk, a network or another process.
fn is_memory(file: &OwnedFd) -> Result<bool, Errno> {
    let kind = fstatfs(file)?.filesystem_type();
    Ok([TMPFS_MAGIC, HUGETLBFS_MAGIC].contains(&kind))
}

/// Whether the descriptor was opened for reading and writing.
fn is_writable(file: &OwnedFd) -> Result<bool, Errno> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    Ok(flags & OFlag::O_ACCMODE == OFlag::O_RDWR)
}

fn whole(copied: usize, len: usize) -> Result<(), Errno> {
    if copied == len { Ok(()) } else { Err(Errno::EFAULT) }
}

/// The files of a client that are mapped.
#[derive(Default)]
pub struct Files {
    /// By device and inode, which no other file has while the mapping lives.
    known: HashMap<(u64, u64), Weak<MappedFile>>,
}

impl Files {
    /// The mapping of this file with at least `end` bytes of it, writable if it has to be.
    ///
    /// # Errors
    /// EINVAL if the file is shorter, or does not lie in memory; EACCES if it was not opened so; ENOSPC if there are too many files; what mmap gives.
    pub fn open(&mut self, file: &OwnedFd, end: u64, write: bool) -> Result<Rc<MappedFile>, Errno> {
        let status = fstat(file.as_fd())?;
        let len = usize::try_from(status.st_size).ok().and_then(NonZeroUsize::new).ok_or(Errno::EINVAL)?;
        if end > len.get() as u64 {
            return Err(Errno::EINVAL);
        }
        // Whatever other descriptors of the file may.
        if write && !is_writable(file)? {
            return Err(Errno::EACCES);
        }
        let key = (status.st_dev, status.st_ino);
        let fits = |known: &Rc<MappedFile>| end <= known.len.get() as u64 && (known.writable || !write);
        if let Some(known) = self.known.get(&key).and_then(Weak::upgrade).filter(fits) {
            return Ok(known);
        }
        if self.known.len() >= MAX_FILES {
            self.known.retain(|_, known| known.strong_count() != 0);
            if self.known.len() >= MAX_FILES && !self.known.contains_key(&key) {
                return Err(Errno::ENOSPC);
            }
        }
        let mapped = Rc::new(MappedFile::new(file, len)?);
        if write && !mapped.writable {
            return Err(Errno::EACCES);
        }
        self.known.insert(key, Rc::downgrade(&mapped));
        Ok(mapped)
    }
}
