// SPDX-License-Identifier: MIT OR Apache-2.0
//! When time alone gives the slow path something to do.

use super::SlowPath;
use super::ageing::LAST_COUNTS_NS;
use super::core::Core;
use std::hash::Hash;

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// The device time (ns) from which on [`tick`](Self::tick) has something to do if no packet moves until then; none if it
    /// never has. Never too late if every rule's counters were read since the last packet; packets that were not booked yet
    /// can only put it off.
    pub fn next_due(&self) -> Option<u64> {
        let last_counts = (!self.departed.is_empty()).then(|| self.asked_last_counts + LAST_COUNTS_NS);
        let idle = self.cache.iter().map(|(_, m)| m.used).min().map(|used| used.saturating_add(self.settings.max_idle));
        let dues = [last_counts, idle, self.macs.next_expiry(), self.next_timeout()];
        dues.into_iter().flatten().min()
    }

    /// When the first flow's time is over.
    fn next_timeout(&self) -> Option<u64> {
        let after = |since: u64, seconds: u16| (seconds != 0).then(|| since + u64::from(seconds) * 1_000_000_000);
        let live = self.pipeline.timed().iter().filter(|n| self.pipeline.is_live(**n));
        let timeouts = live.flat_map(|&n| {
            let (flow, stats) = (self.pipeline.flow(n), &self.flow_stats[n as usize]);
            [after(stats.created, flow.hard_timeout), after(stats.used, flow.idle_timeout)]
        });
        timeouts.flatten().min()
    }
}

impl SlowPath {
    /// The device time (ns) from which on [`poll`](Self::poll) has something to do if no packet moves until then; none if it never
    /// has. Holds once the slow path has been polled for a second without a packet, for then it has read all counters.
    pub fn next_due(&self) -> Option<u64> {
        self.core.next_due().into_iter().chain(self.guard.next_due()).min()
    }
}
