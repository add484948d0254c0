// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a driver remembers of the chains that its device has.

use super::error::VirtioError;
use std::collections::VecDeque;

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
    /// What tells it apart, as it was given when the chain was added.
    pub id: u16,
    /// Bytes that the device wrote to it.
    pub len: u32,
}

/// A chain that the device has.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    pub descriptors: u16,
    /// Bytes that the device may write.
    room: u64,
    /// The device has been shown it.
    shown: bool,
}

/// What the device has written of a chain.
pub(super) struct Entry {
    /// Where, for whom it tells of.
    pub place: u16,
    pub id: u32,
    pub len: u32,
    /// How many chains may have been used with it at most.
    pub most: u16,
}

/// The chains of a virtqueue that the device has.
pub(super) struct Chains {
    queue: u16,
    /// Under their ids.
    chains: Vec<Option<Chain>>,
    outstanding: u16,
    /// Those that the device has not been shown.
    hidden: Vec<u16>,
    /// With VIRTIO_F_IN_ORDER: all of them in the order in which they were added.
    order: Option<VecDeque<u16>>,
    /// The last one of those that the device used with one entry, while they are taken back.
    batch: Option<Used>,
}

impl Chains {
    /// None yet, of virtqueue `queue`; their ids are below `size`.
    pub fn new(queue: u16, size: u16, in_order: bool) -> Self {
        Self {
            queue,
            chains: vec![None; size.into()],
            outstanding: 0,
            hidden: vec![],
            order: in_order.then(VecDeque::new),
            batch: None,
        }
    }

    pub fn outstanding(&self) -> u16 {
        self.outstanding
    }

    /// How many the device has been shown.
    pub fn shown(&self) -> u16 {
        self.outstanding - self.hidden.len() as u16
    }

    pub fn add(&mut self, id: u16, pieces: &[Piece], descriptors: u16) {
        let room = pieces.iter().filter(|piece| piece.writable).map(|piece| u64::from(piece.len)).sum();
        self.chains[usize::from(id)] = Some(Chain { descriptors, room, shown: false });
        self.outstanding += 1;
        self.hidden.push(id);
        self.order.iter_mut().for_each(|order| order.push_back(id));
    }

    /// The device is shown all of them. False if it has been before.
    pub fn show(&mut self) -> bool {
        let any = !self.hidden.is_empty();
        for id in self.hidden.drain(..) {
            self.chains[usize::from(id)].iter_mut().for_each(|chain| chain.shown = true);
        }
        any
    }

    /// Takes back the first chain that the device used with this entry; the others come with [`rest`](Self::rest).
    ///
    /// # Errors
    /// If the entry is not possible. Nothing is changed then.
    pub fn take(&mut self, entry: &Entry) -> Result<(Used, Chain), VirtioError> {
        let (queue, place, len) = (self.queue, entry.place, entry.len);
        let wrong = VirtioError::UsedId { queue, entry: place, id: entry.id };
        let Some(chain) = self.chains.get(entry.id as usize).copied().flatten().filter(|chain| chain.shown) else {
            return Err(wrong);
        };
        let id = entry.id as u16;
        if u64::from(len) > chain.room {
            return Err(VirtioError::UsedLength { queue, entry: place, id, len, room: chain.room });
        }
        if let Some(order) = &self.order
            && order.iter().position(|other| *other == id).is_none_or(|before| before >= entry.most.into())
        {
            return Err(wrong);
        }
        self.batch = Some(Used { id, len });
        Ok(self.rest().expect("there is the one"))
    }

    /// Takes back the next chain that the device used with the last entry. Those before the last one are filled (virtio 2.7.9, 2.8.8).
    pub fn rest(&mut self) -> Option<(Used, Chain)> {
        let last = self.batch?;
        let next = self.order.as_mut().map_or(Some(last.id), VecDeque::pop_front)?;
        let chain = self.chains[usize::from(next)].take()?;
        self.outstanding -= 1;
        if next == last.id {
            self.batch = None;
            return Some((last, chain));
        }
        let len = u32::try_from(chain.room).unwrap_or(u32::MAX);
        Some((Used { id: next, len }, chain))
    }
}
