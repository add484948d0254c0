// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of a device in another process.

use super::registers::backend;
use super::{AttachError, ECPF_SOCKET, Mode, PF_SOCKET, Role, VfioUserBar, VfioUserFunction, VfioUserRegisters};
use crate::ecpf_dpu::{EcpfDpu, EcpfFunction};
use crate::virtio::{Ecpf, MappedMemory, Settings, VirtioPci, vports};
use crate::{BoxError, DeviceError};
use millrace_regs::host::{COMMON, common};
use millrace_vfio_user::{ClientError, SharedMemory};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// A served device, as whoever owns its switch sees it, the ECPF or in NIC mode the PF: registers by messages, upcalls and packets out through rings in shared memory.
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
    /// Connects to the sockets in a folder: to that of the PF if the ECPF says that the device is in NIC mode, and brings function 0 up.
    ///
    /// # Errors
    /// If there is none, or it does not come up.
    pub fn open(folder: &Path) -> Result<(Self, Mode), AttachError> {
        let ecpf = VfioUserFunction::connect(&folder.join(ECPF_SOCKET), Role::Ecpf)?;
        match ecpf.mode()? {
            Mode::Dpu => Ok((Self::start(ecpf, |function| Ok((function.bar(), 0)))?, Mode::Dpu)),
            Mode::Nic => {
                drop(ecpf);
                let pf = VfioUserFunction::connect(&folder.join(PF_SOCKET), Role::Network)?;
                Ok((Self::start(pf, |pf| Ok((pf.representors_bar(), own_vectors(&mut pf.bar())?)))?, Mode::Nic))
            }
        }
    }

    /// Connects to the socket of an ECPF, and brings it up.
    ///
    /// # Errors
    /// If there is none, or it does not come up.
    pub fn connect(path: &Path) -> Result<Self, AttachError> {
        Self::start(VfioUserFunction::connect(path, Role::Ecpf)?, |function| Ok((function.bar(), 0)))
    }

    /// Brings function 0 up, whose registers and first vector a function has there.
    fn start(
        function: VfioUserFunction,
        place: impl FnOnce(&VfioUserFunction) -> Result<(VfioUserBar, u16), BoxError>,
    ) -> Result<Self, AttachError> {
        let path = function.path().to_owned();
        let not_millrace = |error: BoxError| AttachError::NotMillrace { path: path.clone(), found: error.to_string() };
        let (mut bar, first) = place(&function).map_err(not_millrace)?;
        let vports = vports(&mut bar).map_err(not_millrace)?;
        let settings = Settings { interrupts: true, ..Settings::representors(vports) };
        let memory = function.memory(settings.memory_bytes())?;
        let changes = function.event([first])?;
        let upcalls = function.event((0..vports).map(|pair| first + 1 + 2 * pair))?;
        let ecpf = Ecpf::start(bar, memory, settings, vports.into())
            .map_err(|error| AttachError::Virtio { path: path.clone(), error })?;
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

/// MSI-X vectors of a PF that are its own.
fn own_vectors(bar: &mut VfioUserBar) -> Result<u16, BoxError> {
    Ok(bar.read16(COMMON.offset + common::NUM_QUEUES.offset)?.saturating_add(1))
}
