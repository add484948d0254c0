// SPDX-License-Identifier: MIT OR Apache-2.0
//! Real time in cycles.

use millrace_sim::CYCLE_NS;
use std::time::Instant;

/// Real time: with real network stacks at the ports, simulated time does not fall behind while nothing happens.
pub struct WallClock(Instant);

impl WallClock {
    pub fn start() -> Self {
        WallClock(Instant::now())
    }

    pub fn cycles(&self) -> u64 {
        (self.0.elapsed().as_nanos() / u128::from(CYCLE_NS)) as u64
    }
}
