// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers of a function, mapped into this process.

use super::device::{Device, Region};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;

/// A region that is mapped as long as this is there.
#[derive(Debug)]
pub struct Mapped {
    start: NonNull<u8>,
    region: Region,
    /// Is open as long.
    _device: Arc<Device>,
}

// SAFETY: what `start` points to are registers: whoever accesses them, from whatever thread, does it by single volatile accesses.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps a region.
    pub fn new(device: Arc<Device>, region: Region) -> io::Result<Self> {
        let bytes = usize::try_from(region.bytes).ok().and_then(NonZeroUsize::new);
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the kernel chooses where: nothing of this process is replaced.
        let start = unsafe { mmap(None, bytes, protection, MapFlags::MAP_SHARED, &device.file, region.offset as i64)? };
        Ok(Self { start: start.cast(), region, _device: device })
    }

    /// Reads a register, by one instruction.
    pub fn read<T: Copy>(&self, at: u32) -> io::Result<T> {
        let register = self.register(at)?;
        // SAFETY: it lies in the mapping, and is aligned. Any bits are a value of the unsigned numbers that this is called with.
        Ok(unsafe { register.read_volatile() })
    }

    /// Writes a register, by one instruction.
    pub fn write<T: Copy>(&self, at: u32, value: T) -> io::Result<()> {
        let register = self.register(at)?;
        // SAFETY: it lies in the mapping, and is aligned.
        unsafe { register.write_volatile(value) };
        Ok(())
    }

    fn register<T>(&self, at: u32) -> io::Result<NonNull<T>> {
        self.region.check(at.into(), size_of::<T>())?;
        if !(at as usize).is_multiple_of(size_of::<T>()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no register begins at {at:#x}")));
        }
        // SAFETY: it lies in the mapping.
        Ok(unsafe { self.start.byte_add(at as usize) }.cast())
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it was mapped, and nobody else has its address.
        let unmapped = unsafe { munmap(self.start.cast(), self.region.bytes as usize) };
        debug_assert_eq!(unmapped, Ok(()), "the arguments are those of the mapping");
    }
}
