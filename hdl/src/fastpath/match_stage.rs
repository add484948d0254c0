// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the key to the rule and its first step.

use super::action_ram::ActionRam;
use super::hash_table::HashTable;
use super::key_hash::KeyHash;
use super::lookup::Lookup;
use super::lookup_in_turn::LookupInTurn;
use super::tcam::Tcam;
use super::types::{Hit, MatchResult, Parsed, Step, TableWrite};
use crate::base::{Delay, Dff, DffE, DffR, Reg, Tag};
use crate::{comment, wire_struct};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;
use std::cmp::max;
use std::ops::Range;

wire_struct! {
    /// What goes around the tables: all of [`Parsed`] but the key.
    pub struct MatchMeta {
        pub ttl: Bits<8>,
        pub vlans: Bits<2>,
        pub l3: Bits<2>,
        pub l4: Bits<2>,
        pub l4_words: Bits<4>,
        pub punt: Bit,
        pub vport: Bits<8>,
        pub packet_out: Bit,
        pub len: Bits<14>,
        pub fault: Bits<2>,
    }
}

/// "Match" of `docs/hardware.md`: hash tables of `4 << S` slots (`U` = S + 2), `T` TCAM entries (`1 << B` = `T`), and the first step of
/// each rule: `1 << A` = tables · 4 · `1 << S` of them, and `T` more if the build has as many rule ids.
///
/// One header per clock, or in builds with `header_clocks` above 1 one in so many; `result` comes [`latency`](Self::latency) clocks
/// after `parsed`. A faulty frame, a packet-out and a punted
/// packet hit nothing.
///
/// A command comes as `write` in a clock with `write_valid`, which must not come while `busy`; `write` stays as it is until `busy` falls. Only of
/// commands that clear one may follow the other in each clock, while there is no header inside.
/// `busy` is high from the next clock on until every header is matched wholly before or wholly after the command; the next command may
/// rely on that.
#[derive(LogicBlock, Default)]
pub struct Match<const S: usize, const U: usize, const T: usize, const A: usize, const B: usize> {
    tag: Tag<Self>,
    /// Of commands, and of what goes around the tables.
    pub clock: Signal<In, Clock>,
    /// Of the lookup up to the hash tables' RAMs, with all of the TCAM; from there to the hit of each table; of the choice among them and
    /// the action. Where one lookup takes many clocks, `clock_hash` is that of all of it.
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Stays until the next one.
    pub parsed: Signal<In, Parsed>,
    pub valid: Signal<In, Bit>,
    pub result: Signal<Out, MatchResult>,
    pub result_valid: Signal<Out, Bit>,
    pub write: Signal<In, TableWrite>,
    pub write_valid: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,
    /// No header is inside or comes in, and no command.
    pub idle: Signal<Out, Bit>,
    /// The other clocks may stand still: no header is in their part, and no command under way.
    pub idle_hash: Signal<Out, Bit>,
    pub idle_compare: Signal<Out, Bit>,
    pub idle_select: Signal<Out, Bit>,
    // lookup
    key: Signal<Local, Bits<480>>,
    at_once: Vec<Lookup<S, T>>,
    in_turn: Vec<LookupInTurn<S, U, T, B>>,
    best: Signal<Local, Hit>,
    tables_busy: Signal<Local, Bit>,
    actions: ActionRam<A, B>,
    winners: Vec<Dff<Bits<17>>>,
    won: Signal<Local, Bits<17>>,
    // around it
    meta: Signal<Local, MatchMeta>,
    meta_delay: Delay<MatchMeta, 5>,
    late: Signal<Local, MatchMeta>,
    valids: Vec<DffR<Bit>>,
    any_valid: Signal<Local, Bit>,
    in_hash: Signal<Local, Bit>,
    in_compare: Signal<Local, Bit>,
    in_select: Signal<Local, Bit>,
    out: Dff<MatchResult>,
    step: Signal<Local, Step>,
    // commands
    taken: Vec<DffE<TableWrite>>,
    /// The index, which alone moves while tables are cleared.
    taken_index: Vec<Dff<Bits<16>>>,
    command: Signal<Local, TableWrite>,
    start: DffR<Bit>,
    hold: Reg<Bits<5>>,
    data: Signal<Local, Bits<1024>>,
    under_way: Signal<Local, Bit>,
    _at_once: usize,
    _in_turn: usize,
    _last: usize,
    /// Of `valids`: those with which a clock of a part moves a header.
    _hash_end: usize,
    _compare: usize,
    _compare_end: usize,
    _select: usize,
    _latency: usize,
}

