// SPDX-License-Identifier: MIT OR Apache-2.0
//! A gigabit Ethernet MAC, and what lies between it and a port of the core.

pub mod event_count;
pub mod gigabit_port;
pub mod mac_rx;
pub mod mac_tx;
pub mod reset_bridge;
