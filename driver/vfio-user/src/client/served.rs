// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of the client that the server reaches by message.

use super::DmaAccess;
use crate::wire::{Command, DmaRange, MAX_TRANSFER};
use nix::errno::Errno;

/// Memory by device address.
#[derive(Default)]
pub struct ServedMemory {
    parts: Vec<Part>,
}

struct Part {
    address: u64,
    bytes: Vec<u8>,
    access: DmaAccess,
}

impl ServedMemory {
    pub fn insert(&mut self, address: u64, bytes: Vec<u8>, access: DmaAccess) {
        self.parts.push(Part { address, bytes, access });
    }

    /// The memory that begins there.
    pub fn at(&mut self, address: u64) -> Option<&mut [u8]> {
        self.parts.iter_mut().find(|part| part.address == address).map(|part| part.bytes.as_mut_slice())
    }

    /// Forgets what begins in this range.
    pub fn remove(&mut self, address: u64, len: u64) {
        self.parts.retain(|part| part.address.wrapping_sub(address) >= len);
    }

    /// The answer to a command.
    pub fn answer(&mut self, command: u16, payload: &[u8]) -> Result<Vec<u8>, Errno> {
        let command = Command::from_number(command).ok_or(Errno::ENOTSUP)?;
        let write = match command {
            Command::DmaRead => false,
            Command::DmaWrite => true,
            _ => return Err(Errno::ENOTSUP),
        };
        let (range, data) = DmaRange::decode(payload).ok_or(Errno::EINVAL)?;
        let bytes = self.range(range, write)?;
        if !write {
            return Ok([&range.encode(), &*bytes].concat());
        }
        if data.len() != bytes.len() {
            return Err(Errno::EINVAL);
        }
        bytes.copy_from_slice(data);
        Ok(range.encode())
    }

    fn range(&mut self, range: DmaRange, write: bool) -> Result<&mut [u8], Errno> {
        let count = usize::try_from(range.count).ok().filter(|count| *count <= MAX_TRANSFER).ok_or(Errno::EINVAL)?;
        let allows = |part: &Part| part.access == DmaAccess::ReadWrite || (part.access == DmaAccess::Write) == write;
        for part in self.parts.iter_mut().filter(|part| allows(part)) {
            let Some(offset) = range.address.checked_sub(part.address).and_then(|offset| usize::try_from(offset).ok())
            else {
                continue;
            };
            if let Some(bytes) = part.bytes.get_mut(offset..).and_then(|bytes| bytes.get_mut(..count)) {
                return Ok(bytes);
            }
        }
        Err(Errno::EFAULT)
    }
}
