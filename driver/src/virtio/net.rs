// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of a virtio-net function.

use super::arena::Arena;
use super::control::ControlQueue;
use super::features::has;
use super::function::{Function, Notified};
use super::pair::{Maker, Pair};
use super::{Cut, DmaMemory, Isr, NetConfig, Settings, VirtioError, VirtioPci, Virtqueue};
use crate::Sent;
use millrace_regs::host::{Feature, NET_HEADER, isr, status};

/// Bytes of an Ethernet header with a VLAN tag, in front of what `mtu` counts.
const ETHERNET: u64 = 18;

/// The header that asks for nothing: all of its fields are 0, `num_buffers` too (virtio 5.1.6.2.1).
const PLAIN: [u8; NET_HEADER] = [0; NET_HEADER];

/// A virtio-net function that is in use. It goes on using its memory until it is [stopped](Self::stop), even if this is dropped.
pub struct VirtioNet<T, M> {
    pub(super) function: Function<T>,
    pub(super) memory: M,
    pub(super) settings: Settings,
    /// Bytes between header and frame: 0 but for the ECPF.
    prefix: usize,
    pub(super) features: u64,
    pairs: Vec<Pair>,
    pub(super) control: Option<ControlQueue>,
}

impl<T: VirtioPci, M: DmaMemory> VirtioNet<T, M> {
    /// Brings a PF or VF up (virtio 3.1.1); its queues and buffers lie in `memory`, which nothing else uses.
    ///
    /// # Errors
    /// If the function is not one that this driver can use, if settings or memory are unfit, or if the function cannot be reached. It is told
    /// that its driver has failed.
    pub fn start(transport: T, memory: M, settings: Settings) -> Result<Self, VirtioError> {
        Self::start_with(transport, memory, settings, 0)
    }

    /// As [`start`](Self::start), of a function that has `prefix` bytes between header and frame.
    pub(super) fn start_with(transport: T, memory: M, settings: Settings, prefix: usize) -> Result<Self, VirtioError> {
        settings.check()?;
        let function = Function::new(transport);
        let mut net = Self { function, memory, settings, prefix, features: 0, pairs: vec![], control: None };
        net.restart()?;
        Ok(net)
    }

