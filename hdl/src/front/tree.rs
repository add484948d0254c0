// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of a kernel. What only running code knows (constants, widths, types) lies in tables beside it, and the tree has their indices.

pub use super::value::Constant;
pub use rust_hdl_core::type_descriptor::TypeDescriptor;

/// A kernel or a function, with its tables.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The file it is written in.
    pub file: &'static str,
    pub body: &'static [Stmt],
    pub constants: Vec<Constant>,
    pub widths: Vec<usize>,
    pub types: Vec<TypeDescriptor>,
    /// The functions it calls.
    pub calls: Vec<Kernel>,
    /// Of a function: its parameters, and what it gives.
    pub parameters: &'static [&'static str],
    pub result: Option<&'static Expr>,
    /// Fields with another clock than `clock`, and its name.
    pub clocks: &'static [(&'static str, &'static str)],
}

/// A statement, and its line.
#[derive(Debug)]
pub struct Stmt {
    pub line: usize,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// Name, index of the type if one is written, value.
    Let(&'static str, Option<usize>, Expr),
    Set(Path, Expr),
    /// One bit of the target: target, index, bit.
    SetBit(Path, Expr, Expr),
    If(Expr, &'static [Stmt], &'static [Stmt]),
    Match(Expr, &'static [Arm]),
    /// Name of the index, its first value, and the one that it does not reach.
    For(&'static str, Expr, Expr, &'static [Stmt]),
    Comment(&'static str),
    /// Two ends of a bundle.
    Link(Path, Path),
}

/// An arm of a `match`; no states are all others. Its value where the `match` is an expression.
#[derive(Debug)]
pub struct Arm {
    pub states: &'static [&'static str],
    pub body: &'static [Stmt],
    pub value: Option<Expr>,
}

/// Statements and the value behind them.
#[derive(Debug)]
pub struct Block {
    pub body: &'static [Stmt],
    pub value: Expr,
}

/// From `self`, or from a local variable if `own` is not set.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    pub own: bool,
    pub steps: &'static [Step],
}

#[derive(Debug)]
pub enum Step {
    Field(&'static str),
    Index(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Not,
    Negate,
    All,
    Any,
    Parity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    And,
    Or,
    Xor,
    LogicalAnd,
    LogicalOr,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    ShiftLeft,
    ShiftRight,
}

/// An expression. Numbers are indices into the tables of [`Kernel`].
#[derive(Debug)]
pub enum Expr {
    Number(u128),
    Bit(bool),
    /// A constant that Rust has computed.
    Constant(usize),
    Path(Path),
    /// A state of an enum, as `State$Idle`.
    State(&'static str),
    Unary(Unary, &'static Expr),
    Binary(&'static Expr, Binary, &'static Expr),
    GetBit(&'static Expr, &'static Expr),
    /// Value, width, offset.
    GetBits(&'static Expr, usize, &'static Expr),
    ReplaceBit(&'static Expr, &'static Expr, &'static Expr),
    /// Cut at the top, or zeros put before.
    Cast(&'static Expr, usize),
    /// The bits of a struct, as many as the width with this index.
    Pack(&'static Expr, usize),
    /// Bits as a struct, of the type with this index.
    Unpack(&'static Expr, usize),
    /// Most significant first; all together as wide as the width with this index.
    Concat(&'static [Expr], usize),
    If(&'static Expr, &'static Block, &'static Block),
    Match(&'static Expr, &'static [Arm]),
    /// A struct: what it is like, and fields.
    Struct(Option<&'static Expr>, &'static [(&'static str, Expr)]),
    Call(usize, &'static [Expr]),
}
