// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptors of split virtqueues.

use crate::types::{BEAT_BITS, QueueConfig};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// `struct virtq_desc` (virtio 2.7.5).
    pub struct Descriptor {
        pub address: Bits<64>,
        pub length: Bits<32>,
        pub next_follows: Bit,
        pub write: Bit,
        pub indirect: Bit,
        pub other_flags: Bits<13>,
        pub next_index: Bits<16>,
    }
}

wire_struct! {
    /// The descriptor table of a virtqueue.
    pub struct Table {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
        /// INDIRECT_DESC is negotiated.
        pub indirect: Bit,
    }
}

wire_struct! {
    /// Four descriptors, or why there are none.
    pub struct Line {
        pub data: Bits<BEAT_BITS>,
        pub error: Bits<8>,
    }
}

/// What is kept of a virtqueue that is enabled.
#[millrace_hdl::function]
pub fn table_of(opened: QueueConfig) -> Table {
    let table: Table = Table {
        address: opened.desc,
        size_log2: opened.size_log2,
        function: opened.function,
        indirect: opened.features.indirect,
    };
    table
}

/// The descriptor in a lane of a line.
#[millrace_hdl::function]
pub fn in_lane(data: Bits<BEAT_BITS>, lane: Bits<2>) -> Descriptor {
    unpack::<Descriptor>((data >> (cast::<9>(lane) << 7)).get_bits::<128>(0))
}

/// It stands for a table of descriptors, as it should if INDIRECT_DESC is `negotiated` (virtio 2.7.5.3.1).
#[millrace_hdl::function]
pub fn is_table(descriptor: Descriptor, negotiated: Bit) -> Bit {
    let odd = descriptor.address.get_bits::<4>(0).any() | descriptor.length.get_bits::<4>(0).any();
    negotiated & descriptor.indirect & !descriptor.next_follows & !odd & descriptor.length.any()
}

/// The number of descriptors in that table; 65,536 stands for what is more.
#[millrace_hdl::function]
pub fn table_size(descriptor: Descriptor) -> Bits<17> {
    if descriptor.length.get_bits::<12>(20).any() { 1 << 16 } else { cast::<17>(descriptor.length.get_bits::<16>(4)) }
}
