// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register map: the only place where a register's offset, access rule, reset value or field is written down.
//!
//! `build.rs` includes this file and derives the address constants (`addr`) and the volatile structs (`structs`) from it, so it
//! uses nothing but the standard library. What the registers do is in `docs/hardware.md`.

/// What a read and a write of a register do.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read-only: a write is answered with SLVERR and has no effect.
    Ro,
    /// Read-write: reads what was written, reserved bits excepted.
    Rw,
    /// Write 1 to clear: each bit written as 1 becomes 0; hardware sets it.
    W1c,
    /// Write-only: reads 0.
    Wo,
    /// Claim: reads what was written; a write takes effect only if the register is 0 and the value is not, or the other way
    /// round.
    Claim,
}

impl Access {
    /// The abbreviation of the reference page.
    pub const fn name(self) -> &'static str {
        match self {
            Access::Ro => "RO",
            Access::Rw => "RW",
            Access::W1c => "W1C",
            Access::Wo => "WO",
            Access::Claim => "CL",
        }
    }

    /// Whether a write is accepted.
    pub const fn writable(self) -> bool {
        !matches!(self, Access::Ro)
    }
}

/// What a register reads after reset.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// The same in every build.
    Value(u32),
    /// A property of the build (see `Config`).
    Build,
}

/// Bits of a register or of an operand.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    /// Lower case, unique in its register.
    pub name: &'static str,
    /// Position of the least significant bit.
    pub low: u32,
    /// Number of bits.
    pub width: u32,
    /// One line for the reference page.
    pub doc: &'static str,
}

impl Bits {
    /// The field's bits in a register word.
    pub const fn mask(&self) -> u32 {
        (u32::MAX >> (32 - self.width)) << self.low
    }

    /// The field's value in a register word.
    pub const fn get(&self, word: u32) -> u32 {
        (word & self.mask()) >> self.low
    }

    /// A register word that holds `value` in this field and 0 elsewhere; bits that do not fit are cut off.
    pub const fn place(&self, value: u32) -> u32 {
        (value << self.low) & self.mask()
    }
}

/// One register, or an array of equal ones.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    /// Upper case, as in `docs/hardware.md`.
    pub name: &'static str,
    /// Byte offset from the start of its block.
    pub offset: u32,
    /// Number of consecutive registers of this kind (1 if it is no array), 4 bytes apart.
    pub count: u32,
    /// What reads and writes do.
    pub access: Access,
    /// What it reads after reset.
    pub reset: Reset,
    /// All bits outside these fields are reserved: they read 0, and a write of them is ignored.
    pub fields: &'static [Bits],
    /// A sentence for the reference page.
    pub doc: &'static str,
}

impl Register {
    /// The bits that are not reserved.
    pub const fn mask(&self) -> u32 {
        let (mut mask, mut i) = (0, 0);
        while i < self.fields.len() {
            mask |= self.fields[i].mask();
            i += 1;
        }
        mask
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Bits> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// How often a block of registers repeats.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// Once.
    Once,
    /// Once per transmit queue: one for each vport, then one for upcalls.
    Queues,
}

/// Registers that lie together.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// Lower case.
    pub name: &'static str,
    /// Byte address of the first copy.
    pub base: u32,
    /// Bytes from one copy to the next (0 if there is one).
    pub stride: u32,
    /// How often it repeats.
    pub repeat: Repeat,
    /// In the order of their offsets.
    pub registers: &'static [Register],
    /// A sentence for the reference page.
    pub doc: &'static str,
}

/// Most vports a build can have: their queues, and that of upcalls, have 0x2000 bytes of addresses.
pub const MAX_VPORTS: u32 = 127;
/// Most transmit queues a build can have.
pub const MAX_QUEUES: u32 = MAX_VPORTS + 1;
/// Number of staging words, `DATA[i]`.
pub const DATA_WORDS: u32 = 64;
/// Bytes of address space; offsets are 16 bits.
pub const ADDRESS_SPACE: u32 = 0x1_0000;

const fn bits(name: &'static str, low: u32, width: u32, doc: &'static str) -> Bits {
    Bits { name, low, width, doc }
}

const fn register(
    name: &'static str,
    offset: u32,
    access: Access,
    reset: Reset,
    fields: &'static [Bits],
    doc: &'static str,
) -> Register {
    Register { name, offset, count: 1, access, reset, fields, doc }
}

use Access::{Claim, Ro, Rw, W1c, Wo};
use Reset::{Build, Value};

