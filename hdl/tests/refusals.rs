// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the emitter refuses, with the place and the reason: each of these kernels compiles in Rust.

use millrace_hdl::base::{Dff, Tag};
use millrace_hdl::emit::{self, Reason};
use rust_hdl_core::prelude::*;

/// The only error of a block.
fn refusal(block: &mut impl Block) -> String {
    block.connect_all();
    let errors = emit::verilog(block, Some("top")).expect_err("the emitter refuses the kernel");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

/// A block with the inputs `a` and `b` of 8 bits, `n` of 3 and `p` of one, the output `y` of 8, and the fields given.
macro_rules! block {
    ($name:ident { $($field:ident : $type:ty),* }) => {
        #[derive(LogicBlock, Default)]
        struct $name {
            tag: Tag<Self>,
            a: Signal<In, Bits<8>>,
            b: Signal<In, Bits<8>>,
            n: Signal<In, Bits<3>>,
            p: Signal<In, Bit>,
            y: Signal<Out, Bits<8>>,
            $($field: $type),*
        }
    };
}

block!(Latch {});

impl Logic for Latch {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        if self.p.val() {
            self.y.next = self.a.val();
        }
    }
}

#[test]
fn a_latch() {
    assert_eq!(refusal(&mut Latch::default()), "top (Latch), y: not written on every path (latch)");
}

block!(EarlyRead { t: Signal<Local, Bits<8>> });

impl Logic for EarlyRead {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.t.val();
        self.t.next = self.a.val();
    }
}

#[test]
fn a_read_before_the_write() {
    assert_eq!(refusal(&mut EarlyRead::default()), "top (EarlyRead), t: read before it is written on every path");
}

block!(EarlyReadOnAPath { t: Signal<Local, Bits<8>> });

impl Logic for EarlyReadOnAPath {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.b.val();
        if self.p.val() {
            self.t.next = self.a.val();
        } else {
            self.y.next = self.t.val();
            self.t.next = self.b.val();
        }
    }
}

#[test]
fn a_read_before_the_write_on_one_path() {
    let message = "top (EarlyReadOnAPath), t: read before it is written on every path";
    assert_eq!(refusal(&mut EarlyReadOnAPath::default()), message);
}

block!(ChildInput { q: Dff<Bits<8>> });

impl Logic for ChildInput {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.q.clock.next = false.into();
        self.q.d.next = self.a.val();
        if self.q.d.val() == self.b.val() {
            self.q.d.next = self.b.val();
        }
        self.y.next = self.q.q.val();
    }
}

#[test]
fn a_childs_input_read_between_its_assignments() {
    let message = "top (ChildInput), q_d: a child's input is read before its last assignment: use a Local";
    assert_eq!(refusal(&mut ChildInput::default()), message);
}

block!(Undriven { t: Signal<Local, Bits<8>> });

impl Logic for Undriven {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val() ^ self.t.val();
    }
}

#[test]
fn a_signal_that_nothing_drives() {
    assert_eq!(refusal(&mut Undriven::default()), "top (Undriven), t: never driven");
}

block!(UndrivenBits { t: Signal<Local, Bits<8>> });

impl Logic for UndrivenBits {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.t.next = self.t.val().replace_bit(0, self.p.val());
        self.t.next = self.t.val().replace_bit(2, self.p.val());
        self.y.next = self.a.val();
    }
}

#[test]
fn bits_that_nothing_drives() {
    assert_eq!(refusal(&mut UndrivenBits::default()), "top (UndrivenBits), t: bits never driven");
}

block!(UndrivenChild { q: Dff<Bits<8>> });

impl Logic for UndrivenChild {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.q.d.next = self.a.val();
        self.y.next = self.q.q.val();
    }
}

#[test]
fn a_register_without_a_clock() {
    assert_eq!(refusal(&mut UndrivenChild::default()), "top (UndrivenChild), q_clock: never driven");
}

const LIMIT: u64 = 12;

block!(RustConst {});

impl Logic for RustConst {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val() + LIMIT;
    }
}

#[test]
fn a_rust_const() {
    let message = refusal(&mut RustConst::default());
    assert!(
        message.starts_with("top (RustConst), y: `LIMIT` is not a signal of this block (a Rust const"),
        "{message}"
    );
}

const LAST: usize = 3;

