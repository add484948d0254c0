// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a rule to what is to be done, step by step.

pub mod action_ram;
pub mod expand;
pub mod header_fifo;
pub mod stored_step;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::expand::Expand;
pub use self::header_fifo::HeaderFifo;
