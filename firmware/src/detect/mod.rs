// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the slow path looks out for in the frames of a port, and tells of: scans and spoofed sources (`docs/events.md`).
//!
//! The slow path sees the frames that no rule matches. So megaflows of a port that is watched look at what tells one contact from another, and the counters
//! of their rules tell of contacts that are made again.

mod answers;
mod contact;
mod event;
mod scan;
mod spoof;
mod vports;
mod watch;

pub use answers::Answers;
pub use contact::{Contact, Service, contact, is_answerable, source};
pub use event::{Action, Event, Kind, MacAddress, Subject, Target};
pub use scan::Scans;
pub use spoof::{Sighting, Spoofs};
pub use vports::Vports;
pub use watch::{Heard, Marks, Watch};

/// The greatest number of ports or hosts that can be asked for: so many are remembered of each source.
pub const MAX_DISTINCT: u16 = 1024;

/// What is looked out for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Detection {
    /// Sources that contact many ports or hosts.
    pub scan: Option<ScanDetection>,
    /// Functions that send with another source address than theirs.
    pub spoof: Option<SpoofDetection>,
}

/// When a source is taken for one that scans: when the ports or the hosts that it contacted within a time are so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanDetection {
    /// Ports: pairs of protocol and number, whatever the host. None: ports are not counted. From 1 to [`MAX_DISTINCT`].
    pub ports: Option<u16>,
    /// Hosts: addresses, whatever the port. None: hosts are not counted. From 1 to [`MAX_DISTINCT`].
    pub hosts: Option<u16>,
    /// The time, in nanoseconds.
    pub within: u64,
    /// For so long (ns) the source's frames are dropped. None: they are not.
    pub block: Option<u64>,
    /// Ports of the switch whose sources are watched.
    pub vports: Vports,
}

/// When a function is taken for one that sends with another source address than its own: at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpoofDetection {
    /// A port and an address are told of once in this time (ns).
    pub within: u64,
    /// For so long (ns) frames with that source are dropped. None: they are not.
    pub block: Option<u64>,
    /// Ports of the switch that are watched; those that have no function behind them are not.
    pub vports: Vports,
}
