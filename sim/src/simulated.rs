// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated device from both sides: as its slow path has it, and with what is at its ports.

use crate::{Bar, Config, DpuSimulation, Embedded, HostMemory, Received, TraceError};
use millrace_driver::{Device, DeviceError};
use std::ops::Range;
use std::path::Path;

/// Where frames enter a simulated device. Time is counted in cycles.
pub trait Ports {
    /// Cycles since the device was ready.
    fn cycle(&self) -> u64;

    /// Queues a frame of at least one byte at a port.
    ///
    /// # Panics
    /// If there is no such port.
    fn send(&mut self, vport: usize, frame: Vec<u8>);

    /// Frames queued at a port that have not entered whole.
    fn pending(&self, vport: usize) -> usize;

    /// Frames that entered at a port, at least in part.
    fn started(&self, vport: usize) -> u64;
}

/// A device in this process, with queues at all of its ports. Time passes while it is [polled](Device::poll), one cycle each time, while registers are accessed, and
/// when it is let pass.
pub trait Simulated: Device + Ports {
    /// The sizes of the device.
    fn config(&self) -> &Config;

    /// Cycles in which a clock of the device ran.
    fn clocked_cycles(&self) -> u64;

    /// Nothing is under way: no frame that is to enter, or in the device, no access. Frames and upcalls that wait to be fetched do not count.
    fn idle(&self) -> bool;

    /// Lets so many cycles pass, at once where nothing is under way.
    ///
    /// # Errors
    /// Of the device.
    fn skip(&mut self, cycles: u64) -> Result<(), DeviceError>;

    /// Lets cycles pass until nothing is under way, but no more than `limit`; false if something still is.
    ///
    /// # Errors
    /// Of the device.
    fn run_until_idle(&mut self, limit: u64) -> Result<bool, DeviceError> {
        let end = self.cycle().saturating_add(limit);
        while !self.idle() && self.cycle() < end {
            self.poll()?;
        }
        Ok(self.idle())
    }

    /// Takes back the frames queued at a port that have not begun to enter; how many they were.
    fn withdraw(&mut self, vport: usize) -> usize;

    /// Frames that entered at a port.
    fn entered(&self, vport: usize) -> u64;

    /// The oldest frame that left through a port and was not fetched yet.
    fn recv(&mut self, vport: usize) -> Option<Received>;

    /// The ECPF's BAR, of a device with host side: what tells of frames that no driver had a buffer for.
    fn ecpf(&mut self) -> Option<&mut Bar> {
        None
    }

    /// Writes the waveforms of all signals in `cycles` to `path` (FST, 4 ns per cycle).
    ///
    /// # Errors
    /// If the file cannot be made.
    fn trace(&mut self, path: &Path, cycles: Range<u64>) -> Result<(), TraceError>;

    /// Completes the waveform file, if one is being written.
    fn trace_end(&mut self);
}

impl Ports for Embedded {
    fn cycle(&self) -> u64 {
        self.core().cycle()
    }

    fn send(&mut self, vport: usize, frame: Vec<u8>) {
        self.simulation().send(vport, frame);
    }

    fn pending(&self, vport: usize) -> usize {
        self.core().pending(vport)
    }

    fn started(&self, vport: usize) -> u64 {
        self.core().started(vport)
    }
}

/// Its ports are the uplinks: the others are at functions, whose drivers are elsewhere.
impl<M: HostMemory> Ports for DpuSimulation<M> {
    fn cycle(&self) -> u64 {
        self.cycle()
    }

    fn send(&mut self, uplink: usize, frame: Vec<u8>) {
        self.send(uplink, frame);
    }

    fn pending(&self, uplink: usize) -> usize {
        self.pending(uplink)
    }

    fn started(&self, uplink: usize) -> u64 {
        self.started(uplink)
    }
}

impl Simulated for Embedded {
    fn config(&self) -> &Config {
        self.core().config()
    }

    fn clocked_cycles(&self) -> u64 {
        self.core().clocked_cycles()
    }

    fn idle(&self) -> bool {
        self.core().idle()
    }

    fn skip(&mut self, cycles: u64) -> Result<(), DeviceError> {
        self.simulation().skip(cycles);
        Ok(())
    }

    fn withdraw(&mut self, vport: usize) -> usize {
        self.simulation().withdraw(vport)
    }

    fn entered(&self, vport: usize) -> u64 {
        self.core().entered(vport).0
    }

    fn recv(&mut self, vport: usize) -> Option<Received> {
        self.simulation().recv(vport)
    }

    fn trace(&mut self, path: &Path, cycles: Range<u64>) -> Result<(), TraceError> {
        self.simulation().trace(path, cycles)
    }

    fn trace_end(&mut self) {
        self.simulation().trace_end();
    }
}
