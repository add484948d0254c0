// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptors of split virtqueues.

use crate::chain_check::first_of;
use crate::types::{BEAT_BITS, QueueConfig, reason};
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

wire_struct! {
    /// Where a chain is.
    pub struct At {
        /// The table that it is in, the virtqueue's or an indirect one, and the descriptor.
        pub base: Bits<64>,
        pub size: Bits<17>,
        pub index: Bits<16>,
        /// Descriptors of the chain with this one, and how many it may have.
        pub count: Bits<9>,
        pub most: Bits<9>,
        /// The table is the virtqueue's, and INDIRECT_DESC is negotiated.
        pub may_enter: Bit,
    }
}

wire_struct! {
    /// What a descriptor says of its chain.
    pub struct Followed {
        pub descriptor: Descriptor,
        /// It stands for a table, with which the chain goes on.
        pub enters: Bit,
        /// The chain ends, with a fault unless `error` is 0.
        pub ends: Bit,
        pub error: Bits<8>,
        /// The line of the next one, counted from the table's first, and whether it is the same.
        pub next_line: Bits<15>,
        pub same_line: Bit,
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

/// The line of a table that a descriptor lies in.
#[millrace_hdl::function]
pub fn line_of(base: Bits<64>, index: Bits<17>) -> Bits<15> {
    (index + cast::<17>(base.get_bits::<2>(4))).get_bits::<15>(2)
}

/// The descriptor in `line` at which a chain is.
#[millrace_hdl::function]
pub fn follow(line: Line, at: At) -> Followed {
    let base_lane = at.base.get_bits::<2>(4);
    let lane = at.index.get_bits::<2>(0) + base_lane;
    let descriptor: Descriptor = in_lane(line.data, lane);
    let enters = !line.error.any() & is_table(descriptor, at.may_enter);
    let beyond = cast::<17>(descriptor.next_index) >= at.size;
    let mut error = line.error;
    error = first_of(error, descriptor.indirect & !enters, reason::INDIRECT);
    error = first_of(error, descriptor.next_follows & beyond, reason::NEXT);
    error = first_of(error, descriptor.next_follows & (at.count == at.most), reason::CHAIN);
    let next_line = line_of(at.base, cast::<17>(descriptor.next_index));
    let followed: Followed = Followed {
        descriptor,
        enters,
        ends: error.any() | !(descriptor.next_follows | enters),
        error,
        next_line,
        same_line: next_line == line_of(at.base, cast::<17>(at.index)),
    };
    followed
}
