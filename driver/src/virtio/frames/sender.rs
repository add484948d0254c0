// SPDX-License-Identifier: MIT OR Apache-2.0
//! A transmitq that sends frames out of the buffers they lie in.

use super::buffers::FrameBuffers;
use super::frame::OutFrame;
use crate::virtio::function::{Function, Notified};
use crate::virtio::{Mapping, VirtioError, VirtioPci, Virtqueue};
use millrace_regs::host::{ECPF_HEADER, NET_HEADER};
use std::sync::Arc;

/// A transmitq.
pub struct FrameSender<T, M> {
    function: Function<T>,
    queue: Virtqueue,
    notify: u32,
    buffers: Arc<FrameBuffers<M>>,
    /// The buffer that is under a chain's id.
    under: Vec<u32>,
    /// Buffers that the function has read.
    done: Vec<u32>,
}

impl<T: VirtioPci, M: Mapping> FrameSender<T, M> {
    pub(super) fn new(function: Function<T>, mut queue: Virtqueue, notify: u32, buffers: Arc<FrameBuffers<M>>) -> Self {
        // Who sends looks for the room that it needs.
        queue.want_interrupts(buffers.memory(), false);
        let under = vec![0; queue.size().into()];
        Self { function, queue, notify, buffers, under, done: vec![] }
    }

    /// Sends frames, in this order, until there is no room: the number of those that were accepted, whose buffers are not the caller's any more. A call without frames
    /// frees the buffers of those that the function has read, as every call does.
    ///
    /// # Errors
    /// If the first frame is not in a buffer that the caller has, if the function did what it must not, or if it cannot be reached. A later
    /// frame that is not ends the call before it.
    pub fn send(&mut self, frames: impl IntoIterator<Item = OutFrame>) -> Result<usize, VirtioError> {
        self.reclaim()?;
        let mut count = 0;
        for frame in frames {
            if self.queue.free() == 0 {
                break;
            }
            match self.add(&frame) {
                Ok(()) => count += 1,
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
        }
        if self.queue.show(self.buffers.memory()) {
            self.function.notify(self.notify, Notified::of(&self.queue))?;
        }
        Ok(count)
    }

    fn add(&mut self, frame: &OutFrame) -> Result<(), VirtioError> {
        let piece = self.buffers.piece(frame)?;
        self.buffers.claim(frame.buffer)?;
        let memory = self.buffers.memory();
        // Nothing is asked for, and of the ECPF's frames byte 0 sends them out of the vport of the pair.
        memory.write(piece.offset, &[0; NET_HEADER + ECPF_HEADER][..self.buffers.front()]);
        let id = self.queue.add(memory, &[piece]).expect("a descriptor is free");
        self.under[usize::from(id)] = frame.buffer;
        Ok(())
    }

    fn reclaim(&mut self) -> Result<(), VirtioError> {
        let ended = loop {
            match self.queue.take(self.buffers.memory()) {
                Ok(Some(used)) => self.done.push(self.under[usize::from(used.id)]),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.buffers.put(self.done.drain(..));
        ended
    }
}
