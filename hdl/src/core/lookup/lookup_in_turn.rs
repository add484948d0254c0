// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in one place after the other.

use super::select::Select;
use crate::core::lookup::hash::hash_table_in_turn::HashTableInTurn;
use crate::core::lookup::tcam::tcam_in_turn::TcamInTurn;
use crate::core::types::{EntryOperands, Hit, KEY_BITS as KEY_WIDTH, MaskOperands, Slot, TableWrite, TcamOperands};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// Clocks from one key to the next, at least.
const CLOCKS: usize = 24;

/// Widths of operands in bits.
const ENTRY_WIDTH: usize = EntryOperands::<KEY_WIDTH>::BITS;
const TCAM_WIDTH: usize = TcamOperands::<KEY_WIDTH>::BITS;

/// Whether the headers of a build are far enough apart for a lookup in turn.
pub const fn in_turn(config: &Config) -> bool {
    config.header_clocks >= CLOCKS
}

/// Like `Lookup`, but for keys at least [`CLOCKS`](Self::CLOCKS) clocks apart, each announced by `valid`: every way of a hash table and
/// every TCAM entry has a clock of its own, so that one comparison serves all of them. Only for builds with one pass.
///
/// `best` comes [`LATENCY`](Self::LATENCY) clocks after `key` and `valid`. `command` is carried out by the table that it is for in a
/// clock with `start`; one that clears, by all tables.
#[millrace_hdl::block]
pub struct LookupInTurn<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Stays until the next one.
    pub key: Signal<In, Bits<{ SIZES.key_bits }>>,
    pub valid: Signal<In, Bit>,
    pub best: Signal<Out, Hit>,
    pub start: Signal<In, Bit>,
    pub command: Signal<In, TableWrite<{ SIZES.data_bits }>>,
    table: Vec<HashTableInTurn<{ SIZES.way_log2 }, { SIZES.table_log2 }>>,
    tcam: TcamInTurn<{ SIZES.tcam_entries }, { SIZES.tcam_log2 }>,
    select: Select,
    _tables: usize,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> LookupInTurn<SIZES> {
    /// Clocks from one key to the next, at least.
    pub const CLOCKS: usize = CLOCKS;
    /// Clocks from `key` to `best` with so many hash tables: these, later than the TCAM, and the choices.
    pub const fn latency(tables: usize) -> usize {
        HashTableInTurn::<{ SIZES.way_log2 }, { SIZES.table_log2 }>::LATENCY + Select::tree_latency(tables) + 1
    }

    /// With this many hash tables, all of them disabled and empty. (`Default` has none.)
    ///
    /// # Panics
    /// If the TCAM's hit does not last until those of the tables are there (more than eight tables).
    pub fn new(tables: usize) -> Self {
        let ready = Self::latency(tables) - 1;
        let lasts = TcamInTurn::<{ SIZES.tcam_entries }, { SIZES.tcam_log2 }>::LATENCY..=Self::CLOCKS + 2;
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
        let operands = unpack::<EntryOperands<KEY_WIDTH>>(cast::<ENTRY_WIDTH>(data));
        let slot: Slot<KEY_WIDTH> = Slot {
            key: operands.key,
            priority: operands.priority,
            rule: cast::<16>(operands.rule),
            valid: operands.valid,
        };
        let mask = unpack::<MaskOperands<KEY_WIDTH>>(cast::<ENTRY_WIDTH>(data));
        let entry = unpack::<TcamOperands<KEY_WIDTH>>(cast::<TCAM_WIDTH>(data));

        for i in 0..self._tables {
            self.table[i].reset = empty;
            self.table[i].start = self.valid;
            self.table[i].key = cast::<KEY_WIDTH>(self.key);
            self.table[i].write_entry = clears | (self.start & self.command.write_entry & (self.command.table == i));
            self.table[i].write_mask = self.start & self.command.write_mask & (self.command.table == i);
            self.table[i].write_index = self.command.index;
            self.table[i].slot = slot;
            self.table[i].mask = mask.mask;
            self.table[i].seed = mask.seed;
            self.table[i].enable = mask.enable;
            self.select.table[i] = self.table[i].hit;
        }
        self.tcam.start = self.valid;
        self.tcam.key = cast::<KEY_WIDTH>(self.key);
        self.tcam.write = self.start & self.command.write_tcam;
        self.tcam.index = self.command.index;
        self.tcam.value = entry.value;
        self.tcam.mask = entry.mask;
        self.tcam.answer = Hit { hit: entry.valid, priority: entry.priority, rule: cast::<16>(entry.rule) };
        comment!("the TCAM keeps its hit until the hash tables have theirs");
        self.select.tcam = self.tcam.hit;
        self.best = self.select.best;
    }
}
