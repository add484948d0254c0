// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PF or VF of a device in another process.

use super::{AttachError, Event, Role, VfioUserBar, VfioUserFunction};
use crate::virtio::{MappedMemory, Settings, VirtioError, VirtioNet};
use millrace_vfio_user::{ClientError, SharedMemory};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// The function's driver, and what wakes who waits for it.
pub struct VfioUserNet {
    net: VirtioNet<VfioUserBar, MappedMemory<SharedMemory>>,
    function: VfioUserFunction,
    /// Of all virtqueues.
    queues: Event,
    /// The configuration's.
    changes: Event,
}

impl VfioUserNet {
    /// Connects to the socket of a PF or VF, and brings it up with interrupts.
    ///
    /// # Errors
    /// If there is no such function, or it does not come up.
    pub fn connect(path: &Path, settings: Settings) -> Result<Self, AttachError> {
        let function = VfioUserFunction::connect(path, Role::Network)?;
        let settings = Settings { interrupts: true, ..settings };
        let memory = function.memory(settings.memory_bytes())?;
        let changes = function.event([0])?;
        let queues = function.event(1..=2 * settings.pairs)?;
        let net = VirtioNet::start(function.bar(), memory, settings)
            .map_err(|error| AttachError::Virtio { path: path.to_owned(), error })?;
        Ok(Self { net, function, queues, changes })
    }

    /// The driver.
    pub fn net(&mut self) -> &mut VirtioNet<VfioUserBar, MappedMemory<SharedMemory>> {
        &mut self.net
    }

    /// The function, of which a PF has [VFs](VfioUserFunction::set_num_vfs).
    pub fn function(&self) -> &VfioUserFunction {
        &self.function
    }

    /// What to wait for: ready to read when a virtqueue or the configuration has something new, or the server has gone. [`refresh`](Self::refresh) then says what,
    /// and has to be called before the virtqueues are looked at.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.queues.as_fd(), self.changes.as_fd(), self.function.socket().as_fd()]
    }

    /// Takes the interrupts that have come; true if the configuration has changed.
    ///
    /// # Errors
    /// If the server has gone, or the function needs a reset.
    pub fn refresh(&mut self) -> Result<bool, AttachError> {
        self.queues.take();
        self.function.check()?;
        let changed = self.changes.take();
        if changed {
            self.net.check().map_err(|error| self.virtio(error))?;
        }
        Ok(changed)
    }

    /// Resets the function: when this returns it does not touch memory any more.
    ///
    /// # Errors
    /// If the server has gone, or the reset does not end.
    pub fn stop(self) -> Result<(), AttachError> {
        let Self { net, function, .. } = self;
        net.stop().map_err(|error| AttachError::Virtio { path: function.path().to_owned(), error })?;
        function.reset().map_err(|error: ClientError| error.into())
    }

    fn virtio(&self, error: VirtioError) -> AttachError {
        AttachError::Virtio { path: self.function.path().to_owned(), error }
    }
}
