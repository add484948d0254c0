// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of Millrace at a function: its fault, and what the ECPF sets and sees.

use super::WINDOW_SHIFT;
use crate::map::{Access, Bits, Register, Reset};

/// The first fault of a function; 0 if there was none since its reset. At the start of block [`FAULTS`](super::FAULTS), and in `FUNCTION_FAULT`.
pub const FAULT: Register =
    register("FAULT", 0, Access::Ro, 0, FAULT_FIELDS, "First fault since the function's reset.");

const FAULT_FIELDS: &[Bits] = &[
    bits("reason", 0, 8, "number of the reason; 0 without a fault"),
    bits("virtqueue", 16, 16, "virtqueue of the function"),
];

const fn bits(name: &'static str, low: u32, width: u32, doc: &'static str) -> Bits {
    Bits { name, low, width, doc }
}

const fn register(
    name: &'static str,
    offset: u32,
    access: Access,
    reset: u32,
    fields: &'static [Bits],
    doc: &'static str,
) -> Register {
    Register { name, offset, count: 1, access, reset: Reset::Value(reset), fields, doc }
}

/// How long memory may take for a transfer; in block [`ENGINE`](super::ENGINE).
pub const DMA_TIMEOUT: Register = register(
    "DMA_TIMEOUT",
    0,
    Access::Rw,
    DMA_TIMEOUT_RESET,
    &[bits("units", 0, 16, "units of 16 µs in which memory has to answer; 0: for ever")],
    "Time in which memory has to answer, in units of 16 µs.",
);

/// What it is after power-up: 50 ms.
pub const DMA_TIMEOUT_RESET: u32 = 3125;

/// `mac`, bytes 0 to 3.
pub const FUNCTION_MAC_LO: Register =
    register("FUNCTION_MAC_LO", 0x00, Access::Rw, 0, WORD, "Bytes 0 to 3 of `mac`, byte 0 lowest.");
/// `mac`, bytes 4 and 5, and `status`.
pub const FUNCTION_MAC_HI: Register = register(
    "FUNCTION_MAC_HI",
    0x04,
    Access::Rw,
    0,
    &[bits("mac", 0, 16, "bytes 4 and 5"), bits("status", 16, 16, "`status` of the device configuration")],
    "Bytes 4 and 5 of `mac`, and `status`.",
);
/// `mtu`.
pub const FUNCTION_MTU: Register =
    register("FUNCTION_MTU", 0x08, Access::Rw, 0, &[bits("mtu", 0, 16, "`mtu` of the device configuration")], "`mtu`.");
/// Mask of the features offered.
pub const FUNCTION_FEATURES_LO: Register =
    register("FUNCTION_FEATURES_LO", 0x0c, Access::Rw, u32::MAX, WORD, "Mask of features 0 to 31.");
/// Mask of the features offered.
pub const FUNCTION_FEATURES_HI: Register =
    register("FUNCTION_FEATURES_HI", 0x10, Access::Rw, u32::MAX, WORD, "Mask of features 32 to 63.");
/// Lowest address that the function may touch.
pub const FUNCTION_FIRST_LO: Register =
    register("FUNCTION_FIRST_LO", 0x14, Access::Rw, 0, PAGES, "Lowest address that the function may touch.");
/// Lowest address that the function may touch.
pub const FUNCTION_FIRST_HI: Register = register("FUNCTION_FIRST_HI", 0x18, Access::Rw, 0, WORD, "Upper half of it.");
/// Highest address that the function may touch. Bits 11:0 read 1.
pub const FUNCTION_LAST_LO: Register =
    register("FUNCTION_LAST_LO", 0x1c, Access::Rw, u32::MAX, PAGES, "Highest such address; bits 11:0 read 1.");
/// Highest address that the function may touch.
pub const FUNCTION_LAST_HI: Register =
    register("FUNCTION_LAST_HI", 0x20, Access::Rw, u32::MAX, WORD, "Upper half of it.");
/// What the function's driver and its host have set.
pub const FUNCTION_STATE: Register = register(
    "FUNCTION_STATE",
    0x24,
    Access::Ro,
    0,
    &[bits("device_status", 0, 8, "`device_status`"), bits("bus_master", 8, 1, "the function may use its bus")],
    "State of the function.",
);
/// The function's [`FAULT`].
pub const FUNCTION_FAULT: Register =
    register("FUNCTION_FAULT", 0x28, Access::Ro, 0, FAULT_FIELDS, "The function's `FAULT`.");
/// Frames dropped for want of a buffer.
pub const FUNCTION_NO_BUFFER: Register =
    register("FUNCTION_NO_BUFFER", 0x2c, Access::Ro, 0, WORD, "Frames dropped for want of a buffer, modulo 2^32.");
