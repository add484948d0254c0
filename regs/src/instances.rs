// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a build, one by one: arrays and repeated blocks unrolled.

use crate::Lengths;
use crate::map::{BLOCKS, Block, Register, Repeat};
use std::fmt;

/// A register at its address.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// The block it lies in.
    pub block: &'static Block,
    /// What it is.
    pub register: &'static Register,
    /// Byte address.
    pub address: u32,
    /// Which one of the array, or of the repeated block (0 if there is one).
    pub index: u32,
}

impl Instance {
    /// The bits that a write changes, or may change, in a build with keys and steps of these lengths: none of a staging word that no command uses.
    pub fn mask(&self, lengths: Lengths) -> u32 {
        if self.register.name == "DATA" && self.index as usize >= lengths.staged() { 0 } else { self.register.mask() }
    }
}

impl fmt::Display for Instance {
    /// `ID`, `DATA[3]`, `QUEUE_CTRL[11]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.register.count == 1 && self.block.repeat == Repeat::Once {
            f.write_str(self.register.name)
        } else {
            write!(f, "{}[{}]", self.register.name, self.index)
        }
    }
}

/// Every register of a build with this many vports, in the order of addresses.
pub fn instances(vports: u32) -> impl Iterator<Item = Instance> {
    BLOCKS.iter().flat_map(move |block| {
        let copies = match block.repeat {
            Repeat::Once => 1,
            Repeat::Queues => vports + 1,
        };
        (0..copies).flat_map(move |copy| {
            block.registers.iter().flat_map(move |register| {
                (0..register.count).map(move |i| Instance {
                    block,
                    register,
                    address: block.base + copy * block.stride + register.offset + 4 * i,
                    index: copy.max(i),
                })
            })
        })
    })
}

/// A register by name, as [`Instance`] displays it; upper or lower case.
pub fn by_name(name: &str, vports: u32) -> Option<Instance> {
    instances(vports).find(|instance| instance.to_string().eq_ignore_ascii_case(name))
}

/// The register at a byte address.
pub fn by_address(address: u32, vports: u32) -> Option<Instance> {
    instances(vports).find(|instance| instance.address == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{ADDRESS_SPACE, MAX_VPORTS, Reset};
    use crate::{addr, structs};
    use std::collections::HashSet;
    use std::mem::offset_of;

    #[test]
    fn addresses_are_aligned_distinct_and_in_order() {
        let all: Vec<u32> = instances(MAX_VPORTS).map(|instance| instance.address).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(all.iter().all(|address| address % 4 == 0 && *address < ADDRESS_SPACE));
    }

    #[test]
    fn names_are_distinct_and_found() {
        let mut names = HashSet::new();
        for instance in instances(11) {
            assert!(names.insert(instance.to_string()), "{instance}");
            assert_eq!(by_name(&instance.to_string(), 11), Some(instance));
            assert_eq!(by_address(instance.address, 11), Some(instance));
        }
        assert_eq!((by_name("QUEUE_CTRL[12]", 11), by_address(0x3c, 11)), (None, None));
    }

    #[test]
    fn fields_of_a_register_are_distinct_and_do_not_overlap() {
        for instance in instances(1) {
            let (mut mask, mut names) = (0, HashSet::new());
            for field in instance.register.fields {
                assert!(names.insert(field.name), "{instance}.{}", field.name);
                assert_eq!(mask & field.mask(), 0, "{instance}.{}", field.name);
                mask |= field.mask();
            }
            assert_eq!(mask, instance.register.mask());
            if let Reset::Value(value) = instance.register.reset {
                assert_eq!(value & !mask, 0, "{instance} resets reserved bits to 1");
            }
        }
    }

    #[test]
    fn generated_addresses_are_those_of_the_contract() {
        assert_eq!((addr::ID, addr::EVENTS, addr::COMMAND, addr::COUNTER_FLAGS), (0, 0x1c, 0x40, 0x64));
        assert_eq!((addr::CONFIG5, addr::data(0), addr::data(63)), (0x38, 0x100, 0x1fc));
        assert_eq!(addr::queue_ctrl(MAX_VPORTS) + 0x40, 0x3000);
        assert_eq!((addr::queue_ctrl(0), addr::queue_drops_hi(11)), (0x1000, 0x12dc));
        assert_eq!(offset_of!(structs::Registers, command), 0x40);
        assert_eq!(offset_of!(structs::Registers, queue) + offset_of!(structs::Queue, queue_bytes_lo), 0x1010);
    }
}
