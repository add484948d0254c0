// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of a function whose frames are not copied: each stays in the buffer that the function wrote, which is handed out and taken back,
//! or is sent out of the buffer in which it was made. A frame that was received can be edited and sent again where it lies.
//!
//! The queues of a function share its buffers. Each queue is a value of its own, so that threads may drive several at once.

mod buffers;
mod frame;
mod receiver;
mod sender;

pub use buffers::FrameBuffers;
pub use frame::{HEADROOM, OutFrame, ReceivedFrame};
pub use receiver::FrameReceiver;
pub use sender::FrameSender;

use super::arena::Arena;
use super::features::has;
use super::function::Function;
use super::{Cut, DmaMemory, Mapping, NetConfig, Settings, VirtioError, VirtioPci, Virtqueue};
use crate::identity::Role;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{ECPF_HEADER, Feature, MAX_QUEUE_SIZE, NET_HEADER, status};
use std::sync::Arc;

/// Bytes of an Ethernet header with a VLAN tag, in front of what `mtu` counts.
const ETHERNET: u64 = 18;

/// How the queues and buffers of a function are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameSettings {
    /// Pairs of virtqueues to use, from pair 0 on.
    pub pairs: u16,
    /// Descriptors of each virtqueue: a power of two. The function has twice as many buffers as its receiveqs have descriptors.
    pub queue_size: u16,
    /// Bytes of the longest frame that a buffer holds. Longer ones are dropped by the device, and counted.
    pub frame_bytes: usize,
    /// Asks for interrupts when frames have come: vector 0 for the configuration, 1 + q for virtqueue q.
    pub interrupts: bool,
}

impl Default for FrameSettings {
    /// One pair, and buffers that hold the longest frame of any build.
    fn default() -> Self {
        Self { pairs: 1, queue_size: MAX_QUEUE_SIZE, frame_bytes: MAX_FRAME, interrupts: false }
    }
}

impl FrameSettings {
    /// Bytes of memory that are enough for all queues and buffers.
    pub fn memory_bytes(&self) -> usize {
        let queues = Settings { receive: vec![vec![]], ..self.queues(0) };
        queues.memory_bytes() + self.buffers() * buffers::stride(self.frame_bytes) + buffers::ALIGN
    }

    fn buffers(&self) -> usize {
        2 * usize::from(self.pairs) * usize::from(self.queue_size)
    }

    /// Those of the queues alone, for frames with `front` bytes before them.
    fn queues(&self, front: usize) -> Settings {
        Settings {
            pairs: self.pairs,
            queue_size: self.queue_size,
            merge: false,
            indirect: false,
            control: false,
            interrupts: self.interrupts,
            receive: vec![vec![Cut { gap: 0, len: (front + self.frame_bytes) as u32 }]],
            transmit_buffers: 0,
            ..Settings::default()
        }
    }

    fn check(&self) -> Result<(), VirtioError> {
        let problem = if self.pairs == 0 {
            "no pairs of virtqueues"
        } else if !self.queue_size.is_power_of_two() {
            "the size of the virtqueues is not a power of two"
        } else if !(1..=MAX_FRAME).contains(&self.frame_bytes) {
            "buffers for no frame, or for longer ones than any build has"
        } else {
            return Ok(());
        };
        Err(VirtioError::Settings(problem))
    }
}

/// The two queues of a pair.
pub struct FramePair<T, M> {
    /// Frames from the device.
    pub receiver: FrameReceiver<T, M>,
    /// Frames to the device.
    pub sender: FrameSender<T, M>,
}

/// A function that is in use. It goes on using its memory until it is [stopped](Self::stop), even if this is dropped.
pub struct FrameFunction<T, M> {
    function: Function<T>,
    features: u64,
    buffers: Arc<FrameBuffers<M>>,
}

impl<T: VirtioPci + Clone, M: Mapping> FrameFunction<T, M> {
    /// Brings a function up (virtio 3.1.1); its queues and buffers lie in `memory`, which nothing else uses. The pairs of its virtqueues, in their order: those
    /// of the ECPF are its representors.
    ///
    /// # Errors
    /// If the function is not one that this driver can use, if settings or memory are unfit, or if the function cannot be reached. It is told
    /// that its driver has failed.
    pub fn start(
        transport: T,
        memory: M,
        role: Role,
        settings: &FrameSettings,
    ) -> Result<(Self, Vec<FramePair<T, M>>), VirtioError> {
        settings.check()?;
        let mut function = Function::new(transport);
        let result = bring_up(&mut function, memory, role, settings);
        let (features, buffers, pairs) = result.inspect_err(|_| {
            // The first error counts: this one is of an access that may fail as others did.
            function.fail().ok();
        })?;
        Ok((Self { function, features, buffers }, pairs))
    }

