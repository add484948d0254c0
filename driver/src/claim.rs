// SPDX-License-Identifier: MIT OR Apache-2.0
//! A claim on the device's tables ("Ownership" in `docs/hardware.md`).

use crate::commands::Commands;
use crate::discover::field;
use crate::owner::{Others, Owner};
use crate::{Device, DeviceError};
use millrace_regs::addr;

/// A claim on the tables, as the device had it when it was made.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Claim {
    owner: Owner,
    generation: u32,
}

impl Claim {
    /// Claims the tables, once the device has cleared them after reset, and clears them unless they are known to be empty.
    pub fn new(commands: &mut Commands<'_>, owner: Owner, others: Others) -> Result<Self, DeviceError> {
        commands.wait("the sweep after reset")?;
        let before = commands.device.read32(addr::OWNER)?;
        if before != owner.number() {
            if before != 0 && others == Others::Refuse && !owner.left(before) {
                return Err(DeviceError::Owned { owner: before });
            }
            if before != 0 {
                commands.device.write32(addr::OWNER, 0)?;
            }
            commands.device.write32(addr::OWNER, owner.number())?;
        }
        let after = commands.device.read32(addr::OWNER)?;
        if after != owner.number() {
            return Err(DeviceError::Owned { owner: after });
        }
        if before != 0 || field("GENERATION", "written", commands.device.read32(addr::GENERATION)?) != 0 {
            commands.clear_tables()?;
        }
        Ok(Self { owner, generation: generation(commands.device)? })
    }

    /// The claim of an earlier run, if the tables are still as it left them. Waits for the command that it may have given last.
    pub fn resume(commands: &mut Commands<'_>, owner: Owner, generation: u32) -> Result<Option<Self>, DeviceError> {
        commands.wait("the last command of the tables' owner")?;
        let claim = Self { owner, generation };
        match claim.check(commands.device) {
            Ok(()) => Ok(Some(claim)),
            Err(DeviceError::TablesLost { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As `OWNER` and `GENERATION.generation` read.
    pub fn parts(&self) -> (Owner, u32) {
        (self.owner, self.generation)
    }

    /// Makes sure that nobody has cleared or taken the tables since.
    pub fn check(&self, device: &mut dyn Device) -> Result<(), DeviceError> {
        let owner = device.read32(addr::OWNER)?;
        if owner == self.owner.number() && generation(device)? == self.generation {
            return Ok(());
        }
        Err(DeviceError::TablesLost { owner })
    }

    /// Gives the tables back, empty.
    pub fn release(self, commands: &mut Commands<'_>) -> Result<(), DeviceError> {
        self.check(commands.device)?;
        commands.clear_tables()?;
        commands.device.write32(addr::OWNER, 0)
    }
}

fn generation(device: &mut dyn Device) -> Result<u32, DeviceError> {
    Ok(field("GENERATION", "generation", device.read32(addr::GENERATION)?))
}
