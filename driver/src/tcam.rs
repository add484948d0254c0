// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which rule lies in which entry of the TCAM.

use crate::commands::KeyWords;

/// The entries of the TCAM.
pub(crate) struct Tcam {
    entries: Vec<Option<Entry>>,
    rules: usize,
}

/// What an entry holds.
#[derive(Copy, Clone)]
pub(crate) struct Entry {
    pub rule: u16,
    pub value: KeyWords,
    pub mask: KeyWords,
}

impl Tcam {
    pub fn new(entries: usize) -> Self {
        Self { entries: vec![None; entries], rules: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub fn len(&self) -> usize {
        self.rules
    }

    pub fn vacant(&self) -> Option<u32> {
        self.entries.iter().position(Option::is_none).map(|entry| entry as u32)
    }

    /// The rule with this value and mask.
    pub fn find(&self, value: &KeyWords, mask: &KeyWords) -> Option<u16> {
        let same = |entry: &&Entry| entry.value == *value && entry.mask == *mask;
        self.entries.iter().flatten().find(same).map(|entry| entry.rule)
    }

    pub fn get(&self, entry: u32) -> Option<&Entry> {
        self.entries[entry as usize].as_ref()
    }

    pub fn put(&mut self, entry: u32, content: Entry) {
        debug_assert!(self.entries[entry as usize].is_none());
        self.entries[entry as usize] = Some(content);
        self.rules += 1;
    }

    pub fn remove(&mut self, entry: u32) {
        debug_assert!(self.entries[entry as usize].is_some());
        self.entries[entry as usize] = None;
        self.rules -= 1;
    }
}
