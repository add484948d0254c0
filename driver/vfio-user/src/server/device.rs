// SPDX-License-Identifier: MIT OR Apache-2.0
//! The function that is served.

use crate::wire::{Space, region};
use nix::errno::Errno;

/// What a function shows over the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Bytes of its configuration space: 256 or 4096.
    pub config_bytes: usize,
    /// Bytes of each BAR; 0 if there is none.
    pub bars: [u64; 6],
    /// MSI-X vectors.
    pub msix_vectors: u16,
}

impl DeviceInfo {
    /// Bytes of a region by its index; 0 if the function does not have it; none if there is no such index.
    pub(crate) fn region_bytes(&self, index: u32) -> Option<u64> {
        match index {
            region::CONFIG => Some(self.config_bytes as u64),
            _ => (index < region::COUNT).then(|| self.bars.get(index as usize).copied().unwrap_or(0)),
        }
    }
}

/// The behaviour of a function.
///
/// Accesses lie inside of their space, and have any width and alignment and 1 byte or more: the function decides what it takes. An error is
/// the client's answer.
pub trait Function {
    /// Reads from a space.
    ///
    /// # Errors
    /// If the function does not take such a read.
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno>;

    /// Writes to a space.
    ///
    /// # Errors
    /// If the function does not take such a write.
    fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), Errno>;

    /// Puts the function into the state after power-up: the client asks for it, or a client that had it has gone. Then its memory is already out of reach.
    fn reset(&mut self);
}