    /// Resets the function, and brings it up again as it was. Frames that were under way are lost.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<(), VirtioError> {
        self.forget();
        let result = self.bring_up();
        if result.is_err() {
            self.forget();
            // The first error counts: this one is of an access that may fail as others did.
            self.function.fail().ok();
        }
        result
    }

    /// A reset takes the queues from the function.
    fn forget(&mut self) {
        self.pairs.clear();
        self.control = None;
    }

    /// Resets a virtqueue alone, and makes it anew (virtio 2.6.1), while the others go on. Frames that were under way in it are lost: of a receiveq those that were not
    /// [received](Self::receive), of a transmitq those that the function has not read. If a fault stopped the queue, it goes on; that the function needs a reset stays told.
    ///
    /// # Errors
    /// If VIRTIO_F_RING_RESET was not agreed on, or there is no such virtqueue. Others as [`start`](Self::start): only a [`restart`](Self::restart) helps after them.
    pub fn reset_queue(&mut self, queue: u16) -> Result<(), VirtioError> {
        if !has(self.features, Feature::RingReset) {
            return Err(VirtioError::NotAgreed { name: Feature::RingReset.name() });
        }
        let pair = queue / 2;
        self.pair(pair)?;
        let (mut maker, pairs) = self.maker();
        maker.reset(queue, &mut pairs[usize::from(pair)])
    }

    /// Resets the function: when it has ended, the function does not touch the memory any more.
    ///
    /// # Errors
    /// If the function cannot be reached, or its reset does not end: then its memory must not be used for anything else.
    pub fn stop(mut self) -> Result<(T, M), VirtioError> {
        self.function.reset()?;
        Ok((self.function.transport, self.memory))
    }

    /// The features that were agreed on, by their bits.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// The way to the function.
    pub fn transport(&mut self) -> &mut T {
        &mut self.function.transport
    }

    /// The memory of queues and buffers.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The virtqueues of a pair, receiveq first.
    ///
    /// # Errors
    /// If there is no such pair.
    pub fn queues(&self, pair: u16) -> Result<[&Virtqueue; 2], VirtioError> {
        let pairs = self.pairs.len() as u16;
        let found = self.pairs.get(usize::from(pair)).ok_or(VirtioError::NoPair { pair, pairs })?;
        Ok([found.receive.queue.queue(), found.transmit.queue.queue()])
    }

    /// The control queue, if there is one.
    pub fn control_queue(&self) -> Option<&Virtqueue> {
        self.control.as_ref().map(ControlQueue::queue)
    }

    /// Reads the device configuration.
    ///
    /// # Errors
    /// If the function cannot be reached, or changes it all the time.
    pub fn config(&mut self) -> Result<NetConfig, VirtioError> {
        self.function.config(self.features)
    }

    /// Reads the ISR status, which clears it.
    ///
    /// # Errors
    /// If the function cannot be reached.
    pub fn isr(&mut self) -> Result<Isr, VirtioError> {
        let bits = self.function.isr()?;
        Ok(Isr { queue: bits & isr::QUEUE != 0, configuration: bits & isr::CONFIGURATION != 0 })
    }

    /// Asks the function whether it is well. To be called now and then: queues that it stopped look idle.
    ///
    /// # Errors
    /// [`VirtioError::NeedsReset`] if it stopped a virtqueue: what is wrong is in the error, and [`restart`](Self::restart) helps. Others if it
    /// cannot be reached.
    pub fn check(&mut self) -> Result<(), VirtioError> {
        if self.function.status()? & status::DEVICE_NEEDS_RESET == 0 {
            return Ok(());
        }
        Err(VirtioError::NeedsReset(self.function.fault()?))
    }

    /// Sends frames on a pair, in this order, until there is no room: the number of those that were accepted.
    ///
    /// # Errors
    /// If a frame is longer than the transmit buffers (those before it are sent), if there is no such pair, if the function did what it must
    /// not, or if it cannot be reached.
    pub fn send<'a>(&mut self, pair: u16, frames: impl IntoIterator<Item = &'a [u8]>) -> Result<usize, VirtioError> {
        let (accepted, added) = self.add_all(pair, frames);
        self.show(pair)?;
        added?;
        Ok(accepted)
    }

    /// Sends a frame whose chain is cut as `cuts` say; the last piece is what they leave, if anything.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_cut(&mut self, pair: u16, frame: &[u8], cuts: &[Cut]) -> Result<Sent, VirtioError> {
        self.send_asking(pair, &PLAIN, frame, cuts)
    }

    /// As [`send_cut`](Self::send_cut), with a `struct virtio_net_hdr` (virtio 5.1.6), which may ask for a checksum or for segments.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_asking(
        &mut self,
        pair: u16,
        header: &[u8; NET_HEADER],
        frame: &[u8],
        cuts: &[Cut],
    ) -> Result<Sent, VirtioError> {
        let sent = self.add_asking(pair, header, frame, cuts)?;
        self.show(pair)?;
        Ok(sent)
    }

    /// As [`send_asking`](Self::send_asking), but the function sees the frame after [`show`](Self::show) alone: for several at once.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn add_asking(
        &mut self,
        pair: u16,
        header: &[u8; NET_HEADER],
        frame: &[u8],
        cuts: &[Cut],
    ) -> Result<Sent, VirtioError> {
        let prefix = vec![0; self.prefix];
        let (queues, memory) = self.pair(pair)?;
        queues.transmit.queue.add(memory, [header, &prefix, frame], cuts)
    }

    /// Takes back the buffers of frames that the function has read: their number. [`send`](Self::send) does it when it finds no room.
    ///
    /// # Errors
    /// If there is no such pair, or the function did what it must not.
    pub fn reclaim(&mut self, pair: u16) -> Result<usize, VirtioError> {
        let (pair, memory) = self.pair(pair)?;
        pair.transmit.queue.reclaim(memory)
    }

    /// Hands over the frames that were received on a pair, in their order, at most `limit`: their number. Their buffers go back to the function.
    ///
    /// # Errors
    /// If there is no such pair, if the function did what it must not, or if it cannot be reached. After what the function did wrong only
    /// [`restart`](Self::restart) helps.
    pub fn receive(&mut self, pair: u16, limit: usize, mut frame: impl FnMut(&[u8])) -> Result<usize, VirtioError> {
        self.receive_with(pair, limit, |_, bytes| frame(bytes))
    }

    /// As [`receive`](Self::receive), with what lies in front of a frame.
    pub(super) fn receive_with(
        &mut self,
        pair: u16,
        limit: usize,
        mut frame: impl FnMut(&[u8], &[u8]),
    ) -> Result<usize, VirtioError> {
        let (queues, memory) = self.pair(pair)?;
        let mut count = 0;
        while count < limit
            && let Some(received) = queues.receive.queue.next(memory)?
        {
            frame(received.front, received.bytes);
            count += 1;
        }
        if queues.receive.queue.refill(memory) {
            let (offset, queue) = (queues.receive.notify, Notified::of(queues.receive.queue.queue()));
            self.function.notify(offset, queue)?;
        }
        Ok(count)
    }

    /// Adds a frame to a transmitq. The function sees it after [`show`](Self::show).
    pub(super) fn add(&mut self, pair: u16, prefix: &[u8], frame: &[u8], cuts: &[Cut]) -> Result<Sent, VirtioError> {
        let (pair, memory) = self.pair(pair)?;
        pair.transmit.queue.add(memory, [&PLAIN, prefix, frame], cuts)
    }

    /// Shows the function the frames that were added, and notifies it if there are any.
    ///
    /// # Errors
    /// If there is no such pair, or the function cannot be reached.
    pub fn show(&mut self, pair: u16) -> Result<(), VirtioError> {
        let (pair, memory) = self.pair(pair)?;
        if pair.transmit.queue.show(memory) {
            let (offset, queue) = (pair.transmit.notify, Notified::of(pair.transmit.queue.queue()));
            self.function.notify(offset, queue)?;
        }
        Ok(())
    }

    fn add_all<'a>(
        &mut self,
        pair: u16,
        frames: impl IntoIterator<Item = &'a [u8]>,
    ) -> (usize, Result<(), VirtioError>) {
        let prefix = vec![0; self.prefix];
        let mut accepted = 0;
        for frame in frames {
            match self.add(pair, &prefix, frame, &[]) {
                Ok(Sent::Accepted) => accepted += 1,
                Ok(Sent::Full) => break,
                Err(error) => return (accepted, Err(error)),
            }
        }
        (accepted, Ok(()))
    }

    fn pair(&mut self, pair: u16) -> Result<(&mut Pair, &M), VirtioError> {
        let pairs = self.pairs.len() as u16;
        let found = self.pairs.get_mut(usize::from(pair)).ok_or(VirtioError::NoPair { pair, pairs })?;
        Ok((found, &self.memory))
    }

    fn bring_up(&mut self) -> Result<(), VirtioError> {
        self.features = self.function.negotiate(self.settings.features())?;
        self.settings.check_size(has(self.features, Feature::RingPacked))?;
        self.check_buffers()?;
        let control = self.count_queues()?;
        self.function.set_config_vector(&self.settings)?;
        let mut arena = Arena::new(self.memory.bytes());
        for number in 0..self.settings.pairs {
            let pair = self.maker().0.pair(number, &mut arena)?;
            self.pairs.push(pair);
        }
        if let Some(number) = control {
            let control = self.maker().0.control(number, &mut arena)?;
            self.control = Some(control);
        }
        self.function.go()?;
        let (mut maker, pairs) = self.maker();
        pairs.iter().try_for_each(|pair| maker.notify(&pair.receive))?;
        let several = self.control.is_some() && self.settings.pairs > 1;
        if several { self.set_pairs(self.settings.pairs) } else { Ok(()) }
    }

    /// Makes sure that there are as many pairs as are to be used; the number of the control queue, if there is one (5.1.2).
    fn count_queues(&mut self) -> Result<Option<u16>, VirtioError> {
        let count = self.function.queues()?;
        let control = has(self.features, Feature::CtrlVq);
        // The pairs of the ECPF are there without MQ.
        let several = self.prefix != 0 || has(self.features, Feature::Mq) || has(self.features, Feature::Rss);
        let pairs = if several { self.function.config(self.features)?.max_pairs } else { 1 };
        let needs = self.settings.pairs;
        if needs > pairs {
            return Err(VirtioError::PairCount { pairs, needs });
        }
        let needs = pairs.saturating_mul(2).saturating_add(control.into());
        if count < needs {
            return Err(VirtioError::QueueCount { count, needs });
        }
        Ok(control.then_some(pairs.saturating_mul(2)))
    }

    /// What makes virtqueues, and those that there are.
    fn maker(&mut self) -> (Maker<'_, T, M>, &mut [Pair]) {
        let Self { function, memory, settings, features, prefix, pairs, .. } = self;
        (Maker { function, memory, settings, features: *features, prefix: *prefix }, pairs)
    }

    /// A driver that knows the MTU has buffers for it (5.1.4.2).
    fn check_buffers(&mut self) -> Result<(), VirtioError> {
        let merged = has(self.features, Feature::MergeableBuffers);
        let Some(mtu) = self.function.config(self.features)?.mtu.filter(|_| !merged) else { return Ok(()) };
        let needs = (NET_HEADER + self.prefix) as u64 + ETHERNET + u64::from(mtu);
        let room = self.settings.receive_room();
        if room < needs { Err(VirtioError::BufferTooSmall { room, mtu, needs }) } else { Ok(()) }
    }
}
