// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decides in which cycle each packet of the captures is offered to the hardware.

use crate::args::Pace;
use crate::inputs::{Input, Inputs};
use anyhow::Result;
use millrace_sim::{CYCLE_NS, Ports};

/// Packets that wait at one port, so that it does not run dry while the slow path is at work.
const AHEAD: usize = 1024;

pub struct Feeder {
    inputs: Inputs,
    pace: Pace,
    /// Time of the first packet, which enters in cycle `start`.
    epoch_ns: u64,
    start: u64,
    /// Packets offered so far, by port.
    offered: Vec<u64>,
    latest: Option<usize>,
}

impl Feeder {
    /// The first of `inputs` is due in cycle `start`.
    pub fn new(inputs: Inputs, pace: Pace, vports: usize, start: u64) -> Self {
        let epoch_ns = inputs.front().map_or(0, |input| input.time_ns);
        Self { inputs, pace, epoch_ns, start, offered: vec![0; vports], latest: None }
    }

    /// Time of cycle 0 in nanoseconds since 1970, if the first packet enters at its time (0 without packets).
    pub fn cycle_0_ns(&self) -> u64 {
        self.epoch_ns.saturating_sub(self.start * CYCLE_NS)
    }

    /// Offers no more.
    pub fn stop(&mut self) {
        self.inputs.stop();
    }

    /// Packets in all, and packets offered.
    pub fn progress(&self) -> (u64, u64) {
        let (total, left) = self.inputs.counts();
        (total, total - left)
    }

    /// Time between the earliest and the latest packet in nanoseconds.
    pub fn span_ns(&self) -> u64 {
        self.inputs.times().map_or(0, |(first, last)| last - first)
    }

    /// The cycle before which the next packet does not enter; none if there is none, or its time does not matter.
    pub fn due(&self) -> Option<u64> {
        let next = self.inputs.front()?;
        (self.pace != Pace::Line).then(|| self.start + (next.time_ns - self.epoch_ns) / CYCLE_NS)
    }

    /// Offers what may enter now. `settled`: no packet is in the hardware or the slow path.
    pub fn feed(&mut self, device: &mut impl Ports, settled: bool) -> Result<()> {
        if self.pace == Pace::Settle {
            if settled && self.is_due(device) {
                self.offer(device)?;
            }
            return Ok(());
        }
        while let Some(next) = self.inputs.front()
            && self.is_due(device)
            && self.may_follow(device, next.vport)
        {
            self.offer(device)?;
        }
        Ok(())
    }

    /// The next packet's time has come, if it has one.
    fn is_due(&self, device: &impl Ports) -> bool {
        self.due().is_none_or(|due| due <= device.cycle())
    }

    /// A packet enters no earlier than the one before it: at another port, once that one has begun to.
    fn may_follow(&self, device: &impl Ports, vport: usize) -> bool {
        match self.latest {
            Some(latest) if latest != vport => device.started(latest) >= self.offered[latest],
            _ => device.pending(vport) < AHEAD,
        }
    }

    fn offer(&mut self, device: &mut impl Ports) -> Result<()> {
        if let Some(Input { vport, frame, .. }) = self.inputs.pop()? {
            device.send(vport, frame);
            self.offered[vport] += 1;
            self.latest = Some(vport);
        }
        Ok(())
    }
}
