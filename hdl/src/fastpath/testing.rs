// SPDX-License-Identifier: MIT OR Apache-2.0
//! Drives a block clock by clock in the Rust simulator.

use rust_hdl_core::prelude::*;

/// A block with one clock.
pub(crate) trait Clocked: Block {
    /// Sets the level of the clock pin.
    fn set_clock(&mut self, level: bool);
}

/// The block, ready to simulate.
pub(crate) fn connected<B: Block>(block: B) -> Box<B> {
    let mut block = Box::new(block);
    block.connect_all();
    block
}

/// Lets all signals settle without a clock edge.
pub(crate) fn settle<B: Block>(block: &mut Box<B>) {
    assert!(simulate(block.as_mut(), 100), "the block does not settle");
}

/// One clock: inputs settle, rising edge, falling edge. Outputs are those after the rising edge.
pub(crate) fn tick<B: Clocked>(block: &mut Box<B>) {
    settle(block);
    block.set_clock(true);
    settle(block);
    block.set_clock(false);
    settle(block);
}

/// Emits the block and runs Verilator's lint over it; panics with what it says.
pub(crate) fn lint<B: Block>(mut block: B, name: &str) {
    block.connect_all();
    let verilog = crate::emit::verilog(&block, Some(name)).unwrap_or_else(|errors| panic!("{name}:\n{}", errors.join("\n")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{name}.v"));
    std::fs::write(&file, &verilog).unwrap();
    if let Some(keep) = std::env::var_os("MILLRACE_KEEP_VERILOG") {
        std::fs::copy(&file, std::path::Path::new(&keep).join(format!("{name}.v"))).unwrap();
    }
    let output = std::process::Command::new("verilator")
        .args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSED", "--top-module", name])
        .arg(&file)
        .output()
        .expect("verilator is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
