// SPDX-License-Identifier: MIT OR Apache-2.0
//! Other flow tables under way: they are in force at once for packets that miss, and megaflow by megaflow for the others.

use super::core::Core;
use super::offload::Offload;
use super::stats::FlowStats;
use crate::openflow::{FlowTable, Match};
use crate::xlate::Pipeline;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::thread;

/// Flow tables that are ready to be put in place of others. Making them so takes long where there are many flows: whoever has other things
/// to do does it in another thread.
pub struct Replacement {
    pipeline: Pipeline,
    /// The flows by table, priority and match.
    numbers: FxHashMap<(u8, u16, Match), u32>,
}

impl Replacement {
    /// Makes flows ready.
    pub fn new(flows: FlowTable) -> Replacement {
        let pipeline = Pipeline::new(flows);
        let numbers = pipeline.flows().map(|(n, f)| ((f.table, f.priority, f.matches), n)).collect();
        Replacement { pipeline, numbers }
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.pipeline.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pipeline.is_empty()
    }
}

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Puts other flow tables in place of the present ones. Flows that stay the same keep their counters. Megaflows agree with them
    /// when none is `stale` any more: see [`agree`](Self::agree).
    pub fn replace_flows(&mut self, new: Replacement, now: u64) {
        let fresh = FlowStats { created: now, used: now, ..FlowStats::default() };
        let mut stats = vec![fresh; new.len()];
        let numbers = same_flows(&self.pipeline, &new);
        for (old, new) in numbers.iter().enumerate() {
            if let Some(new) = new {
                stats[*new as usize] = self.flow_stats[old];
            }
        }
        let old = std::mem::replace(&mut self.pipeline, new.pipeline);
        self.flow_stats = stats;
        self.departed.values_mut().for_each(|departed| departed.renumber(&numbers));
        for megaflow in self.cache.iter_mut() {
            megaflow.flows = megaflow.flows.iter().filter_map(|&n| numbers[n as usize]).collect();
        }
        self.stale = 0..self.cache.end();
        // Of many flows that takes long too. If there is no thread to be had it takes long here.
        let _ = thread::Builder::new().spawn(move || drop((old, new.numbers)));
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
fn same_flows(old: &Pipeline, Replacement { pipeline: new, numbers }: &Replacement) -> Vec<Option<u32>> {
    (0..old.len() as u32)
        .map(|n| {
            let flow = old.flow(n);
            let found = *numbers.get(&(flow.table, flow.priority, flow.matches))?;
            let other = new.flow(found);
            let same = other.actions == flow.actions
                && other.cookie == flow.cookie
                && (other.idle_timeout, other.hard_timeout) == (flow.idle_timeout, flow.hard_timeout);
            (same && old.is_live(n)).then_some(found)
        })
        .collect()
}
