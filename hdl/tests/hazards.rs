// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a kernel and the same text in Verilog mean different things: precedence, carries that leak into wider results, numbers of 32 bits, slices of
//! slices, constants of Rust. In each, the Rust simulator, Verilator and Yosys's netlist agree on our Verilog; on the plain transcript they do not.

mod support;

use millrace_hdl::{emit, wire_struct};
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

const OFFSET: usize = 12;

#[millrace_hdl::block]
struct Hazards {
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    c: Signal<In, Bits<8>>,
    halves: Signal<In, Halves>,
    precedence: Signal<Out, Bit>,
    carry: Signal<Out, Bits<16>>,
    average: Signal<Out, Bits<9>>,
    literal: Signal<Out, Bit>,
    inverted: Signal<Out, Bit>,
    slice: Signal<Out, Bits<8>>,
    offset: Signal<Out, Bits<8>>,
}

#[millrace_hdl::block]
impl Hazards {
    fn update(&mut self) {
        self.precedence = self.a & self.b == self.c;
        self.carry = cast::<16>(self.a + self.b);
        self.average = cast::<9>((self.a + self.b) >> 1);
        self.literal = (self.a + self.b) == 5;
        self.inverted = (!self.a) == 0xF0;
        self.slice = self.halves.high.get_bits::<8>(4);
        self.offset = self.halves.low.get_bits::<8>(OFFSET);
    }
}

/// The kernel with Verilog's operators, as if those were Rust's.
const TRANSCRIPT: &str = "module transcript (
    input [7:0] a, b, c, input [79:0] halves,
    output precedence, output [15:0] carry, output [8:0] average, output literal, output inverted,
    output [7:0] slice, offset
);
    assign precedence = a & b == c;
    assign carry = a + b;
    assign average = (a + b) >> 1;
    assign literal = (a + b) == 5;
    assign inverted = (~a) == 'hF0;
    assign slice = halves[51:44];
    assign offset = halves[19:12];
endmodule
";

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
            block.average.val().to_u64().into(),
            u8::from(block.literal.val()).into(),
            u8::from(block.inverted.val()).into(),
            block.slice.val().to_u64().into(),
            block.offset.val().to_u64().into(),
        ]
    });
    let rows = rows.collect();
    let ports = |all: &[(&str, usize)]| all.iter().map(|(name, width)| Port::new(name, *width)).collect();
    Rows {
        clock: None,
        inputs: ports(&[("a", 8), ("b", 8), ("c", 8), ("halves", 80)]),
        outputs: ports(&[
            ("precedence", 1),
            ("carry", 16),
            ("average", 9),
            ("literal", 1),
            ("inverted", 1),
            ("slice", 8),
            ("offset", 8),
        ]),
        rows,
    }
}

/// Our Verilog and the transcript, each as it is and as Yosys's netlist, against the Rust simulator.
fn mismatches() -> &'static Mismatches {
    static ALL: OnceLock<Mismatches> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut block = Hazards::default();
        block.connect_all();
        let ours = emit::verilog(&block, Some("ours")).expect("our emitter accepts the kernel");
        support::lint(&ours, "ours");
        let ours_netlist = support::netlist(&Design { top: "ours", verilog: &ours }, "ours_netlist");
        let designs = [
            Design { top: "ours", verilog: &ours },
            Design { top: "ours_netlist", verilog: &ours_netlist },
            Design { top: "transcript", verilog: TRANSCRIPT },
        ];
        support::cosimulate(&designs, &rows(&mut block))
    })
}

/// Rows in which a design's output differs from the Rust simulator's.
fn wrong(design: &str, output: &str) -> usize {
    mismatches().get(&(design.into(), output.into())).copied().unwrap_or(0)
}

fn assert_right(output: &str) {
    assert_eq!((wrong("ours", output), wrong("ours_netlist", output)), (0, 0), "our {output}");
}

/// Ours is right, and the rows meet the hazard: the transcript is wrong.
fn assert_only_transcript_is_wrong(output: &str) {
    assert_right(output);
    assert!(wrong("transcript", output) > 0, "{output} of the transcript");
}

#[test]
fn operators_keep_the_precedence_of_rust() {
    assert_only_transcript_is_wrong("precedence");
}

#[test]
fn a_cast_does_not_let_the_carry_leak() {
    assert_only_transcript_is_wrong("carry");
    assert_only_transcript_is_wrong("average");
}

#[test]
fn literals_do_not_widen_what_they_are_compared_with() {
    assert_only_transcript_is_wrong("literal");
    assert_only_transcript_is_wrong("inverted");
}

#[test]
fn a_slice_of_a_slice_means_the_same_to_verilator_and_yosys() {
    assert_right("slice");
}

#[test]
fn a_constant_of_rust_has_its_value() {
    assert_right("offset");
}
