// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a board adds to the core: gigabit Ethernet MACs (`mac`), the way to 100G ones (`cmac`), the host channel (`host`) over a UART (`uart`) or a
//! PCIe stream, what these share (`stream`), and the tops.
//! One block per file, named after its box in `docs/board.md`. Vendor primitives stay outside, in the board's wrapper.

pub mod cmac;
pub mod host;
pub mod mac;
pub mod stream;
pub mod tops;
pub mod types;
pub mod uart;

#[cfg(test)]
mod testing;
