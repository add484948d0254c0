// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the slow path counts.

use serde::Serialize;

/// Counters of the slow path since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Stats {
    /// Frames that missed.
    pub misses: u64,
    /// Frames that the hardware does not look up.
    pub punts: u64,
    /// Frames that a rule sent.
    pub rule_upcalls: u64,
    /// Frames handed to the device to be put out.
    pub sent: u64,
    /// Frames that were put out nowhere.
    #[serde(flatten)]
    pub dropped: Dropped,
    /// Copies, of frames of which others may have been put out, left out because they would be longer than the device's
    /// longest frame.
    pub copies_oversize: u64,
    /// Copies, of frames of which others may have been put out, left out because too many were waiting for the device.
    pub copies_queue_full: u64,
    /// Rules of an earlier slow path that were found in the hardware and taken over.
    pub taken_over: u64,
    /// Rules put into the hardware.
    pub installed: u64,
    /// Rules whose program was replaced in place.
    pub updated: u64,
    /// Rules taken out: timeouts, revalidation, eviction.
    pub removed: u64,
    /// Rules taken out to make room for others.
    pub evicted: u64,
    /// Rules put in under a narrower mask than their own.
    pub narrowed: u64,
    /// Times that a megaflow stayed in software because the tables had no room.
    pub no_room: u64,
    /// Times that one did because no rule id was to be had.
    pub no_rule_id: u64,
    /// Times that one did because too few continuation steps were to be had.
    pub no_steps: u64,
    /// Megaflows that stay in software because the hardware does not hold so long a program.
    pub too_long: u64,
    /// Rules put in while packets of their flow that came before were still on their way: these had kept coming for a millisecond.
    pub in_haste: u64,
    /// Frames that came to the slow path when their flow's rule was there already: later ones may have left before them.
    pub overtaken: u64,
    /// Megaflows that were translated again.
    pub revalidated: u64,
    /// OpenFlow flows that timed out.
    pub expired: u64,
    /// Scans and spoofed sources that were told of.
    pub events: u64,
    /// Sources whose packets were dropped for it.
    pub blocks: u64,
}

/// Frames of which nothing was put out, by reason. Each counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Dropped {
    /// The flow tables put them out nowhere.
    pub drop_flow: u64,
    /// The flow tables decrement their TTL (hop limit), and it does not suffice.
    pub drop_ttl: u64,
    /// The flow tables resubmit them too often or too deep, or to too many actions.
    pub drop_resubmits: u64,
    /// The flow tables put out more copies of them than the 4,096 that one may have.
    pub drop_copies: u64,
    /// They would be longer than the device's longest frame.
    pub drop_tx_oversize: u64,
    /// Too many frames were waiting for the device.
    pub drop_queue_full: u64,
    /// Their source is blocked.
    pub drop_blocked: u64,
}

impl Dropped {
    /// Each reason with its name.
    pub fn by_reason(&self) -> [(&'static str, u64); 7] {
        [
            ("drop_flow", self.drop_flow),
            ("drop_ttl", self.drop_ttl),
            ("drop_resubmits", self.drop_resubmits),
            ("drop_copies", self.drop_copies),
            ("drop_tx_oversize", self.drop_tx_oversize),
            ("drop_queue_full", self.drop_queue_full),
            ("drop_blocked", self.drop_blocked),
        ]
    }

    /// Frames dropped for any reason.
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, frames)| frames).sum()
    }
}

/// What an OpenFlow flow has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FlowStats {
    /// Packets that matched it.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Device time (ns) at which it was added.
    pub created: u64,
    /// Device time (ns) of its last packet that is known of; at first the time it was added.
    pub used: u64,
}
