// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of hardware.

use super::{Event, PciAddress, Problem, Role, VfioBar, VfioError, VfioFunction, VfioMemory, VfioRegisters};
use crate::virtio::{Ecpf, Settings, VirtioError, vports};
use crate::{Access, Device, DeviceError, Registers, Sent, Upcall};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// A device whose ECPF this process has: registers and rings are mapped. Its time is that of this machine, since it was opened.
///
/// [`poll`](Device::poll) looks at the rings and does not wait: a caller that has nothing else to do waits for [`descriptors`](Self::descriptors).
pub struct VfioDpu {
    registers: VfioRegisters,
    ecpf: Ecpf<VfioBar, VfioMemory>,
    /// Of the receiveqs.
    upcalls: Event,
    /// The configuration's: the function needs a reset.
    changes: Event,
    start: Instant,
    // Last, for it goes last.
    function: VfioFunction,
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
        let settings = Settings { interrupts: true, ..Settings::representors(found) };
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
        Ok(Self { registers: function.registers(), ecpf, upcalls, changes, start: Instant::now(), function })
    }

    /// The ECPF's BAR 0, for what it sets of the other functions.
    pub fn bar(&mut self) -> &mut VfioBar {
        self.ecpf.bar()
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

impl Device for VfioDpu {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.registers.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.registers.write32(address, value)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        self.registers.batch(accesses)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.ecpf.next_upcall()
    }

    fn upcall_waiting(&self) -> bool {
        self.ecpf.upcall_waiting()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.ecpf.packet_out(vport, frame)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        // What comes after this is signalled again.
        self.upcalls.take();
        if self.changes.take() {
            self.ecpf.check()?;
        }
        self.ecpf.look(self.now())?;
        Ok(())
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}
