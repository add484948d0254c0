// SPDX-License-Identifier: MIT OR Apache-2.0
//! What kernels become in Verilog.

use crate::base::{DffR, Reg};
use crate::testing::emit;
use crate::wire_struct;
use rust_hdl_core::prelude::*;

/// The Verilog of a block with the inputs `a` of 8 bits, `n` of 4 and `p` of one, the output `y` of 8, and this kernel.
macro_rules! verilog {
    ({ $($field:ident : $type:ty),* } $($kernel:tt)*) => {{
        #[millrace_hdl::block]
        struct Made {
            a: Signal<In, Bits<8>>,
            n: Signal<In, Bits<4>>,
            p: Signal<In, Bit>,
            y: Signal<Out, Bits<8>>,
            $($field: $type),*
        }
        #[millrace_hdl::block]
        impl Made {
            $($kernel)*
        }
        emit(Made::default())
    }};
}

/// That the Verilog has this line.
fn assert_has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found.trim() == line), "no line `{line}` in\n{text}");
}

#[test]
fn loops_are_unrolled_and_their_conditions_decided() {
    let text = verilog!({}
        fn update(&mut self) {
            self.y = self.a;
            for i in 0..4 {
                if i == 1 {
                    self.y = self.a + i;
                }
            }
        }
    );
    assert_has(&text, "y = a + 8'd1;");
    assert!(!text.contains("if ("), "{text}");
}

/// Inverts, or not.
#[millrace_hdl::block]
struct Inverter {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
    _inverts: bool,
}

#[millrace_hdl::block]
impl Inverter {
    fn update(&mut self) {
        self.y = if self._inverts { !self.a } else { self.a };
    }
}

#[test]
fn a_condition_on_plain_rust_is_decided() {
    assert_has(&emit(Inverter::default()), "assign y = a;");
    assert_has(&emit(Inverter { _inverts: true, ..Default::default() }), "assign y = ~a;");
}

#[test]
fn a_loop_variable_may_have_the_name_of_a_signal() {
    let text = verilog!({ i: Signal<In, Bits<8>> }
        fn update(&mut self) {
            let mut sum = self.i;
            for i in 2..3 {
                sum = self.i + i;
            }
            self.y = sum;
        }
    );
    assert!(text.contains("i + 8'd2"), "{text}");
}

#[test]
fn a_number_takes_the_width_of_its_neighbour() {
    const LIMIT: u64 = 5;
    let text = verilog!({}
        fn update(&mut self) {
            self.y = self.a + LIMIT;
        }
    );
    assert_has(&text, "assign y = a + 8'd5;");
}

#[test]
fn a_constant_with_a_width_can_be_shifted() {
    let text = verilog!({}
        fn update(&mut self) {
            self.y = Bits::<8>::from(1u64) << self.n;
        }
    );
    assert_has(&text, "assign y = 8'd1 << n;");
}

#[test]
fn a_shift_by_a_number_is_a_concatenation() {
    let text = verilog!({}
        fn update(&mut self) {
            self.y = self.a << 3;
        }
    );
    assert_has(&text, "assign y = {a[4:0], 3'd0};");
}

#[test]
fn a_computed_bit_is_selected_by_an_index_of_the_right_width() {
    let text = verilog!({ bit: Signal<Out, Bit> }
        fn update(&mut self) {
            self.bit = self.a.get_bit(self.n);
            self.y = self.a;
        }
    );
    assert_has(&text, "assign bit_ = a[n[2:0]];");
}

#[test]
fn setting_a_bit_writes_that_bit_alone() {
    let text = verilog!({}
        fn update(&mut self) {
            self.y = self.a;
            self.y.set_bit(2, self.p);
            self.y.set_bit(self.n, self.p);
        }
    );
    assert_has(&text, "y[2] = p;");
    assert_has(&text, "y[n[2:0]] = p;");
}

#[test]
fn a_remark_stands_in_the_verilog_on_one_line() {
    let text = verilog!({}
        fn update(&mut self) {
            comment!("why
                      so");
            self.y = self.a;
        }
    );
    assert_has(&text, "// why so");
}

wire_struct! {
    /// Fields that are named as ports of registers are.
    pub struct Ports {
        pub reset: Bit,
        pub en: Bit,
        pub d: Bits<8>,
    }
}

#[millrace_hdl::block]
struct Kept {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    a: Signal<In, Ports>,
    y: Signal<Out, Bits<8>>,
    kept: DffR<Ports>,
    held: Reg<Ports>,
}

#[millrace_hdl::block]
impl Kept {
    fn update(&mut self) {
        self.kept = self.a;
        if self.a.en {
            self.held = self.kept;
        }
        self.y = if self.kept.reset & self.held.en { self.held.d } else { self.kept.d };
    }
}

#[test]
fn what_is_read_behind_a_register_is_of_its_value_even_if_it_is_named_as_a_port() {
    let text = emit(Kept::default());
    for part in ["kept[PORTS_RESET] & held[PORTS_EN]", "held[PORTS_D +: 8]", "kept[PORTS_D +: 8]"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}
