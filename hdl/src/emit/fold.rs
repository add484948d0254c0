// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one assignment of those that a loop leaves: `x = a; x = x | b; x = x | c;` is `x = a | b | c;`.

use super::expr::{Binary, Expr, Kind, SignalId};
use super::stmt::{Arm, Stmt};
use super::symbols::{Role, Symbols};
use std::collections::BTreeSet;

/// The statements with such assignments to local variables put together, also inside branches.
pub(super) fn folded(statements: Vec<Stmt>, symbols: &Symbols) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = vec![];
    for stmt in statements {
        let stmt = match stmt {
            Stmt::If { test, then, otherwise } => {
                Stmt::If { test, then: folded(then, symbols), otherwise: folded(otherwise, symbols) }
            }
            Stmt::Case { value, arms } => {
                let arms = arms.into_iter().map(|arm| Arm { body: folded(arm.body, symbols), ..arm }).collect();
                Stmt::Case { value, arms }
            }
            other => other,
        };
        match continued(&stmt, &out, symbols) {
            Some((at, joined)) => {
                out.remove(at);
                out.push(joined);
            }
            None => out.push(stmt),
        }
    }
    out
}

/// A statement that changes a variable, as one that needs no value of it: with that of the statement `at`, which is then superfluous.
fn continued(stmt: &Stmt, before: &[Stmt], symbols: &Symbols) -> Option<(usize, Stmt)> {
    let Stmt::Set { target, low: 0, value } = stmt else { return None };
    let whole = |e: &Expr| e.width == symbols[*target].width;
    let mut times = 0;
    value.reads(&mut |read| times += usize::from(read.signal == *target));
    if times != 1 || symbols[*target].role != Role::Local || !whole(value) {
        return None;
    }
    let (at, earlier) = assigned(before, *target).filter(|(_, earlier)| whole(earlier))?;
    Some((at, Stmt::Set { target: *target, low: 0, value: substituted(value, *target, earlier)? }))
}

/// The last assignment of `target`, if nothing has looked at it since, and its value is still the same.
fn assigned(statements: &[Stmt], target: SignalId) -> Option<(usize, &Expr)> {
    let mut written = BTreeSet::new();
    for (at, stmt) in statements.iter().enumerate().rev() {
        if let Stmt::Set { target: same, low: 0, value } = stmt
            && *same == target
        {
            let mut changed = false;
            value.reads(&mut |read| changed |= read.signal == target || written.contains(&read.signal));
            return (!changed).then_some((at, value));
        }
        let writes = stmt.writes();
        let mut seen = writes.contains(&target);
        stmt.reads(&mut |read| seen |= read.signal == target);
        if seen {
            return None;
        }
        written.extend(writes);
    }
    None
}

/// The expression with `value` in the place of `target`, if there is a form for that.
fn substituted(e: &Expr, target: SignalId, value: &Expr) -> Option<Expr> {
    let inner = |e: &Expr| substituted(e, target, value);
    Some(match &e.kind {
        Kind::Part { signal, low, .. } if *signal == target => value.slice(*low, e.width)?,
        Kind::Constant(_) | Kind::Part { .. } => e.clone(),
        Kind::Unary(op, a) => Expr::unary(*op, inner(a)?),
        Kind::Binary(a, op, b) => joined(inner(a)?, *op, inner(b)?, e.width),
        Kind::Concat(parts) => Expr::concat(parts.iter().map(inner).collect::<Option<Vec<_>>>()?),
        Kind::Dynamic { .. } => {
            let mut reads = false;
            e.reads(&mut |read| reads |= read.signal == target);
            return (!reads).then(|| e.clone());
        }
    })
}

/// `a op b`, without a zero that makes no difference.
fn joined(a: Expr, op: Binary, b: Expr, width: usize) -> Expr {
    let neutral = matches!(op, Binary::Or | Binary::Xor | Binary::Add) && b.width == width && a == Expr::zero(width);
    if neutral { b } else { Expr::binary(a, op, b, width) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::{Bits, TypeDescriptor, TypeKind};

    struct Bench {
        symbols: Symbols,
        x: SignalId,
        a: Expr,
        b: Expr,
    }

    fn bench() -> Bench {
        let mut symbols = Symbols::of(&collect(&Fifo::<Bits<8>, 3, 4>::default(), "top"));
        let x = symbols.add_wire("x", TypeDescriptor { name: "Bits<4>".into(), kind: TypeKind::Bits(4) });
        let whole = |path: &str| symbols.whole(symbols.find(path).expect("a signal"));
        let (a, b) = (whole("stored$q"), whole("used$q"));
        Bench { x, a, b, symbols }
    }

    impl Bench {
        fn set(&self, value: Expr) -> Stmt {
            Stmt::Set { target: self.x, low: 0, value }
        }

        fn or(&self, more: &Expr) -> Stmt {
            self.set(Expr::binary(self.symbols.whole(self.x), Binary::Or, more.clone(), 4))
        }
    }

    #[test]
    fn a_chain_becomes_one_assignment() {
        let t = bench();
        let joined = t.set(Expr::binary(t.a.clone(), Binary::Or, t.b.clone(), 4));
        assert_eq!(folded(vec![t.set(Expr::zero(4)), t.or(&t.a), t.or(&t.b)], &t.symbols), [joined]);
    }

    #[test]
    fn a_value_that_is_looked_at_in_between_stays() {
        let t = bench();
        let read = Stmt::Set { target: t.symbols.find("count").expect("a port"), low: 0, value: t.symbols.whole(t.x) };
        let all = vec![t.set(t.a.clone()), read, t.or(&t.b)];
        assert_eq!(folded(all.clone(), &t.symbols), all);
    }

    #[test]
    fn words_that_are_shifted_in_stand_side_by_side() {
        let t = bench();
        let low = |e: &Expr| e.slice(0, 2).expect("bits");
        let x = t.symbols.whole(t.x).slice(2, 2).expect("bits");
        let all = vec![t.set(Expr::concat([low(&t.a), Expr::zero(2)])), t.set(Expr::concat([low(&t.b), x]))];
        assert_eq!(folded(all, &t.symbols), [t.set(Expr::concat([low(&t.b), low(&t.a)]))]);
    }
}
