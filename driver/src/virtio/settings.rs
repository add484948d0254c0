// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a driver asks for, and how it lays out its buffers.

use super::arena::Arena;
use super::chains::Piece;
use super::error::VirtioError;
use super::features::NEED_CONTROL;
use super::indirect::Tables;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::control::{CHAIN, COMMAND_BYTES};
use millrace_regs::host::{ECPF_HEADER, Feature, MAX_QUEUE_SIZE, NET_HEADER};

/// Descriptors of a control queue: as many as a command takes at most.
pub(super) const CONTROL_SIZE: u16 = CHAIN as u16;
/// Pieces of a command that can be asked for: beside them are one for what is left, and one for the answer.
const COMMAND_CUTS: usize = CHAIN - 2;

/// Features that are taken whatever the settings.
const ALWAYS: u64 = Feature::bits(&[
    Feature::Mtu,
    Feature::Mac,
    Feature::Status,
    Feature::Version1,
    Feature::AccessPlatform,
    Feature::OrderPlatform,
    Feature::RingReset,
]);

/// The offloads of frames out, by their bits.
pub const OFFLOADS: u64 =
    Feature::bits(&[Feature::Csum, Feature::HostTso4, Feature::HostTso6, Feature::HostEcn, Feature::HostUso]);

/// A piece of a buffer: one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes left out before it, from the end of the piece before or from the start of the buffer.
    pub gap: usize,
    /// Bytes.
    pub len: u32,
}

/// How queues and buffers of a function are set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Pairs of virtqueues to use, from pair 0 on. The function may have more. Several of a PF or VF take a control queue: [`start`](super::VirtioNet::start) has frames spread over them, as the
    /// function likes.
    pub pairs: u16,
    /// Takes VIRTIO_NET_F_CTRL_VQ if it is offered, and with it CTRL_RX, CTRL_VLAN, CTRL_MAC_ADDR, MQ and RSS.
    pub control: bool,
    /// Descriptors of each virtqueue: a power of two, or any number if it is packed.
    pub queue_size: u16,
    /// Order in which the descriptors of each virtqueue (of a packed one: its Buffer IDs) are first taken; empty: ascending.
    pub descriptor_order: Vec<u16>,
    /// Takes VIRTIO_NET_F_MRG_RXBUF if it is offered.
    pub merge: bool,
    /// Takes VIRTIO_F_RING_PACKED if it is offered.
    pub packed: bool,
    /// Takes VIRTIO_F_INDIRECT_DESC if it is offered: buffers of 2 to 8 pieces take one descriptor of a virtqueue.
    pub indirect: bool,
    /// Takes VIRTIO_F_EVENT_IDX if it is offered: fewer notifications, and an interrupt only for what a queue that was found empty waits for.
    pub event_idx: bool,
    /// Takes VIRTIO_F_IN_ORDER if it is offered, and descriptors are taken in ascending order (virtio 2.7.5.1).
    pub in_order: bool,
    /// Takes VIRTIO_F_NOTIFICATION_DATA if it is offered.
    pub notification_data: bool,
    /// Takes the offloads of frames out that are offered: those of [`send_asking`](super::VirtioNet::send_asking).
    pub offloads: bool,
    /// Asks for interrupts: vector 0 for the configuration, 1 + q for virtqueue q. Without, there are none. The MSI-X table, and whether MSI-X is enabled, is left to
    /// the host (VFIO, or the kernel).
    pub interrupts: bool,
    /// The chains of a receiveq, by their pieces. They are dealt in turn until no descriptors are left.
    pub receive: Vec<Vec<Cut>>,
    /// Bytes of a transmit buffer: with the headers of a frame, and with gaps if there are any.
    pub transmit_bytes: usize,
    /// Transmit buffers of each transmitq.
    pub transmit_buffers: u16,
    /// The pieces that a command of the control queue fills, six at most; what is left of it goes into one behind them. Empty: all of it.
    pub command: Vec<Cut>,
}

impl Default for Settings {
    /// One pair, buffers of one piece that hold the longest frame of any build, and all features.
    fn default() -> Self {
        let bytes = NET_HEADER + ECPF_HEADER + MAX_FRAME;
        Self {
            pairs: 1,
            control: true,
            queue_size: MAX_QUEUE_SIZE,
            descriptor_order: vec![],
            merge: true,
            packed: true,
            indirect: true,
            event_idx: true,
            in_order: true,
            notification_data: true,
            offloads: false,
            interrupts: false,
            receive: vec![vec![Cut { gap: 0, len: bytes as u32 }]],
            transmit_bytes: bytes,
            transmit_buffers: MAX_QUEUE_SIZE,
            command: vec![],
        }
    }
}

impl Settings {
    /// For the ECPF of a device with so many vports: a pair for each, and receive buffers of 2,048 bytes, of which a longer frame takes several.
    pub fn representors(vports: u16) -> Self {
        Self { pairs: vports, receive: vec![vec![Cut { gap: 0, len: 2048 }]], ..Self::default() }
    }