/// Registers that exist once.
pub const GLOBAL: &[Register] = &[
    register("ID", 0x0000, Ro, Value(0x4d49_4c4c), &[bits("id", 0, 32, "\"MILL\"")], "Tells a Millrace device."),
    register(
        "VERSION",
        0x0004,
        Ro,
        Value(0x0002_0000),
        &[
            bits("minor", 0, 16, "grows with additions that old software may ignore"),
            bits("major", 16, 16, "grows with changes that old software must refuse"),
        ],
        "Version of this register map.",
    ),
    register(
        "CONFIG0",
        0x0008,
        Ro,
        Build,
        &[
            bits("vports", 0, 8, "number of vports, V"),
            bits("uplinks", 8, 8, "how many of them are uplinks; these are the first"),
            bits("hash_tables", 16, 8, "number of hash tables, H"),
            bits("ways", 24, 8, "ways of each hash table"),
        ],
        "Sizes of the build.",
    ),
    register(
        "CONFIG1",
        0x000c,
        Ro,
        Build,
        &[
            bits("slot_bits", 0, 8, "S, log2 of the slots in a way of a hash table"),
            bits("tcam_entries", 16, 16, "number of TCAM entries, T"),
        ],
        "Sizes of the build.",
    ),
    register(
        "CONFIG2",
        0x0010,
        Ro,
        Build,
        &[bits("rule_ids", 0, 32, "number of rule ids: H·4·2^S + T, or a smaller power of two")],
        "Sizes of the build.",
    ),
    register(
        "CONFIG3",
        0x0014,
        Ro,
        Build,
        &[
            bits("bus_bytes", 0, 16, "bytes of a beat"),
            bits("continuation_steps", 16, 16, "number of continuation steps"),
        ],
        "Sizes of the build.",
    ),
    register(
        "SCRATCH",
        0x0018,
        Rw,
        Value(0),
        &[bits("value", 0, 32, "holds what is written")],
        "For software to try the bus with.",
    ),
    register(
        "EVENTS",
        0x001c,
        W1c,
        Value(0),
        &[
            bits(
                "bad_command",
                0,
                1,
                "unknown operation, or table, index, rule id or continuation step out of range; nothing was done",
            ),
            bits("command_while_busy", 1, 1, "a command was written while another ran, and was ignored"),
        ],
        "What software did wrong since the bit was cleared.",
    ),
    register(
        "AGE_EPOCH",
        0x0020,
        Rw,
        Value(1),
        &[bits("epoch", 0, 32, "stored with each hit of a rule")],
        "Clock of the ageing: software advances it, and a rule whose hit flag then stays 0 is idle.",
    ),
    register(
        "MATCHED",
        0x0024,
        Ro,
        Value(0),
        &[bits("frames", 0, 32, "modulo 2^32")],
        "Frames that have got the result of their lookup (frames without a lookup included).",
    ),
    register(
        "ACTED",
        0x0028,
        Ro,
        Value(0),
        &[bits("frames", 0, 32, "modulo 2^32")],
        "Frames whose action program has ended. A rule's id and steps are free when `ACTED` has reached what `MATCHED` was after its entry was cleared.",
    ),
    register(
        "CONFIG4",
        0x002c,
        Ro,
        Build,
        &[
            bits("max_frame", 0, 16, "longest frame in bytes, without FCS"),
            bits("header_clocks", 16, 8, "clocks from one frame's header to the next, at least"),
            bits("further_passes", 24, 8, "lookups of a frame after its first, at most"),
        ],
        "Sizes of the build.",
    ),
    register(
        "OWNER",
        0x0030,
        Claim,
        Value(0),
        &[bits("owner", 0, 32, "a number that the owner chose, the same each time it starts; 0: nobody")],
        "Who uses the tables and the command interface. To hand them over, software writes 0 first.",
    ),
    register(
        "GENERATION",
        0x0034,
        Ro,
        Value(0),
        &[
            bits("generation", 0, 16, "changes of `OWNER` and commands `CLEAR_TABLES` since reset, modulo 2^16"),
            bits("written", 31, 1, "a table or step has been written since the tables were cleared"),
        ],
        "Whether the tables are still those that their owner knows.",
    ),
    register(
        "CONFIG5",
        0x0038,
        Ro,
        Build,
        &[
            bits("key_words", 0, 8, "words of the key, K"),
            bits("step_words", 8, 8, "words of an action step"),
            bits("window_bytes", 16, 16, "bytes of the header window: what the parser looks at, and edits reach"),
        ],
        "Sizes of the build.",
    ),
    register(
        "COMMAND",
        0x0040,
        Wo,
        Value(0),
        &[
            bits("op", 0, 4, "operation, see the commands"),
            bits("table", 8, 8, "hash table, for the commands that take one"),
        ],
        "A write starts the command. Only while `STATUS` reads 0.",
    ),
    register(
        "INDEX",
        0x0044,
        Rw,
        Value(0),
        &[bits("index", 0, 32, "what the command works on, see the commands")],
        "Operand of the next command.",
    ),
    register(
        "STATUS",
        0x0048,
        Ro,
        Value(0),
        &[bits("busy", 0, 1, "a command is running, or the tables are being cleared after reset")],
        "State of the command interface.",
    ),
    register(
        "COUNTER_PACKETS_LO",
        0x0050,
        Ro,
        Value(0),
        &[bits("packets", 0, 32, "frames, bits 31:0")],
        "Result of the last counter read.",
    ),
    register(
        "COUNTER_PACKETS_HI",
        0x0054,
        Ro,
        Value(0),
        &[bits("packets", 0, 32, "frames, bits 63:32")],
        "Result of the last counter read.",
    ),
    register(
        "COUNTER_BYTES_LO",
        0x0058,
        Ro,
        Value(0),
        &[bits("bytes", 0, 32, "bytes as received, bits 31:0")],
        "Result of the last counter read.",
    ),
    register(
        "COUNTER_BYTES_HI",
        0x005c,
        Ro,
        Value(0),
        &[bits("bytes", 0, 32, "bytes as received, bits 63:32")],
        "Result of the last counter read.",
    ),
    register(
        "COUNTER_EPOCH",
        0x0060,
        Ro,
        Value(0),
        &[bits("epoch", 0, 32, "`AGE_EPOCH` at the rule's last hit")],
        "Result of the last counter read.",
    ),
    register(
        "COUNTER_FLAGS",
        0x0064,
        Ro,
        Value(0),
        &[bits("hit", 0, 1, "the rule was hit in the present epoch")],
        "Result of the last counter read.",
    ),
    Register {
        name: "DATA",
        offset: 0x0100,
        count: DATA_WORDS,
        access: Rw,
        reset: Value(0),
        fields: &[bits("word", 0, 32, "see the commands")],
        doc: "Staging words of a command. They keep their values from one command to the next; `CLEAR_TABLES` makes them 0. Those that no command of the build uses read 0, and a write of them is ignored.",
    },
];

