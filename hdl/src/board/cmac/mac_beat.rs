// SPDX-License-Identifier: MIT OR Apache-2.0
//! What crosses between the clocks of core and MAC.

use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// One AXI4-Stream transfer of a frame. `BUS_BITS` = bits of data, `BUS_BYTES` = BUS_BITS / 8.
    pub struct MacBeat<const BUS_BITS: usize, const BUS_BYTES: usize> {
        pub data: Bits<BUS_BITS>,
        pub keep: Bits<BUS_BYTES>,
        pub last: Bit,
        /// With `last`: the frame is damaged.
        pub error: Bit,
    }
}
