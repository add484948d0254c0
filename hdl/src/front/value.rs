// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values in kernels: Rust's numbers beside hardware's, casts and concatenation.

use crate::emit::literal_value;
use num_bigint::{BigInt, BigUint};
use rust_hdl_core::prelude::{Bits, Synth, TypeDescriptor, bit_cast};

/// A constant of Rust, for the emitter: its value, and its type unless it is a mere number.
#[derive(Clone, Debug)]
pub struct Constant {
    pub value: BigInt,
    pub descriptor: Option<TypeDescriptor>,
}

/// What can stand in a kernel as a constant.
pub trait Fixed {
    /// It, for the emitter.
    fn constant(self) -> Constant;
}

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Fixed for $number {
            fn constant(self) -> Constant {
                Constant { value: self.into(), descriptor: None }
            }
        }
        impl<const N: usize> Fit<Bits<N>> for $number {
            fn fit(self) -> Bits<N> {
                let wrapped: BigInt = BigInt::from(self) & ((BigInt::from(1) << N) - 1);
                Bits::from(BigUint::try_from(wrapped).expect("an `and` with a positive number is positive"))
            }
        }
        impl Amount for $number {
            fn amount(self) -> u64 {
                u64::try_from(self).expect("amounts of shifts are not negative")
            }
        }
    )* };
}

numbers!(i32 u32 u64 usize);

impl<const N: usize> Fixed for Bits<N> {
    fn constant(self) -> Constant {
        synth(self)
    }
}

impl Fixed for bool {
    fn constant(self) -> Constant {
        synth(self)
    }
}

/// A constant with a type of hardware.
pub fn synth<T: Synth>(value: T) -> Constant {
    Constant { value: literal_value(&value.verilog()).into(), descriptor: Some(T::descriptor()) }
}

/// Of constants: what takes the type that is wanted where it stands.
pub trait Fit<T> {
    fn fit(self) -> T;
}

impl<T> Fit<T> for T {
    fn fit(self) -> T {
        self
    }
}

/// A constant as what is wanted here.
pub fn fit<T, C: Fit<T>>(constant: C) -> T {
    constant.fit()
}

/// A constant as the operand beside it.
pub fn like<T, C: Fit<T>>(_: &T, constant: C) -> T {
    constant.fit()
}

/// How far to shift.
pub trait Amount {
    fn amount(self) -> u64;
}

/// How far to shift.
pub fn amount(amount: impl Amount) -> u64 {
    amount.amount()
}

/// Bits or a bit.
pub trait Part {
    const WIDTH: usize;
    fn widened<const M: usize>(self) -> Bits<M>;
}

impl<const N: usize> Part for Bits<N> {
    const WIDTH: usize = N;
    fn widened<const M: usize>(self) -> Bits<M> {
        bit_cast(self)
    }
}

impl Part for bool {
    const WIDTH: usize = 1;
    fn widened<const M: usize>(self) -> Bits<M> {
        bit_cast(Bits::<1>::from(self))
    }
}

/// As many bits as `M` says: cut at the top, or zeros put before.
pub fn cast<const M: usize, P: Part>(value: P) -> Bits<M> {
    value.widened()
}

/// A struct of [`wire_struct!`](crate::wire_struct), or what it is made of: from its bits, the first field's lowest.
pub trait Packed: Synth {
    /// The lowest of the bits as this type.
    fn unpacked(bits: &BigUint) -> Self;

    /// One of its bits, also of a struct of which no field is known.
    ///
    /// # Panics
    /// If it does not have so many.
    fn get_bit(self, index: usize) -> bool;
}

impl<const N: usize> Packed for Bits<N> {
    fn unpacked(bits: &BigUint) -> Self {
        (bits & ((BigUint::from(1u8) << N) - 1u8)).into()
    }
    fn get_bit(self, index: usize) -> bool {
        Bits::get_bit(&self, index)
    }
}

impl Packed for bool {
    fn unpacked(bits: &BigUint) -> Self {
        bits.bit(0)
    }
    fn get_bit(self, index: usize) -> bool {
        assert!(index == 0, "a bit has no bit {index}");
        self
    }
}

/// The bits of a struct.
///
/// # Panics
/// If it does not have `M` bits.
pub fn pack<const M: usize, T: Packed>(value: T) -> Bits<M> {
    assert!(T::BITS == M, "a struct of {} bits is not {M}", T::BITS);
    literal_value(&value.verilog()).into()
}

/// Bits as a struct.
///
/// # Panics
/// If the struct does not have `M` bits.
pub fn unpack<T: Packed, const M: usize>(bits: Bits<M>) -> T {
    assert!(T::BITS == M, "{M} bits are not a struct of {}", T::BITS);
    T::unpacked(&bits.into())
}

/// Parts side by side, the most significant first.
#[derive(Default)]
pub struct Concat<const M: usize> {
    value: Bits<M>,
    width: usize,
}

impl<const M: usize> Concat<M> {
    #[must_use]
    pub fn push<P: Part>(self, part: P) -> Self {
        Concat { value: (self.value << P::WIDTH as u64) | part.widened(), width: self.width + P::WIDTH }
    }

    /// # Panics
    /// If the parts do not have `M` bits together.
    pub fn value(self) -> Bits<M> {
        assert!(self.width == M, "parts of {} bits make up {M}", self.width);
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_width_they_are_wanted_in() {
        assert_eq!(fit::<Bits<8>, _>(300), Bits::<8>::from(44u64));
        assert_eq!(fit::<Bits<8>, _>(-1), Bits::<8>::from(255u64));
        assert!(fit::<bool, _>(true));
    }

    #[test]
    fn parts_stand_side_by_side() {
        let joined = Concat::<13>::default().push(Bits::<8>::from(0xabu64)).push(true).push(Bits::<4>::from(5u64));
        assert_eq!(joined.value(), Bits::<13>::from(0xabu64 << 5 | 1 << 4 | 5));
    }

    #[test]
    #[should_panic(expected = "parts of 8 bits make up 9")]
    fn parts_that_do_not_fill_the_width_are_refused() {
        Concat::<9>::default().push(Bits::<8>::default()).value();
    }
}
