// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random kernels: rust-hdl's arithmetic, Verilator and Yosys's netlist agree on what our emitter writes.
//!
//! The seed is fixed, so that a run can be repeated; `MILLRACE_SEED` gives another.

#[path = "../support/mod.rs"]
mod support;

mod generate;
mod tree;
mod value;

use generate::{Generator, WIDEST, WIDTHS};
use millrace_hdl::base::Tag;
use millrace_hdl::front::{hand_over, tree as front};
use millrace_hdl::{emit, wire_struct};
use num_bigint::BigUint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::HashMap;
use support::{Design, Port, Rows};
use tree::{INDEX, Line, Signals};
use value::Value;

/// Locals of each width, each with two outputs.
const CELLS: usize = 6;
const ROWS: usize = 600;

wire_struct! {
    /// 40 bits, so that the values of random kernels hold it.
    pub struct Fields {
        pub f: Bits<8>,
        pub g: Bits<16>,
        pub h: Bits<8>,
        pub rest: Bits<8>,
    }
}

/// A block whose kernel was not written in Rust.
#[derive(LogicBlock, Default)]
struct Kernel {
    tag: Tag<Self>,
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    c: Signal<In, Bits<16>>,
    d: Signal<In, Bits<16>>,
    w: Signal<In, Bits<40>>,
    n: Signal<In, Bits<3>>,
    p: Signal<In, Bit>,
    s: Signal<In, Fields>,
    t1: Vec<Signal<Local, Bit>>,
    t8: Vec<Signal<Local, Bits<8>>>,
    t16: Vec<Signal<Local, Bits<16>>>,
    t40: Vec<Signal<Local, Bits<40>>>,
    o1: Vec<Signal<Out, Bit>>,
    o8: Vec<Signal<Out, Bits<8>>>,
    o16: Vec<Signal<Out, Bits<16>>>,
    o40: Vec<Signal<Out, Bits<40>>>,
    _code: &'static [front::Stmt],
}

impl Logic for Kernel {
    fn update(&mut self) {
        unreachable!("only emitted");
    }
    fn hdl(&self) -> Verilog {
        hand_over(front::Kernel {
            file: file!(),
            body: self._code,
            constants: vec![],
            widths: (0..=WIDEST).collect(),
            types: vec![],
            calls: vec![],
            parameters: &[],
            result: None,
            clocks: &[],
        })
    }
}

impl Kernel {
    fn new(code: &'static [front::Stmt]) -> Self {
        Kernel {
            t1: vec![Default::default(); CELLS],
            t8: vec![Default::default(); CELLS],
            t16: vec![Default::default(); CELLS],
            t40: vec![Default::default(); CELLS],
            o1: vec![Default::default(); 2 * CELLS],
            o8: vec![Default::default(); 2 * CELLS],
            o16: vec![Default::default(); 2 * CELLS],
            o40: vec![Default::default(); 2 * CELLS],
            _code: code,
            ..Default::default()
        }
    }
}

const INPUTS: [(&str, usize); 7] = [("a", 8), ("b", 8), ("c", 16), ("d", 16), ("w", 40), ("p", 1), ("s", 40)];

fn kernel(rng: ChaCha8Rng) -> Vec<Line> {
    let mut readable: HashMap<usize, Vec<String>> = HashMap::new();
    for (name, width) in INPUTS.iter().filter(|(name, _)| *name != "s") {
        readable.entry(*width).or_default().push((*name).into());
    }
    let mut generator = Generator { rng, readable };
    let mut lines = vec![];
    for i in 0..CELLS {
        for width in WIDTHS {
            let outputs = [2 * i, 2 * i + 1].map(|o| format!("o{width}[{o}]"));
            lines.extend(generator.cell(width, &format!("t{width}[{i}]"), [&outputs[0], &outputs[1]]));
        }
    }
    lines
}

/// Random inputs, and what the kernel makes of them.
fn rows(lines: &[Line], rng: &mut ChaCha8Rng) -> Rows {
    let outputs: Vec<(usize, usize)> = WIDTHS.iter().flat_map(|w| (0..2 * CELLS).map(move |o| (*w, o))).collect();
    let row = |_| {
        let index = rng.random_range(0..8usize);
        // Small values make carries and equal operands likelier.
        let mut value =
            |width| Value::new(if rng.random_bool(0.2) { rng.random_range(0..4) } else { rng.random() }, width);
        let mut signals: Signals = INPUTS.iter().map(|(name, width)| (name.to_string(), value(*width))).collect();
        let mut row: Vec<BigUint> = INPUTS.iter().map(|(name, _)| signals[*name].number()).collect();
        row.push(index.into());
        lines.iter().for_each(|line| line.run(&mut signals, index));
        row.extend(outputs.iter().map(|(width, o)| signals[&format!("o{width}[{o}]")].number()));
        row
    };
    let rows = (0..ROWS).map(row).collect();
    let mut inputs: Vec<Port> = INPUTS.iter().map(|(name, width)| Port::new(name, *width)).collect();
    inputs.push(Port::new(INDEX, 3));
    let outputs = outputs.iter().map(|(width, o)| Port::new(&format!("o{width}_{o}"), *width)).collect();
    Rows { clock: None, inputs, outputs, rows }
}

#[test]
fn random_kernels_mean_the_same_to_rust_verilator_and_yosys() {
    let seed = std::env::var("MILLRACE_SEED").map_or(1, |seed| seed.parse().expect("MILLRACE_SEED is a number"));
    println!("MILLRACE_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lines = kernel(ChaCha8Rng::from_rng(&mut rng));
    let block = Kernel::new(Line::block(&lines));
    let ours = emit::verilog(&block, Some("ours")).unwrap_or_else(|e| panic!("refused:\n{}", e.join("\n")));
    support::lint(&ours, "ours");
    let netlist = support::netlist(&Design { top: "ours", verilog: &ours }, "netlist");
    let designs = [Design { top: "ours", verilog: &ours }, Design { top: "netlist", verilog: &netlist }];
    let wrong = support::cosimulate(&designs, &rows(&lines, &mut rng));
    assert!(wrong.is_empty(), "wrong rows by output: {wrong:?}\n{ours}");
}
