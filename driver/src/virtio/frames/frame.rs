// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame in a buffer.

use millrace_regs::UpcallReason;

/// Bytes in a buffer before a frame that was received. Those up to the headers, 44 bytes of the ECPF and 12 of others, may be made part of the frame.
pub const HEADROOM: usize = 128;

/// A frame that was received. Its first byte is at [`HEADROOM`] of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// Number of the buffer, which is the caller's from now on.
    pub buffer: u32,
    /// Bytes.
    pub len: u32,
    /// Why the slow path gets it, of a representor.
    pub reason: Option<UpcallReason>,
}

/// A frame in a buffer that the caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutFrame {
    /// Number of the buffer.
    pub buffer: u32,
    /// Offset of the frame's first byte in it: what lies right before it is overwritten with headers.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}