/// Registers of one transmit queue.
pub const QUEUE: &[Register] = &[
    register(
        "QUEUE_CTRL",
        0x00,
        Rw,
        Value(0),
        &[bits(
            "drop_when_full",
            0,
            1,
            "0: a full queue stops the pipeline; 1: a frame that does not fit whole is dropped",
        )],
        "Mode of the queue.",
    ),
    register(
        "QUEUE_PACKETS_LO",
        0x08,
        Ro,
        Value(0),
        &[bits("packets", 0, 32, "frames, bits 31:0")],
        "Frames accepted into the queue. A read latches `QUEUE_PACKETS_HI`.",
    ),
    register(
        "QUEUE_PACKETS_HI",
        0x0c,
        Ro,
        Value(0),
        &[bits("packets", 0, 32, "frames, bits 63:32")],
        "As of the last read of `QUEUE_PACKETS_LO`.",
    ),
    register(
        "QUEUE_BYTES_LO",
        0x10,
        Ro,
        Value(0),
        &[bits("bytes", 0, 32, "bytes, bits 31:0")],
        "Bytes accepted into the queue. A read latches `QUEUE_BYTES_HI`.",
    ),
    register(
        "QUEUE_BYTES_HI",
        0x14,
        Ro,
        Value(0),
        &[bits("bytes", 0, 32, "bytes, bits 63:32")],
        "As of the last read of `QUEUE_BYTES_LO`.",
    ),
    register(
        "QUEUE_DROPS_LO",
        0x18,
        Ro,
        Value(0),
        &[bits("drops", 0, 32, "frames, bits 31:0")],
        "Frames dropped because the queue was full. A read latches `QUEUE_DROPS_HI`.",
    ),
    register(
        "QUEUE_DROPS_HI",
        0x1c,
        Ro,
        Value(0),
        &[bits("drops", 0, 32, "frames, bits 63:32")],
        "As of the last read of `QUEUE_DROPS_LO`.",
    ),
];

/// The whole map, in the order of addresses.
pub const BLOCKS: &[Block] = &[
    Block {
        name: "global",
        base: 0,
        stride: 0,
        repeat: Repeat::Once,
        registers: GLOBAL,
        doc: "Identity, build, events, and the command interface to tables and counters.",
    },
    Block {
        name: "queue",
        base: 0x1000,
        stride: 0x40,
        repeat: Repeat::Queues,
        registers: QUEUE,
        doc: "One copy per transmit queue q = 0 … V: a queue for each vport, and V for upcalls.",
    },
];
