// SPDX-License-Identifier: MIT OR Apache-2.0
//! Other flow tables under way: they are in force at once for packets that miss, and megaflow by megaflow for the others.

use super::core::Core;
use super::offload::Offload;
use super::stats::FlowStats;
use crate::openflow::FlowTable;
use crate::xlate::Pipeline;
use rustc_hash::FxHashMap;
use std::hash::Hash;

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Puts other flow tables in place of the present ones. Flows that stay the same keep their counters. Megaflows agree with them
    /// when none is `stale` any more: see [`agree`](Self::agree).
    pub fn replace_flows(&mut self, flows: FlowTable, now: u64) {
        let pipeline = Pipeline::new(flows);
        let fresh = FlowStats { created: now, used: now, ..FlowStats::default() };
        let mut stats = vec![fresh; pipeline.len()];
        let numbers = same_flows(&self.pipeline, &pipeline);
        for (old, new) in numbers.iter().enumerate() {
            if let Some(new) = new {
                stats[*new as usize] = self.flow_stats[old];
            }
        }
        self.pipeline = pipeline;
        self.flow_stats = stats;
        self.departed.values_mut().for_each(|departed| departed.renumber(&numbers));
        for megaflow in self.cache.iter_mut() {
            megaflow.flows = megaflow.flows.iter().filter_map(|&n| numbers[n as usize]).collect();
        }
        self.stale = 0..self.cache.end();
    }

    /// Makes megaflows agree with the flow tables, so `many` of them at most, until it is `enough`.
    pub fn agree<O: Offload<Rule = R>>(&mut self, offload: &mut O, now: u64, many: usize, enough: impl Fn(&O) -> bool) {
        for _ in 0..many {
            let Some(id) = self.stale.next() else {
                break;
            };
            self.revalidate(offload, id, now);
            if enough(offload) {
                break;
            }
        }
        self.follow_moves(offload, now);
    }
}

/// For each old flow that is in the new tables too, its number there.
fn same_flows(old: &Pipeline, new: &Pipeline) -> Vec<Option<u32>> {
    let by_match: FxHashMap<_, u32> = new.flows().map(|(n, f)| ((f.table, f.priority, f.matches), n)).collect();
    (0..old.len() as u32)
        .map(|n| {
            let flow = old.flow(n);
            let found = *by_match.get(&(flow.table, flow.priority, flow.matches))?;
            let other = new.flow(found);
            let same = other.actions == flow.actions
                && other.cookie == flow.cookie
                && (other.idle_timeout, other.hard_timeout) == (flow.idle_timeout, flow.hard_timeout);
            (same && old.is_live(n)).then_some(found)
        })
        .collect()
}
