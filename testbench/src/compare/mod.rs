// SPDX-License-Identifier: MIT OR Apache-2.0
//! RTL against reference model, on drawn cases: frames, rules, and changes of rules while frames are under way.

pub mod case;
mod frames;
mod interleaving;
mod rules;
mod run;
pub mod soak;

pub use run::run;
