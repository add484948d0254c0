// SPDX-License-Identifier: MIT OR Apache-2.0
//! What crosses between the clocks of core and MAC.

use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// One AXI4-Stream transfer of a frame. `W` = bits of data, `E` = W / 8.
    pub struct MacBeat<const W: usize, const E: usize> {
        pub data: Bits<W>,
        pub keep: Bits<E>,
        pub last: Bit,
        /// With `last`: the frame is damaged.
        pub error: Bit,
    }
}
