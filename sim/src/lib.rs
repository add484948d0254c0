// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Verilated Millrace core, what its pins are connected to (packet sources and sinks, a register bus, captures and Linux TAP devices), and
//! the driver's backend for it.

mod axi;
mod bar;
pub mod capture;
mod clocks;
mod dma;
mod dpu;
mod embedded;
mod embedded_dpu;
mod embedded_host;
mod ffi;
mod host_memory;
mod host_port;
mod mix;
mod new_error;
mod pins;
pub mod served;
mod simulated;
mod simulation;
mod sink;
mod source;
pub mod tap;
mod trace;
pub mod wire;

pub use axi::{Access, BusError};
pub use bar::Bar;
pub use clocks::CYCLE_NS;
pub use dma::{Latency, Traffic};
pub use dpu::{DpuSimulation, Interrupt, ResetError};
pub use embedded::Embedded;
pub use embedded_dpu::EmbeddedDpu;
pub use embedded_host::{EmbeddedHost, HostError};
pub use ffi::BUILT_IN;
pub use host_memory::{Dma, HostMemory, Port};
pub use millrace_regs::config::{Config, Preset};
pub use new_error::NewError;
pub use simulated::{Ports, Simulated};
pub use simulation::{Simulation, Upcall};
pub use sink::{Ready, Received};
pub use trace::TraceError;
