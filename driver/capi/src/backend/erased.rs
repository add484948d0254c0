// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function that is in use, whatever the way to it.

use crate::error::Failure;
use millrace_driver::Device;
use millrace_driver::virtio::{
    FrameBuffers, FramePair, FrameReceiver, FrameSender, Mapping, NetConfig, OutFrame, ReceivedFrame, VirtioPci,
};
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;

/// All of it.
pub struct Opened {
    /// The device's registers, if it is the ECPF.
    pub registers: Option<Box<dyn Device + Send>>,
    pub control: Box<dyn Control>,
    pub buffers: Arc<dyn Buffers>,
    pub pairs: Vec<Pair>,
    pub wakes: Option<Wakes>,
}

/// What is asked of a function as a whole.
pub trait Control: Send {
    /// Whether it is there, and well.
    fn check(&mut self) -> Result<(), Failure>;
    /// Its device configuration.
    fn config(&mut self) -> Result<NetConfig, Failure>;
    /// Its BAR.
    fn bar(&mut self) -> &mut dyn VirtioPci;
    /// Resets it: then it does not touch memory any more.
    fn stop(&mut self) -> Result<(), Failure>;
}

/// Descriptors that are ready to read when something has happened.
pub struct Wakes {
    /// The configuration changed, or the function needs a reset. An eventfd.
    pub changes: OwnedFd,
    /// A receiveq has frames, by pair. Eventfds.
    pub receive: Vec<OwnedFd>,
    /// The server has gone.
    pub gone: Option<OwnedFd>,
}

/// The queues of a pair.
pub struct Pair {
    pub receiver: Box<dyn Receiver>,
    pub sender: Box<dyn Sender>,
}

/// As [`FrameReceiver`].
pub trait Receiver: Send {
    fn receive(&mut self, limit: usize, frame: &mut dyn FnMut(ReceivedFrame)) -> Result<usize, Failure>;
}

/// As [`FrameSender`].
pub trait Sender: Send {
    fn send(&mut self, frames: &mut dyn Iterator<Item = OutFrame>) -> Result<usize, Failure>;
}

/// As [`FrameBuffers`].
pub trait Buffers: Send + Sync {
    fn frame_bytes(&self) -> usize;
    fn start(&self, buffer: u32) -> Option<NonNull<u8>>;
    fn take(&self, limit: usize, each: &mut dyn FnMut(u32)) -> usize;
    fn give_back(&self, buffers: &mut dyn Iterator<Item = u32>) -> Result<usize, Failure>;
}

impl<T: VirtioPci + Send, M: Mapping + Send + Sync> Receiver for FrameReceiver<T, M> {
    fn receive(&mut self, limit: usize, frame: &mut dyn FnMut(ReceivedFrame)) -> Result<usize, Failure> {
        Ok(FrameReceiver::receive(self, limit, frame)?)
    }
}

impl<T: VirtioPci + Send, M: Mapping + Send + Sync> Sender for FrameSender<T, M> {
    fn send(&mut self, frames: &mut dyn Iterator<Item = OutFrame>) -> Result<usize, Failure> {
        Ok(FrameSender::send(self, frames)?)
    }
}

impl<M: Mapping + Send + Sync> Buffers for FrameBuffers<M> {
    fn frame_bytes(&self) -> usize {
        FrameBuffers::frame_bytes(self)
    }

    fn start(&self, buffer: u32) -> Option<NonNull<u8>> {
        FrameBuffers::start(self, buffer)
    }

    fn take(&self, limit: usize, each: &mut dyn FnMut(u32)) -> usize {
        FrameBuffers::take(self, limit, each)
    }

    fn give_back(&self, buffers: &mut dyn Iterator<Item = u32>) -> Result<usize, Failure> {
        Ok(FrameBuffers::give_back(self, buffers)?)
    }
}

/// Pairs whose way to the function is not told any more.
pub fn pairs<T, M>(pairs: Vec<FramePair<T, M>>) -> Vec<Pair>
where
    T: VirtioPci + Send + 'static,
    M: Mapping + Send + Sync + 'static,
{
    let erase = |FramePair { receiver, sender }| Pair { receiver: Box::new(receiver), sender: Box::new(sender) };
    pairs.into_iter().map(erase).collect()
}
