// SPDX-License-Identifier: MIT OR Apache-2.0
//! What names in a kernel mean: signals, loop variables, and numbers known when the block is built.

use super::error::Reason;
use super::expr::SignalId;
use super::literal::{is_bit, value};
use super::symbols::{Symbols, width};
use num_bigint::BigInt;
use rust_hdl_core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};
use rust_hdl_core::type_descriptor::TypeKind;

/// The symbols, and the loops that the current statement is in.
pub(super) struct Scope {
    pub symbols: Symbols,
    /// Loop variables and their values, the innermost last.
    pub loops: Vec<(String, i64)>,
}

/// Width and sign of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub width: usize,
    pub signed: bool,
}

impl Type {
    const BIT: Type = Type { width: 1, signed: false };

    fn unsigned(width: usize) -> Self {
        Type { width, signed: false }
    }
}

impl Scope {
    /// The signal that a path in the AST means.
    pub fn signal(&self, path: &str) -> Result<SignalId, Reason> {
        let flat = self.flat_path(path)?;
        self.symbols.find(&flat).ok_or_else(|| Reason::NotASignal(path.into()))
    }

    /// A path with its indices evaluated: `cell[i + 1].key.next` is `cell$3$key` while `i` is 2.
    fn flat_path(&self, path: &str) -> Result<String, Reason> {
        let mut evaluated = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('[') {
            let (index, after) = after.split_once(']').ok_or_else(|| Reason::BadIndex(path.into()))?;
            evaluated += &format!("{before}${}", self.index(index)?);
            rest = after;
        }
        evaluated += rest;
        Ok(flat(&evaluated))
    }

    /// An index as the macro writes it: sums and products of numbers and loop variables, in the text of the kernel.
    fn index(&self, text: &str) -> Result<i64, Reason> {
        let text = without_outer_parentheses(text.trim());
        if let Some(at) = outermost(text, &['+', '-']).filter(|at| *at > 0) {
            let (a, b) = (self.index(&text[..at])?, self.index(&text[at + 1..])?);
            return Ok(if text.as_bytes()[at] == b'+' { a + b } else { a - b });
        }
        if let Some(at) = outermost(text, &['*']) {
            return Ok(self.index(&text[..at])? * self.index(&text[at + 1..])?);
        }
        if let Some(value) = self.loop_variable(text) {
            return Ok(value);
        }
        text.trim_end_matches("usize").parse().map_err(|_| Reason::BadIndex(text.into()))
    }

    fn loop_variable(&self, name: &str) -> Option<i64> {
        self.loops.iter().rev().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// The value of an expression of numbers and loop variables.
    pub fn number(&self, e: &VerilogExpression) -> Result<BigInt, Reason> {
        use VerilogExpression as V;
        match e {
            V::Literal(literal) => Ok(value(literal)),
            V::Signal(path) => match self.loop_variable(path) {
                Some(value) => Ok(value.into()),
                None => self.index(path).map(BigInt::from),
            },
            V::Paren(inner) | V::Signed(inner) | V::Unsigned(inner) => self.number(inner),
            V::Unary(VerilogOpUnary::Neg, inner) => Ok(-self.number(inner)?),
            V::Binary(a, op, b) => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                match op {
                    VerilogOp::Add => Ok(a + b),
                    VerilogOp::Sub => Ok(a - b),
                    VerilogOp::Mul => Ok(a * b),
                    _ => Err(Reason::LiteralOperator),
                }
            }
            _ => Err(Reason::NotAConstant(shown(e))),
        }
    }

    /// As [`Scope::number`], for offsets, indices and amounts of shifts.
    pub fn offset(&self, e: &VerilogExpression) -> Result<usize, Reason> {
        usize::try_from(self.number(e)?).map_err(|_| Reason::NotAConstant(shown(e)))
    }

