// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in all tables at once.

use super::select::Select;
use crate::base::Delay;
use crate::core::lookup::hash::hash_table::HashTable;
use crate::core::lookup::tcam::tcam::Tcam;
use crate::core::types::{
    ENTRY_OPERANDS_BITS, EntryOperands, Hit, KEY_BITS, MASK_OPERANDS_BITS, MaskOperands, Slot, TCAM_OPERANDS_BITS,
    TableWrite, TcamOperands,
};
use rust_hdl_core::prelude::*;

/// Hash tables of `4 << WAY_LOG2` slots and `TCAM_ENTRIES` TCAM entries. One key per clock; `best` comes [`latency`](Self::latency) clocks after `key`.
///
/// `command` is carried out by the table that it is for in a clock with `start`, and stays until `busy` is low; one that clears is for all of them.
#[millrace_hdl::block]
pub struct Lookup<const WAY_LOG2: usize, const TCAM_ENTRIES: usize> {
    pub clock: Signal<In, Clock>,
    /// As of [`Match`](super::match_stage::Match).
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub best: Signal<Out, Hit>,
    pub start: Signal<In, Bit>,
    pub command: Signal<In, TableWrite>,
    pub busy: Signal<Out, Bit>,
    #[clock(clock_hash)]
    key_delay: Delay<Bits<KEY_BITS>, 3>,
    #[clock(clock_compare)]
    table: Vec<HashTable<WAY_LOG2>>,
    #[clock(clock_hash)]
    tcam: Tcam<TCAM_ENTRIES>,
    tcam_delay: Delay<Hit, 3>,
    #[clock(clock_select)]
    select: Select,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize, const TCAM_ENTRIES: usize> Lookup<WAY_LOG2, TCAM_ENTRIES> {
    /// With this many hash tables, all of them disabled and empty. (`Default` has none.)
    pub fn new(tables: usize) -> Self {
        let tables_at = HashTable::<WAY_LOG2>::LATENCY + Select::tree_latency(tables);
        Self {
            key_delay: Delay::new(HashTable::<WAY_LOG2>::LATE_KEY),
            table: (0..tables).map(|_| HashTable::new()).collect(),
            tcam: Tcam::new(),
            tcam_delay: Delay::new(tables_at - Tcam::<TCAM_ENTRIES>::LATENCY),
            select: Select::new(tables),
            ..Default::default()
        }
    }

    /// Clocks from `key` to `best`: hash tables, selection.
    pub const fn latency(tables: usize) -> usize {
        HashTable::<WAY_LOG2>::LATENCY + Select::tree_latency(tables) + 1
    }

    fn update(&mut self) {
        let clears = self.start & self.command.clear;
        let empty = self.reset | clears;
        let data = self.command.data;
        let operands = unpack::<EntryOperands>(cast::<ENTRY_OPERANDS_BITS>(data));
        let slot: Slot = Slot {
            key: operands.key,
            priority: operands.priority,
            rule: cast::<16>(operands.rule),
            valid: operands.valid,
        };
        let mask = unpack::<MaskOperands>(cast::<MASK_OPERANDS_BITS>(data));
        let entry = unpack::<TcamOperands>(cast::<TCAM_OPERANDS_BITS>(data));

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
