// SPDX-License-Identifier: MIT OR Apache-2.0
//! BAR 0 of a function.

use super::barrier;
use crate::BoxError;
use crate::virtio::VirtioPci;
use pci_driver::regions::{OwningPciRegion, PciRegion, Permissions};
use std::sync::Arc;

/// The function's registers: mapped into this process, each access one instruction of its width, or by system calls if they cannot be mapped.
#[derive(Clone, Debug)]
pub struct VfioBar {
    region: Arc<dyn PciRegion>,
    mapped: bool,
}

impl VfioBar {
    /// Maps the BAR if that is possible. Where its MSI-X table has to be left out, as by Linux before 4.16, it is not.
    pub(super) fn map(region: OwningPciRegion) -> Self {
        let mapping = region.is_mappable().then(|| region.map(.., Permissions::ReadWrite));
        match mapping {
            Some(Ok(mapping)) => Self { region: Arc::new(mapping), mapped: true },
            _ => Self::by_calls(region),
        }
    }

    /// The BAR by system calls.
    pub(super) fn by_calls(region: OwningPciRegion) -> Self {
        Self { region: Arc::new(region), mapped: false }
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        self.mapped
    }
}

/// A read is over, and a write not begun, before anything of memory behind or in front of it.
impl VirtioPci for VfioBar {
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError> {
        let value = self.region.read_u8(offset.into())?;
        barrier::loads();
        Ok(value)
    }

    fn read16(&mut self, offset: u32) -> Result<u16, BoxError> {
        let value = self.region.read_le_u16(offset.into())?;
        barrier::loads();
        Ok(value)
    }

    fn read32(&mut self, offset: u32) -> Result<u32, BoxError> {
        let value = self.region.read_le_u32(offset.into())?;
        barrier::loads();
        Ok(value)
    }

    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError> {
        barrier::stores();
        Ok(self.region.write_u8(offset.into(), value)?)
    }

    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError> {
        barrier::stores();
        Ok(self.region.write_le_u16(offset.into(), value)?)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError> {
        barrier::stores();
        Ok(self.region.write_le_u32(offset.into(), value)?)
    }
}
