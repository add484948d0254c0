// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the integration tests share: the tools that judge the Verilog, and co-simulation against expected rows.
#![allow(dead_code, unused_imports)] // each test uses a part

mod cosim;
mod tools;

pub use cosim::{Design, Mismatches, Port, Rows, cosimulate, netlist};
pub use tools::{DESIGN, Folder, lint, verilator, yosys, yosys_check};
