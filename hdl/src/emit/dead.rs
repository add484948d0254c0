// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaves out what is assigned to local variables that nothing reads: a kernel for builds of all sizes names more than each needs.

use super::expr::SignalId;
use super::stmt::{Arm, Stmt};
use super::symbols::{Role, Symbols};

/// The statements without those that make no difference.
pub(super) fn without_dead(mut statements: Vec<Stmt>, symbols: &Symbols) -> Vec<Stmt> {
    loop {
        let read = Stmt::all_read(&statements);
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
    use crate::emit::testing::Bench;

    #[test]
    fn what_only_dead_variables_read_is_dead_too() {
        let b = Bench::new(&["first", "second"]);
        let branch =
            Stmt::If { test: b.whole("reset"), then: vec![b.set("second", b.whole("first"))], otherwise: vec![] };
        let kept = b.set("empty", b.whole("reset"));
        let statements = vec![b.set("first", b.whole("reset")), branch, kept.clone()];
        assert_eq!(without_dead(statements, &b.symbols), [kept]);
    }
}
