// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path with the simulated device when its tables are full and there are more flows than fit.

use crate::report::{Report, cpu_seconds};
use anyhow::Result;
use millrace_driver::Device;
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_regs::config::Preset;
use millrace_sim::Embedded;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Packets that come in at once.
const BURST: usize = 64;
/// Cycles between two bursts: 3 million packets in a second.
const APART: u64 = 5_000;
/// Flows that have filled the tables before.
const OLD: u32 = 18_000;
/// New flows, each of as many packets as the others of its kind.
const NEW: [(u32, usize); 3] = [(8_000, 1), (2_000, 2), (1_000, 10)];

/// Flows that make a megaflow of each pair of addresses.
const FLOWS: &str = "ip,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],move:NXM_OF_IP_DST[]->NXM_NX_REG1[],output:p1";

/// A packet of flow `n`.
fn frame(n: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0];
    frame.extend((0x0a00_0000 | n >> 8).to_be_bytes());
    frame.extend((0x0b00_0000 | n.wrapping_mul(0x9e37_79b1) >> 8).to_be_bytes());
    frame.extend([4, 0, 0, 53, 0, 26, 0, 0]);
    frame.resize(60, 0);
    frame
}

struct Bench {
    device: Embedded,
    slow_path: SlowPath,
}

impl Bench {
    /// Packets of these flows come in, a burst at a time.
    fn packets(&mut self, flows: &[u32]) -> Result<()> {
        for burst in flows.chunks(BURST) {
            burst.iter().for_each(|n| self.device.simulation().send(0, frame(*n)));
            loop {
                self.device.poll()?;
                self.slow_path.poll(&mut self.device)?;
                let simulation = self.device.simulation();
                if simulation.idle() && simulation.upcalls_waiting() == 0 && self.slow_path.waiting() == 0 {
                    break;
                }
            }
            let simulation = self.device.simulation();
            while simulation.recv(1).is_some() {}
            simulation.skip(APART);
        }
        Ok(())
    }

    fn upcalls(&self) -> u64 {
        self.slow_path.stats().misses
    }
}

/// Upcalls per second of CPU time, the device's included.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut device = Embedded::new(Preset::Sim)?;
    let flows = parse_flow_file("bench", FLOWS, Ports::sim())?;
    let slow_path = SlowPath::new(&mut device, flows, Settings::default())?;
    let mut bench = Bench { device, slow_path };
    bench.packets(&(0..OLD).collect::<Vec<_>>())?;
    // Long enough for all of them to be out of use, and short enough for none to be idle.
    bench.device.simulation().skip(10_000_000 / millrace_sim::CYCLE_NS);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut packets = Vec::new();
    for (flows, each) in NEW {
        for _ in 0..flows {
            let flow = rng.random_range(OLD..1 << 23);
            packets.extend(std::iter::repeat_n(flow, each));
        }
    }
    packets.shuffle(&mut rng);
    let (before, evicted) = (bench.upcalls(), bench.slow_path.stats().evicted);
    let start = cpu_seconds();
    bench.packets(&packets)?;
    let seconds = cpu_seconds() - start;
    let (upcalls, evicted) = (bench.upcalls() - before, bench.slow_path.stats().evicted - evicted);
    let configuration = format!(
        "simulated device, tables full: {} packets of {} new flows, {upcalls} upcalls, {evicted} evictions",
        packets.len(),
        NEW.iter().map(|(flows, _)| flows).sum::<u32>(),
    );
    report.add("slow path with evictions", configuration, upcalls as f64 / seconds, "upcalls/CPU-s");
    Ok(())
}
