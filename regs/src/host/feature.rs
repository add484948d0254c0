// SPDX-License-Identifier: MIT OR Apache-2.0
//! Features of functions.

use super::ECPF;
use crate::verdict::outcomes;

outcomes! {
    /// Features by their bits (5.1.3 and 6).
    pub enum Feature {
        /// The device completes checksums of frames out.
        Csum = 0, "VIRTIO_NET_F_CSUM";
        /// The driver takes frames whose checksum the device has looked at, or that have none yet.
        GuestCsum = 1, "VIRTIO_NET_F_GUEST_CSUM";
        /// `mtu` of the device configuration is valid.
        Mtu = 3, "VIRTIO_NET_F_MTU";
        /// `mac` of the device configuration is valid.
        Mac = 5, "VIRTIO_NET_F_MAC";
        /// The device cuts segments of TCP over IPv4.
        HostTso4 = 11, "VIRTIO_NET_F_HOST_TSO4";
        /// The same over IPv6.
        HostTso6 = 12, "VIRTIO_NET_F_HOST_TSO6";
        /// The same of segments with ECN.
        HostEcn = 13, "VIRTIO_NET_F_HOST_ECN";
        /// A frame may take several receive buffers.
        MergeableBuffers = 15, "VIRTIO_NET_F_MRG_RXBUF";
        /// `status` of the device configuration is valid.
        Status = 16, "VIRTIO_NET_F_STATUS";
        /// There is a control queue.
        CtrlVq = 17, "VIRTIO_NET_F_CTRL_VQ";
        /// It takes receive modes and tables of addresses.
        CtrlRx = 18, "VIRTIO_NET_F_CTRL_RX";
        /// It takes VLANs.
        CtrlVlan = 19, "VIRTIO_NET_F_CTRL_VLAN";
        /// There are several pairs of virtqueues.
        Mq = 22, "VIRTIO_NET_F_MQ";
        /// The control queue takes the driver's address.
        CtrlMacAddr = 23, "VIRTIO_NET_F_CTRL_MAC_ADDR";
        /// A descriptor may stand for a table of descriptors.
        IndirectDesc = 28, "VIRTIO_F_INDIRECT_DESC";
        /// Both sides say from which buffer on they want to be told.
        EventIdx = 29, "VIRTIO_F_EVENT_IDX";
        /// Not a legacy device.
        Version1 = 32, "VIRTIO_F_VERSION_1";
        /// Addresses are those of the bus, behind an IOMMU if there is one.
        AccessPlatform = 33, "VIRTIO_F_ACCESS_PLATFORM";
        /// Virtqueues are packed.
        RingPacked = 34, "VIRTIO_F_RING_PACKED";
        /// Buffers are used in the order in which they were made available.
        InOrder = 35, "VIRTIO_F_IN_ORDER";
        /// Barriers are those of the platform.
        OrderPlatform = 36, "VIRTIO_F_ORDER_PLATFORM";
        /// Notifications say how far the ring is.
        NotificationData = 38, "VIRTIO_F_NOTIFICATION_DATA";
        /// A virtqueue can be reset alone.
        RingReset = 40, "VIRTIO_F_RING_RESET";
        /// The device cuts datagrams of UDP.
        HostUso = 56, "VIRTIO_NET_F_HOST_USO";
        /// The driver says which receiveq a frame goes to.
        Rss = 60, "VIRTIO_NET_F_RSS";
    }
}

impl Feature {
    /// Its bit among the 64.
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// All that a PF or VF offers under a mask of ones.
    pub const OFFERED: u64 = Self::bits(&[
        Self::Csum,
        Self::GuestCsum,
        Self::Mtu,
        Self::Mac,
        Self::HostTso4,
        Self::HostTso6,
        Self::HostEcn,
        Self::MergeableBuffers,
        Self::Status,
        Self::CtrlVq,
        Self::CtrlRx,
        Self::CtrlVlan,
        Self::Mq,
        Self::CtrlMacAddr,
        Self::IndirectDesc,
        Self::EventIdx,
        Self::Version1,
        Self::AccessPlatform,
        Self::RingPacked,
        Self::InOrder,
        Self::OrderPlatform,
        Self::NotificationData,
        Self::RingReset,
        Self::HostUso,
        Self::Rss,
    ]);

    /// What of it the ECPF does not offer.
    pub const NOT_OF_ECPF: u64 =
        Self::bits(&[Self::CtrlVq, Self::CtrlRx, Self::CtrlVlan, Self::Mq, Self::CtrlMacAddr, Self::Rss]);

    /// What a function offers under a mask of ones.
    pub const fn offered_by(function: usize) -> u64 {
        if function == ECPF { Self::OFFERED & !Self::NOT_OF_ECPF } else { Self::OFFERED }
    }

    /// The bits of several.
    pub const fn bits(features: &[Feature]) -> u64 {
        let (mut bits, mut i) = (0, 0);
        while i < features.len() {
            bits |= features[i].bit();
            i += 1;
        }
        bits
    }

    /// What is offered whatever the mask, and what a driver has to take.
    pub const REQUIRED: u64 = Feature::Version1.bit() | Feature::AccessPlatform.bit();
}
