// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vectors of a function: their table, their pending bits, and the messages they give.

use super::HostModel;
use super::word::merge;
use millrace_regs::host::{NO_VECTOR, VECTOR_MASKED, msix};
use std::collections::BTreeSet;

/// A message of stream `interrupt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Whose.
    pub function: usize,
    /// Vector of the function.
    pub vector: u16,
    /// Where the message is written.
    pub address: u64,
    /// What is written.
    pub data: u32,
}

const ADDRESS: u32 = msix::MESSAGE_ADDRESS.word();
const ADDRESS_HIGH: u32 = ADDRESS + 4;
const DATA: u32 = msix::MESSAGE_DATA.word();
/// Bits of a message's address that are always 0.
const BELOW: u64 = 3;

struct Entry {
    address: u64,
    data: u32,
    masked: bool,
}

/// The vectors of a function.
pub(super) struct Msix {
    pub enabled: bool,
    /// The function as a whole.
    pub masked: bool,
    entries: Vec<Entry>,
    pending: BTreeSet<u16>,
}

impl Msix {
    /// After power-up, with this many vectors.
    pub fn new(vectors: usize) -> Self {
        let entries = (0..vectors).map(|_| Entry { address: 0, data: 0, masked: true }).collect();
        Self { enabled: false, masked: false, entries, pending: BTreeSet::new() }
    }

    /// What a field holds into which `vector` is written.
    pub fn known(&self, vector: u16) -> u16 {
        if usize::from(vector) < self.entries.len() { vector } else { NO_VECTOR }
    }

    /// There is such an entry.
    pub fn has(&self, vector: usize) -> bool {
        vector < self.entries.len()
    }

    /// A word of an entry.
    pub fn read(&self, vector: usize, offset: u32) -> u32 {
        let entry = &self.entries[vector];
        match offset {
            ADDRESS => entry.address as u32,
            ADDRESS_HIGH => (entry.address >> 32) as u32,
            DATA => entry.data,
            _ => u32::from(entry.masked) * VECTOR_MASKED,
        }
    }

    /// Writes bytes of a word of an entry.
    pub fn write(&mut self, vector: usize, offset: u32, data: u32, strobe: u8) {
        let word = merge(self.read(vector, offset), data, strobe);
        let entry = &mut self.entries[vector];
        match offset {
            ADDRESS => entry.address = (entry.address & !0xffff_ffff | u64::from(word)) & !BELOW,
            ADDRESS_HIGH => entry.address = entry.address & 0xffff_ffff | u64::from(word) << 32,
            DATA => entry.data = word,
            _ => entry.masked = word & VECTOR_MASKED != 0,
        }
    }

    /// The pending bits of 32 vectors from one on.
    pub fn pending_bits(&self, from: usize) -> u32 {
        (0..32).filter(|i| self.pending.contains(&((from + i) as u16))).fold(0, |bits, i| bits | 1 << i)
    }

    /// Nothing is pending any more.
    pub fn calm(&mut self) {
        self.pending.clear();
    }

    /// Takes the pending vectors that are not masked, with what their entries hold.
    fn take(&mut self) -> Vec<(u16, u64, u32)> {
        if !self.enabled || self.masked {
            return vec![];
        }
        let entries = &self.entries;
        let free = |vector: &u16| !entries[usize::from(*vector)].masked;
        let taken: Vec<u16> = self.pending.iter().copied().filter(free).collect();
        self.pending.retain(|vector| !taken.contains(vector));
        let message = |vector: u16| {
            let entry = &self.entries[usize::from(vector)];
            (vector, entry.address, entry.data)
        };
        taken.into_iter().map(message).collect()
    }
}

impl HostModel {
    /// Inputs `msix_enable` and `msix_mask`, bit f.
    pub fn set_msix(&mut self, function: usize, enabled: bool, masked: bool) {
        let msix = &mut self.functions[function].msix;
        (msix.enabled, msix.masked) = (enabled, masked);
        self.give(function);
    }

    /// An interrupt of a vector.
    pub(super) fn interrupt(&mut self, function: usize, vector: u16) {
        if vector != NO_VECTOR {
            self.functions[function].msix.pending.insert(vector);
            self.give(function);
        }
    }

    /// Gives the messages that may be given. One that waits to be taken is not given twice.
    pub(super) fn give(&mut self, function: usize) {
        if !self.functions[function].bus_master {
            return;
        }
        for (vector, address, data) in self.functions[function].msix.take() {
            let interrupt = Interrupt { function, vector, address, data };
            if !self.interrupts.contains(&interrupt) {
                self.interrupts.push_back(interrupt);
            }
        }
    }
}
