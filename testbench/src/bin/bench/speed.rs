// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast the simulation runs.

use crate::report::{Report, cpu_seconds};
use crate::rules::{FLOWS, Hits};
use crate::throughput::{device, edits, frame};
use anyhow::{Result, ensure};

const P0: usize = 0;
const P1: usize = 1;
const PACKETS: usize = 200_000;
const PATIENCE: u64 = 10_000_000;
/// Cycles of a burst and the pause behind it, of which the burst keeps the core busy for a fifth.
const PERIOD: u64 = 5_000;

/// Cycles per second of CPU time.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut device = device(Hits::Hash, edits())?;
    let simulation = device.simulation();
    for i in 0..PACKETS {
        simulation.send(P0, frame(i % FLOWS, 64));
    }
    let (cycle, start) = (simulation.cycle(), cpu_seconds());
    ensure!(simulation.run_until_idle(PATIENCE), "the device does not come to rest");
    let seconds = cpu_seconds() - start;
    let rate = (simulation.cycle() - cycle) as f64 / seconds;
    report.add("simulation speed", "sim preset, busy: a 64-byte packet in each clock", rate, "cycles/s");
    while simulation.recv(P1).is_some() {}

    let (cycle, clocked, start) = (simulation.cycle(), simulation.clocked_cycles(), cpu_seconds());
    for _ in 0..200 {
        let end = simulation.cycle() + PERIOD;
        // The burst, and the time it takes to drain.
        for i in 0..(PERIOD / 5 - 60) as usize {
            simulation.send(P0, frame(i % FLOWS, 64));
        }
        simulation.run_until_idle(PERIOD);
        simulation.skip(end - simulation.cycle());
        while simulation.recv(P1).is_some() {}
    }
    let cycles = (simulation.cycle() - cycle) as f64;
    let duty = (simulation.clocked_cycles() - clocked) as f64 / cycles;
    let rate = cycles / (cpu_seconds() - start);
    report.add("simulation speed", format!("sim preset, {:.0} % duty in bursts", 100.0 * duty), rate, "cycles/s");
    Ok(())
}
