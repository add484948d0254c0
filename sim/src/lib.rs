// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Verilated Millrace core, and what its pins are connected to: packet sources and sinks, a register bus, captures and
//! Linux TAP devices.

mod axi;
pub mod capture;
mod clocks;
mod ffi;
mod simulation;
mod sink;
mod source;
pub mod tap;

pub use axi::{Access, BusError};
pub use millrace_regs::config::{Config, Preset};
pub use simulation::{CYCLE_NS, NewError, Simulation, TraceError, Upcall};
pub use sink::{Ready, Received};
