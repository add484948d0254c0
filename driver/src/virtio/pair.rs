// SPDX-License-Identifier: MIT OR Apache-2.0
//! The virtqueues of a function: how they are made, and made anew.

use super::arena::Arena;
use super::control::ControlQueue;
use super::features::has;
use super::function::{Function, Notified};
use super::receive::ReceiveQueue;
use super::settings::CONTROL_SIZE;
use super::transmit::TransmitQueue;
use super::{DmaMemory, Settings, VirtioError, VirtioPci, Virtqueue};
use millrace_regs::host::Feature;

/// A virtqueue that the function has.
pub(super) struct Enabled<Q> {
    pub queue: Q,
    /// Offset in the BAR at which it is notified.
    pub notify: u32,
    /// The memory from its first byte on: made anew it takes the same.
    share: Arena,
}

/// A pair of virtqueues.
pub(super) struct Pair {
    pub receive: Enabled<ReceiveQueue>,
    pub transmit: Enabled<TransmitQueue>,
}

/// What virtqueues are made with.
pub(super) struct Maker<'a, T, M> {
    pub function: &'a mut Function<T>,
    pub memory: &'a M,
    pub settings: &'a Settings,
    pub features: u64,
    /// Bytes between header and frame.
    pub prefix: usize,
}

impl<T: VirtioPci, M: DmaMemory> Maker<'_, T, M> {
    /// Makes pair `pair` of what is left of the memory, and enables its queues.
    pub fn pair(&mut self, pair: u16, arena: &mut Arena) -> Result<Pair, VirtioError> {
        Ok(Pair { receive: self.receive(2 * pair, arena)?, transmit: self.transmit(2 * pair + 1, arena)? })
    }

    /// Makes the control queue of what is left of the memory, and enables it. Nobody waits for its interrupts.
    pub fn control(&mut self, number: u16, arena: &mut Arena) -> Result<ControlQueue, VirtioError> {
        let order: Vec<u16> = (0..CONTROL_SIZE).collect();
        let queue = self.queue(number, &order, arena)?;
        let mut control = ControlQueue::new(queue, &self.settings.command, arena, self.memory)?;
        control.notify = self.function.enable(control.queue(), self.memory, false)?;
        Ok(control)
    }

    /// Resets a virtqueue, and makes it anew.
    pub fn reset(&mut self, queue: u16, pair: &mut Pair) -> Result<(), VirtioError> {
        self.function.reset_queue(queue)?;
        if queue.is_multiple_of(2) {
            pair.receive = self.receive(queue, &mut pair.receive.share.clone())?;
            self.notify(&pair.receive)
        } else {
            pair.transmit = self.transmit(queue, &mut pair.transmit.share.clone())?;
            Ok(())
        }
    }

    /// Shows the function the buffers of a receiveq that is new.
    pub fn notify(&mut self, receive: &Enabled<ReceiveQueue>) -> Result<(), VirtioError> {
        self.function.notify(receive.notify, Notified::of(receive.queue.queue()))
    }

    fn receive(&mut self, number: u16, arena: &mut Arena) -> Result<Enabled<ReceiveQueue>, VirtioError> {
        let share = arena.clone();
        let queue = self.data_queue(number, arena)?;
        let merge = has(self.features, Feature::MergeableBuffers);
        let queue = ReceiveQueue::new(queue, self.settings, merge, self.prefix, arena, self.memory)?;
        let notify = self.function.enable(queue.queue(), self.memory, self.settings.interrupts)?;
        Ok(Enabled { queue, notify, share })
    }

    fn transmit(&mut self, number: u16, arena: &mut Arena) -> Result<Enabled<TransmitQueue>, VirtioError> {
        let share = arena.clone();
        let queue = self.data_queue(number, arena)?;
        let queue = TransmitQueue::new(queue, self.settings, arena, self.memory)?;
        let notify = self.function.enable(queue.queue(), self.memory, self.settings.interrupts)?;
        Ok(Enabled { queue, notify, share })
    }

    fn data_queue(&mut self, number: u16, arena: &mut Arena) -> Result<Virtqueue, VirtioError> {
        let settings = self.settings;
        let ascending: Vec<u16> = (0..settings.queue_size).collect();
        let order = &settings.descriptor_order;
        self.queue(number, if order.is_empty() { &ascending } else { order }, arena)
    }

    /// A virtqueue with as many descriptors as are in `order`.
    fn queue(&mut self, number: u16, order: &[u16], arena: &mut Arena) -> Result<Virtqueue, VirtioError> {
        self.function.set_size(number, order.len() as u16)?;
        Virtqueue::make(arena, number, order, self.features, self.memory)
    }
}
