// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packed virtqueues (virtio 2.8).

use super::chain::{Chain, DESCRIPTOR, INDIRECT, NEXT, UsedChain, WRITE};
use super::ring::{Kind, part};
use super::{HostModel, Memory, Place};
use millrace_regs::host::{DESCRIPTOR_LINE, FaultReason, Feature};

/// VIRTQ_DESC_F_AVAIL and VIRTQ_DESC_F_USED.
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// Of a descriptor: `len` and `id` of a used one, and `flags`.
const LEN: u64 = 8;
const FLAGS: u64 = 14;
/// RING_EVENT_FLAGS_DISABLE and _DESC.
const DISABLE: u16 = 1;
const DESC: u16 = 2;
/// Wrap counter in `desc` of an event suppression.
const EVENT_WRAP: u16 = 1 << 15;
/// Bits of its `flags` that count.
const EVENT_FLAGS: u16 = 3;
/// Bits of its address that do not.
const EVENT_BELOW: u64 = 3;

impl HostModel {
    /// Takes the next chain, or finds none. False if there is nothing to do.
    pub(super) fn step_packed(&mut self, memory: &mut impl Memory, place: Place) -> Result<bool, FaultReason> {
        let queue = self.queue(place);
        if !queue.active || queue.is_full() {
            return Ok(false);
        }
        if self.is_available(memory, place)? {
            let chain = self.take_packed(memory, place)?;
            self.begin(memory, place, chain)?;
            return Ok(true);
        }
        self.put_batch(memory, place)?;
        let mut active = false;
        if self.queue(place).has(Feature::EventIdx) {
            self.say_where_it_waits(memory, place)?;
            active = self.is_available(memory, place)?;
        }
        self.queue_mut(place).active = active;
        Ok(true)
    }

    /// The descriptor at the queue's place is available (2.8.1).
    fn is_available(&self, memory: &mut impl Memory, place: Place) -> Result<bool, FaultReason> {
        let queue = self.queue(place);
        let flags = part(queue.rings[0], DESCRIPTOR * u64::from(queue.slot(queue.taken)) + FLAGS)?;
        let flags = self.read16(memory, place, flags)?;
        let wrap = queue.wrap_counter(queue.taken);
        Ok((flags & AVAIL != 0) == wrap && (flags & USED != 0) != wrap)
    }

    fn say_where_it_waits(&self, memory: &mut impl Memory, place: Place) -> Result<(), FaultReason> {
        let queue = self.queue(place);
        let wrap = if queue.wrap_counter(queue.taken) { EVENT_WRAP } else { 0 };
        let desc = (queue.slot(queue.taken) | wrap).to_le_bytes();
        let flags = DESC.to_le_bytes();
        self.write_memory(memory, place, queue.rings[2] & !EVENT_BELOW, &[desc, flags].concat())
    }

    fn take_packed(&mut self, memory: &mut impl Memory, place: Place) -> Result<Chain, FaultReason> {
        let rules = self.rules(place);
        let mut chain = Chain { id: 0, slots: 0, pieces: vec![] };
        loop {
            let queue = self.queue(place);
            let slot = queue.slot(queue.taken);
            let descriptor = self.read_descriptor(memory, place, self.ring(place), slot.into())?;
            let queue = self.queue_mut(place);
            queue.taken = queue.after(queue.taken, 1);
            chain.slots += 1;
            chain.id = descriptor.number;
            if descriptor.has(INDIRECT) {
                let table = rules.table(&descriptor, chain.slots == 1)?;
                for number in 0..table.count {
                    let inner = rules.in_packed_table(self.read_descriptor(memory, place, table, number)?);
                    rules.add(&mut chain.pieces, &inner, number + 1 == table.count)?;
                }
                return Ok(chain);
            }
            let last = !descriptor.has(NEXT);
            rules.add(&mut chain.pieces, &descriptor, last)?;
            if last {
                return Ok(chain);
            }
        }
    }

