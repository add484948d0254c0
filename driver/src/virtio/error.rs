// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can go wrong between driver and function.

use crate::BoxError;
use millrace_regs::host::{FAULT, FaultReason};
use std::fmt;

/// Why a function stopped one of its virtqueues, as its `FAULT` says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the reason.
    pub reason: u8,
    /// Virtqueue of the function.
    pub virtqueue: u16,
}

impl Fault {
    /// From the register's value.
    pub fn from_word(word: u32) -> Self {
        let field = |name| FAULT.field(name).expect("a field of the register").get(word);
        Self { reason: field("reason") as u8, virtqueue: field("virtqueue") as u16 }
    }

    /// The reason, if it is one of the contract's.
    pub fn reason(&self) -> Option<FaultReason> {
        FaultReason::from_number(self.reason.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "fault `{}` of virtqueue {}", reason.name(), self.virtqueue),
            None => write!(f, "fault number {} of virtqueue {}", self.reason, self.virtqueue),
        }
    }
}

/// What the driver found wrong with a function, its settings or the way to it. Virtqueues are given by their numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VirtioError {
    /// An access to the BAR failed.
    // The backend's error is part of the text, not a source: whoever prints a chain prints it once.
    #[error("the function's {access} at {offset:#07x} of its BAR failed: {error}")]
    Transport {
        /// "read" or "write".
        access: &'static str,
        /// Byte offset in the BAR.
        offset: u32,
        /// The backend's error.
        error: BoxError,
    },
    /// A feature that the driver cannot do without is not offered.
    #[error("the function does not offer {name} (its features are {offered:#x}): this driver needs it")]
    NotOffered {
        /// Its name in virtio.
        name: &'static str,
        /// All that is offered.
        offered: u64,
    },
    /// FEATURES_OK did not stay set.
    #[error("the function refused features {features:#x}: FEATURES_OK reads 0 after it was set")]
    FeaturesRefused {
        /// What the driver took.
        features: u64,
    },
    /// `num_queues` is not what the driver can use.
    #[error("the function has {count} virtqueues: there have to be {needs} or more")]
    QueueCount {
        /// What it has.
        count: u16,
        /// What it has to have for its pairs and its control queue.
        needs: u16,
    },
    /// The function has fewer pairs of virtqueues, or did not agree on several.
    #[error("pairs of virtqueues that the function has: {pairs}; that are to be used: {needs}")]
    PairCount {
        /// What it has.
        pairs: u16,
        /// What the settings demand.
        needs: u16,
    },
    /// A command of the control queue was answered with an error.
    #[error("the function refused {command} on its control queue")]
    Refused {
        /// Its name in virtio.
        command: &'static str,
    },
    /// A command of the control queue was not answered in time, or one before it.
    #[error("the function did not answer on its control queue: {command} was given up")]
    NoAnswer {
        /// Its name in virtio.
        command: &'static str,
    },
    /// A command of the control queue was answered with something that is no answer.
    #[error("the function answered {command} on its control queue with {ack:#04x}")]
    Ack {
        /// Its name in virtio.
        command: &'static str,
        /// What was answered.
        ack: u8,
    },
    /// A command of the control queue is longer than the function takes.
    #[error("{command} has {bytes} bytes: that is more than a control queue takes")]
    CommandTooLong {
        /// Its name in virtio.
        command: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// A virtqueue did not take its size, or has none that the driver can use.
    #[error("virtqueue {queue} does not take size {size}: `queue_size` reads {reads}")]
    QueueSize {
        /// Its number.
        queue: u16,
        /// Size that was wanted.
        size: u16,
        /// What the register reads.
        reads: u16,
    },
    /// A field of a virtqueue does not read what was written.
    #[error("virtqueue {queue} did not take its `{field}`: {written:#x} was written, {reads:#x} is read")]
    QueueField {
        /// Its number.
        queue: u16,
        /// Name of the field in virtio.
        field: &'static str,
        /// What was written.
        written: u64,
        /// What the register reads.
        reads: u64,
    },
    /// The function does not answer.
    #[error("the function does not answer: all bits of its registers read as 1")]
    Gone,
    /// A reset did not end.
    #[error("the function's reset did not end: `device_status` stays {status:#04x}")]
    ResetStuck {
        /// What the register reads.
        status: u8,
    },
    /// A reset of a virtqueue did not end.
    #[error("the reset of virtqueue {queue} did not end: `queue_reset` stays 1")]
    QueueResetStuck {
        /// Its number.
        queue: u16,
    },
    /// What was asked for takes a feature that was not agreed on.
    #[error("{name} was not agreed on with the function")]
    NotAgreed {
        /// Its name in virtio.
        name: &'static str,
    },
    /// The device configuration changed whenever it was read.
    #[error("the function's configuration cannot be read: it changes all the time")]
    Restless,
    /// The function stopped a virtqueue, and needs a reset.
    #[error("the function needs a reset: {0}")]
    NeedsReset(Fault),
    /// `used.idx` is further ahead than there are chains that the function has.
    #[error("virtqueue {queue}: `used.idx` is {index}, {ahead} ahead, but the function has {outstanding} chains")]
    UsedIndex {
        /// Number of the virtqueue.
        queue: u16,
        /// What it is.
        index: u16,
        /// By how much it is ahead of what the driver took.
        ahead: u16,
        /// Chains that the function has.
        outstanding: u16,
    },
    /// A used entry names no chain that the function has.
    #[error("virtqueue {queue}: used entry {entry} has id {id}, which is no chain that the function has")]
    UsedId {
        /// Number of the virtqueue.
        queue: u16,
        /// Index of the entry, as `used.idx` counts; in a packed virtqueue its place in the ring.
        entry: u16,
        /// What it holds.
        id: u32,
    },
    /// A used entry says that more was written than there was room.
    #[error("virtqueue {queue}: used entry {entry} (id {id}) says that {len} bytes were written to a chain of {room}")]
    UsedLength {
        /// Number of the virtqueue.
        queue: u16,
        /// Index of the entry, as `used.idx` counts; in a packed virtqueue its place in the ring.
        entry: u16,
        /// The chain.
        id: u16,
        /// What it holds.
        len: u32,
        /// Bytes of the chain that the function may write.
        room: u64,
    },
    /// What lies in front of a received frame is not as the contract says.
    #[error("virtqueue {queue}: the header of a received frame is wrong: {problem} ({bytes:02x?})")]
    Header {
        /// Number of the virtqueue.
        queue: u16,
        /// What is wrong.
        problem: &'static str,
        /// The bytes in front of the frame.
        bytes: Vec<u8>,
    },
    /// A received frame does not have the chains that its header says.
    #[error("virtqueue {queue}: chain {chain} of a frame of {chains}: {problem}")]
    Merge {
        /// Number of the virtqueue.
        queue: u16,
        /// Which of the frame's chains, from 0.
        chain: u16,
        /// `num_buffers`.
        chains: u16,
        /// What is wrong.
        problem: &'static str,
    },
    /// The settings cannot be had.
    #[error("the settings cannot be used: {0}")]
    Settings(&'static str),
    /// Receive buffers are smaller than the function's frames.
    #[error("receive buffers of {room} bytes do not hold the function's MTU of {mtu} with its headers ({needs} bytes)")]
    BufferTooSmall {
        /// Bytes of the smallest chain.
        room: u64,
        /// `mtu` of the device configuration.
        mtu: u16,
        /// Bytes that are needed.
        needs: u64,
    },
    /// The memory does not hold queues and buffers.
    #[error("the memory given is too small: {needs} bytes are needed where {left} are left")]
    Memory {
        /// Bytes of what does not fit.
        needs: usize,
        /// Bytes left for it.
        left: usize,
    },
    /// A frame does not fit into a transmit buffer.
    #[error("a frame that takes {needs} bytes with its headers does not fit into transmit buffers of {room}")]
    FrameTooLong {
        /// Bytes with headers, and with gaps between pieces.
        needs: usize,
        /// Bytes of a buffer.
        room: usize,
    },
    /// A buffer that the caller does not have.
    #[error("buffer {0} is not the caller's: it was not handed out, or was sent or given back since")]
    NotHandedOut(u32),
    /// A frame that does not lie in its buffer.
    #[error("a frame of {len} bytes at {start} does not lie in its buffer: it has {} to {end}", .front)]
    OutsideBuffer {
        /// Offset of the frame in the buffer.
        start: u32,
        /// Its bytes.
        len: u32,
        /// First byte that may be the frame's: before it lie the headers.
        front: usize,
        /// Where the buffer ends.
        end: usize,
    },
    /// There is no such pair of virtqueues.
    #[error("there is no pair {pair} of virtqueues: {pairs} are in use")]
    NoPair {
        /// What was asked for.
        pair: u16,
        /// Pairs in use.
        pairs: u16,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_is_told_by_the_name_of_its_reason() {
        let fault = Fault::from_word(0x0003_000a);
        assert_eq!(fault, Fault { reason: FaultReason::Window as u8, virtqueue: 3 });
        assert_eq!(
            VirtioError::NeedsReset(fault).to_string(),
            "the function needs a reset: fault `window` of virtqueue 3"
        );
        assert_eq!(Fault::from_word(0x0001_00ff).to_string(), "fault number 255 of virtqueue 1");
    }
}
