// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plain Rust for the tests of the match stage, written from "Match" in `docs/hardware.md`.

use num_bigint::BigUint;
use rust_hdl_core::prelude::*;

/// Words of a key, least significant first.
pub type Words = [u32; 15];

/// The words as a number on a signal of `N` bits.
pub fn key_bits<const N: usize>(words: &[u32]) -> Bits<N> {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes).into()
}

/// The four indices of a masked key.
pub fn table_hash(w: &[u32], seed: u32, s: usize) -> [usize; 4] {
    let xor =
        |step: u32, first: u32| (0..).zip(w).fold(0, |x, (i, word)| x ^ word.rotate_left((step * i + first) % 32));
    let (mut a, mut b) = (xor(7, 0), xor(11, 5));
    a = a.wrapping_add(seed);
    for _ in 0..5 {
        a = a.rotate_left(24).wrapping_add(b);
        b = b.rotate_left(3) ^ a;
    }
    [a, a >> 16, b, b >> 16].map(|x| x as usize & ((1 << s) - 1))
}

/// `key & mask`.
pub fn masked(key: &Words, mask: &Words) -> Words {
    std::array::from_fn(|i| key[i] & mask[i])
}

/// A rule as an answer: priority and rule id.
pub type Answer = Option<(u16, u16)>;

/// A valid entry: key or value, and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub key: Words,
    pub priority: u16,
    pub rule: u16,
}

/// A hash table of four ways.
#[derive(Clone, Debug)]
pub struct Table {
    pub mask: Words,
    pub seed: u32,
    pub enable: bool,
    pub slots: [Vec<Option<Entry>>; 4],
    pub s: usize,
}

impl Table {
    pub fn new(s: usize) -> Self {
        Self { mask: [0; 15], seed: 0, enable: false, slots: std::array::from_fn(|_| vec![None; 1 << s]), s }
    }

    pub fn lookup(&self, key: &Words) -> Answer {
        let key = masked(key, &self.mask);
        let index = table_hash(&key, self.seed, self.s);
        let mut ways = (0..4).filter_map(|way| self.slots[way][index[way]]);
        ways.find(|e| self.enable && e.key == key).map(|e| (e.priority, e.rule))
    }
}

/// A TCAM: value with its answer, and mask.
pub type TcamEntries = Vec<Option<(Entry, Words)>>;

/// The best of a TCAM's matches: highest priority, then the lowest entry.
pub fn tcam_lookup(entries: &TcamEntries, key: &Words) -> Answer {
    let mut best: Answer = None;
    for (entry, mask) in entries.iter().flatten() {
        if masked(key, mask) == masked(&entry.key, mask) && best.is_none_or(|b| entry.priority > b.0) {
            best = Some((entry.priority, entry.rule));
        }
    }
    best
}

/// The winner: highest priority; of equal ones the TCAM's, then the lowest table's.
pub fn select(tcam: Answer, tables: &[Answer]) -> Answer {
    let mut best = tcam;
    for hit in tables.iter().flatten() {
        if best.is_none_or(|b| hit.0 > b.0) {
            best = Some(*hit);
        }
    }
    best
}
