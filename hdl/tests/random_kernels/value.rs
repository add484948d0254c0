// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values of random kernels, computed by rust-hdl's own `Bits`: what the Rust simulator would compute.

use num_bigint::BigUint;
use rust_hdl_core::prelude::*;

/// A value of one of the widths that random kernels use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Bit(bool),
    W8(Bits<8>),
    W16(Bits<16>),
    W40(Bits<40>),
}

use Value::{Bit, W8, W16, W40};

/// The same operation on a value of any width.
macro_rules! each {
    ($value:expr, $x:ident => $result:expr) => {
        match $value {
            W8($x) => W8($result),
            W16($x) => W16($result),
            W40($x) => W40($result),
            Bit(_) => unreachable!("a bit has operators of its own"),
        }
    };
}

/// A result that is a bit for a value of any width.
macro_rules! to_bit {
    ($value:expr, $x:ident => $result:expr) => {
        Bit(match $value {
            W8($x) => $result,
            W16($x) => $result,
            W40($x) => $result,
            Bit(_) => unreachable!("a bit has operators of its own"),
        })
    };
}

/// The same operation on two values of one width.
macro_rules! both {
    ($a:expr, $b:expr, $x:ident, $y:ident => $result:expr, $wrap:ident) => {
        match ($a, $b) {
            (W8($x), W8($y)) => $wrap!(W8, $result),
            (W16($x), W16($y)) => $wrap!(W16, $result),
            (W40($x), W40($y)) => $wrap!(W40, $result),
            (a, b) => unreachable!("operands {a:?} and {b:?}"),
        }
    };
}

macro_rules! same {
    ($kind:ident, $result:expr) => {
        $kind($result)
    };
}

macro_rules! bit {
    ($kind:ident, $result:expr) => {
        Bit($result)
    };
}

/// An operator on two values of the same width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operator {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug)]
pub enum Reduction {
    Any,
    All,
    Xor,
}

impl Value {
    pub fn new(value: u64, width: usize) -> Self {
        match width {
            1 => Bit(value & 1 == 1),
            8 => W8((value & 0xff).into()),
            16 => W16((value & 0xffff).into()),
            40 => W40((value & 0xff_ffff_ffff).into()),
            _ => unreachable!("no width of random kernels"),
        }
    }

    pub fn number(self) -> BigUint {
        match self {
            Bit(x) => u8::from(x).into(),
            W8(x) => x.to_u64().into(),
            W16(x) => x.to_u64().into(),
            W40(x) => x.to_u64().into(),
        }
    }

    pub fn is_set(self) -> bool {
        self == Bit(true)
    }

    pub fn not(self) -> Self {
        match self {
            Bit(x) => Bit(!x),
            _ => each!(self, x => !x),
        }
    }

    pub fn apply(self, op: Operator, other: Self) -> Self {
        if let (Bit(a), Bit(b)) = (self, other) {
            return Bit(match op {
                Operator::And => a & b,
                Operator::Or => a | b,
                _ => a ^ b,
            });
        }
        match op {
            Operator::Add => both!(self, other, x, y => x + y, same),
            Operator::Sub => both!(self, other, x, y => x - y, same),
            Operator::And => both!(self, other, x, y => x & y, same),
            Operator::Or => both!(self, other, x, y => x | y, same),
            Operator::Xor => both!(self, other, x, y => x ^ y, same),
            Operator::Eq => both!(self, other, x, y => x == y, bit),
            Operator::Ne => both!(self, other, x, y => x != y, bit),
            Operator::Lt => both!(self, other, x, y => x < y, bit),
            Operator::Le => both!(self, other, x, y => x <= y, bit),
            Operator::Gt => both!(self, other, x, y => x > y, bit),
            Operator::Ge => both!(self, other, x, y => x >= y, bit),
        }
    }

    pub fn shift(self, left: bool, amount: u64) -> Self {
        if left { each!(self, x => x << amount) } else { each!(self, x => x >> amount) }
    }

    pub fn cast(self, width: usize) -> Self {
        self.slice(0, width)
    }

    /// `get_bits`, or `bit_cast` from bit 0.
    pub fn slice(self, low: usize, width: usize) -> Self {
        match (self, width) {
            (W8(x), 8) => W8(x.get_bits(low)),
            (W8(x), 16) => W16(bit_cast(x.get_bits::<8>(low))),
            (W8(x), 40) => W40(bit_cast(x.get_bits::<8>(low))),
            (W16(x), 8) => W8(x.get_bits(low)),
            (W16(x), 16) => W16(x.get_bits(low)),
            (W16(x), 40) => W40(bit_cast(x.get_bits::<16>(low))),
            (W40(x), 8) => W8(x.get_bits(low)),
            (W40(x), 16) => W16(x.get_bits(low)),
            (W40(x), 40) => W40(x.get_bits(low)),
            _ => unreachable!("{width} bits of {self:?}"),
        }
    }

    pub fn bit(self, index: usize) -> Self {
        to_bit!(self, x => x.get_bit(index))
    }

    pub fn replace(self, index: usize, bit: bool) -> Self {
        each!(self, x => x.replace_bit(index, bit))
    }

    pub fn reduce(self, reduction: Reduction) -> Self {
        match reduction {
            Reduction::Any => to_bit!(self, x => x.any()),
            Reduction::All => to_bit!(self, x => x.all()),
            Reduction::Xor => to_bit!(self, x => x.xor()),
        }
    }
}
