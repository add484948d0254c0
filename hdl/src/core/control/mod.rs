// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers, commands and counters.

pub mod control;
pub mod control_runner;
pub mod counters;
pub mod staging;

#[cfg(test)]
mod control_tests;
