// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of the frames that leave the ports: captures, TAP devices, and their counts.

use crate::claim::{Claim, FolderClaim, check_distinct};
use crate::error::BadInput;
use crate::stats::Sent;
use anyhow::{Context, Result};
use millrace_sim::capture::{self, Format};
use millrace_sim::tap::{self, Tap};
use millrace_sim::{CYCLE_NS, Config, Simulated};
use std::path::Path;

/// All files that a run will write, none of them changed yet.
pub struct Files {
    captures: Vec<Claim>,
    format: Format,
    pub stats: Option<Claim>,
    pub trace: Option<Claim>,
    // The last to be dropped, for then it is empty.
    folder: Option<FolderClaim>,
}

impl Files {
    /// `captures` is a folder for one capture per port, and their format; `inputs` are files that the run reads, which it must not write.
    pub fn claim(
        config: &Config,
        captures: Option<(&Path, Format)>,
        stats: Option<&Path>,
        trace: Option<&Path>,
        inputs: &[&Path],
    ) -> Result<Self, BadInput> {
        let mut files = Files {
            captures: vec![],
            format: captures.map(|(_, format)| format).unwrap_or_default(),
            folder: captures.map(|(folder, _)| FolderClaim::new(folder)).transpose()?,
            stats: stats.map(Claim::new_or_standard).transpose()?,
            trace: trace.map(Claim::new).transpose()?,
        };
        if let Some((folder, format)) = captures {
            for name in (0..config.vports()).filter_map(|vport| config.vport_name(vport)) {
                files.captures.push(Claim::new(&folder.join(format!("{name}.{}", format.extension())))?);
            }
        }
        let all: Vec<&Claim> = files.captures.iter().chain(&files.stats).chain(&files.trace).collect();
        check_distinct(&all, inputs)?;
        Ok(files)
    }

    /// The run begins: empties the captures and writes their headers.
    pub fn begin_captures(&mut self) -> Result<Vec<capture::Writer>> {
        if let Some(folder) = self.folder.take() {
            folder.take();
        }
        let mut writers = vec![];
        for claim in self.captures.drain(..) {
            let path = claim.path().to_owned();
            let file = claim.take().with_context(|| format!("cannot write {}", path.display()))?;
            writers.push(capture::Writer::new(&path, file, self.format)?);
        }
        Ok(writers)
    }
}

pub struct Outputs {
    captures: Vec<capture::Writer>,
    epoch_ns: u64,
    sent: Vec<Sent>,
}

impl Outputs {
    /// One capture per port, or none at all. `epoch_ns`: time of cycle 0 (ns since 1970).
    pub fn new(config: &Config, captures: Vec<capture::Writer>, epoch_ns: u64) -> Self {
        Self { captures, epoch_ns, sent: vec![Sent::default(); config.vports()] }
    }

    /// Fetches what left the ports.
    pub fn drain(&mut self, device: &mut impl Simulated, taps: &mut [(usize, Tap)]) -> Result<()> {
        for (vport, sent) in self.sent.iter_mut().enumerate() {
            while let Some(received) = device.recv(vport) {
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