    /// A comparison of numbers known when the block is built, as `if i == 0`; nothing if a signal is in it.
    pub fn decided(&self, e: &VerilogExpression) -> Result<Option<bool>, Reason> {
        use VerilogExpression as V;
        match e {
            V::Paren(inner) => self.decided(inner),
            V::Binary(a, op, b) if self.type_of(a)?.is_none() && self.type_of(b)?.is_none() => {
                let (a, b) = (self.number(a)?, self.number(b)?);
                Ok(Some(match op {
                    VerilogOp::Eq => a == b,
                    VerilogOp::Ne => a != b,
                    VerilogOp::Lt => a < b,
                    VerilogOp::Le => a <= b,
                    VerilogOp::Gt => a > b,
                    VerilogOp::Ge => a >= b,
                    _ => return Ok(None),
                }))
            }
            _ => Ok(None),
        }
    }

    /// Width and sign, bottom up; nothing for numbers, which take theirs from what is beside them.
    pub fn type_of(&self, e: &VerilogExpression) -> Result<Option<Type>, Reason> {
        use VerilogExpression as V;
        Ok(match e {
            V::Signal(path) if self.loop_variable(path).is_some() => None,
            V::Signal(path) => {
                let symbol = &self.symbols[self.signal(path)?];
                Some(Type { width: symbol.width, signed: symbol.signed })
            }
            V::Literal(literal) => is_bit(literal).then_some(Type::BIT),
            V::Cast(_, width) => Some(Type::unsigned(*width)),
            V::Signed(inner) => self.type_of(inner)?.map(|t| Type { signed: true, ..t }),
            V::Unsigned(inner) => self.type_of(inner)?.map(|t| Type::unsigned(t.width)),
            V::Paren(inner) | V::Unary(VerilogOpUnary::Not | VerilogOpUnary::Neg, inner) => self.type_of(inner)?,
            V::Unary(VerilogOpUnary::All | VerilogOpUnary::Any | VerilogOpUnary::Xor, _) | V::Index(..) => {
                Some(Type::BIT)
            }
            V::IndexReplace(inner, ..) => self.type_of(inner)?,
            V::Slice(base, width, offset) => {
                let signed = match self.field_sign(base, *width, offset) {
                    Some(signed) => signed,
                    None => self.type_of(base)?.is_some_and(|t| t.signed),
                };
                Some(Type { width: *width, signed })
            }
            V::Binary(a, op, b) => self.type_of_binary(a, op, b)?,
        })
    }

    fn type_of_binary(
        &self,
        a: &VerilogExpression,
        op: &VerilogOp,
        b: &VerilogExpression,
    ) -> Result<Option<Type>, Reason> {
        use VerilogOp::*;
        Ok(match op {
            Eq | Ne | Lt | Le | Gt | Ge | LogicalAnd | LogicalOr => Some(Type::BIT),
            Shl | Shr => self.type_of(a)?,
            Mul => match (self.type_of(a)?, self.type_of(b)?) {
                (None, None) => None,
                (Some(a), Some(b)) if a.width == 16 && a == b => Some(Type { width: 32, ..a }),
                _ => return Err(Reason::Product),
            },
            Add | Sub | BitXor | BitAnd | BitOr => match self.type_of(a)? {
                Some(t) => Some(t),
                None => self.type_of(b)?,
            },
        })
    }

    /// A slice that is a field of a struct has the field's sign.
    fn field_sign(&self, base: &VerilogExpression, bits: usize, offset: &VerilogExpression) -> Option<bool> {
        let (VerilogExpression::Signal(path), VerilogExpression::Literal(offset)) = (base, offset) else { return None };
        let TypeKind::Composite(fields) = &self.symbols[self.signal(path).ok()?].descriptor.kind else { return None };
        let offset = offset.as_usize();
        let mut position = 0;
        for field in fields {
            let field_width = width(&field.kind);
            if position == offset && field_width == bits {
                return Some(matches!(field.kind.kind, TypeKind::Signed(_)));
            }
            position += field_width;
        }
        None
    }
}

