// SPDX-License-Identifier: MIT OR Apache-2.0
//! A transmitq with its buffers (virtio 5.1.6.2).

use super::arena::Arena;
use super::{Cut, DmaMemory, Settings, VirtioError, Virtqueue, settings};
use crate::Sent;

/// A transmitq.
pub(super) struct TransmitQueue {
    queue: Virtqueue,
    /// Bytes of a buffer.
    room: usize,
    /// Offsets of the buffers that are free.
    free: Vec<usize>,
    /// Offset of the buffer that is under this chain's id.
    buffer: Vec<usize>,
}

impl TransmitQueue {
    /// Makes the buffers.
    pub fn new(
        mut queue: Virtqueue,
        settings: &Settings,
        arena: &mut Arena,
        memory: &impl DmaMemory,
    ) -> Result<Self, VirtioError> {
        let room = settings.transmit_bytes;
        let free = (0..settings.transmit_buffers).map(|_| arena.take(room, 1)).collect::<Result<_, _>>()?;
        queue.want_interrupts(memory, settings.interrupts);
        let buffer = vec![0; queue.size().into()];
        Ok(Self { queue, room, free, buffer })
    }

    pub fn queue(&self) -> &Virtqueue {
        &self.queue
    }

    /// Adds header, prefix and frame, side by side and cut as `cuts` say: the last piece is what they leave, if anything.
    pub fn add(&mut self, memory: &impl DmaMemory, parts: [&[u8]; 3], cuts: &[Cut]) -> Result<Sent, VirtioError> {
        let cuts = fit(cuts, parts.iter().map(|part| part.len()).sum());
        let needs = settings::extent(&cuts);
        if needs > self.room {
            return Err(VirtioError::FrameTooLong { needs, room: self.room });
        }
        if cuts.len() > self.queue.size().into() {
            return Err(VirtioError::Settings("a frame is cut into more pieces than its virtqueue has descriptors"));
        }
        let needed = self.queue.needed(cuts.len());
        if self.free.is_empty() || self.queue.free() < needed {
            self.reclaim(memory)?;
        }
        let Some(&offset) = self.free.last() else { return Ok(Sent::Full) };
        let pieces = settings::pieces(offset, &cuts, false);
        if needed > self.queue.free() {
            return Ok(Sent::Full);
        }
        let mut stream = Stream { parts };
        pieces.iter().for_each(|piece| stream.copy(memory, piece.offset, piece.len as usize));
        let id = self.queue.add(memory, &pieces).expect("as many descriptors are free");
        self.free.pop();
        self.buffer[usize::from(id)] = offset;
        Ok(Sent::Accepted)
    }

    /// Shows the function the frames that were added; true if it has to be notified.
    pub fn show(&mut self, memory: &impl DmaMemory) -> bool {
        self.queue.show(memory)
    }

    /// Takes back the buffers of frames that the function has read: their number.
    pub fn reclaim(&mut self, memory: &impl DmaMemory) -> Result<usize, VirtioError> {
        let mut count = 0;
        while let Some(used) = self.queue.take(memory)? {
            self.free.push(self.buffer[usize::from(used.id)]);
            count += 1;
        }
        Ok(count)
    }
}

/// The cuts for this many bytes: those behind its end are left out.
fn fit(cuts: &[Cut], bytes: usize) -> Vec<Cut> {
    let mut left = bytes;
    let mut fitted = vec![];
    for cut in cuts.iter().chain([&Cut { gap: 0, len: u32::MAX }]) {
        let len = left.min(cut.len as usize);
        if len != 0 {
            fitted.push(Cut { gap: cut.gap, len: len as u32 });
        }
        left -= len;
    }
    fitted
}

/// Bytes of a frame and of what lies in front of it, in their order.
struct Stream<'a> {
    parts: [&'a [u8]; 3],
}

impl Stream<'_> {
    /// Copies the next `len` bytes to `offset`.
    fn copy(&mut self, memory: &impl DmaMemory, mut offset: usize, mut len: usize) {
        for part in &mut self.parts {
            let (now, later) = part.split_at(len.min(part.len()));
            memory.write(offset, now);
            *part = later;
            offset += now.len();
            len -= now.len();
        }
    }
}
