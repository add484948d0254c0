// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shares of a region of memory.

use super::error::VirtioError;

/// Deals out the bytes of a region, from its start on. All of them become free together, with a new arena.
#[derive(Clone)]
pub(super) struct Arena {
    next: usize,
    end: usize,
}

impl Arena {
    /// A region of this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { next: 0, end: bytes }
    }

    /// The offset of `bytes` bytes, a multiple of `align`.
    pub fn take(&mut self, bytes: usize, align: usize) -> Result<usize, VirtioError> {
        let offset = self.next.next_multiple_of(align);
        if offset > self.end || bytes > self.end - offset {
            return Err(VirtioError::Memory { needs: bytes, left: self.end.saturating_sub(offset) });
        }
        self.next = offset + bytes;
        Ok(offset)
    }
}
