// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtqueue of either kind.

use super::arena::Arena;
use super::chains::{Piece, Used};
use super::error::VirtioError;
use super::features::has;
use super::indirect::Tables;
use super::memory::DmaMemory;
use super::packed::PackedQueue;
use super::rings::{Base, Rings};
use super::split::SplitQueue;
use millrace_regs::host::Feature;

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
