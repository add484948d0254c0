// SPDX-License-Identifier: MIT OR Apache-2.0
//! Enables of registers: a register is loaded where the kernel assigns it, and keeps its value elsewhere.
//!
//! What stands in `if load { self.r = x; }` becomes the enable `load` and the data `x`, without a branch: what the data is while the register keeps
//! its value does not matter.

use super::super::expr::{Binary, Expr, SignalId, Unary};
use super::super::stmt::{Arm, Stmt};
use super::super::symbols::Symbols;
use std::collections::BTreeSet;

/// Gives the register with data input `load` its enable. One without is assigned on every path, as a wire is.
pub(super) fn resolve(statements: &mut Vec<Stmt>, symbols: &Symbols, load: SignalId, enable: Option<SignalId>) {
    let Some(enable) = enable else { return };
    *statements = flattened(statements, symbols, load, enable).unwrap_or_else(|| {
        let mut all = vec![Stmt::Set { target: enable, low: 0, value: Expr::zero(1) }, kept(symbols, load)];
        all.append(statements);
        all
    });
}

/// The register keeps its value.
fn kept(symbols: &Symbols, load: SignalId) -> Stmt {
    Stmt::Set { target: load, low: 0, value: symbols.whole(symbols.output_beside(load)) }
}

/// The enable as one condition, the data without it; nothing if later statements change what they depend on, or in a `match`.
fn flattened(statements: &[Stmt], symbols: &Symbols, load: SignalId, enable: SignalId) -> Option<Vec<Stmt>> {
    let (mut all, mut condition, mut data) = (vec![], Expr::zero(1), vec![]);
    let last = statements.iter().rposition(|stmt| stmt.writes_to(enable))?;
    for (at, stmt) in statements.iter().enumerate() {
        let enables = stmt.writes_to(enable);
        if !enables {
            all.push(stmt.clone());
            if at < last || !stmt.writes_to(load) {
                continue;
            }
        }
        let (mine, rest) = (only(stmt, &|id| id == enable), only(stmt, &|id| id != enable && id != load));
        let changed: BTreeSet<SignalId> = rest.iter().chain(&statements[at + 1..]).flat_map(Stmt::writes).collect();
        for stmt in mine {
            if depends(&stmt, &changed) {
                return None;
            }
            condition = or(condition, holds(&stmt)?);
        }
        let mut now = only(stmt, &|id| id == load);
        let moved: BTreeSet<SignalId> = rest.iter().flat_map(Stmt::writes).collect();
        if now.iter().any(|stmt| depends(stmt, &moved)) {
            return None;
        }
        if data.is_empty() {
            now = freed(now)?;
        }
        if enables {
            all.extend(rest);
        }
        data.extend(now.iter().cloned());
        all.extend(now);
        if at == last {
            all.push(Stmt::Set { target: enable, low: 0, value: condition.clone() });
        }
    }
    let covered = covered(&data, load, symbols[load].width);
    if covered.contains(&false) {
        all.insert(0, kept(symbols, load));
    }
    Some(all)
}

fn depends(stmt: &Stmt, on: &BTreeSet<SignalId>) -> bool {
    let mut found = false;
    stmt.reads(&mut |read| found |= on.contains(&read.signal));
    found
}

/// What of a statement writes the signals meant.
fn only(stmt: &Stmt, meant: &dyn Fn(SignalId) -> bool) -> Vec<Stmt> {
    let each = |body: &[Stmt]| -> Vec<Stmt> { body.iter().flat_map(|stmt| only(stmt, meant)).collect() };
    let made = match stmt {
        Stmt::Set { target, .. } | Stmt::SetBit { target, .. } => meant(*target).then(|| stmt.clone()),
        Stmt::If { test, then, otherwise } => {
            let (then, otherwise) = (each(then), each(otherwise));
            let some = !then.is_empty() || !otherwise.is_empty();
            some.then(|| Stmt::If { test: test.clone(), then, otherwise })
        }
        Stmt::Case { value, arms } => {
            let arms: Vec<Arm> = arms.iter().map(|arm| Arm { body: each(&arm.body), ..arm.clone() }).collect();
            let some = arms.iter().any(|arm| !arm.body.is_empty());
            some.then(|| Stmt::Case { value: value.clone(), arms })
        }
        Stmt::Comment(_) => None,
    };
    made.into_iter().collect()
}

/// When a statement, which sets the enable on some paths, sets it; nothing if the kernel assigns the enable itself.
fn holds(stmt: &Stmt) -> Option<Expr> {
    match stmt {
        Stmt::If { test, then, otherwise } => {
            let any = |body: &[Stmt]| body.iter().try_fold(Expr::zero(1), |all, stmt| Some(or(all, holds(stmt)?)));
            let (then, otherwise) = (any(then)?, any(otherwise)?);
            if then == otherwise {
                return Some(then);
            }
            Some(or(and(test.clone(), then), and(Expr::unary(Unary::Not, test.clone()), otherwise)))
        }
        Stmt::Set { value, .. } if *value == one() => Some(one()),
        _ => None,
    }
}

fn one() -> Expr {
    Expr::constant(1u8.into(), 1)
}

