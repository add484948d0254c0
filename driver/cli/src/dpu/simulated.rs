// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done with a device that is simulated here, or connected to this machine.

use super::{Dpu, Undone};
use crate::functions;
use crate::stats::{Sent, Stats};
use anyhow::Result;
use millrace_driver::{Device, DeviceError, QueueStats};
use millrace_firmware::openflow::FlowTable;
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_sim::{CYCLE_NS, Simulated};

/// Cycles after which the slow path gets its turn even if nothing is waiting for it, for its timers.
const TURN: u32 = 1 << 14;

/// Cycles that pass at once while the slow path has something to do as time passes: 100 ms.
pub const LEAP: u64 = 100_000_000 / CYCLE_NS;

/// Cycles after the last packet in which the slow path reads all counters: a second.
const QUIET: u64 = 1_000_000_000 / CYCLE_NS;

/// Cycles that a matched packet needs at most to leave a pipeline that is not held up: the longest frame, several times.
const PIPELINE: u64 = 1 << 12;

/// Cycles in which packets that the slow path has nothing to do with leave the hardware when a run is broken off: the
/// transmit queues and 64 packet-outs of the longest frame.
const DRAIN: u64 = 1 << 16;

impl<D: Simulated> Dpu<D> {
    /// Cycles since reset.
    pub fn cycle(&self) -> u64 {
        self.device.cycle()
    }

    /// No packet is on its way, in the hardware or the slow path.
    pub fn settled(&self) -> bool {
        !self.slow_path_has_work() && self.device.idle()
    }

    fn slow_path_has_work(&self) -> bool {
        self.has_work() || self.upcall_waiting()
    }

    /// The run ends: packets under way still arrive, but rules that are to come would be of no use any more.
    pub fn wind_down(&mut self) {
        self.slow_path.stop_handing_over();
    }

    /// Simulates one cycle; the slow path gets its turn if there is something for it. How many packets it handled or put out.
    pub fn step(&mut self) -> Result<usize> {
        self.device.poll()?;
        self.since_turn += 1;
        if self.since_turn >= TURN || self.slow_path_has_work() {
            return self.turn();
        }
        Ok(0)
    }

    /// Nothing moves for so many cycles: lets them pass, or as many as it takes until the slow path has something to do.
    pub fn pass_quiet_time(&mut self, cycles: u64) -> Result<()> {
        let now = self.cycle();
        let entered: u64 = (0..self.vports()).map(|vport| self.device.entered(vport)).sum();
        if entered != self.entered.0 {
            self.entered = (entered, now);
        }
        let leap = self.leap(now, self.entered.1);
        self.pass_time(cycles.min(leap))
    }

    /// Lets so many cycles pass, at once where nothing moves.
    pub fn pass_time(&mut self, cycles: u64) -> Result<()> {
        self.device.skip(cycles)?;
        self.turn()?;
        Ok(())
    }

    /// Breaks off: what the slow path has yet to do is left undone, and counted; what is in the hardware leaves it.
    pub fn break_off(&mut self) -> Result<()> {
        for vport in 0..self.undone.len() {
            self.undone[vport].not_entered += self.device.withdraw(vport) as u64;
        }
        self.device.run_until_idle(DRAIN)?;
        while let Some(upcall) = self.device.recv_upcall() {
            self.undone[usize::from(upcall.vport)].upcalls += 1;
        }
        for vport in self.slow_path.discard_waiting() {
            self.undone[usize::from(vport)].copies += 1;
        }
        let sum = |count: fn(&Undone) -> u64| self.undone.iter().map(count).sum::<u64>();
        let (not_entered, upcalls, copies) = (sum(|u| u.not_entered), sum(|u| u.upcalls), sum(|u| u.copies));
        if upcalls + copies + not_entered > 0 {
            eprintln!(
                "millrace: interrupted: {upcalls} packets had yet to be handled by the slow path, {copies} copies to leave it, \
                 and {not_entered} packets to enter (drop_interrupted, not_sent and not_entered in the statistics)"
            );
        }
        Ok(())
    }

    /// No packet is handled by the flows before these any more, and those that were are out of the pipeline.
    pub fn reloaded(&mut self) -> bool {
        if !self.rules_agree() {
            return false;
        }
        let cycle = self.cycle();
        let since = *self.reloaded_at.get_or_insert(cycle);
        self.settled() || cycle >= since + PIPELINE
    }

    /// What happened so far. `sent`: what left each port.
    pub fn stats(&mut self, sent: &[Sent]) -> Result<Stats> {
        let mut stats = self.port_stats(sent)?;
        let config = *self.config();
        if let Some(ecpf) = self.device.ecpf() {
            functions::add_functions(&mut stats, &config, ecpf)?;
        }
        let (cycles, clocked_cycles) = (Some(self.device.cycle()), Some(self.device.clocked_cycles()));
        Ok(Stats { cycles, clocked_cycles, ..stats })
    }
}

impl<D: Device> Dpu<D> {
    /// Takes a device, with these flows in force. Rules that are in its tables are cleared.
    pub fn over(mut device: D, flows: FlowTable, settings: Settings) -> Result<Self, DeviceError> {
        let slow_path = SlowPath::new(&mut device, flows, settings)?;
        Ok(Self::with(device, slow_path))
    }

    /// What a queue counted: that of a vport, or, behind them, that of the upcalls.
    pub fn queue_stats(&mut self, queue: u8) -> Result<QueueStats> {
        Ok(self.slow_path.rules_mut().queue_stats(&mut self.device, queue)?)
    }

    /// The device has packets for the slow path.
    pub fn upcall_waiting(&self) -> bool {
        self.device.upcall_waiting()
    }

    /// Nothing moves at this cycle, nor has since another one: cycles that may pass before the slow path has something to do.
    pub fn leap(&self, now: u64, since: u64) -> u64 {
        match self.slow_path.next_due() {
            _ if now < since + QUIET => LEAP,
            Some(due) => due.div_ceil(CYCLE_NS).saturating_sub(now).max(LEAP),
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow_file;
    use millrace_sim::{Embedded, EmbeddedHost, Latency, Preset};
    use std::sync::Arc;

    #[test]
    fn rules_that_are_to_come_do_not_hold_up_the_end() {
        end_with_rules_to_come(Embedded::new(Preset::Sim).unwrap());
        end_with_rules_to_come(EmbeddedHost::new(Preset::Host, Latency::default()).unwrap());
    }

    fn end_with_rules_to_come(device: impl Simulated) {
        let flows = flow_file::parse("flows", "actions=normal\n", Arc::default(), device.config()).unwrap();
        let mut dpu = Dpu::over(device, flows, Settings::default()).unwrap();
        // No more than a representor has buffers for at once.
        for station in 0..60 {
            let frame = [[2, 0, 0, 0, 0, 0xff], [2, 0, 0, 0, 0, station], [0x88, 0xb5, 0, 0, 0, 0]].concat();
            dpu.device().send(0, frame);
        }
        while dpu.slow_path.stats().misses < 30 {
            dpu.step().unwrap();
        }
        assert!(dpu.slow_path.waiting() > 0, "no rule is to come");
        let installed = dpu.slow_path.stats().installed;
        dpu.wind_down();
        while !dpu.settled() {
            dpu.step().unwrap();
        }
        let stats = dpu.slow_path.stats();
        assert_eq!((stats.misses, stats.installed), (60, installed));
    }
}
