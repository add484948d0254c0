// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flows, and the set of them that a flow file describes.

use super::action::Action;
use super::group::Groups;
use super::key::{FlowKey, FlowMask};
use super::port::Ports;
use std::sync::Arc;

/// Number of OpenFlow tables: 0 to 254 (255 means *all*, and is not a table).
pub const TABLES: usize = 255;

/// Priority of a flow that does not give one (`OFP_DEFAULT_PRIORITY`).
pub const DEFAULT_PRIORITY: u16 = 32768;

/// A match: a packet fits if its key and `key` agree in all bits of `mask`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Match {
    /// Values, 0 outside the mask.
    pub key: FlowKey,
    /// Bits that count.
    pub mask: FlowMask,
}

impl Match {
    /// Whether a packet fits.
    pub fn fits(&self, packet: &FlowKey) -> bool {
        packet.masked(&self.mask) == self.key
    }
}

/// One flow of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Table, 0 to 254.
    pub table: u8,
    /// Higher wins; among equal ones that both match, which wins is not defined.
    pub priority: u16,
    /// Which packets.
    pub matches: Match,
    /// What to do with them; empty drops.
    pub actions: Vec<Action>,
    /// Seconds without a packet after which the flow goes, 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which the flow goes, 0 for never.
    pub hard_timeout: u16,
    /// An opaque number of the user's.
    pub cookie: u64,
    /// Line of the flow file, from 1; 0 if it comes from elsewhere.
    pub line: usize,
}

/// All flows of a flow file, in its order. No two have the same table, priority and match: a later one replaced the earlier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowTable {
    /// The ports that the flows speak of.
    pub ports: Ports,
    /// The flows.
    pub flows: Vec<Flow>,
    /// The groups that they speak of.
    pub groups: Arc<Groups>,
}
