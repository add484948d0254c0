// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtqueue of either kind.

use super::arena::Arena;
use super::chains::Chains;
use super::indirect::{Tables, needed};
use super::{DmaMemory, PackedQueue, Piece, SplitQueue, Used, VirtioError};
use millrace_regs::host::Feature;

/// Bytes of a descriptor (2.7.5, 2.8.13).
pub(super) const DESCRIPTOR: usize = 16;
/// Flags of a descriptor (2.7.5, 2.8.2, 2.8.3, 2.8.7).
pub(super) const NEXT: u16 = 1;
pub(super) const WRITE: u16 = 2;
pub(super) const INDIRECT: u16 = 4;

/// Where the three parts of a virtqueue lie: offsets in the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rings {
    /// The descriptor table; of a packed virtqueue its ring.
    pub descriptors: usize,
    /// The available ring; of a packed virtqueue the driver's event suppression.
    pub available: usize,
    /// The used ring; of a packed virtqueue the device's event suppression.
    pub used: usize,
}

impl Rings {
    /// Takes parts of these sizes and alignments, in bytes.
    pub(super) fn take(arena: &mut Arena, bytes: [usize; 3], align: [usize; 3]) -> Result<Self, VirtioError> {
        Ok(Self {
            descriptors: arena.take(bytes[0], align[0])?,
            available: arena.take(bytes[1], align[1])?,
            used: arena.take(bytes[2], align[2])?,
        })
    }

    pub(super) fn clear(&self, bytes: [usize; 3], memory: &impl DmaMemory) {
        for (offset, bytes) in [self.descriptors, self.available, self.used].into_iter().zip(bytes) {
            memory.write(offset, &vec![0; bytes]);
        }
    }
}

/// A feature is among those that were agreed on.
pub(super) fn has(features: u64, feature: Feature) -> bool {
    features & feature.bit() != 0
}

/// What virtqueues of both kinds have.
pub(super) struct Base {
    pub number: u16,
    pub size: u16,
    pub rings: Rings,
    pub event_idx: bool,
    pub tables: Option<Tables>,
    /// Chains that the device has.
    pub chains: Chains,
    /// Interrupts are wanted.
    pub interrupts: bool,
    /// With VIRTIO_F_EVENT_IDX: what the device was last asked to interrupt for.
    pub armed: Option<u16>,
}

impl Base {
    /// Of a virtqueue with as many descriptors as there are ids in `order`, which are each number below once.
    pub fn new(number: u16, rings: Rings, order: &[u16], features: u64) -> Self {
        let size = order.len() as u16;
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..size), "virtqueue {number}: other ids than there are descriptors");
        Self {
            number,
            size,
            rings,
            event_idx: has(features, Feature::EventIdx),
            tables: None,
            chains: Chains::new(number, size, has(features, Feature::InOrder)),
            interrupts: false,
            armed: None,
        }
    }

    /// Descriptors that a chain of this many pieces takes.
    pub fn needed(&self, pieces: usize) -> usize {
        needed(self.tables, pieces)
    }

    /// The device would not interrupt for what it uses next, and is to.
    pub fn has_to_ask(&self, taken: u16) -> bool {
        self.interrupts && self.event_idx && self.armed != Some(taken)
    }
}

/// A virtqueue, the driver's side.
pub enum Virtqueue {
    /// virtio 2.7
    Split(SplitQueue),
    /// virtio 2.8
    Packed(PackedQueue),
}

macro_rules! either {
    ($self:expr, $queue:ident => $what:expr) => {
        match $self {
            Virtqueue::Split($queue) => $what,
            Virtqueue::Packed($queue) => $what,
        }
    };
}

impl Virtqueue {
    /// Virtqueue `number` of its function, which works with `features`. Ids (of a split one: descriptors) are first taken in `order`.
    pub(super) fn make(
        arena: &mut Arena,
        number: u16,
        order: &[u16],
        features: u64,
        memory: &impl DmaMemory,
    ) -> Result<Self, VirtioError> {
        let size = order.len() as u16;
        let tables = has(features, Feature::IndirectDesc).then(|| Tables::take(arena, size)).transpose()?;
        let mut queue = if has(features, Feature::RingPacked) {
            let rings = Rings::take(arena, PackedQueue::bytes(size), PackedQueue::ALIGN)?;
            Self::Packed(PackedQueue::new(number, rings, memory, order, features))
        } else {
            let rings = Rings::take(arena, SplitQueue::bytes(size), SplitQueue::ALIGN)?;
            Self::Split(SplitQueue::new(number, rings, memory, order, features))
        };
        either!(&mut queue, queue => queue.base.tables = tables);
        Ok(queue)
    }

    fn base(&self) -> &Base {
        either!(self, queue => &queue.base)
    }

    /// Its number in its function.
    pub fn number(&self) -> u16 {
        self.base().number
    }

    /// Number of descriptors.
    pub fn size(&self) -> u16 {
        self.base().size
    }

    /// Where its parts lie.
    pub fn rings(&self) -> Rings {
        self.base().rings
    }

    /// Descriptors that are in no chain.
    pub fn free(&self) -> usize {
        either!(self, queue => queue.free())
    }

    /// Descriptors that a chain of this many pieces takes.
    pub fn needed(&self, pieces: usize) -> usize {
        self.base().needed(pieces)
    }

    /// Chains that were added and not taken back.
    pub fn outstanding(&self) -> u16 {
        self.base().chains.outstanding()
    }

    /// Where the next chain is made available, as a notification tells it with VIRTIO_F_NOTIFICATION_DATA (virtio 2.9): offset or index in 14:0, wrap counter or the index's
    /// highest bit above.
    pub fn next(&self) -> u16 {
        either!(self, queue => queue.next())
    }

    /// As [`SplitQueue::want_interrupts`].
    pub fn want_interrupts(&mut self, memory: &impl DmaMemory, wanted: bool) {
        either!(self, queue => queue.want_interrupts(memory, wanted));
    }

    /// As [`SplitQueue::add`].
    ///
    /// # Panics
    /// As there.
    pub fn add(&mut self, memory: &impl DmaMemory, pieces: &[Piece]) -> Option<u16> {
        either!(self, queue => queue.add(memory, pieces))
    }

    /// As [`SplitQueue::show`].
    pub fn show(&mut self, memory: &impl DmaMemory) -> bool {
        either!(self, queue => queue.show(memory))
    }

    /// As [`SplitQueue::take`].
    ///
    /// # Errors
    /// As there.
    pub fn take(&mut self, memory: &impl DmaMemory) -> Result<Option<Used>, VirtioError> {
        either!(self, queue => queue.take(memory))
    }
}
