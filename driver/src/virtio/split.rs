// SPDX-License-Identifier: MIT OR Apache-2.0
//! A split virtqueue, the driver's side (virtio 2.7).

use super::chains::{Chain, Entry, Piece, Used};
use super::descriptor::{DESCRIPTOR, INDIRECT, NEXT, WRITE};
use super::error::VirtioError;
use super::indirect::Tables;
use super::memory::DmaMemory;
use super::rings::{Base, Rings};
use millrace_regs::host::RING_ALIGNMENTS_LOG2;
use std::collections::VecDeque;

/// Of `struct virtq_desc` (2.7.5).
const FLAGS: usize = 12;
/// `struct virtq_used_elem` (2.7.8).
const USED_ELEMENT: usize = 8;
/// Flags and index before the entries of a ring (2.7.6, 2.7.8).
const RING_HEADER: usize = 4;
/// Of a ring's header: `idx`.
const INDEX: usize = 2;
/// `used_event` and `avail_event`, behind the entries (2.7.6, 2.7.8).
const EVENT: usize = 2;

/// VIRTQ_AVAIL_F_NO_INTERRUPT (2.7.6).
const NO_INTERRUPT: u16 = 1;

/// A virtqueue of a driver that has written nothing to its rings but through this.
pub struct SplitQueue {
    /// Chains are under their first descriptors.
    pub(super) base: Base,
    /// Free descriptors; the next to be taken first.
    free: VecDeque<u16>,
    /// The `next` of each descriptor of a chain: that in memory could be overwritten.
    next: Vec<u16>,
    /// Entries put into the available ring, as `avail.idx` counts; and those that the device was shown.
    available: u16,
    shown: u16,
    /// Entries taken from the used ring, as `used.idx` counts; and where that was when it was last looked at.
    taken: u16,
    seen: u16,
}

impl SplitQueue {
    /// Bytes that its parts are aligned to.
    pub const ALIGN: [usize; 3] =
        [1 << RING_ALIGNMENTS_LOG2[0], 1 << RING_ALIGNMENTS_LOG2[1], 1 << RING_ALIGNMENTS_LOG2[2]];

    /// Bytes of the descriptor table, the available and the used ring of a queue of `size`.
    pub const fn bytes(size: u16) -> [usize; 3] {
        let size = size as usize;
        [DESCRIPTOR * size, RING_HEADER + 2 * size + EVENT, RING_HEADER + USED_ELEMENT * size + EVENT]
    }

    /// Virtqueue `number` of its function, which works with `features`. Its rings are cleared. Descriptors, as many as in `order`, are first taken in this
    /// order, later in that in which they became free.
    ///
    /// # Panics
    /// If their number is not a power of two, or `order` is not each number below it once.
    pub fn new(number: u16, rings: Rings, memory: &impl DmaMemory, order: &[u16], features: u64) -> Self {
        let size = order.len() as u16;
        assert!(size.is_power_of_two(), "virtqueue {number} of {size} descriptors");
        rings.clear(Self::bytes(size), memory);
        Self {
            base: Base::new(number, rings, order, features),
            free: order.iter().copied().collect(),
            next: vec![0; size.into()],
            available: 0,
            shown: 0,
            taken: 0,
            seen: 0,
        }
    }

    /// Descriptors that are in no chain.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// `avail.idx` as it is, or is to be shown.
    pub fn next(&self) -> u16 {
        self.available
    }

    /// Tells the device whether it shall interrupt. If so, what it used before has to be looked for once more: it may not interrupt for that
    /// (2.7.7.1).
    ///
    /// With VIRTIO_F_EVENT_IDX it then interrupts for what it uses first after [`take`](Self::take) found nothing more.
    pub fn want_interrupts(&mut self, memory: &impl DmaMemory, wanted: bool) {
        self.base.interrupts = wanted;
        memory.store16(self.base.rings.available, if wanted { 0 } else { NO_INTERRUPT });
        if self.base.event_idx {
            // An entry that is used last of all, where none is wanted: `flags` does not count.
            self.ask_from(memory, if wanted { self.taken } else { self.taken.wrapping_sub(1) });
        }
        memory.full_barrier();
    }

    fn ask_from(&mut self, memory: &impl DmaMemory, entry: u16) {
        memory.store16(self.base.rings.available + RING_HEADER + 2 * usize::from(self.base.size), entry);
        self.base.armed = Some(entry);
    }

    /// Adds a chain of these buffers, and gives its id: its first descriptor. None if too few descriptors are free. The device sees it after [`show`](Self::show).
    ///
    /// # Panics
    /// If there are no pieces, or one is empty.
    pub fn add(&mut self, memory: &impl DmaMemory, pieces: &[Piece]) -> Option<u16> {
        assert!(
            pieces.iter().all(|piece| piece.len != 0),
            "an empty piece of a chain of virtqueue {}",
            self.base.number
        );
        let needed = self.base.needed(pieces.len());
        if needed > self.free.len() {
            return None;
        }
        let head = *self.free.front().expect("a chain has a piece, and as many descriptors are free");
        match self.base.tables.and_then(|tables| tables.place(head, pieces.len())) {
            Some(table) => self.put_table(memory, table, pieces),
            None => self.put_chain(memory, pieces),
        }
        self.base.chains.add(head, pieces, needed as u16);
        let entry = usize::from(self.available % self.base.size);
        memory.store16(self.base.rings.available + RING_HEADER + 2 * entry, head);
        self.available = self.available.wrapping_add(1);
        Some(head)
    }

