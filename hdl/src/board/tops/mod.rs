// SPDX-License-Identifier: MIT OR Apache-2.0
//! The top modules of boards.

pub mod gigabit_nic;
pub mod leds;
pub mod millrace_host;
