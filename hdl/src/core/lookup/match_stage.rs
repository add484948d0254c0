// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the key to the rule and its first step.

use super::lookup::Lookup;
use super::lookup_in_turn::{LookupInTurn, in_turn};
use crate::base::{Delay, Dff, DffE, DffR, Reg};
use crate::core::action::action_ram::ActionRam;
use crate::core::lookup::hash::hash_table::HashTable;
use crate::core::lookup::hash::key_hash::KeyHash;
use crate::core::lookup::tcam::tcam::Tcam;
use crate::core::types::{Hit, Key, Layout, MatchResult, Meta, Parsed, Step, TableWrite};
use crate::wire_struct;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;
use std::cmp::max;
use std::ops::Range;

wire_struct! {
    /// What goes around the tables: all of [`Parsed`] but the key.
    pub struct MatchMeta {
        pub ttl: Bits<8>,
        pub layout: Layout,
        pub punt: Bit,
        pub meta: Meta,
    }
}

/// "Match" of `docs/hardware.md`: hash tables, TCAM, and the first step of each rule, of the TCAM's rules too if the build has ids for them.
///
/// One header per clock, or in builds with `header_clocks` above 1 one in so many; `result` comes [`latency`](Self::latency) clocks
/// after `parsed`. A faulty frame, a packet-out and a punted
/// packet hit nothing.
///
/// A command comes as `write` in a clock with `write_valid`, which must not come while `busy`; `write` stays as it is until `busy` falls. Only of
/// commands that clear one may follow the other in each clock, while there is no header inside.
/// `busy` is high from the next clock on until every header is matched wholly before or wholly after the command; the next command may
/// rely on that.
#[millrace_hdl::block]
pub struct Match<const SIZES: Sizes> {
    /// Of commands, and of what goes around the tables.
    pub clock: Signal<In, Clock>,
    /// Of the lookup up to the hash tables' RAMs, with all of the TCAM; where one lookup takes many clocks, of all of it.
    pub clock_hash: Signal<In, Clock>,
    /// From the hash tables' RAMs to the hit of each table.
    pub clock_compare: Signal<In, Clock>,
    /// Of the choice among the hits, and of the action.
    pub clock_select: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Stays until the next one.
    pub parsed: Signal<In, Parsed>,
    /// Of the key what the parser does not give, in builds with passes.
    pub further_key: Signal<In, Bits<{ SIZES.further_key_bits }>>,
    pub valid: Signal<In, Bit>,
    pub result:
        Signal<Out, MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>>,
    pub result_valid: Signal<Out, Bit>,
    pub write: Signal<In, TableWrite<{ SIZES.data_bits }>>,
    pub write_valid: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,
    /// No header is inside or comes in, and no command.
    pub idle: Signal<Out, Bit>,
    /// `clock_hash` may stand still: no header is in its part, and no command under way.
    pub idle_hash: Signal<Out, Bit>,
    /// The same of `clock_compare`.
    pub idle_compare: Signal<Out, Bit>,
    /// The same of `clock_select`.
    pub idle_select: Signal<Out, Bit>,
    // lookup
    at_once: Vec<Lookup<SIZES>>,
    #[clock(clock_hash)]
    in_turn: Vec<LookupInTurn<SIZES>>,
    #[clock(clock_select)]
    actions: ActionRam<SIZES>,
    #[count(ActionRam::<SIZES>::LATENCY)]
    #[clock(clock_select)]
    winners: Vec<Dff<Bits<17>>>,
    // around it
    meta_delay: Delay<MatchMeta, 5>,
    valids: Vec<DffR<Bit>>,
    #[clock(clock_select)]
    out: Dff<MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>>,
    // commands
    taken: Vec<DffE<TableWrite<{ SIZES.data_bits }>>>,
    /// The index, which alone moves while tables are cleared.
    taken_index: Vec<Dff<Bits<16>>>,
    start: DffR<Bit>,
    hold: Reg<Bits<5>>,
    /// Of `valids`: those with which a clock of a part moves a header.
    _hash: Range<usize>,
    _compare: Range<usize>,
    _select: Range<usize>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Match<SIZES> {
    /// A match stage with the tables of `config`, all of them disabled and empty. (`Default` has none.)
    ///
    /// # Panics
    /// If the sizes do not belong together.
    pub fn new(config: &Config) -> Self {
        let tables = config.hash_tables;
        assert!(
            (tables * 4) << SIZES.way_log2 == 1 << SIZES.hash_rules_log2,
            "{tables} tables of 4 << {} slots are not 1 << {} slots",
            SIZES.way_log2,
            SIZES.hash_rules_log2
        );
        assert!(
            SIZES.tcam_entries == 1 << SIZES.tcam_log2,
            "{} TCAM entries are not 1 << {}",
            SIZES.tcam_entries,
            SIZES.tcam_log2
        );
        let at_once = !in_turn(config);
        let latency = Self::latency(config);
        let (hash, compare, select) = Self::parts(config);
        Self {
            at_once: (0..usize::from(at_once)).map(|_| Lookup::new(tables)).collect(),
            in_turn: (0..usize::from(!at_once)).map(|_| LookupInTurn::new(tables)).collect(),
            actions: if config.rule_ids() > 1 << SIZES.hash_rules_log2 {
                ActionRam::with_entries()
            } else {
                ActionRam::new()
            },
            taken: (0..usize::from(at_once)).map(|_| Default::default()).collect(),
            taken_index: (0..usize::from(!at_once)).map(|_| Default::default()).collect(),
            meta_delay: Delay::new(latency - 1),
            valids: (0..latency).map(|_| Default::default()).collect(),
            _hash: hash,
            _compare: compare,
            _select: select,
            ..Default::default()
        }
    }

    /// Clocks from `valid` to `result_valid`: lookup, action RAM, and the result's register.
    pub const fn latency(config: &Config) -> usize {
        let lookup = if !in_turn(config) {
            Lookup::<SIZES>::latency(config.hash_tables)
        } else {
            LookupInTurn::<SIZES>::latency(config.hash_tables)
        };
        lookup + ActionRam::<SIZES>::LATENCY + 1
    }

    /// The clocks after `valid` in which a header is in front of registers of `clock_hash` (from `valid` on), `clock_compare` and
    /// `clock_select`.
    fn parts(config: &Config) -> (Range<usize>, Range<usize>, Range<usize>) {
        let last = Self::latency(config) - 1;
        if in_turn(config) {
            return (0..last, 0..0, 0..last);
        }
        let hash = max(
            HashTable::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATE_KEY,
            Tcam::<{ SIZES.tcam_entries }, { SIZES.key_bits }, { SIZES.group_bits }>::LATENCY,
        );
        let table = HashTable::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATENCY;
        (
            0..hash - 1,
            KeyHash::<{ SIZES.way_log2 }, { SIZES.key_bits }, { SIZES.key_words }>::LATENCY - 1..table - 1,
            table - 1..last,
        )
    }

    fn update(&mut self) {
        comment!(
            "Commands. The longest is the TCAM's; the others are held as long as a lookup takes. Where tables are many, a register drives them."
        );
        let mut command = self.write;
        for i in 0..self.taken.len() {
            if self.write_valid {
                self.taken[i] = self.write;
            }
            command = self.taken[i];
        }
        for i in 0..self.taken_index.len() {
            self.taken_index[i] = self.write.index;
            command.index = self.taken_index[i];
        }
        self.start = self.write_valid;
        if self.start | self.hold.any() {
            self.hold += 1;
        }

        comment!("The tables.");
        let mut best = Hit::default();
        let mut tables_busy = false;
        for i in 0..self.at_once.len() {
            self.at_once[i].clock_hash = self.clock_hash;
            self.at_once[i].clock_compare = self.clock_compare;
            self.at_once[i].clock_select = self.clock_select;
            self.at_once[i].key = concat::<{ SIZES.key_bits }>(self.further_key, self.parsed.key);
            self.at_once[i].start = self.start;
            self.at_once[i].command = command;
            tables_busy = self.at_once[i].busy;
            best = self.at_once[i].best;
        }
        for i in 0..self.in_turn.len() {
            self.in_turn[i].key = concat::<{ SIZES.key_bits }>(self.further_key, self.parsed.key);
            self.in_turn[i].valid = self.valid;
            self.in_turn[i].start = self.start;
            self.in_turn[i].command = command;
            best = self.in_turn[i].best;
        }
        let under_way = self.start | self.hold.any() | tables_busy;
        self.busy = under_way;

        comment!("The winner and its step.");
        self.actions.rule = best.rule;
        self.actions.write = self.start & command.write_action;
        self.actions.write_rule = command.index;
        self.actions.write_step =
            unpack::<Step<{ SIZES.further_step_bits }>>(cast::<{ SIZES.step_bits }>(command.data));
        self.winners[0] = concat::<17>(best.rule, best.hit);
        for i in 1..self.winners.len() {
            self.winners[i] = self.winners[i - 1];
        }

        comment!("What goes around the tables.");
        let key = unpack::<Key>(self.parsed.key);
        self.meta_delay.inp =
            MatchMeta { ttl: key.nw_ttl, layout: self.parsed.layout, punt: self.parsed.punt, meta: self.parsed.meta };
        self.valids[0] = self.valid;
        for i in 1..self.valids.len() {
            self.valids[i] = self.valids[i - 1];
        }
        self.result_valid = self.valids[self.valids.len() - 1];

        comment!("Which parts a header is in.");
        let mut held = self.valid;
        for i in 0..self.valids.len() {
            held |= self.valids[i];
        }
        let mut in_hash = self.valid;
        for i in self._hash.start..self._hash.end {
            in_hash |= self.valids[i];
        }
        let mut in_compare = false;
        for i in self._compare.start..self._compare.end {
            in_compare |= self.valids[i];
        }
        let mut in_select = false;
        for i in self._select.start..self._select.end {
            in_select |= self.valids[i];
        }
        self.idle = !held & !self.write_valid & !under_way;
        self.idle_hash = !in_hash & !under_way;
        self.idle_compare = !in_compare & !under_way;
        self.idle_select = !in_select & !under_way;

        comment!("The result.");
        let won = self.winners[2];
        let late = self.meta_delay.out;
        let matched = !late.meta.packet_out & !late.meta.fault.any();
        self.out = MatchResult {
            hit: won.get_bit(0) & !late.punt & matched,
            punt: late.punt & matched,
            rule: won.get_bits::<16>(1),
            step: self.actions.step,
            layout: late.layout,
            ttl: late.ttl,
            meta: late.meta,
            note: 0,
        };
        self.result = self.out;
    }
}

#[cfg(test)]
#[path = "match_tests.rs"]
mod tests;
