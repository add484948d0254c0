// SPDX-License-Identifier: MIT OR Apache-2.0
//! A packed virtqueue, the driver's side (virtio 2.8).

use super::chains::{Chain, Entry, Piece, Used};
use super::descriptor::{DESCRIPTOR, INDIRECT, NEXT, WRITE};
use super::error::VirtioError;
use super::indirect::Tables;
use super::memory::DmaMemory;
use super::rings::{Base, Rings};
use std::collections::VecDeque;

/// `struct pvirtq_desc` (2.8.13): address, then these.
const LEN: usize = 8;
const ID: usize = 12;
const FLAGS: usize = 14;
/// `struct pvirtq_event_suppress` (2.8.14): `desc`, then `flags`.
const EVENT_SUPPRESSION: usize = 4;

/// Flags of a descriptor beside those that split virtqueues have too (2.8.1).
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// `flags` of an event suppression (2.8.14), and the wrap counter in its `desc`.
const ENABLE: u16 = 0;
const DISABLE: u16 = 1;
const DESC: u16 = 2;
const EVENT_FLAGS: u16 = 3;
const EVENT_WRAP: u16 = 1 << 15;

/// A virtqueue of a driver that has written nothing to its parts but through this.
///
/// Places count descriptors modulo two laps of the ring, of which the first is that with wrap counter 1.
pub struct PackedQueue {
    pub(super) base: Base,
    /// Ids of no chain; the next to be taken first.
    ids: VecDeque<u16>,
    /// Descriptors that are in no chain.
    free: u16,
    /// Place of the next descriptor that is made available; and of the next that the device was not shown.
    available: u16,
    shown: u16,
    /// Flags of the descriptor at `shown`, which are written when all behind it are there.
    hidden: Option<u16>,
    /// Place at which the device uses a descriptor next.
    taken: u16,
}

impl PackedQueue {
    /// Bytes that its parts are aligned to (2.8.10.1).
    pub const ALIGN: [usize; 3] = [16, 4, 4];

    /// Bytes of the ring and of the driver's and the device's event suppression, of a queue of `size`.
    pub const fn bytes(size: u16) -> [usize; 3] {
        [DESCRIPTOR * size as usize, EVENT_SUPPRESSION, EVENT_SUPPRESSION]
    }

    /// Virtqueue `number` of its function, which works with `features`. Its parts are cleared. It has as many descriptors as there are ids in `order`, which are first taken in this
    /// order, later in that in which they became free.
    ///
    /// # Panics
    /// If `order` is not each number below its length once, or has more than 32,768 or none.
    pub fn new(number: u16, rings: Rings, memory: &impl DmaMemory, order: &[u16], features: u64) -> Self {
        assert!((1..=1 << 15).contains(&order.len()), "virtqueue {number} of {} descriptors", order.len());
        let size = order.len() as u16;
        rings.clear(Self::bytes(size), memory);
        Self {
            base: Base::new(number, rings, order, features),
            ids: order.iter().copied().collect(),
            free: size,
            available: 0,
            shown: 0,
            hidden: None,
            taken: 0,
        }
    }

    /// Descriptors that are in no chain.
    pub fn free(&self) -> usize {
        self.free.into()
    }

    /// Offset in the ring of the next descriptor that is made available, and its wrap counter in bit 15.
    pub fn next(&self) -> u16 {
        self.with_wrap_counter(self.available)
    }

    /// As [`SplitQueue::want_interrupts`](super::SplitQueue::want_interrupts).
    pub fn want_interrupts(&mut self, memory: &impl DmaMemory, wanted: bool) {
        self.base.interrupts = wanted;
        if wanted && self.base.event_idx {
            self.ask_from(memory, self.taken);
        } else {
            self.suppress(memory, 0, if wanted { ENABLE } else { DISABLE });
        }
        memory.full_barrier();
    }

    fn ask_from(&mut self, memory: &impl DmaMemory, place: u16) {
        self.suppress(memory, self.with_wrap_counter(place), DESC);
        self.base.armed = Some(place);
    }

    /// Both fields at once.
    fn suppress(&self, memory: &impl DmaMemory, desc: u16, flags: u16) {
        memory.store32(self.base.rings.available, u32::from(flags) << 16 | u32::from(desc));
    }

    /// As [`SplitQueue::add`](super::SplitQueue::add).
    ///
    /// # Panics
    /// As there.
    pub fn add(&mut self, memory: &impl DmaMemory, pieces: &[Piece]) -> Option<u16> {
        let empty = pieces.is_empty() || pieces.iter().any(|piece| piece.len == 0);
        assert!(!empty, "an empty chain or piece of virtqueue {}", self.base.number);
        let needed = self.base.needed(pieces.len());
        if needed > self.free() {
            return None;
        }
        let id = self.ids.pop_front().expect("there are as many as descriptors");
        match self.base.tables.and_then(|tables| tables.place(id, pieces.len())) {
            Some(table) => self.put_table(memory, table, pieces, id),
            None => self.put_chain(memory, pieces, id),
        }
        self.free -= needed as u16;
        self.base.chains.add(id, pieces, needed as u16);
        Some(id)
    }

