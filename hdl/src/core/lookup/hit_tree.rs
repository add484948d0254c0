// SPDX-License-Identifier: MIT OR Apache-2.0
//! The best of many hits.

use super::better_hit::BetterHit;
use crate::core::types::Hit;
use rust_hdl_core::prelude::*;

/// The hit of the highest priority; of equal ones the first. A tree of [`BetterHit`]: one clock for each doubling of the number
/// of hits, none for a single one.
#[millrace_hdl::block]
pub struct HitTree {
    pub clock: Signal<In, Clock>,
    pub hit: Vec<Signal<In, Hit>>,
    pub best: Signal<Out, Hit>,
    /// Nodes in breadth-first order: node 0 is the root, node i compares the items 2 i + 1 and 2 i + 2.
    node: Vec<BetterHit>,
    /// What the nodes and then the hits give, in the same order.
    item: Vec<Signal<Local, Hit>>,
    _hits: usize,
    _nodes: usize,
    _nodes_end: usize,
}

#[millrace_hdl::block]
impl HitTree {
    /// A tree for `hits`, a power of two. (`Default` has none.)
    ///
    /// # Panics
    /// If it is not.
    pub fn new(hits: usize) -> Self {
        assert!(hits.is_power_of_two(), "{hits} hits do not fill a tree");
        let nodes = hits - 1;
        Self {
            hit: (0..hits).map(|_| Default::default()).collect(),
            node: (0..nodes).map(|_| Default::default()).collect(),
            item: (0..hits + nodes).map(|_| Default::default()).collect(),
            _hits: hits,
            _nodes: nodes,
            _nodes_end: nodes + 1,
            ..Default::default()
        }
    }

    /// Clocks from `hits` hits to the best.
    pub const fn latency(hits: usize) -> usize {
        hits.ilog2() as usize
    }

    fn update(&mut self) {
        for i in 0..self._nodes {
            self.item[i] = self.node[i].best;
        }
        comment!("The hits lie behind the nodes. (The outer loop has one round: the number of nodes as an index.)");
        for first in self._nodes..self._nodes_end {
            for i in 0..self._hits {
                self.item[first + i] = self.hit[i];
            }
        }
        for i in 0..self._nodes {
            self.node[i].a = self.item[2 * i + 1];
            self.node[i].b = self.item[2 * i + 2];
        }
        self.best = self.item[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn check(hits: usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(hits as u64);
        let mut uut = HitTree::new(hits);
        uut.connect_all();
        let latency = HitTree::latency(hits);
        let mut due = std::collections::VecDeque::new();
        for _ in 0..300 {
            let mut best: Option<(u64, u64)> = None;
            let (range, chance) = (rng.random_range(1..9u64), rng.random_range(0.0..1.0));
            for i in 0..hits {
                let (hit, priority) = (rng.random_bool(chance), rng.random_range(0..range) * 0x2001);
                uut.hit[i].next = Hit { hit, priority: priority.to_bits(), rule: i.to_bits() };
                if hit && best.is_none_or(|b| priority > b.0) {
                    best = Some((priority, i as u64));
                }
            }
            due.push_back(best);
            tick(&mut uut, |u| &mut u.clock);
            if due.len() > latency.saturating_sub(1) {
                let h = uut.best.val();
                assert_eq!(h.hit.then(|| (h.priority.to_u64(), h.rule.to_u64())), due.pop_front().unwrap());
            }
        }
    }

    #[test]
    fn the_best_of_any_number() {
        for hits in [1, 2, 4, 16] {
            check(hits);
        }
    }

    #[test]
    fn lints() {
        assert_lints(HitTree::new(8));
        assert_lints(HitTree::new(1));
    }
}
