// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host side: functions, their registers, virtqueues (`docs/host.md`). Section numbers are those of *Virtual I/O Device (VIRTIO) Version 1.2*.

use crate::config::Config;
use crate::map::Access;
use crate::verdict::outcomes;

pub mod control;
mod feature;
mod function_registers;

pub use feature::Feature;
pub use function_registers::{
    DMA_TIMEOUT, DMA_TIMEOUT_RESET, FAULT, FUNCTION_BAD_OFFLOAD, FUNCTION_BURST, FUNCTION_BURST_RESET, FUNCTION_FAULT,
    FUNCTION_FEATURES_HI, FUNCTION_FEATURES_LO, FUNCTION_FIRST_HI, FUNCTION_FIRST_LO, FUNCTION_LAST_HI,
    FUNCTION_LAST_LO, FUNCTION_MAC_HI, FUNCTION_MAC_LO, FUNCTION_MODERATION, FUNCTION_MTU, FUNCTION_NO_BUFFER,
    FUNCTION_POLICY, FUNCTION_RATE, FUNCTION_REFUSED, FUNCTION_REGISTERS, FUNCTION_SAMPLES, FUNCTION_STATE,
    FUNCTION_WEIGHT, LIMIT_REGISTERS, WEIGHT_BYTES,
};

/// Bit of an address of `s_axil_host` from which on the function's number lies; below is the offset in the function's BAR.
pub const FUNCTION_SHIFT: u32 = 24;

/// In place of a function's number: the ECPF's configuration space, as far as it is the engine's.
pub const CONFIGURATION: u32 = 255;
/// `MODE` there.
pub const MODE_ADDRESS: u32 = CONFIGURATION << FUNCTION_SHIFT | (pci::EXTENDED + pci::mode::MODE) as u32;

/// Functions that an address can tell apart.
pub const MAX_FUNCTIONS: usize = 255;

/// Numbers of the functions' configuration spaces (`docs/host.md`, "PCI functions").
pub mod pci {
    use super::FUNCTION_SHIFT;
    use crate::map::ADDRESS_SPACE;

    /// Vendor of virtio devices, and of the ECPF too.
    pub const VENDOR: u16 = 0x1af4;
    /// PF and VFs: a network device of virtio (virtio 4.1.2).
    pub const NETWORK_DEVICE: u16 = 0x1041;
    /// The ECPF: one of the numbers that the vendor leaves to experiments, so that no stock driver takes it.
    pub const ECPF_DEVICE: u16 = 0x10f0;
    /// Revision of all functions: not transitional (virtio 4.1.2.1).
    pub const REVISION: u8 = 1;
    /// Class of PF and VFs: a network controller, for Ethernet.
    pub const NETWORK_CLASS: u32 = 0x02_0000;
    /// Class of the ECPF: a network controller, other.
    pub const ECPF_CLASS: u32 = 0x02_8000;
    /// Bytes of BAR 0: a function's block of `s_axil_host`.
    pub const FUNCTION_BAR: u64 = 1 << FUNCTION_SHIFT;
    /// Bytes of configuration space that extended capabilities lie behind (PCI Express Base 5.0, 7.2.2).
    pub const EXTENDED: usize = 0x100;
    /// The ECPF's vendor-specific extended capability (PCI Express Base 5.0, 7.9.5), which says who owns the switch.
    pub mod mode {
        /// Number of vendor-specific extended capabilities.
        pub const ID: u16 = 0x0b;
        /// VSEC ID of this one.
        pub const VSEC: u16 = 0x4d52;
        /// Its revision.
        pub const REVISION: u8 = 1;
        /// Its bytes.
        pub const BYTES: usize = 12;
        /// `MODE`, 32 bits.
        pub const MODE: usize = 8;
        /// Its bit: the host's PF owns the switch.
        pub const NIC: u32 = 1;
        /// On the bus alone: what was written has yet to take effect.
        pub const CHANGING: u32 = 1 << 8;
    }
    /// The extended capability SR-IOV (PCI Express Base 5.0, 9.3.3): its number, and offsets in it.
    pub mod sriov {
        /// Number of the capability.
        pub const ID: u16 = 0x10;
        /// SR-IOV Control, 16 bits.
        pub const CONTROL: usize = 0x08;
        /// Its bit VF Enable.
        pub const VF_ENABLE: u16 = 1 << 0;
        /// Its bit VF MSE: the BARs of the VFs answer.
        pub const VF_MSE: u16 = 1 << 3;
        /// Its bit ARI Capable Hierarchy.
        pub const ARI_HIERARCHY: u16 = 1 << 4;
        /// InitialVFs, 16 bits.
        pub const INITIAL_VFS: usize = 0x0c;
        /// TotalVFs, 16 bits.
        pub const TOTAL_VFS: usize = 0x0e;
        /// NumVFs, 16 bits.
        pub const NUM_VFS: usize = 0x10;
        /// First VF Offset, 16 bits.
        pub const FIRST_VF: usize = 0x14;
        /// VF Stride, 16 bits.
        pub const VF_STRIDE: usize = 0x16;
        /// VF Device ID, 16 bits.
        pub const VF_DEVICE: usize = 0x1a;
        /// Supported Page Sizes, 32 bits: bit n is 2^(n + 12) bytes.
        pub const PAGE_SIZES: usize = 0x1c;
        /// System Page Size, 32 bits.
        pub const PAGE_SIZE: usize = 0x20;
        /// VF BAR 0, 64 bits.
        pub const VF_BAR_0: usize = 0x24;
        /// Bytes of the capability.
        pub const BYTES: usize = 0x40;
    }
    /// Bytes of BAR 2 of ECPF and PF: the register map.
    pub const REGISTER_BAR: u64 = ADDRESS_SPACE as u64;
}

