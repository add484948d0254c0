// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookup in all tables at once.

use super::hash_table::HashTable;
use super::select::Select;
use super::tcam::Tcam;
use super::types::{Hit, Slot, TableWrite};
use crate::base::{Delay, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Hash tables of `4 << S` slots and `T` TCAM entries. One key per clock; `best` comes [`latency`](Self::latency) clocks after `key`.
///
/// `command` is carried out by the table that it is for in a clock with `start`, and stays until `busy` is low; one that clears is for all of them.
#[derive(LogicBlock, Default)]
pub struct Lookup<const S: usize, const T: usize> {
    tag: Tag<Self>,
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
    key_delay: Delay<Bits<480>, 3>,
    table: Vec<HashTable<S>>,
    tcam: Tcam<T>,
    tcam_delay: Delay<Hit, 3>,
    select: Select,
    slot: Signal<Local, Slot>,
    answer: Signal<Local, Hit>,
    data: Signal<Local, Bits<1024>>,
    clears: Signal<Local, Bit>,
    empty: Signal<Local, Bit>,
    _tables: usize,
}

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
            _tables: tables,
            ..Default::default()
        }
    }

    /// Clocks from `key` to `best`: hash tables, selection.
    pub const fn latency(tables: usize) -> usize {
        HashTable::<S>::LATENCY + Select::tree_latency(tables) + 1
    }
}

impl<const S: usize, const T: usize> Logic for Lookup<S, T> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, tcam_delay);
        clock!(self, clock_hash, key_delay, tcam);
        clock!(self, clock_select, select);
        self.key_delay.reset.next = self.reset.val();
        self.tcam_delay.reset.next = self.reset.val();
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

        self.key_delay.inp.next = self.key.val();
        for i in 0..self._tables {
            self.table[i].clock.next = self.clock_compare.val();
            self.table[i].clock_hash.next = self.clock_hash.val();
            self.table[i].reset.next = self.empty.val();
            self.table[i].key.next = self.key.val();
            self.table[i].late_key.next = self.key_delay.out.val();
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
        self.tcam.key.next = self.key.val();
        self.tcam.write.next = self.start.val() & self.command.val().write_tcam;
        self.tcam.index.next = self.command.val().index;
        self.tcam.value.next = self.data.val().get_bits::<480>(0);
        self.tcam.mask.next = self.data.val().get_bits::<480>(544);
        self.tcam.answer.next = self.answer.val();
        self.busy.next = self.tcam.busy.val();
        comment!("the TCAM is faster than the hash tables");
        self.tcam_delay.inp.next = self.tcam.hit.val();
        self.select.tcam.next = self.tcam_delay.out.val();
        self.best.next = self.select.best.val();
    }
}
