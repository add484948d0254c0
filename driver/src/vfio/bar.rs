// SPDX-License-Identifier: MIT OR Apache-2.0
//! A BAR of a function.

use super::barrier;
use super::device::{Device, Region};
use super::mapped::Mapped;
use crate::BoxError;
use crate::virtio::VirtioPci;
use std::io;
use std::sync::Arc;

/// The function's registers: mapped into this process, each access one instruction of its width, or by system calls if they cannot be mapped.
#[derive(Clone, Debug)]
pub struct VfioBar(Way);

#[derive(Clone, Debug)]
enum Way {
    Mapped(Arc<Mapped>),
    Calls(Arc<Device>, Region),
}

impl VfioBar {
    /// Maps the BAR if that is possible. Where its MSI-X table has to be left out, as by Linux before 4.16, it is not.
    pub(super) fn map(device: &Arc<Device>, region: Region) -> Self {
        let mapped = region.mappable.then(|| Mapped::new(device.clone(), region));
        match mapped {
            Some(Ok(mapped)) => Self(Way::Mapped(mapped.into())),
            _ => Self::by_calls(device, region),
        }
    }

    /// The BAR by system calls.
    pub(super) fn by_calls(device: &Arc<Device>, region: Region) -> Self {
        Self(Way::Calls(device.clone(), region))
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        matches!(self.0, Way::Mapped(_))
    }

    /// The bytes of a register, as it has them: the lowest first.
    fn read_bytes<const N: usize>(device: &Device, region: Region, at: u32) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        device.read(region, at.into(), &mut bytes)?;
        Ok(bytes)
    }
}

/// Accesses of a width. A read is over, and a write not begun, before anything of memory behind or in front of it.
macro_rules! accesses {
    ($($read:ident $write:ident $value:ty;)*) => {$(
        fn $read(&mut self, offset: u32) -> Result<$value, BoxError> {
            let value = match &self.0 {
                Way::Mapped(mapped) => <$value>::from_le(mapped.read(offset)?),
                Way::Calls(device, region) => <$value>::from_le_bytes(Self::read_bytes(device, *region, offset)?),
            };
            barrier::loads();
            Ok(value)
        }

        fn $write(&mut self, offset: u32, value: $value) -> Result<(), BoxError> {
            barrier::stores();
            match &self.0 {
                Way::Mapped(mapped) => mapped.write(offset, value.to_le())?,
                Way::Calls(device, region) => device.write(*region, offset.into(), &value.to_le_bytes())?,
            }
            Ok(())
        }
    )*};
}

impl VirtioPci for VfioBar {
    accesses! {
        read8 write8 u8;
        read16 write16 u16;
        read32 write32 u32;
    }
}