/// Moderation of interrupts.
pub const FUNCTION_MODERATION: Register = register(
    "FUNCTION_MODERATION",
    0x30,
    Access::Rw,
    0,
    &[bits("clocks", 0, 24, "clocks between two messages of a vector, at least")],
    "Clocks between two messages of a vector, at least.",
);

/// Frames dropped for what their header asks for.
pub const FUNCTION_BAD_OFFLOAD: Register = register(
    "FUNCTION_BAD_OFFLOAD",
    0x34,
    Access::Ro,
    0,
    WORD,
    "Frames dropped because what their header asks for does not fit them, modulo 2^32.",
);

/// What the function's frames may be.
pub const FUNCTION_POLICY: Register = register(
    "FUNCTION_POLICY",
    0x38,
    Access::Rw,
    0,
    &[
        bits("vlan", 0, 12, "identifier of the function's VLAN; 0: none"),
        bits("priority", 13, 3, "priority of frames of the function in that VLAN"),
        bits("service", 16, 1, "type of that VLAN's tag: 0 is 0x8100, 1 is 0x88a8"),
        bits("spoof_check", 17, 1, "frames of the function have `mac` as their source"),
        bits("trust", 18, 1, "the function may change `mac`"),
    ],
    "What the function's frames may be.",
);

/// Frames dropped by [`FUNCTION_POLICY`].
pub const FUNCTION_REFUSED: Register =
    register("FUNCTION_REFUSED", 0x3c, Access::Ro, 0, WORD, "Frames dropped by the policy, modulo 2^32.");

/// How fast the function may send; in block [`LIMITS`](super::LIMITS).
pub const FUNCTION_RATE: Register = register(
    "FUNCTION_RATE",
    0x0,
    Access::Rw,
    0,
    &[bits("mbps", 0, 17, "Mb/s that the function may send; 0: as fast as it can")],
    "Rate of what the function sends, in Mb/s.",
);
/// How much it may send at once.
pub const FUNCTION_BURST: Register = register(
    "FUNCTION_BURST",
    0x4,
    Access::Rw,
    FUNCTION_BURST_RESET,
    &[bits("bytes", 0, 24, "bytes that a function that has sent nothing for a while may send at once")],
    "Bytes that the function may send at once.",
);
/// What it is after power-up.
pub const FUNCTION_BURST_RESET: u32 = 65_536;

/// Its share while functions have more to send than is read.
pub const FUNCTION_WEIGHT: Register = register(
    "FUNCTION_WEIGHT",
    0x8,
    Access::Rw,
    0,
    &[bits("weight", 0, 8, "weight of the function among those that send; 0: as 1")],
    "Weight of what the function sends.",
);
/// Bytes for each unit of weight, of which a function may send no more while others may send theirs.
pub const WEIGHT_BYTES: u64 = 4096;

/// Samples of what its policy drops.
pub const FUNCTION_SAMPLES: Register = register(
    "FUNCTION_SAMPLES",
    0xc,
    Access::Rw,
    0,
    &[bits(
        "interval",
        0,
        16,
        "units of time between two samples of frames that the function's policy drops; 0: there are none",
    )],
    "Time between two samples of frames that the function's policy drops.",
);

/// What the ECPF limits of a function (block [`LIMITS`](super::LIMITS)), in the order of the offsets.
pub const LIMIT_REGISTERS: [Register; 4] = [FUNCTION_RATE, FUNCTION_BURST, FUNCTION_WEIGHT, FUNCTION_SAMPLES];

const WORD: &[Bits] = &[bits("value", 0, 32, "the word")];
const PAGES: &[Bits] = &[bits("page", WINDOW_SHIFT, 32 - WINDOW_SHIFT, "number of the page of 4 KiB, lower part")];

/// What the ECPF sets of a function and sees of it (block [`FUNCTION`](super::FUNCTION)), in the order of the offsets.
pub const FUNCTION_REGISTERS: [Register; 16] = [
    FUNCTION_MAC_LO,
    FUNCTION_MAC_HI,
    FUNCTION_MTU,
    FUNCTION_FEATURES_LO,
    FUNCTION_FEATURES_HI,
    FUNCTION_FIRST_LO,
    FUNCTION_FIRST_HI,
    FUNCTION_LAST_LO,
    FUNCTION_LAST_HI,
    FUNCTION_STATE,
    FUNCTION_FAULT,
    FUNCTION_NO_BUFFER,
    FUNCTION_MODERATION,
    FUNCTION_BAD_OFFLOAD,
    FUNCTION_POLICY,
    FUNCTION_REFUSED,
];
