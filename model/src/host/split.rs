// SPDX-License-Identifier: MIT OR Apache-2.0
//! Split virtqueues (virtio 2.7).

use super::chain::{Chain, INDIRECT, NEXT, UsedChain};
use super::ring::part;
use super::{HostModel, Memory, Place};
use millrace_regs::host::{FaultReason, Feature};

/// VIRTQ_AVAIL_F_NO_INTERRUPT.
const NO_INTERRUPT: u16 = 1;
/// Of a ring: `idx`, and the first entry.
const INDEX: u64 = 2;
const ENTRIES: u64 = 4;
/// Bytes of an entry of the available and of the used ring.
const AVAILABLE: u64 = 2;
const USED: u64 = 8;

impl HostModel {
    /// Reads `avail.idx`, or takes an entry of the ring. False if there is nothing to do.
    pub(super) fn step_split(&mut self, memory: &mut impl Memory, place: Place) -> Result<bool, FaultReason> {
        let queue = self.queue(place);
        if queue.has_entry() {
            if queue.is_full() {
                return Ok(false);
            }
            let chain = self.take_split(memory, place)?;
            self.begin(memory, place, chain)?;
        } else if queue.active {
            self.look_for_entries(memory, place)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Looks whether there are new entries; if not, the queue has to be notified again.
    fn look_for_entries(&mut self, memory: &mut impl Memory, place: Place) -> Result<(), FaultReason> {
        self.read_available_index(memory, place)?;
        let queue = self.queue(place);
        if !queue.active && queue.has(Feature::EventIdx) {
            let event = part(queue.rings[2], ENTRIES + USED * u64::from(queue.size))?;
            let index = queue.taken.to_le_bytes();
            self.write_memory(memory, place, event, &index)?;
            self.read_available_index(memory, place)?;
        }
        Ok(())
    }

    fn read_available_index(&mut self, memory: &mut impl Memory, place: Place) -> Result<(), FaultReason> {
        let index = self.read16(memory, place, part(self.queue(place).rings[1], INDEX)?)?;
        let queue = self.queue_mut(place);
        if index.wrapping_sub(queue.taken) > queue.size {
            return Err(FaultReason::AvailIndex);
        }
        queue.active = index != queue.taken;
        queue.available = index;
        Ok(())
    }

    /// Takes the next chain of the available ring.
    fn take_split(&mut self, memory: &mut impl Memory, place: Place) -> Result<Chain, FaultReason> {
        let head = self.take_head(memory, place)?;
        let rules = self.rules(place);
        let (mut table, mut in_ring) = (self.ring(place), true);
        let mut number = u32::from(head);
        let mut chain = Chain { id: head, slots: 0, pieces: vec![] };
        loop {
            let descriptor = self.read_descriptor(memory, place, table, number)?;
            let more = descriptor.has(NEXT);
            if more && u32::from(descriptor.number) >= table.count {
                return Err(FaultReason::Next);
            }
            if descriptor.has(INDIRECT) {
                table = rules.table(&descriptor, in_ring)?;
                (in_ring, number) = (false, 0);
                continue;
            }
            rules.add(&mut chain.pieces, &descriptor, !more)?;
            if !more {
                return Ok(chain);
            }
            number = descriptor.number.into();
        }
    }

    fn take_head(&mut self, memory: &mut impl Memory, place: Place) -> Result<u16, FaultReason> {
        let queue = self.queue(place);
        let address = part(queue.rings[1], ENTRIES + AVAILABLE * u64::from(queue.slot(queue.taken)))?;
        let head = self.read16(memory, place, address)?;
        let queue = self.queue_mut(place);
        queue.taken = queue.after(queue.taken, 1);
        if head < queue.size { Ok(head) } else { Err(FaultReason::Head) }
    }

    /// Uses chains, and interrupts if that is wanted.
    pub(super) fn put_used_split(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: &[UsedChain],
    ) -> Result<(), FaultReason> {
        let ring = self.queue(place).rings[2];
        for UsedChain { id, len, .. } in chains {
            let queue = self.queue(place);
            let address = part(ring, ENTRIES + USED * u64::from(queue.slot(queue.used)))?;
            let mut entry = [0; USED as usize];
            entry[..4].copy_from_slice(&u32::from(*id).to_le_bytes());
            entry[4..].copy_from_slice(&len.to_le_bytes());
            self.write_memory(memory, place, address, &entry)?;
            let queue = self.queue_mut(place);
            queue.used = queue.after(queue.used, 1);
        }
        let index = self.queue(place).used.to_le_bytes();
        self.write_memory(memory, place, part(ring, INDEX)?, &index)?;
        if self.split_wants_interrupt(memory, place)? {
            self.interrupt_queue(place);
        }
        Ok(())
    }

    fn split_wants_interrupt(&mut self, memory: &mut impl Memory, place: Place) -> Result<bool, FaultReason> {
        let queue = self.queue(place);
        let ring = queue.rings[1];
        if !queue.has(Feature::EventIdx) {
            return Ok(self.read16(memory, place, ring)? & NO_INTERRUPT == 0);
        }
        let address = part(ring, ENTRIES + AVAILABLE * u64::from(queue.size))?;
        let event = self.read16(memory, place, address)?;
        Ok(self.queue_mut(place).pass(event))
    }
}
