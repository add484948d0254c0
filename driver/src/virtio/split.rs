// SPDX-License-Identifier: MIT OR Apache-2.0
//! A split virtqueue, the driver's side (virtio 2.7).

use super::arena::Arena;
use super::{DmaMemory, VirtioError};
use millrace_regs::host::RING_ALIGNMENTS_LOG2;
use std::collections::VecDeque;

/// `struct virtq_desc` (2.7.5).
const DESCRIPTOR: usize = 16;
/// `struct virtq_used_elem` (2.7.8).
const USED_ELEMENT: usize = 8;
/// Flags and index before the entries of a ring (2.7.6, 2.7.8).
const RING_HEADER: usize = 4;
/// Of a ring's header: `idx`.
const INDEX: usize = 2;

/// Flags of a descriptor (2.7.5).
const NEXT: u16 = 1;
const WRITE: u16 = 2;
/// VIRTQ_AVAIL_F_NO_INTERRUPT (2.7.6).
const NO_INTERRUPT: u16 = 1;

/// Where the three parts of a virtqueue lie: offsets in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// The descriptor table.
    pub descriptors: usize,
    /// The available ring.
    pub available: usize,
    /// The used ring.
    pub used: usize,
}

impl Rings {
    /// Bytes of the descriptor table, the available and the used ring of a queue of `size`; without the fields at the rings' ends, which
    /// belong to VIRTIO_F_EVENT_IDX.
    pub const fn bytes(size: u16) -> [usize; 3] {
        let size = size as usize;
        [DESCRIPTOR * size, RING_HEADER + 2 * size, RING_HEADER + USED_ELEMENT * size]
    }

    pub(super) fn take(arena: &mut Arena, size: u16) -> Result<Self, VirtioError> {
        let [descriptors, available, used] = Self::bytes(size);
        let align = RING_ALIGNMENTS_LOG2.map(|log2| 1 << log2);
        Ok(Self {
            descriptors: arena.take(descriptors, align[0])?,
            available: arena.take(available, align[1])?,
            used: arena.take(used, align[2])?,
        })
    }
}

/// A buffer of a chain: one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset of its first byte in the memory.
    pub offset: usize,
    /// Bytes, not 0.
    pub len: u32,
    /// The device writes it, and does not read it.
    pub writable: bool,
}

/// A chain that the device has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Its first descriptor, as [`SplitQueue::add`] gave it.
    pub head: u16,
    /// Bytes that the device wrote to it.
    pub len: u32,
}

/// A chain that the device has.
#[derive(Clone, Copy)]
struct Chain {
    descriptors: u16,
    /// Bytes that the device may write.
    room: u64,
}

/// A virtqueue of a driver that has written nothing to its rings but through this.
pub struct SplitQueue {
    number: u16,
    size: u16,
    rings: Rings,
    /// Free descriptors; the next to be taken first.
    free: VecDeque<u16>,
    /// The `next` of each descriptor of a chain: that in memory could be overwritten.
    next: Vec<u16>,
    /// Chains that the device has, under their first descriptors.
    chains: Vec<Option<Chain>>,
    /// How many.
    outstanding: u16,
    /// Entries put into the available ring, as `avail.idx` counts; and those that the device was shown.
    available: u16,
    shown: u16,
    /// Entries taken from the used ring, as `used.idx` counts; and where that was when it was last looked at.
    taken: u16,
    seen: u16,
}

impl SplitQueue {
    /// Virtqueue `number` of its function, with `size` descriptors. Its rings are cleared. Descriptors are first taken in ascending order.
    ///
    /// # Panics
    /// If `size` is not a power of two.
    pub fn new(number: u16, size: u16, rings: Rings, memory: &impl DmaMemory) -> Self {
        Self::with_order(number, size, rings, memory, &(0..size).collect::<Vec<_>>())
    }

