// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BAR of a function.

use crate::BoxError;

/// Accesses to a function's BAR, by byte offset. An access is aligned to its width, and is made at that width (virtio 4.1.3.1).
///
/// Writes take effect in their order. What the driver stored into memory before a write is visible to the function when the write takes effect.
///
/// # Errors
/// All methods fail if the function refuses the access or cannot be reached; the write may then have taken effect or not.
pub trait VirtioPci {
    /// Reads a byte.
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError>;

    /// Reads 16 bits.
    fn read16(&mut self, offset: u32) -> Result<u16, BoxError>;

    /// Reads 32 bits.
    fn read32(&mut self, offset: u32) -> Result<u32, BoxError>;

    /// Writes a byte.
    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError>;

    /// Writes 16 bits.
    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError>;

    /// Writes 32 bits.
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError>;
}

impl<T: VirtioPci + ?Sized> VirtioPci for &mut T {
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError> {
        (**self).read8(offset)
    }

    fn read16(&mut self, offset: u32) -> Result<u16, BoxError> {
        (**self).read16(offset)
    }

    fn read32(&mut self, offset: u32) -> Result<u32, BoxError> {
        (**self).read32(offset)
    }

    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError> {
        (**self).write8(offset, value)
    }

    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError> {
        (**self).write16(offset, value)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError> {
        (**self).write32(offset, value)
    }
}