    /// Resets the function: when it has ended, the function does not touch the memory any more.
    ///
    /// # Errors
    /// If the function cannot be reached, or its reset does not end: then its memory must not be used for anything else.
    pub fn stop(&mut self) -> Result<(), VirtioError> {
        self.function.reset()
    }

    /// Its buffers.
    pub fn buffers(&self) -> &Arc<FrameBuffers<M>> {
        &self.buffers
    }

    /// The way to the function.
    pub fn transport(&mut self) -> &mut T {
        &mut self.function.transport
    }

    /// Reads the device configuration.
    ///
    /// # Errors
    /// If the function cannot be reached, or changes it all the time.
    pub fn config(&mut self) -> Result<NetConfig, VirtioError> {
        self.function.config(self.features)
    }

    /// As [`VirtioNet::check`](super::VirtioNet::check).
    ///
    /// # Errors
    /// As there; a function that needs a reset is of no more use through this.
    pub fn check(&mut self) -> Result<(), VirtioError> {
        if self.function.status()? & status::DEVICE_NEEDS_RESET == 0 {
            return Ok(());
        }
        Err(VirtioError::NeedsReset(self.function.fault()?))
    }
}

/// Features, buffers and pairs of a function that is up.
type Up<T, M> = (u64, Arc<FrameBuffers<M>>, Vec<FramePair<T, M>>);

fn bring_up<T: VirtioPci + Clone, M: Mapping>(
    function: &mut Function<T>,
    memory: M,
    role: Role,
    settings: &FrameSettings,
) -> Result<Up<T, M>, VirtioError> {
    let front = NET_HEADER + if role == Role::Ecpf { ECPF_HEADER } else { 0 };
    let queues = settings.queues(front);
    let features = function.negotiate(queues.features())?;
    check_buffers(function, features, &queues)?;
    check_pairs(function, role, settings.pairs)?;
    function.set_config_vector(&queues)?;
    let mut arena = Arena::new(memory.bytes());
    let made =
        (0..2 * settings.pairs).map(|number| make_queue(function, number, &mut arena, &queues, features, &memory));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let buffers = Arc::new(FrameBuffers::new(memory, &mut arena, settings.buffers(), settings.frame_bytes, front)?);
    let mut pairs = vec![];
    let mut made = made.into_iter();
    while let (Some((receive, to_receive)), Some((transmit, to_transmit))) = (made.next(), made.next()) {
        let mut receiver =
            FrameReceiver::new(function.clone(), receive, to_receive, buffers.clone(), settings.interrupts);
        receiver.fill();
        let sender = FrameSender::new(function.clone(), transmit, to_transmit, buffers.clone());
        pairs.push(FramePair { receiver, sender });
    }
    function.go()?;
    for pair in &mut pairs {
        pair.receiver.notify()?;
    }
    Ok((features, buffers, pairs))
}

/// A PF or VF has one pair until its driver has agreed on more; the ECPF has all of its pairs.
fn check_pairs<T: VirtioPci>(function: &mut Function<T>, role: Role, needs: u16) -> Result<(), VirtioError> {
    if role != Role::Ecpf && needs > 1 {
        return Err(VirtioError::PairCount { pairs: 1, needs });
    }
    let (count, needs) = (function.queues()?, needs.saturating_mul(2));
    if count < needs { Err(VirtioError::QueueCount { count, needs }) } else { Ok(()) }
}

/// A driver that knows the MTU has buffers for it (virtio 5.1.4.2).
fn check_buffers<T: VirtioPci>(
    function: &mut Function<T>,
    features: u64,
    queues: &Settings,
) -> Result<(), VirtioError> {
    let Some(mtu) = function.config(features)?.mtu else { return Ok(()) };
    let (room, needs) = (queues.receive_room(), NET_HEADER as u64 + ETHERNET + u64::from(mtu));
    if room < needs { Err(VirtioError::BufferTooSmall { room, mtu, needs }) } else { Ok(()) }
}

/// A virtqueue that the function has, and where it is notified.
fn make_queue<T: VirtioPci>(
    function: &mut Function<T>,
    number: u16,
    arena: &mut Arena,
    settings: &Settings,
    features: u64,
    memory: &impl DmaMemory,
) -> Result<(Virtqueue, u32), VirtioError> {
    function.set_size(number, settings.queue_size)?;
    let ascending: Vec<u16> = (0..settings.queue_size).collect();
    debug_assert!(!has(features, Feature::MergeableBuffers), "a frame has one buffer");
    let queue = Virtqueue::make(arena, number, &ascending, features, memory)?;
    let notify = function.enable(&queue, memory, settings.interrupts)?;
    Ok((queue, notify))
}
