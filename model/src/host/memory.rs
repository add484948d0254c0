// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the two AXI4 masters reach.

use super::{HostModel, Place};
use millrace_regs::host::FaultReason;

/// Why a transfer was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// SLVERR or DECERR.
    Refused,
    /// There is no answer.
    Silence,
}

impl From<BusError> for FaultReason {
    /// As if `DMA_TIMEOUT` had passed: the model has no time.
    fn from(error: BusError) -> Self {
        match error {
            BusError::Refused => Self::Bus,
            BusError::Silence => Self::TimeOut,
        }
    }
}

/// Memory as functions see it.
pub trait Memory {
    /// Reads bytes for a function.
    ///
    /// # Errors
    /// As an answer on the bus.
    fn read(&mut self, function: usize, address: u64, bytes: &mut [u8]) -> Result<(), BusError>;

    /// Writes bytes for a function.
    ///
    /// # Errors
    /// As an answer on the bus.
    fn write(&mut self, function: usize, address: u64, bytes: &[u8]) -> Result<(), BusError>;
}

/// The addresses that a function may touch, both included.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub first: u64,
    pub last: u64,
}

impl Window {
    /// Checks `len` bytes at `address`; `len` is not 0.
    pub fn check(&self, address: u64, len: u64) -> Result<(), FaultReason> {
        let end = address.checked_add(len - 1).ok_or(FaultReason::Window)?;
        if address >= self.first && end <= self.last { Ok(()) } else { Err(FaultReason::Window) }
    }
}

impl HostModel {
    pub(super) fn read_memory(
        &self,
        memory: &mut impl Memory,
        place: Place,
        address: u64,
        bytes: &mut [u8],
    ) -> Result<(), FaultReason> {
        self.functions[place.function].window.check(address, bytes.len() as u64)?;
        Ok(memory.read(place.function, address, bytes)?)
    }

    pub(super) fn write_memory(
        &self,
        memory: &mut impl Memory,
        place: Place,
        address: u64,
        bytes: &[u8],
    ) -> Result<(), FaultReason> {
        self.functions[place.function].window.check(address, bytes.len() as u64)?;
        Ok(memory.write(place.function, address, bytes)?)
    }

    pub(super) fn read16(&self, memory: &mut impl Memory, place: Place, address: u64) -> Result<u16, FaultReason> {
        let mut bytes = [0; 2];
        self.read_memory(memory, place, address, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }
}
