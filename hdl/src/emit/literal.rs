// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers: those of rust-hdl, and as constants of a width.

use super::error::Reason;
use super::expr::Expr;
use num_bigint::{BigInt, BigUint};
use rust_hdl_core::ast::VerilogLiteral;

/// The value of a literal, whose fields rust-hdl keeps private; zero if it is negative.
pub fn literal_value(literal: &VerilogLiteral) -> BigUint {
    let text = format!("{literal:x}");
    let (_, digits) = text.split_once("'h").expect("rust-hdl prints literals as width'hdigits");
    let value = BigInt::parse_bytes(digits.as_bytes(), 16).expect("rust-hdl prints hex digits");
    value.to_biguint().unwrap_or_default()
}

/// A number as a constant of `width` bits; a negative one in two's complement.
pub(super) fn fit(value: BigInt, width: usize) -> Result<Expr, Reason> {
    let limit = BigInt::from(1) << width;
    let unsigned = if value < BigInt::default() { &limit + &value } else { value.clone() };
    match unsigned.to_biguint() {
        Some(bits) if bits.bits() as usize <= width => Ok(Expr::constant(bits, width)),
        _ => Err(Reason::LiteralTooWide { value: value.to_string(), width }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_hdl_core::prelude::Bits;

    #[test]
    fn literals_of_any_width_keep_their_value() {
        let wide = (BigUint::from(1u8) << 1000u32) + 5u8;
        assert_eq!(literal_value(&Bits::<1001>::from(wide.clone()).into()), wide);
        assert_eq!(literal_value(&12i32.into()), 12u8.into());
        assert_eq!(literal_value(&true.into()), 1u8.into());
        assert_eq!(literal_value(&(-3i32).into()), 0u8.into());
    }

    #[test]
    fn a_number_fits_or_is_refused() {
        assert_eq!(fit(255.into(), 8), Ok(Expr::constant(255u8.into(), 8)));
        assert_eq!(fit((-1).into(), 8), Ok(Expr::constant(255u8.into(), 8)));
        assert_eq!(fit(256.into(), 8), Err(Reason::LiteralTooWide { value: "256".into(), width: 8 }));
        assert_eq!(fit((-300).into(), 8), Err(Reason::LiteralTooWide { value: "-300".into(), width: 8 }));
    }
}
