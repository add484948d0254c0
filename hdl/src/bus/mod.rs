// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buses that vendor tools know: AXI4-Lite for registers, AXI4-Stream for frames.

pub mod axi_lite;
pub mod axi_stream;
pub mod axis_in;
pub mod axis_out;
pub mod keep;

pub use axi_lite::{AxiLite, AxilMaster, AxilSlave};
pub use axi_stream::{AxisSnk, AxisSrc};
pub use axis_in::AxisIn;
pub use axis_out::AxisOut;
