// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend with the host side and its drivers: frames of PF and VFs go through virtqueues in memory of this process, as those of the slow path do.

use crate::embedded_dpu::LOOK;
use crate::host_port::HostPort;
use crate::{
    Bar, Config, DpuSimulation, EmbeddedDpu, Latency, NewError, Ports, Preset, Received, Simulated, TraceError,
};
use millrace_driver::virtio::{FunctionConfig, FunctionView, LocalMemory, Settings, VirtioError};
use millrace_driver::{Device, DeviceError, DropSample, Sent, Upcall};
use std::cell::{Ref, RefCell, RefMut};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// Where each function sees its memory.
const ADDRESS: u64 = 1 << 32;
/// Of an Ethernet header with a VLAN tag, which `mtu` does not count.
const ETHERNET: usize = 18;

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The simulation cannot be had.
    #[error(transparent)]
    New(#[from] NewError),
    /// A function does not come up.
    #[error("{function}: {error}")]
    Virtio {
        /// Its name.
        function: String,
        /// Why not.
        error: VirtioError,
    },
}

/// A simulated device with host side, whose functions all have their drivers here: the slow path is at the ECPF, and what a driver of a PF or VF
/// sends and receives is at the port of its function.
pub struct EmbeddedHost {
    dpu: Rc<RefCell<DpuSimulation>>,
    ecpf: EmbeddedDpu,
    config: Config,
    /// Of PF and VFs, which follow the uplinks.
    ports: Vec<HostPort>,
    /// Cycle from which on the rings are worth a look.
    look_at: u64,
    /// The rings were looked at when nothing was under way any more, and had nothing.
    at_rest: bool,
}

impl EmbeddedHost {
    /// A device of `preset`, all of its functions in use; memory is as far as `latency` says.
    ///
    /// # Errors
    /// If the preset is not built in, or a function does not come up.
    ///
    /// # Panics
    /// If the preset has no host side.
    pub fn new(preset: Preset, latency: Latency) -> Result<Self, HostError> {
        let config = preset.config();
        let representors = Settings::representors(config.vports() as u16);
        let settings = Settings::default();
        let memory = |function| {
            let settings = if function == 0 { &representors } else { &settings };
            LocalMemory::new(ADDRESS, settings.memory_bytes())
        };
        let memories: Vec<_> = (0..config.functions()).map(memory).collect();
        let dpu = Rc::new(RefCell::new(DpuSimulation::new(preset, memories.clone(), latency)?));
        let mut memories = memories.into_iter().enumerate();
        let (_, memory) = memories.next().expect("the ECPF is function 0");
        let failed = |function: usize| {
            move |error| HostError::Virtio { function: crate::served::function_name(&config, function), error }
        };
        let mut ecpf = EmbeddedDpu::new(dpu.clone(), memory, representors).map_err(failed(0))?;
        let mut ports = vec![];
        for (function, memory) in memories {
            configure(&config, function, ecpf.bar()).map_err(failed(function))?;
            dpu.borrow_mut().set_bus_master(function, true);
            let bar = Bar::new(dpu.clone(), function);
            ports.push(HostPort::start(bar, memory, settings.clone()).map_err(failed(function))?);
        }
        Ok(Self { dpu, ecpf, config, ports, look_at: 0, at_rest: false })
    }

    fn dpu(&self) -> Ref<'_, DpuSimulation> {
        self.dpu.borrow()
    }

    fn dpu_mut(&self) -> RefMut<'_, DpuSimulation> {
        self.dpu.borrow_mut()
    }

    /// The port of a function's driver; none for an uplink.
    fn port(&self, vport: usize) -> Option<&HostPort> {
        vport.checked_sub(self.config.uplinks).map(|port| &self.ports[port])
    }

    fn port_mut(&mut self, vport: usize) -> Option<&mut HostPort> {
        vport.checked_sub(self.config.uplinks).map(|port| &mut self.ports[port])
    }

    /// Lets all drivers look at their rings, if it is time to.
    fn attend(&mut self) -> Result<(), DeviceError> {
        let (cycle, idle) = (self.cycle(), self.dpu().idle());
        if idle && self.at_rest || !idle && cycle < self.look_at {
            return Ok(());
        }
        self.look_at = cycle + LOOK;
        let mut moved = self.ecpf.look()? != 0;
        for (function, port) in (1..).zip(&mut self.ports) {
            moved |= port.look(cycle).map_err(failed(&self.config, function))?;
        }
        self.at_rest = idle && !moved && self.dpu().idle();
        if self.at_rest {
            for (function, port) in (1..).zip(&mut self.ports) {
                port.check().map_err(failed(&self.config, function))?;
            }
        }
        Ok(())
    }
}

