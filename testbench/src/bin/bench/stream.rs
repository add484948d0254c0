// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a cycle of a stream costs: long frames leave the header logic still for most of their clocks.

use crate::report::{Report, cpu_seconds};
use crate::rules::{FLOWS, Hits};
use crate::throughput::{device, edits, frame};
use anyhow::{Result, ensure};
use millrace_sim::Simulation;

const P0: usize = 0;
const P1: usize = 1;
/// Cycles of a stream, about, each time it is measured.
const CYCLES: usize = 20_000;
/// Streams are measured in turn, so that what slows the machine down slows all of them.
const ROUNDS: usize = 7;
const SHORT: usize = 60;
const LONG: usize = 1518;
const LONGEST: usize = 9216;
/// Exchanges of two TCP stacks: two segments one way, one acknowledgement the other.
const EXCHANGES: usize = 500;
const SEGMENT: usize = 1514;
const ACKNOWLEDGEMENT: usize = 66;
const PATIENCE: u64 = 10_000_000;

/// CPU time of a cycle of streams of short and of long frames, and of frames one after the other as TAP devices send them.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut device = device(Hits::Hash, edits())?;
    let simulation = device.simulation();
    let (mut short, mut long, mut ratios, mut bounds, mut exchanges) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let [a, b, c] = [SHORT, LONG, LONGEST].map(|size| cycle(simulation, size));
        let (a, b) = (a?, b?);
        short.push(a);
        long.push(b);
        ratios.push(b / a);
        bounds.push(payload_beat(simulation, b, c?) / a);
        exchanges.push(exchange(simulation)?);
    }
    report.add("time of a cycle", format!("sim preset, stream of {SHORT}-byte frames"), median(short), "ns");
    report.add("time of a cycle", format!("sim preset, stream of {LONG}-byte frames"), median(long), "ns");
    report.add("time of a cycle", format!("{LONG}-byte frames against {SHORT}-byte frames"), median(ratios), "ratio");
    let bound = format!("a clock of payload alone against {SHORT}-byte frames");
    report.add("time of a cycle", bound, median(bounds), "ratio");
    let configuration = format!("sim preset, 2 frames of {SEGMENT} bytes and one of {ACKNOWLEDGEMENT}, port by port");
    report.add("time of an exchange", configuration, median(exchanges), "us");
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds of a cycle of a stream of frames of `size` bytes.
fn cycle(simulation: &mut Simulation, size: usize) -> Result<f64> {
    for i in 0..CYCLES / size.div_ceil(simulation.config().bus_bytes()) {
        simulation.send(P0, frame(i % FLOWS, size));
    }
    let (cycle, start) = (simulation.cycle(), cpu_seconds());
    ensure!(simulation.run_until_idle(PATIENCE), "the device does not come to rest");
    let time = (cpu_seconds() - start) * 1e9 / (simulation.cycle() - cycle) as f64;
    while simulation.recv(P1).is_some() {}
    Ok(time)
}

/// What a cycle would cost if no header came, from those of streams of long and of the longest frames: such frames differ by beats
/// of payload, and have a header each. No gating of header logic can make a stream cheaper.
fn payload_beat(simulation: &Simulation, long: f64, longest: f64) -> f64 {
    let beats = |size: usize| size.div_ceil(simulation.config().bus_bytes()) as f64;
    let (b, c) = (beats(LONG), beats(LONGEST));
    (longest * c - long * b) / (c - b)
}

/// Microseconds of an exchange.
fn exchange(simulation: &mut Simulation) -> Result<f64> {
    let start = cpu_seconds();
    for _ in 0..EXCHANGES {
        for (from, size) in [(P0, SEGMENT), (P0, SEGMENT), (P1, ACKNOWLEDGEMENT)] {
            simulation.send(from, frame(0, size));
        }
        ensure!(simulation.run_until_idle(PATIENCE), "the device does not come to rest");
        while simulation.recv(P1).is_some() {}
    }
    Ok((cpu_seconds() - start) * 1e6 / EXCHANGES as f64)
}
