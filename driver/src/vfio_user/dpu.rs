// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of a device in another process.

use super::registers::backend;
use super::{AttachError, Event, Role, VfioUserBar, VfioUserFunction, VfioUserRegisters};
use crate::ecpf_dpu::{EcpfDpu, EcpfFunction};
use crate::virtio::{Ecpf, MappedMemory, Settings, vports};
use crate::{BoxError, DeviceError};
use millrace_vfio_user::{ClientError, SharedMemory};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// A served device, as its ECPF sees it: registers by messages, upcalls and packets out through rings in shared memory.
pub type VfioUserDpu = EcpfDpu<VfioUserFunction>;

impl EcpfFunction for VfioUserFunction {
    type Registers = VfioUserRegisters;
    type Bar = VfioUserBar;
    type Memory = MappedMemory<SharedMemory>;

    fn check(&self) -> Result<(), DeviceError> {
        VfioUserFunction::check(self).map_err(backend)
    }
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
        let registers = function.registers();
        Ok(Self::new(function, registers, ecpf, upcalls, changes))
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
