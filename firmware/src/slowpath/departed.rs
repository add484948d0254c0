// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that were taken out, until their last packets have been counted.

use super::cache::Megaflow;
use super::core::{Core, credit};
use super::offload::Offload;
use crate::mac::{Heard, Station};
use millrace_driver::Count;
use smallvec::SmallVec;
use std::hash::Hash;

/// What a megaflow leaves behind whose rule was taken out: packets that were matched before are still on their way to the rule's
/// counter.
pub(super) struct Departed {
    /// Flows that its packets matched.
    flows: SmallVec<[u32; 12]>,
    /// Stations that its packets tell of, and the port.
    learned: SmallVec<[(Station, u16); 1]>,
    /// What was booked for them.
    booked: Count,
    /// Device time (ns) at which that was read: the others count later.
    at: u64,
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

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Books what rules that were taken out have counted after that. Stations may have moved then.
    pub(super) fn book_last_counts(&mut self, offload: &mut impl Offload<Rule = R>) {
        if self.departed.is_empty() {
            return;
        }
        for (rule, count) in offload.last_counts() {
            let Some(departed) = self.departed.remove(&rule) else {
                continue;
            };
            let late = count.since(departed.booked);
            if late.packets == 0 {
                continue;
            }
            for &flow in &departed.flows {
                credit(&mut self.flow_stats[flow as usize], late, departed.at);
            }
            for (station, port) in departed.learned {
                self.learn(station, port, Heard::Counter(departed.at));
            }
        }
    }
}
