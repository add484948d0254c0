// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the flow tables make of a packet, and of all packets like it.

use crate::mac::Station;
use crate::openflow::{FlowKey, FlowMask};
use smallvec::SmallVec;

/// What happens to the TTL (hop limit).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ttl {
    /// It stays.
    #[default]
    Keep,
    /// This much is taken from it; a packet that has no more than that goes no further.
    Dec(u8),
    /// It becomes the key's `nw_ttl`.
    Set,
}

/// A VLAN tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tag {
    /// TPID: 0x8100 or 0x88a8.
    pub tpid: u16,
    /// TCI with the CFI bit, which stands for *present*; on the wire the bit is 0.
    pub tci: u16,
}

/// What happens to the VLAN tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VlanEdit {
    /// Outer tags taken off, as many as there are of these.
    pub pop: u8,
    /// Tags put on after that, the first on the outside.
    pub push: [Tag; 2],
    /// How many of `push` count.
    pub pushed: u8,
}

impl VlanEdit {
    /// The tags put on.
    pub fn tags(&self) -> &[Tag] {
        &self.push[..usize::from(self.pushed)]
    }
}

/// One state of the packet that is put out: edits of the packet as it was received, and where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Version {
    /// Vports, bit v for vport v.
    pub outputs: u128,
    /// The fields after the edits; those of VLAN tags and TTL are in `vlan` and `ttl`.
    pub key: FlowKey,
    /// Bits of `key` that edits wrote.
    pub written: FlowMask,
    /// Edits of VLAN tags.
    pub vlan: VlanEdit,
    /// Edit of the TTL.
    pub ttl: Ttl,
}

/// Why a packet is dropped although flows may have put it out: as in Open vSwitch, nothing of it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XlateError {
    /// `resubmit` to the same or an earlier table, more than 64 deep.
    TooDeep,
    /// More than 4,096 `resubmit` and `goto_table`.
    TooManyResubmits,
    /// More than 262,144 actions, all lists together.
    TooManyActions,
    /// More than 4,096 copies of the packet. A `normal` that finds the packet to be where it came from counts as one.
    TooManyCopies,
}

/// The result of a translation.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// The bits of the packet that everything here depends on: every packet that agrees in them is handled alike.
    pub mask: FlowMask,
    /// What is put out, in this order; nothing drops.
    pub versions: SmallVec<[Version; 2]>,
    /// Flows that the packet matched.
    pub flows: SmallVec<[u32; 16]>,
    /// Stations that `normal` heard of, and on which port.
    pub learned: SmallVec<[(Station, u16); 1]>,
    /// Stations that `normal` asked for.
    pub asked: SmallVec<[Station; 1]>,
    /// The packet is dropped because of this.
    pub error: Option<XlateError>,
    /// A `dec_ttl` ended its action list because the packet's TTL (hop limit) was 0 or 1.
    pub ttl_expired: bool,
}

impl Translation {
    /// As if new, but keeps its memory.
    pub fn clear(&mut self) {
        self.mask = FlowMask::default();
        self.versions.clear();
        self.flows.clear();
        self.learned.clear();
        self.asked.clear();
        self.error = None;
        self.ttl_expired = false;
    }

    /// Whether the packets go nowhere.
    pub fn drops(&self) -> bool {
        self.versions.is_empty()
    }
}
