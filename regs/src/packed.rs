// SPDX-License-Identifier: MIT OR Apache-2.0
//! Structs that are packed into 32-bit words, least significant first.

use bitvec::prelude::*;

/// A field of a packed struct.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// As in `docs/hardware.md`, and the name of the struct's member.
    pub name: &'static str,
    /// Bits from bit 0 of word 0.
    pub offset: usize,
    /// Number of bits, at most 128.
    pub width: usize,
    /// For the reference page.
    pub doc: &'static str,
}

impl Field {
    /// The field's value in the words of its struct.
    ///
    /// # Panics
    /// If the words end before the field.
    pub fn get(&self, words: &[u32]) -> u128 {
        words.view_bits::<Lsb0>()[self.offset..][..self.width].load_le()
    }

    /// Writes the field in the words of its struct; bits that do not fit are cut off.
    ///
    /// # Panics
    /// If the words end before the field.
    pub fn set(&self, words: &mut [u32], value: u128) {
        words.view_bits_mut::<Lsb0>()[self.offset..][..self.width].store_le(value);
    }

    /// The largest value that fits.
    pub const fn max(&self) -> u128 {
        u128::MAX >> (128 - self.width)
    }
}

/// Adds a field to words that are 0 there. Compiles to a shift and an or per word.
#[inline(always)]
pub(crate) fn put<const OFFSET: usize, const WIDTH: usize, const N: usize>(words: &mut [u32; N], value: u128) {
    const { assert!(WIDTH > 0 && OFFSET % 32 + WIDTH <= 128 && OFFSET + WIDTH <= 32 * N) }
    let value = (value & (u128::MAX >> (128 - WIDTH))) << (OFFSET % 32);
    for (i, word) in words[OFFSET / 32..=(OFFSET + WIDTH - 1) / 32].iter_mut().enumerate() {
        *word |= (value >> (32 * i)) as u32;
    }
}

/// Reads a field. Compiles to a shift and an and per word.
#[inline(always)]
pub(crate) fn take<const OFFSET: usize, const WIDTH: usize, const N: usize>(words: &[u32; N]) -> u128 {
    const { assert!(WIDTH > 0 && OFFSET % 32 + WIDTH <= 128 && OFFSET + WIDTH <= 32 * N) }
    let mut value = 0;
    for (i, word) in words[OFFSET / 32..=(OFFSET + WIDTH - 1) / 32].iter().enumerate() {
        value |= u128::from(*word) << (32 * i);
    }
    (value >> (OFFSET % 32)) & (u128::MAX >> (128 - WIDTH))
}

/// A type that a field can have.
pub(crate) trait FieldValue: Copy {
    const ZERO: Self;
    fn to_bits(self) -> u128;
    fn from_bits(bits: u128) -> Self;
}

macro_rules! field_value {
    ($($ty:ty),*) => {$(
        impl FieldValue for $ty {
            const ZERO: Self = 0;
            #[inline(always)]
            fn to_bits(self) -> u128 { self as u128 }
            #[inline(always)]
            fn from_bits(bits: u128) -> Self { bits as $ty }
        }
    )*};
}

field_value!(u8, u16, u32, u64, u128);

impl FieldValue for bool {
    const ZERO: Self = false;
    #[inline(always)]
    fn to_bits(self) -> u128 {
        u128::from(self)
    }
    #[inline(always)]
    fn from_bits(bits: u128) -> Self {
        bits & 1 != 0
    }
}

/// Defines a struct of native types with its packed form and its field table. A field is written
/// `name: type = first word [high bit:low bit]`, the bits counted from the first word, as in `docs/hardware.md`.
macro_rules! packed {
    (
        $(#[$meta:meta])*
        pub struct $name:ident [$words:expr], $(#[$table_meta:meta])* $vis:vis const $table:ident {
            $($(#[doc = $doc:literal])* $field:ident : $ty:ty = $word:literal [$high:literal : $low:literal],)*
        }
    ) => {
        $(#[$meta])*
        ///
        /// Bits of a member past its field's width are ignored by [`pack`](Self::pack).
        #[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { $($(#[doc = $doc])* pub $field: $ty,)* }

        $(#[$table_meta])*
        $vis const $table: &[$crate::packed::Field] = &[$($crate::packed::Field {
            name: stringify!($field),
            offset: 32 * $word + $low,
            width: $high - $low + 1,
            doc: concat!($($doc),*).trim_ascii(),
        }),*];

        impl $name {
            /// Number of 32-bit words of the packed form.
            pub const WORDS: usize = $words;
            /// Every field 0.
            pub const ZERO: Self = Self { $($field: <$ty as $crate::packed::FieldValue>::ZERO,)* };

            /// The packed form; reserved bits are 0.
            #[inline]
            pub fn pack(&self) -> [u32; $words] {
                use $crate::packed::FieldValue;
                let mut words = [0; $words];
                $($crate::packed::put::<{ 32 * $word + $low }, { $high - $low + 1 }, { $words }>(&mut words, self.$field.to_bits());)*
                words
            }

            /// From the packed form; reserved bits are not looked at.
            #[inline]
            pub fn unpack(words: &[u32; $words]) -> Self {
                use $crate::packed::FieldValue;
                Self {
                    $($field: <$ty>::from_bits($crate::packed::take::<{ 32 * $word + $low }, { $high - $low + 1 }, { $words }>(words)),)*
                }
            }
        }
    };
}
pub(crate) use packed;
