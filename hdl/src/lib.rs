// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fast path of the Millrace DPU in Rust-HDL, and the emitter that writes its Verilog.
//!
//! [`base`] holds the building blocks (streams, registers, memories, FIFOs), [`bus`] AXI4-Lite and AXI4-Stream, [`emit`] the Verilog emitter,
//! [`core`] the pipeline, a folder per stage, [`board`] what a board adds to it.

// Tests count ports and tables by their numbers, as the hardware does.
#![cfg_attr(test, allow(clippy::needless_range_loop))]
// A stage's folder has the name of its first block.
#![allow(clippy::module_inception)]

// What the attributes write names this crate.
extern crate self as millrace_hdl;

pub use millrace_hdl_macros::{block, bundle, function, sized, with_sizes};

pub mod base;
pub mod board;
pub mod bus;
pub mod core;
pub mod docs;
pub mod emit;
pub mod front;
#[cfg(test)]
pub mod testing;

#[doc(hidden)]
pub mod __private {
    pub use rust_hdl_core::ast::VerilogLiteral;
    pub use rust_hdl_core::prelude::{Synth, VCDValue};
    pub use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeField, TypeKind};

    /// Widest struct constant that a register can reset to, in bits.
    const WIDEST: usize = 4096;

    /// Joins field literals, first field least significant. The emitter takes the width from the signal.
    pub fn concat_literals(fields: &[(VerilogLiteral, usize)]) -> VerilogLiteral {
        let mut value = num_bigint::BigUint::default();
        let mut offset = 0;
        for (literal, width) in fields {
            value |= crate::emit::literal_value(literal) << offset;
            offset += width;
        }
        assert!(offset <= WIDEST, "a struct of {offset} bits is wider than {WIDEST}");
        rust_hdl_core::prelude::Bits::<WIDEST>::from(value).into()
    }
}
