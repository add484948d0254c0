// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sized statements.

use super::expr::{Expr, Read, SignalId};
use std::collections::BTreeSet;

/// A statement over the symbol table, in the order of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stmt {
    /// `target[low +: value.width] = value`
    Set {
        target: SignalId,
        low: usize,
        value: Expr,
    },
    /// `target[index] = value`
    SetBit {
        target: SignalId,
        index: Expr,
        value: Expr,
    },
    If {
        test: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    Case {
        value: Expr,
        arms: Vec<Arm>,
    },
    Comment(String),
}

/// A branch of a `case`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arm {
    /// The enum state, a constant of the symbol table.
    pub state: Option<SignalId>,
    /// Taken for all values that no other arm names.
    pub is_default: bool,
    pub body: Vec<Stmt>,
}

impl Stmt {
    /// All signals that the statement may write.
    pub fn writes(&self) -> BTreeSet<SignalId> {
        let mut all = BTreeSet::new();
        self.walk(&mut |stmt| {
            if let Stmt::Set { target, .. } | Stmt::SetBit { target, .. } = stmt {
                all.insert(*target);
            }
        });
        all
    }

    /// Whether the statement may write this signal.
    pub fn writes_to(&self, signal: SignalId) -> bool {
        let mut found = false;
        self.walk(&mut |stmt| {
            if let Stmt::Set { target, .. } | Stmt::SetBit { target, .. } = stmt {
                found |= *target == signal;
            }
        });
        found
    }

    /// All that the statement may read.
    pub fn reads(&self, found: &mut dyn FnMut(Read)) {
        self.walk(&mut |stmt| stmt.expressions().for_each(|e| e.reads(found)));
    }

    /// All signals that some of the statements may read.
    pub fn all_read<'a>(statements: impl IntoIterator<Item = &'a Stmt>) -> BTreeSet<SignalId> {
        let mut all = BTreeSet::new();
        statements.into_iter().for_each(|stmt| stmt.reads(&mut |read| _ = all.insert(read.signal)));
        all
    }

    /// The enum states that name arms of its `case`s.
    pub fn states(&self) -> BTreeSet<SignalId> {
        let mut all = BTreeSet::new();
        self.walk(&mut |stmt| {
            if let Stmt::Case { arms, .. } = stmt {
                all.extend(arms.iter().filter(|arm| !arm.is_default).filter_map(|arm| arm.state));
            }
        });
        all
    }

    /// The expressions of the statement itself, not of those inside it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let (a, b) = match self {
            Stmt::Set { value, .. } | Stmt::Case { value, .. } => (Some(value), None),
            Stmt::SetBit { index, value, .. } => (Some(index), Some(value)),
            Stmt::If { test, .. } => (Some(test), None),
            Stmt::Comment(_) => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Visits the statement, then all inside it.
    fn walk(&self, visit: &mut dyn FnMut(&Stmt)) {
        visit(self);
        match self {
            Stmt::If { then, otherwise, .. } => then.iter().chain(otherwise).for_each(|s| s.walk(visit)),
            Stmt::Case { arms, .. } => arms.iter().flat_map(|arm| &arm.body).for_each(|s| s.walk(visit)),
            Stmt::Set { .. } | Stmt::SetBit { .. } | Stmt::Comment(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_of_inner_statements_count() {
        let set = |target| Stmt::Set { target, low: 0, value: Expr::whole(7, 8) };
        let stmt = Stmt::If { test: Expr::whole(3, 1), then: vec![set(1)], otherwise: vec![set(2)] };
        assert_eq!(stmt.writes(), BTreeSet::from([1, 2]));
        assert!(stmt.writes_to(2) && !stmt.writes_to(3));
        assert_eq!(Stmt::all_read([&stmt]), BTreeSet::from([3, 7]));
        assert_eq!(Stmt::all_read([&set(1), &Stmt::Comment("why".into())]), BTreeSet::from([7]));
    }
}
