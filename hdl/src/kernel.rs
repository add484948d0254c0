// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels as the attribute [`kernel`](millrace_hdl_macros::kernel) leaves them: a tree of constants, and tables of what only running code knows. Made
//! into rust-hdl's tree here, which the emitter reads.

use rust_hdl_core::ast::{
    Verilog, VerilogBlock, VerilogBlockOrConditional, VerilogCase, VerilogConditional, VerilogExpression, VerilogLink,
    VerilogLiteral, VerilogLoop, VerilogMatch, VerilogStatement,
};
pub use rust_hdl_core::ast::{VerilogOp, VerilogOpUnary};

/// A statement. Numbers are indices into the tables of [`verilog`].
pub enum Stmt {
    /// Target and value.
    Assign(Expr, Expr),
    /// A field of a struct is assigned: the signal, index of the field's width, its offset, the value.
    Field { base: Expr, width: usize, offset: Expr, value: Expr },
    /// An `if`.
    If(If),
    /// What is compared, and label and statements of each case.
    Match(Expr, &'static [(&'static str, &'static [Stmt])]),
    /// Name of the index, and indices of the literals that it starts with and that it does not reach.
    Loop { index: &'static str, from: usize, to: usize, body: &'static [Stmt] },
    /// A remark.
    Comment(&'static str),
    /// Index of the connection of two interfaces.
    Link(usize),
    /// What a macro stands for.
    Macro(&'static [Stmt]),
}

/// An `if` with what follows it.
pub struct If {
    pub test: Expr,
    pub then: &'static [Stmt],
    pub otherwise: Else,
}

/// What is done otherwise.
pub enum Else {
    Nothing,
    Block(&'static [Stmt]),
    If(&'static If),
}

/// An expression. Numbers are indices into the tables of [`verilog`].
pub enum Expr {
    /// The path to a signal from `self`, its parts joined by `$`.
    Signal(&'static str),
    Literal(usize),
    /// To the size with this index.
    Cast(&'static Expr, usize),
    Signed(&'static Expr),
    Unsigned(&'static Expr),
    Paren(&'static Expr),
    Binary(&'static Expr, VerilogOp, &'static Expr),
    Unary(VerilogOpUnary, &'static Expr),
    Index(&'static Expr, &'static Expr),
    /// Of this value, as many bits as the size with this index, from this offset on.
    Slice(&'static Expr, usize, &'static Expr),
    IndexReplace(&'static Expr, &'static Expr, &'static Expr),
}

/// The tree of a kernel.
pub fn verilog(body: &[Stmt], literals: &[VerilogLiteral], sizes: &[usize], links: &[Vec<VerilogLink>]) -> Verilog {
    Verilog::Combinatorial(Tables { literals, sizes, links }.block(body))
}

struct Tables<'a> {
    literals: &'a [VerilogLiteral],
    sizes: &'a [usize],
    links: &'a [Vec<VerilogLink>],
}

impl Tables<'_> {
    fn block(&self, body: &[Stmt]) -> VerilogBlock {
        body.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&self, statement: &Stmt) -> VerilogStatement {
        match statement {
            Stmt::Assign(target, value) => VerilogStatement::Assignment(self.value(target), self.value(value)),
            Stmt::Field { base, width, offset, value } => VerilogStatement::SliceAssignment {
                base: self.value(base),
                width: self.sizes[*width],
                offset: self.value(offset),
                replacement: self.value(value),
            },
            Stmt::If(branches) => self.branches(branches),
            Stmt::Match(test, cases) => VerilogStatement::Match(VerilogMatch {
                test: self.value(test),
                cases: cases
                    .iter()
                    .map(|(condition, block)| VerilogCase { condition: (*condition).into(), block: self.block(block) })
                    .collect(),
            }),
            Stmt::Loop { index, from, to, body } => VerilogStatement::Loop(VerilogLoop {
                index: (*index).into(),
                from: self.literals[*from].clone(),
                to: self.literals[*to].clone(),
                block: self.block(body),
            }),
            Stmt::Comment(text) => VerilogStatement::Comment((*text).into()),
            Stmt::Link(link) => VerilogStatement::Link(self.links[*link].clone()),
            Stmt::Macro(statements) => VerilogStatement::Macro(self.block(statements)),
        }
    }

    fn branches(&self, If { test, then, otherwise }: &If) -> VerilogStatement {
        VerilogStatement::If(VerilogConditional {
            test: self.value(test),
            then: self.block(then),
            otherwise: match otherwise {
                Else::Nothing => VerilogBlockOrConditional::None,
                Else::Block(block) => VerilogBlockOrConditional::Block(self.block(block)),
                Else::If(next) => VerilogBlockOrConditional::Conditional(Box::new(self.branches(next))),
            },
        })
    }

    fn value(&self, expr: &Expr) -> VerilogExpression {
        let boxed = |expr: &Expr| Box::new(self.value(expr));
        match expr {
            Expr::Signal(name) => VerilogExpression::Signal((*name).into()),
            Expr::Literal(literal) => VerilogExpression::Literal(self.literals[*literal].clone()),
            Expr::Cast(inner, width) => VerilogExpression::Cast(boxed(inner), self.sizes[*width]),
            Expr::Signed(inner) => VerilogExpression::Signed(boxed(inner)),
            Expr::Unsigned(inner) => VerilogExpression::Unsigned(boxed(inner)),
            Expr::Paren(inner) => VerilogExpression::Paren(boxed(inner)),
            Expr::Binary(left, operator, right) => {
                VerilogExpression::Binary(boxed(left), operator.clone(), boxed(right))
            }
            Expr::Unary(operator, inner) => VerilogExpression::Unary(operator.clone(), boxed(inner)),
            Expr::Index(inner, index) => VerilogExpression::Index(boxed(inner), boxed(index)),
            Expr::Slice(inner, width, offset) => {
                VerilogExpression::Slice(boxed(inner), self.sizes[*width], boxed(offset))
            }
            Expr::IndexReplace(inner, index, value) => {
                VerilogExpression::IndexReplace(boxed(inner), boxed(index), boxed(value))
            }
        }
    }
}
