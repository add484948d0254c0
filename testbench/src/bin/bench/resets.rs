// SPDX-License-Identifier: MIT OR Apache-2.0
//! Resets under traffic: none disturbs another function, and no byte leaks, or this fails.

use crate::report::Report;
use anyhow::Result;
use millrace_sim::CYCLE_NS;
use millrace_testbench::hostile::resets;

/// Of functions; and of virtqueues.
const RESETS: u64 = 1_000;
/// Devices, each with a memory of its own kind.
const DEVICES: u64 = 10;

pub fn measure(report: &mut Report) -> Result<()> {
    let (mut functions, mut queues, mut frames, mut longest) = (0, 0, 0, 0);
    for seed in 0..DEVICES {
        let done = resets(RESETS / DEVICES, seed)?;
        functions += done.functions;
        queues += done.queues;
        frames += done.frames;
        longest = longest.max(done.longest);
    }
    let configuration = "under traffic, nobody disturbed, no byte leaked";
    report.add("resets of functions", configuration, functions as f64, "resets");
    report.add("resets of virtqueues", configuration, queues as f64, "resets");
    report.add("frames of others meanwhile", "all there and in order", frames as f64, "frames");
    report.add("longest reset", configuration, (longest * CYCLE_NS) as f64, "ns");
    Ok(())
}
