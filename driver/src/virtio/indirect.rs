// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of descriptors for chains of several (virtio 2.7.5.3, 2.8.7).

use super::arena::Arena;
use super::descriptor::DESCRIPTOR;
use super::error::VirtioError;

/// Descriptors of a table. Longer chains go without.
const ENTRIES: usize = 8;

/// A table for each id of a virtqueue.
#[derive(Clone, Copy)]
pub struct Tables {
    offset: usize,
}

impl Tables {
    /// Bytes of the tables of a virtqueue of `size`, and of what aligns them.
    pub(super) const fn bytes(size: u16) -> usize {
        DESCRIPTOR * (ENTRIES * size as usize + 1)
    }

    pub(super) fn take(arena: &mut Arena, size: u16) -> Result<Self, VirtioError> {
        Ok(Self { offset: arena.take(DESCRIPTOR * ENTRIES * usize::from(size), DESCRIPTOR)? })
    }

    /// Offset of the table for a chain of this many pieces, if it is to have one: a descriptor of the ring stands for it then.
    pub(super) fn place(&self, id: u16, pieces: usize) -> Option<usize> {
        Self::fits(pieces).then(|| self.offset + DESCRIPTOR * ENTRIES * usize::from(id))
    }

    /// A chain of this many pieces has a table.
    pub(super) fn fits(pieces: usize) -> bool {
        (2..=ENTRIES).contains(&pieces)
    }

    /// Bytes of a table with this many entries.
    pub(super) fn len(pieces: usize) -> u32 {
        (DESCRIPTOR * pieces) as u32
    }
}

/// Descriptors of the ring that a chain of this many pieces takes.
pub(super) fn needed(tables: Option<Tables>, pieces: usize) -> usize {
    if tables.is_some() && Tables::fits(pieces) { 1 } else { pieces }
}
