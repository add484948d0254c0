// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host channel over a UART: lines, frames of SLIP, and their check sequence.

pub mod fcs_append;
pub mod fcs_check;
pub mod slip_decoder;
pub mod slip_encoder;
pub mod uart_link;
pub mod uart_rx;
pub mod uart_tx;
