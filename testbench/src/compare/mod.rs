// SPDX-License-Identifier: MIT OR Apache-2.0
//! RTL against reference model, on drawn cases: frames, rules, and changes of rules while frames are under way.

pub mod case;
pub(crate) mod frames;
mod interleaving;
pub mod kept;
pub mod mutant;
mod rules;
mod run;
pub mod soak;

pub use run::{run, run_clocked};
