// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels between the blocks of the host side. Words and rules are those of `docs/host.md`.
//!
//! A virtqueue has a number among all of the build, `vq`: those of function 0, then of function 1, and so on. Each function has an even number of
//! them, so that bit 0 tells a transmitq (1) from a receiveq (0). A controlq goes the way of transmitqs up to its descriptors: it is the second of a pair
//! of its own, whose first is no virtqueue.

use millrace_hdl::wire_struct;
use millrace_regs::host;
use rust_hdl_core::prelude::*;

/// Width of the DMA ports in bits, and in bytes.
pub const BEAT_BITS: usize = 512;
pub const BEAT_BYTES: usize = BEAT_BITS / 8;

/// Bytes before a frame: in the virtqueues of PF and VFs, in those of the ECPF.
pub const SHORT_HEADER: usize = host::NET_HEADER;
pub const LONG_HEADER: usize = host::NET_HEADER + host::ECPF_HEADER;

/// Reasons of faults.
pub mod reason {
    use millrace_regs::host::FaultReason;
    pub const AVAIL_INDEX: u64 = FaultReason::AvailIndex as u64;
    pub const HEAD: u64 = FaultReason::Head as u64;
    pub const NEXT: u64 = FaultReason::Next as u64;
    pub const CHAIN: u64 = FaultReason::Chain as u64;
    pub const DIRECTION: u64 = FaultReason::Direction as u64;
    pub const EMPTY: u64 = FaultReason::Empty as u64;
    pub const INDIRECT: u64 = FaultReason::Indirect as u64;
    pub const TOO_LONG: u64 = FaultReason::TooLong as u64;
    pub const HEADER: u64 = FaultReason::Header as u64;
    pub const WINDOW: u64 = FaultReason::Window as u64;
    pub const BUS: u64 = FaultReason::Bus as u64;
    pub const TIME_OUT: u64 = FaultReason::TimeOut as u64;
}

wire_struct! {
    /// What a driver has taken of the features that queues work by (`docs/host.md`, "Features").
    pub struct Negotiated {
        pub indirect: Bit,
        pub event_idx: Bit,
        pub packed: Bit,
        pub in_order: Bit,
        pub csum: Bit,
        pub host_tso4: Bit,
        pub host_tso6: Bit,
        pub host_ecn: Bit,
        pub host_uso: Bit,
    }
}

wire_struct! {
    /// What a driver has taken of the features that its frames out go by (`docs/host.md`, "Offloads").
    pub struct Offloads {
        pub csum: Bit,
        pub tso4: Bit,
        pub tso6: Bit,
        pub ecn: Bit,
        pub uso: Bit,
    }
}

wire_struct! {
    /// What the driver has told of a virtqueue; kept until the queue is reset.
    pub struct QueueConfig {
        /// Addresses of the descriptor table, the available ring and the used ring.
        pub desc: Bits<64>,
        pub driver: Bits<64>,
        pub device: Bits<64>,
        /// The number of descriptors, 1..=256; and its log2, if it is a power of two.
        pub size: Bits<9>,
        pub size_log2: Bits<4>,
        /// The function whose queue it is.
        pub function: Bits<8>,
        pub features: Negotiated,
    }
}

wire_struct! {
    /// Pages of 4 KiB that a function may touch, both included.
    pub struct Window {
        pub first: Bits<52>,
        pub last: Bits<52>,
    }
}

wire_struct! {
    /// A queue that has to stop, and why. `VQ_BITS`: of its number among all, or among those of a side (the pair's).
    pub struct Fault<const VQ_BITS: usize> {
        pub vq: Bits<VQ_BITS>,
        /// As of `docs/host.md`, "Faults".
        pub reason: Bits<8>,
    }
}

wire_struct! {
    /// An entry of an available ring. Pair p are the virtqueues 2p and 2p + 1; which of the two is known where it travels.
    pub struct Head<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        /// The first descriptor of the chain.
        pub index: Bits<8>,
        /// What was read of the descriptors before this may be older than it.
        pub fresh: Bit,
        /// No entry: the queue is reset, and nothing of it is before this.
        pub reset: Bit,
    }
}

wire_struct! {
    /// A descriptor of a chain.
    pub struct Segment<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub address: Bits<64>,
        /// 1 or more; 131,071 stands for what is longer.
        pub length: Bits<17>,
        /// Of the chain.
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        pub first: Bit,
        pub last: Bit,
        /// Device-writable.
        pub write: Bit,
        /// No descriptor: the chain ends here and is not to be used. Always with `last`.
        pub abort: Bit,
        /// As of `Head`.
        pub reset: Bit,
    }
}

wire_struct! {
    /// Bytes of a chain, in their order, as they lie in a beat of memory.
    pub struct Piece<const PAIR_BITS: usize> {
        pub data: Bits<BEAT_BITS>,
        /// Where in `data` they begin; how many they are: 0 with `error` or `reset` alone.
        pub from: Bits<6>,
        pub count: Bits<7>,
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub offloads: Offloads,
        /// The chain ends with this.
        pub last: Bit,
        /// With `last`: the chain is not whole.
        pub error: Bit,
    }
}

