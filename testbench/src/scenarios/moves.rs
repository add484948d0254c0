// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stations that move between ports.

use super::build::*;
use super::scenario::{Scenario, Step};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frames between four stations in three VLANs, each on any of five ports, at once one after the other or seconds apart. The flow file
/// is that of scenario `normal`.
pub fn moves(seed: u64) -> Scenario {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut steps = Vec::new();
    for n in 0..150u8 {
        if rng.random_ratio(1, 6) {
            steps.push(Step::Wait(rng.random_range(1..4)));
        }
        let (src, dst) = (rng.random_range(1..5), rng.random_range(1..5));
        let frame = eth(mac(src), mac(dst), 0x88b5, &[n; 46]);
        let frame = match rng.random_range(0..3) {
            0 => frame,
            vlan => tagged(&frame, 0x8100, 4 + vlan),
        };
        steps.push(Step::Frame(rng.random_range(1..6), frame));
    }
    Scenario::new("normal", steps, &[])
}
