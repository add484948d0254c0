// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verilator's lint and Yosys's check on the Verilog of every block.

mod support;

use millrace_hdl::base::*;
use millrace_hdl::emit;
use rust_hdl_core::prelude::*;

/// Emits a block and has both tools judge it.
fn judge(mut block: impl Block) {
    block.connect_all();
    let verilog = emit::verilog(&block, Some("top")).unwrap_or_else(|e| panic!("not emitted:\n{}", e.join("\n")));
    support::lint(&verilog, "top");
    support::yosys_check(&verilog, "top");
}

#[test]
fn fifos_pass() {
    judge(Fifo::<Bits<40>, 9, 10>::default());
    judge(LutFifo::<Bits<1044>, 4, 5>::default());
}
