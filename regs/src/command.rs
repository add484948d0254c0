// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands that `COMMAND` starts, and where their operands lie (`docs/hardware.md`, "Registers").

use crate::map::DATA_WORDS;
use crate::{Key, Lengths, Step};

/// Where an operand of a command is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The `table` field of `COMMAND`.
    Table,
    /// The `INDEX` register.
    Index,
    /// These bits of the staging words, counted from bit 0 of `DATA[word]`.
    Data {
        /// First staging word.
        word: u32,
        /// Lowest bit, counted from bit 0 of that word.
        low: u32,
        /// Number of bits.
        width: u32,
    },
}

/// An operand of a command.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Lower case.
    pub name: &'static str,
    /// Where it is written.
    pub place: Place,
    /// For the reference page.
    pub doc: &'static str,
}

/// The operations of `COMMAND`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Command {
    /// Writes a slot of a hash table.
    WriteEntry = 1,
    /// Writes a hash table's mask, seed and enable bit.
    WriteMask = 2,
    /// Writes an entry of the TCAM.
    WriteTcam = 3,
    /// Writes the first step of a rule's program.
    WriteAction = 4,
    /// Writes a continuation step.
    WriteStep = 5,
    /// Reads a rule's counters.
    ReadRuleCounter = 6,
    /// Reads a verdict counter of a vport.
    ReadVerdictCounter = 7,
    /// Clears all tables, steps and counters. (8 is kept for one that reads an entry.)
    ClearTables = 9,
}

/// `DATA` word whose bit 0 is a slot's or TCAM entry's valid bit, or a table's enable bit. A priority is in its upper half.
pub const DATA_VALID: usize = 0;
/// `DATA` word of a slot's or TCAM entry's rule id.
pub const DATA_RULE: usize = 1;
/// `DATA` word of a table's seed.
pub const DATA_SEED: usize = 1;
/// First `DATA` word of a key, a value, or a table's mask. A TCAM entry's mask is behind its value.
pub const DATA_KEY: usize = 2;
/// Words of the longest key that the staging words have room for.
pub const MAX_KEY_WORDS: usize = (DATA_WORDS as usize - DATA_KEY) / 2;
/// Words of the longest step.
pub const MAX_STEP_WORDS: usize = DATA_WORDS as usize - DATA_KEY;
const _: () = assert!(Key::WORDS <= MAX_KEY_WORDS && Step::WORDS <= MAX_STEP_WORDS);

const fn data(name: &'static str, word: usize, low: u32, width: u32, doc: &'static str) -> Operand {
    Operand { name, place: Place::Data { word: word as u32, low, width }, doc }
}

const TABLE: Operand = Operand { name: "table", place: Place::Table, doc: "hash table" };
const PRIORITY: Operand = data("priority", DATA_VALID, 16, 16, "the highest wins");
const RULE: Operand = data(
    "rule",
    DATA_RULE,
    0,
    32,
    "rule id: selects the action program and the counters; not looked at if `valid` is 0",
);
const RULE_INDEX: Operand = Operand { name: "rule", place: Place::Index, doc: "rule id" };

impl Command {
    /// All of them, in the order of their numbers.
    pub const ALL: &[Command] = &[
        Command::WriteEntry,
        Command::WriteMask,
        Command::WriteTcam,
        Command::WriteAction,
        Command::WriteStep,
        Command::ReadRuleCounter,
        Command::ReadVerdictCounter,
        Command::ClearTables,
    ];

    /// The word to write to `COMMAND`. `table` is ignored by commands that take none.
    pub const fn word(self, table: u8) -> u32 {
        self as u32 | (table as u32) << 8
    }

    /// From the `op` field of `COMMAND`.
    pub const fn from_op(op: u32) -> Option<Command> {
        let mut i = 0;
        while i < Command::ALL.len() {
            if Command::ALL[i] as u32 == op {
                return Some(Command::ALL[i]);
            }
            i += 1;
        }
        None
    }