#[derive(LogicBlock)]
struct ConstIndex {
    tag: Tag<Self>,
    a: Signal<In, Bits<8>>,
    y: [Signal<Out, Bits<8>>; 4],
}

impl Logic for ConstIndex {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y[LAST].next = self.a.val();
    }
}

#[test]
fn a_rust_const_as_an_index() {
    let mut block = ConstIndex { tag: Default::default(), a: Default::default(), y: Default::default() };
    let message =
        "top (ConstIndex): index `LAST` is neither a number nor a loop variable (a Rust const cannot be seen here)";
    assert_eq!(refusal(&mut block), message);
}

block!(TooWide {});

impl Logic for TooWide {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val() & 0x100;
    }
}

#[test]
fn a_literal_too_wide() {
    assert_eq!(refusal(&mut TooWide::default()), "top (TooWide), y: literal 256 does not fit 8 bits");
}

block!(PastTheEnd {});

impl Logic for PastTheEnd {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val().get_bits::<8>(1);
    }
}

#[test]
fn a_constant_select_past_the_end() {
    assert_eq!(refusal(&mut PastTheEnd::default()), "top (PastTheEnd), y: bits 8:1 of a 8-bit value");
}

block!(LoopVariable { i: Signal<Local, Bits<8>> });

impl Logic for LoopVariable {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.i.next = self.a.val();
        self.y.next = self.i.val();
        for i in 0..8 {
            self.y.next = self.y.val().replace_bit(i, self.p.val());
        }
    }
}

#[test]
fn a_loop_variable_named_as_a_signal() {
    let message = "top (LoopVariable): loop variable `i` has the name of the signal `self.i`: the macro drops `self.`";
    assert_eq!(refusal(&mut LoopVariable::default()), message);
}

block!(RustFlag { _flag: bool });

impl Logic for RustFlag {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val();
        if self._flag {
            self.y.next = self.b.val();
        }
    }
}

#[test]
fn a_condition_on_plain_rust() {
    let message = refusal(&mut RustFlag::default());
    assert!(message.starts_with("top (RustFlag): `_flag` is not a signal of this block"), "{message}");
}

block!(SignedInside { s: Signal<In, Signed<8>>, z: Signal<Out, Bit> });

impl Logic for SignedInside {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.b.val();
        self.z.next = signed_cast(self.a.val()) < self.s.val();
    }
}

#[test]
fn a_signed_cast_inside_an_expression() {
    let message = refusal(&mut SignedInside::default());
    assert!(
        message.starts_with("top (SignedInside), z: signed_cast or signed_bit_cast inside an expression"),
        "{message}"
    );
}

block!(LiteralShift {});

impl Logic for LiteralShift {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = Bits::<8>::from(1) << self.n.val();
    }
}

#[test]
fn a_cast_gives_a_literal_its_width_so_that_it_can_be_shifted() {
    let mut block = LiteralShift::default();
    block.connect_all();
    let text = emit::verilog(&block, Some("top")).expect("a cast literal has a width");
    assert!(text.contains("assign y = 8'd1 << n;"), "{text}");
}

#[derive(LogicBlock, Default)]
struct Untagged {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
}

impl Logic for Untagged {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
}

#[test]
fn a_block_without_a_tag() {
    let message = "top (a block without a tag): the block has no field `tag: Tag<Self>`";
    assert_eq!(refusal(&mut Untagged::default()), message);
}

#[derive(LogicBlock)]
struct Twice {
    tag: Tag<Self>,
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    p: Signal<In, Bit>,
    n: Signal<In, Bits<3>>,
    latch: Vec<Latch>,
}

impl Logic for Twice {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        for i in 0..3 {
            self.latch[i].a.next = self.a.val();
            self.latch[i].b.next = self.b.val();
            self.latch[i].n.next = self.n.val();
            self.latch[i].p.next = self.p.val();
        }
    }
}

#[test]
fn a_fault_of_many_instances_is_reported_once_with_the_path_of_the_first() {
    let mut block = Twice {
        tag: Default::default(),
        a: Default::default(),
        b: Default::default(),
        p: Default::default(),
        n: Default::default(),
        latch: (0..3).map(|_| Latch::default()).collect(),
    };
    block.connect_all();
    let errors = emit::modules(&block, Some("top")).expect_err("a latch");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].place.path.as_str(), &errors[0].reason), ("top.latch_0", &Reason::Latch));
}
