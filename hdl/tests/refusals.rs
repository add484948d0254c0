// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the emitter refuses, with the place and the reason: each of these compiles in Rust.

use millrace_hdl::base::{Dff, DffE, Tag};
use millrace_hdl::emit::{self, Reason};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// Two halves of a word.
    pub struct Pair {
        pub low: Bits<4>,
        pub high: Bits<4>,
    }
}

/// What is said of a block with the inputs `a` and `b` of 8 bits, `n` of 3 and `p` of one, the output `y` of 8, and this kernel.
macro_rules! refusal {
    ({ $($field:ident : $type:ty),* } $($kernel:tt)*) => {{
        #[millrace_hdl::block]
        #[allow(dead_code)]
        struct Refused {
            clock: Signal<In, Clock>,
            a: Signal<In, Bits<8>>,
            b: Signal<In, Bits<8>>,
            n: Signal<In, Bits<3>>,
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
    let errors = emit::verilog(&block, Some("top")).expect_err("the emitter refuses the block");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

/// That the message is of this line of this file.
fn assert_said(said: &str, line: u32, reason: &str) {
    let expected = format!("hdl/tests/refusals.rs:{line}: top (Refused), {reason}");
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

#[test]
fn an_output_that_is_not_driven_on_every_path() {
    let said = refusal!({}
        fn update(&mut self) {
            if self.p {
                self.y = self.a;
            }
        }
    );
    assert_eq!(said, "top (Refused), y: not written on every path (latch)");
}

#[test]
fn a_read_before_the_write() {
    let said = refusal!({ t: Signal<Local, Bits<8>> }
        fn update(&mut self) {
            self.y = self.t;
            self.t = self.a;
        }
    );
    assert_eq!(said, "top (Refused), t: read before it is written on every path");
}

#[test]
fn a_read_before_the_write_on_one_path() {
    let said = refusal!({ t: Signal<Local, Bits<8>> }
        fn update(&mut self) {
            self.y = self.b;
            if self.p {
                self.t = self.a;
            } else {
                self.y = self.t;
                self.t = self.b;
            }
        }
    );
    assert_eq!(said, "top (Refused), t: read before it is written on every path");
}

/// Hands a byte through.
#[millrace_hdl::block]
pub struct Buffer {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
}

#[millrace_hdl::block]
impl Buffer {
    fn update(&mut self) {
        self.y = self.a;
    }
}

#[test]
fn a_childs_input_read_between_its_assignments() {
    let said = refusal!({ buffer: Buffer }
        fn update(&mut self) {
            self.buffer.a = self.a;
            if self.buffer.a == self.b {
                self.buffer.a = !self.b;
            }
            self.y = self.buffer.y;
        }
    );
    assert_eq!(said, "top (Refused), buffer_a: a child's input is read before its last assignment: take a `let`");
}

#[test]
fn a_local_signal_that_nothing_drives() {
    let said = refusal!({ t: Signal<Local, Bits<8>> }
        fn update(&mut self) {
            self.y = self.a ^ self.t;
        }
    );
    assert_eq!(said, "top (Refused), t: never driven");
}

#[test]
fn bits_that_nothing_drives() {
    let said = refusal!({}
        fn update(&mut self) {
            self.y.set_bit(0, self.p);
            self.y.set_bit(2, self.p);
        }
    );
    assert_eq!(said, "top (Refused), y: bits never driven");
}

#[test]
fn bits_that_are_only_written_at_a_computed_place() {
    let said = refusal!({}
        fn update(&mut self) {
            self.y.set_bit(self.n, self.p);
        }
    );
    assert_eq!(said, "top (Refused), y: not written on every path (latch)");
}

#[test]
fn a_bit_past_the_end() {
    let line = line!() + 4;
    let said = refusal!({}
        fn update(&mut self) {
            self.y = self.a;
            self.y.set_bit(8, self.p);
        }
    );
    assert_said(&said, line, "y: bits 8:8 of a 8-bit value");
}

#[test]
fn a_value_with_a_sign() {
    let said = refusal!({ s: Signal<In, Signed<8>> }
        fn update(&mut self) {
            self.y = if self.s < self.s { self.a } else { self.b };
        }
    );
    assert_eq!(said, "top (Refused), s: kernels have no signed values: use `Bits`");
}

/// A register, and no clock that could be carried to it.
#[millrace_hdl::block]
struct Clockless {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
    r: Dff<Bits<8>>,
}

#[millrace_hdl::block]
impl Clockless {
    fn update(&mut self) {
        self.r = self.a;
        self.y = self.r;
    }
}

#[test]
fn a_register_without_a_clock() {
    assert_eq!(refused(Clockless::default()), "top (Clockless), r_clock: never driven");
}

/// What rust-hdl's own macro, or none, makes of a block.
#[derive(LogicBlock, Default)]
struct Foreign {
    tag: Tag<Self>,
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
    _code: Option<Verilog>,
}

impl Logic for Foreign {
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
    fn hdl(&self) -> Verilog {
        self._code.clone().unwrap_or_default()
    }
}

#[test]
fn a_block_without_a_kernel() {
    for code in [None, Some(Verilog::Combinatorial(vec![]))] {
        let said = refused(Foreign { _code: code, ..Default::default() });
        assert!(said.starts_with("top (Foreign): the block has no kernel: write `#[millrace_hdl::block]`"), "{said}");
    }
}

#[derive(LogicBlock, Default)]
struct Untagged {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
}

impl Logic for Untagged {
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @* y = a;".into())
    }
}

#[test]
fn a_block_without_a_tag() {
    let message = "top (a block without a tag): the block has no field `tag: Tag<Self>`";
    assert_eq!(refused(Untagged::default()), message);
}

#[millrace_hdl::block]
struct Latch {
    a: Signal<In, Bits<8>>,
    p: Signal<In, Bit>,
    y: Signal<Out, Bits<8>>,
}

#[millrace_hdl::block]
impl Latch {
    fn update(&mut self) {
        if self.p {
            self.y = self.a;
        }
    }
}

#[millrace_hdl::block]
struct Thrice {
    a: Signal<In, Bits<8>>,
    p: Signal<In, Bit>,
    #[count(3)]
    latch: Vec<Latch>,
}

#[millrace_hdl::block]
impl Thrice {
    fn update(&mut self) {
        for i in 0..3 {
            self.latch[i].a = self.a;
            self.latch[i].p = self.p;
        }
    }
}

#[test]
fn a_fault_of_many_instances_is_reported_once_with_the_path_of_the_first() {
    let mut block = Thrice::default();
    block.connect_all();
    let errors = emit::modules(&block, Some("top")).expect_err("a latch");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].place.path.as_str(), &errors[0].reason), ("top.latch_0", &Reason::Latch));
}

#[test]
fn faults_do_not_hide_each_other() {
    let mut block = Faulty::default();
    block.connect_all();
    let errors = emit::modules(&block, Some("top")).expect_err("two faults");
    let signals: Vec<_> = errors.iter().map(|error| error.place.signal.as_deref()).collect();
    assert_eq!(signals, [Some("y"), Some("z")]);
}

#[millrace_hdl::block]
struct Faulty {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
    z: Signal<Out, Bits<8>>,
}

#[millrace_hdl::block]
impl Faulty {
    fn update(&mut self) {
        self.y = self.a & 0x100;
        self.z = self.a + 256;
    }
}
