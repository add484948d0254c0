// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of the frames that leave the ports: captures, TAP devices, and their counts.

use anyhow::{Context, Result};
use millrace_sim::tap::{self, Tap};
use millrace_sim::{CYCLE_NS, Config, Simulation, capture};
use std::fs;
use std::path::Path;

/// Frames and bytes of a port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub packets: u64,
    pub bytes: u64,
    /// Frames that the TAP device did not take.
    pub tap_refused: u64,
}

pub struct Outputs {
    captures: Vec<capture::Writer>,
    epoch_ns: u64,
    sent: Vec<Sent>,
}

impl Outputs {
    /// Makes one capture per port in `folder`, if given. `epoch_ns`: time of cycle 0 (ns since 1970).
    pub fn new(config: &Config, folder: Option<&Path>, epoch_ns: u64) -> Result<Self> {
        let mut captures = vec![];
        if let Some(folder) = folder {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            for name in (0..config.vports()).filter_map(|vport| config.vport_name(vport)) {
                captures.push(capture::Writer::create(&folder.join(format!("{name}.pcap")))?);
            }
        }
        Ok(Self { captures, epoch_ns, sent: vec![Sent::default(); config.vports()] })
    }

    /// Fetches what left the ports.
    pub fn drain(&mut self, simulation: &mut Simulation, taps: &mut [(usize, Tap)]) -> Result<()> {
        for (vport, sent) in self.sent.iter_mut().enumerate() {
            while let Some(received) = simulation.recv(vport) {
                sent.packets += 1;
                sent.bytes += received.frame.len() as u64;
                if let Some(capture) = self.captures.get_mut(vport) {
                    capture.write(self.epoch_ns + received.cycle * CYCLE_NS, &received.frame)?;
                }
                if let Some((_, tap)) = taps.iter_mut().find(|(v, _)| *v == vport) {
                    let taken = match tap.send(&received.frame) {
                        Err(error) if tap::is_gone(&error) => false,
                        other => other.with_context(|| format!("TAP device {}", tap.name()))?,
                    };
                    sent.tap_refused += u64::from(!taken);
                }
            }
        }
        Ok(())
    }

    /// What left each port so far.
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Completes the captures.
    pub fn finish(self) -> Result<()> {
        for capture in self.captures {
            capture.finish()?;
        }
        Ok(())
    }
}
