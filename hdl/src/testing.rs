// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the unit tests of the blocks share: a clock in the Rust simulator, and Verilator's lint.

use crate::core::types::Beat;
use num_bigint::BigUint;
use rust_hdl_core::prelude::*;

/// Shared with the integration tests.
#[allow(dead_code)]
#[path = "../tests/support/tools.rs"]
mod tools;

pub use tools::lint;

/// Lets combinational logic settle.
///
/// # Panics
/// If it does not: a logic loop.
pub fn settle<B: Block>(block: &mut B) {
    assert!(simulate(block, 100), "the logic does not settle");
}

/// One rising edge of the clock that `clock` finds, with all that follows from it; then the falling edge.
pub fn tick<B: Block>(block: &mut B, clock: impl Fn(&mut B) -> &mut Signal<In, Clock>) {
    for level in [false, true, false] {
        clock(block).next = level.into();
        settle(block);
    }
}

/// One edge of each clock that `clocks` finds together with "it runs", all at once; then the falling edges.
pub fn tick_those<B: Block>(block: &mut B, clocks: impl Fn(&mut B) -> Vec<(&mut Signal<In, Clock>, bool)>) {
    settle(block);
    let runs: Vec<bool> = clocks(block).iter().map(|(_, runs)| *runs).collect();
    for level in [true, false] {
        for ((clock, _), runs) in clocks(block).into_iter().zip(&runs) {
            clock.next = (level && *runs).into();
        }
        settle(block);
    }
}

/// The Verilog of a block, named `top`.
///
/// # Panics
/// With every place that cannot be translated.
pub fn emit<B: Block>(block: B) -> String {
    crate::emit::verilog(&block, Some("top")).unwrap_or_else(|e| panic!("not emitted:\n{}", e.join("\n")))
}

/// Emits a block and has Verilator lint it with `-Wall`. The name of the file alone is waived.
///
/// # Panics
/// With what Verilator says, or if it is not installed.
pub fn assert_lints<B: Block>(block: B) {
    tools::lint(&emit(block), "top");
}

/// A frame as beats.
pub fn beats<const W: usize, const C: usize>(frame: &[u8]) -> Vec<Beat<W, C>> {
    let n = frame.len().div_ceil(W / 8);
    let chunks = frame.chunks(W / 8).enumerate();
    chunks.map(|(i, c)| Beat { data: bits_of(c), bytes: c.len().to_bits(), last: i + 1 == n }).collect()
}

/// Bytes as a number, the first in bits 7:0.
pub fn bits_of<const W: usize>(bytes: &[u8]) -> Bits<W> {
    BigUint::from_bytes_le(bytes).into()
}

/// The first `count` bytes of `data`.
pub fn bytes<const W: usize, const C: usize>(data: Bits<W>, count: Bits<C>) -> Vec<u8> {
    let mut bytes = BigUint::from(data).to_bytes_le();
    bytes.resize(count.to_u64() as usize, 0);
    bytes
}
