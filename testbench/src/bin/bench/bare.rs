// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core alone, with the traffic that the host side has had: what the simulation of the host side is held against.

use crate::host::{flows, frame, vport_of_vf};
use crate::report::cpu_seconds;
use anyhow::{Result, ensure};
use millrace_driver::Device;
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_sim::{Embedded, Preset};

/// What `--host pins` runs.
const PRESET: Preset = Preset::Sim;
const MEASURED: u64 = 100_000;
/// Cycles between two looks at what came out.
const ROUND: u64 = 256;

/// Cycles per second of CPU time while so many VFs send `per_clock` frames in a clock, all together, to the next VF each: evenly, as the queue
/// engine does.
pub fn speed(queues: usize, length: usize, per_clock: f64) -> Result<f64> {
    let config = PRESET.config();
    let mut device = Embedded::new(PRESET)?;
    let mut slow_path = SlowPath::new(&mut device, flows(&config, queues)?, Settings::default())?;
    let frames: Vec<Vec<u8>> = (0..queues).map(|n| frame(n, length)).collect();
    for (n, frame) in frames.iter().enumerate() {
        device.simulation().send(vport_of_vf(&config, n), &frame[..]);
    }
    loop {
        device.poll()?;
        slow_path.poll(&mut device)?;
        let simulation = device.simulation();
        if simulation.idle() && simulation.upcalls_waiting() == 0 && slow_path.waiting() == 0 {
            break;
        }
    }
    let simulation = device.simulation();
    let (start, begin) = (simulation.cycle(), cpu_seconds());
    let (mut sent, mut received) = (0, 0);
    for cycle in 1..=MEASURED {
        while (sent as f64) < cycle as f64 * per_clock {
            simulation.send(vport_of_vf(&config, sent % queues), &frames[sent % queues][..]);
            sent += 1;
        }
        simulation.step();
        if cycle % ROUND == 0 {
            received +=
                (0..config.vports()).map(|port| std::iter::from_fn(|| simulation.recv(port)).count()).sum::<usize>();
        }
    }
    ensure!(10 * received >= 9 * sent, "{received} of {sent} frames came through");
    Ok((simulation.cycle() - start) as f64 / (cpu_seconds() - begin))
}
