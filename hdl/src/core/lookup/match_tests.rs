// SPDX-License-Identifier: MIT OR Apache-2.0
//! The match stage against plain Rust: random tables, commands between headers, at full rate and with a header in 24 clocks.

use super::*;
use crate::core::lookup::match_reference::{
    Answer, Entry, Table, TcamEntries, Words, key_bits, masked, select, table_hash, tcam_lookup,
};
use crate::core::sizes::Sizes;
use crate::core::types::{Layout, Meta};
use crate::sized;
use crate::testing::{assert_lints, tick_those};
use millrace_regs::config::Preset;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

const TABLES: usize = 2;
const S: usize = 2;
const T: usize = 4;
const A: usize = 5;
const SIZES: Sizes = Sizes::of(&config(1));
const SIM: Sizes = Sizes::of(&Preset::Sim.config());
type Uut = sized!(Match<SIZES>);
type Write = TableWrite<{ SIZES.data_bits }>;

/// The smallest build, with so many clocks between headers.
const fn config(header_clocks: usize) -> Config {
    Config { hash_tables: TABLES, slots_log2: S, tcam_entries: T, header_clocks, ..Preset::Sim.config() }
}

/// What a header's result must be.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    rule: Option<u16>,
    punt: bool,
    parsed: Parsed,
    outputs: u64,
}

/// One clock, of the parts that are not idle.
fn tick(uut: &mut Uut) {
    tick_those(uut, |u| {
        let reset = u.reset.val();
        let runs = [&u.idle, &u.idle_hash, &u.idle_compare, &u.idle_select].map(|idle| reset || !idle.val());
        [&mut u.clock, &mut u.clock_hash, &mut u.clock_compare, &mut u.clock_select].into_iter().zip(runs).collect()
    });
}

struct Bench {
    uut: Box<Uut>,
    config: Config,
    tables: Vec<Table>,
    tcam: TcamEntries,
    outputs: Vec<u32>,
    due: VecDeque<Option<Expected>>,
    results: usize,
}

impl Bench {
    fn new(header_clocks: usize) -> Self {
        let config = config(header_clocks);
        let mut uut = Box::new(Uut::new(&config));
        uut.connect_all();
        uut.reset.next = true;
        tick(&mut uut);
        uut.reset.next = false;
        Self {
            uut,
            config,
            tables: vec![Table::new(S); TABLES],
            tcam: vec![None; T],
            outputs: vec![0; (1 << A) + T],
            due: vec![None; Uut::latency(&config) - 1].into(),
            results: 0,
        }
    }

    fn expected(&self, key: &Words, parsed: Parsed) -> Expected {
        let looked_up = !parsed.punt && !parsed.meta.packet_out && parsed.meta.fault.to_u64() == 0;
        let hits: Vec<Answer> = self.tables.iter().map(|t| t.lookup(key)).collect();
        let rule = select(tcam_lookup(&self.tcam, key), &hits).map(|h| h.1).filter(|_| looked_up);
        let outputs = rule.map_or(0, |r| self.outputs[usize::from(r)].into());
        let punt = parsed.punt && !parsed.meta.packet_out && parsed.meta.fault.to_u64() == 0;
        Expected { rule, punt, parsed, outputs }
    }

    /// A header, and the clocks until the next may come.
    fn header(&mut self, key: Words, parsed: Parsed) {
        self.clock(Some((key, parsed)));
        for _ in 1..self.config.header_clocks {
            self.clock(None);
        }
    }

    /// One clock, with a header or without.
    fn clock(&mut self, header: Option<(Words, Parsed)>) {
        self.due.push_back(header.map(|(key, parsed)| self.expected(&key, parsed)));
        self.uut.valid.next = header.is_some();
        if let Some((_, parsed)) = header {
            self.uut.parsed.next = parsed;
        }
        tick(&mut self.uut);
        self.uut.write_valid.next = false;
        let expected = self.due.pop_front().unwrap();
        assert_eq!(self.uut.result_valid.val(), expected.is_some());
        let Some(e) = expected else { return };
        let (r, p) = (self.uut.result.val(), e.parsed);
        assert_eq!(r.hit.then(|| r.rule.to_u64() as u16), e.rule);
        assert_eq!(r.punt, e.punt);
        if r.hit {
            assert_eq!(r.step.outputs.to_u64(), e.outputs);
        }
        let key_ttl = p.key.get_bits::<8>(24);
        let pins = |l: Layout, m: Meta| (l.vlans, l.l3, l.l4, l.l4_words, m.vport, m.packet_out, m.len, m.fault);
        assert_eq!((pins(r.layout, r.meta), r.ttl), (pins(p.layout, p.meta), key_ttl));
        self.results += 1;
    }

