// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files with frames to put through them, over everything that the slow path can do. Open vSwitch and Millrace must give the same.
//!
//! The flow file of scenario `x` is `testbench/scenarios/x.flows`.

pub mod build;
pub mod command;
mod l2;
mod l3;
pub mod millrace;
mod moves;
mod pipeline;
mod scenario;

pub use moves::moves;
pub use scenario::{Scenario, Step};

/// All scenarios.
pub fn all() -> Vec<Scenario> {
    [l2::scenarios(), l3::scenarios(), pipeline::scenarios()].into_iter().flatten().collect()
}
