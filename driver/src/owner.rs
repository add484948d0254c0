// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose the device's tables are ("Ownership" in `docs/hardware.md`).

use crate::commands::Commands;
use crate::discover::field;
use crate::{Device, DeviceError};
use millrace_regs::addr;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;

/// The number by which a driver is known as the owner of a device's tables. One that starts again uses the same.
///
/// The numbers 0x5200_0000 to 0x52ff_ffff are those of this crate's rule manager: [`MILLRACE`](Self::MILLRACE) where it keeps no image of the
/// tables, and one that is drawn at random for each image.
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

    /// The rule manager of this crate with a new image: no other image has this number, but for chance.
    pub(crate) fn drawn() -> Owner {
        let [_, drawn @ ..] = (RandomState::new().hash_one(()) as u32).to_be_bytes();
        let [kind, ..] = Self::MILLRACE.number().to_be_bytes();
        Owner(NonZeroU32::new(u32::from_be_bytes([kind, drawn[0], drawn[1], drawn[2]])).expect("its kind is not 0"))
    }

    /// Whether tables of this number are an earlier run's of the same driver.
    fn left(self, number: u32) -> bool {
        let kind = |number: u32| number.to_be_bytes()[0];
        let managers = kind(Self::MILLRACE.number());
        number == self.number() || kind(self.number()) == managers && kind(number) == managers
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
