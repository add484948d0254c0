// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flows of one OpenFlow table, arranged for lookup (tuple space search).
//!
//! Flows are grouped by mask into subtables, tried in the order of their highest priority. A lookup reports which bits of
//! the packet its answer depends on, as narrowly as Open vSwitch does (lib/classifier.c): subtables are searched in
//! stages, so that one that fails on L2 does not look at L3, and prefix tries show with few bits that no address prefix
//! or port fits.

mod subtable;
mod trie;

use crate::openflow::{FlowKey, FlowMask, Match};
use rustc_hash::FxHashMap;
use subtable::{Entry, Found, Subtable, TRIES, TrieCache};
use trie::Trie;

/// The flows of one table. Does not change once built.
#[derive(Clone, Debug, Default)]
pub struct Classifier {
    /// Highest priority first.
    subtables: Vec<Subtable>,
    tries: [Trie; TRIES],
}

impl Classifier {
    /// Arranges flows, each with a number of the caller's and a priority. The order does not matter.
    pub fn new<'a>(flows: impl IntoIterator<Item = (u32, &'a Match, u16)>) -> Classifier {
        let mut by_mask: FxHashMap<FlowMask, Vec<(&Match, Entry)>> = FxHashMap::default();
        for (id, matches, priority) in flows {
            by_mask.entry(matches.mask).or_default().push((matches, Entry { id, priority }));
        }
        let mut subtables: Vec<Subtable> = by_mask.iter().map(|(mask, flows)| Subtable::new(*mask, flows)).collect();
        subtables.sort_by(|a, b| b.max_priority.cmp(&a.max_priority).then_with(|| a.mask.cmp(&b.mask)));
        let mut tries: [Trie; TRIES] = Default::default();
        for subtable in &subtables {
            subtable.fill_tries(&mut tries);
        }
        Classifier { subtables, tries }
    }

    /// The number of the flow with the highest priority that matches. Every bit that the answer depends on is added to
    /// `looked`: a packet that agrees with `key` in these bits gets the same answer.
    #[inline]
    pub fn lookup(&self, key: &FlowKey, looked: &mut FlowMask) -> Option<u32> {
        let mut tries = TrieCache::new(&self.tries);
        let mut best: Option<Entry> = None;
        for subtable in &self.subtables {
            if best.is_some_and(|best| best.priority >= subtable.max_priority) {
                break;
            }
            if let Found::Match(entry) = subtable.lookup(key, looked, &mut tries)
                && best.is_none_or(|best| best.priority < entry.priority)
            {
                best = Some(entry);
            }
        }
        best.map(|entry| entry.id)
    }

    /// Every bit that some flow of the table looks at.
    pub fn union_mask(&self) -> FlowMask {
        self.subtables.iter().fold(FlowMask::default(), |mut union, subtable| {
            union.union(&subtable.mask);
            union
        })
    }

    /// Number of distinct masks.
    pub fn subtables(&self) -> usize {
        self.subtables.len()
    }
}

#[cfg(test)]
mod tests;
