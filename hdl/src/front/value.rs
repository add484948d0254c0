// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values in kernels: Rust's numbers beside hardware's, casts and concatenation.

use crate::emit::literal_value;
use num_bigint::BigInt;
use rust_hdl_core::prelude::{Bits, Synth, TypeDescriptor, bit_cast};

/// rust-hdl holds so many bits as one number, more as single bits.
const SHORT: u64 = 32;

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
            #[inline]
            fn fit(self) -> Bits<N> {
                two_s_complement(self as i128)
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

impl<const N: usize> Amount for Bits<N> {
    fn amount(self) -> u64 {
        self.to_u64()
    }
}

/// A number of at most 64 bits, cut to `N`.
#[inline]
fn two_s_complement<const N: usize>(number: i128) -> Bits<N> {
    if number < 0 { !low_bits((!number) as u64) } else { low_bits(number as u64) }
}

/// The lowest `N` bits.
#[inline]
fn low_bits<const N: usize>(number: u64) -> Bits<N> {
    Bits::from(if N < 64 { number & ((1 << N) - 1) } else { number })
}

/// `value << by`
#[inline]
pub fn shift_left<const N: usize>(value: Bits<N>, by: u64) -> Bits<N> {
    match value {
        // rust-hdl's own goes through numbers of any size.
        Bits::Short(bits) => low_bits(if by < SHORT { u64::from(bits.short()) << by } else { 0 }),
        Bits::Long(_) => value << by,
    }
}

/// `value >> by`
#[inline]
pub fn shift_right<const N: usize>(value: Bits<N>, by: u64) -> Bits<N> {
    match value {
        Bits::Short(bits) => low_bits(if by < SHORT { u64::from(bits.short()) >> by } else { 0 }),
        Bits::Long(_) => value >> by,
    }
}

/// `M` bits from the bit `low` on; those above the top are zeros.
///
/// # Panics
/// If it begins above the top.
#[inline]
pub fn get_bits<const M: usize, const N: usize>(value: Bits<N>, low: usize) -> Bits<M> {
    assert!(low <= N, "{N} bits end below bit {low}");
    match value {
        Bits::Short(_) => bit_cast(shift_right(value, low as u64)),
        Bits::Long(bits) if M <= 64 => {
            let found = (low..N.min(low + M)).rev();
            low_bits(found.fold(0, |number, index| number << 1 | u64::from(bits.get_bit(index))))
        }
        Bits::Long(bits) => {
            let mut found = [false; M];
            (low..N.min(low + M)).for_each(|index| found[index - low] = bits.get_bit(index));
            Bits::Long(found.into())
        }
    }
}

/// Bits, the lowest first.
fn of_bits<const N: usize>(bits: [bool; N]) -> Bits<N> {
    if N <= SHORT as usize {
        low_bits(bits.iter().rev().fold(0, |number, bit| number << 1 | u64::from(*bit)))
    } else {
        Bits::Long(bits.into())
    }
}

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
pub trait Part: Packed {
    fn widened<const M: usize>(self) -> Bits<M>;
}

impl<const N: usize> Part for Bits<N> {
    fn widened<const M: usize>(self) -> Bits<M> {
        bit_cast(self)
    }
}

impl Part for bool {
    fn widened<const M: usize>(self) -> Bits<M> {
        bit_cast(Bits::<1>::from(self))
    }
}

/// As many bits as `M` says: cut at the top, or zeros put before.
pub fn cast<const M: usize, P: Part>(value: P) -> Bits<M> {
    value.widened()
}

/// A struct of [`wire_struct!`](crate::wire_struct), or what it is made of.
pub trait Packed: Synth {
    /// Writes its bits, the first field's lowest, which come first.
    fn pack(self, bits: &mut [bool]);

    /// What has these bits.
    fn unpacked(bits: &[bool]) -> Self;

    /// One of its bits, also of a struct of which no field is known.
    ///
    /// # Panics
    /// If it does not have so many.
    fn get_bit(self, index: usize) -> bool;
}

impl<const N: usize> Packed for Bits<N> {
    fn pack(self, bits: &mut [bool]) {
        match self {
            Bits::Short(value) => bits.iter_mut().enumerate().for_each(|(index, bit)| *bit = value.get_bit(index)),
            Bits::Long(value) => bits.iter_mut().enumerate().for_each(|(index, bit)| *bit = value.get_bit(index)),
        }
    }
    fn unpacked(bits: &[bool]) -> Self {
        of_bits(bits.try_into().expect("so many bits"))
    }
    fn get_bit(self, index: usize) -> bool {
        Bits::get_bit(&self, index)
    }
}

impl Packed for bool {
    fn pack(self, bits: &mut [bool]) {
        bits[0] = self;
    }
    fn unpacked(bits: &[bool]) -> Self {
        bits[0]
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
    let mut bits = [false; M];
    value.pack(&mut bits);
    of_bits(bits)
}

/// Bits as a struct.
///
/// # Panics
/// If the struct does not have `M` bits.
pub fn unpack<T: Packed, const M: usize>(value: Bits<M>) -> T {
    assert!(T::BITS == M, "{M} bits are not a struct of {}", T::BITS);
    let mut bits = [false; M];
    value.pack(&mut bits);
    T::unpacked(&bits)
}

/// Parts side by side, the most significant first.
pub struct Concat<const M: usize> {
    bits: [bool; M],
    width: usize,
}

impl<const M: usize> Default for Concat<M> {
    fn default() -> Self {
        Concat { bits: [false; M], width: 0 }
    }
}

impl<const M: usize> Concat<M> {
    /// # Panics
    /// If the parts have more than `M` bits.
    #[must_use]
    pub fn push<P: Part>(mut self, part: P) -> Self {
        let top = M - self.width;
        assert!(P::BITS <= top, "{} bits do not fit below {} into {M}", P::BITS, self.width);
        part.pack(&mut self.bits[top - P::BITS..top]);
        self.width += P::BITS;
        self
    }

    /// # Panics
    /// If the parts do not have `M` bits together.
    pub fn value(self) -> Bits<M> {
        assert!(self.width == M, "parts of {} bits make up {M}", self.width);
        of_bits(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_width_they_are_wanted_in() {
        assert_eq!(fit::<Bits<8>, _>(300), Bits::<8>::from(44u64));
        assert_eq!(fit::<Bits<8>, _>(-1), Bits::<8>::from(255u64));
        assert_eq!(fit::<Bits<70>, _>(-2), !Bits::<70>::from(1u64));
        assert_eq!(fit::<Bits<64>, _>(u64::MAX), Bits::<64>::mask());
        assert!(fit::<bool, _>(true));
    }

    #[test]
    fn shifts_and_slices_are_those_of_rust_hdl() {
        fn check<const N: usize>() {
            let value = (0..N).fold(Bits::<N>::default(), |value, i| value.replace_bit(i, i % 3 == 0 || i % 7 == 2));
            for by in (0..=N).chain([63, 64, 200]) {
                assert_eq!(shift_left(value, by as u64), value << by as u64, "{N} << {by}");
                assert_eq!(shift_right(value, by as u64), value >> by as u64, "{N} >> {by}");
            }
            for low in 0..=N {
                assert_eq!(get_bits::<1, N>(value, low), value.get_bits::<1>(low), "{N} from {low}");
                assert_eq!(get_bits::<32, N>(value, low), value.get_bits::<32>(low), "{N} from {low}");
                assert_eq!(get_bits::<33, N>(value, low), value.get_bits::<33>(low), "{N} from {low}");
                assert_eq!(get_bits::<64, N>(value, low), value.get_bits::<64>(low), "{N} from {low}");
                assert_eq!(get_bits::<65, N>(value, low), value.get_bits::<65>(low), "{N} from {low}");
            }
        }
        check::<1>();
        check::<31>();
        check::<32>();
        check::<33>();
        check::<64>();
        check::<100>();
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
