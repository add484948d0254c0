// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in all tables at once.

use super::select::Select;
use crate::base::Delay;
use crate::core::lookup::hash::hash_table::HashTable;
use crate::core::lookup::tcam::tcam::Tcam;
use crate::core::types::{EntryOperands, Hit, MaskOperands, Slot, TableWrite, TcamOperands};
use rust_hdl_core::prelude::*;

/// Hash tables of `4 << way_log2` slots and `tcam_entries` TCAM entries. One key per clock; `best` comes [`latency`](Self::latency) clocks after `key`.
///
/// `command` is carried out by the table that it is for in a clock with `start`, and stays until `busy` is low; one that clears is for all of them.
#[millrace_hdl::block]
pub struct Lookup<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    /// As of [`Match`](super::match_stage::Match).
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<{ SIZES.key_bits }>>,
    pub best: Signal<Out, Hit>,
    pub start: Signal<In, Bit>,
    pub command: Signal<In, TableWrite<{ SIZES.data_bits }>>,
    pub busy: Signal<Out, Bit>,
    #[clock(clock_hash)]
    key_delay: Delay<Bits<{ SIZES.key_bits }>, 3>,
    #[clock(clock_compare)]
    table: Vec<HashTable<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>>,
    #[clock(clock_hash)]
    tcam: Tcam<{ SIZES.tcam_entries }, { SIZES.key_bits }, { SIZES.group_bits }>,
    tcam_delay: Delay<Hit, 3>,
    #[clock(clock_select)]
    select: Select,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Lookup<SIZES> {
    /// With this many hash tables, all of them disabled and empty. (`Default` has none.)
    pub fn new(tables: usize) -> Self {
        let tables_at = HashTable::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATENCY
            + Select::tree_latency(tables);
        Self {
            key_delay: Delay::new(HashTable::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATE_KEY),
            table: (0..tables).map(|_| HashTable::new()).collect(),
            tcam: Tcam::new(),
            tcam_delay: Delay::new(
                tables_at - Tcam::<{ SIZES.tcam_entries }, { SIZES.key_bits }, { SIZES.group_bits }>::LATENCY,
            ),
            select: Select::new(tables),
            ..Default::default()
        }
    }

    /// Clocks from `key` to `best`: hash tables, selection.
    pub const fn latency(tables: usize) -> usize {
        HashTable::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATENCY
            + Select::tree_latency(tables)
            + 1
    }

    fn update(&mut self) {
        let clears = self.start & self.command.clear;
        let empty = self.reset | clears;
        let data = self.command.data;
        let operands = unpack::<EntryOperands<{ SIZES.key_bits }>>(cast::<{ SIZES.entry_bits }>(data));
        let slot: Slot<{ SIZES.key_bits }> = Slot {
            key: operands.key,
            priority: operands.priority,
            rule: cast::<16>(operands.rule),
            valid: operands.valid,
        };
        let mask = unpack::<MaskOperands<{ SIZES.key_bits }>>(cast::<{ SIZES.entry_bits }>(data));
        let entry = unpack::<TcamOperands<{ SIZES.key_bits }>>(data);

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
            self.table[i].mask = mask.mask;
            self.table[i].seed = mask.seed;
            self.table[i].enable = mask.enable;
            self.select.table[i] = self.table[i].hit;
        }
        self.tcam.reset = empty;
        self.tcam.key = self.key;
        self.tcam.write = self.start & self.command.write_tcam;
        self.tcam.index = self.command.index;
        self.tcam.value = entry.value;
        self.tcam.mask = entry.mask;
        self.tcam.answer = Hit { hit: entry.valid, priority: entry.priority, rule: cast::<16>(entry.rule) };
        self.busy = self.tcam.busy;
        comment!("the TCAM is faster than the hash tables");
        self.tcam_delay.inp = self.tcam.hit;
        self.select.tcam = self.tcam_delay.out;
        self.best = self.select.best;
    }
}
