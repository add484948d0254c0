// SPDX-License-Identifier: MIT OR Apache-2.0
//! What time brings: counters are read, stations and megaflows age, flows time out.

use super::cache::FlowId;
use super::core::Core;
use super::offload::Offload;
use super::stats::FlowStats;
use std::hash::Hash;

/// Within this time each rule's counters are read once.
const SYNC_NS: u64 = 500_000_000;
/// Time between two questions for the last counts of rules that were taken out.
pub(super) const LAST_COUNTS_NS: u64 = 1_000_000;

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// What is to be done as time passes: ageing of stations, megaflows and flows.
    pub fn tick(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        self.read_counters(offload, now);
        if now.saturating_sub(self.asked_last_counts) >= LAST_COUNTS_NS {
            self.asked_last_counts = now;
            self.book_last_counts(offload);
        }
        while let Some(station) = self.macs.expire(now) {
            // It may have been heard of in hardware since.
            self.moved.push(station);
            for id in self.cache.dependents(station) {
                self.sync(offload, id, now);
            }
        }
        self.expire_flows(offload, now);
        self.follow_moves(offload, now);
    }

    /// Reads the counters of a share of the rules, and removes megaflows that are idle.
    fn read_counters(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        let slots = self.cache.capacity();
        let elapsed = now.saturating_sub(self.sync_time).min(SYNC_NS);
        let share = (slots as u128 * u128::from(elapsed) / u128::from(SYNC_NS)) as usize;
        if share == 0 {
            return;
        }
        self.sync_time = now;
        for _ in 0..share.min(self.settings.counters_at_once) {
            self.sync_hand = if self.sync_hand + 1 < slots { self.sync_hand + 1 } else { 0 };
            let id = self.sync_hand as FlowId;
            self.sync(offload, id, now);
            if self.cache.get(id).is_some_and(|m| now.saturating_sub(m.used) >= self.settings.max_idle) {
                self.remove(offload, id, now);
            }
        }
    }

    /// Books the counters of all rules.
    pub fn sync_all(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        for id in self.cache.ids() {
            self.sync(offload, id, now);
        }
        self.book_last_counts(offload);
        self.follow_moves(offload, now);
    }

    /// Removes flows whose time is over, and the megaflows that used them.
    fn expire_flows(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        let due = |stats: &FlowStats, (idle, hard): (u16, u16)| {
            let over = |since: u64, seconds: u16| {
                seconds != 0 && now.saturating_sub(since) >= u64::from(seconds) * 1_000_000_000
            };
            over(stats.created, hard) || over(stats.used, idle)
        };
        let mut expired: Vec<u32> = Vec::new();
        let candidates = self.pipeline.timed().iter().filter(|n| self.pipeline.is_live(**n));
        for &n in candidates {
            let flow = self.pipeline.flow(n);
            if due(&self.flow_stats[n as usize], (flow.idle_timeout, flow.hard_timeout)) {
                expired.push(n);
            }
        }
        if expired.is_empty() {
            return;
        }
        // The hardware may have used them since it was last asked.
        let users: Vec<FlowId> =
            self.cache.iter().filter(|(_, m)| m.flows.iter().any(|f| expired.contains(f))).map(|(id, _)| id).collect();
        for &id in &users {
            self.sync(offload, id, now);
        }
        expired.retain(|&n| {
            let flow = self.pipeline.flow(n);
            due(&self.flow_stats[n as usize], (flow.idle_timeout, flow.hard_timeout))
        });
        self.pipeline.remove(&expired);
        self.stats.expired += expired.len() as u64;
        for id in users {
            if self.cache.get(id).is_some_and(|m| m.flows.iter().any(|f| expired.contains(f))) {
                self.revalidate(offload, id, now);
            }
        }
    }
}
