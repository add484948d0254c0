// SPDX-License-Identifier: MIT OR Apache-2.0
//! A receiveq whose frames are handed out in their buffers.

use super::buffers::FrameBuffers;
use super::frame::{HEADROOM, ReceivedFrame};
use crate::virtio::function::{Function, Notified};
use crate::virtio::representor::{self, Why};
use crate::virtio::{Mapping, Used, VirtioError, VirtioPci, Virtqueue, receive};
use millrace_regs::host::{ECPF_HEADER, NET_HEADER};
use std::sync::Arc;

/// A receiveq. Its descriptors are kept supplied with free buffers, whenever frames are received.
pub struct FrameReceiver<T, M> {
    function: Function<T>,
    queue: Virtqueue,
    notify: u32,
    buffers: Arc<FrameBuffers<M>>,
    /// The buffer that is under a chain's id.
    under: Vec<u32>,
    /// Buffers on their way into the queue.
    fresh: Vec<u32>,
    /// What went wrong behind frames that were handed over.
    failed: Option<VirtioError>,
}

impl<T: VirtioPci, M: Mapping> FrameReceiver<T, M> {
    pub(super) fn new(
        function: Function<T>,
        mut queue: Virtqueue,
        notify: u32,
        buffers: Arc<FrameBuffers<M>>,
        interrupts: bool,
    ) -> Self {
        queue.want_interrupts(buffers.memory(), interrupts);
        let under = vec![0; queue.size().into()];
        Self { function, queue, notify, buffers, under, fresh: vec![], failed: None }
    }

    /// Hands over the frames that have come, in their order, at most `limit`: their number. Where frames had to be handed over before an error, the next call tells it.
    ///
    /// # Errors
    /// If the function did what it must not, or cannot be reached. After what it did wrong it has to be reset.
    pub fn receive(&mut self, limit: usize, mut frame: impl FnMut(ReceivedFrame)) -> Result<usize, VirtioError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut count = 0;
        let ended = loop {
            if count == limit {
                break Ok(());
            }
            match self.next() {
                Ok(Some(received)) => frame(received),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            count += 1;
        };
        match ended.and_then(|()| self.refill()) {
            Err(error) if count == 0 => Err(error),
            ended => {
                self.failed = ended.err();
                Ok(count)
            }
        }
    }

    fn next(&mut self) -> Result<Option<ReceivedFrame>, VirtioError> {
        while let Some(used) = self.queue.take(self.buffers.memory())? {
            if let Some(received) = self.received(used)? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    /// Checks what lies before a frame; none: it is a sample, which nobody asked for here.
    fn received(&self, used: Used) -> Result<Option<ReceivedFrame>, VirtioError> {
        let (buffer, queue) = (self.under[usize::from(used.id)], self.queue.number());
        let mut bytes = [0; NET_HEADER + ECPF_HEADER];
        let front = &mut bytes[..self.buffers.front()];
        let wrong = |front: &[u8], problem| VirtioError::Header { queue, problem, bytes: front.to_vec() };
        let Some(len) = used.len.checked_sub(front.len() as u32) else { return Err(wrong(&[], "it is cut off")) };
        self.buffers.memory().read(self.buffers.room(buffer).offset, front);
        receive::chains(front, false).map_err(|problem| wrong(front, problem))?;
        let ecpf = front.len() > NET_HEADER;
        let reason = match ecpf.then(|| representor::why(queue, front, len as usize)).transpose()? {
            None => None,
            Some(Why::Upcall(reason)) => Some(reason),
            Some(Why::Dropped(_)) => {
                self.buffers.give_back([self.buffers.hand_out(buffer)])?;
                return Ok(None);
            }
        };
        Ok(Some(ReceivedFrame { buffer: self.buffers.hand_out(buffer), len, reason }))
    }

    /// Supplies free descriptors with buffers, as far as there are any.
    fn refill(&mut self) -> Result<(), VirtioError> {
        if self.fill() { self.notify() } else { Ok(()) }
    }

    /// As `refill`; true if the function has to be notified.
    pub(super) fn fill(&mut self) -> bool {
        if self.queue.free() == 0 {
            return false;
        }
        self.buffers.draw(self.queue.free(), &mut self.fresh);
        let memory = self.buffers.memory();
        for buffer in self.fresh.drain(..) {
            let id = self.queue.add(memory, &[self.buffers.room(buffer)]).expect("its descriptor is free");
            self.under[usize::from(id)] = buffer;
        }
        self.queue.show(memory)
    }

    pub(super) fn notify(&mut self) -> Result<(), VirtioError> {
        self.function.notify(self.notify, Notified::of(&self.queue))
    }

    /// The buffers, and with them what a frame's place is counted from.
    pub fn buffers(&self) -> &Arc<FrameBuffers<M>> {
        &self.buffers
    }
}

const _: () = assert!(HEADROOM >= NET_HEADER + ECPF_HEADER, "the headers lie in the headroom");
