// SPDX-License-Identifier: MIT OR Apache-2.0
//! Structs on a wire whose widths are const generics.

/// Defines a packed struct that travels on a signal or lives in a RAM, like rust-hdl's `#[derive(LogicStruct)]`, but
/// with const generics allowed. The first field holds the least significant bits.
#[macro_export]
macro_rules! wire_struct {
    ($(#[$meta:meta])* pub struct $name:ident $(<$(const $g:ident : usize),* $(,)?>)? {
        $($(#[$fmeta:meta])* pub $field:ident : $ty:ty),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, Default, PartialEq)]
        pub struct $name $(<$(const $g: usize),*>)? { $($(#[$fmeta])* pub $field: $ty),* }

        impl $(<$(const $g: usize),*>)? $crate::front::value::Fixed for $name $(<$($g),*>)? {
            fn constant(self) -> $crate::front::value::Constant {
                $crate::front::value::synth(self)
            }
        }

        impl $(<$(const $g: usize),*>)? $crate::front::value::Packed for $name $(<$($g),*>)? {
            fn pack(self, bits: &mut [bool]) {
                $(
                    let (own, bits) = bits.split_at_mut(<$ty as $crate::__private::Synth>::BITS);
                    $crate::front::value::Packed::pack(self.$field, own);
                )*
                let _ = bits;
            }
            fn unpacked(bits: &[bool]) -> Self {
                $(
                    let (own, bits) = bits.split_at(<$ty as $crate::__private::Synth>::BITS);
                    let $field = $crate::front::value::Packed::unpacked(own);
                )*
                let _ = bits;
                Self { $($field),* }
            }
            fn get_bit(self, index: usize) -> bool {
                let below = 0;
                $(
                    let bits = <$ty as $crate::__private::Synth>::BITS;
                    if index - below < bits {
                        return $crate::front::value::Packed::get_bit(self.$field, index - below);
                    }
                    let below = below + bits;
                )*
                panic!("a struct of {below} bits has no bit {index}")
            }
        }

        impl $(<$(const $g: usize),*>)? $crate::__private::Synth for $name $(<$($g),*>)? {
            const BITS: usize = 0 $(+ <$ty as $crate::__private::Synth>::BITS)*;
            fn descriptor() -> $crate::__private::TypeDescriptor {
                $crate::__private::TypeDescriptor {
                    name: stringify!($name).to_string(),
                    kind: $crate::__private::TypeKind::Composite(vec![$(Box::new($crate::__private::TypeField {
                        fieldname: stringify!($field).to_string(),
                        kind: <$ty as $crate::__private::Synth>::descriptor(),
                    })),*]),
                }
            }
            fn vcd(self) -> $crate::__private::VCDValue {
                $crate::__private::VCDValue::Composite(vec![$(Box::new($crate::__private::Synth::vcd(self.$field))),*])
            }
            fn verilog(self) -> $crate::__private::VerilogLiteral {
                $crate::__private::concat_literals(&[$(
                    ($crate::__private::Synth::verilog(self.$field), <$ty as $crate::__private::Synth>::BITS)
                ),*])
            }
        }
    };
}
