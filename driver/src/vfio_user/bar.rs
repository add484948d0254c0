// SPDX-License-Identifier: MIT OR Apache-2.0
//! The virtio registers of a served function.

use super::client::lock;
use crate::BoxError;
use crate::virtio::VirtioPci;
use millrace_regs::host::NOTIFY;
use millrace_vfio_user::{Client, Space};
use std::sync::{Arc, Mutex};

/// The function's virtio registers. An access takes the way to the server and back; a notification does not wait for an answer.
#[derive(Clone)]
pub struct VfioUserBar {
    client: Arc<Mutex<Client>>,
    /// Where they are.
    bar: Space,
}

impl VfioUserBar {
    /// Those of the BAR of this number.
    pub(super) fn new(client: Arc<Mutex<Client>>, bar: u8) -> Self {
        Self { client, bar: Space::Bar(bar) }
    }

    fn read<const N: usize>(&self, offset: u32) -> Result<[u8; N], BoxError> {
        assert!(offset.is_multiple_of(N as u32), "{N} bytes at {offset:#x}");
        let mut bytes = [0; N];
        lock(&self.client).read(self.bar, offset.into(), &mut bytes)?;
        Ok(bytes)
    }

    fn write<const N: usize>(&self, offset: u32, bytes: [u8; N]) -> Result<(), BoxError> {
        assert!(offset.is_multiple_of(N as u32), "{N} bytes at {offset:#x}");
        let mut client = lock(&self.client);
        if offset >= NOTIFY.offset {
            client.post(self.bar, offset.into(), &bytes)?;
        } else {
            client.write(self.bar, offset.into(), &bytes)?;
        }
        Ok(())
    }
}

impl VirtioPci for VfioUserBar {
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError> {
        self.read(offset).map(u8::from_le_bytes)
    }

    fn read16(&mut self, offset: u32) -> Result<u16, BoxError> {
        self.read(offset).map(u16::from_le_bytes)
    }

    fn read32(&mut self, offset: u32) -> Result<u32, BoxError> {
        self.read(offset).map(u32::from_le_bytes)
    }

    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError> {
        self.write(offset, value.to_le_bytes())
    }

    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError> {
        self.write(offset, value.to_le_bytes())
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError> {
        self.write(offset, value.to_le_bytes())
    }
}
