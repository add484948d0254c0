// SPDX-License-Identifier: MIT OR Apache-2.0
//! What travels with a frame from one lookup to the next.

use crate::core::types::{Meta, WINDOW_BITS};
use crate::wire_struct;
use millrace_regs::config::LONG_WINDOW_BYTES;
use rust_hdl_core::prelude::*;

/// log2 of the frames between `Merge` and `Expand`, at most, in builds with passes. A pass takes some 30 clocks, so a frame of 8 passes 240: frames of one pass
/// that come behind it, one in each clock, must not run out of places meanwhile.
pub const PLACES_LOG2: usize = 8;

/// Width of a frame's number.
pub const NUMBER_BITS: usize = PLACES_LOG2 + 1;

/// Bytes of a packet in which its headers are, with all that edits reach.
pub const REACH: usize = 100;

/// Width in bits of a [`FurtherStep`].
pub const FURTHER_STEP_WIDTH: usize = FurtherStep::BITS;

/// Width in bits of a [`LookAgain`].
pub const AGAIN_WIDTH: usize = LookAgain::BITS;

/// Width in bits of a [`Note`].
pub const NOTE_WIDTH: usize = Note::BITS;

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
    /// The words of a step that a build without passes does not have, as software writes them.
    pub struct FurtherStep {
        pub look_again: Bit,
        pub reserved0: Bit,
        pub start_from: Bits<2>,
        pub reserved1: Bits<4>,
        pub start: Bits<7>,
        pub reserved2: Bits<17>,
        pub metadata: Bits<64>,
        pub metadata_mask: Bits<64>,
    }
}

wire_struct! {
    /// What travels with a frame behind its last lookup.
    pub struct Note {
        /// Of the last lookup.
        pub number: Bits<3>,
        /// Of the last lookup.
        pub metadata: Bits<64>,
        /// Where the packet that was looked up begins in the frame, in units of two bytes.
        pub start: Bits<7>,
        /// The frame goes out as it was received, from its first byte on.
        pub as_received: Bit,
        /// The rule of the last pass wanted another one.
        pub looped: Bit,
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
