// SPDX-License-Identifier: MIT OR Apache-2.0
//! The passes of a frame: `docs/hardware.md`, "Passes".

use super::Output;
use super::parser::Parsed;
use millrace_regs::config::MIN_FRAME;
use millrace_regs::{Step, UpcallReason};

/// As far as the headers of a packet reach.
const REACH: usize = 100;

/// One lookup of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// 0 for the first.
    pub number: u8,
    /// The byte of the frame that the packet begins at.
    pub start: usize,
    /// What earlier passes wrote.
    pub metadata: u64,
}

impl Pass {
    /// The pass that `step` asks for; none if it cannot begin. `len` is the frame's, `window` the header window's length.
    pub fn next(self, step: &Step, packet: &Parsed, len: usize, window: usize) -> Option<Pass> {
        let from = match step.start_from {
            0 => 0,
            1 => packet.l3?.1,
            2 => packet.l3?.1 + packet.ip_len,
            _ => return None,
        };
        let start = self.start + from + usize::from(step.start & !1);
        let metadata = self.metadata & !step.metadata_mask | step.metadata & step.metadata_mask;
        let fits = start + MIN_FRAME <= len && start + REACH <= window;
        fits.then_some(Pass { number: self.number + 1, start, metadata })
    }

    /// A frame for the slow path.
    pub fn upcall(self, vport: usize, reason: UpcallReason, frame: Vec<u8>) -> Output {
        Output::Upcall { vport: vport as u8, reason, pass: self.number, metadata: self.metadata, frame }
    }
}