/// A path as the symbol table knows it.
pub(super) fn flat(path: &str) -> String {
    let dollars = path.replace("::", "$").replace('.', "$");
    dollars.trim_start_matches('$').trim_end_matches("$next").into()
}

/// Short text of an expression for messages: the AST has no source positions.
pub(super) fn shown(e: &VerilogExpression) -> String {
    use VerilogExpression as V;
    match e {
        V::Signal(path) => path.clone(),
        V::Literal(literal) => value(literal).to_string(),
        V::Cast(inner, width) => format!("bit_cast::<{width}>({})", shown(inner)),
        V::Signed(inner) => format!("signed({})", shown(inner)),
        V::Unsigned(inner) => format!("unsigned({})", shown(inner)),
        V::Paren(inner) => format!("({})", shown(inner)),
        V::Binary(a, op, b) => format!("{} {op:?} {}", shown(a), shown(b)),
        V::Unary(op, inner) => format!("{op:?} {}", shown(inner)),
        V::Index(base, index) => format!("{}.get_bit({})", shown(base), shown(index)),
        V::Slice(base, width, offset) => format!("{}.get_bits::<{width}>({})", shown(base), shown(offset)),
        V::IndexReplace(base, index, bit) => {
            format!("{}.replace_bit({}, {})", shown(base), shown(index), shown(bit))
        }
    }
}

/// The last place of one of `operators` outside all parentheses.
fn outermost(text: &str, operators: &[char]) -> Option<usize> {
    let mut depth = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && operators.contains(&c) => last = Some(at),
            _ => {}
        }
    }
    last
}

fn without_outer_parentheses(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    match inner {
        // Not for `(a)+(b)`: there the first parenthesis closes before the end.
        Some(inner) if balanced(inner) => without_outer_parentheses(inner.trim()),
        _ => text,
    }
}

fn balanced(text: &str) -> bool {
    let mut depth = 0;
    for c in text.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::Bits;

    fn scope() -> Scope {
        let symbols = Symbols::of(&collect(&Fifo::<Bits<8>, 3, 4>::default(), "top"));
        Scope { symbols, loops: vec![("i".into(), 2), ("j".into(), 5)] }
    }

    #[test]
    fn indices_are_evaluated_with_the_precedence_of_rust() {
        let index = |text: &str| scope().index(text);
        assert_eq!(index("i"), Ok(2));
        assert_eq!(index("2*i+1"), Ok(5));
        assert_eq!(index("(j-i)*4"), Ok(12));
        assert_eq!(index("(i)+(j)"), Ok(7));
        assert_eq!(index("7usize-i-j"), Ok(0));
        assert_eq!(index("N"), Err(Reason::BadIndex("N".into())));
    }

    #[test]
    fn paths_lead_to_symbols() {
        assert_eq!(scope().flat_path("cell[i+1].key.next"), Ok("cell$3$key".into()));
        assert!(scope().signal("inp.data").is_ok());
        assert_eq!(scope().signal("SIZE"), Err(Reason::NotASignal("SIZE".into())));
    }

    #[test]
    fn numbers_have_no_width_and_signals_have_theirs() {
        let signal = VerilogExpression::Signal("inp$data".into());
        let number = VerilogExpression::Literal(3i32.into());
        let sum = VerilogExpression::Binary(Box::new(number.clone()), VerilogOp::Add, Box::new(signal));
        assert_eq!(scope().type_of(&number), Ok(None));
        assert_eq!(scope().type_of(&sum), Ok(Some(Type::unsigned(8))));
    }

    #[test]
    fn comparisons_of_loop_variables_are_decided() {
        let variable = Box::new(VerilogExpression::Signal("i".into()));
        let number = Box::new(VerilogExpression::Literal(2i32.into()));
        let test = VerilogExpression::Binary(variable, VerilogOp::Eq, number);
        assert_eq!(scope().decided(&test), Ok(Some(true)));
    }
}
