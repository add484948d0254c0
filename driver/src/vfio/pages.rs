// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pages of this process.

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// Bytes of a huge page.
pub const HUGE: usize = 2 << 20;

/// Zeroed pages, readable and writable. They go when this is dropped.
#[derive(Debug)]
pub struct Pages {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: what `start` points to belongs to this value alone, whatever thread it is in.
unsafe impl Send for Pages {}
// SAFETY: as above; through a reference only the address is given.
unsafe impl Sync for Pages {}

impl Pages {
    /// At least `bytes` bytes, in huge pages if the system has some to spare.
    pub fn new(bytes: usize) -> Result<Self, Errno> {
        let bytes = bytes.max(1).checked_next_multiple_of(HUGE).ok_or(Errno::ENOMEM)?;
        let bytes = NonZeroUsize::new(bytes).expect("a multiple of more than 0");
        let map = |flags| {
            // Shared, so that a process that forks does not get a copy in place of what the device has.
            let flags = MapFlags::MAP_SHARED | flags;
            // SAFETY: the kernel chooses where: nothing of this process is replaced.
            unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }
        };
        let start = map(MapFlags::MAP_HUGETLB | MapFlags::MAP_HUGE_2MB).or_else(|_| map(MapFlags::empty()))?;
        Ok(Self { start: start.cast(), bytes: bytes.get() })
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many there are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: they were mapped, and nobody else has their address.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes) };
        debug_assert_eq!(unmapped, Ok(()), "the arguments are those of the mapping");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zero_and_whole() {
        let pages = Pages::new(HUGE + 1).unwrap();
        assert_eq!(pages.bytes(), 2 * HUGE);
        // SAFETY: nobody else accesses them.
        let bytes = unsafe { std::slice::from_raw_parts(pages.start().as_ptr(), pages.bytes()) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert_eq!(Pages::new(usize::MAX).unwrap_err(), Errno::ENOMEM);
    }
}
