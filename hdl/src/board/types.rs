// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels between the blocks of a board.

use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// One transfer of a frame or message that may have been damaged. `BUS_BITS` = bits of data, `COUNT_BITS` = log2(BUS_BITS / 8) + 1.
    pub struct MarkedBeat<const BUS_BITS: usize, const COUNT_BITS: usize> {
        /// Byte 0 in bits 7:0. What lies past `bytes` is undefined.
        pub data: Bits<BUS_BITS>,
        /// Valid bytes, 1..=BUS_BITS/8; BUS_BITS/8 in all beats but the last.
        pub bytes: Bits<COUNT_BITS>,
        pub last: Bit,
        /// With `last`: the frame is damaged, or cut short.
        pub error: Bit,
    }
}

wire_struct! {
    /// A byte of a frame or message.
    pub struct StreamByte {
        pub data: Bits<8>,
        pub last: Bit,
    }
}

wire_struct! {
    /// A register access that the host asks for.
    pub struct RegisterRequest {
        pub write: Bit,
        pub address: Bits<16>,
        /// Of a write.
        pub data: Bits<32>,
    }
}

wire_struct! {
    /// What became of it.
    pub struct RegisterAnswer {
        /// As of AXI: 0 okay, 2 slave error.
        pub response: Bits<2>,
        pub address: Bits<16>,
        /// What was read; 0 of a write.
        pub data: Bits<32>,
    }
}
