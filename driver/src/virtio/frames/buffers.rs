// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buffers of a function that are handed out to who uses its frames.

use super::frame::{HEADROOM, OutFrame};
use crate::virtio::arena::Arena;
use crate::virtio::{Mapping, Piece, VirtioError};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What buffers are aligned to: a line of caches, and of the device's bus.
pub(super) const ALIGN: usize = 64;

/// Bytes from one buffer to the next.
pub(super) fn stride(frame_bytes: usize) -> usize {
    (HEADROOM + frame_bytes).next_multiple_of(ALIGN)
}

/// The buffers of a function, by their numbers. Any thread may take and give them back.
pub struct FrameBuffers<M> {
    memory: M,
    first: usize,
    stride: usize,
    frame_bytes: usize,
    /// Bytes of the headers that lie before a frame.
    front: usize,
    /// Those that callers have.
    out: Vec<AtomicBool>,
    /// Those that neither callers nor queues have.
    free: Mutex<Vec<u32>>,
}

impl<M: Mapping> FrameBuffers<M> {
    pub(super) fn new(
        memory: M,
        arena: &mut Arena,
        count: usize,
        frame_bytes: usize,
        front: usize,
    ) -> Result<Self, VirtioError> {
        let stride = stride(frame_bytes);
        let first = arena.take(count * stride, ALIGN)?;
        let out = std::iter::repeat_with(|| AtomicBool::new(false)).take(count).collect();
        // The first is taken first: what is not needed is never touched.
        let free = Mutex::new((0..count as u32).rev().collect());
        Ok(Self { memory, first, stride, frame_bytes, front, out, free })
    }

    /// The memory in which they lie.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Bytes of the longest frame that a buffer holds behind [`HEADROOM`].
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Byte 0 of a buffer: whoever has it may access all of it, [`HEADROOM`] and [`frame_bytes`](Self::frame_bytes). None if there is no such buffer.
    pub fn start(&self, buffer: u32) -> Option<NonNull<u8>> {
        let offset = self.offset(buffer)?;
        // SAFETY: the buffer lies in the memory.
        Some(unsafe { self.memory.start().add(offset) })
    }

    /// Hands out at most `limit` free buffers; how many.
    pub fn take(&self, limit: usize, mut each: impl FnMut(u32)) -> usize {
        let mut free = self.free();
        let from = free.len() - limit.min(free.len());
        let taken = free.drain(from..).rev();
        taken.map(|buffer| each(self.hand_out(buffer))).count()
    }

    /// Takes buffers back that were handed out, until one was not; how many.
    ///
    /// # Errors
    /// If the first was not.
    pub fn give_back(&self, buffers: impl IntoIterator<Item = u32>) -> Result<usize, VirtioError> {
        let mut free = self.free();
        let mut count = 0;
        for buffer in buffers {
            match self.claim(buffer) {
                Ok(()) => free.push(buffer),
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
            count += 1;
        }
        Ok(count)
    }

    /// Takes at most `limit` free buffers for a queue.
    pub(super) fn draw(&self, limit: usize, buffers: &mut Vec<u32>) {
        let mut free = self.free();
        let from = free.len() - limit.min(free.len());
        buffers.extend(free.drain(from..));
    }

    /// Takes those back that a queue had.
    pub(super) fn put(&self, buffers: impl IntoIterator<Item = u32>) {
        self.free().extend(buffers);
    }

    /// Makes a queue's buffer the caller's.
    pub(super) fn hand_out(&self, buffer: u32) -> u32 {
        self.out[buffer as usize].store(true, Ordering::Release);
        buffer
    }

    /// Makes a caller's buffer a queue's.
    pub(super) fn claim(&self, buffer: u32) -> Result<(), VirtioError> {
        let out = self.out.get(buffer as usize).is_some_and(|out| out.swap(false, Ordering::AcqRel));
        if out { Ok(()) } else { Err(VirtioError::NotHandedOut(buffer)) }
    }

    /// What the device may write of a buffer: headers and frame.
    pub(super) fn room(&self, buffer: u32) -> Piece {
        let offset = self.first + buffer as usize * self.stride + HEADROOM - self.front;
        Piece { offset, len: (self.front + self.frame_bytes) as u32, writable: true }
    }

    /// What the device reads of a frame: the headers, and behind them the frame, where it lies.
    pub(super) fn piece(&self, frame: &OutFrame) -> Result<Piece, VirtioError> {
        let OutFrame { buffer, start, len } = *frame;
        let at = self.offset(buffer).ok_or(VirtioError::NotHandedOut(buffer))?;
        let (front, end) = (self.front, HEADROOM + self.frame_bytes);
        let lies = len > 0 && start as usize >= front && start as usize <= end && len as usize <= end - start as usize;
        if !lies {
            return Err(VirtioError::OutsideBuffer { start, len, front, end });
        }
        Ok(Piece { offset: at + start as usize - front, len: front as u32 + len, writable: false })
    }

    pub(super) fn front(&self) -> usize {
        self.front
    }

    fn offset(&self, buffer: u32) -> Option<usize> {
        ((buffer as usize) < self.out.len()).then(|| self.first + buffer as usize * self.stride)
    }

    fn free(&self) -> MutexGuard<'_, Vec<u32>> {
        // Who panicked with it left a list of buffers, of which some may be lost.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