    /// A command, and idle clocks until it is done.
    fn command(&mut self, write: Write) {
        for _ in 0..Uut::latency(&self.config) {
            self.clock(None);
        }
        assert!(self.uut.idle.val());
        self.uut.write.next = write;
        self.uut.write_valid.next = true;
        self.clock(None);
        assert!(self.uut.busy.val() && !self.uut.idle.val());
        while self.uut.busy.val() {
            self.clock(None);
        }
        // From now on the operands need not stay.
        self.uut.write.next = Write { data: key_bits(&[0xdead_beef; 32]), ..Default::default() };
    }

    /// Clears all, an index in each clock.
    fn sweep(&mut self, places: usize) {
        for _ in 0..Uut::latency(&self.config) {
            self.clock(None);
        }
        let clear = Write { clear: true, write_entry: true, write_action: true, ..Default::default() };
        for index in 0..places {
            self.uut.write.next = Write { index: index.to_bits(), ..clear };
            self.uut.write_valid.next = true;
            self.clock(None);
            assert!(self.uut.busy.val());
        }
        // The index may move on.
        self.uut.write.next = clear;
        while self.uut.busy.val() {
            self.clock(None);
        }
        self.tables = vec![Table::new(S); TABLES];
        self.tcam = vec![None; T];
        self.outputs.fill(0);
    }

    fn write_mask(&mut self, table: usize, mask: Words, seed: u32, enable: bool) {
        (self.tables[table].mask, self.tables[table].seed, self.tables[table].enable) = (mask, seed, enable);
        let data = [&[enable.into(), seed], &mask[..]].concat();
        self.command(Write { write_mask: true, table: table.to_bits(), data: key_bits(&data), ..Default::default() });
    }

    fn write_entry(&mut self, table: usize, way: usize, slot: usize, entry: Option<Entry>) {
        self.tables[table].slots[way][slot] = entry;
        self.command(Write {
            write_entry: true,
            table: table.to_bits(),
            index: (way << S | slot).to_bits(),
            data: key_bits(&entry_words(entry)),
            ..Default::default()
        });
    }

    fn write_tcam(&mut self, index: usize, entry: Option<(Entry, Words)>) {
        self.tcam[index] = entry;
        let mut data = entry_words(entry.map(|e| e.0));
        data.extend(entry.map_or([0; 15], |e| e.1));
        self.command(Write { write_tcam: true, index: index.to_bits(), data: key_bits(&data), ..Default::default() });
    }

    fn write_action(&mut self, rule: usize, outputs: u32) {
        self.outputs[rule] = outputs;
        self.command(Write {
            write_action: true,
            index: rule.to_bits(),
            data: key_bits(&[outputs]),
            ..Default::default()
        });
    }
}

/// `DATA[0..17]` of `WRITE_ENTRY` and `WRITE_TCAM`.
fn entry_words(entry: Option<Entry>) -> Vec<u32> {
    let e = entry.unwrap_or(Entry { key: [0; 15], priority: 0xffff, rule: 0 });
    let mut data = vec![u32::from(e.priority) << 16 | u32::from(entry.is_some()), e.rule.into()];
    data.extend(e.key);
    data
}

fn parsed(key: &Words, rng: &mut ChaCha8Rng) -> Parsed {
    Parsed {
        key: key_bits(key),
        layout: Layout {
            vlans: rng.random_range(0..3u64).to_bits(),
            l3: rng.random_range(0..3u64).to_bits(),
            l4: rng.random_range(0..4u64).to_bits(),
            l4_words: rng.random_range(5..16u64).to_bits(),
        },
        punt: rng.random_range(0..8) == 0,
        meta: Meta {
            vport: rng.random_range(0..11u64).to_bits(),
            packet_out: rng.random_range(0..8) == 0,
            len: rng.random_range(14..9217u64).to_bits(),
            fault: rng.random_range(0..20u64).saturating_sub(16).to_bits(),
        },
    }
}

