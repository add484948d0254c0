// SPDX-License-Identifier: MIT OR Apache-2.0
//! A descriptor.

/// Bytes of a descriptor (2.7.5, 2.8.13).
pub(super) const DESCRIPTOR: usize = 16;
/// Flag: the chain goes on (2.7.5, 2.8.2).
pub(super) const NEXT: u16 = 1;
/// Flag: the device writes into the buffer (2.7.5, 2.8.3).
pub(super) const WRITE: u16 = 2;
/// Flag: the buffer holds a table of descriptors (2.7.5, 2.8.7).
pub(super) const INDIRECT: u16 = 4;
