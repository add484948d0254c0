// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in one place after the other.

use super::hash_table_in_turn::HashTableInTurn;
use super::select::Select;
use super::tcam_in_turn::TcamInTurn;
use super::types::{Hit, Slot, TableWrite};
use rust_hdl_core::prelude::*;

/// Like `Lookup`, but for keys at least [`CLOCKS`](Self::CLOCKS) clocks apart, each announced by `valid`: every way of a hash table and
/// every TCAM entry has a clock of its own, so that one comparison serves all of them. `U` = S + 2, `B` = log2(T).
///
/// `best` comes [`LATENCY`](Self::LATENCY) clocks after `key` and `valid`. `command` is carried out by the table that it is for in a
/// clock with `start`; one that clears, by all tables.
#[millrace_hdl::block]
pub struct LookupInTurn<const S: usize, const U: usize, const T: usize, const B: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Stays until the next one.
    pub key: Signal<In, Bits<480>>,
    pub valid: Signal<In, Bit>,
    pub best: Signal<Out, Hit>,
    pub start: Signal<In, Bit>,
    pub command: Signal<In, TableWrite>,
    table: Vec<HashTableInTurn<S, U>>,
    tcam: TcamInTurn<T, B>,
    select: Select,
    _tables: usize,
}

#[millrace_hdl::block]
impl<const S: usize, const U: usize, const T: usize, const B: usize> LookupInTurn<S, U, T, B> {
    /// Clocks from one key to the next, at least.
    pub const CLOCKS: usize = 24;
    /// Clocks from `key` to `best` with so many hash tables: these, later than the TCAM, and the choices.
    pub const fn latency(tables: usize) -> usize {
        HashTableInTurn::<S, U>::LATENCY + Select::tree_latency(tables) + 1
    }

    /// With this many hash tables, all of them disabled and empty. (`Default` has none.)
    ///
    /// # Panics
    /// If the TCAM's hit does not last until those of the tables are there (more than eight tables).
    pub fn new(tables: usize) -> Self {
        let ready = Self::latency(tables) - 1;
        let lasts = TcamInTurn::<T, B>::LATENCY..=Self::CLOCKS + 2;
        assert!(lasts.contains(&ready), "{tables} hash tables are too many");
        Self {
            table: (0..tables).map(|_| HashTableInTurn::new()).collect(),
            tcam: TcamInTurn::new(),
            select: Select::new(tables),
            _tables: tables,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let clears = self.start & self.command.clear;
        let empty = self.reset | clears;
        self.tcam.reset = empty;
        let data = self.command.data;
        let mut slot = Slot::default();
        slot.key = data.get_bits::<480>(0);
        slot.priority = data.get_bits::<16>(480);
        slot.rule = data.get_bits::<16>(496);
        slot.valid = data.get_bit(512);
        let mut answer = Hit::default();
        answer.hit = data.get_bit(512);
        answer.priority = data.get_bits::<16>(480);
        answer.rule = data.get_bits::<16>(496);

        for i in 0..self._tables {
            self.table[i].reset = empty;
            self.table[i].start = self.valid;
            self.table[i].key = self.key;
            self.table[i].write_entry = clears | (self.start & self.command.write_entry & (self.command.table == i));
            self.table[i].write_mask = self.start & self.command.write_mask & (self.command.table == i);
            self.table[i].write_index = self.command.index;
            self.table[i].slot = slot;
            self.table[i].mask = data.get_bits::<480>(0);
            self.table[i].seed = data.get_bits::<32>(480);
            self.table[i].enable = data.get_bit(512);
            self.select.table[i] = self.table[i].hit;
        }
        self.tcam.start = self.valid;
        self.tcam.key = self.key;
        self.tcam.write = self.start & self.command.write_tcam;
        self.tcam.index = self.command.index;
        self.tcam.value = data.get_bits::<480>(0);
        self.tcam.mask = data.get_bits::<480>(544);
        self.tcam.answer = answer;
        comment!("the TCAM keeps its hit until the hash tables have theirs");
        self.select.tcam = self.tcam.hit;
        self.best = self.select.best;
    }
}
