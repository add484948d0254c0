// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that is mapped into this process: shared with the server of vfio-user, or huge pages mapped by VFIO.

use super::{DmaMemory, Mapping};
use millrace_vfio_user::SharedMemory;
use std::ops::Deref;
use std::ptr::{NonNull, copy_nonoverlapping};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A mapped region, which `O` keeps mapped.
#[derive(Debug)]
pub struct MappedMemory<O = ()> {
    start: NonNull<u8>,
    bytes: usize,
    address: u64,
    owner: O,
}

// SAFETY: all accesses to what `start` points to are made through `&self`, and are such as other threads, and devices, may make meanwhile.
unsafe impl<O: Send> Send for MappedMemory<O> {}
// SAFETY: as above. Bytes are copied (`read`, `write`) by who has the buffer, as the contract with the device demands: no two threads have it at once.
unsafe impl<O: Sync> Sync for MappedMemory<O> {}

impl MappedMemory {
    /// The region of `bytes` bytes at `start`, whose byte 0 the device sees at `address`.
    ///
    /// # Safety
    /// The bytes stay mapped, readable and writable, as long as the value lives, and no Rust reference to them is used meanwhile.
    ///
    /// # Panics
    /// If `start` or `address` is not a multiple of 8, or the region does not end before 2^64 of device addresses.
    pub unsafe fn new(start: NonNull<u8>, bytes: usize, address: u64) -> Self {
        Self::check(start, bytes, address);
        Self { start, bytes, address, owner: () }
    }
}

impl<O: Deref<Target = SharedMemory>> MappedMemory<O> {
    /// Shared memory that others have too, of which the device has byte 0 at `address`.
    ///
    /// # Panics
    /// As [`MappedMemory::new`].
    pub fn of(owner: O, address: u64) -> Self {
        let (start, bytes) = (owner.start(), owner.bytes());
        Self::check(start, bytes, address);
        Self { start, bytes, address, owner }
    }
}

impl MappedMemory<SharedMemory> {
    /// The memory that is shared with a server of vfio-user, which has it at `address`.
    ///
    /// # Panics
    /// As [`MappedMemory::new`].
    pub fn shared(memory: SharedMemory, address: u64) -> Self {
        let (start, bytes) = (memory.start(), memory.bytes());
        Self::check(start, bytes, address);
        Self { start, bytes, address, owner: memory }
    }

    /// The memory itself.
    pub fn owner(&self) -> &SharedMemory {
        &self.owner
    }
}

impl<O> MappedMemory<O> {
    fn check(start: NonNull<u8>, bytes: usize, address: u64) {
        assert!(start.cast::<u64>().is_aligned() && address.is_multiple_of(8), "{start:?}, {address:#x}");
        assert!(address.checked_add(bytes as u64).is_some(), "{bytes} bytes at {address:#x}");
    }

    /// Start of `len` bytes in the region.
    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(
            offset <= self.bytes && len <= self.bytes - offset,
            "{len} bytes at offset {offset:#x} of {:#x}",
            self.bytes
        );
        // SAFETY: the region has at least `offset` bytes.
        unsafe { self.start.as_ptr().add(offset) }
    }

    fn aligned(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset.is_multiple_of(len), "offset {offset:#x} is not aligned to {len} bytes");
        self.at(offset, len)
    }
}

impl<O> Mapping for MappedMemory<O> {
    fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl<O> DmaMemory for MappedMemory<O> {
    fn address(&self) -> u64 {
        self.address
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn load16(&self, offset: usize) -> u16 {
        // SAFETY: in the region, aligned, and accessed by atomics or by the device.
        u16::from_le(unsafe { AtomicU16::from_ptr(self.aligned(offset, 2).cast()) }.load(Relaxed))
    }

    fn load32(&self, offset: usize) -> u32 {
        // SAFETY: as in `load16`.
        u32::from_le(unsafe { AtomicU32::from_ptr(self.aligned(offset, 4).cast()) }.load(Relaxed))
    }

    fn store16(&self, offset: usize, value: u16) {
        // SAFETY: as in `load16`.
        unsafe { AtomicU16::from_ptr(self.aligned(offset, 2).cast()) }.store(value.to_le(), Relaxed);
    }

    fn store32(&self, offset: usize, value: u32) {
        // SAFETY: as in `load16`.
        unsafe { AtomicU32::from_ptr(self.aligned(offset, 4).cast()) }.store(value.to_le(), Relaxed);
    }

    fn store64(&self, offset: usize, value: u64) {
        // SAFETY: as in `load16`.
        unsafe { AtomicU64::from_ptr(self.aligned(offset, 8).cast()) }.store(value.to_le(), Relaxed);
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) {
        // SAFETY: in the region; `bytes` is not, as no reference to it is used. The device has given the buffer back.
        unsafe { copy_nonoverlapping(self.at(offset, bytes.len()), bytes.as_mut_ptr(), bytes.len()) }
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: as in `read`. The device has not been given the buffer.
        unsafe { copy_nonoverlapping(bytes.as_ptr(), self.at(offset, bytes.len()), bytes.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_are_those_of_the_mapping() {
        let mut words = [0u64; 4];
        // SAFETY: `words` is used again only when `memory` is not.
        let memory = unsafe { MappedMemory::new(NonNull::from(&mut words).cast(), 32, 0x1000) };
        memory.store64(0, 0x0807_0605_0403_0201);
        memory.store32(8, 0x0c0b_0a09);
        memory.store16(12, 0x0e0d);
        memory.write(14, &[0x0f, 0x10, 0x11]);
        let mut bytes = [0; 17];
        memory.read(0, &mut bytes);
        assert_eq!(bytes, std::array::from_fn(|i| i as u8 + 1));
        assert_eq!((memory.load16(2), memory.load32(12)), (0x0403, 0x100f_0e0d));
        assert_eq!((memory.address(), memory.bytes()), (0x1000, 32));
        assert_eq!(u64::from_le(words[2]), 0x11);
    }

    #[test]
    #[should_panic(expected = "2 bytes at offset 0x1f of 0x20")]
    fn bytes_behind_the_mapping_are_refused() {
        let mut words = [0u64; 4];
        // SAFETY: `words` is not used again.
        let memory = unsafe { MappedMemory::new(NonNull::from(&mut words).cast(), 32, 0) };
        memory.write(31, &[0; 2]);
    }
}