/// Gives a function its device configuration: a MAC of its own, the longest payload that there is, a link that is up.
fn configure(config: &Config, function: usize, ecpf: &mut Bar) -> Result<(), VirtioError> {
    let (mac, mtu) = ([2, 0x4d, 0x52, 0, 0, function as u8 - 1], (config.max_frame - ETHERNET) as u16);
    FunctionConfig { mac, mtu, link_up: true, features: u64::MAX, policy: Default::default() }
        .set(ecpf, function as u32)
}

/// What a function's driver found wrong, with the function's name.
fn failed(config: &Config, function: usize) -> impl Fn(VirtioError) -> DeviceError {
    let function = crate::served::function_name(config, function);
    move |error| DeviceError::Backend(Box::new(HostError::Virtio { function: function.clone(), error }))
}

impl Device for EmbeddedHost {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        let value = self.ecpf.read32(address);
        // Rings may fill while the access takes its time.
        self.attend()?;
        value
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        let written = self.ecpf.write32(address, value);
        self.attend()?;
        written
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.ecpf.recv_upcall()
    }

    fn upcall_waiting(&self) -> bool {
        self.ecpf.upcall_waiting()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.at_rest = false;
        self.ecpf.send_packet_out(vport, frame)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.dpu_mut().step();
        self.attend()
    }

    fn next_drop_sample(&mut self) -> Option<DropSample> {
        self.ecpf.next_drop_sample()
    }

    fn function(&mut self, function: u32) -> Result<Option<FunctionView>, DeviceError> {
        self.ecpf.function(function)
    }

    fn now(&self) -> u64 {
        self.ecpf.now()
    }
}

impl Ports for EmbeddedHost {
    fn cycle(&self) -> u64 {
        self.dpu().cycle()
    }

    fn send(&mut self, vport: usize, frame: Vec<u8>) {
        self.at_rest = false;
        match self.port_mut(vport) {
            Some(port) => port.send(frame),
            None => self.dpu_mut().send(vport, frame),
        }
    }

    fn pending(&self, vport: usize) -> usize {
        self.port(vport).map_or_else(|| self.dpu().pending(vport), HostPort::pending)
    }

    fn started(&self, vport: usize) -> u64 {
        self.port(vport).map_or_else(|| self.dpu().started(vport), HostPort::entered)
    }
}

impl Simulated for EmbeddedHost {
    fn config(&self) -> &Config {
        &self.config
    }

    fn clocked_cycles(&self) -> u64 {
        self.dpu().clocked_cycles()
    }

    fn idle(&self) -> bool {
        self.at_rest && self.dpu().idle() && self.ports.iter().all(|port| port.pending() == 0)
    }

    fn skip(&mut self, cycles: u64) -> Result<(), DeviceError> {
        let end = self.cycle() + cycles;
        while !self.idle() && self.cycle() < end {
            self.poll()?;
        }
        let left = end.saturating_sub(self.cycle());
        self.dpu_mut().skip(left);
        Ok(())
    }

    fn withdraw(&mut self, vport: usize) -> usize {
        match self.port_mut(vport) {
            Some(port) => port.withdraw(),
            None => self.dpu_mut().withdraw(vport),
        }
    }

    fn entered(&self, vport: usize) -> u64 {
        self.port(vport).map_or_else(|| self.dpu().entered(vport), HostPort::entered)
    }

    fn recv(&mut self, vport: usize) -> Option<Received> {
        match self.port_mut(vport) {
            Some(port) => port.recv(),
            None => self.dpu_mut().recv(vport),
        }
    }

    fn ecpf(&mut self) -> Option<&mut Bar> {
        Some(self.ecpf.bar())
    }

    fn trace(&mut self, path: &Path, cycles: Range<u64>) -> Result<(), TraceError> {
        self.dpu_mut().trace(path, cycles)
    }

    fn trace_end(&mut self) {
        self.dpu_mut().trace_end();
    }
}
