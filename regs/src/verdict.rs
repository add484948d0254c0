// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of a frame, and why the slow path gets one (`docs/hardware.md`, "Verdicts and counters").

/// Defines an enum of numbered, named and documented outcomes.
macro_rules! outcomes {
    ($(#[$meta:meta])* pub enum $enum:ident { $($(#[doc = $doc:literal])* $variant:ident = $number:literal, $name:literal;)* }) => {
        $(#[$meta])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum { $($(#[doc = $doc])* $variant = $number,)* }

        impl $enum {
            /// All of them, in the order of their numbers.
            pub const ALL: &[$enum] = &[$($enum::$variant),*];

            /// As in the documentation.
            pub const fn name(self) -> &'static str {
                match self { $($enum::$variant => $name,)* }
            }

            /// For the reference page.
            pub const fn doc(self) -> &'static str {
                match self { $($enum::$variant => concat!($($doc),*).trim_ascii(),)* }
            }

            /// From its number.
            pub const fn from_number(number: u32) -> Option<$enum> {
                match number { $($number => Some($enum::$variant),)* _ => None }
            }
        }
    };
}

pub(crate) use outcomes;

outcomes! {
    /// What became of a frame. Each frame gets exactly one, counted under its ingress vport
    /// (a packet-out: under its destination, or under number V if that does not exist).
    pub enum Verdict {
        /// A rule put it out.
        Hit = 0, "hit";
        /// No rule: upcall.
        Miss = 1, "miss";
        /// Upcall without a lookup.
        Punt = 2, "punt";
        /// Sent by the slow path.
        PacketOut = 3, "packet_out";
        /// Shorter than 14 bytes.
        DropRunt = 4, "drop_runt";
        /// Longer than the build's longest frame.
        DropOversize = 5, "drop_oversize";
        /// The source marked the frame as broken.
        DropRxError = 6, "drop_rx_error";
        /// The first step ended the program: TTL too low.
        DropTtl = 7, "drop_ttl";
        /// The first step's frame would be longer than the build's longest.
        DropTxOversize = 8, "drop_tx_oversize";
        /// Packet-out to a vport that does not exist.
        DropNoVport = 9, "drop_no_vport";
        /// The rule drops.
        DropRule = 10, "drop_rule";
        /// The rule of the last pass has the packet looked up again. Only in builds with passes.
        DropLoop = 11, "drop_loop";
    }
}

outcomes! {
    /// Why a frame goes to the slow path.
    pub enum UpcallReason {
        /// No rule matched.
        Miss = 0, "miss";
        /// The parser gave up: no lookup was made.
        Punt = 1, "punt";
        /// A step's `upcall`; the frame carries the step's edits.
        Action = 2, "action";
    }
}

/// Verdict counters of a vport lie this far apart: index of a counter = vport · 16 + verdict.
pub const VERDICTS_PER_VPORT: u32 = 16;

impl Verdict {
    /// `INDEX` of this verdict's counter of a vport.
    pub const fn counter_index(self, vport: u8) -> u32 {
        vport as u32 * VERDICTS_PER_VPORT + self as u32
    }

    /// Whether the frame left nowhere, not even to the slow path.
    pub const fn is_drop(self) -> bool {
        self as u8 >= Verdict::DropRunt as u8
    }
}