fn or(a: Expr, b: Expr) -> Expr {
    if a == Expr::zero(1) || b == one() {
        b
    } else if b == Expr::zero(1) || a == one() || a == b {
        a
    } else {
        Expr::binary(a, Binary::Or, b, 1)
    }
}

fn and(a: Expr, b: Expr) -> Expr {
    if a == Expr::zero(1) || b == one() {
        a
    } else if b == Expr::zero(1) || a == one() {
        b
    } else {
        Expr::binary(a, Binary::And, b, 1)
    }
}

/// Data without the branch that it is first assigned in: it does not matter elsewhere.
fn freed(mut data: Vec<Stmt>) -> Option<Vec<Stmt>> {
    if data.is_empty() {
        return Some(data);
    }
    let rest = data.split_off(1);
    let mut first = match data.remove(0) {
        Stmt::If { then, otherwise, .. } if otherwise.is_empty() => freed(then)?,
        Stmt::If { then, otherwise, .. } if then.is_empty() => freed(otherwise)?,
        Stmt::If { test, then, otherwise } => {
            vec![Stmt::If { test, then: freed(then)?, otherwise: freed(otherwise)? }]
        }
        Stmt::Case { .. } => return None,
        stmt => vec![stmt],
    };
    first.extend(rest);
    Some(first)
}

/// Which bits the statements write on every path.
fn covered(statements: &[Stmt], load: SignalId, width: usize) -> Vec<bool> {
    let mut bits = vec![false; width];
    for stmt in statements {
        match stmt {
            Stmt::Set { target, low, value } if *target == load => bits[*low..low + value.width].fill(true),
            Stmt::If { then, otherwise, .. } => {
                let (a, b) = (covered(then, load, width), covered(otherwise, load, width));
                bits.iter_mut().zip(a.iter().zip(b)).for_each(|(bit, (a, b))| *bit |= *a && b);
            }
            _ => {}
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::Bits;

    /// The statements of a kernel that loads `head` as given, resolved; signals by the names of a FIFO's.
    fn resolved(make: impl Fn(&dyn Fn(&str) -> SignalId) -> Vec<Stmt>) -> (Vec<Stmt>, Symbols) {
        let symbols = Symbols::of(&collect(&Fifo::<Bits<8>, 3, 4>::default(), "top"));
        let id = |path: &str| symbols.find(path).expect("a signal");
        let mut statements = make(&id);
        resolve(&mut statements, &symbols, id("head$d"), Some(id("head$en")));
        (statements, symbols)
    }

    fn load(id: &dyn Fn(&str) -> SignalId, value: Expr) -> Vec<Stmt> {
        vec![
            Stmt::Set { target: id("head$d"), low: 0, value },
            Stmt::Set { target: id("head$en"), low: 0, value: one() },
        ]
    }

    #[test]
    fn a_branch_becomes_the_enable() {
        let (statements, symbols) = resolved(|id| {
            let test = Expr::whole(id("inp$ready"), 1);
            vec![Stmt::If { test, then: load(id, Expr::whole(id("tail$q"), 3)), otherwise: vec![] }]
        });
        let id = |path: &str| symbols.find(path).expect("a signal");
        assert_eq!(
            statements,
            [
                Stmt::Set { target: id("head$d"), low: 0, value: Expr::whole(id("tail$q"), 3) },
                Stmt::Set { target: id("head$en"), low: 0, value: Expr::whole(id("inp$ready"), 1) },
            ]
        );
    }

    #[test]
    fn what_changes_behind_the_branch_keeps_it() {
        let (statements, symbols) = resolved(|id| {
            let test = Expr::whole(id("inp$ready"), 1);
            let branch = Stmt::If { test, then: load(id, Expr::zero(3)), otherwise: vec![] };
            vec![branch, Stmt::Set { target: id("inp$ready"), low: 0, value: one() }]
        });
        let id = |path: &str| symbols.find(path).expect("a signal");
        assert_eq!(statements[0], Stmt::Set { target: id("head$en"), low: 0, value: Expr::zero(1) });
        assert_eq!(statements[1], Stmt::Set { target: id("head$d"), low: 0, value: symbols.whole(id("head$q")) });
        assert!(matches!(statements[2], Stmt::If { .. }));
    }

    #[test]
    fn an_enable_that_the_kernel_assigns_is_what_it_assigns() {
        let (statements, symbols) = resolved(|id| {
            let mut statements = load(id, Expr::zero(3));
            statements.push(Stmt::Set { target: id("head$en"), low: 0, value: Expr::whole(id("inp$ready"), 1) });
            statements
        });
        let id = |path: &str| symbols.find(path).expect("a signal");
        let last = statements.iter().rfind(|stmt| stmt.writes_to(id("head$en"))).expect("an enable");
        assert_eq!(*last, Stmt::Set { target: id("head$en"), low: 0, value: Expr::whole(id("inp$ready"), 1) });
    }

    #[test]
    fn a_part_that_is_not_loaded_keeps_its_value() {
        let (statements, symbols) = resolved(|id| load(id, Expr::zero(2)));
        let id = |path: &str| symbols.find(path).expect("a signal");
        assert_eq!(statements[0], Stmt::Set { target: id("head$d"), low: 0, value: symbols.whole(id("head$q")) });
    }
}
