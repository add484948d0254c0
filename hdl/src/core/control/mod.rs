// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers, commands and counters.

pub mod control;
pub mod control_runner;
pub mod counters;
pub mod staging;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::control::Control;
pub use self::control_runner::CommandRunner;
pub use self::counters::Counters;

#[cfg(test)]
mod control_tests;
