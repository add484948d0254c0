// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a virtqueue lies, and what virtqueues of both kinds have.

use super::arena::Arena;
use super::chains::Chains;
use super::error::VirtioError;
use super::features::has;
use super::indirect::{Tables, needed};
use super::memory::DmaMemory;
use millrace_regs::host::Feature;

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
