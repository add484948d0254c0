// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ways in which rust-hdl's own emitter changes the meaning of a kernel. For each, the Rust simulator, Verilator and
//! Yosys's netlist agree on our Verilog, and on that of the stock emitter they do not.

mod support;

use millrace_hdl::base::Tag;
use millrace_hdl::emit;
use millrace_hdl::wire_struct;
use num_bigint::BigUint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::sync::OnceLock;
use support::{Design, Mismatches, Port, Rows};

wire_struct! {
    pub struct Halves {
        pub low: Bits<40>,
        pub high: Bits<40>,
    }
}

#[derive(LogicBlock, Default)]
struct Hazards {
    tag: Tag<Self>,
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    c: Signal<In, Bits<8>>,
    halves: Signal<In, Halves>,
    precedence: Signal<Out, Bit>,
    carry: Signal<Out, Bits<16>>,
    literal: Signal<Out, Bit>,
    inverted: Signal<Out, Bit>,
    slice: Signal<Out, Bits<8>>,
}

impl Logic for Hazards {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.precedence.next = self.a.val() & self.b.val() == self.c.val();
        self.carry.next = bit_cast::<16, 8>(self.a.val() + self.b.val());
        self.literal.next = (self.a.val() + self.b.val()) == 5;
        self.inverted.next = (!self.a.val()) == 0xF0;
        self.slice.next = self.halves.val().high.get_bits::<8>(4);
    }
}

/// Rows that the Rust simulator computed, with many that meet each hazard.
fn rows(block: &mut Hazards) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rows = (0..500).map(|i| {
        let (mut a, mut b, c): (u8, u8, u8) = rng.random();
        match i % 4 {
            0 => b = 5u8.wrapping_sub(a),
            1 => a = 0x0f,
            2 => b |= 1,
            _ => {}
        }
        let (c, low, high) = (if i % 2 == 0 { a & b } else { c }, rng.random::<u64>() >> 24, rng.random::<u64>() >> 24);
        block.a.next = u64::from(a).into();
        block.b.next = u64::from(b).into();
        block.c.next = u64::from(c).into();
        block.halves.next = Halves { low: low.into(), high: high.into() };
        assert!(simulate(block, 20), "the logic settles");
        vec![
            a.into(),
            b.into(),
            c.into(),
            BigUint::from(low) | BigUint::from(high) << 40,
            u8::from(block.precedence.val()).into(),
            block.carry.val().to_u64().into(),
            u8::from(block.literal.val()).into(),
            u8::from(block.inverted.val()).into(),
            block.slice.val().to_u64().into(),
        ]
    });
    let rows = rows.collect();
    let ports = |all: &[(&str, usize)]| all.iter().map(|(name, width)| Port::new(name, *width)).collect();
    Rows {
        clock: None,
        inputs: ports(&[("a", 8), ("b", 8), ("c", 8), ("halves", 80)]),
        outputs: ports(&[("precedence", 1), ("carry", 16), ("literal", 1), ("inverted", 1), ("slice", 8)]),
        rows,
    }
}

/// Our Verilog and the stock emitter's, each as it is and as Yosys's netlist, against the Rust simulator.
fn mismatches() -> &'static Mismatches {
    static ALL: OnceLock<Mismatches> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut block = Hazards::default();
        block.connect_all();
        let ours = emit::verilog(&block, Some("ours")).expect("our emitter accepts the kernel");
        support::lint(&ours, "ours");
        let stock = generate_verilog_unchecked(&block).replace("module top(", "module stock(");
        let ours_netlist = support::netlist(&Design { top: "ours", verilog: &ours }, "ours_netlist");
        let stock_netlist = support::netlist(&Design { top: "stock", verilog: &stock }, "stock_netlist");
        let designs = [
            Design { top: "ours", verilog: &ours },
            Design { top: "ours_netlist", verilog: &ours_netlist },
            Design { top: "stock", verilog: &stock },
            Design { top: "stock_netlist", verilog: &stock_netlist },
        ];
        support::cosimulate(&designs, &rows(&mut block))
    })
}

/// Rows in which a design's output differs from the Rust simulator's.
fn wrong(design: &str, output: &str) -> usize {
    mismatches().get(&(design.into(), output.into())).copied().unwrap_or(0)
}

/// Ours is right everywhere, the stock emitter's wrong in both tools.
fn assert_only_stock_is_wrong(output: &str) {
    assert_eq!((wrong("ours", output), wrong("ours_netlist", output)), (0, 0), "our {output}");
    assert!(wrong("stock", output) > 0, "the stock emitter's {output} in Verilator");
    assert!(wrong("stock_netlist", output) > 0, "the stock emitter's {output} in Yosys");
}

#[test]
fn operators_keep_the_precedence_of_rust() {
    assert_only_stock_is_wrong("precedence");
}

#[test]
fn a_cast_does_not_let_the_carry_leak() {
    assert_only_stock_is_wrong("carry");
}

#[test]
fn literals_do_not_widen_what_they_are_compared_with() {
    assert_only_stock_is_wrong("literal");
    assert_only_stock_is_wrong("inverted");
}

#[test]
fn a_slice_of_a_slice_means_the_same_to_verilator_and_yosys() {
    assert_eq!((wrong("ours", "slice"), wrong("ours_netlist", "slice")), (0, 0));
    assert_eq!(wrong("stock", "slice"), 0);
    assert!(wrong("stock_netlist", "slice") > 0);
}

const OFFSET: usize = 12;

#[derive(LogicBlock, Default)]
struct ConstOffset {
    tag: Tag<Self>,
    a: Signal<In, Bits<32>>,
    y: Signal<Out, Bits<8>>,
}

impl Logic for ConstOffset {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.y.next = self.a.val().get_bits::<8>(OFFSET);
    }
}

#[test]
fn a_rust_const_as_an_offset_is_refused_not_copied_as_text() {
    let mut block = ConstOffset::default();
    block.connect_all();
    let errors = emit::verilog(&block, None).expect_err("the value of a const is not in the AST");
    assert!(errors[0].contains("top (ConstOffset)") && errors[0].contains("OFFSET"), "{errors:?}");
    assert!(generate_verilog_unchecked(&block).contains("a[(OFFSET)+:(8)]"), "the stock emitter copies the name");
}
