// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in all tables at once.

use super::hash_table::HashTable;
use super::select::Select;
use super::tcam::Tcam;
use super::types::{Hit, Slot, TableWrite};
use crate::base::Delay;
use rust_hdl_core::prelude::*;

/// Hash tables of `4 << S` slots and `T` TCAM entries. One key per clock; `best` comes [`latency`](Self::latency) clocks after `key`.
///
/// `command` is carried out by the table that it is for in a clock with `start`, and stays until `busy` is low; one that clears is for all of them.
#[millrace_hdl::block]
pub struct Lookup<const S: usize, const T: usize> {
    pub clock: Signal<In, Clock>,
    /// As of [`Match`](super::match_stage::Match).
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<480>>,
    pub best: Signal<Out, Hit>,
    pub start: Signal<In, Bit>,
    pub command: Signal<In, TableWrite>,
    pub busy: Signal<Out, Bit>,
    #[clock(clock_hash)]
    key_delay: Delay<Bits<480>, 3>,
    #[clock(clock_compare)]
    table: Vec<HashTable<S>>,
    #[clock(clock_hash)]
    tcam: Tcam<T>,
    tcam_delay: Delay<Hit, 3>,
    #[clock(clock_select)]
    select: Select,
}

#[millrace_hdl::block]
impl<const S: usize, const T: usize> Lookup<S, T> {
    /// With this many hash tables, all of them disabled and empty. (`Default` has none.)
    pub fn new(tables: usize) -> Self {
        let tables_at = HashTable::<S>::LATENCY + Select::tree_latency(tables);
        Self {
            key_delay: Delay::new(HashTable::<S>::LATE_KEY),
            table: (0..tables).map(|_| HashTable::new()).collect(),
            tcam: Tcam::new(),
            tcam_delay: Delay::new(tables_at - Tcam::<T>::LATENCY),
            select: Select::new(tables),
            ..Default::default()
        }
    }

    /// Clocks from `key` to `best`: hash tables, selection.
    pub const fn latency(tables: usize) -> usize {
        HashTable::<S>::LATENCY + Select::tree_latency(tables) + 1
    }

    fn update(&mut self) {
        let clears = self.start & self.command.clear;
        let empty = self.reset | clears;
        let data = self.command.data;
        let slot: Slot = Slot {
            key: data.get_bits::<480>(0),
            priority: data.get_bits::<16>(480),
            rule: data.get_bits::<16>(496),
            valid: data.get_bit(512),
        };
        let answer: Hit =
            Hit { hit: data.get_bit(512), priority: data.get_bits::<16>(480), rule: data.get_bits::<16>(496) };

        self.key_delay.inp = self.key;
        for i in 0..self.table.len() {
            let selected = self.start & (self.command.table == i);
            self.table[i].clock_hash = self.clock_hash;
            self.table[i].reset = empty;
            self.table[i].key = self.key;
            self.table[i].late_key = self.key_delay.out;
            self.table[i].write_entry = clears | (selected & self.command.write_entry);
            self.table[i].write_mask = selected & self.command.write_mask;
            self.table[i].write_index = self.command.index;
            self.table[i].slot = slot;
            self.table[i].mask = data.get_bits::<480>(0);
            self.table[i].seed = data.get_bits::<32>(480);
            self.table[i].enable = data.get_bit(512);
            self.select.table[i] = self.table[i].hit;
        }
        self.tcam.reset = empty;
        self.tcam.key = self.key;
        self.tcam.write = self.start & self.command.write_tcam;
        self.tcam.index = self.command.index;
        self.tcam.value = data.get_bits::<480>(0);
        self.tcam.mask = data.get_bits::<480>(544);
        self.tcam.answer = answer;
        self.busy = self.tcam.busy;
        comment!("the TCAM is faster than the hash tables");
        self.tcam_delay.inp = self.tcam.hit;
        self.select.tcam = self.tcam_delay.out;
        self.best = self.select.best;
    }
}
