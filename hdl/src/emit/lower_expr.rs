// SPDX-License-Identifier: MIT OR Apache-2.0
//! From rust-hdl's expressions to sized ones.

use super::error::Reason;
use super::expr::{Binary, Expr, Kind, Unary};
use super::literal::{fit, value};
use super::lower::Lowering;
use super::scope::{Type, shown};
use rust_hdl_core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};
use rust_hdl_core::bits::clog2;

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
        Ok(if width <= inner.width { self.cut(inner, 0, width) } else { inner.extended(width) })
    }

    /// Bits `low +: width`, of a helper signal if need be.
    fn cut(&mut self, e: Expr, low: usize, width: usize) -> Expr {
        match e.slice(low, width) {
            Some(slice) => slice,
            None => {
                let helper = self.named(e);
                helper.slice(low, width).expect("a signal has slices")
            }
        }
    }

    /// The expression as a whole signal or part of one, through a helper if need be.
    pub(super) fn named(&mut self, e: Expr) -> Expr {
        if matches!(e.kind, Kind::Part { .. }) { e } else { self.helper(e) }
    }

    /// `get_bit`. rust-hdl panics on an index past the end, so no bits are lost where it is cut to the width needed.
    fn bit(&mut self, base: Expr, index: &VerilogExpression) -> Result<Expr, Reason> {
        if self.scope.type_of(index)?.is_none() {
            return self.select(base, index, 1);
        }
        if base.width == 1 {
            return Ok(base);
        }
        let offset = self.bit_index(index, base.width)?;
        Ok(self.dynamic(base, offset, 1))
    }

    /// A computed index of one of `width` bits, exactly as wide as it must be.
    pub(super) fn bit_index(&mut self, index: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        let index = self.expr(index, None)?;
        let needed = clog2(width);
        Ok(if index.width < needed { index.extended(needed) } else { self.cut(index, 0, needed) })
    }

    /// `get_bits`: bits past the top are zero, as in rust-hdl.
    fn select(&mut self, base: Expr, offset: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        if self.scope.type_of(offset)?.is_none() {
            let low = self.scope.offset(offset)?;
            if low + width > base.width {
                return Err(Reason::OutOfRange { high: low + width - 1, low, width: base.width });
            }
            return Ok(self.cut(base, low, width));
        }
        let mut offset = self.expr(offset, None)?;
        if offset.width < clog2(base.width) {
            offset = offset.extended(clog2(base.width));
        }
        let stays_inside = offset.width < 24 && (1usize << offset.width) - 1 + width <= base.width;
        if stays_inside {
            return Ok(self.dynamic(base, offset, width));
        }
        let all = base.width;
        let shifted = Expr::binary(base, Binary::ShiftRight, offset, all);
        Ok(self.cut(shifted, 0, width))
    }

    fn dynamic(&mut self, base: Expr, offset: Expr, width: usize) -> Expr {
        let signal = match base.kind {
            Kind::Part { signal, whole: true, .. } => signal,
            _ => match self.helper(base).kind {
                Kind::Part { signal, .. } => signal,
                _ => unreachable!("a helper is a signal"),
            },
        };
        Expr { width, kind: Kind::Dynamic { signal, offset: Box::new(offset) } }
    }

    /// `replace_bit` in the middle of an expression: a concatenation, or a mask if the index is computed.
    fn replace_bit(
        &mut self,
        base: &VerilogExpression,
        index: &VerilogExpression,
        bit: &VerilogExpression,
    ) -> Result<Expr, Reason> {
        let (base, bit) = (self.expr(base, None)?, self.expr(bit, Some(1))?);
        let width = base.width;
        if self.scope.type_of(index)?.is_none() {
            let at = self.constant_bit(index, width)?;
            let high = self.cut(base.clone(), at + 1, width - at - 1);
            let low = self.cut(base, 0, at);
            return Ok(Expr::concat([high, bit, low]));
        }
        let index = self.expr(index, None)?;
        let one = Expr::constant(1u8.into(), width);
        let hole = Expr::unary(Unary::Not, Expr::binary(one, Binary::ShiftLeft, index.clone(), width));
        let kept = Expr::binary(base, Binary::And, hole, width);
        let put = Expr::binary(bit.extended(width), Binary::ShiftLeft, index, width);
        Ok(Expr::binary(kept, Binary::Or, put, width))
    }

    /// A constant index that lies inside `width` bits.
    pub(super) fn constant_bit(&self, index: &VerilogExpression, width: usize) -> Result<usize, Reason> {
        let at = self.scope.offset(index)?;
        if at < width { Ok(at) } else { Err(Reason::OutOfRange { high: at, low: at, width }) }
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
        let left = matches!(op, VerilogOp::Shl);
        let op = if left { Binary::ShiftLeft } else { Binary::ShiftRight };
        let value = self.expr(a, None)?;
        let width = value.width;
        if self.scope.type_of(b)?.is_some() {
            let amount = self.expr(b, None)?;
            return Ok(Expr::binary(value, op, amount, width));
        }
        let amount = self.scope.offset(b)?.min(width);
        let kept = value.slice(if left { 0 } else { amount }, width - amount);
        Ok(match kept {
            Some(kept) if left => Expr::concat([kept, Expr::zero(amount)]),
            Some(kept) => kept.extended(width),
            None => Expr::binary(value, op, Expr::constant(amount.into(), 32), width),
        })
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
