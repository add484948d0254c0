// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a scenario is.

use std::path::PathBuf;

/// Why LLC/SNAP frames and IPv6 packets with extension headers stay with the slow path.
pub(super) const PUNTED: &str = "the hardware's parser gives up: no lookup";
/// Why edited ARP, ICMP and SCTP packets do.
pub(super) const EDITED: &str = "the hardware does not have the edit";

/// What happens next in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame comes in on the port with this OpenFlow number.
    Frame(u16, Vec<u8>),
    /// Seconds go by.
    Wait(u64),
}

/// A flow file and what is put through it.
pub struct Scenario {
    /// Name of the flow file, without `.flows`.
    pub name: &'static str,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// How many frames come out of each port (its name and the number; other ports: none). So that a scenario shows what it is about.
    pub expect: &'static [(&'static str, usize)],
    /// Frames, counted from 0, that the slow path handles a second time too if they are sent twice, and why.
    pub in_software: Vec<(usize, &'static str)>,
}

impl Scenario {
    pub(super) fn new(name: &'static str, steps: Vec<Step>, expect: &'static [(&'static str, usize)]) -> Scenario {
        Scenario { name, steps, expect, in_software: Vec::new() }
    }

    /// Says why some of the frames stay with the slow path.
    pub(super) fn software(mut self, frames: impl IntoIterator<Item = usize>, why: &'static str) -> Scenario {
        self.in_software.extend(frames.into_iter().map(|frame| (frame, why)));
        self
    }

    /// Its flow file.
    pub fn flow_file(&self) -> PathBuf {
        crate::ovs::scenario_dir().join(format!("{}.flows", self.name))
    }
}

/// Frames that come in on one port, one after the other.
pub(super) fn on(port: u16, frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<Step> {
    frames.into_iter().map(|f| Step::Frame(port, f)).collect()
}