impl<const S: usize, const U: usize, const T: usize, const A: usize, const B: usize> Match<S, U, T, A, B> {
    /// A match stage with the tables of `config`, all of them disabled and empty. (`Default` has none.)
    ///
    /// # Panics
    /// If the sizes do not belong together.
    pub fn new(config: &Config) -> Self {
        let tables = config.hash_tables;
        assert!((tables * 4) << S == 1 << A, "{tables} tables of 4 << {S} slots are not 1 << {A} slots");
        assert!(T == 1 << B, "{T} TCAM entries are not 1 << {B}");
        let at_once = config.header_clocks < LookupInTurn::<S, U, T, B>::CLOCKS;
        let latency = Self::latency(config);
        let (hash, compare, select) = Self::parts(config);
        Self {
            at_once: (0..usize::from(at_once)).map(|_| Lookup::new(tables)).collect(),
            in_turn: (0..usize::from(!at_once)).map(|_| LookupInTurn::new(tables)).collect(),
            actions: if config.rule_ids() > 1 << A { ActionRam::with_entries() } else { ActionRam::new() },
            taken: (0..usize::from(at_once)).map(|_| Default::default()).collect(),
            taken_index: (0..usize::from(!at_once)).map(|_| Default::default()).collect(),
            winners: (0..ActionRam::<A, B>::LATENCY).map(|_| Default::default()).collect(),
            meta_delay: Delay::new(latency - 1),
            valids: (0..latency).map(|_| Default::default()).collect(),
            _at_once: at_once.into(),
            _in_turn: (!at_once).into(),
            _last: latency - 1,
            _hash_end: hash.end,
            _compare: compare.start,
            _compare_end: compare.end,
            _select: select.start,
            _latency: latency,
            ..Default::default()
        }
    }

    /// Clocks from `valid` to `result_valid`: lookup, action RAM, and the result's register.
    pub const fn latency(config: &Config) -> usize {
        let lookup = if config.header_clocks < LookupInTurn::<S, U, T, B>::CLOCKS {
            Lookup::<S, T>::latency(config.hash_tables)
        } else {
            LookupInTurn::<S, U, T, B>::latency(config.hash_tables)
        };
        lookup + ActionRam::<A, B>::LATENCY + 1
    }

    /// The clocks after `valid` in which a header is in front of registers of `clock_hash` (from `valid` on), `clock_compare` and
    /// `clock_select`.
    fn parts(config: &Config) -> (Range<usize>, Range<usize>, Range<usize>) {
        let last = Self::latency(config) - 1;
        if config.header_clocks >= LookupInTurn::<S, U, T, B>::CLOCKS {
            return (0..last, 0..0, 0..last);
        }
        let hash = max(HashTable::<S>::LATE_KEY, Tcam::<T>::LATENCY);
        let table = HashTable::<S>::LATENCY;
        (0..hash - 1, KeyHash::<S>::LATENCY - 1..table - 1, table - 1..last)
    }
}

