// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Verilog accepts but means something else than the Rust: latches, reads before writes, bits that nothing drives.

use super::error::{Fault, Reason};
use super::expr::{Expr, SignalId};
use super::partition::assembled;
use super::stmt::Stmt;
use super::symbols::{Role, Symbols};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All faults of a kernel's statements.
pub(super) fn check(statements: &[Stmt], symbols: &Symbols) -> Vec<Fault> {
    let mut flow = Flow { symbols, covered: HashMap::new(), early: BTreeSet::new() };
    for id in statements.iter().flat_map(Stmt::writes) {
        flow.covered.insert(id, vec![false; symbols[id].width]);
    }
    flow.block(statements);
    let mut faults: Vec<Fault> = flow.early.iter().map(|id| Fault::at(&symbols[*id].name, Reason::EarlyRead)).collect();
    faults.extend(uncovered(statements, &flow));
    faults.extend(never_driven(statements, symbols));
    faults.extend(child_inputs(statements, symbols));
    faults
}

/// Which bits are written on every path so far.
struct Flow<'a> {
    symbols: &'a Symbols,
    covered: HashMap<SignalId, Vec<bool>>,
    /// Signals of which some bit is read before it is written.
    early: BTreeSet<SignalId>,
}

impl Flow<'_> {
    fn block(&mut self, statements: &[Stmt]) {
        statements.iter().for_each(|stmt| self.statement(stmt));
    }

    fn statement(&mut self, stmt: &Stmt) {
        stmt.expressions().for_each(|e| self.read(e));
        match stmt {
            Stmt::Set { target, low, value } => {
                if let Some(bits) = self.covered.get_mut(target) {
                    bits[*low..low + value.width].fill(true);
                }
            }
            Stmt::If { then, otherwise, .. } => self.branches(stmt, &[then, otherwise]),
            Stmt::Case { arms, .. } => {
                let bodies: Vec<&[Stmt]> = arms.iter().map(|arm| &arm.body[..]).collect();
                self.branches(stmt, &bodies);
            }
            // The index may be any: no bit is surely written.
            Stmt::SetBit { .. } | Stmt::Comment(_) => {}
        }
    }

    /// Covered behind the statement is what all branches cover.
    fn branches(&mut self, stmt: &Stmt, bodies: &[&[Stmt]]) {
        let written = stmt.writes();
        let take = |flow: &Self| -> Vec<Vec<bool>> { written.iter().map(|id| flow.covered[id].clone()).collect() };
        let before = take(self);
        let mut common: Option<Vec<Vec<bool>>> = None;
        for body in bodies {
            self.restore(&written, before.clone());
            self.block(body);
            let after = take(self);
            match &mut common {
                None => common = Some(after),
                Some(all) => all.iter_mut().zip(&after).for_each(|(all, branch)| intersect(all, branch)),
            }
        }
        self.restore(&written, common.unwrap_or(before));
    }

    fn restore(&mut self, written: &BTreeSet<SignalId>, covered: Vec<Vec<bool>>) {
        self.covered.extend(written.iter().copied().zip(covered));
    }

    /// A child's input is a signal of its own in rust-hdl: reading it gives its final value.
    fn read(&mut self, e: &Expr) {
        let (symbols, covered, early) = (self.symbols, &self.covered, &mut self.early);
        e.reads(&mut |read| {
            let Some(bits) = covered.get(&read.signal) else { return };
            let high = read.width.map_or(bits.len(), |width| read.low + width);
            if symbols[read.signal].role != Role::ChildInput && bits[read.low..high].contains(&false) {
                early.insert(read.signal);
            }
        });
    }
}

fn intersect(all: &mut [bool], branch: &[bool]) {
    all.iter_mut().zip(branch).for_each(|(a, b)| *a &= b);
}

/// Bits not written on every path: latches, or never driven at all.
fn uncovered(statements: &[Stmt], flow: &Flow) -> Vec<Fault> {
    let conditional: BTreeSet<SignalId> =
        statements.iter().filter(|stmt| !matches!(stmt, Stmt::Set { .. })).flat_map(Stmt::writes).collect();
    let incomplete: BTreeMap<SignalId, &Vec<bool>> =
        flow.covered.iter().filter(|(_, bits)| bits.contains(&false)).map(|(id, bits)| (*id, bits)).collect();
    let fault = |id: &SignalId| {
        let reason = if conditional.contains(id) { Reason::Latch } else { Reason::BitsNeverDriven };
        Fault::at(&flow.symbols[*id].name, reason)
    };
    // Helpers get a default where they are declared in a process.
    incomplete.keys().filter(|id| flow.symbols[**id].role != Role::Helper).map(fault).collect()
}

