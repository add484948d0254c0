// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device under test for a scenario: the simulated hardware in this process, with its slow path, one packet at a time.

use crate::ovs::groups_beside;
use anyhow::{Result, ensure};
use millrace_driver::Device;
use millrace_firmware::openflow::{Ports, parse_flows};
use millrace_firmware::slowpath::{Explained, Settings, SlowPath};
use millrace_sim::{CYCLE_NS, Embedded, Preset};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Cycles within which the hardware and the slow path must be done with one packet.
const PATIENCE: u64 = 1 << 22;

/// A simulated DPU with a slow path.
pub struct Millrace {
    device: Embedded,
    slow_path: SlowPath,
    vports: usize,
    /// What came out of every port.
    output: Vec<Vec<Vec<u8>>>,
}

impl Millrace {
    /// A build of the hardware, fresh from reset, with the flows of a file. They are for the ports of preset `sim`; a build with fewer ignores
    /// what goes out on the others (`docs/hardware.md`, "Actions").
    pub fn start(flow_file: &Path, preset: Preset) -> Result<Millrace> {
        let name = flow_file.display().to_string();
        let groups = Arc::new(groups_beside(flow_file)?);
        let flows = parse_flows(&name, &fs::read_to_string(flow_file)?, Ports::sim(), groups)?;
        let mut device = Embedded::new(preset)?;
        let slow_path = SlowPath::new(&mut device, flows, Settings::default())?;
        let vports = device.simulation().config().vports();
        Ok(Millrace { device, slow_path, vports, output: vec![Vec::new(); vports] })
    }

    /// Hands one frame in at a vport and waits until hardware and slow path are done with it.
    pub fn frame(&mut self, vport: usize, frame: &[u8]) -> Result<()> {
        self.device.simulation().send(vport, frame);
        self.settle()
    }

    fn settle(&mut self) -> Result<()> {
        let limit = self.device.simulation().cycle() + PATIENCE;
        loop {
            self.device.simulation().run_until_idle(PATIENCE);
            self.slow_path.poll(&mut self.device)?;
            self.device.poll()?;
            let simulation = self.device.simulation();
            if simulation.idle() && simulation.upcalls_waiting() == 0 && self.slow_path.waiting() == 0 {
                break;
            }
            ensure!(self.device.simulation().cycle() < limit, "the device does not come to rest");
        }
        for vport in 0..self.vports {
            while let Some(received) = self.device.simulation().recv(vport) {
                self.output[vport].push(received.frame);
            }
        }
        Ok(())
    }

    /// Lets time go by.
    pub fn wait(&mut self, seconds: u64) -> Result<()> {
        for _ in 0..seconds {
            self.device.simulation().skip(1_000_000_000 / CYCLE_NS);
            self.slow_path.poll(&mut self.device)?;
        }
        self.settle()
    }

    /// What came out of every vport.
    pub fn output(&self) -> &[Vec<Vec<u8>>] {
        &self.output
    }

    /// Megaflows that there are now.
    pub fn megaflows(&self) -> usize {
        self.slow_path.megaflows().0
    }

    /// The megaflows that there are now, as `millrace rules` shows them.
    pub fn dump(&mut self) -> Result<Vec<String>> {
        Ok(self.slow_path.dump_megaflows(&mut self.device)?.iter().map(ToString::to_string).collect())
    }

    /// What the slow path would do with a frame that no rule matches.
    pub fn explain(&self, vport: usize, frame: &[u8]) -> Explained {
        self.slow_path.explain(vport as u8, frame)
    }

    /// Packets that the slow path had to handle.
    pub fn upcalls(&self) -> u64 {
        let stats = self.slow_path.stats();
        stats.misses + stats.punts + stats.rule_upcalls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::build::v4;
    use millrace_firmware::openflow::parse_flow_file;

    #[test]
    fn packets_under_way_while_their_rule_is_taken_out_are_credited() {
        const ROUNDS: usize = 20;
        const FRAMES: u64 = 200;
        // Each makes the rules of the one before too wide.
        let looked_at = ["udp,tp_src=1", "udp,tp_dst=1", "ip,nw_src=1.1.1.1", "ip,nw_dst=1.1.1.1"];
        let flows = |n: usize| {
            let one = looked_at[n % looked_at.len()];
            let text =
                format!("actions=resubmit(,1)\ntable=1,priority=9,{one},actions=drop\ntable=1,priority=1,actions=p1");
            parse_flow_file("flows", &text, Ports::sim()).unwrap()
        };
        let mut device = Embedded::new(Preset::Sim).unwrap();
        let mut slow_path = SlowPath::new(&mut device, flows(0), Settings::default()).unwrap();
        let settle = |device: &mut Embedded, slow_path: &mut SlowPath| {
            while !device.simulation().idle() || device.simulation().upcalls_waiting() > 0 || slow_path.waiting() > 0 {
                device.simulation().step();
                slow_path.poll(device).unwrap();
            }
        };
        let frame = || v4(1, 2).udp(1000, 53, 12);
        for round in 1..=ROUNDS {
            // The first has a rule made for the others, of which some are under way when it goes.
            device.simulation().send(0, frame());
            settle(&mut device, &mut slow_path);
            (1..FRAMES).for_each(|_| device.simulation().send(0, frame()));
            (0..FRAMES).for_each(|_| device.simulation().step());
            slow_path.replace_flows(&mut device, flows(round)).unwrap();
            settle(&mut device, &mut slow_path);
        }
        let packets = |dump: &[millrace_firmware::slowpath::FlowDump]| -> u64 {
            dump.iter().filter(|dump| dump.flow.table == 0).map(|dump| dump.stats.packets).sum()
        };
        let dump = slow_path.dump_flows(&mut device).unwrap();
        let (all, stats) = (ROUNDS as u64 * FRAMES, slow_path.stats());
        assert_eq!(packets(&dump), all);
        assert!(stats.removed > 8 && all - stats.misses > all / 8, "{stats:?}");
    }
}
