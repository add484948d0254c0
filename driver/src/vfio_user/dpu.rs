// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of a device in another process.

use super::registers::backend;
use super::{AttachError, Event, Role, VfioUserBar, VfioUserFunction, VfioUserRegisters};
use crate::virtio::{Ecpf, MappedMemory, Settings, vports};
use crate::{Access, BoxError, Device, DeviceError, Registers, Sent, Upcall};
use millrace_vfio_user::{ClientError, SharedMemory};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

/// A served device, as its ECPF sees it: registers by messages, upcalls and packets out through rings in shared memory. Its time is that
/// of this machine, since the connection.
///
/// [`poll`](Device::poll) looks at the rings and does not wait: a caller that has nothing else to do waits for [`descriptors`](Self::descriptors).
pub struct VfioUserDpu {
    registers: VfioUserRegisters,
    ecpf: Ecpf<VfioUserBar, MappedMemory<SharedMemory>>,
    function: VfioUserFunction,
    /// Of the receiveqs.
    upcalls: Event,
    /// The configuration's: the function needs a reset.
    changes: Event,
    start: Instant,
}

impl VfioUserDpu {
    /// Connects to the socket of an ECPF, and brings it up.
    ///
    /// # Errors
    /// If there is none, or it does not come up.
    pub fn connect(path: &Path) -> Result<Self, AttachError> {
        let function = VfioUserFunction::connect(path, Role::Ecpf)?;
        let not_millrace =
            |error: BoxError| AttachError::NotMillrace { path: path.to_owned(), found: error.to_string() };
        let vports = vports(&mut function.bar()).map_err(not_millrace)?;
        let settings = Settings { interrupts: true, ..Settings::representors(vports) };
        let memory = function.memory(settings.memory_bytes())?;
        let changes = function.event([0])?;
        let upcalls = function.event((0..vports).map(|pair| 1 + 2 * pair))?;
        let ecpf = Ecpf::start(function.bar(), memory, settings, vports.into())
            .map_err(|error| AttachError::Virtio { path: path.to_owned(), error })?;
        Ok(Self { registers: function.registers(), ecpf, function, upcalls, changes, start: Instant::now() })
    }

    /// The ECPF's BAR 0, for what it sets of the other functions.
    pub fn bar(&mut self) -> &mut VfioUserBar {
        self.ecpf.bar()
    }

    /// What to wait for: ready to read when an upcall has come, the function needs a reset, or the server has gone.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.upcalls.as_fd(), self.changes.as_fd(), self.function.socket().as_fd()]
    }

    /// Resets the function: when this returns it does not touch memory any more. The tables stay as they are.
    ///
    /// # Errors
    /// If the server has gone, or the reset does not end.
    pub fn stop(self) -> Result<(), AttachError> {
        let Self { ecpf, function, .. } = self;
        ecpf.stop().map_err(|error| AttachError::Virtio { path: function.path().to_owned(), error })?;
        function.reset().map_err(|error: ClientError| error.into())
    }
}

impl Device for VfioUserDpu {
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
        self.function.check().map_err(backend)?;
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
