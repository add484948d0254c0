// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaves out what is assigned to local variables that nothing reads: a kernel for builds of all sizes names more than each needs.

use super::expr::SignalId;
use super::stmt::{Arm, Stmt};
use super::symbols::{Role, Symbols};
use std::collections::BTreeSet;

/// The statements without those that make no difference.
pub(super) fn without_dead(mut statements: Vec<Stmt>, symbols: &Symbols) -> Vec<Stmt> {
    loop {
        let mut read = BTreeSet::new();
        statements.iter().for_each(|stmt| stmt.reads(&mut |r| _ = read.insert(r.signal)));
        let dead = |id: SignalId| matches!(symbols[id].role, Role::Local | Role::Helper) && !read.contains(&id);
        let found = statements.iter().flat_map(Stmt::writes).any(dead);
        if !found {
            return statements;
        }
        statements = alive(statements, &dead);
    }
}

/// Nothing but remarks.
fn empty(statements: &[Stmt]) -> bool {
    statements.iter().all(|stmt| matches!(stmt, Stmt::Comment(_)))
}

fn alive(statements: Vec<Stmt>, dead: &dyn Fn(SignalId) -> bool) -> Vec<Stmt> {
    let rest = |stmt: Stmt| match stmt {
        Stmt::Set { target, .. } | Stmt::SetBit { target, .. } if dead(target) => None,
        Stmt::If { test, then, otherwise } => {
            let (then, otherwise) = (alive(then, dead), alive(otherwise, dead));
            (!empty(&then) || !empty(&otherwise)).then_some(Stmt::If { test, then, otherwise })
        }
        Stmt::Case { value, arms } => {
            let arms: Vec<Arm> = arms.into_iter().map(|arm| Arm { body: alive(arm.body, dead), ..arm }).collect();
            (!arms.iter().all(|arm| empty(&arm.body))).then_some(Stmt::Case { value, arms })
        }
        other => Some(other),
    };
    statements.into_iter().filter_map(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::expr::Expr;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::{Bits, TypeDescriptor, TypeKind};

    #[test]
    fn what_only_dead_variables_read_is_dead_too() {
        let mut symbols = Symbols::of(&collect(&Fifo::<Bits<8>, 3, 4>::default(), "top"));
        let bit = TypeDescriptor { name: "Bit".into(), kind: TypeKind::Bits(1) };
        let (first, second) = (symbols.add_wire("first", bit.clone()), symbols.add_wire("second", bit));
        let (reset, empty) = (symbols.find("reset").expect("a port"), symbols.find("empty").expect("a port"));
        let set = |target, from| Stmt::Set { target, low: 0, value: Expr::whole(from, 1) };
        let branch = Stmt::If { test: Expr::whole(reset, 1), then: vec![set(second, first)], otherwise: vec![] };
        let kept = set(empty, reset);
        assert_eq!(without_dead(vec![set(first, reset), branch, kept.clone()], &symbols), [kept]);
    }
}
