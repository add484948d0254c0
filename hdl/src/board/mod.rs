// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a board adds to the core: gigabit Ethernet MACs, the way to 100G ones, the host channel over a UART or a PCIe stream, and the tops.
//! One block per file, named after its box in `docs/board.md`. Vendor primitives stay outside, in the board's wrapper.

pub mod beat_bytes;
pub mod beat_packer;
pub mod cmac_port;
pub mod crc32;
pub mod event_count;
pub mod fcs_append;
pub mod fcs_check;
pub mod frame_gate;
pub mod gigabit_nic;
pub mod gigabit_port;
pub mod host_demux;
pub mod host_mux;
pub mod host_registers;
pub mod leds;
pub mod loss_mark;
pub mod mac_beat;
pub mod mac_rx;
pub mod mac_tx;
pub mod millrace_host;
pub mod reset_bridge;
pub mod slip_decoder;
pub mod slip_encoder;
pub mod types;
pub mod uart_link;
pub mod uart_rx;
pub mod uart_tx;
pub mod whole_frames;

#[cfg(test)]
mod testing;
