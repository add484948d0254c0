// SPDX-License-Identifier: MIT OR Apache-2.0
//! A served function of Millrace.

use super::bar::VfioUserBar;
use super::client::lock;
use super::error::AttachError;
use super::registers::VfioUserRegisters;
use crate::event::Event;
use crate::identity::{CONFIG_BYTES, Role, identify};
use crate::virtio::MappedMemory;
use millrace_vfio_user::{Client, ClientError, SharedMemory, Space};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// PCI's command register, and its bits: the BARs answer, the function may use its bus.
const COMMAND: u64 = 0x04;
const MEMORY: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;

/// Where the function sees the memory that is shared with it.
const ADDRESS: u64 = 1 << 32;

/// A function that was recognised, and may use its bus. When the last handle of it is dropped the server resets it.
pub struct VfioUserFunction {
    client: Arc<Mutex<Client>>,
    path: PathBuf,
    /// The client's socket, for those that wait.
    socket: OwnedFd,
}

impl VfioUserFunction {
    /// Connects to the socket of a function of this role.
    ///
    /// # Errors
    /// If there is none, or the function is another.
    pub fn connect(path: &Path, role: Role) -> Result<Self, AttachError> {
        let mut client = Client::connect(path)?;
        let not_millrace = |found| AttachError::NotMillrace { path: path.to_owned(), found };
        let info = client.info()?;
        if info.config_bytes < CONFIG_BYTES {
            return Err(not_millrace(format!("its configuration space has {} bytes", info.config_bytes)));
        }
        let mut config = [0; CONFIG_BYTES];
        client.read(Space::Config, 0, &mut config)?;
        let found = identify(&config, &info.bars).map_err(not_millrace)?;
        if found != role {
            return Err(not_millrace(format!("this is {found}, not {role}")));
        }
        client.write(Space::Config, COMMAND, &(MEMORY | BUS_MASTER).to_le_bytes())?;
        let socket = client.descriptor().try_clone_to_owned();
        let socket = socket.map_err(|error| ClientError::Connect { path: path.to_owned(), error })?;
        Ok(Self { client: Arc::new(Mutex::new(client)), path: path.to_owned(), socket })
    }

    /// The way to its server.
    pub(super) fn client(&self) -> &Mutex<Client> {
        &self.client
    }

    /// Its socket's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its virtio registers.
    pub fn bar(&self) -> VfioUserBar {
        VfioUserBar::new(self.client.clone(), 0)
    }

    /// Of a PF: the virtio registers of the representors, in NIC mode.
    pub fn representors_bar(&self) -> VfioUserBar {
        VfioUserBar::new(self.client.clone(), 4)
    }

    /// Memory that the function reaches, of `bytes` bytes or more; to be called once.
    ///
    /// # Errors
    /// If there is not so much, or the server refuses it.
    pub fn memory(&self, bytes: usize) -> Result<MappedMemory<SharedMemory>, AttachError> {
        let memory = SharedMemory::new(bytes)?;
        lock(&self.client).share(&memory, ADDRESS)?;
        Ok(MappedMemory::shared(memory, ADDRESS))
    }

    /// An event that these vectors signal from now on.
    ///
    /// # Errors
    /// If the function does not have them.
    pub fn event(&self, vectors: impl IntoIterator<Item = u16>) -> Result<Event, AttachError> {
        let event = Event::new().map_err(AttachError::Event)?;
        for vector in vectors {
            lock(&self.client).set_vector(vector, Some(event.as_fd()))?;
        }
        Ok(event)
    }

    /// Makes sure that the server is there.
    ///
    /// # Errors
    /// If it has gone.
    pub fn check(&self) -> Result<(), ClientError> {
        lock(&self.client).attend(Duration::ZERO).map(|_| ())
    }

    /// Resets the function, as after power-up.
    ///
    /// # Errors
    /// If the server has gone.
    pub fn reset(&self) -> Result<(), ClientError> {
        lock(&self.client).reset()
    }

    /// The registers of the device, if it is an ECPF in DPU mode, or a PF in NIC mode.
    pub fn registers(&self) -> VfioUserRegisters {
        VfioUserRegisters::new(self.client.clone())
    }

    /// Is ready to read when the server has gone.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}
