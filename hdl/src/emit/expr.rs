// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sized expressions: every node knows its width, so that nothing is left to Verilog's rules of context.

pub(super) use crate::front::tree::Unary;
use num_bigint::BigUint;

/// Index of a signal in its module's symbol table.
pub(super) type SignalId = usize;

/// An expression of `width` bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub width: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Constant(BigUint),
    /// Bits of a signal from `low` on; `whole` if all.
    Part {
        signal: SignalId,
        low: usize,
        whole: bool,
    },
    /// Bits of a signal from a computed offset on. The offset never reaches past the end.
    Dynamic {
        signal: SignalId,
        offset: Box<Expr>,
    },
    Unary(Unary, Box<Expr>),
    Binary(Box<Expr>, Binary, Box<Expr>),
    /// Most significant first.
    Concat(Vec<Expr>),
}

impl Unary {
    pub fn is_reduction(self) -> bool {
        matches!(self, Unary::All | Unary::Any | Unary::Parity)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
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

impl Binary {
    /// `(a op b) op c` is `a op (b op c)`, also at a fixed width.
    pub fn is_associative(self) -> bool {
        use Binary::*;
        matches!(self, Add | And | Or | Xor | LogicalAnd | LogicalOr)
    }
}

impl Expr {
    pub fn constant(value: BigUint, width: usize) -> Self {
        Expr { width, kind: Kind::Constant(value) }
    }

    pub fn zero(width: usize) -> Self {
        Self::constant(BigUint::default(), width)
    }

    pub fn whole(signal: SignalId, width: usize) -> Self {
        Expr { width, kind: Kind::Part { signal, low: 0, whole: true } }
    }

    pub fn unary(op: Unary, operand: Expr) -> Self {
        let width = if op.is_reduction() { 1 } else { operand.width };
        Expr { width, kind: Kind::Unary(op, Box::new(operand)) }
    }

    /// An operator whose result is `width` bits wide. Disjoint parts joined by `|` become a concatenation.
    pub fn binary(a: Expr, op: Binary, b: Expr, width: usize) -> Self {
        let joined = if op == Binary::Or { join_disjoint(&a, &b) } else { None };
        joined.unwrap_or_else(|| Expr { width, kind: Kind::Binary(Box::new(a), op, Box::new(b)) })
    }

    /// Parts side by side, the most significant first.
    pub fn concat(parts: impl IntoIterator<Item = Expr>) -> Self {
        let mut flat: Vec<Expr> = vec![];
        for part in parts {
            match part.kind {
                Kind::Concat(inner) => inner.into_iter().for_each(|p| push_part(&mut flat, p)),
                _ => push_part(&mut flat, part),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Expr { width: flat.iter().map(|p| p.width).sum(), kind: Kind::Concat(flat) },
        }
    }

    /// Zeros put before, up to `width`.
    pub fn extended(self, width: usize) -> Self {
        let missing = width - self.width;
        Self::concat([Self::zero(missing), self])
    }

    /// A constant or a constant select of a signal.
    pub fn is_simple(&self) -> bool {
        matches!(self.kind, Kind::Constant(_) | Kind::Part { .. })
    }

    /// Bits `low +: width` without a helper signal, if there is such a form. Bits past the top are zero.
    pub fn slice(&self, low: usize, width: usize) -> Option<Expr> {
        if low == 0 && width == self.width {
            return Some(self.clone());
        }
        if width == 0 || low >= self.width {
            return Some(Self::zero(width));
        }
        if low + width > self.width {
            return self.slice(low, self.width - low).map(|part| part.extended(width));
        }
        let part = |e: &Expr| e.slice(low, width);
        Some(match &self.kind {
            Kind::Constant(value) => {
                let mask = (BigUint::from(1u8) << width) - 1u8;
                Self::constant((value >> low) & mask, width)
            }
            Kind::Part { signal, low: base, .. } => {
                Expr { width, kind: Kind::Part { signal: *signal, low: base + low, whole: false } }
            }
            Kind::Concat(parts) => slice_concat(parts, low, width)?,
            Kind::Unary(Unary::Not, a) => Self::unary(Unary::Not, part(a)?),
            Kind::Binary(a, op @ (Binary::And | Binary::Or | Binary::Xor), b) => {
                Self::binary(part(a)?, *op, part(b)?, width)
            }
            // The low bits of a sum are the sum of the low bits.
            Kind::Binary(a, op @ (Binary::Add | Binary::Sub), b) if low == 0 => {
                Self::binary(part(a)?, *op, part(b)?, width)
            }
            _ => return None,
        })
    }

    /// Calls `found` with each read of a signal: which one, from which bit, how many bits.
    pub fn reads(&self, found: &mut dyn FnMut(Read)) {
        match &self.kind {
            Kind::Constant(_) => {}
            Kind::Part { signal, low, .. } => found(Read { signal: *signal, low: *low, width: Some(self.width) }),
            Kind::Dynamic { signal, offset } => {
                found(Read { signal: *signal, low: 0, width: None });
                offset.reads(found);
            }
            Kind::Unary(_, a) => a.reads(found),
            Kind::Binary(a, _, b) => {
                a.reads(found);
                b.reads(found);
            }
            Kind::Concat(parts) => parts.iter().for_each(|part| part.reads(found)),
        }
    }
}

/// Bits of a signal that an expression depends on; no width means all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub signal: SignalId,
    pub low: usize,
    pub width: Option<usize>,
}

/// Appends a part; neighbouring constants become one.
fn push_part(parts: &mut Vec<Expr>, part: Expr) {
    if part.width == 0 {
        return;
    }
    if let (Kind::Constant(low), Some(Expr { width, kind: Kind::Constant(high) })) = (&part.kind, parts.last_mut()) {
        *high = (&*high << part.width) | low;
        *width += part.width;
        return;
    }
    parts.push(part);
}

fn slice_concat(parts: &[Expr], low: usize, width: usize) -> Option<Expr> {
    let mut cut = vec![];
    let mut position = 0;
    for part in parts.iter().rev() {
        let (from, to) = (low.max(position), (low + width).min(position + part.width));
        if from < to {
            cut.push(part.slice(from - position, to - from)?);
        }
        position += part.width;
    }
    cut.reverse();
    Some(Expr::concat(cut))
}

/// `{x, 8'd0} | {8'd0, y}` is `{x, y}`: this is how a loop in a kernel puts parts together.
fn join_disjoint(a: &Expr, b: &Expr) -> Option<Expr> {
    if !matches!(a.kind, Kind::Concat(_)) && !matches!(b.kind, Kind::Concat(_)) {
        return None;
    }
    let mut cuts = boundaries(a);
    cuts.extend(boundaries(b));
    cuts.sort_unstable();
    cuts.dedup();
    let mut parts = vec![];
    for cut in cuts.windows(2) {
        let (low, width) = (cut[0], cut[1] - cut[0]);
        let (x, y) = (a.slice(low, width)?, b.slice(low, width)?);
        let zero = Expr::zero(width);
        parts.push(match (x == zero, y == zero) {
            (true, _) => y,
            (_, true) => x,
            _ => return None,
        });
    }
    parts.reverse();
    Some(Expr::concat(parts))
}

/// Bit positions at which the parts of an expression start and end.
fn boundaries(e: &Expr) -> Vec<usize> {
    let mut position = 0;
    let mut all = vec![0];
    match &e.kind {
        Kind::Concat(parts) => {
            for part in parts.iter().rev() {
                position += part.width;
                all.push(position);
            }
        }
        _ => all.push(e.width),
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(signal: SignalId) -> Expr {
        Expr::whole(signal, 8)
    }

    #[test]
    fn shifted_parts_joined_by_or_become_a_concatenation() {
        let high = Expr::concat([byte(0), Expr::zero(8)]);
        let low = byte(1).extended(16);
        assert_eq!(Expr::binary(high, Binary::Or, low, 16), Expr::concat([byte(0), byte(1)]));
    }

    #[test]
    fn overlapping_parts_stay_an_or() {
        let a = Expr::concat([byte(0), Expr::zero(4)]);
        let or = Expr::binary(a.clone(), Binary::Or, byte(1).extended(12), 12);
        assert!(matches!(or.kind, Kind::Binary(_, Binary::Or, _)));
    }

    #[test]
    fn a_slice_of_a_slice_is_one_select() {
        let slice = byte(0).slice(2, 5).and_then(|e| e.slice(1, 3)).expect("a flat select");
        assert_eq!(slice.kind, Kind::Part { signal: 0, low: 3, whole: false });
        assert_eq!(slice.width, 3);
    }

    #[test]
    fn a_slice_over_the_top_reads_zeros() {
        assert_eq!(byte(0).slice(6, 4), byte(0).slice(6, 2).map(|e| e.extended(4)));
        assert_eq!(byte(0).slice(9, 4), Some(Expr::zero(4)));
    }

    #[test]
    fn only_the_low_bits_of_a_sum_have_a_form_without_helper() {
        let sum = Expr::binary(byte(0), Binary::Add, byte(1), 8);
        assert!(sum.slice(0, 4).is_some());
        assert_eq!(sum.slice(1, 4), None);
    }

    #[test]
    fn neighbouring_constants_become_one() {
        let joined = Expr::concat([Expr::constant(1u8.into(), 4), Expr::constant(2u8.into(), 4)]);
        assert_eq!(joined, Expr::constant(0x12u8.into(), 8));
    }
}
