// SPDX-License-Identifier: MIT OR Apache-2.0
//! What rules have counted that were taken out.

use super::core::{Core, credit};
use super::offload::Offload;
use crate::mac::Heard;
use std::hash::Hash;

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
