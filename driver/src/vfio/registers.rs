// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a device: BAR 2 of its ECPF.

use super::VfioBar;
use crate::virtio::VirtioPci;
use crate::{BoxError, DeviceError, Registers};
use millrace_regs::map::ADDRESS_SPACE;

/// The register map. A write that was made has reached the device before the next read is answered, as PCI Express orders them.
#[derive(Clone, Debug)]
pub struct VfioRegisters {
    bar: VfioBar,
}

impl VfioRegisters {
    pub(super) fn new(bar: VfioBar) -> Self {
        Self { bar }
    }
}

impl Registers for VfioRegisters {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        check("read", address)?;
        self.bar.read32(address).map_err(DeviceError::Backend)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        check("write", address)?;
        let written: Result<(), BoxError> = self.bar.write32(address, value);
        written.map_err(DeviceError::Backend)
    }
}

/// A register that the device does not have reads all ones, and a write to it is lost: what can be told here is an address that no register has.
fn check(access: &'static str, address: u32) -> Result<(), DeviceError> {
    if address < ADDRESS_SPACE && address.is_multiple_of(4) {
        Ok(())
    } else {
        Err(DeviceError::Refused { access, address })
    }
}