/// Outputs, children's inputs and signals that are read must be written somewhere.
fn never_driven(statements: &[Stmt], symbols: &Symbols) -> Vec<Fault> {
    let written: BTreeSet<SignalId> = statements.iter().flat_map(Stmt::writes).collect();
    let read = Stmt::all_read(statements);
    let needed = |id: &SignalId, role: Role| match role {
        Role::Output | Role::ChildInput => true,
        Role::Local => read.contains(id),
        _ => false,
    };
    let there = symbols.iter().filter(|(_, symbol)| symbol.width > 0);
    let undriven = there.filter(|(id, symbol)| needed(id, symbol.role) && !written.contains(id));
    undriven.map(|(_, symbol)| Fault::at(&symbol.name, Reason::NeverDriven)).collect()
}

/// A child's input that a process assigns has its final value only behind the last assignment.
fn child_inputs(statements: &[Stmt], symbols: &Symbols) -> Vec<Fault> {
    let plain = assembled(statements, symbols);
    let mut last_write: HashMap<SignalId, usize> = HashMap::new();
    for (at, stmt) in statements.iter().enumerate() {
        let inputs = stmt.writes().into_iter().filter(|id| symbols[*id].role == Role::ChildInput);
        last_write.extend(inputs.filter(|id| !plain.contains(id)).map(|id| (id, at)));
    }
    let mut faults = BTreeSet::new();
    for (at, stmt) in statements.iter().enumerate() {
        stmt.reads(&mut |read| {
            if last_write.get(&read.signal).is_some_and(|last| at <= *last) {
                faults.insert(read.signal);
            }
        });
    }
    faults.into_iter().map(|id| Fault::at(&symbols[id].name, Reason::ChildInputRead)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::testing::Bench;

    fn bench() -> Bench {
        Bench::new(&["push", "pop", "fetch"])
    }

    /// Faults but those of the signals that these few statements leave out.
    fn faults(bench: &Bench, statements: &[Stmt]) -> Vec<Fault> {
        let all = check(statements, &bench.symbols);
        all.into_iter().filter(|fault| fault.reason != Reason::NeverDriven).collect()
    }

    #[test]
    fn a_branch_without_assignment_is_a_latch() {
        let b = bench();
        let branch = Stmt::If { test: b.whole("reset"), then: vec![b.set("count", Expr::zero(4))], otherwise: vec![] };
        assert_eq!(faults(&b, std::slice::from_ref(&branch)), [Fault::at("count", Reason::Latch)]);
        assert_eq!(faults(&b, &[b.set("count", Expr::zero(4)), branch]), []);
    }

    #[test]
    fn a_read_before_the_write_is_found_bit_by_bit() {
        let b = bench();
        let bit = |low| b.whole("count").slice(low, 1).expect("a bit");
        let halves = |read| {
            let (low, high) = (b.set("count", Expr::zero(2)), b.set_from("count", 2, Expr::zero(2)));
            [low, b.set("push", bit(read)), high]
        };
        assert_eq!(faults(&b, &halves(1)), []);
        assert_eq!(faults(&b, &halves(2)), [Fault::at("count", Reason::EarlyRead)]);
    }

    #[test]
    fn bits_that_nothing_writes_are_found() {
        let b = bench();
        let statements = [b.set("count", Expr::zero(3)), b.set("pop", Expr::zero(1))];
        assert_eq!(faults(&b, &statements), [Fault::at("count", Reason::BitsNeverDriven)]);
    }

    #[test]
    fn what_is_read_or_leaves_the_block_must_be_driven() {
        let b = bench();
        let all = check(&[b.set("count", Expr::zero(4)), b.set("push", b.whole("pop"))], &b.symbols);
        assert!(all.contains(&Fault::at("pop", Reason::NeverDriven)));
        assert!(all.contains(&Fault::at("out_valid", Reason::NeverDriven)));
        assert!(all.contains(&Fault::at("ram_we", Reason::NeverDriven)));
        assert!(!all.contains(&Fault::at("fetch", Reason::NeverDriven)));
    }
}