    fn put_chain(&mut self, memory: &impl DmaMemory, pieces: &[Piece]) {
        for (i, piece) in pieces.iter().enumerate() {
            let descriptor = self.free.pop_front().expect("counted");
            let more = i + 1 < pieces.len();
            let next = if more { self.free[0] } else { 0 };
            self.next[usize::from(descriptor)] = next;
            write_descriptor(
                memory,
                self.base.rings.descriptors + DESCRIPTOR * usize::from(descriptor),
                piece,
                more,
                next,
            );
        }
    }

    fn put_table(&mut self, memory: &impl DmaMemory, table: usize, pieces: &[Piece]) {
        for (i, piece) in pieces.iter().enumerate() {
            let more = i + 1 < pieces.len();
            let next = if more { i as u16 + 1 } else { 0 };
            write_descriptor(memory, table + DESCRIPTOR * i, piece, more, next);
        }
        let descriptor = self.free.pop_front().expect("counted");
        let at = self.base.rings.descriptors + DESCRIPTOR * usize::from(descriptor);
        let whole = Piece { offset: table, len: Tables::len(pieces.len()), writable: false };
        write_descriptor(memory, at, &whole, false, 0);
        memory.store16(at + FLAGS, INDIRECT);
    }

    /// Shows the device all chains that were added (2.7.13). True if it has to be notified, as soon as it may be: there are any that it was not shown before, and with
    /// VIRTIO_F_EVENT_IDX it waits for one of them.
    pub fn show(&mut self, memory: &impl DmaMemory) -> bool {
        if !self.base.chains.show() {
            return false;
        }
        memory.store_barrier();
        memory.store16(self.base.rings.available + INDEX, self.available);
        let before = std::mem::replace(&mut self.shown, self.available);
        // What the device asks for is read after the index is there, and the notification comes after it.
        memory.full_barrier();
        // Millrace never asks not to be notified: `used.flags` need not be read.
        !self.base.event_idx || self.avail_event(memory).wrapping_sub(before) < self.shown.wrapping_sub(before)
    }

    fn avail_event(&self, memory: &impl DmaMemory) -> u16 {
        memory.load16(self.base.rings.used + RING_HEADER + USED_ELEMENT * usize::from(self.base.size))
    }

    /// Takes back the next chain that the device has used; none if there is none yet.
    ///
    /// # Errors
    /// If the used ring holds what it must not. Nothing is taken then, and the next call fails as this one.
    pub fn take(&mut self, memory: &impl DmaMemory) -> Result<Option<Used>, VirtioError> {
        let used = self.take_next(memory)?;
        if used.is_some() || !self.base.has_to_ask(self.taken) {
            return Ok(used);
        }
        self.ask_from(memory, self.taken);
        // What was used before the device could see that is not told of.
        memory.full_barrier();
        self.take_next(memory)
    }

    fn take_next(&mut self, memory: &impl DmaMemory) -> Result<Option<Used>, VirtioError> {
        if let Some((used, chain)) = self.base.chains.rest() {
            return Ok(Some(self.release(used, chain)));
        }
        if self.taken == self.seen && !self.look(memory)? {
            return Ok(None);
        }
        let at = self.base.rings.used + RING_HEADER + USED_ELEMENT * usize::from(self.taken % self.base.size);
        let most = self.seen.wrapping_sub(self.taken);
        let entry = Entry { place: self.taken, id: memory.load32(at), len: memory.load32(at + 4), most };
        let (used, chain) = self.base.chains.take(&entry)?;
        Ok(Some(self.release(used, chain)))
    }

    /// Looks at `used.idx`: whether there is more than what was taken.
    fn look(&mut self, memory: &impl DmaMemory) -> Result<bool, VirtioError> {
        let index = memory.load16(self.base.rings.used + INDEX);
        let ahead = index.wrapping_sub(self.taken);
        // Those that were not shown are not the device's to use.
        let outstanding = self.base.chains.shown();
        if ahead > outstanding {
            return Err(VirtioError::UsedIndex { queue: self.base.number, index, ahead, outstanding });
        }
        memory.load_barrier();
        self.seen = index;
        Ok(ahead != 0)
    }

    fn release(&mut self, used: Used, chain: Chain) -> Used {
        self.taken = self.taken.wrapping_add(1);
        let mut descriptor = used.id;
        for _ in 0..chain.descriptors {
            self.free.push_back(descriptor);
            descriptor = self.next[usize::from(descriptor)];
        }
        used
    }
}

fn write_descriptor(memory: &impl DmaMemory, at: usize, piece: &Piece, more: bool, next: u16) {
    memory.store64(at, memory.address() + piece.offset as u64);
    memory.store32(at + 8, piece.len);
    memory.store16(at + FLAGS, if more { NEXT } else { 0 } | if piece.writable { WRITE } else { 0 });
    memory.store16(at + 14, next);
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