wire_struct! {
    /// Bytes of a frame: as `Beat` of the core, with its source.
    pub struct FrameBeat<const PAIR_BITS: usize> {
        pub data: Bits<BEAT_BITS>,
        /// Valid bytes, 1..=64; 64 in all beats but the last.
        pub bytes: Bits<7>,
        pub last: Bit,
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub offloads: Offloads,
        /// With `last`: the frame is damaged.
        pub error: Bit,
    }
}

/// EtherTypes of tags (IEEE 802.1Q), as they lie in a beat, and a tag's bytes.
pub const CUSTOMER_TAG: u32 = 0x8100u16.swap_bytes() as u32;
pub const SERVICE_TAG: u32 = 0x88a8u16.swap_bytes() as u32;
pub const TAG_BYTES: usize = 4;

wire_struct! {
    /// Bytes of a frame on its way through its function's policy.
    pub struct PolicyBeat<const PAIR_BITS: usize> {
        pub frame: FrameBeat<PAIR_BITS>,
        /// Of an upcall.
        pub reason: Bits<8>,
        /// Of frames for drivers: which receiveq it goes to is found out.
        pub steered: Bit,
    }
}

wire_struct! {
    /// The same, with what becomes of the frame.
    pub struct JudgedBeat<const PAIR_BITS: usize> {
        pub frame: FrameBeat<PAIR_BITS>,
        pub reason: Bits<8>,
        pub steered: Bit,
        /// The frame begins with it.
        pub first: Bit,
        pub verdict: Verdict,
    }
}

wire_struct! {
    /// What the ECPF has set of a function's frames (`docs/host.md`, "Policy").
    pub struct Policy {
        /// Byte 0 lowest.
        pub mac: Bits<48>,
        /// 0: none.
        pub vlan: Bits<12>,
        pub priority: Bits<3>,
        pub service: Bit,
        pub spoof_check: Bit,
        pub trust: Bit,
    }
}

wire_struct! {
    /// What becomes of a frame under its function's policy.
    pub struct Verdict {
        pub drop: Bit,
        /// For its source address.
        pub spoofed: Bit,
        /// It gets a tag, these bytes; or loses its own.
        pub tag: Bit,
        pub bytes: Bits<32>,
    }
}

wire_struct! {
    /// `struct virtio_net_hdr` (virtio 5.1.6), little endian.
    pub struct NetHeader {
        pub flags: Bits<8>,
        pub gso_type: Bits<8>,
        pub hdr_len: Bits<16>,
        pub gso_size: Bits<16>,
        pub csum_start: Bits<16>,
        pub csum_offset: Bits<16>,
        pub num_buffers: Bits<16>,
    }
}

wire_struct! {
    /// Bytes of a frame of a driver.
    pub struct SentBeat<const PAIR_BITS: usize> {
        pub frame: FrameBeat<PAIR_BITS>,
        /// In the frame's first beat: what its chain begins with.
        pub header: NetHeader,
    }
}

wire_struct! {
    /// Where the next bytes of a received frame go.
    pub struct Target<const PAIR_BITS: usize> {
        pub address: Bits<64>,
        pub function: Bits<8>,
        /// Bytes; 0: none go here.
        pub length: Bits<14>,
        /// The frame ends with them.
        pub ends_frame: Bit,
        pub pair: Bits<PAIR_BITS>,
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        /// The chain is used with this, and has got so many bytes; whether more chains of the frame follow.
        pub completes: Bit,
        pub partial: Bit,
        pub total: Bits<14>,
        /// As of `Head`; nothing else counts.
        pub reset: Bit,
    }
}

wire_struct! {
    /// A chain that the engine is done with.
    pub struct Used<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        /// Bytes that were written to it.
        pub length: Bits<16>,
        /// More chains of the same frame follow: the driver is to see all of them at once (virtio 5.1.6.4).
        pub partial: Bit,
        /// What was to be written to it was not: it is not used, and the driver sees nothing of its frame.
        pub void: Bit,
        /// As of `Head`.
        pub reset: Bit,
    }
}

wire_struct! {
    /// A read of the beat of `BEAT_BITS` in which `address` lies.
    pub struct RingRead {
        pub address: Bits<64>,
        pub function: Bits<8>,
        /// Comes back with the answer.
        pub tag: Bits<8>,
    }
}

wire_struct! {
    /// What was read.
    pub struct RingAnswer {
        pub tag: Bits<8>,
        pub data: Bits<BEAT_BITS>,
        /// 0, or the reason of a fault.
        pub error: Bits<8>,
    }
}

wire_struct! {
    /// A write into the beat in which `address` lies.
    pub struct RingWrite {
        pub address: Bits<64>,
        pub function: Bits<8>,
        pub data: Bits<BEAT_BITS>,
        /// Bit i: byte i is written.
        pub strobe: Bits<64>,
    }
}

wire_struct! {
    /// A driver has set its function's address: bytes 0 to 5 of `mac`, byte 0 lowest.
    pub struct MacChange {
        pub function: Bits<8>,
        pub mac: Bits<48>,
    }
}

wire_struct! {
    /// A message to a driver: a write of `data` at `address`, by `function`.
    pub struct Interrupt {
        pub function: Bits<8>,
        pub vector: Bits<16>,
        pub address: Bits<64>,
        pub data: Bits<32>,
    }
}