/// A block of registers in a function's BAR. An access to an address of no block is answered with SLVERR.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostBlock {
    /// As in `docs/host.md`.
    pub name: &'static str,
    /// Byte offset in the BAR.
    pub offset: u32,
    /// Bytes, a multiple of 4.
    pub bytes: u32,
    /// Bytes from one copy to the next; 0 if there is one.
    pub stride: u32,
}

impl HostBlock {
    const fn new(name: &'static str, offset: u32, bytes: u32, stride: u32) -> Self {
        Self { name, offset, bytes, stride }
    }

    /// Byte offset in the BAR of a copy's start.
    pub const fn at(&self, copy: u32) -> u32 {
        self.offset + copy * self.stride
    }
}

/// Common configuration (4.1.4.3): [`common`].
pub const COMMON: HostBlock = HostBlock::new("common configuration", 0, 64, 0);
/// ISR status (4.1.4.5): a byte of [`isr`] bits. A read clears it.
pub const ISR: HostBlock = HostBlock::new("ISR status", 0x100, 4, 0);
/// Device configuration (5.1.4): [`device`].
pub const DEVICE: HostBlock = HostBlock::new("device configuration", 0x200, 32, 0);
/// [`FAULT`].
pub const FAULTS: HostBlock = HostBlock::new("`FAULT`", 0x300, 4, 0);
/// Of the ECPF alone: [`DMA_TIMEOUT`].
pub const ENGINE: HostBlock = HostBlock::new("of the ECPF alone: `DMA_TIMEOUT`", 0x1000, 4, 0);
/// Of the ECPF alone, a copy for each function: [`LIMIT_REGISTERS`].
pub const LIMITS: HostBlock = HostBlock::new("of the ECPF alone: limits of function f", 0x2000, 0x10, 0x10);
/// Of the ECPF alone, a copy for each function: [`FUNCTION_REGISTERS`].
pub const FUNCTION: HostBlock = HostBlock::new("of the ECPF alone: registers of function f", 0x4000, 0x40, 0x40);
/// A copy for each vector of the function: [`msix`].
pub const MSIX_TABLE: HostBlock = HostBlock::new("MSI-X table, entry of vector v", 0x8000, 16, 16);
/// A copy for each 64 vectors of the function: their pending bits, the first one's lowest. Read-only.
pub const MSIX_PENDING: HostBlock = HostBlock::new("MSI-X pending bits, quadword w", 0xc000, 8, 8);
/// A copy for each virtqueue of the function (4.1.4.4). A write with any strobe notifies, whatever is written; reads give 0.
pub const NOTIFY: HostBlock = HostBlock::new("notification of virtqueue q", 0x1_0000, NOTIFY_STRIDE, NOTIFY_STRIDE);

