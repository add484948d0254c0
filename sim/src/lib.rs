// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Verilated Millrace core, what its pins are connected to (packet sources and sinks, a register bus, captures and Linux TAP devices), and
//! the driver's backend for it.

mod axi;
pub mod capture;
mod clocks;
mod embedded;
mod ffi;
mod simulation;
mod sink;
mod source;
pub mod tap;

pub use axi::{Access, BusError};
pub use embedded::Embedded;
pub use millrace_regs::config::{Config, Preset};
pub use simulation::{CYCLE_NS, NewError, Simulation, TraceError, Upcall};
pub use sink::{Ready, Received};
