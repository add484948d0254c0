// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages as bytes: headers, payloads, and the protocol's numbers.

mod header;
mod payload;

pub use header::{Frame, HEADER, Header, Kind};
pub use payload::{
    DeviceStructure, DmaMap, DmaRange, DmaUnmap, IrqInfo, IrqSet, RegionAccess, RegionInfo, Version, Write,
};

/// The protocol's version that both ends speak.
pub const VERSION: (u16, u16) = (0, 0);
/// Most bytes of a region or of memory that one message moves: `max_data_xfer_size`, and its default.
pub const MAX_TRANSFER: usize = 1 << 20;
/// Most descriptors that we take with one message: `max_msg_fds`. QEMU refuses more.
pub const MAX_DESCRIPTORS: usize = 16;
/// Descriptors with one message for a peer that does not say.
pub const DEFAULT_DESCRIPTORS: usize = 1;
/// Maps that a client may have at once: `max_dma_maps`, and its default.
pub const MAX_MAPS: usize = 65_535;
/// What maps are made of: the one bit in `pgsizes`, and its default.
pub const PAGE: u64 = 4_096;

/// A command's number ("Commands").
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Command {
    Version = 1,
    DmaMap = 2,
    DmaUnmap = 3,
    DeviceGetInfo = 4,
    DeviceGetRegionInfo = 5,
    DeviceGetIrqInfo = 7,
    DeviceSetIrqs = 8,
    RegionRead = 9,
    RegionWrite = 10,
    DmaRead = 11,
    DmaWrite = 12,
    DeviceReset = 13,
    RegionWriteMulti = 15,
}

impl Command {
    const ALL: [Self; 13] = [
        Self::Version,
        Self::DmaMap,
        Self::DmaUnmap,
        Self::DeviceGetInfo,
        Self::DeviceGetRegionInfo,
        Self::DeviceGetIrqInfo,
        Self::DeviceSetIrqs,
        Self::RegionRead,
        Self::RegionWrite,
        Self::DmaRead,
        Self::DmaWrite,
        Self::DeviceReset,
        Self::RegionWriteMulti,
    ];

    /// That of this number, if it is one that an end of ours sends or serves.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|command| *command as u16 == number)
    }
}

/// Indices of regions, as `VFIO_PCI_*_REGION_INDEX` in `linux/vfio.h`: BARs are 0 to 5.
pub mod region {
    pub const BARS: u32 = 6;
    pub const CONFIG: u32 = 7;
    pub const COUNT: u32 = 9;
}

/// Kinds of interrupts, as `VFIO_PCI_*_IRQ_INDEX` in `linux/vfio.h`.
pub mod irq {
    pub const MSIX: u32 = 2;
    pub const ERROR: u32 = 3;
    pub const REQUEST: u32 = 4;
    pub const COUNT: u32 = 5;
}

/// Bits of `flags` in payloads, as in `linux/vfio.h`.
pub mod flags {
    pub const DEVICE_RESET: u32 = 1;
    pub const DEVICE_PCI: u32 = 2;
    pub const REGION_READ: u32 = 1;
    pub const REGION_WRITE: u32 = 2;
    pub const IRQ_EVENTFD: u32 = 1;
    pub const IRQ_MASKABLE: u32 = 2;
    pub const SET_DATA_NONE: u32 = 1;
    pub const SET_DATA_BOOL: u32 = 2;
    pub const SET_DATA_EVENTFD: u32 = 4;
    pub const SET_DATA_MASK: u32 = SET_DATA_NONE | SET_DATA_BOOL | SET_DATA_EVENTFD;
    pub const SET_MASK: u32 = 8;
    pub const SET_UNMASK: u32 = 16;
    pub const SET_TRIGGER: u32 = 32;
    pub const MAP_READ: u32 = 1;
    pub const MAP_WRITE: u32 = 2;
    pub const UNMAP_ALL: u32 = 2;
}

/// A space of the function that the client reads and writes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Space {
    /// PCI configuration space.
    Config,
    /// A BAR, 0 to 5.
    Bar(u8),
}

impl Space {
    /// Its index among the regions.
    pub(crate) fn region(self) -> u32 {
        match self {
            Self::Config => region::CONFIG,
            Self::Bar(bar) => bar.into(),
        }
    }

    pub(crate) fn from_region(region: u32) -> Option<Self> {
        match region {
            region::CONFIG => Some(Self::Config),
            _ => (region < region::BARS).then_some(Self::Bar(region as u8)),
        }
    }
}
