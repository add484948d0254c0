// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers and memories bring their Verilog themselves: the Rust model, Verilator and Yosys's netlist agree on blocks
//! made of them, clock by clock.

mod support;

use millrace_hdl::base::{Fifo, LutFifo};
use millrace_hdl::{emit, wire_struct};
use num_bigint::BigUint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use support::{Design, Port, Rows};

wire_struct! {
    /// A struct in a RAM, wider than a machine word.
    pub struct Word {
        pub data: Bits<70>,
        pub last: Bit,
    }
}

const WORD: usize = 71;

/// Random pushes and pops through a FIFO in the Rust simulator, as rows; then the same rows through the Verilog and its
/// netlist. Both FIFOs have the same ports, but no trait in common.
macro_rules! agrees {
    ($fifo:ty) => {{
        let mut fifo = Box::new(<$fifo>::default());
        fifo.connect_all();
        let verilog = emit::verilog(fifo.as_ref(), Some("ours")).unwrap_or_else(|e| panic!("{}", e.join("\n")));
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut rows = vec![];
        for clock in 0..1500 {
            // Now filling, now draining; a reset in between.
            let fill = if clock / 100 % 2 == 0 { 0.9 } else { 0.2 };
            let (reset, push, pop) = (clock < 2 || clock == 777, rng.random_bool(fill), rng.random_bool(1.0 - fill));
            let data: u64 = rng.random();
            fifo.reset.next = reset;
            fifo.inp.valid.next = push;
            fifo.inp.data.next = Word { data: data.into(), last: push };
            fifo.out.ready.next = pop;
            assert!(simulate(fifo.as_mut(), 50), "the logic settles");
            let out = fifo.out.data.val();
            let out = BigUint::from(out.data) | BigUint::from(u8::from(out.last)) << 70;
            let word = BigUint::from(data) | BigUint::from(u8::from(push)) << 70;
            let bits = |bits: [bool; 3]| bits.map(|bit| BigUint::from(u8::from(bit)));
            let mut row: Vec<BigUint> = bits([reset, push, pop]).into();
            row.push(word);
            row.extend(bits([fifo.inp.ready.val(), fifo.out.valid.val(), fifo.empty.val()]));
            row.push(fifo.count.val().to_u64().into());
            // What the output holds while it is not valid is not part of the contract, but equal all the same.
            row.push(out);
            rows.push(row);
            for level in [true, false] {
                fifo.clock.next = level.into();
                assert!(simulate(fifo.as_mut(), 50), "the logic settles");
            }
        }
        let ports = |all: &[(&str, usize)]| all.iter().map(|(name, width)| Port::new(name, *width)).collect();
        let rows = Rows {
            clock: Some("clock"),
            inputs: ports(&[("reset", 1), ("inp_valid", 1), ("out_ready", 1), ("inp_data", WORD)]),
            outputs: ports(&[("inp_ready", 1), ("out_valid", 1), ("empty", 1), ("count", 4), ("out_data", WORD)]),
            rows,
        };
        support::lint(&verilog, "ours");
        support::yosys_check(&verilog, "ours");
        let netlist = support::netlist(&Design { top: "ours", verilog: &verilog }, "netlist");
        let designs = [Design { top: "ours", verilog: &verilog }, Design { top: "netlist", verilog: &netlist }];
        let wrong = support::cosimulate(&designs, &rows);
        assert!(wrong.is_empty(), "wrong rows by output: {wrong:?}");
    }};
}

#[test]
fn block_ram_and_registers_agree() {
    agrees!(Fifo<Word, 3, 4>);
}

#[test]
fn lut_ram_and_registers_agree() {
    agrees!(LutFifo<Word, 3, 4>);
}
