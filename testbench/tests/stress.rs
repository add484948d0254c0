// SPDX-License-Identifier: MIT OR Apache-2.0
//! Open vSwitch and `millrace run` on drawn flow tables and drawn frames. `cargo xtask stress` does more of it.

use millrace_testbench::stress::stress;

#[test]
fn open_vswitch_and_millrace_agree_on_drawn_frames_and_flows() {
    let seed = std::env::var("MILLRACE_SEED").map_or(1, |text| text.parse().expect("MILLRACE_SEED is a number"));
    println!("seed {seed}");
    let tally = stress(1_500, seed, |_| {}).unwrap_or_else(|error| panic!("{error:#}"));
    println!("{tally:?}");
    assert!(tally.out > tally.frames, "{tally:?}: most frames leave nowhere");
}