/// A header that no fault and no other destination keeps from the tables.
fn looked_up(key: &Words, rng: &mut ChaCha8Rng) -> Parsed {
    let any = parsed(key, rng);
    Parsed { punt: false, meta: Meta { packet_out: false, fault: 0.into(), ..any.meta }, ..any }
}

#[test]
fn random_rules_in_all_tables_at_full_rate() {
    random_rules(1);
}

#[test]
fn random_rules_in_all_tables_looked_at_in_turn() {
    random_rules(24);
}

fn random_rules(header_clocks: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut bench = Bench::new(header_clocks);
    for rule in 0..(1 << A) + T {
        bench.write_action(rule, 0x100 + rule as u32);
    }
    let bases: Vec<Words> = (0..6).map(|_| rng.random()).collect();
    for table in 0..TABLES {
        let mask = std::array::from_fn(|i| if i % 2 == table { !0 } else { 0xff });
        bench.write_mask(table, mask, rng.random(), true);
    }
    let mut hits = 0;
    for _ in 0..25 {
        let base = *bases.choose(&mut rng).unwrap();
        let rule = rng.random_range(0..((1 << A) + T) as u16);
        let (table, priority) = (rng.random_range(0..TABLES), rng.random_range(0..3));
        if rng.random_range(0..3) == 0 {
            let mask: Words = std::array::from_fn(|i| if i == 4 { !0 } else { 0 });
            let entry = rng.random_bool(0.7).then_some((Entry { key: base, priority, rule }, mask));
            bench.write_tcam(rng.random_range(0..T), entry);
        } else {
            let key = masked(&base, &bench.tables[table].mask);
            let index = table_hash(&key, bench.tables[table].seed, S);
            let way = rng.random_range(0..4);
            let entry = rng.random_bool(0.8).then_some(Entry { key, priority, rule });
            bench.write_entry(table, way, index[way], entry);
        }
        for _ in 0..20 {
            let mut key = *bases.choose(&mut rng).unwrap();
            if rng.random_range(0..3) == 0 {
                key[rng.random_range(0..15)] ^= 1 << rng.random_range(0..32);
            }
            let header = parsed(&key, &mut rng);
            hits += usize::from(bench.expected(&key, header).rule.is_some());
            bench.header(key, header);
        }
    }
    for _ in 0..Uut::latency(&bench.config) {
        bench.clock(None);
    }
    assert!(bench.uut.idle.val());
    assert_eq!(bench.results, 500);
    assert!((100..350).contains(&hits), "{hits} hits of 500");
}

#[test]
fn a_clear_leaves_no_entry_in_any_table() {
    for header_clocks in [1, 24] {
        clear(header_clocks);
    }
}

/// A rule in every slot of a key's and in every TCAM entry: all are gone after a sweep, and are not seen again when the masks come back.
fn clear(header_clocks: usize) {
    let mut bench = Bench::new(header_clocks);
    let (key, mut rng) = ([0x1234_5678; 15], ChaCha8Rng::seed_from_u64(5));
    let header = looked_up(&key, &mut rng);
    let places = (1 << A) + T;
    for rule in 0..places {
        bench.write_action(rule, 0x100 + rule as u32);
    }
    for round in 0..2 {
        for table in 0..TABLES {
            bench.write_mask(table, [!0; 15], 1, true);
        }
        let before = bench.results;
        bench.header(key, header);
        for n in 0..TABLES * 4 {
            let (table, way) = (n % TABLES, n / TABLES);
            let entry = Entry { key, priority: 1, rule: n as u16 };
            bench.write_entry(table, way, table_hash(&key, 1, S)[way], Some(entry));
        }
        for entry in 0..T {
            bench.write_tcam(entry, Some((Entry { key, priority: 0, rule: ((1 << A) + entry) as u16 }, [0; 15])));
        }
        bench.header(key, header);
        bench.sweep(places);
        bench.header(key, header);
        for _ in 0..Uut::latency(&bench.config) {
            bench.clock(None);
        }
        assert_eq!(bench.results, before + 3, "round {round}");
    }
    // All first steps are zero: a rule that is written without one puts nothing out.
    for rule in 0..places {
        bench.write_tcam(1, Some((Entry { key, priority: 0, rule: rule as u16 }, [0; 15])));
        bench.header(key, header);
    }
    for _ in 0..Uut::latency(&bench.config) {
        bench.clock(None);
    }
}

