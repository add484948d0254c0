// SPDX-License-Identifier: MIT OR Apache-2.0
//! The statistics of a run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Packets and their bytes, without FCS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

/// What happened at a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStats {
    /// OpenFlow number.
    pub openflow: usize,
    /// Packets that entered here.
    #[serde(rename = "in")]
    pub received: Count,
    /// Packets that left here.
    #[serde(rename = "out")]
    pub sent: Count,
    /// Of those that entered: handled by a rule, with no help.
    pub hardware: u64,
    /// Of those that entered: handed to the slow path.
    pub slow_path: u64,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub preset: String,
    /// Clock cycles since reset, of 4 ns.
    pub cycles: u64,
    /// Cycles in which a clock of the core ran.
    pub clocked_cycles: u64,
    pub ports: BTreeMap<String, PortStats>,
    /// Rules in the hardware now.
    pub rules: usize,
    /// What the slow path did.
    pub slow_path: BTreeMap<String, u64>,
}

impl Stats {
    /// A table for people.
    pub fn table(&self) -> String {
        let mut text =
            format!("{:<5} {:>12} {:>12} {:>12} {:>12}  dropped\n", "port", "in", "out", "hardware", "slow path");
        let mut ports: Vec<_> = self.ports.iter().collect();
        ports.sort_by_key(|(_, port)| port.openflow);
        for (name, port) in ports {
            let reasons: Vec<String> =
                port.dropped.iter().filter(|(_, n)| **n > 0).map(|(reason, n)| format!("{reason} {n}")).collect();
            let dropped = if reasons.is_empty() { "0".into() } else { reasons.join(", ") };
            let PortStats { received, sent, hardware, slow_path, .. } = port;
            let _ = writeln!(
                text,
                "{name:<5} {:>12} {:>12} {hardware:>12} {slow_path:>12}  {dropped}",
                received.packets, sent.packets
            );
        }
        let did = self.slow_path.iter().filter(|(_, n)| **n > 0);
        let slow: Vec<String> = did.map(|(what, n)| format!("{what} {n}")).collect();
        let slow = if slow.is_empty() { "nothing to do".into() } else { slow.join(", ") };
        let _ = writeln!(text, "slow path: {slow}");
        let _ = writeln!(text, "rules in hardware: {}", self.rules);
        let _ = writeln!(
            text,
            "cycles: {} of 4 ns, {} of them clocked (preset {})",
            self.cycles, self.clocked_cycles, self.preset
        );
        text
    }
}
