// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where what lies in the file of an image.

use millrace_regs::config::Config;
use millrace_regs::{Command, DATA_KEY, Key, Lengths};
use std::ops::Range;

/// Bytes of a word: little-endian.
pub(crate) const WORD: usize = 4;
/// Words before the first area: header and the command under way.
pub(crate) const AREAS_AT: usize = 128;

/// The areas of a device of some size, one behind the other, in words. A place of the device's tables holds there the `DATA` words of the
/// last command that wrote it; zeros are what `CLEAR_TABLES` leaves.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub lengths: Lengths,
    pub tables: usize,
    /// Slots of each table.
    pub slots: usize,
    pub tcam: usize,
    pub rules: usize,
    pub steps: usize,
}

impl Layout {
    pub fn of(config: &Config, lengths: Lengths) -> Self {
        Self {
            lengths,
            tables: config.hash_tables,
            slots: config.table_rules(),
            tcam: config.tcam_entries,
            rules: config.rule_ids(),
            steps: config.steps(),
        }
    }

    /// The words of what a command writes; none of a command that writes no table.
    pub fn place(&self, command: Command, table: u8, index: u32) -> Option<Range<usize>> {
        let index = index as usize;
        Some(match command {
            Command::WriteMask => self.mask(table.into()),
            Command::WriteEntry => self.slot(table.into(), index),
            Command::WriteTcam => self.tcam_entry(index),
            Command::WriteAction => self.action(index),
            Command::WriteStep => self.step(index),
            Command::ReadRuleCounter | Command::ReadVerdictCounter | Command::ClearTables => return None,
        })
    }

    fn keyed(&self) -> usize {
        DATA_KEY + self.lengths.key
    }

    /// A hash table's mask.
    pub fn mask(&self, table: usize) -> Range<usize> {
        nth(AREAS_AT, table, self.keyed())
    }

    /// A hash table's slot.
    pub fn slot(&self, table: usize, slot: usize) -> Range<usize> {
        nth(self.mask(self.tables).start, table * self.slots + slot, self.keyed())
    }

    pub fn tcam_entry(&self, entry: usize) -> Range<usize> {
        nth(self.slot(self.tables, 0).start, entry, self.keyed() + self.lengths.key)
    }

    /// A rule's first step.
    pub fn action(&self, rule: usize) -> Range<usize> {
        nth(self.tcam_entry(self.tcam).start, rule, self.lengths.step)
    }

    /// A continuation step.
    pub fn step(&self, step: usize) -> Range<usize> {
        nth(self.action(self.rules).start, step, self.lengths.step)
    }

    /// The whole key that a rule was inserted with: no part of the device's tables.
    pub fn given(&self, rule: usize) -> Range<usize> {
        nth(self.step(self.steps).start, rule, Key::WORDS)
    }

    /// Words of the file.
    pub fn words(&self) -> usize {
        self.given(self.rules).start
    }
}

fn nth(start: usize, n: usize, words: usize) -> Range<usize> {
    let at = start + n * words;
    at..at + words
}
