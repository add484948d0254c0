// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all rings are.

use millrace_regs::host::FaultReason;

/// What a virtqueue is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Receive,
    Transmit,
    Control,
}

/// Address of a part of a ring; past 2^64 there is none.
pub(super) fn part(ring: u64, offset: u64) -> Result<u64, FaultReason> {
    ring.checked_add(offset).ok_or(FaultReason::Window)
}
