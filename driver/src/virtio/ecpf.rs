// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a [`Device`](crate::Device) with host side is made of beside its registers: upcalls that wait, and packets out.

use super::{DmaMemory, Representors, Settings, VirtioError, VirtioPci};
use crate::{BoxError, DeviceError, DropSample, Sent, Upcall};
use millrace_regs::host::{COMMON, common};
use millrace_regs::map::MAX_VPORTS;
use std::collections::VecDeque;

/// Upcalls that are fetched from a representor at once.
const BURST: usize = 32;
/// Vports that a device may have.
const MAX_PAIRS: u16 = MAX_VPORTS as u16;

/// The ECPF in use by a slow path, whatever the way to it.
pub struct Ecpf<T, M> {
    representors: Representors<T, M>,
    vports: u16,
    upcalls: VecDeque<Upcall>,
}

impl<T: VirtioPci, M: DmaMemory> Ecpf<T, M> {
    /// Brings the ECPF of a device with so many vports up; `settings.pairs` does not count.
    ///
    /// # Errors
    /// As [`Representors::start`].
    pub fn start(transport: T, memory: M, settings: Settings, vports: usize) -> Result<Self, VirtioError> {
        let vports = vports as u16;
        let representors = Representors::start(transport, memory, Settings { pairs: vports, ..settings })?;
        Ok(Self { representors, vports, upcalls: VecDeque::new() })
    }

    /// Resets the function, as [`Representors::stop`].
    ///
    /// # Errors
    /// As there.
    pub fn stop(self) -> Result<(T, M), VirtioError> {
        self.representors.stop()
    }

    /// The function's BAR.
    pub fn bar(&mut self) -> &mut T {
        self.representors.net().transport()
    }

    /// Asks the function whether it is well, as [`VirtioNet::check`](super::VirtioNet::check).
    ///
    /// # Errors
    /// As there.
    pub fn check(&mut self) -> Result<(), DeviceError> {
        self.representors.net().check().map_err(backend)
    }

    /// Takes upcalls out of the rings, some of each vport; they were there at time `at`. How many there were.
    ///
    /// # Errors
    /// If the function did what it must not, or cannot be reached.
    pub fn look(&mut self, at: u64) -> Result<usize, DeviceError> {
        let before = self.upcalls.len();
        for vport in 0..self.vports {
            let found = self.representors.upcalls(vport, BURST).map_err(backend)?;
            let upcalls = found.into_iter().map(|u| Upcall::of_first_lookup(u.vport as u8, u.reason, at, u.frame));
            self.upcalls.extend(upcalls);
        }
        Ok(self.upcalls.len() - before)
    }

    /// The next upcall that was taken.
    pub fn next_upcall(&mut self) -> Option<Upcall> {
        self.upcalls.pop_front()
    }

    /// The next sample that came with upcalls, as [`Representors::next_sample`].
    pub fn next_sample(&mut self) -> Option<DropSample> {
        self.representors.next_sample()
    }

    /// Whether one waits.
    pub fn upcall_waiting(&self) -> bool {
        !self.upcalls.is_empty()
    }

    /// Sends a frame out of a vport, without a lookup.
    ///
    /// # Errors
    /// As [`Representors::packet_out`].
    pub fn packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.representors.packet_out(vport.into(), frame).map_err(backend)
    }
}

/// The number of the ECPF's pairs of virtqueues: one for each vport.
///
/// # Errors
/// What is wrong with it, or that the ECPF cannot be reached.
pub fn vports(bar: &mut impl VirtioPci) -> Result<u16, BoxError> {
    let queues = bar.read16(COMMON.offset + common::NUM_QUEUES.offset)?;
    match queues / 2 {
        vports @ 1..=MAX_PAIRS if queues.is_multiple_of(2) => Ok(vports),
        _ => Err(format!("this ECPF has {queues} virtqueues").into()),
    }
}

fn backend(error: VirtioError) -> DeviceError {
    DeviceError::Backend(Box::new(error))
}
