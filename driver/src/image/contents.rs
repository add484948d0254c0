// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image holds, taken apart.

use super::Layout;
use crate::words::{KeyWords, StepWords};
use millrace_regs::{DATA_KEY, DATA_RULE, DATA_SEED, DATA_VALID};
use std::ops::Range;

/// What a slot of a hash table or an entry of the TCAM holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub rule: u32,
    pub priority: u16,
    /// Key of a slot, value of a TCAM entry.
    pub key: KeyWords,
}

impl Entry {
    /// The number of its rule, if it is below `ids`.
    pub fn number(&self, ids: usize) -> Option<u16> {
        u16::try_from(self.rule).ok().filter(|number| usize::from(*number) < ids)
    }

    /// Whether its key has no bit that this mask leaves out.
    pub fn is_under(&self, mask: &KeyWords) -> bool {
        self.key.iter().zip(mask).all(|(key, mask)| key & !mask == 0)
    }
}

/// The words of an image.
pub(crate) struct Contents {
    layout: Layout,
    words: Vec<u32>,
}

impl Contents {
    pub fn new(layout: Layout, words: Vec<u32>) -> Self {
        Self { layout, words }
    }

    /// Mask and seed of a hash table that was given one.
    pub fn mask(&self, table: usize) -> Option<(KeyWords, u32)> {
        let data = &self.words[self.layout.mask(table)];
        (data[DATA_VALID] & 1 != 0).then(|| (self.key(data, DATA_KEY), data[DATA_SEED]))
    }

    /// What is in a hash table, by slot.
    pub fn slots(&self, table: usize) -> impl Iterator<Item = (u32, Entry)> {
        let entry = move |slot| self.entry(self.layout.slot(table, slot as usize));
        (0..self.layout.slots as u32).filter_map(move |slot| Some((slot, entry(slot)?)))
    }

    /// What is in the TCAM: entry, content, mask.
    pub fn tcam(&self) -> impl Iterator<Item = (usize, Entry, KeyWords)> {
        let mask = |at: Range<usize>| self.key(&self.words[at], DATA_KEY + self.layout.lengths.key);
        (0..self.layout.tcam).filter_map(move |n| {
            let at = self.layout.tcam_entry(n);
            Some((n, self.entry(at.clone())?, mask(at)))
        })
    }

    fn entry(&self, at: Range<usize>) -> Option<Entry> {
        let data = &self.words[at];
        (data[DATA_VALID] & 1 != 0).then(|| Entry {
            rule: data[DATA_RULE],
            priority: (data[DATA_VALID] >> 16) as u16,
            key: self.key(data, DATA_KEY),
        })
    }

    /// The key, or mask, of a command's words.
    fn key(&self, data: &[u32], first: usize) -> KeyWords {
        words(&data[first..][..self.layout.lengths.key])
    }

    /// A rule's first step.
    pub fn action(&self, rule: usize) -> StepWords {
        words(&self.words[self.layout.action(rule)])
    }

    /// A continuation step.
    pub fn step(&self, step: usize) -> StepWords {
        words(&self.words[self.layout.step(step)])
    }

    /// The whole key that a rule was inserted with.
    pub fn given(&self, rule: usize) -> KeyWords {
        words(&self.words[self.layout.given(rule)])
    }
}

/// The driver's words of a key or step; what either has behind the other's is zero.
fn words<const N: usize>(all: &[u32]) -> [u32; N] {
    std::array::from_fn(|i| all.get(i).copied().unwrap_or(0))
}
