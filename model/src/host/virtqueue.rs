// SPDX-License-Identifier: MIT OR Apache-2.0
//! State of a virtqueue, and what split and packed ones have in common.

use super::chain::{Chain, UsedChain};
use super::ring::Kind;
use super::{HostModel, Memory, Place, READ_AHEAD};
use millrace_regs::host::{FaultReason, Feature, MAX_QUEUE_SIZE, NO_VECTOR};
use std::collections::VecDeque;

/// A virtqueue.
///
/// A count says how far one side is: in a split virtqueue entries modulo 2^16, as in the rings; in a packed one descriptors modulo two laps of the ring, of which the
/// first is that with wrap counter 1.
pub(super) struct Virtqueue {
    pub size: u16,
    pub vector: u16,
    pub enabled: bool,
    /// A reset of the queue alone is under way.
    pub resetting: bool,
    /// What was negotiated when it was enabled.
    pub features: u64,
    /// `queue_desc`, `queue_driver` and `queue_device`.
    pub rings: [u64; 3],
    /// A fault has stopped it.
    pub stopped: bool,
    /// The ring is to be looked at.
    pub active: bool,
    /// `avail.idx` as it was last read.
    pub available: u16,
    /// Count of what was taken, of what was used, and of what was used when it was last asked whether to interrupt.
    pub taken: u16,
    pub used: u16,
    asked: u16,
    /// Of a receiveq: chains that were taken and not used.
    pub chains: VecDeque<Chain>,
    /// Of a packed transmitq or controlq with IN_ORDER: chains that were read and not used.
    pub batch: Vec<UsedChain>,
}

impl Virtqueue {
    /// After power-up.
    pub fn new() -> Self {
        Self {
            size: MAX_QUEUE_SIZE,
            vector: NO_VECTOR,
            enabled: false,
            resetting: false,
            features: 0,
            rings: [0; 3],
            stopped: false,
            active: false,
            available: 0,
            taken: 0,
            used: 0,
            asked: 0,
            chains: VecDeque::new(),
            batch: vec![],
        }
    }

    /// It works with this feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features & feature.bit() != 0
    }

    pub fn is_packed(&self) -> bool {
        self.has(Feature::RingPacked)
    }

    /// A receiveq of which no more chains are read ahead.
    pub fn is_full(&self) -> bool {
        self.chains.len() >= READ_AHEAD
    }

    /// An entry of the available ring is known and not taken.
    pub fn has_entry(&self) -> bool {
        self.available != self.taken
    }

    /// Nothing that was begun is used.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.chains.clear();
        self.batch.clear();
    }

    /// The place in the ring that a count stands for.
    pub fn slot(&self, count: u16) -> u16 {
        count % self.size
    }

    /// The wrap counter at a count.
    pub fn wrap_counter(&self, count: u16) -> bool {
        count < self.size
    }

    /// Counts on.
    pub fn after(&self, count: u16, by: u16) -> u16 {
        ((u32::from(count) + u32::from(by)) % self.laps()) as u16
    }

    /// Whether what is used with count `event` is among that used since it was last asked (2.7.7.2, 2.8.10).
    pub fn pass(&mut self, event: u16) -> bool {
        let laps = self.laps();
        let since = |count: u16| (u32::from(count) + laps - u32::from(self.asked)) % laps;
        let passed = since(event) < since(self.used);
        self.asked = self.used;
        passed
    }

    /// The count that is 0 again.
    fn laps(&self) -> u32 {
        if self.is_packed() { 2 * u32::from(self.size) } else { 1 << 16 }
    }
}

impl HostModel {
    pub(super) fn queue(&self, place: Place) -> &Virtqueue {
        &self.functions[place.function].queues[place.queue]
    }

    pub(super) fn queue_mut(&mut self, place: Place) -> &mut Virtqueue {
        &mut self.functions[place.function].queues[place.queue]
    }

    /// What a virtqueue that the function has is for.
    pub(super) fn kind(&self, place: Place) -> Kind {
        self.functions[place.function].kind(place.queue).expect("the function has the virtqueue")
    }

    /// Does with a chain what is done when it is found: a transmitq's and a controlq's is read and used, a receiveq's is kept for a frame.
    pub(super) fn begin(&mut self, memory: &mut impl Memory, place: Place, chain: Chain) -> Result<(), FaultReason> {
        match self.kind(place) {
            Kind::Receive => self.queue_mut(place).chains.push_back(chain),
            Kind::Transmit => self.transmit(memory, place, &chain)?,
            Kind::Control => self.control(memory, place, &chain)?,
        }
        Ok(())
    }

    /// Uses chains that belong to one frame.
    pub(super) fn put_used(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: &[UsedChain],
    ) -> Result<(), FaultReason> {
        if self.queue(place).is_packed() {
            self.put_used_packed(memory, place, chains)
        } else {
            self.put_used_split(memory, place, chains)
        }
    }
}
