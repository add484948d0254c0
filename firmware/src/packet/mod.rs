// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packets in software: what the slow path sees of a frame, and edits of it, with the results that Open vSwitch's datapath gives.

mod buffer;
mod checksum;
mod edit;
mod header;
mod parse;

pub use buffer::Packet;
pub use header::{Headers, L3, L4};
pub use parse::parse;
