// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in one place after the other.

use super::hash_table_in_turn::HashTableInTurn;
use super::select::Select;
use super::tcam_in_turn::TcamInTurn;
use super::types::{Hit, Slot, TableWrite};
use crate::base::Tag;
use crate::comment;
use rust_hdl_core::prelude::*;

/// Like `Lookup`, but for keys at least [`CLOCKS`](Self::CLOCKS) clocks apart, each announced by `valid`: every way of a hash table and
/// every TCAM entry has a clock of its own, so that one comparison serves all of them. `U` = S + 2, `B` = log2(T).
///
/// `best` comes [`LATENCY`](Self::LATENCY) clocks after `key` and `valid`. `command` is carried out by the table that it is for in a
/// clock with `start`; one that clears, by all tables.
#[derive(LogicBlock, Default)]
pub struct LookupInTurn<const S: usize, const U: usize, const T: usize, const B: usize> {
    tag: Tag<Self>,
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
    slot: Signal<Local, Slot>,
    answer: Signal<Local, Hit>,
    data: Signal<Local, Bits<1024>>,
    clears: Signal<Local, Bit>,
    empty: Signal<Local, Bit>,
    _tables: usize,
}

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
}

impl<const S: usize, const U: usize, const T: usize, const B: usize> Logic for LookupInTurn<S, U, T, B> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, tcam, select);
        self.clears.next = self.start.val() & self.command.val().clear;
        self.empty.next = self.reset.val() | self.clears.val();
        self.tcam.reset.next = self.empty.val();
        self.data.next = self.command.val().data;
        self.slot.next.key = self.data.val().get_bits::<480>(0);
        self.slot.next.priority = self.data.val().get_bits::<16>(480);
        self.slot.next.rule = self.data.val().get_bits::<16>(496);
        self.slot.next.valid = self.data.val().get_bit(512);
        self.answer.next.hit = self.data.val().get_bit(512);
        self.answer.next.priority = self.data.val().get_bits::<16>(480);
        self.answer.next.rule = self.data.val().get_bits::<16>(496);

        for i in 0..self._tables {
            self.table[i].clock.next = self.clock.val();
            self.table[i].reset.next = self.empty.val();
            self.table[i].start.next = self.valid.val();
            self.table[i].key.next = self.key.val();
            self.table[i].write_entry.next = self.clears.val()
                | (self.start.val() & self.command.val().write_entry & (self.command.val().table == i.to_bits::<8>()));
            self.table[i].write_mask.next =
                self.start.val() & self.command.val().write_mask & (self.command.val().table == i.to_bits::<8>());
            self.table[i].write_index.next = self.command.val().index;
            self.table[i].slot.next = self.slot.val();
            self.table[i].mask.next = self.data.val().get_bits::<480>(0);
            self.table[i].seed.next = self.data.val().get_bits::<32>(480);
            self.table[i].enable.next = self.data.val().get_bit(512);
            self.select.table[i].next = self.table[i].hit.val();
        }
        self.tcam.start.next = self.valid.val();
        self.tcam.key.next = self.key.val();
        self.tcam.write.next = self.start.val() & self.command.val().write_tcam;
        self.tcam.index.next = self.command.val().index;
        self.tcam.value.next = self.data.val().get_bits::<480>(0);
        self.tcam.mask.next = self.data.val().get_bits::<480>(544);
        self.tcam.answer.next = self.answer.val();
        comment!("the TCAM keeps its hit until the hash tables have theirs");
        self.select.tcam.next = self.tcam.hit.val();
        self.best.next = self.select.best.val();
    }
}