    /// Uses chains of one frame, and interrupts if that is wanted.
    pub(super) fn put_used_packed(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: &[UsedChain],
    ) -> Result<(), FaultReason> {
        if self.queue(place).has(Feature::InOrder) && self.kind(place) != Kind::Receive {
            return self.put_in_order(memory, place, chains);
        }
        self.write_used(memory, place, chains)
    }

    /// Keeps chains of a transmitq or controlq back as long as they end in one line.
    fn put_in_order(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: &[UsedChain],
    ) -> Result<(), FaultReason> {
        for chain in chains {
            let queue = self.queue(place);
            let slots = |chains: &[UsedChain]| chains.iter().map(|chain| chain.slots).sum::<u16>();
            let line = |slots: u16| {
                let last = queue.slot(queue.after(queue.used, slots - 1));
                (queue.rings[0] + DESCRIPTOR * u64::from(last)) / DESCRIPTOR_LINE as u64
            };
            let kept = slots(&queue.batch);
            if kept != 0 && line(kept) != line(kept + chain.slots) {
                self.put_batch(memory, place)?;
            }
            self.queue_mut(place).batch.push(*chain);
        }
        Ok(())
    }

    /// One used descriptor for all chains that were kept back.
    fn put_batch(&mut self, memory: &mut impl Memory, place: Place) -> Result<(), FaultReason> {
        let batch = std::mem::take(&mut self.queue_mut(place).batch);
        let Some(last) = batch.last() else { return Ok(()) };
        let slots = batch.iter().map(|chain| chain.slots).sum();
        self.write_used(memory, place, &[UsedChain { slots, ..*last }])
    }

    /// Used descriptors, of which the first is written last.
    fn write_used(&mut self, memory: &mut impl Memory, place: Place, chains: &[UsedChain]) -> Result<(), FaultReason> {
        let queue = self.queue(place);
        let mut at = queue.used;
        let mut used = vec![];
        for chain in chains {
            used.push((at, chain));
            at = queue.after(at, chain.slots);
        }
        for (at, chain) in used.into_iter().rev() {
            self.write_used_descriptor(memory, place, at, chain)?;
        }
        self.queue_mut(place).used = at;
        if self.packed_wants_interrupt(memory, place)? {
            self.interrupt_queue(place);
        }
        Ok(())
    }

    /// Its flags are written behind the rest (2.8.2).
    fn write_used_descriptor(
        &self,
        memory: &mut impl Memory,
        place: Place,
        at: u16,
        chain: &UsedChain,
    ) -> Result<(), FaultReason> {
        let queue = self.queue(place);
        let address = part(queue.rings[0], DESCRIPTOR * u64::from(queue.slot(at)))?;
        let flags = if queue.wrap_counter(at) { AVAIL | USED } else { 0 } | if chain.len != 0 { WRITE } else { 0 };
        let rest = [&chain.len.to_le_bytes()[..], &chain.id.to_le_bytes()].concat();
        self.write_memory(memory, place, part(address, LEN)?, &rest)?;
        self.write_memory(memory, place, part(address, FLAGS)?, &flags.to_le_bytes())
    }

    fn packed_wants_interrupt(&mut self, memory: &mut impl Memory, place: Place) -> Result<bool, FaultReason> {
        let queue = self.queue(place);
        let mut bytes = [0; 4];
        self.read_memory(memory, place, queue.rings[1] & !EVENT_BELOW, &mut bytes)?;
        let [desc, flags] = [0, 2].map(|at| u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let queue = self.queue_mut(place);
        let lap = if desc & EVENT_WRAP != 0 { 0 } else { queue.size };
        let passed = queue.pass(lap.wrapping_add(desc & !EVENT_WRAP));
        Ok(match flags & EVENT_FLAGS {
            DISABLE => false,
            DESC if queue.has(Feature::EventIdx) => passed,
            _ => true,
        })
    }
}
