// SPDX-License-Identifier: MIT OR Apache-2.0
//! Splits a kernel into `assign`s and the smallest `always @*` blocks that keep its meaning.

use super::expr::SignalId;
use super::stmt::Stmt;
use super::symbols::Symbols;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A piece of a module; numbers are indices of the kernel's statements.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Process {
    Assign(usize),
    Always(Vec<usize>),
    Comment(usize),
}

/// The pieces of a module in the order of their first statements.
pub(super) struct Partition {
    pub processes: Vec<Process>,
    /// Signals that `always` blocks assign.
    pub procedural: BTreeSet<SignalId>,
}

/// Signals of which every bit is written by at most one unconditional statement: each statement can be an `assign`.
pub(super) fn assembled(statements: &[Stmt], symbols: &Symbols) -> BTreeSet<SignalId> {
    let mut bits: BTreeMap<SignalId, Vec<bool>> = BTreeMap::new();
    let mut excluded = BTreeSet::new();
    for stmt in statements {
        if let Stmt::Set { target, low, value } = stmt {
            let written = bits.entry(*target).or_insert_with(|| vec![false; symbols[*target].width]);
            let range = &mut written[*low..low + value.width];
            if range.contains(&true) {
                excluded.insert(*target);
            }
            range.fill(true);
        } else {
            excluded.extend(stmt.writes());
        }
    }
    bits.into_keys().filter(|id| !excluded.contains(id)).collect()
}

/// Splits the statements of a kernel.
pub(super) fn partition(statements: &[Stmt], symbols: &Symbols) -> Partition {
    let writes: Vec<BTreeSet<SignalId>> = statements.iter().map(Stmt::writes).collect();
    let mut writers: BTreeMap<SignalId, Vec<usize>> = BTreeMap::new();
    for (at, ids) in writes.iter().enumerate() {
        ids.iter().for_each(|id| writers.entry(*id).or_default().push(at));
    }
    let plain = assembled(statements, symbols);
    let mut procedural: BTreeSet<SignalId> = writers.keys().copied().filter(|id| !plain.contains(id)).collect();
    let mut groups = Groups::new(statements.len());
    join_readers_between_writes(statements, &writes, &writers, &mut procedural, &mut groups);
    for id in &procedural {
        writers[id].windows(2).for_each(|pair| groups.join(pair[0], pair[1]));
    }
    let processes = in_order(statements, &writes, &procedural, &mut groups);
    Partition { processes, procedural }
}

/// A statement that reads a signal between two writes of it sees an intermediate value: it must be in the same block.
fn join_readers_between_writes(
    statements: &[Stmt],
    writes: &[BTreeSet<SignalId>],
    writers: &BTreeMap<SignalId, Vec<usize>>,
    procedural: &mut BTreeSet<SignalId>,
    groups: &mut Groups,
) {
    let reads: Vec<BTreeSet<SignalId>> = statements.iter().map(|stmt| Stmt::all_read([stmt])).collect();
    loop {
        let known = procedural.len();
        for (at, ids) in reads.iter().enumerate() {
            for id in ids.iter().filter(|id| writers.contains_key(id)) {
                let by = &writers[id];
                let between = by.first().is_some_and(|w| *w < at) && by.last().is_some_and(|w| *w > at);
                if between && procedural.contains(id) {
                    procedural.extend(&writes[at]);
                    groups.join(at, by[0]);
                }
            }
        }
        // What became procedural has readers of its own.
        if procedural.len() == known {
            return;
        }
    }
}

fn in_order(
    statements: &[Stmt],
    writes: &[BTreeSet<SignalId>],
    procedural: &BTreeSet<SignalId>,
    groups: &mut Groups,
) -> Vec<Process> {
    let mut processes: Vec<Process> = vec![];
    let mut always: HashMap<usize, usize> = HashMap::new();
    let mut comments: Vec<usize> = vec![];
    for (at, stmt) in statements.iter().enumerate() {
        if matches!(stmt, Stmt::Comment(_)) {
            comments.push(at);
        } else if matches!(stmt, Stmt::Set { target, .. } if !procedural.contains(target)) {
            processes.extend(comments.drain(..).map(Process::Comment));
            processes.push(Process::Assign(at));
        } else if !writes[at].is_empty() {
            let process = *always.entry(groups.root(at)).or_insert_with(|| {
                processes.push(Process::Always(vec![]));
                processes.len() - 1
            });
            if let Process::Always(members) = &mut processes[process] {
                members.append(&mut comments);
                members.push(at);
            }
        }
    }
    processes.extend(comments.into_iter().map(Process::Comment));
    processes
}

/// Disjoint sets of statements.
struct Groups(Vec<usize>);

impl Groups {
    fn new(len: usize) -> Self {
        Groups((0..len).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a] = b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::expr::Expr;
    use crate::emit::testing::Bench;

    fn bench() -> Bench {
        Bench::new(&["push", "pop", "load"])
    }

    #[test]
    fn independent_statements_are_assigns() {
        let b = bench();
        let statements = [b.set("push", b.whole("reset")), b.set("pop", b.whole("push"))];
        let split = partition(&statements, &b.symbols);
        assert_eq!(split.processes, [Process::Assign(0), Process::Assign(1)]);
        assert!(split.procedural.is_empty());
    }

    #[test]
    fn parts_of_a_signal_are_assigns_of_their_own() {
        let b = bench();
        let half = |low| b.set_from("count", low, Expr::zero(2));
        assert_eq!(partition(&[half(0), half(2)], &b.symbols).processes, [Process::Assign(0), Process::Assign(1)]);
        assert_eq!(partition(&[half(0), half(1)], &b.symbols).processes, [Process::Always(vec![0, 1])]);
    }

    #[test]
    fn a_reader_of_an_intermediate_value_joins_its_writers() {
        let b = bench();
        let statements = [
            b.set("push", b.whole("reset")),
            b.set("pop", b.whole("push")),
            b.set("push", b.whole("inp_valid")),
            b.set("load", b.whole("push")),
        ];
        let split = partition(&statements, &b.symbols);
        assert_eq!(split.processes, [Process::Always(vec![0, 1, 2]), Process::Assign(3)]);
        assert_eq!(split.procedural.len(), 2);
    }

    #[test]
    fn a_remark_goes_with_the_statement_behind_it() {
        let b = bench();
        let remark = || Stmt::Comment("why".into());
        let statements = [
            b.set("push", b.whole("reset")),
            remark(),
            b.set("push", b.whole("inp_valid")),
            remark(),
            b.set("pop", b.whole("reset")),
        ];
        let split = partition(&statements, &b.symbols);
        assert_eq!(split.processes, [Process::Always(vec![0, 1, 2]), Process::Comment(3), Process::Assign(4)]);
    }
}