    fn put_chain(&mut self, memory: &impl DmaMemory, pieces: &[Piece], id: u16) {
        for (i, piece) in pieces.iter().enumerate() {
            let next = if i + 1 < pieces.len() { NEXT } else { 0 };
            self.put(memory, piece, id, next | write(piece));
        }
    }

    /// Of an entry's flags only WRITE counts, and it has no id (2.8.7).
    fn put_table(&mut self, memory: &impl DmaMemory, table: usize, pieces: &[Piece], id: u16) {
        for (at, piece) in (table..).step_by(DESCRIPTOR).zip(pieces) {
            put_buffer(memory, at, piece, 0);
            memory.store16(at + FLAGS, write(piece));
        }
        let whole = Piece { offset: table, len: Tables::len(pieces.len()), writable: false };
        self.put(memory, &whole, id, INDIRECT);
    }

    /// Puts a descriptor into the ring. The device stops at the first that it was not shown, so that only the flags of that one have to wait.
    fn put(&mut self, memory: &impl DmaMemory, piece: &Piece, id: u16, flags: u16) {
        let at = self.at(self.available);
        put_buffer(memory, at, piece, id);
        let flags = flags | if self.wrap_counter(self.available) { AVAIL } else { USED };
        if self.available == self.shown && self.hidden.is_none() {
            self.hidden = Some(flags);
        } else {
            memory.store16(at + FLAGS, flags);
        }
        self.available = self.after(self.available, 1);
    }

    /// Shows the device all chains that were added (2.8.21). True if it has to be notified: as [`SplitQueue::show`](super::SplitQueue::show).
    pub fn show(&mut self, memory: &impl DmaMemory) -> bool {
        let Some(flags) = self.hidden.take() else { return false };
        self.base.chains.show();
        memory.store_barrier();
        memory.store16(self.at(self.shown) + FLAGS, flags);
        let before = std::mem::replace(&mut self.shown, self.available);
        // What the device asks for is read after the descriptors are there, and the notification comes after it.
        memory.full_barrier();
        self.is_asked_for(memory, before)
    }

    /// The device asks to be notified of one of the descriptors from `before` on.
    fn is_asked_for(&self, memory: &impl DmaMemory, before: u16) -> bool {
        let word = memory.load32(self.base.rings.used);
        let (desc, flags) = (word as u16, (word >> 16) as u16 & EVENT_FLAGS);
        let lap = if desc & EVENT_WRAP != 0 { 0 } else { self.base.size };
        let event = lap.wrapping_add(desc & !EVENT_WRAP);
        match flags {
            DISABLE => false,
            DESC if self.base.event_idx => {
                // All that the ring has may be new: then the end is a lap behind the start, not at it.
                self.distance(before, event) < self.distance(before, self.available)
            }
            _ => true,
        }
    }

    /// As [`SplitQueue::take`](super::SplitQueue::take).
    ///
    /// # Errors
    /// If a used descriptor holds what it must not. Nothing is taken then, and the next call fails as this one.
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
        let at = self.at(self.taken);
        let flags = memory.load16(at + FLAGS);
        let both = if self.wrap_counter(self.taken) { AVAIL | USED } else { 0 };
        if flags & (AVAIL | USED) != both {
            return Ok(None);
        }
        memory.load_barrier();
        // Without WRITE nothing was written, and the length has no meaning (2.8.4).
        let len = if flags & WRITE != 0 { memory.load32(at + LEN) } else { 0 };
        let place = self.taken % self.base.size;
        let entry = Entry { place, id: memory.load16(at + ID).into(), len, most: self.base.size };
        let (used, chain) = self.base.chains.take(&entry)?;
        Ok(Some(self.release(used, chain)))
    }

    fn release(&mut self, used: Used, chain: Chain) -> Used {
        self.taken = self.after(self.taken, chain.descriptors);
        self.free += chain.descriptors;
        self.ids.push_back(used.id);
        used
    }

    /// Offset in the memory of the descriptor at a place.
    fn at(&self, place: u16) -> usize {
        self.base.rings.descriptors + DESCRIPTOR * usize::from(place % self.base.size)
    }

    fn wrap_counter(&self, place: u16) -> bool {
        place < self.base.size
    }

    /// As an event suppression has it.
    fn with_wrap_counter(&self, place: u16) -> u16 {
        let wrap = if self.wrap_counter(place) { EVENT_WRAP } else { 0 };
        (place % self.base.size) | wrap
    }

    fn after(&self, place: u16, by: u16) -> u16 {
        ((u32::from(place) + u32::from(by)) % (2 * u32::from(self.base.size))) as u16
    }

    /// Descriptors from one place to another.
    fn distance(&self, from: u16, to: u16) -> u32 {
        let laps = 2 * u32::from(self.base.size);
        (u32::from(to) + laps - u32::from(from)) % laps
    }
}

/// All of a descriptor but its flags.
fn put_buffer(memory: &impl DmaMemory, at: usize, piece: &Piece, id: u16) {
    memory.store64(at, memory.address() + piece.offset as u64);
    memory.store32(at + LEN, piece.len);
    memory.store16(at + ID, id);
}

fn write(piece: &Piece) -> u16 {
    if piece.writable { WRITE } else { 0 }
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
