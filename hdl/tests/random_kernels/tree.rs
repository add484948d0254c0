// SPDX-License-Identifier: MIT OR Apache-2.0
//! Expressions and statements of random kernels: as the attribute `block` would put them into a tree of constants, and as values.

use super::value::{Operator, Reduction, Value};
use millrace_hdl::front::tree::{Binary, Block, Expr, Path, Step, Stmt, Unary, What};
use std::collections::HashMap;

/// The values of all signals by name.
pub type Signals = HashMap<String, Value>;

/// The signal that computed indices and amounts of shifts come from: 3 bits.
pub const INDEX: &str = "n";

/// Name and offset of fields of the struct `s`.
const FIELDS: [(&str, usize); 3] = [("f", 0), ("g", 8), ("h", 24)];

#[derive(Clone, Debug)]
pub enum Tree {
    Read(String),
    /// A field of the struct: offset, width.
    Field(usize, usize),
    Number(u64, usize),
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
    /// A value that branches.
    If(Box<Tree>, Box<Tree>, Box<Tree>),
}

/// A number, or [`INDEX`].
#[derive(Clone, Copy, Debug)]
pub enum Index {
    Number(usize),
    Signal,
}

/// The trees of kernels are constants.
fn constant<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// The path to a signal from `self`: `t8[3]`, or a field of one.
fn path(signal: &str, field: Option<&'static str>) -> Path {
    let (name, index) = signal.split_once('[').map_or((signal, None), |(name, index)| (name, Some(index)));
    let mut steps = vec![Step::Field(name.to_owned().leak())];
    steps.extend(index.map(|index| Step::Index(number(index.trim_end_matches(']').parse().expect("an index")))));
    steps.extend(field.map(Step::Field));
    Path { own: true, steps: steps.leak() }
}

fn number(value: usize) -> Expr {
    Expr::Number(value as u128)
}

impl Index {
    fn front(self) -> Expr {
        match self {
            Index::Number(value) => number(value),
            Index::Signal => Expr::Path(path(INDEX, None)),
        }
    }

    fn value(self, index: usize) -> usize {
        match self {
            Index::Number(value) => value,
            Index::Signal => index,
        }
    }
}

impl Tree {
    /// As a kernel has it. Indices into the table of widths are the widths themselves.
    pub fn front(&self) -> Expr {
        let inner = |tree: &Tree| constant(tree.front());
        match self {
            Tree::Read(name) => Expr::Path(path(name, None)),
            Tree::Field(offset, _) => {
                let (name, _) = FIELDS.iter().find(|(_, at)| at == offset).expect("a field begins there");
                Expr::Path(path("s", Some(name)))
            }
            Tree::Number(value, 1) => Expr::Bit(*value == 1),
            Tree::Number(value, _) => Expr::Number((*value).into()),
            Tree::Not(a) => Expr::Unary(Unary::Not, inner(a)),
            Tree::Binary(a, op, b) => Expr::Binary(inner(a), operator(*op), inner(b)),
            Tree::Logical(a, and, b) => {
                Expr::Binary(inner(a), if *and { Binary::LogicalAnd } else { Binary::LogicalOr }, inner(b))
            }
            Tree::Shift(a, left, by) => {
                Expr::Binary(inner(a), if *left { Binary::ShiftLeft } else { Binary::ShiftRight }, constant(by.front()))
            }
            Tree::Cast(a, width) => Expr::Cast(inner(a), *width),
            Tree::Slice(a, low, width) => Expr::GetBits(inner(a), *width, constant(low.front())),
            Tree::Bit(a, index) => Expr::GetBit(inner(a), constant(index.front())),
            Tree::Replace(a, index, bit) => Expr::ReplaceBit(inner(a), constant(index.front()), inner(bit)),
            Tree::Reduce(Reduction::Any, a) => Expr::Unary(Unary::Any, inner(a)),
            Tree::Reduce(Reduction::All, a) => Expr::Unary(Unary::All, inner(a)),
            Tree::Reduce(Reduction::Xor, a) => Expr::Unary(Unary::Parity, inner(a)),
            Tree::If(test, a, b) => {
                let block = |tree: &Tree| constant(Block { body: &[], value: tree.front() });
                Expr::If(inner(test), block(a), block(b))
            }
        }
    }

    /// `index` is the value of [`INDEX`].
    pub fn value(&self, signals: &Signals, index: usize) -> Value {
        let of = |tree: &Tree| tree.value(signals, index);
        match self {
            Tree::Read(name) => signals[name],
            Tree::Field(offset, width) => signals["s"].slice(*offset, *width),
            Tree::Number(value, width) => Value::new(*value, *width),
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
            Tree::If(test, a, b) => of(if of(test).is_set() { a } else { b }),
        }
    }
}

fn operator(op: Operator) -> Binary {
    match op {
        Operator::Add => Binary::Add,
        Operator::Sub => Binary::Sub,
        Operator::And => Binary::And,
        Operator::Or => Binary::Or,
        Operator::Xor => Binary::Xor,
        Operator::Eq => Binary::Equal,
        Operator::Ne => Binary::NotEqual,
        Operator::Lt => Binary::Less,
        Operator::Le => Binary::LessEqual,
        Operator::Gt => Binary::Greater,
        Operator::Ge => Binary::GreaterEqual,
    }
}

#[derive(Clone, Debug)]
pub enum Line {
    Set(String, Tree),
    /// One bit of the target.
    SetBit(String, Index, Tree),
    If(Tree, Vec<Line>, Vec<Line>),
}

impl Line {
    /// As a kernel has them.
    pub fn block(lines: &[Line]) -> &'static [Stmt] {
        let all = lines.iter().enumerate().map(|(at, line)| Stmt { line: at + 1, what: line.front() });
        all.collect::<Vec<_>>().leak()
    }

    fn front(&self) -> What {
        match self {
            Line::Set(target, value) => What::Set(path(target, None), value.front()),
            Line::SetBit(target, index, bit) => What::SetBit(path(target, None), index.front(), bit.front()),
            Line::If(test, then, otherwise) => What::If(test.front(), Line::block(then), Line::block(otherwise)),
        }
    }

    /// Runs the line as Rust would: in order, a `Local` having its new value at once.
    pub fn run(&self, signals: &mut Signals, index: usize) {
        match self {
            Line::Set(target, value) => {
                let value = value.value(signals, index);
                signals.insert(target.clone(), value);
            }
            Line::SetBit(target, at, bit) => {
                let bit = bit.value(signals, index).is_set();
                let value = signals[target].replace(at.value(index), bit);
                signals.insert(target.clone(), value);
            }
            Line::If(test, then, otherwise) => {
                let branch = if test.value(signals, index).is_set() { then } else { otherwise };
                branch.iter().for_each(|line| line.run(signals, index));
            }
        }
    }
}
