// SPDX-License-Identifier: MIT OR Apache-2.0
//! Expressions.

use super::super::error::{Fault, Reason};
use super::super::expr::{self, Expr};
use super::super::literal::fit;
use super::super::symbols::width;
use super::select::{shifted, with_bit_from};
use super::{Bound, Elaboration, Value};
use crate::front::tree::{self, Binary, Unary};
use num_bigint::{BigInt, BigUint};
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::HashMap;

/// The type of mere bits.
pub(super) fn bits(width: usize) -> TypeDescriptor {
    TypeDescriptor { name: format!("Bits<{width}>"), kind: TypeKind::Bits(width) }
}

fn plain(e: Expr) -> Value {
    let descriptor = bits(e.width);
    Value::Sized(e, descriptor)
}

fn bit(holds: bool) -> Value {
    plain(Expr::constant(BigUint::from(holds), 1))
}

impl Elaboration<'_> {
    /// The value of an expression. Branches in it must have a target: the caller sees to those that stand alone.
    pub(super) fn value(&mut self, e: &'static tree::Expr) -> Result<Value, Fault> {
        use tree::Expr as E;
        match e {
            E::Number(number) => Ok(Value::Number((*number).into())),
            E::Bit(holds) => Ok(bit(*holds)),
            E::Constant(index) => self.constant(*index),
            E::Path(path) => self.read(path),
            E::State(name) => self.state(name),
            E::Unary(op, inner) => self.unary(*op, inner),
            E::Binary(a, op, b) => self.binary(a, *op, b),
            E::GetBit(base, index) => {
                let base = self.sized(base)?;
                self.bit(base, index).map(plain)
            }
            E::GetBits(base, width, offset) => {
                let (base, width) = (self.sized(base)?, self.kernel.widths[*width]);
                self.select(base, offset, width).map(plain)
            }
            E::ReplaceBit(base, index, bit) => self.replace_bit(base, index, bit),
            E::Cast(inner, width) => {
                let width = self.kernel.widths[*width];
                Ok(plain(match self.value(inner)? {
                    Value::Number(number) => fit(number, width).map_err(|reason| self.fault(reason))?,
                    Value::Sized(e, _) => self.resized(e, width),
                }))
            }
            E::Pack(inner, width) => self.of_width(inner, self.kernel.widths[*width]).map(plain),
            E::Unpack(inner, type_) => {
                let descriptor = self.kernel.types[*type_].clone();
                Ok(Value::Sized(self.of_width(inner, width(&descriptor))?, descriptor))
            }
            E::Concat(parts, width) => self.concat(parts, self.kernel.widths[*width]),
            E::If(..) | E::Match(..) | E::Struct(..) => self.branching(e),
            E::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    /// As [`Elaboration::value`], of a type of hardware.
    pub(super) fn sized(&mut self, e: &'static tree::Expr) -> Result<Expr, Fault> {
        match self.value(e)? {
            Value::Sized(e, _) => Ok(e),
            Value::Number(number) => Err(self.fault(Reason::UnsizedLiteral(number.to_string()))),
        }
    }

    /// As [`Elaboration::value`], of this width.
    pub(super) fn of_width(&mut self, e: &'static tree::Expr, needed: usize) -> Result<Expr, Fault> {
        let value = self.value(e)?;
        self.fitted(value, needed)
    }

    pub(super) fn fitted(&self, value: Value, needed: usize) -> Result<Expr, Fault> {
        match value {
            Value::Number(number) => fit(number, needed).map_err(|reason| self.fault(reason)),
            Value::Sized(e, _) if e.width == needed => Ok(e),
            Value::Sized(e, descriptor) => {
                let expression = descriptor.name;
                Err(self.fault(Reason::Width { found: e.width, needed, expression }))
            }
        }
    }

    /// A number that is known when the block is built.
    pub(super) fn number(&mut self, e: &'static tree::Expr) -> Result<usize, Fault> {
        match self.value(e)? {
            Value::Number(number) => self.natural(&number),
            Value::Sized(..) => Err(self.fault(Reason::NotAConstant("a signal".into()))),
        }
    }

    /// A number that counts something.
    pub(super) fn natural(&self, number: &BigInt) -> Result<usize, Fault> {
        usize::try_from(number).map_err(|_| self.fault(Reason::NotAConstant(number.to_string())))
    }

    fn constant(&self, index: usize) -> Result<Value, Fault> {
        let constant = &self.kernel.constants[index];
        match &constant.descriptor {
            None => Ok(Value::Number(constant.value.clone())),
            Some(descriptor) => {
                let e = fit(constant.value.clone(), width(descriptor)).map_err(|reason| self.fault(reason))?;
                Ok(Value::Sized(e, descriptor.clone()))
            }
        }
    }

    fn state(&self, name: &str) -> Result<Value, Fault> {
        let id = self.symbols.find(name).ok_or_else(|| self.fault(Reason::MatchArm(name.into())))?;
        Ok(plain(self.symbols.whole(id)))
    }

    fn unary(&mut self, op: Unary, inner: &'static tree::Expr) -> Result<Value, Fault> {
        let (e, descriptor) = match self.value(inner)? {
            Value::Number(number) if op == Unary::Negate => return Ok(Value::Number(-number)),
            Value::Number(number) => return Err(self.fault(Reason::UnsizedLiteral(number.to_string()))),
            Value::Sized(e, descriptor) => (e, descriptor),
        };
        let result = Expr::unary(op, e);
        Ok(if op.is_reduction() { plain(result) } else { Value::Sized(result, descriptor) })
    }

    fn binary(&mut self, a: &'static tree::Expr, op: Binary, b: &'static tree::Expr) -> Result<Value, Fault> {
        let (x, y) = (self.value(a)?, self.value(b)?);
        if let (Value::Number(x), Value::Number(y)) = (&x, &y) {
            return computed(x, op, y).ok_or_else(|| self.fault(Reason::LiteralOperator));
        }
        if matches!(op, Binary::ShiftLeft | Binary::ShiftRight) {
            return self.shift(x, op, y);
        }
        let common = match (&x, &y) {
            (Value::Sized(e, _), _) | (_, Value::Sized(e, _)) => e.width,
            _ => return Err(self.fault(Reason::LiteralOperator)),
        };
        let (x, y) = (self.fitted(x, common)?, self.fitted(y, common)?);
        let (op, width) =
            operator(op, common).ok_or_else(|| self.fault(Reason::Unsupported(format!("{op:?} of signals"))))?;
        Ok(plain(Expr::binary(x, op, y, width)))
    }

    fn shift(&mut self, value: Value, op: Binary, amount: Value) -> Result<Value, Fault> {
        let Value::Sized(value, _) = value else { return Err(self.fault(Reason::LiteralShift)) };
        let op = if op == Binary::ShiftLeft { expr::Binary::ShiftLeft } else { expr::Binary::ShiftRight };
        let width = value.width;
        Ok(plain(match amount {
            Value::Sized(amount, _) => Expr::binary(value, op, amount, width),
            Value::Number(amount) => shifted(value, op, usize::try_from(&amount).unwrap_or(width)),
        }))
    }

    fn concat(&mut self, parts: &'static [tree::Expr], needed: usize) -> Result<Value, Fault> {
        let parts = parts.iter().map(|part| self.sized(part)).collect::<Result<Vec<_>, _>>()?;
        self.fitted(plain(Expr::concat(parts)), needed).map(plain)
    }

    fn bit(&mut self, base: Expr, index: &'static tree::Expr) -> Result<Expr, Fault> {
        match self.value(index)? {
            Value::Number(_) => self.select(base, index, 1),
            Value::Sized(..) if base.width == 1 => Ok(base),
            Value::Sized(index, _) => Ok(self.bit_from(base, index)),
        }
    }

    fn select(&mut self, base: Expr, offset: &'static tree::Expr, width: usize) -> Result<Expr, Fault> {
        match self.value(offset)? {
            Value::Number(offset) => {
                let low = self.natural(&offset)?;
                self.bits_at(base, low, width).map_err(|reason| self.fault(reason))
            }
            Value::Sized(offset, _) => Ok(self.bits_from(base, offset, width)),
        }
    }

    fn replace_bit(
        &mut self,
        base: &'static tree::Expr,
        index: &'static tree::Expr,
        bit: &'static tree::Expr,
    ) -> Result<Value, Fault> {
        let (base, bit) = (self.sized(base)?, self.of_width(bit, 1)?);
        match self.value(index)? {
            Value::Number(at) => {
                let at = self.natural(&at)?;
                self.with_bit_at(base, at, bit).map(plain).map_err(|reason| self.fault(reason))
            }
            Value::Sized(index, _) => Ok(plain(with_bit_from(base, index, bit))),
        }
    }

    /// A function becomes a part of the kernel: its parameters stand for the arguments.
    fn call(&mut self, function: usize, arguments: &'static [tree::Expr]) -> Result<Value, Fault> {
        let function = &self.kernel.calls[function];
        let mut parameters = HashMap::new();
        for (name, argument) in function.parameters.iter().zip(arguments) {
            let value = match self.value(argument)? {
                Value::Sized(e, descriptor) if !e.is_simple() => Value::Sized(self.helper(e), descriptor),
                value => value,
            };
            parameters.insert((*name).to_owned(), Bound::Value(value));
        }
        let result = function.result.expect("a function has a value");
        let (caller, names) = (self.kernel, std::mem::replace(&mut self.names, vec![parameters]));
        self.kernel = function;
        let value = self.block(function.body).and_then(|()| self.value(result));
        (self.kernel, self.names) = (caller, names);
        value
    }
}

/// The operator, and the width of what it gives on operands of `common` bits.
fn operator(op: Binary, common: usize) -> Option<(expr::Binary, usize)> {
    use expr::Binary as B;
    Some(match op {
        Binary::Add => (B::Add, common),
        Binary::Sub => (B::Sub, common),
        Binary::And => (B::And, common),
        Binary::Or => (B::Or, common),
        Binary::Xor => (B::Xor, common),
        Binary::LogicalAnd => (B::LogicalAnd, 1),
        Binary::LogicalOr => (B::LogicalOr, 1),
        Binary::Equal => (B::Equal, 1),
        Binary::NotEqual => (B::NotEqual, 1),
        Binary::Less => (B::Less, 1),
        Binary::LessEqual => (B::LessEqual, 1),
        Binary::Greater => (B::Greater, 1),
        Binary::GreaterEqual => (B::GreaterEqual, 1),
        _ => return None,
    })
}

/// Of two numbers.
fn computed(x: &BigInt, op: Binary, y: &BigInt) -> Option<Value> {
    let shift = || u32::try_from(y).ok();
    let zero = BigInt::default();
    Some(match op {
        Binary::Add => Value::Number(x + y),
        Binary::Sub => Value::Number(x - y),
        Binary::Mul => Value::Number(x * y),
        Binary::Div if *y != zero => Value::Number(x / y),
        Binary::Rem if *y != zero => Value::Number(x % y),
        Binary::ShiftLeft => Value::Number(x << shift()?),
        Binary::ShiftRight => Value::Number(x >> shift()?),
        Binary::And => Value::Number(x & y),
        Binary::Or => Value::Number(x | y),
        Binary::Xor => Value::Number(x ^ y),
        Binary::Equal => bit(x == y),
        Binary::NotEqual => bit(x != y),
        Binary::Less => bit(x < y),
        Binary::LessEqual => bit(x <= y),
        Binary::Greater => bit(x > y),
        Binary::GreaterEqual => bit(x >= y),
        _ => return None,
    })
}
