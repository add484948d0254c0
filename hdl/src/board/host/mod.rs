// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host channel: frames of many vports, upcalls and register accesses as messages on one stream.

pub mod host_demux;
pub mod host_mux;
pub mod host_registers;
