// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions' MSI-X tables. A client of vfio-user does not write them: it gives the server an eventfd for each vector, and masks vectors there. Towards the device
//! the server is the host, which has a message of its own for each vector.

use super::ServedMemory;
use crate::{BusError, DpuSimulation, Interrupt};
use millrace_regs::host::{HostBlock, MAX_VECTORS, MSIX_PENDING, MSIX_TABLE, msix};

/// Where messages are written: what the x86 architecture has for them.
const ADDRESS: u32 = 0xfee0_0000;

/// Lets each of the function's first `vectors` vectors tell of itself.
pub fn arrange(dpu: &mut DpuSimulation<ServedMemory>, function: usize, vectors: u16) -> Result<(), BusError> {
    for vector in 0..vectors.into() {
        let entry = MSIX_TABLE.at(vector);
        for (field, value) in
            [(msix::MESSAGE_ADDRESS, ADDRESS), (msix::MESSAGE_DATA, vector), (msix::VECTOR_CONTROL, 0)]
        {
            dpu.write_bar(function, entry + field.offset, value, 0b1111)?;
        }
    }
    dpu.set_msix(function, true, false);
    Ok(())
}

/// The vector that a message tells of.
pub fn vector(message: &Interrupt) -> u16 {
    message.data as u16
}

/// Whether an offset in BAR 0 is the server's alone.
pub fn is_ours(offset: u32) -> bool {
    let within = |block: HostBlock, copies: u32| (block.offset..block.at(copies)).contains(&offset);
    within(MSIX_TABLE, MAX_VECTORS as u32) || within(MSIX_PENDING, MAX_VECTORS as u32 / 64)
}
