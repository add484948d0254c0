// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of vports.

/// Some of the switch's vports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vports(u128);

impl Vports {
    /// Those with these numbers, less than 128.
    pub fn of(numbers: impl IntoIterator<Item = u8>) -> Vports {
        Vports(numbers.into_iter().fold(0, |all, n| all | 1 << n))
    }

    /// Whether a vport is one of them.
    #[inline]
    pub const fn has(self, vport: u8) -> bool {
        vport < 128 && self.0 >> vport & 1 == 1
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of them that are in a set of bits, as a step's `outputs` are.
    pub const fn among(self, bits: u128) -> Vports {
        Vports(self.0 & bits)
    }

    /// Their numbers, the lowest first.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |n| self.has(*n))
    }
}
