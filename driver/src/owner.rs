// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose the device's tables are ("Ownership" in `docs/hardware.md`).

use crate::commands::Commands;
use crate::discover::field;
use crate::{Device, DeviceError};
use millrace_regs::addr;
use std::fmt;
use std::num::NonZeroU32;

/// The number by which a driver is known as the owner of a device's tables. One that starts again uses the same.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(NonZeroU32);

impl Owner {
    /// The rule manager of this crate, unless its user chooses another number.
    pub const MILLRACE: Owner = Owner(NonZeroU32::new(u32::from_be_bytes(*b"RULE")).unwrap());

    /// The owner of this number; none if it is 0, which stands for nobody.
    pub const fn new(number: u32) -> Option<Owner> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Owner(number)),
            None => None,
        }
    }

    /// What `OWNER` reads while the tables are this owner's.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// What to do about tables that are another's. The device cannot tell whether that one is still at work.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// Leave them alone: [`DeviceError::Owned`].
    #[default]
    Refuse,
    /// Take them, and clear them.
    TakeOver,
}

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
            if before != 0 && others == Others::Refuse {
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
