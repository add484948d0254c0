// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that were taken out, until their last packets have been counted.

use super::cache::Megaflow;
use crate::mac::Station;
use millrace_driver::Count;
use smallvec::SmallVec;

/// What a megaflow leaves behind whose rule was taken out: packets that were matched before are still on their way to the rule's
/// counter.
pub(super) struct Departed {
    /// Flows that its packets matched.
    pub flows: SmallVec<[u32; 12]>,
    /// Stations that its packets tell of, and the port.
    pub learned: SmallVec<[(Station, u16); 1]>,
    /// What was booked for them.
    pub booked: Count,
    /// Device time (ns) at which that was read: the others count later.
    pub at: u64,
}

impl Departed {
    /// Of a megaflow whose rule was taken out.
    pub fn new<R>(megaflow: &Megaflow<R>) -> Departed {
        let Megaflow { flows, learned, hw_count, asked_at, .. } = megaflow;
        Departed { flows: flows.clone(), learned: learned.clone(), booked: *hw_count, at: *asked_at }
    }

    /// The flow tables were replaced: gives the flows their new numbers.
    pub fn renumber(&mut self, numbers: &[Option<u32>]) {
        self.flows = self.flows.iter().filter_map(|&n| numbers[n as usize]).collect();
    }
}
