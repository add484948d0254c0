// SPDX-License-Identifier: MIT OR Apache-2.0
//! What lies between a port of the core and a 100G MAC with a clock of its own.

pub mod cmac_port;
pub mod frame_gate;
pub mod loss_mark;
pub mod mac_beat;
