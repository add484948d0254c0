// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule as the rule manager's callers see it.

use crate::DeviceError;
use millrace_regs::{Key, Mask, Step};
use std::fmt;

/// A rule that was inserted. It also names the rule's action slot and counter in the device.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    pub(crate) number: u16,
    /// Tells rules that had the same number one after the other.
    pub(crate) generation: u32,
}

impl RuleId {
    /// The rule id in the device's tables.
    pub fn number(self) -> u16 {
        self.number
    }

    /// All that tells it from others, of which none is 0.
    pub fn to_bits(self) -> u64 {
        1 << 63 | u64::from(self.generation) << 16 | u64::from(self.number)
    }

    /// The rule of which these are [`to_bits`](Self::to_bits); none if they are of no rule.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let rule = Self { number: bits as u16, generation: (bits >> 16) as u32 };
        (rule.to_bits() == bits).then_some(rule)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// A rule to be inserted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleSpec {
    /// What the bits under the mask must be; other bits are not looked at.
    pub key: Key,
    /// Which bits are looked at.
    pub mask: Mask,
    /// The matching rule with the highest wins. Of equal ones the TCAM's, then the one in the lower table or entry.
    pub priority: u16,
    /// Where it may lie.
    pub placement: Placement,
}

/// Where a rule may lie.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In a hash table; in the TCAM, if none has room.
    #[default]
    Auto,
    /// In a hash table of the rule's mask, or a free one that then gets this mask.
    Hash,
    /// In the TCAM.
    Tcam,
}

/// What [`Rules::choose`](crate::Rules::choose) says of a mask.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The mask under which rules of that mask go in: it, or one that looks at more.
    pub mask: Mask,
    /// Where they go under it.
    pub placement: Placement,
}

/// Where a rule lies.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a hash table.
    Hash {
        /// Number of the table.
        table: u8,
        /// way << S | slot.
        slot: u32,
    },
    /// In the TCAM.
    Tcam {
        /// Number of the entry.
        entry: u32,
    },
}

/// A rule in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The rule.
    pub id: RuleId,
    /// Its key, masked.
    pub key: Key,
    /// Its mask.
    pub mask: Mask,
    /// Its priority.
    pub priority: u16,
    /// Where it lies.
    pub place: Place,
    /// Its action program.
    pub program: Vec<Step>,
}

/// Why an operation on rules was not carried out. All rules are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A rule with this key and mask is there already, in the kind of table asked for.
    #[error("rule {0} has the same key and mask")]
    Duplicate(RuleId),
    /// The tables of this mask have no room for this key, and no table is free.
    #[error(
        "hash table {table} is full: {rules} rules in {capacity} slots, none that the key can have is free or can be freed"
    )]
    TableFull {
        /// Number of the table; the last, if several have this mask.
        table: u8,
        /// Rules in it.
        rules: usize,
        /// Slots in it.
        capacity: usize,
    },
    /// No table has this mask, and none is free to take it.
    #[error("no hash table has this mask, and all {tables} have another")]
    NoFreeTable {
        /// Number of hash tables.
        tables: usize,
    },
    /// The TCAM has no room.
    #[error("the TCAM is full: {capacity} rules")]
    TcamFull {
        /// Number of entries.
        capacity: usize,
    },
    /// Each rule id is in use, or was so recently that packets in the device may refer to it.
    #[error(
        "no rule id to be had: of {capacity}, {resting} are free, but packets in the device may still refer to them"
    )]
    NoRuleId {
        /// Ids that will be free when the packets that are in the device have left it.
        resting: usize,
        /// All ids.
        capacity: usize,
    },
    /// Too few continuation steps are free, or they were in use so recently that packets in the device may refer to them.
    #[error(
        "the program needs {needed} continuation steps: {free} of {capacity} are free, with those that packets in the device may still refer to"
    )]
    NoSteps {
        /// Steps after the first.
        needed: usize,
        /// Free ones, with those that packets in the device may still refer to.
        free: usize,
        /// All continuation steps.
        capacity: usize,
    },
    /// A program needs a step.
    #[error("the action program has no step")]
    EmptyProgram,
    /// The device has fewer continuation steps in all.
    #[error("the action program has {steps} steps, the device holds at most {most}")]
    ProgramTooLong {
        /// Steps of the program.
        steps: usize,
        /// Steps of the longest possible program.
        most: usize,
    },
    /// At most two tags can be popped, at most two pushed.
    #[error("step {step} of the action program pops or pushes more than two VLAN tags")]
    TooManyTags {
        /// Position in the program, from 0.
        step: usize,
    },
    /// The rule is for packets with metadata or of a later pass, or has packets looked up again.
    #[error("the device looks packets up once: no packet has metadata or a later pass, and no step looks again")]
    OnePass,
    /// The caller of [`Rules::insert_if`](crate::Rules::insert_if) did not want it any more.
    #[error("the rule was held back")]
    HeldBack,
    /// The rule was deleted.
    #[error("there is no rule {0} any more")]
    NoSuchRule(RuleId),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl RuleError {
    /// Whether tables have no room, which another table may have.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::TableFull { .. } | Self::NoFreeTable { .. } | Self::TcamFull { .. })
    }
}
