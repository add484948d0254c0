// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of hardware.

use super::{Event, PciAddress, Problem, Role, VfioBar, VfioError, VfioFunction, VfioMemory, VfioRegisters};
use crate::DeviceError;
use crate::ecpf_dpu::{EcpfDpu, EcpfFunction};
use crate::virtio::{Ecpf, Settings, VirtioError, vports};
use std::os::fd::{AsFd, BorrowedFd};

/// Transmit buffers of each representor: what is in flight while the device answers, at a rate that no slow path in software has. They hold the longest frames, and take most of
/// the memory.
const PACKET_OUTS: u16 = 64;

/// A device whose ECPF this process has: registers and rings are mapped.
pub type VfioDpu = EcpfDpu<VfioFunction>;

impl EcpfFunction for VfioFunction {
    type Registers = VfioRegisters;
    type Bar = VfioBar;
    type Memory = VfioMemory;

    /// Nothing tells that hardware has gone but what it answers.
    fn check(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

impl VfioDpu {
    /// Opens the ECPF at an address, and brings it up.
    ///
    /// # Errors
    /// If there is none, this process may not have it, or it does not come up.
    pub fn open(address: PciAddress) -> Result<Self, VfioError> {
        let function = VfioFunction::open(address, Role::Ecpf)?;
        let found = vports(&mut function.bar()).map_err(|error| Problem::NotMillrace(error.to_string()).of(address))?;
        let vports = usize::from(found);
        let settings = Settings { interrupts: true, transmit_buffers: PACKET_OUTS, ..Settings::representors(found) };
        let memory = function.memory(settings.memory_bytes())?;
        let vectors = function.vectors();
        if vectors < 1 + 2 * vports {
            let text = format!("this ECPF has {vectors} vectors for {} virtqueues", 2 * vports);
            return Err(Problem::NotMillrace(text).of(address));
        }
        // Vector 0 is the configuration's, and 1 + q that of virtqueue q. Who sends looks for room: transmitqs wake nobody.
        let events = function.events(|vector| if vector == 0 { 0 } else { 1 + (vector + 1) % 2 })?;
        let [changes, upcalls, _] = <[Event; 3]>::try_from(events).expect("an event of each kind");
        let ecpf = Ecpf::start(function.bar(), memory, settings, vports)
            .map_err(|error| Problem::Virtio(error).of(address))?;
        let registers = function.registers();
        Ok(Self::new(function, registers, ecpf, upcalls, changes))
    }

    /// What to wait for: ready to read when an upcall has come, or the function needs a reset.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.upcalls.as_fd(), self.changes.as_fd()]
    }

    /// Resets the function: when this returns it does not touch memory any more. The tables stay as they are.
    ///
    /// # Errors
    /// If it cannot be reached, or the reset does not end.
    pub fn stop(self) -> Result<(), VfioError> {
        let address = self.function.address();
        let stopped: Result<_, VirtioError> = self.ecpf.stop();
        stopped.map(|_| ()).map_err(|error| Problem::Virtio(error).of(address))
    }
}
