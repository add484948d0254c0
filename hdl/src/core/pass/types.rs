// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels with a frame from one lookup to the next.

use crate::core::types::{Meta, WINDOW_BITS};
use crate::wire_struct;
use millrace_regs::config::LONG_WINDOW_BYTES;
use rust_hdl_core::prelude::*;

/// Width in bits of the header window of a build with passes.
pub const LONG_WINDOW_BITS: usize = 8 * LONG_WINDOW_BYTES;

wire_struct! {
    /// A pass of a frame.
    pub struct Pass<const NUMBER_BITS: usize> {
        /// The frame's number.
        pub frame: Bits<NUMBER_BITS>,
        /// Of the pass: 0 for the first.
        pub number: Bits<3>,
        /// Where the packet begins in the frame, in units of two bytes.
        pub start: Bits<7>,
        /// What earlier passes wrote.
        pub metadata: Bits<64>,
    }
}

wire_struct! {
    /// What a rule's first step says of another lookup; "Passes" of `docs/hardware.md`.
    pub struct LookAgain {
        pub look_again: Bit,
        pub start_from: Bits<2>,
        /// In bytes; bit 0 is ignored.
        pub start: Bits<7>,
        pub metadata: Bits<64>,
        pub metadata_mask: Bits<64>,
    }
}

wire_struct! {
    /// A frame that waits for its next lookup.
    pub struct Waiting<const NUMBER_BITS: usize> {
        pub pass: Pass<NUMBER_BITS>,
        /// `len` is the frame's.
        pub meta: Meta,
    }
}

wire_struct! {
    /// What is looked up: the packet as a pass sees it.
    pub struct Entered<const NUMBER_BITS: usize> {
        /// From the packet's first byte on, as far as the window goes; zeros behind it.
        pub hdr: Bits<WINDOW_BITS>,
        /// `len` is the frame's.
        pub meta: Meta,
        /// Bytes of the packet.
        pub len: Bits<14>,
        pub pass: Pass<NUMBER_BITS>,
    }
}
