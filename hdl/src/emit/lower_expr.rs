// SPDX-License-Identifier: MIT OR Apache-2.0
//! From rust-hdl's expressions to sized ones.

use super::error::Reason;
use super::expr::{Binary, Expr, Kind, Unary};
use super::literal::{fit, value};
use super::lower::Lowering;
use super::scope::{Type, shown};
use super::select::{Select, shifted, with_bit_from};
use rust_hdl_core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};

impl Lowering {
    /// A sized expression for `e`, which must have `wanted` bits if that is given. A bare number needs it.
    pub(super) fn expr(&mut self, e: &VerilogExpression, wanted: Option<usize>) -> Result<Expr, Reason> {
        let lowered = match self.scope.type_of(e)? {
            Some(t) => self.typed_expr(e, t.width)?,
            None if self.is_literal_shift(e)? => return Err(Reason::LiteralShift),
            None => {
                let width = wanted.ok_or_else(|| Reason::UnsizedLiteral(shown(e)))?;
                fit(self.scope.number(e)?, width)?
            }
        };
        match wanted {
            Some(needed) if needed != lowered.width => {
                Err(Reason::Width { found: lowered.width, needed, expression: shown(e) })
            }
            _ => Ok(lowered),
        }
    }

    /// `1 << x`
    fn is_literal_shift(&self, e: &VerilogExpression) -> Result<bool, Reason> {
        match e {
            VerilogExpression::Paren(inner) => self.is_literal_shift(inner),
            VerilogExpression::Binary(_, VerilogOp::Shl | VerilogOp::Shr, amount) => {
                Ok(self.scope.type_of(amount)?.is_some())
            }
            _ => Ok(false),
        }
    }

    fn typed_expr(&mut self, e: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        use VerilogExpression as V;
        match e {
            V::Signed(_) => Err(Reason::SignedCast),
            V::Paren(inner) | V::Unsigned(inner) => self.expr(inner, None),
            V::Literal(literal) => fit(value(literal), 1),
            V::Signal(path) => Ok(self.scope.symbols.whole(self.scope.signal(path)?)),
            V::Cast(inner, width) => self.cast(inner, *width),
            V::Unary(op, inner) => Ok(Expr::unary(unary(op), self.expr(inner, None)?)),
            V::Binary(a, op, b) => self.binary(a, op, b, width),
            V::Index(base, index) => {
                let base = self.expr(base, None)?;
                self.bit(base, index)
            }
            V::Slice(base, width, offset) => {
                let base = self.expr(base, None)?;
                self.select(base, offset, *width)
            }
            V::IndexReplace(base, index, bit) => self.replace_bit(base, index, bit),
        }
    }

    /// `bit_cast`: cut at the top, or zeros put before.
    fn cast(&mut self, inner: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        if self.scope.type_of(inner)?.is_none() {
            return fit(self.scope.number(inner)?, width);
        }
        let inner = self.expr(inner, None)?;
        Ok(self.resized(inner, width))
    }

    /// `get_bit`
    fn bit(&mut self, base: Expr, index: &VerilogExpression) -> Result<Expr, Reason> {
        if self.scope.type_of(index)?.is_none() {
            return self.select(base, index, 1);
        }
        if base.width == 1 {
            return Ok(base);
        }
        let index = self.expr(index, None)?;
        Ok(self.bit_from(base, index))
    }

    /// `get_bits`
    fn select(&mut self, base: Expr, offset: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        if self.scope.type_of(offset)?.is_none() {
            let low = self.scope.offset(offset)?;
            return self.bits_at(base, low, width);
        }
        let offset = self.expr(offset, None)?;
        Ok(self.bits_from(base, offset, width))
    }

    /// `replace_bit` in the middle of an expression.
    fn replace_bit(
        &mut self,
        base: &VerilogExpression,
        index: &VerilogExpression,
        bit: &VerilogExpression,
    ) -> Result<Expr, Reason> {
        let (base, bit) = (self.expr(base, None)?, self.expr(bit, Some(1))?);
        if self.scope.type_of(index)?.is_none() {
            let at = self.scope.offset(index)?;
            return self.with_bit_at(base, at, bit);
        }
        Ok(with_bit_from(base, self.expr(index, None)?, bit))
    }

    fn binary(
        &mut self,
        a: &VerilogExpression,
        op: &VerilogOp,
        b: &VerilogExpression,
        width: usize,
    ) -> Result<Expr, Reason> {
        let types = (self.scope.type_of(a)?, self.scope.type_of(b)?);
        match op {
            VerilogOp::Shl | VerilogOp::Shr => self.shift(a, op, b),
            VerilogOp::Mul => self.product(a, b, types.0),
            _ => {
                let Some(common) = types.0.or(types.1) else { return Err(Reason::LiteralOperator) };
                let x = self.expr(a, Some(common.width))?;
                // `Bits<N> + bool` is the one operator of rust-hdl on operands of different widths.
                let adds_bit = matches!(op, VerilogOp::Add) && types.1.is_some_and(|t| t.width == 1);
                let y = if adds_bit {
                    self.expr(b, None)?.extended(common.width)
                } else {
                    self.expr(b, Some(common.width))?
                };
                Ok(Expr::binary(x, binary(op, common), y, width))
            }
        }
    }

