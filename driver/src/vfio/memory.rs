// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that a function reaches through its IOMMU.

use super::barrier;
use super::device::Device;
use super::pages::Pages;
use crate::virtio::{DmaMemory, MappedMemory, Mapping};
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// Pages of this process at an address of the function's.
///
/// When this is dropped the function is reset, whoever drives it meanwhile, and then the IOMMU lets it no longer reach the pages. Only then
/// are they given back.
#[derive(Debug)]
pub struct VfioMemory {
    mapped: MappedMemory,
    pages: ManuallyDrop<Pages>,
    device: Arc<Device>,
}

impl VfioMemory {
    /// Lets the function reach `pages` at `address`, which nothing else is at.
    pub(super) fn map(device: Arc<Device>, pages: Pages, address: u64) -> io::Result<Self> {
        let (start, bytes) = (pages.start(), pages.bytes());
        // SAFETY: the pages belong to us, and stay mapped until the IOMMU has let go of them. They are accessed as what a device shares.
        unsafe { device.container().map(address, start, bytes)? };
        // SAFETY: the pages stay as long as the value, and no reference to them is made.
        let mapped = unsafe { MappedMemory::new(start, bytes, address) };
        Ok(Self { mapped, pages: ManuallyDrop::new(pages), device })
    }
}

impl Drop for VfioMemory {
    fn drop(&mut self) {
        // What counts for safety is the IOMMU: a function that cannot be reset is shut out all the same.
        if let Err(error) = self.device.reset() {
            tracing::warn!("a function does not reset before its memory goes: {error}");
        }
        match self.device.container().unmap(self.mapped.address(), self.pages.bytes()) {
            // SAFETY: this is the end of the value.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.pages) },
            // The function may still write there: they are never used again.
            Err(error) => tracing::error!("pages are lost: {error}"),
        }
    }
}

impl Mapping for VfioMemory {
    fn start(&self) -> NonNull<u8> {
        self.pages.start()
    }
}

impl DmaMemory for VfioMemory {
    fn address(&self) -> u64 {
        self.mapped.address()
    }

    fn bytes(&self) -> usize {
        self.mapped.bytes()
    }

    fn load16(&self, offset: usize) -> u16 {
        self.mapped.load16(offset)
    }

    fn load32(&self, offset: usize) -> u32 {
        self.mapped.load32(offset)
    }

    fn store16(&self, offset: usize, value: u16) {
        self.mapped.store16(offset, value);
    }

    fn store32(&self, offset: usize, value: u32) {
        self.mapped.store32(offset, value);
    }

    fn store64(&self, offset: usize, value: u64) {
        self.mapped.store64(offset, value);
    }

    fn read(&self, offset: usize, bytes: &mut [u8]) {
        self.mapped.read(offset, bytes);
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        self.mapped.write(offset, bytes);
    }

    fn store_barrier(&self) {
        barrier::stores();
    }

    fn load_barrier(&self) {
        barrier::loads();
    }

    fn full_barrier(&self) {
        barrier::full();
    }
}
