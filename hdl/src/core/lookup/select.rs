// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the tables' answers wins.

use super::better_hit::BetterHit;
use super::hit_tree::HitTree;
use crate::core::types::Hit;
use rust_hdl_core::prelude::*;

/// The hit of the highest priority; of equal ones the TCAM's, then the lowest table's. [`tree_latency`](Self::tree_latency) + 1
/// clocks; `tcam` comes [`tree_latency`](Self::tree_latency) clocks after `table`.
#[millrace_hdl::block]
pub struct Select {
    pub clock: Signal<In, Clock>,
    pub table: Vec<Signal<In, Hit>>,
    pub tcam: Signal<In, Hit>,
    pub best: Signal<Out, Hit>,
    tree: HitTree,
    last: BetterHit,
    _tables: usize,
    _leaves: usize,
}

#[millrace_hdl::block]
impl Select {
    /// For this many hash tables, at least one. (`Default` has none.)
    pub fn new(tables: usize) -> Self {
        let leaves = tables.next_power_of_two();
        Self {
            table: (0..tables).map(|_| Default::default()).collect(),
            tree: HitTree::new(leaves),
            _tables: tables,
            _leaves: leaves,
            ..Default::default()
        }
    }

    /// Clocks by which `tcam` is behind `table`.
    pub const fn tree_latency(tables: usize) -> usize {
        HitTree::latency(tables.next_power_of_two())
    }

    fn update(&mut self) {
        let mut none = Hit::default();
        none.hit = false;
        none.priority = 0;
        none.rule = 0;
        for i in 0..self._tables {
            self.tree.hit[i] = self.table[i];
        }
        for i in self._tables..self._leaves {
            self.tree.hit[i] = none;
        }
        self.last.a = self.tcam;
        self.last.b = self.tree.best;
        self.best = self.last.best;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::{Answer, select};
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    fn hit(answer: Answer) -> Hit {
        let (priority, rule) = answer.unwrap_or((0x7777, 0x7777));
        Hit { hit: answer.is_some(), priority: u64::from(priority).to_bits(), rule: u64::from(rule).to_bits() }
    }

    #[test]
    fn priority_then_tcam_then_the_lowest_table() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for tables in [1, 2, 3, 6, 8] {
            let mut uut = Select::new(tables);
            uut.connect_all();
            let behind = Select::tree_latency(tables);
            let mut tcams: VecDeque<Answer> = vec![None; behind].into();
            let mut due: VecDeque<Answer> = vec![None; behind].into();
            for _ in 0..300 {
                let top = if rng.random() { 3 } else { 0xffff };
                let mut answer = || rng.random_bool(0.4).then(|| (rng.random_range(0..=top), rng.random()));
                let (tcam, hits) = (answer(), (0..tables).map(|_| answer()).collect::<Vec<_>>());
                for (i, h) in hits.iter().enumerate() {
                    uut.table[i].next = hit(*h);
                }
                tcams.push_back(tcam);
                uut.tcam.next = hit(tcams.pop_front().unwrap());
                due.push_back(select(tcam, &hits));
                tick(&mut uut, |u| &mut u.clock);
                let best = uut.best.val();
                let got = best.hit.then(|| (best.priority.to_u64() as u16, best.rule.to_u64() as u16));
                assert_eq!(got, due.pop_front().unwrap());
            }
        }
    }

    #[test]
    fn lints() {
        assert_lints(Select::new(8));
        assert_lints(Select::new(3));
    }
}