    /// As in `docs/hardware.md`.
    pub const fn name(self) -> &'static str {
        match self {
            Command::WriteEntry => "WRITE_ENTRY",
            Command::WriteMask => "WRITE_MASK",
            Command::WriteTcam => "WRITE_TCAM",
            Command::WriteAction => "WRITE_ACTION",
            Command::WriteStep => "WRITE_STEP",
            Command::ReadRuleCounter => "READ_RULE_COUNTER",
            Command::ReadVerdictCounter => "READ_VERDICT_COUNTER",
            Command::ClearTables => "CLEAR_TABLES",
        }
    }

    /// For the reference page.
    pub const fn doc(self) -> &'static str {
        match self {
            Command::WriteEntry => "Writes a slot of a hash table.",
            Command::WriteMask => {
                "Writes a hash table's mask, seed and enable bit. Only while the table holds no valid slot."
            }
            Command::WriteTcam => {
                "Writes an entry of the TCAM. While it is rewritten the entry does not match: software writes a new entry \
                 first, then clears the old."
            }
            Command::WriteAction => "Writes the first step of a rule's action program.",
            Command::WriteStep => "Writes a continuation step.",
            Command::ReadRuleCounter => "Reads a rule's counters into `COUNTER_*`.",
            Command::ReadVerdictCounter => "Reads a verdict counter into `COUNTER_*`.",
            Command::ClearTables => {
                "Clears all hash tables, the TCAM, all steps, and the counters of rules and verdicts, once the frames before it \
                 have left them. Also `DATA`, which cannot be written meanwhile."
            }
        }
    }

    /// The operands in builds with keys and steps of these lengths, table and index first.
    pub fn operands(self, lengths: Lengths) -> Vec<Operand> {
        let key = |name, doc| data(name, DATA_KEY, 0, 32 * lengths.key as u32, doc);
        let step = data("step", 0, 0, 32 * lengths.step as u32, "see the action step");
        match self {
            Command::WriteEntry => vec![
                TABLE,
                Operand { name: "slot", place: Place::Index, doc: "way << S | slot" },
                data("valid", DATA_VALID, 0, 1, "0 frees the slot"),
                PRIORITY,
                RULE,
                key("key", "the masked key"),
            ],
            Command::WriteMask => vec![
                TABLE,
                data("enable", DATA_VALID, 0, 1, "0: nothing in this table matches"),
                data("seed", DATA_SEED, 0, 32, "seed of the table's hash"),
                key("mask", "1 = the bit is looked at"),
            ],
            Command::WriteTcam => vec![
                Operand { name: "entry", place: Place::Index, doc: "TCAM entry" },
                data("valid", DATA_VALID, 0, 1, "0 frees the entry"),
                PRIORITY,
                RULE,
                key("value", "what the looked-at bits of the key must be"),
                data("mask", DATA_KEY + lengths.key, 0, 32 * lengths.key as u32, "1 = the bit is looked at"),
            ],
            Command::WriteAction => vec![RULE_INDEX, step],
            Command::WriteStep => {
                vec![Operand { name: "step_number", place: Place::Index, doc: "continuation step" }, step]
            }
            Command::ReadRuleCounter => vec![RULE_INDEX],
            Command::ReadVerdictCounter => vec![Operand {
                name: "counter",
                place: Place::Index,
                doc: "vport · 16 + verdict; vport V stands for those that do not exist",
            }],
            Command::ClearTables => vec![],
        }
    }

    /// Whether it changes what a table or a step holds.
    pub const fn writes(self) -> bool {
        match self {
            Command::WriteEntry
            | Command::WriteMask
            | Command::WriteTcam
            | Command::WriteAction
            | Command::WriteStep => true,
            Command::ReadRuleCounter | Command::ReadVerdictCounter | Command::ClearTables => false,
        }
    }
}

/// `DATA[0]` of a valid slot or TCAM entry.
pub const fn valid_entry(priority: u16) -> u32 {
    1 | (priority as u32) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_fit_the_staging_words_and_do_not_overlap() {
        assert_eq!((MAX_KEY_WORDS, MAX_STEP_WORDS), (31, 62));
        assert_eq!([Lengths::ONE_PASS, Lengths::FULL].map(|lengths| lengths.staged()), [32, 40]);
        for (command, lengths) in Command::ALL.iter().flat_map(|c| [(c, Lengths::ONE_PASS), (c, Lengths::FULL)]) {
            let mut used = vec![false; 32 * lengths.staged()];
            for operand in command.operands(lengths) {
                let Place::Data { word, low, width } = operand.place else { continue };
                for bit in 32 * word + low..32 * word + low + width {
                    assert!(!std::mem::replace(&mut used[bit as usize], true), "{} {}", command.name(), operand.name);
                }
            }
        }
    }

    #[test]
    fn every_op_round_trips() {
        for &command in Command::ALL {
            assert_eq!(Command::from_op(command.word(0xff) & 0xf), Some(command));
        }
        assert_eq!([0, 8, 10, 15].map(Command::from_op), [None; 4]);
    }
}
