// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of this process, for a device that is simulated in it.

use super::DmaMemory;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memory that driver and simulated device share in one process: each has a clone.
#[derive(Clone, Debug)]
pub struct LocalMemory {
    address: u64,
    bytes: Arc<Mutex<Box<[u8]>>>,
}

/// The device accessed an address outside the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes at {address:#x} are outside the memory that the device was given")]
pub struct OutsideMemory {
    /// First byte.
    pub address: u64,
    /// Number of bytes.
    pub len: usize,
}

impl LocalMemory {
    /// A region of zeroes, whose byte 0 the device sees at this address.
    ///
    /// # Panics
    /// If the region does not end before 2^64, or its address is not a multiple of 8.
    pub fn new(address: u64, bytes: usize) -> Self {
        assert!(
            address.is_multiple_of(8) && address.checked_add(bytes as u64).is_some(),
            "{bytes} bytes at {address:#x}"
        );
        Self { address, bytes: Arc::new(Mutex::new(vec![0; bytes].into())) }
    }

    /// The device reads at device addresses.
    ///
    /// # Errors
    /// If not all of the bytes are in the region: none was read.
    pub fn device_read(&self, address: u64, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        let offset = self.offset(address, bytes.len())?;
        self.read(offset, bytes);
        Ok(())
    }

    /// The device writes at device addresses.
    ///
    /// # Errors
    /// If not all of the bytes are in the region: none was written.
    pub fn device_write(&self, address: u64, bytes: &[u8]) -> Result<(), OutsideMemory> {
        let offset = self.offset(address, bytes.len())?;
        self.write(offset, bytes);
        Ok(())
    }

    fn offset(&self, address: u64, len: usize) -> Result<usize, OutsideMemory> {
        let outside = OutsideMemory { address, len };
        let offset = address.checked_sub(self.address).ok_or(outside)?;
        let end = offset.checked_add(len as u64).ok_or(outside)?;
        if end <= self.bytes() as u64 { Ok(offset as usize) } else { Err(outside) }
    }

    fn lock(&self) -> MutexGuard<'_, Box<[u8]>> {
        // Who panicked while it copied bytes left bytes.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load<const N: usize>(&self, offset: usize) -> [u8; N] {
        assert!(offset.is_multiple_of(N), "offset {offset:#x} is not aligned to {N} bytes");
        let mut bytes = [0; N];
        self.read(offset, &mut bytes);
        bytes
    }

    fn store<const N: usize>(&self, offset: usize, bytes: [u8; N]) {
        assert!(offset.is_multiple_of(N), "offset {offset:#x} is not aligned to {N} bytes");
        self.write(offset, &bytes);
    }
}

impl DmaMemory for LocalMemory {
    fn address(&self) -> u64 {
        self.address
    }

    fn bytes(&self) -> usize {
        self.lock().len()
    }

    fn load16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.load(offset))
    }

    fn load32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.load(offset))
    }

    fn store16(&self, offset: usize, value: u16) {
        self.store(offset, value.to_le_bytes());
    }

    fn store32(&self, offset: usize, value: u32) {
        self.store(offset, value.to_le_bytes());
    }

    fn store64(&self, offset: usize, value: u64) {
        self.store(offset, value.to_le_bytes());
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.lock()[offset..][..bytes.len()]);
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        self.lock()[offset..][..bytes.len()].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_sees_what_the_driver_stored_at_its_own_addresses() {
        let memory = LocalMemory::new(0xffff_ffff_ffff_f000, 0xff8);
        memory.store16(0, 0x0201);
        memory.store32(4, 0x0605_0403);
        memory.store64(0xff0, 0x0807_0605_0403_0201);
        let mut bytes = [0; 8];
        memory.device_read(0xffff_ffff_ffff_f000, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 0, 0, 3, 4, 5, 6]);
        memory.clone().device_write(0xffff_ffff_ffff_fff6, &[0xaa, 0xbb]).unwrap();
        assert_eq!(memory.load16(0xff6), 0xbbaa);
        assert_eq!(memory.load32(0xff4), 0xbbaa_0605);
        let outside = OutsideMemory { address: 0xffff_ffff_ffff_fff7, len: 2 };
        assert_eq!(memory.device_write(outside.address, &[0; 2]), Err(outside));
        assert!(memory.device_read(0xffff_ffff_ffff_efff, &mut bytes).is_err());
        assert!(memory.device_read(u64::MAX, &mut bytes).is_err());
    }
}
