// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose the device's tables are ("Ownership" in `docs/hardware.md`).

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
    pub(crate) fn left(self, number: u32) -> bool {
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
    /// Leave them alone: [`DeviceError::Owned`](crate::DeviceError::Owned).
    #[default]
    Refuse,
    /// Take them, and clear them.
    TakeOver,
}
