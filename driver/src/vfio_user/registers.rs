// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a served device: BAR 2 of its ECPF.

use super::client::lock;
use crate::{Access, DeviceError};
use millrace_regs::map::ADDRESS_SPACE;
use millrace_vfio_user::{Client, ClientError, Space};
use std::sync::{Arc, Mutex};

/// Where the register map is.
const REGISTERS: Space = Space::Bar(2);

/// The register map. An access takes the way to the server and back.
#[derive(Clone)]
pub struct VfioUserRegisters {
    client: Arc<Mutex<Client>>,
}

impl VfioUserRegisters {
    pub(super) fn new(client: Arc<Mutex<Client>>) -> Self {
        Self { client }
    }

    fn write_all(&self, writes: &mut Vec<(u64, [u8; 4])>) -> Result<(), DeviceError> {
        let all: Vec<(Space, u64, &[u8])> =
            writes.iter().map(|(offset, bytes)| (REGISTERS, *offset, bytes.as_slice())).collect();
        lock(&self.client).write_multiple(&all).map_err(backend)?;
        writes.clear();
        Ok(())
    }
}

impl crate::Registers for VfioUserRegisters {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        let mut bytes = [0; 4];
        lock(&self.client).read(REGISTERS, offset("read", address)?, &mut bytes).map_err(backend)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        let offset = offset("write", address)?;
        lock(&self.client).write(REGISTERS, offset, &value.to_le_bytes()).map_err(backend)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        let (mut writes, mut values) = (vec![], vec![]);
        for access in accesses {
            match *access {
                Access::Write { address, value } => writes.push((offset("write", address)?, value.to_le_bytes())),
                Access::Read { address } => {
                    self.write_all(&mut writes)?;
                    values.push(self.read32(address)?);
                }
            }
        }
        self.write_all(&mut writes)?;
        Ok(values)
    }
}

pub(super) fn backend(error: ClientError) -> DeviceError {
    DeviceError::Backend(Box::new(error))
}

/// A register's offset in its BAR. As on PCI Express, a register that the device does not have reads all ones, and a write to it is lost: what can be told
/// here is an address that no register has.
fn offset(access: &'static str, address: u32) -> Result<u64, DeviceError> {
    if address < ADDRESS_SPACE && address.is_multiple_of(4) {
        Ok(address.into())
    } else {
        Err(DeviceError::Refused { access, address })
    }
}