/// All blocks, in the order of their offsets.
pub const HOST_BLOCKS: [HostBlock; 10] =
    [COMMON, ISR, DEVICE, FAULTS, ENGINE, LIMITS, FUNCTION, MSIX_TABLE, MSIX_PENDING, NOTIFY];

/// `notify_off_multiplier` (4.1.4.4); `queue_notify_off` of virtqueue q is q.
pub const NOTIFY_STRIDE: u32 = 0x1000;

/// Address on `s_axil_host` of an offset in a function's BAR.
pub const fn host_address(function: u32, offset: u32) -> u32 {
    function << FUNCTION_SHIFT | offset
}

/// A field of one of virtio's structures. A write to a read-only one is ignored (4.1.4.3.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostField {
    /// As in virtio.
    pub name: &'static str,
    /// Bytes from the start of its block.
    pub offset: u32,
    /// Bits: 8, 16, 32 or 64.
    pub width: u32,
    /// Read-only or read-write.
    pub access: Access,
    /// What it is.
    pub doc: &'static str,
}

impl HostField {
    /// Bytes from the start of its block to the 32-bit word that it lies or begins in.
    pub const fn word(&self) -> u32 {
        self.offset & !3
    }

    /// Its lowest bit in that word.
    pub const fn low(&self) -> u32 {
        8 * (self.offset & 3)
    }
}

