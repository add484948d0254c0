// SPDX-License-Identifier: MIT OR Apache-2.0
//! Expressions and statements of random kernels: as the attribute `kernel` would put them into rust-hdl's AST, and as values.

use super::value::{Operator, Reduction, Value};
use rust_hdl_core::ast::*;
use std::collections::HashMap;

/// The values of all signals by name.
pub type Signals = HashMap<String, Value>;

/// The signal that computed indices and amounts of shifts come from: 3 bits.
pub const INDEX: &str = "n";

#[derive(Clone, Debug)]
pub enum Tree {
    Read(String),
    /// A field of the struct: offset, width.
    Field(usize, usize),
    Number(u64, usize),
    Paren(Box<Tree>),
    Not(Box<Tree>),
    Binary(Box<Tree>, Operator, Box<Tree>),
    /// `&&` or `||`.
    Logical(Box<Tree>, bool, Box<Tree>),
    Shift(Box<Tree>, bool, Index),
    Cast(Box<Tree>, usize),
    Slice(Box<Tree>, Index, usize),
    Bit(Box<Tree>, Index),
    Replace(Box<Tree>, Index, Box<Tree>),
    Reduce(Reduction, Box<Tree>),
}

/// A number, or [`INDEX`].
#[derive(Clone, Copy, Debug)]
pub enum Index {
    Number(usize),
    Signal,
}

impl Index {
    fn ast(self) -> Box<VerilogExpression> {
        Box::new(match self {
            Index::Number(value) => VerilogExpression::Literal((value as i32).into()),
            Index::Signal => VerilogExpression::Signal(INDEX.into()),
        })
    }

    fn value(self, index: usize) -> usize {
        match self {
            Index::Number(value) => value,
            Index::Signal => index,
        }
    }
}

impl Tree {
    pub fn ast(&self) -> VerilogExpression {
        use VerilogExpression as V;
        let inner = |tree: &Tree| Box::new(tree.ast());
        match self {
            Tree::Read(name) => V::Signal(name.clone()),
            Tree::Field(offset, width) => {
                V::Slice(Box::new(V::Signal("s".into())), *width, Box::new(V::Literal((*offset).into())))
            }
            Tree::Number(value, 1) => V::Literal((*value == 1).into()),
            Tree::Number(value, _) => V::Literal((*value as i32).into()),
            Tree::Paren(a) => V::Paren(inner(a)),
            Tree::Not(a) => V::Unary(VerilogOpUnary::Not, inner(a)),
            Tree::Binary(a, op, b) => V::Binary(inner(a), operator(*op), inner(b)),
            Tree::Logical(a, and, b) => {
                V::Binary(inner(a), if *and { VerilogOp::LogicalAnd } else { VerilogOp::LogicalOr }, inner(b))
            }
            Tree::Shift(a, left, by) => {
                V::Binary(inner(a), if *left { VerilogOp::Shl } else { VerilogOp::Shr }, by.ast())
            }
            Tree::Cast(a, width) => V::Cast(inner(a), *width),
            Tree::Slice(a, low, width) => V::Slice(inner(a), *width, low.ast()),
            Tree::Bit(a, index) => V::Index(inner(a), index.ast()),
            Tree::Replace(a, index, bit) => V::IndexReplace(inner(a), index.ast(), inner(bit)),
            Tree::Reduce(Reduction::Any, a) => V::Unary(VerilogOpUnary::Any, inner(a)),
            Tree::Reduce(Reduction::All, a) => V::Unary(VerilogOpUnary::All, inner(a)),
            Tree::Reduce(Reduction::Xor, a) => V::Unary(VerilogOpUnary::Xor, inner(a)),
        }
    }

    /// `index` is the value of [`INDEX`].
    pub fn value(&self, signals: &Signals, index: usize) -> Value {
        let of = |tree: &Tree| tree.value(signals, index);
        match self {
            Tree::Read(name) => signals[name],
            Tree::Field(offset, width) => signals["s"].slice(*offset, *width),
            Tree::Number(value, width) => Value::new(*value, *width),
            Tree::Paren(a) => of(a),
            Tree::Not(a) => of(a).not(),
            Tree::Binary(a, op, b) => of(a).apply(*op, of(b)),
            Tree::Logical(a, true, b) => of(a).apply(Operator::And, of(b)),
            Tree::Logical(a, false, b) => of(a).apply(Operator::Or, of(b)),
            Tree::Shift(a, left, by) => of(a).shift(*left, by.value(index) as u64),
            Tree::Cast(a, width) => of(a).cast(*width),
            Tree::Slice(a, low, width) => of(a).slice(low.value(index), *width),
            Tree::Bit(a, at) => of(a).bit(at.value(index)),
            Tree::Replace(a, at, bit) => of(a).replace(at.value(index), of(bit).is_set()),
            Tree::Reduce(reduction, a) => of(a).reduce(*reduction),
        }
    }
}

fn operator(op: Operator) -> VerilogOp {
    match op {
        Operator::Add => VerilogOp::Add,
        Operator::Sub => VerilogOp::Sub,
        Operator::And => VerilogOp::BitAnd,
        Operator::Or => VerilogOp::BitOr,
        Operator::Xor => VerilogOp::BitXor,
        Operator::Eq => VerilogOp::Eq,
        Operator::Ne => VerilogOp::Ne,
        Operator::Lt => VerilogOp::Lt,
        Operator::Le => VerilogOp::Le,
        Operator::Gt => VerilogOp::Gt,
        Operator::Ge => VerilogOp::Ge,
    }
}

#[derive(Clone, Debug)]
pub enum Line {
    Set(String, Tree),
    If(Tree, Vec<Line>, Vec<Line>),
}

impl Line {
    pub fn ast(&self) -> VerilogStatement {
        let block = |lines: &[Line]| -> Vec<VerilogStatement> { lines.iter().map(Line::ast).collect() };
        match self {
            Line::Set(target, value) => {
                VerilogStatement::Assignment(VerilogExpression::Signal(format!("{target}$next")), value.ast())
            }
            Line::If(test, then, otherwise) => VerilogStatement::If(VerilogConditional {
                test: test.ast(),
                then: block(then),
                otherwise: match &otherwise[..] {
                    [] => VerilogBlockOrConditional::None,
                    [only @ Line::If(..)] => VerilogBlockOrConditional::Conditional(Box::new(only.ast())),
                    lines => VerilogBlockOrConditional::Block(block(lines)),
                },
            }),
        }
    }

    /// Runs the line as Rust would: in order, a `Local` having its new value at once.
    pub fn run(&self, signals: &mut Signals, index: usize) {
        match self {
            Line::Set(target, value) => {
                let value = value.value(signals, index);
                signals.insert(target.clone(), value);
            }
            Line::If(test, then, otherwise) => {
                let branch = if test.value(signals, index).is_set() { then } else { otherwise };
                branch.iter().for_each(|line| line.run(signals, index));
            }
        }
    }
}
