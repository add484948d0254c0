// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parts of sized expressions, and shifts.

use super::super::error::Reason;
use super::super::expr::{Binary, Expr, Kind, Unary};
use super::super::stmt::Stmt;
use super::Elaboration;
use rust_hdl_core::bits::clog2;

impl Elaboration<'_> {
    /// A new signal that holds `e`, which has no parts.
    pub(super) fn helper(&mut self, e: Expr) -> Expr {
        let helper = self.symbols.add_helper(&self.target, e.width);
        self.push_wires(vec![Stmt::Set { target: helper, low: 0, value: e }]);
        self.symbols.whole(helper)
    }

    /// The expression as a whole signal or part of one, through a helper if need be.
    fn named(&mut self, e: Expr) -> Expr {
        if matches!(e.kind, Kind::Part { .. }) { e } else { self.helper(e) }
    }

    /// Bits `low +: width`, of a helper signal if need be.
    pub(super) fn cut(&mut self, e: Expr, low: usize, width: usize) -> Expr {
        match e.slice(low, width) {
            Some(slice) => slice,
            None => self.named(e).slice(low, width).expect("a signal has slices"),
        }
    }

    /// `width` bits: cut at the top, or zeros put before.
    pub(super) fn resized(&mut self, e: Expr, width: usize) -> Expr {
        if width <= e.width { self.cut(e, 0, width) } else { e.extended(width) }
    }

    /// Bits `low +: width`, which have to be there.
    pub(super) fn bits_at(&mut self, base: Expr, low: usize, width: usize) -> Result<Expr, Reason> {
        if low + width > base.width {
            return Err(Reason::OutOfRange { high: low + width - 1, low, width: base.width });
        }
        Ok(self.cut(base, low, width))
    }

    /// `width` bits from a computed offset on: bits past the top are zero, as in rust-hdl.
    pub(super) fn bits_from(&mut self, base: Expr, mut offset: Expr, width: usize) -> Expr {
        if offset.width < clog2(base.width) {
            offset = offset.extended(clog2(base.width));
        }
        let stays_inside = offset.width < 24 && (1usize << offset.width) - 1 + width <= base.width;
        if stays_inside {
            return self.dynamic(base, offset, width);
        }
        let all = base.width;
        let shifted = Expr::binary(base, Binary::ShiftRight, offset, all);
        self.cut(shifted, 0, width)
    }

    /// A computed bit. rust-hdl panics on an index past the end, so no bits are lost where it is cut to the width needed.
    pub(super) fn bit_from(&mut self, base: Expr, index: Expr) -> Expr {
        let index = self.bit_index(index, base.width);
        self.dynamic(base, index, 1)
    }

    /// A computed index of one of `width` bits, exactly as wide as it must be.
    pub(super) fn bit_index(&mut self, index: Expr, width: usize) -> Expr {
        self.resized(index, clog2(width))
    }

    /// Bits of a whole signal from an offset on that never reaches past the end.
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

    /// `base` with another bit at a place that has to be there: a concatenation.
    pub(super) fn with_bit_at(&mut self, base: Expr, at: usize, bit: Expr) -> Result<Expr, Reason> {
        let width = base.width;
        inside(at, width)?;
        let high = self.cut(base.clone(), at + 1, width - at - 1);
        let low = self.cut(base, 0, at);
        Ok(Expr::concat([high, bit, low]))
    }
}

/// That a bit number lies inside `width` bits.
pub(super) fn inside(at: usize, width: usize) -> Result<usize, Reason> {
    if at < width { Ok(at) } else { Err(Reason::OutOfRange { high: at, low: at, width }) }
}

/// `base` with another bit at a computed place: a mask.
pub(super) fn with_bit_from(base: Expr, index: Expr, bit: Expr) -> Expr {
    let width = base.width;
    let one = Expr::constant(1u8.into(), width);
    let hole = Expr::unary(Unary::Not, Expr::binary(one, Binary::ShiftLeft, index.clone(), width));
    let kept = Expr::binary(base, Binary::And, hole, width);
    let put = Expr::binary(bit.extended(width), Binary::ShiftLeft, index, width);
    Expr::binary(kept, Binary::Or, put, width)
}

/// A shift by a number, `Binary::ShiftLeft` or `ShiftRight`: a concatenation, or an extension, where the expression has parts.
pub(super) fn shifted(value: Expr, op: Binary, amount: usize) -> Expr {
    let (width, left) = (value.width, op == Binary::ShiftLeft);
    let amount = amount.min(width);
    match value.slice(if left { 0 } else { amount }, width - amount) {
        Some(kept) if left => Expr::concat([kept, Expr::zero(amount)]),
        Some(kept) => kept.extended(width),
        None => Expr::binary(value, op, Expr::constant(amount.into(), 32), width),
    }
}
