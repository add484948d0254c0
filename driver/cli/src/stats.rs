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

/// Frames and bytes that left a port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub packets: u64,
    pub bytes: u64,
    /// Frames that the TAP device did not take.
    pub tap_refused: u64,
}

/// Packets of a capture that do not enter, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The capture has only the beginning of the frame.
    pub snapped: u64,
    pub too_short: u64,
    pub too_long: u64,
    /// The file ends within the packet: 1 at most.
    pub cut_short: u64,
}

impl LeftOut {
    pub fn by_reason(&self) -> [(&'static str, u64); 4] {
        [
            ("snapped", self.snapped),
            ("too_short", self.too_short),
            ("too_long", self.too_long),
            ("cut_short", self.cut_short),
        ]
    }
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
    /// Of those that entered: handled by a rule, with no help; also those that the rule drops.
    pub hardware: u64,
    /// Of those that entered: handed to the slow path; also those that it drops.
    pub slow_path: u64,
    /// Of those that entered, packets of which nothing was put out, each once.
    pub dropped: Dropped,
    /// Copies that were to leave here and did not, by reason.
    pub not_sent: BTreeMap<String, u64>,
    /// Packets that were offered and did not enter, by reason.
    #[serde(default)]
    pub not_entered: BTreeMap<String, u64>,
    /// Packets of the capture that did not enter here, by reason; `in` does not count them.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
}

/// Dropped packets by reason, and by who dropped them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Before any lookup, so neither `hardware` nor `slow_path` counts them.
    pub ingress: BTreeMap<String, u64>,
    /// Part of `hardware`.
    pub hardware: BTreeMap<String, u64>,
    /// Part of `slow_path`.
    pub slow_path: BTreeMap<String, u64>,
}

impl Dropped {
    /// Those that are not 0, for people.
    fn text(&self) -> String {
        let places = [("", &self.ingress), ("", &self.hardware), ("slow path ", &self.slow_path)];
        let reasons: Vec<String> = places.into_iter().map(|(place, reasons)| list(place, reasons)).collect();
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        if reasons.is_empty() { "0".into() } else { reasons.join(", ") }
    }
}

/// `reason N, reason N`, without those that are 0.
fn list(place: &str, reasons: &BTreeMap<String, u64>) -> String {
    let some = reasons.iter().filter(|(_, n)| **n > 0);
    some.map(|(reason, n)| format!("{place}{reason} {n}")).collect::<Vec<_>>().join(", ")
}

/// Why the device stopped a virtqueue of a function, which needs a reset by its driver since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStats {
    /// Number among those of the function.
    pub virtqueue: u16,
    /// By its name in `docs/host.md`.
    pub reason: String,
}

/// What happened in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub preset: String,
    /// Clock cycles since reset, of 4 ns; of a simulated device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycles: Option<u64>,
    /// Cycles in which a clock of the core ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocked_cycles: Option<u64>,
    /// Why there is nothing of `ports`, nor of what else only the device knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    /// What happened on the line to a card.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host_channel: BTreeMap<String, u64>,
    pub ports: BTreeMap<String, PortStats>,
    /// The first fault of each function that has one, until it is reset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<String, FaultStats>,
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
            let mut dropped = port.dropped.text();
            let fates =
                [("not sent", &port.not_sent), ("not entered", &port.not_entered), ("left out", &port.left_out)];
            for (what, reasons) in fates {
                let reasons = list("", reasons);
                if !reasons.is_empty() {
                    dropped += &format!("; {what}: {reasons}");
                }
            }
            let PortStats { received, sent, hardware, slow_path, .. } = port;
            let _ = writeln!(
                text,
                "{name:<5} {:>12} {:>12} {hardware:>12} {slow_path:>12}  {dropped}",
                received.packets, sent.packets
            );
        }
        for (function, FaultStats { virtqueue, reason }) in &self.faults {
            let _ = writeln!(text, "{function} needs a reset by its driver: fault `{reason}` of virtqueue {virtqueue}");
        }
        let slow = list("", &self.slow_path);
        let slow = if slow.is_empty() { "nothing to do" } else { &slow };
        let _ = writeln!(text, "slow path: {slow}");
        let _ = writeln!(text, "rules in hardware: {}", self.rules);
        if !self.host_channel.is_empty() {
            let line = list("", &self.host_channel);
            let _ = writeln!(text, "host channel: {}", if line.is_empty() { "silent" } else { &line });
        }
        let preset = &self.preset;
        let _ = match (self.cycles, self.clocked_cycles) {
            (Some(cycles), Some(clocked)) => {
                writeln!(text, "cycles: {cycles} of 4 ns, {clocked} of them clocked (preset {preset})")
            }
            _ => writeln!(text, "preset: {preset}"),
        };
        text
    }
}
