// SPDX-License-Identifier: MIT OR Apache-2.0
//! What further lookups of a packet cost.

use crate::report::Report;
use crate::throughput::frame;
use anyhow::{Result, ensure};
use millrace_driver::{Placement, RuleSpec, Rules};
use millrace_regs::config::Preset;
use millrace_regs::{Key, Mask, Step};
use millrace_sim::Embedded;

const PRESET: Preset = Preset::Passes;
/// Packets of each run.
const PACKETS: usize = 10_000;
const PATIENCE: u64 = 10_000_000;
const P0: usize = 0;
const P1: usize = 1;

pub fn measure(report: &mut Report) -> Result<()> {
    for (passes, size) in [(1, 60), (2, 60), (4, 60), (8, 60), (2, 128), (4, 256), (8, 512)] {
        let packets = rate(passes, size)?;
        let configuration = format!("{size}-byte packets, {passes} passes");
        report.add("packets per clock", &configuration, packets, "packets/clock");
        report.add("lookups per clock", &configuration, packets * f64::from(passes), "lookups/clock");
    }
    Ok(())
}

/// A rule for each pass: all but the last have the packet looked up again.
fn chain(device: &mut Embedded, passes: u8) -> Result<()> {
    let mut rules = Rules::new(device)?;
    for pass in 0..passes {
        let key = Key { metadata: pass.into(), pass, ..Key::ZERO };
        let mask = Mask { metadata: u64::MAX, pass: 7, ..Mask::ANY };
        let step = match pass + 1 {
            last if last == passes => Step::output(1 << P1),
            next => Step::look_again(next.into(), u64::MAX),
        };
        rules.insert(device, &RuleSpec { key, mask, priority: 1, placement: Placement::Hash }, &[step])?;
    }
    Ok(())
}

/// Packets per clock, from the first beat that leaves to the last.
fn rate(passes: u8, size: usize) -> Result<f64> {
    let mut device = Embedded::new(PRESET)?;
    chain(&mut device, passes)?;
    let simulation = device.simulation();
    (0..PACKETS).for_each(|_| simulation.send(P0, frame(0, size)));
    ensure!(simulation.run_until_idle(PATIENCE), "the device does not come to rest");
    let received: Vec<_> = std::iter::from_fn(|| simulation.recv(P1)).collect();
    ensure!(received.len() == PACKETS, "{} of {PACKETS} packets came through", received.len());
    Ok(PACKETS as f64 / (received[PACKETS - 1].cycle - received[0].first_cycle + 1) as f64)
}
