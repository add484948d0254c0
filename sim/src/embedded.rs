// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend with nothing to start: the Verilated core in this process.

use crate::{Access, BusError, CYCLE_NS, NewError, Preset, Simulation};
use millrace_driver::{Device, DeviceError, Sent, Upcall};
use millrace_regs::UpcallReason;

/// A simulated device. Time passes while registers are accessed and while it is polled, one cycle each time.
pub struct Embedded {
    simulation: Simulation,
}

impl Embedded {
    /// A device of this build, fresh from reset.
    ///
    /// # Errors
    /// If the build is not linked into this program.
    pub fn new(preset: Preset) -> Result<Self, NewError> {
        Ok(Self { simulation: Simulation::new(preset)? })
    }

    /// What is on the other side of the device: its ports, its clock, its waveforms.
    pub fn simulation(&mut self) -> &mut Simulation {
        &mut self.simulation
    }
}

impl Embedded {
    /// The same, to look at.
    pub(crate) fn core(&self) -> &Simulation {
        &self.simulation
    }
}

/// A register's address on the bus of the simulation.
pub(crate) fn offset(access: &'static str, address: u32) -> Result<u16, DeviceError> {
    address.try_into().map_err(|_| DeviceError::Refused { access, address })
}

pub(crate) fn error(error: BusError) -> DeviceError {
    match error {
        BusError::Refused { access, offset, .. } => {
            let access = match access {
                Access::Read => "read",
                Access::Write => "write",
            };
            DeviceError::Refused { access, address: offset }
        }
        other => DeviceError::Backend(Box::new(other)),
    }
}

impl Device for Embedded {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.simulation.read32(offset("read", address)?).map_err(error)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.simulation.write32(offset("write", address)?, value).map_err(error)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        let upcall = self.simulation.upcall()?;
        let reason = UpcallReason::from_number(upcall.reason.into()).expect("the core knows three reasons");
        let crate::simulation::Upcall { vport, pass, metadata, frame, .. } = upcall;
        Some(Upcall { vport, reason, at: upcall.cycle * CYCLE_NS, pass, metadata, frame })
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        Ok(if self.simulation.packet_out(vport, frame) { Sent::Accepted } else { Sent::Full })
    }

    fn upcall_waiting(&self) -> bool {
        self.simulation.upcalls_waiting() > 0
    }

    fn packets_out_waiting(&self) -> usize {
        self.simulation.packet_out_pending()
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.simulation.step();
        Ok(())
    }

    fn now(&self) -> u64 {
        self.simulation.cycle() * CYCLE_NS
    }
}
