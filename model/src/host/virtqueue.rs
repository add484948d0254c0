// SPDX-License-Identifier: MIT OR Apache-2.0
//! State of a virtqueue, and its rings (virtio 2.7.6, 2.7.8).

use super::chain::Chain;
use super::{HostModel, Memory, Place};
use millrace_regs::host::{FaultReason, MAX_QUEUE_SIZE, NO_VECTOR};
use std::collections::VecDeque;

/// VIRTQ_AVAIL_F_NO_INTERRUPT.
const NO_INTERRUPT: u16 = 1;
/// Of a ring: `idx`, and the first entry.
const INDEX: u64 = 2;
const ENTRIES: u64 = 4;

/// A virtqueue.
pub(super) struct Virtqueue {
    number: usize,
    pub size: u16,
    pub vector: u16,
    pub enabled: bool,
    /// `queue_desc`, `queue_driver` and `queue_device`.
    pub rings: [u64; 3],
    /// A fault has stopped it.
    pub stopped: bool,
    /// `avail.idx` is to be read when there are no more entries.
    pub active: bool,
    /// `avail.idx` as it was last read.
    available: u16,
    /// Entries that were taken, as `avail.idx` counts; and those that were used, as `used.idx` counts.
    taken: u16,
    used: u16,
    /// Of a receiveq: chains that were taken and not used.
    pub chains: VecDeque<Chain>,
}

impl Virtqueue {
    /// After power-up.
    pub fn new(number: usize) -> Self {
        Self {
            number,
            size: MAX_QUEUE_SIZE,
            vector: NO_VECTOR,
            enabled: false,
            rings: [0; 3],
            stopped: false,
            active: false,
            available: 0,
            taken: 0,
            used: 0,
            chains: VecDeque::new(),
        }
    }

    /// Virtqueue 2i is receiveq i, 2i + 1 transmitq i (virtio 5.1.2).
    pub fn is_receive(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    /// An entry of the available ring is known and not taken.
    pub fn has_entry(&self) -> bool {
        self.available != self.taken
    }

    fn entry(&self, count: u16) -> u64 {
        (count % self.size).into()
    }
}

/// Address of a part of a ring; past 2^64 there is none.
pub(super) fn part(ring: u64, offset: u64) -> Result<u64, FaultReason> {
    ring.checked_add(offset).ok_or(FaultReason::Window)
}

impl HostModel {
    pub(super) fn queue(&self, place: Place) -> &Virtqueue {
        &self.functions[place.function].queues[place.queue]
    }

    pub(super) fn queue_mut(&mut self, place: Place) -> &mut Virtqueue {
        &mut self.functions[place.function].queues[place.queue]
    }

    /// Looks whether there are new entries; if not, the queue has to be notified again.
    pub(super) fn read_available_index(&mut self, memory: &mut impl Memory, place: Place) -> Result<(), FaultReason> {
        let index = self.read16(memory, place, part(self.queue(place).rings[1], INDEX)?)?;
        let queue = self.queue_mut(place);
        if index.wrapping_sub(queue.taken) > queue.size {
            return Err(FaultReason::AvailIndex);
        }
        queue.active = index != queue.taken;
        queue.available = index;
        Ok(())
    }

    /// Takes the next entry of the available ring.
    pub(super) fn take_head(&mut self, memory: &mut impl Memory, place: Place) -> Result<u16, FaultReason> {
        let queue = self.queue(place);
        let address = part(queue.rings[1], ENTRIES + 2 * queue.entry(queue.taken))?;
        let head = self.read16(memory, place, address)?;
        let queue = self.queue_mut(place);
        queue.taken = queue.taken.wrapping_add(1);
        if head < queue.size { Ok(head) } else { Err(FaultReason::Head) }
    }

    /// Uses chains, given as head and length, and interrupts if that is wanted.
    pub(super) fn put_used(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: &[(u16, u32)],
    ) -> Result<(), FaultReason> {
        let [_, available, used] = self.queue(place).rings;
        for (head, len) in chains {
            let queue = self.queue(place);
            let address = part(used, ENTRIES + 8 * queue.entry(queue.used))?;
            let mut entry = [0; 8];
            entry[..4].copy_from_slice(&u32::from(*head).to_le_bytes());
            entry[4..].copy_from_slice(&len.to_le_bytes());
            self.write_memory(memory, place, address, &entry)?;
            let queue = self.queue_mut(place);
            queue.used = queue.used.wrapping_add(1);
        }
        let index = self.queue(place).used.to_le_bytes();
        self.write_memory(memory, place, part(used, INDEX)?, &index)?;
        if self.read16(memory, place, available)? & NO_INTERRUPT == 0 {
            self.interrupt_queue(place);
        }
        Ok(())
    }
}