    /// As [`new`](Self::new); descriptors are first taken in this order, later in that in which they became free.
    ///
    /// # Panics
    /// If `size` is not a power of two, or `order` is not each number below it once.
    pub fn with_order(number: u16, size: u16, rings: Rings, memory: &impl DmaMemory, order: &[u16]) -> Self {
        assert!(size.is_power_of_two(), "virtqueue {number} of {size} descriptors");
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..size), "an order of other descriptors than those of the virtqueue");
        for (offset, bytes) in [rings.descriptors, rings.available, rings.used].into_iter().zip(Rings::bytes(size)) {
            memory.write(offset, &vec![0; bytes]);
        }
        Self {
            number,
            size,
            rings,
            free: order.iter().copied().collect(),
            next: vec![0; size.into()],
            chains: vec![None; size.into()],
            outstanding: 0,
            available: 0,
            shown: 0,
            taken: 0,
            seen: 0,
        }
    }

    /// Its number in its function.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Number of descriptors.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Where its parts lie.
    pub fn rings(&self) -> Rings {
        self.rings
    }

    /// Descriptors that are in no chain.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Chains that were added and not taken back.
    pub fn outstanding(&self) -> u16 {
        self.outstanding
    }

    /// Tells the device whether it shall interrupt. If so, what it used before has to be looked for once more: it may not interrupt for that
    /// (2.7.7.1).
    pub fn want_interrupts(&self, memory: &impl DmaMemory, wanted: bool) {
        memory.store16(self.rings.available, if wanted { 0 } else { NO_INTERRUPT });
        memory.full_barrier();
    }

    /// Adds a chain of these buffers, and gives its first descriptor: what tells it apart until it is taken back. None if too few
    /// descriptors are free. The device sees it after [`show`](Self::show).
    ///
    /// # Panics
    /// If there are no pieces, or one is empty.
    pub fn add(&mut self, memory: &impl DmaMemory, pieces: &[Piece]) -> Option<u16> {
        assert!(pieces.iter().all(|piece| piece.len != 0), "an empty piece of a chain of virtqueue {}", self.number);
        if pieces.len() > self.free.len() {
            return None;
        }
        let head = *self.free.front().expect("a chain has a piece, and as many descriptors are free");
        for (i, piece) in pieces.iter().enumerate() {
            let descriptor = self.free.pop_front().expect("counted");
            let more = i + 1 < pieces.len();
            let next = if more { self.free[0] } else { 0 };
            self.next[usize::from(descriptor)] = next;
            write_descriptor(memory, self.rings.descriptors + DESCRIPTOR * usize::from(descriptor), piece, more, next);
        }
        let room = pieces.iter().filter(|piece| piece.writable).map(|piece| u64::from(piece.len)).sum();
        self.chains[usize::from(head)] = Some(Chain { descriptors: pieces.len() as u16, room });
        let entry = usize::from(self.available % self.size);
        memory.store16(self.rings.available + RING_HEADER + 2 * entry, head);
        self.available = self.available.wrapping_add(1);
        self.outstanding += 1;
        Some(head)
    }

    /// Shows the device all chains that were added (2.7.13). True if there are any that it was not shown before: then it has to be notified, as
    /// soon as it may be.
    pub fn show(&mut self, memory: &impl DmaMemory) -> bool {
        if self.shown == self.available {
            return false;
        }
        memory.store_barrier();
        memory.store16(self.rings.available + INDEX, self.available);
        self.shown = self.available;
        // Millrace never asks not to be notified: `used.flags` need not be read. The notification comes after what was stored.
        memory.full_barrier();
        true
    }

    /// Takes back the next chain that the device has used; none if there is none yet.
    ///
    /// # Errors
    /// If the used ring holds what it must not. Nothing is taken then, and the next call fails as this one.
    pub fn take(&mut self, memory: &impl DmaMemory) -> Result<Option<Used>, VirtioError> {
        if self.taken == self.seen && !self.look(memory)? {
            return Ok(None);
        }
        let at = self.rings.used + RING_HEADER + USED_ELEMENT * usize::from(self.taken % self.size);
        let (id, len) = (memory.load32(at), memory.load32(at + 4));
        let chain = self.chains.get(id as usize).copied().flatten();
        let Some(chain) = chain else {
            return Err(VirtioError::UsedId { queue: self.number, entry: self.taken, id });
        };
        let head = id as u16;
        if u64::from(len) > chain.room {
            let (queue, entry) = (self.number, self.taken);
            return Err(VirtioError::UsedLength { queue, entry, id: head, len, room: chain.room });
        }
        self.release(head, chain.descriptors);
        self.taken = self.taken.wrapping_add(1);
        Ok(Some(Used { head, len }))
    }

    /// Looks at `used.idx`: whether there is more than what was taken.
    fn look(&mut self, memory: &impl DmaMemory) -> Result<bool, VirtioError> {
        let index = memory.load16(self.rings.used + INDEX);
        let ahead = index.wrapping_sub(self.taken);
        // Those that were not shown are not the device's to use.
        let outstanding = self.outstanding - self.available.wrapping_sub(self.shown);
        if ahead > outstanding {
            return Err(VirtioError::UsedIndex { queue: self.number, index, ahead, outstanding });
        }
        memory.load_barrier();
        self.seen = index;
        Ok(ahead != 0)
    }

    fn release(&mut self, head: u16, descriptors: u16) {
        self.chains[usize::from(head)] = None;
        self.outstanding -= 1;
        let mut descriptor = head;
        for _ in 0..descriptors {
            self.free.push_back(descriptor);
            descriptor = self.next[usize::from(descriptor)];
        }
    }
}

fn write_descriptor(memory: &impl DmaMemory, at: usize, piece: &Piece, more: bool, next: u16) {
    memory.store64(at, memory.address() + piece.offset as u64);
    memory.store32(at + 8, piece.len);
    memory.store16(at + 12, if more { NEXT } else { 0 } | if piece.writable { WRITE } else { 0 });
    memory.store16(at + 14, next);
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