    fn shift(&mut self, a: &VerilogExpression, op: &VerilogOp, b: &VerilogExpression) -> Result<Expr, Reason> {
        let op = if matches!(op, VerilogOp::Shl) { Binary::ShiftLeft } else { Binary::ShiftRight };
        let value = self.expr(a, None)?;
        if self.scope.type_of(b)?.is_some() {
            let width = value.width;
            return Ok(Expr::binary(value, op, self.expr(b, None)?, width));
        }
        Ok(shifted(value, op, self.scope.offset(b)?))
    }

    /// 16 by 16 bits into 32. Signed factors are extended by their sign.
    fn product(&mut self, a: &VerilogExpression, b: &VerilogExpression, factor: Option<Type>) -> Result<Expr, Reason> {
        let factor = factor.ok_or(Reason::LiteralOperator)?;
        let width = 2 * factor.width;
        let (x, y) = (self.expr(a, None)?, self.expr(b, None)?);
        let (x, y) = if factor.signed {
            let extend = |e| Expr { width, kind: Kind::SignExtend(Box::new(e)) };
            (extend(self.named(x)), extend(self.named(y)))
        } else {
            (x.extended(width), y.extended(width))
        };
        Ok(Expr::binary(x, Binary::Mul, y, width))
    }
}

fn unary(op: &VerilogOpUnary) -> Unary {
    match op {
        VerilogOpUnary::Not => Unary::Not,
        VerilogOpUnary::Neg => Unary::Negate,
        VerilogOpUnary::All => Unary::All,
        VerilogOpUnary::Any => Unary::Any,
        VerilogOpUnary::Xor => Unary::Parity,
    }
}

fn binary(op: &VerilogOp, operands: Type) -> Binary {
    let signed = operands.signed;
    match op {
        VerilogOp::Add => Binary::Add,
        VerilogOp::Sub => Binary::Sub,
        VerilogOp::Mul => Binary::Mul,
        VerilogOp::BitAnd => Binary::And,
        VerilogOp::BitOr => Binary::Or,
        VerilogOp::BitXor => Binary::Xor,
        VerilogOp::LogicalAnd => Binary::LogicalAnd,
        VerilogOp::LogicalOr => Binary::LogicalOr,
        VerilogOp::Eq => Binary::Equal,
        VerilogOp::Ne => Binary::NotEqual,
        VerilogOp::Lt => Binary::Less { signed },
        VerilogOp::Le => Binary::LessEqual { signed },
        VerilogOp::Gt => Binary::Greater { signed },
        VerilogOp::Ge => Binary::GreaterEqual { signed },
        VerilogOp::Shl => Binary::ShiftLeft,
        VerilogOp::Shr => Binary::ShiftRight,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::lower::tests::{lowering, number, signal};

    fn operation(a: VerilogExpression, op: VerilogOp, b: VerilogExpression) -> VerilogExpression {
        VerilogExpression::Binary(Box::new(a), op, Box::new(b))
    }

    #[test]
    fn a_literal_takes_the_width_of_its_neighbour() {
        let mut lowering = lowering();
        let sum = operation(signal("inp$data"), VerilogOp::Add, number(5));
        let Kind::Binary(_, Binary::Add, five) = lowering.expr(&sum, None).expect("a sum").kind else {
            panic!("a sum")
        };
        assert_eq!(*five, Expr::constant(5u8.into(), 8));
        let wide = operation(signal("inp$data"), VerilogOp::Add, number(256));
        assert_eq!(lowering.expr(&wide, None), Err(Reason::LiteralTooWide { value: "256".into(), width: 8 }));
    }

    #[test]
    fn operands_of_different_widths_are_refused() {
        let e = operation(signal("inp$data"), VerilogOp::BitAnd, signal("count"));
        assert!(matches!(lowering().expr(&e, None), Err(Reason::Width { found: 4, needed: 8, .. })));
    }

    #[test]
    fn a_computed_bit_is_selected_by_an_index_of_the_right_width() {
        let e = VerilogExpression::Index(Box::new(signal("inp$data")), Box::new(signal("count")));
        let Kind::Dynamic { offset, .. } = lowering().expr(&e, None).expect("a select").kind else {
            panic!("a select")
        };
        assert_eq!(offset.width, 3);
    }

    #[test]
    fn a_constant_select_past_the_end_is_refused() {
        let e = VerilogExpression::Slice(Box::new(signal("inp$data")), 4, Box::new(number(6)));
        assert_eq!(lowering().expr(&e, None), Err(Reason::OutOfRange { high: 9, low: 6, width: 8 }));
    }

    #[test]
    fn a_shift_by_a_number_is_a_concatenation() {
        let e = operation(signal("inp$data"), VerilogOp::Shl, number(3));
        let lowered = lowering().expr(&e, None).expect("a shift");
        assert!(matches!(lowered.kind, Kind::Concat(ref parts) if parts.len() == 2 && parts[1] == Expr::zero(3)));
    }

    #[test]
    fn literals_alone_are_refused() {
        let e = operation(number(1), VerilogOp::Shl, signal("count"));
        assert_eq!(lowering().expr(&e, Some(8)), Err(Reason::LiteralShift));
        assert_eq!(lowering().expr(&number(1), None), Err(Reason::UnsizedLiteral("1".into())));
    }
}