macro_rules! fields {
    ($(#[$meta:meta])* pub mod $module:ident { $($(#[doc = $doc:literal])* $constant:ident = $offset:literal, $access:ident $width:literal, $name:literal;)* }) => {
        $(#[$meta])*
        pub mod $module {
            use super::HostField;
            use crate::map::Access;
            $($(#[doc = $doc])* pub const $constant: HostField = HostField {
                name: $name,
                offset: $offset,
                width: $width,
                access: Access::$access,
                doc: concat!($($doc),*).trim_ascii(),
            };)*
            /// All of them, in the order of their offsets.
            pub const ALL: &[HostField] = &[$($constant),*];
        }
    };
}

fields! {
    /// `struct virtio_pci_common_cfg` (4.1.4.3). Fields named `queue_…` are those of the virtqueue that `queue_select` names.
    pub mod common {
        /// Which 32 bits `device_feature` shows.
        DEVICE_FEATURE_SELECT = 0x00, Rw 32, "device_feature_select";
        /// What is offered; 0 where `device_feature_select` > 1.
        DEVICE_FEATURE = 0x04, Ro 32, "device_feature";
        /// Which 32 bits `driver_feature` is.
        DRIVER_FEATURE_SELECT = 0x08, Rw 32, "driver_feature_select";
        /// What the driver takes. Writes where `driver_feature_select` > 1 or FEATURES_OK is set are ignored.
        DRIVER_FEATURE = 0x0c, Rw 32, "driver_feature";
        /// Vector of configuration interrupts.
        CONFIG_MSIX_VECTOR = 0x10, Rw 16, "config_msix_vector";
        /// Virtqueues of the function.
        NUM_QUEUES = 0x12, Ro 16, "num_queues";
        /// Bits of [`status`](super::status); a write of 0 resets the function.
        DEVICE_STATUS = 0x14, Rw 8, "device_status";
        /// Counts changes of the device configuration.
        CONFIG_GENERATION = 0x15, Ro 8, "config_generation";
        /// Whose fields the next ones are.
        QUEUE_SELECT = 0x16, Rw 16, "queue_select";
        /// Descriptors: a power of two up to [`MAX_QUEUE_SIZE`](super::MAX_QUEUE_SIZE).
        QUEUE_SIZE = 0x18, Rw 16, "queue_size";
        /// Vector of the virtqueue's interrupts.
        QUEUE_MSIX_VECTOR = 0x1a, Rw 16, "queue_msix_vector";
        /// 1 enables; other values are ignored.
        QUEUE_ENABLE = 0x1c, Rw 16, "queue_enable";
        /// The virtqueue's number.
        QUEUE_NOTIFY_OFF = 0x1e, Ro 16, "queue_notify_off";
        /// Address of the descriptor table.
        QUEUE_DESC = 0x20, Rw 64, "queue_desc";
        /// Address of the available ring.
        QUEUE_DRIVER = 0x28, Rw 64, "queue_driver";
        /// Address of the used ring.
        QUEUE_DEVICE = 0x30, Rw 64, "queue_device";
        /// 0: VIRTIO_F_NOTIF_CONFIG_DATA is not offered.
        QUEUE_NOTIFY_DATA = 0x38, Ro 16, "queue_notify_data";
        /// With VIRTIO_F_RING_RESET 1 resets the virtqueue, and reads 1 until it is (2.6.1); other values are ignored.
        QUEUE_RESET = 0x3a, Rw 16, "queue_reset";
    }
}

fields! {
    /// `struct virtio_net_config` (5.1.4).
    pub mod device {
        /// MAC address, bytes 0–3; `mac` has six bytes in the order of the wire.
        MAC = 0, Ro 32, "mac";
        /// MAC address, bytes 4 and 5.
        MAC_END = 4, Ro 16, "mac";
        /// Bit 0: the link is up.
        STATUS = 6, Ro 16, "status";
        /// Pairs of virtqueues.
        MAX_VIRTQUEUE_PAIRS = 8, Ro 16, "max_virtqueue_pairs";
        /// Longest payload of a frame.
        MTU = 10, Ro 16, "mtu";
        /// 0: VIRTIO_NET_F_SPEED_DUPLEX is not offered.
        SPEED = 12, Ro 32, "speed";
        /// 0, for the same reason.
        DUPLEX = 16, Ro 8, "duplex";
        /// Bytes of a key of RSS: [`KEY_BYTES`](super::control::KEY_BYTES); 0 of the ECPF, as the next two.
        RSS_MAX_KEY_SIZE = 17, Ro 8, "rss_max_key_size";
        /// Entries of a table: [`TABLE_ENTRIES`](super::control::TABLE_ENTRIES).
        RSS_MAX_INDIRECTION_TABLE_LENGTH = 18, Ro 16, "rss_max_indirection_table_length";
        /// [`HASH_TYPES`](super::control::HASH_TYPES).
        SUPPORTED_HASH_TYPES = 20, Ro 32, "supported_hash_types";
    }
}

fields! {
    /// An entry of the MSI-X table (PCI Local Bus 3.0 §6.8.2.6 to 6.8.2.9).
    pub mod msix {
        /// Where the message is written; a multiple of 4.
        MESSAGE_ADDRESS = 0x0, Rw 64, "message_address";
        /// What is written there.
        MESSAGE_DATA = 0x8, Rw 32, "message_data";
        /// Bit 0: the vector is masked.
        VECTOR_CONTROL = 0xc, Rw 32, "vector_control";
    }
}

/// Bit of `vector_control` that masks the vector; 1 after power-up.
pub const VECTOR_MASKED: u32 = 1;

/// Vectors that a function's table has room for.
pub const MAX_VECTORS: usize = ((MSIX_PENDING.offset - MSIX_TABLE.offset) / MSIX_TABLE.stride) as usize;

/// Bits of `device_status` (2.1).
pub mod status {
    /// The guest has seen the device.
    pub const ACKNOWLEDGE: u8 = 1;
    /// The guest has a driver for it.
    pub const DRIVER: u8 = 2;
    /// The driver is set up.
    pub const DRIVER_OK: u8 = 4;
    /// The features are agreed on.
    pub const FEATURES_OK: u8 = 8;
    /// Set by the device alone: see [`FaultReason`](super::FaultReason).
    pub const DEVICE_NEEDS_RESET: u8 = 64;
    /// The driver has given up.
    pub const FAILED: u8 = 128;
}

/// Bits of the ISR status (4.1.4.5).
pub mod isr {
    /// A virtqueue has used buffers.
    pub const QUEUE: u8 = 1;
    /// The device configuration has changed, or the device needs a reset.
    pub const CONFIGURATION: u8 = 2;
}

outcomes! {
    /// Why a virtqueue was stopped (`docs/host.md`, "Faults").
    pub enum FaultReason {
        /// `avail.idx` ran ahead of what the engine has taken by more than the queue's size.
        AvailIndex = 1, "avail_index";
        /// An entry of the available ring is no descriptor's number.
        Head = 2, "head";
        /// `next` of a descriptor is no descriptor's number.
        Next = 3, "next";
        /// A chain of more descriptors than the queue has, than [`RECEIVE_CHAIN`] in a receiveq, than [`control::CHAIN`] in a controlq.
        Chain = 4, "chain";
        /// A device-writable descriptor in a transmitq, a device-readable one in a receiveq; in a controlq, one of these behind one of those, or at the chain's end.
        Direction = 5, "direction";
        /// A descriptor of length 0.
        Empty = 6, "empty";
        /// A descriptor with INDIRECT that stands for no table, or is not to.
        Indirect = 7, "indirect";
        /// A chain of a transmitq longer than [`TRANSMIT_BYTES`].
        TooLong = 8, "too_long";
        /// A chain of a transmitq that ends with its header or before.
        Header = 9, "header";
        /// An address outside the function's window, or past 2^64.
        Window = 10, "window";
        /// SLVERR or DECERR.
        Bus = 11, "bus";
        /// No answer within [`DMA_TIMEOUT`].
        TimeOut = 12, "time_out";
    }
}

/// Nanoseconds of a unit of time: of [`DMA_TIMEOUT`], and of the input `now` (`docs/host.md`, "DMA").
pub const TIME_UNIT_NS: u64 = 16_000;
/// Bytes that each Mb/s of a [`FUNCTION_RATE`] is in that time.
pub const RATE_UNIT_BYTES: u64 = TIME_UNIT_NS / 8_000;

/// log2 of the bytes by which a function's window is set.
pub const WINDOW_SHIFT: u32 = 12;

/// The vector for which nothing is given (4.1.5.1.2), what vectors are after reset, and when the function has not what was written.
pub const NO_VECTOR: u16 = 0xffff;

/// Largest size of a virtqueue, and the one after reset.
pub const MAX_QUEUE_SIZE: u16 = 256;
/// log2 of the bytes that a descriptor table, an available ring and a used ring are aligned to (2.7).
pub const RING_ALIGNMENTS_LOG2: [u32; 3] = [4, 1, 2];
/// Bytes of the line of descriptors that is read for a chain.
pub const DESCRIPTOR_LINE: usize = 64;
/// Most descriptors in a chain of a receiveq.
pub const RECEIVE_CHAIN: usize = 4;
/// Most chains that one frame takes with MRG_RXBUF.
pub const MERGED_CHAINS: usize = 8;
/// Most bytes in a chain of a transmitq: the longest IP packet, an Ethernet header with two tags, and the ECPF's header.
pub const TRANSMIT_BYTES: usize = 65_535 + 14 + 8 + NET_HEADER + ECPF_HEADER;
/// Bytes of `struct virtio_net_hdr` with `num_buffers` (5.1.6).
pub const NET_HEADER: usize = 12;
/// Byte of `gso_type` in it: 0 for a frame that is not to be cut into segments.
pub const NET_HEADER_GSO_TYPE: usize = 1;
/// Byte of `num_buffers` in it, 16 bits little endian.
pub const NET_HEADER_NUM_BUFFERS: usize = 10;
/// Most bytes of the headers of a frame that is cut into segments.
pub const SEGMENT_HEADER: usize = 255;
/// Bytes that follow that header in the virtqueues of the ECPF.
pub const ECPF_HEADER: usize = 32;
/// `reason` of a sample of a frame that was dropped for its source address. No upcall has such a reason.
pub const SAMPLE_SPOOF: u8 = 0x80;
/// `reason` of a sample of a frame that was dropped for its VLAN.
pub const SAMPLE_VLAN: u8 = 0x81;
/// Bytes of a frame that a sample has at most.
pub const SAMPLE_BYTES: usize = 64;

/// Byte of the ECPF's header, from the device: `reason` of an upcall.
pub const ECPF_HEADER_REASON: usize = 0;
/// Byte of the ECPF's header, from the device: `length` of the frame, 32 bits little endian.
pub const ECPF_HEADER_LENGTH: usize = 4;

/// Most beats of a burst on `m_axi_data`.
pub const DATA_BURST_BEATS: usize = 64;
/// Bytes that no burst crosses.
pub const DATA_BURST_BOUNDARY: u64 = 4096;

/// `flags` and `gso_type` of `struct virtio_net_hdr` (5.1.6).
pub mod net_header {
    /// A checksum is to be made.
    pub const NEEDS_CSUM: u8 = 1;
    /// The frame is not cut.
    pub const GSO_NONE: u8 = 0;
    /// It is cut into segments of TCP over IPv4.
    pub const GSO_TCPV4: u8 = 1;
    /// Of TCP over IPv6.
    pub const GSO_TCPV6: u8 = 4;
    /// Of UDP.
    pub const GSO_UDP_L4: u8 = 5;
    /// With one of TCP: its first segment may have CWR.
    pub const GSO_ECN: u8 = 0x80;
}

/// The number of the ECPF.
pub const ECPF: usize = 0;

/// The numbering of functions and virtqueues. A build without host side has none.
impl Config {
    /// Whether PF, VFs and the slow path are reached through virtqueues.
    pub const fn has_host_side(&self) -> bool {
        self.queue_pairs != 0
    }

    /// Functions: the ECPF, PFs, then VFs.
    pub const fn functions(&self) -> usize {
        if self.has_host_side() { 1 + self.pfs + self.vfs } else { 0 }
    }

    /// The vport of a function; none of the ECPF, and of a function that there is not.
    pub const fn vport_of_function(&self, function: usize) -> Option<usize> {
        if function == ECPF || function >= self.functions() { None } else { Some(self.uplinks + function - 1) }
    }

    /// The function of a vport; none of an uplink, and of a vport that there is not.
    pub const fn function_of_vport(&self, vport: usize) -> Option<usize> {
        if self.has_host_side() && vport >= self.uplinks && vport < self.vports() {
            Some(vport - self.uplinks + 1)
        } else {
            None
        }
    }

    /// Virtqueues of a function: local numbers are below. Bit 0 tells a transmitq from a receiveq; the last of a PF or VF is its controlq.
    pub const fn virtqueues_of_function(&self, function: usize) -> usize {
        if function >= self.functions() {
            0
        } else if function == ECPF {
            2 * self.vports()
        } else {
            2 * self.queue_pairs + 1
        }
    }

    /// The local number of a function's controlq, if it has one. `multiple`: MQ or RSS is negotiated (5.1.2); without, the function has no virtqueue behind it.
    pub const fn control_queue(&self, function: usize, multiple: bool) -> Option<usize> {
        if function == ECPF || function >= self.functions() {
            None
        } else {
            Some(if multiple { 2 * self.queue_pairs } else { 2 })
        }
    }

    /// Pairs of numbers that a function has among those of all virtqueues: the controlq is the second of a pair of its own, whose first is none.
    pub const fn pairs_of_function(&self, function: usize) -> usize {
        self.virtqueues_of_function(function).div_ceil(2)
    }

    /// Numbers of the virtqueues of all functions: numbers `vq` are below.
    pub const fn virtqueues(&self) -> usize {
        let (mut all, mut function) = (0, 0);
        while function < self.functions() {
            all += 2 * self.pairs_of_function(function);
            function += 1;
        }
        all
    }

    /// MSI-X vectors of a function: one for each virtqueue, and one for the configuration.
    pub const fn vectors_of_function(&self, function: usize) -> usize {
        if function >= self.functions() { 0 } else { self.virtqueues_of_function(function) + 1 }
    }

    /// MSI-X vectors of all functions.
    pub const fn vectors(&self) -> usize {
        let (mut all, mut function) = (0, 0);
        while function < self.functions() {
            all += self.vectors_of_function(function);
            function += 1;
        }
        all
    }

    /// The number among all of virtqueue `local` of a function, with MQ or RSS; none if there is no such virtqueue.
    pub const fn virtqueue(&self, function: usize, local: usize) -> Option<usize> {
        if local >= self.virtqueues_of_function(function) {
            None
        } else if function == ECPF {
            Some(local)
        } else {
            let is_control = local == 2 * self.queue_pairs;
            Some(self.first_of(function) + local + is_control as usize)
        }
    }

    const fn first_of(&self, function: usize) -> usize {
        if function == ECPF { 0 } else { 2 * self.vports() + (function - 1) * 2 * (self.queue_pairs + 1) }
    }

    /// Function and local number of the virtqueue with this number among all, with MQ or RSS; none if there is no such virtqueue.
    pub const fn function_of_virtqueue(&self, vq: usize) -> Option<(usize, usize)> {
        let mut function = 0;
        while function < self.functions() {
            let mut local = 0;
            while local < self.virtqueues_of_function(function) {
                if matches!(self.virtqueue(function, local), Some(number) if number == vq) {
                    return Some((function, local));
                }
                local += 1;
            }
            function += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests;