#[test]
fn every_rule_in_a_tcam_entry_of_its_own_priority_wins_over_equal_ones() {
    for header_clocks in [1, 24] {
        equal_priorities(header_clocks);
    }
}

fn equal_priorities(header_clocks: usize) {
    let mut bench = Bench::new(header_clocks);
    let key = [7; 15];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let header = looked_up(&key, &mut rng);
    bench.write_mask(0, [!0; 15], 1, true);
    bench.write_mask(1, [0; 15], 1, true);
    for (table, priority, rule) in [(1, 3, 10), (0, 3, 11), (1, 4, 12)] {
        let masked = masked(&key, &bench.tables[table].mask);
        let index = table_hash(&masked, 1, S);
        bench.write_entry(table, 2, index[2], Some(Entry { key: masked, priority, rule }));
        bench.header(key, header);
    }
    for (index, priority, rule) in [(3, 3, 1 << A), (2, 4, 21), (1, 4, 22), (3, 5, (1 << A) + 3)] {
        bench.write_tcam(index, Some((Entry { key, priority, rule }, [0; 15])));
        bench.header(key, header);
    }
    bench.write_mask(0, [!0; 15], 1, false);
    bench.write_tcam(3, None);
    bench.header(key, header);
    for _ in 0..Uut::latency(&bench.config) {
        bench.clock(None);
    }
    assert_eq!(bench.results, 8);
}

#[test]
fn every_lookup_during_a_command_is_before_or_after_it() {
    lookups_during_a_command(1, 60, 15..30);
    lookups_during_a_command(24, 24 * 60, 18..24);
}

/// The command comes in a third of the clocks; the header whose result is the first of the new rule must be in `changes`.
fn lookups_during_a_command(header_clocks: usize, clocks: usize, changes: std::ops::Range<usize>) {
    let mut bench = Bench::new(header_clocks);
    let key = [9; 15];
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let header = looked_up(&key, &mut rng);
    bench.write_mask(0, [!0; 15], 1, true);
    bench.write_action(1, 0x11);
    bench.write_action(2, 0x22);
    let index = table_hash(&key, 1, S);
    bench.write_entry(0, 1, index[1], Some(Entry { key, priority: 1, rule: 1 }));
    let data = entry_words(Some(Entry { key, priority: 1, rule: 2 }));
    for _ in 0..Uut::latency(&bench.config) {
        bench.clock(None);
    }
    bench.uut.write.next =
        Write { write_entry: true, index: (1 << S | index[1]).to_bits(), data: key_bits(&data), ..Default::default() };
    bench.uut.parsed.next = header;
    let mut seen = vec![];
    for n in 0..clocks {
        bench.uut.valid.next = n % header_clocks == 0;
        bench.uut.write_valid.next = n == clocks / 3;
        tick(&mut bench.uut);
        if bench.uut.result_valid.val() {
            let r = bench.uut.result.val();
            assert!(r.hit);
            seen.push((r.rule.to_u64(), r.step.outputs.to_u64()));
        }
    }
    let change = seen.iter().position(|s| s.0 == 2).unwrap();
    assert!(changes.contains(&change), "{seen:?}");
    assert!(
        seen[..change].iter().all(|s| *s == (1, 0x11)) && seen[change..].iter().all(|s| *s == (2, 0x22)),
        "{seen:?}"
    );
}

#[test]
fn sizes_that_do_not_belong_together_are_refused() {
    const FEWER_RULES: Sizes = Sizes { hash_rules_log2: 13, ..SIM };
    const MORE_ENTRIES: Sizes = Sizes { tcam_log2: 3, ..SIZES };
    let sim = || <sized!(Match<FEWER_RULES>)>::new(&Preset::Sim.config());
    assert!(std::panic::catch_unwind(sim).is_err());
    assert!(std::panic::catch_unwind(|| <sized!(Match<MORE_ENTRIES>)>::new(&config(1))).is_err());
}

#[test]
fn lints() {
    const ECP5: Sizes = Sizes::of(&Preset::Ecp5.config());
    assert_lints(<sized!(Match<SIM>)>::new(&Preset::Sim.config()));
    assert_lints(<sized!(Match<ECP5>)>::new(&Preset::Ecp5.config()));
}
