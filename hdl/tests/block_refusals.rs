// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the emitter refuses in the kernel of a `block`, with file and line: each of these compiles in Rust.

use millrace_hdl::base::{Dff, DffE};
use millrace_hdl::{emit, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// Two halves of a word.
    pub struct Pair {
        pub low: Bits<4>,
        pub high: Bits<4>,
    }
}

/// What is said of a block with the inputs `a` and `b` of 8 bits and `p` of one, the output `y` of 8, and this kernel.
macro_rules! refusal {
    ({ $($field:ident : $type:ty),* } $($kernel:tt)*) => {{
        #[millrace_hdl::block]
        #[allow(dead_code)]
        struct Refused {
            clock: Signal<In, Clock>,
            a: Signal<In, Bits<8>>,
            b: Signal<In, Bits<8>>,
            p: Signal<In, Bit>,
            y: Signal<Out, Bits<8>>,
            $($field: $type),*
        }
        #[millrace_hdl::block]
        impl Refused {
            $($kernel)*
        }
        refused(Refused::default())
    }};
}

/// The only error of a block.
fn refused(mut block: impl Block) -> String {
    block.connect_all();
    let errors = emit::verilog(&block, Some("top")).expect_err("the emitter refuses the kernel");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

/// That the message is of this line of this file.
fn assert_said(said: &str, line: u32, reason: &str) {
    let expected = format!("hdl/tests/block_refusals.rs:{line}: top (Refused), {reason}");
    assert!(said.starts_with(&expected), "{said}\n{expected}");
}

#[test]
fn parts_that_do_not_fill_the_width() {
    let line = line!() + 3;
    let said = refusal!({}
        fn update(&mut self) {
            self.y = concat::<8>(self.a.get_bits::<4>(0), self.p);
        }
    );
    assert_said(&said, line, "y: 5 bits where 8 are needed");
}

#[test]
fn a_number_that_does_not_fit() {
    let line = line!() + 4;
    let said = refusal!({}
        fn update(&mut self) {
            let sum = self.a + self.b;
            self.y = sum + 256;
        }
    );
    assert_said(&said, line, "y: literal 256 does not fit 8 bits");
}

#[test]
fn a_slice_past_the_end() {
    let line = line!() + 4;
    let said = refusal!({}
        fn update(&mut self) {
            self.y = self.b;
            let high = self.a.get_bits::<4>(6);
            self.y = cast::<8>(high);
        }
    );
    assert_said(&said, line, "high: bits 9:6 of a 8-bit value");
}

#[test]
fn a_struct_whose_fields_read_each_other() {
    let line = line!() + 4;
    let said = refusal!({}
        fn update(&mut self) {
            let mut pair: Pair = Pair { low: self.a.get_bits::<4>(0), high: self.a.get_bits::<4>(4) };
            pair = Pair { low: pair.high, high: pair.low };
            self.y = concat::<8>(pair.high, pair.low);
        }
    );
    assert_said(&said, line, "pair: a field of this struct reads what another has changed before it");
}

#[test]
fn a_register_without_enable_that_is_not_loaded_on_every_path() {
    let said = refusal!({ r: Dff<Bits<8>> }
        fn update(&mut self) {
            if self.p {
                self.r = self.a;
            }
            self.y = self.r;
        }
    );
    assert_eq!(said, "top (Refused), r_d: not written on every path (latch)");
}

#[test]
fn an_output_that_nothing_drives() {
    let said = refusal!({ r: DffE<Bits<8>> }
        fn update(&mut self) {
            if self.p {
                self.r = self.a;
            }
        }
    );
    assert_eq!(said, "top (Refused), y: never driven");
}