impl<const S: usize, const U: usize, const T: usize, const A: usize, const B: usize> Logic for Match<S, U, T, A, B> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, meta_delay, start, hold);
        clock!(self, clock_select, actions, out);
        self.meta_delay.reset.next = self.reset.val();

        comment!(
            "Commands. The longest is the TCAM's; the others are held as long as a lookup takes. Where tables are many, a register drives them."
        );
        self.command.next = self.write.val();
        for i in 0..self._at_once {
            self.taken[i].clock.next = self.clock.val();
            self.taken[i].en.next = self.write_valid.val();
            self.taken[i].d.next = self.write.val();
            self.command.next = self.taken[i].q.val();
        }
        for i in 0..self._in_turn {
            self.taken_index[i].clock.next = self.clock.val();
            self.taken_index[i].d.next = self.write.val().index;
            self.command.next.index = self.taken_index[i].q.val();
        }
        self.start.reset.next = self.reset.val();
        self.start.d.next = self.write_valid.val();
        self.hold.reset.next = self.reset.val();
        self.hold.en.next = self.start.q.val() | self.hold.q.val().any();
        self.hold.d.next = self.hold.q.val() + 1;
        self.data.next = self.command.val().data;

        comment!("The tables.");
        self.key.next = self.parsed.val().key;
        self.tables_busy.next = false;
        for i in 0..self._at_once {
            self.at_once[i].clock.next = self.clock.val();
            self.at_once[i].clock_hash.next = self.clock_hash.val();
            self.at_once[i].clock_compare.next = self.clock_compare.val();
            self.at_once[i].clock_select.next = self.clock_select.val();
            self.at_once[i].reset.next = self.reset.val();
            self.at_once[i].key.next = self.key.val();
            self.at_once[i].start.next = self.start.q.val();
            self.at_once[i].command.next = self.command.val();
            self.tables_busy.next = self.at_once[i].busy.val();
            self.best.next = self.at_once[i].best.val();
        }
        for i in 0..self._in_turn {
            self.in_turn[i].clock.next = self.clock_hash.val();
            self.in_turn[i].reset.next = self.reset.val();
            self.in_turn[i].key.next = self.key.val();
            self.in_turn[i].valid.next = self.valid.val();
            self.in_turn[i].start.next = self.start.q.val();
            self.in_turn[i].command.next = self.command.val();
            self.best.next = self.in_turn[i].best.val();
        }

        self.under_way.next = self.start.q.val() | self.hold.q.val().any() | self.tables_busy.val();
        self.busy.next = self.under_way.val();

        comment!("The winner and its step.");
        self.actions.rule.next = self.best.val().rule;
        self.actions.write.next = self.start.q.val() & self.command.val().write_action;
        self.actions.write_rule.next = self.command.val().index;
        self.actions.write_bits.next = self.data.val().get_bits::<544>(0);
        self.winners[0].d.next =
            bit_cast::<17, 16>(self.best.val().rule) << 1 | bit_cast::<17, 1>(self.best.val().hit.into());
        for i in 0..2 {
            self.winners[i + 1].d.next = self.winners[i].q.val();
        }
        for i in 0..3 {
            self.winners[i].clock.next = self.clock_select.val();
        }

        comment!("What goes around the tables.");
        self.meta.next.ttl = self.key.val().get_bits::<8>(24);
        self.meta.next.vlans = self.parsed.val().vlans;
        self.meta.next.l3 = self.parsed.val().l3;
        self.meta.next.l4 = self.parsed.val().l4;
        self.meta.next.l4_words = self.parsed.val().l4_words;
        self.meta.next.punt = self.parsed.val().punt;
        self.meta.next.vport = self.parsed.val().vport;
        self.meta.next.packet_out = self.parsed.val().packet_out;
        self.meta.next.len = self.parsed.val().len;
        self.meta.next.fault = self.parsed.val().fault;
        self.meta_delay.inp.next = self.meta.val();
        self.late.next = self.meta_delay.out.val();
        self.valids[0].d.next = self.valid.val();
        for i in 0..self._last {
            self.valids[i + 1].d.next = self.valids[i].q.val();
        }
        self.any_valid.next = self.valids[0].q.val();
        for i in 0..self._last {
            self.any_valid.next = self.any_valid.val() | self.valids[i + 1].q.val();
        }
        self.valids[0].clock.next = self.clock.val();
        self.valids[0].reset.next = self.reset.val();
        for i in 0..self._last {
            self.valids[i + 1].clock.next = self.clock.val();
            self.valids[i + 1].reset.next = self.reset.val();
        }

        comment!("Which parts a header is in.");
        self.in_hash.next = self.valid.val();
        for i in 0..self._hash_end {
            self.in_hash.next = self.in_hash.val() | self.valids[i].q.val();
        }
        self.in_compare.next = false;
        for i in self._compare..self._compare_end {
            self.in_compare.next = self.in_compare.val() | self.valids[i].q.val();
        }
        self.in_select.next = false;
        for i in self._select..self._last {
            self.in_select.next = self.in_select.val() | self.valids[i].q.val();
        }
        self.idle_hash.next = !self.in_hash.val() & !self.under_way.val();
        self.idle_compare.next = !self.in_compare.val() & !self.under_way.val();
        self.idle_select.next = !self.in_select.val() & !self.under_way.val();

        comment!("The result.");
        self.won.next = self.winners[2].q.val();
        self.step.next = self.actions.step.val();
        self.out.d.next.hit = self.won.val().get_bit(0)
            & !self.late.val().punt
            & !self.late.val().packet_out
            & (self.late.val().fault == 0);
        self.out.d.next.punt = self.late.val().punt & !self.late.val().packet_out & (self.late.val().fault == 0);
        self.out.d.next.rule = self.won.val().get_bits::<16>(1);
        self.out.d.next.step = self.step.val();
        self.out.d.next.vlans = self.late.val().vlans;
        self.out.d.next.l3 = self.late.val().l3;
        self.out.d.next.l4 = self.late.val().l4;
        self.out.d.next.l4_words = self.late.val().l4_words;
        self.out.d.next.ttl = self.late.val().ttl;
        self.out.d.next.vport = self.late.val().vport;
        self.out.d.next.packet_out = self.late.val().packet_out;
        self.out.d.next.len = self.late.val().len;
        self.out.d.next.fault = self.late.val().fault;
        self.result.next = self.out.q.val();
        self.idle.next = !self.valid.val() & !self.any_valid.val() & !self.write_valid.val() & !self.under_way.val();
        self.result_valid.next = false;
        for last in self._last..self._latency {
            self.result_valid.next = self.valids[last].q.val();
        }
    }
}

#[cfg(test)]
#[path = "match_tests.rs"]
mod tests;
