// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that a function reaches.

use std::ptr::NonNull;
use std::sync::atomic::{Ordering, fence};

/// A region of memory that the function reaches by DMA, in one piece of device addresses. Driver and function access it at the same time.
///
/// Offsets are bytes from the region's start. Numbers are little endian (virtio 1.4). A `load` or `store` is one access that is not torn;
/// `read` and `write` move bytes in any order. Only the barriers order accesses: their defaults are the processor's fences, which order
/// what coherent devices see on x86. A backend whose device is outside the processor's shareability domain overrides them.
///
/// # Panics
/// Methods that take an offset panic if it is outside the region, or if a number is not aligned to its size: the driver lays out the region itself.
pub trait DmaMemory {
    /// Device address of byte 0.
    fn address(&self) -> u64;

    /// Bytes in the region.
    fn bytes(&self) -> usize;

    /// Loads 16 bits.
    fn load16(&self, offset: usize) -> u16;

    /// Loads 32 bits.
    fn load32(&self, offset: usize) -> u32;

    /// Stores 16 bits.
    fn store16(&self, offset: usize, value: u16);

    /// Stores 32 bits.
    fn store32(&self, offset: usize, value: u32);

    /// Stores 64 bits.
    fn store64(&self, offset: usize, value: u64);

    /// Copies bytes out.
    fn read(&self, offset: usize, bytes: &mut [u8]);

    /// Copies bytes in.
    fn write(&self, offset: usize, bytes: &[u8]);

    /// The function sees what was stored before it, if it sees what is stored after it (virtio 2.7.13.2: before `avail.idx`).
    fn store_barrier(&self) {
        fence(Ordering::Release);
    }

    /// What is loaded after it is not older than what was loaded before it (virtio 2.7.14: after `used.idx`).
    fn load_barrier(&self) {
        fence(Ordering::Acquire);
    }

    /// What was stored before it is visible before anything after it: a load, or a notification (virtio 2.7.13.3, 2.7.13.4).
    fn full_barrier(&self) {
        fence(Ordering::SeqCst);
    }
}

/// Memory that is mapped into this process, as long as the value lives.
pub trait Mapping: DmaMemory {
    /// Byte 0: [`bytes`](DmaMemory::bytes) of them lie there side by side. Moving the value does not move them.
    fn start(&self) -> NonNull<u8>;
}