    /// The features that the driver takes if they are offered, by their bits. A function may offer others: they are left alone.
    pub fn features(&self) -> u64 {
        let chosen = [
            (self.control, Feature::CtrlVq.bit() | NEED_CONTROL),
            (self.merge, Feature::MergeableBuffers.bit()),
            (self.packed, Feature::RingPacked.bit()),
            (self.indirect, Feature::IndirectDesc.bit()),
            (self.event_idx, Feature::EventIdx.bit()),
            (self.in_order && self.descriptor_order.is_empty(), Feature::InOrder.bit()),
            (self.notification_data, Feature::NotificationData.bit()),
            (self.offloads, OFFLOADS),
        ];
        chosen.into_iter().filter(|(wanted, _)| *wanted).fold(ALWAYS, |all, (_, features)| all | features)
    }

    /// Refuses what no function can be set up with.
    pub(super) fn check(&self) -> Result<(), VirtioError> {
        self.check_size(self.packed)?;
        let mut order = self.descriptor_order.clone();
        order.sort_unstable();
        let has_empty = |cuts: &[Cut]| cuts.iter().any(|cut| cut.len == 0);
        let empty = |chain: &Vec<Cut>| chain.is_empty() || has_empty(chain);
        let problem = if self.pairs == 0 {
            "no pairs of virtqueues"
        } else if !order.is_empty() && !order.into_iter().eq(0..self.queue_size) {
            "the order of the descriptors does not have each of them once"
        } else if self.receive.is_empty() || self.receive.iter().any(empty) {
            "no receive buffers, or empty ones"
        } else if self.receive.iter().any(|chain| chain.len() > self.queue_size.into()) {
            "a receive buffer of more pieces than the virtqueue has descriptors"
        } else if self.merge && self.receive.iter().any(|chain| room(chain) < NET_HEADER as u64) {
            "receive buffers that do not hold the header"
        } else if self.command.len() > COMMAND_CUTS || has_empty(&self.command) {
            "a command of more pieces than a control queue takes, or of empty ones"
        } else {
            return Ok(());
        };
        Err(VirtioError::Settings(problem))
    }

    /// Refuses a size that virtqueues cannot have (virtio 2.7, 2.8.10.1).
    pub(super) fn check_size(&self, packed: bool) -> Result<(), VirtioError> {
        let problem = if self.queue_size == 0 {
            "virtqueues without descriptors"
        } else if !packed && !self.queue_size.is_power_of_two() {
            "the size of the virtqueues is not a power of two"
        } else {
            return Ok(());
        };
        Err(VirtioError::Settings(problem))
    }

    /// Bytes of the longest frame that a PF's or VF's transmit buffer holds, sent in one piece.
    pub fn longest_frame(&self) -> usize {
        self.transmit_bytes.saturating_sub(NET_HEADER)
    }

    /// Bytes of memory that are enough for all queues and buffers.
    pub fn memory_bytes(&self) -> usize {
        let chain = self.receive.iter().map(|cuts| extent(cuts)).max().unwrap_or(0);
        let receive = self.ring_bytes(self.queue_size) + usize::from(self.queue_size) * chain;
        let transmit = self.ring_bytes(self.queue_size) + usize::from(self.transmit_buffers) * self.transmit_bytes;
        let control = if self.control { self.ring_bytes(CONTROL_SIZE) + control_room(&self.command) } else { 0 };
        usize::from(self.pairs) * (receive + transmit) + control
    }

    /// Bytes for descriptors, and the two rings with what aligns them (virtio 2.7).
    fn ring_bytes(&self, size: u16) -> usize {
        let tables = if self.indirect { Tables::bytes(size) } else { 0 };
        let size = usize::from(size);
        16 * size + (6 + 2 * size) + (6 + 8 * size) + 32 + tables
    }

    /// Bytes of the smallest chain of a receiveq.
    pub(super) fn receive_room(&self) -> u64 {
        self.receive.iter().map(|chain| room(chain)).min().unwrap_or(0)
    }
}

/// Bytes for a command in these pieces, without its answer.
pub(super) fn command_room(cuts: &[Cut]) -> usize {
    COMMAND_BYTES + cuts.iter().map(|cut| cut.gap).sum::<usize>()
}

/// Bytes for a command in these pieces, and its answer.
pub(super) fn control_room(cuts: &[Cut]) -> usize {
    command_room(cuts) + 1
}

/// Bytes that the pieces hold.
pub(super) fn room(cuts: &[Cut]) -> u64 {
    cuts.iter().map(|cut| u64::from(cut.len)).sum()
}

/// Bytes from the start of a buffer to the end of its last piece.
pub(super) fn extent(cuts: &[Cut]) -> usize {
    cuts.iter().map(|cut| cut.gap + cut.len as usize).sum()
}

/// The pieces of the buffer at `offset`.
pub(super) fn pieces(offset: usize, cuts: &[Cut], writable: bool) -> Vec<Piece> {
    let mut end = offset;
    let piece = |cut: &Cut| {
        let offset = end + cut.gap;
        end = offset + cut.len as usize;
        Piece { offset, len: cut.len, writable }
    };
    cuts.iter().map(piece).collect()
}

/// Room for a buffer with these pieces. Buffers follow one another without a gap.
pub(super) fn take(arena: &mut Arena, cuts: &[Cut], writable: bool) -> Result<Vec<Piece>, VirtioError> {
    Ok(pieces(arena.take(extent(cuts), 1)?, cuts, writable))
}
