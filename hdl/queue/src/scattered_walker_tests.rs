// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains that lie in many lines, beside others.

use super::*;
use crate::descriptor_fetch::{FREE_TAGS, TABLES};

/// Clocks from a read to its answer.
const ROUND_TRIP: u64 = 250;
const SIZE: u16 = 256;
const BUFFER: u64 = 0x10_0000;

/// What virtio 2.7.5 makes of the chain at `head` of a transmitq without indirect tables: its rows, and whether it is longer than the queue.
fn chain_of(memory: &Memory, pair: usize, head: u64) -> (Vec<Row>, bool) {
    let (mut rows, mut index) = (vec![], head);
    loop {
        let at = (table(pair) + 16 * index) as usize;
        let field = |from: usize, bytes: usize| {
            memory.bytes[at + from..][..bytes].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        let goes_on = field(12, 2) & u64::from(NEXT) != 0;
        let too_long = goes_on && rows.len() + 1 == usize::from(SIZE);
        let (first, last) = (rows.is_empty(), !goes_on || too_long);
        rows.push((pair as u64, function(pair), field(0, 8), field(8, 4), head, first, last, too_long, false));
        if last {
            return (rows, too_long);
        }
        index = field(14, 2);
    }
}

impl<const RECEIVE: usize> Bench<RECEIVE> {
    /// A bench with this round trip to memory.
    fn slow(seed: u64) -> Self {
        let mut bench = Self::with_tables(seed, 8, true);
        bench.memory.latency = Some(ROUND_TRIP);
        bench
    }

    /// Descriptor `index` of a pair, which goes on with `next`.
    fn descriptor(&mut self, pair: usize, index: u16, next: Option<u16>) {
        let descriptor = (BUFFER + 0x100 * u64::from(index), 100, next.map_or(0, |_| NEXT), next.unwrap_or(0));
        self.memory.write_descriptor(table(pair), index, descriptor);
    }

    /// Each descriptor of the pair goes on in a line that is none of the four behind it, and the chain from any comes to no end.
    fn scatter(&mut self, pair: usize) {
        (0..SIZE).for_each(|index| self.descriptor(pair, index, Some((index + 37) % SIZE)));
    }

    fn reset_head(&mut self, pair: usize) {
        self.heads.push_back(Head { pair: (pair as u64).into(), reset: true, ..Default::default() });
    }

    fn set_live(&mut self, pair: usize, live: bool) {
        let others = self.dut.live.next.to_u64() & !(1 << pair);
        self.dut.live.next = (others | u64::from(live) << pair).into();
    }

    /// Clocks until the condition holds.
    fn clocks_until(&mut self, mut holds: impl FnMut(&Self) -> bool) -> u64 {
        let mut clocks = 0;
        while !holds(self) {
            self.clock(1.0);
            clocks += 1;
            assert!(clocks < 200_000, "never");
        }
        clocks
    }
}

#[test]
fn chains_of_other_functions_pass_those_that_lie_in_many_lines() {
    let mut bench = Bench::<0>::slow(1);
    bench.scatter(0);
    (0..200).for_each(|index| bench.descriptor(1, index, None));
    for index in 0..200 {
        if index < 32 {
            bench.head(0, 4 * index);
        }
        bench.head(1, index);
    }
    let clocks = bench.clocks_until(|bench| of_pair(&bench.rows, 1).len() == 200);
    // Each head has a line of its own as long as they take turns: 216 lines, of which 64 are read at once.
    assert!(clocks < 4 * ROUND_TRIP, "{clocks} clocks");
    assert_eq!(of_pair(&bench.rows, 0).len(), 0);
    assert_eq!(
        of_pair(&bench.rows, 1),
        (0..200).flat_map(|head| chain_of(&bench.memory, 1, head).0).collect::<Vec<_>>()
    );
}

#[test]
fn scattered_chains_of_functions_are_followed_side_by_side() {
    let clocks = |pairs: &[usize]| {
        let mut bench = Bench::<0>::slow(2);
        let mut due = vec![];
        for head in 0..8 {
            for pair in pairs {
                // Three lines, far from each other.
                let chain = [head, head + 100, head + 50];
                (0..3).for_each(|i| bench.descriptor(*pair, chain[i], chain.get(i + 1).copied()));
                bench.head(*pair, head.into());
                due.extend(chain_of(&bench.memory, *pair, head.into()).0);
            }
        }
        let clocks = bench.clocks_until(|bench| bench.rows.len() == due.len());
        assert_same(&bench.rows, &due, pairs);
        clocks
    };
    let alone = clocks(&[0]);
    assert!(alone < 27 * ROUND_TRIP, "{alone} clocks for 8 chains of three lines");
    let side_by_side = clocks(&[0, 1, 2]);
    assert!(side_by_side < alone + ROUND_TRIP, "{side_by_side} clocks, alone {alone}");
    // Two queues of a function take turns.
    let in_turn = clocks(&[2, 3]);
    assert!(
        in_turn > 2 * alone - 2 * ROUND_TRIP && in_turn < 2 * alone + ROUND_TRIP,
        "{in_turn} clocks, alone {alone}"
    );
}

#[test]
fn queues_of_a_function_that_have_many_chains_take_turns() {
    let mut bench = Bench::<0>::slow(7);
    for head in 0..8 {
        for pair in 1..4 {
            bench.descriptor(pair, head, Some(head + 100));
            bench.descriptor(pair, head + 100, None);
            bench.head(pair, head.into());
        }
    }
    bench.clocks_until(|bench| of_pair(&bench.rows, 2).len() == 16 && of_pair(&bench.rows, 3).len() == 16);
    let turns: Vec<u64> = bench.rows.iter().filter(|row| row.0 > 1 && row.5).map(|row| row.0).collect();
    assert!(turns.windows(2).all(|two| two[0] != two[1]), "{turns:?}");
}

#[test]
fn queues_of_a_function_have_one_chain_in_many_lines_under_way() {
    let mut bench = Bench::<0>::slow(3);
    (2..4).for_each(|pair| bench.scatter(pair));
    for index in 0..20 {
        (2..4).for_each(|pair| bench.head(pair, index));
    }
    let mut under_way = 0;
    bench.clocks_until(|bench| {
        let tags = bench.memory.tags();
        under_way = under_way.max(tags.filter(|tag| (FREE_TAGS..TABLES).contains(tag)).count());
        bench.faults.len() == 2
    });
    assert_eq!(under_way, 4);
    assert_eq!(bench.faults, [(2, reason::CHAIN), (3, reason::CHAIN)]);
}

#[test]
fn a_long_table_takes_a_round_trip_for_sixteen_descriptors() {
    let mut bench = Bench::<0>::slow(4);
    for entry in 0..64 {
        let flags = if entry < 63 { NEXT } else { 0 };
        bench.memory.write_descriptor(INDIRECT_TABLES, entry, (BUFFER, 80, flags, entry + 1));
    }
    bench.memory.write_descriptor(table(0), 3, (INDIRECT_TABLES, 64 * 16, INDIRECT, 0));
    bench.head(0, 3);
    let clocks = bench.clocks_until(|bench| bench.rows.len() == 64);
    // What was read ahead of it, the first descriptor once more, four times four lines.
    assert!(clocks < 7 * ROUND_TRIP + 300, "{clocks} clocks");
}

#[test]
fn a_queue_that_is_not_live_is_not_followed_and_goes_on_when_it_is() {
    let mut bench = Bench::<0>::slow(5);
    let mut due = vec![];
    for head in 0..10 {
        // A chain of 16 lines, 16 descriptors apart from each other, and one in a line between them.
        let chain: Vec<u16> = (0..16).map(|i| 16 * i + head).collect();
        (0..16).for_each(|i| bench.descriptor(1, chain[i], chain.get(i + 1).copied()));
        bench.descriptor(1, 15 + 16 * head, None);
        for first in [head, 15 + 16 * head] {
            bench.head(1, first.into());
            due.extend(chain_of(&bench.memory, 1, first.into()).0);
        }
    }
    bench.clocks_until(|bench| bench.rows.len() == 17);
    for _ in 0..3 * ROUND_TRIP {
        bench.clock(1.0);
    }
    bench.set_live(1, false);
    bench.clocks_until(|bench| bench.dut.idle.val() && bench.memory.quiet());
    let (reads, rows) = (bench.memory.reads, bench.rows.len());
    for _ in 0..10 * ROUND_TRIP {
        bench.clock(1.0);
    }
    assert_eq!((bench.memory.reads, bench.rows.len()), (reads, rows));
    bench.set_live(1, true);
    bench.clocks_until(|bench| bench.rows.len() == due.len());
    assert_same(&bench.rows, &due, "once, and in order");
    bench.run();
    assert_eq!(bench.rows.len(), due.len());
}

#[test]
fn a_reset_drops_what_waits_and_takes_a_round_trip() {
    for wait in [1, 10, 300, 1000, 1003] {
        let mut bench = Bench::<0>::slow(6);
        bench.scatter(1);
        bench.descriptor(2, 0, None);
        (0..60).for_each(|index| bench.head(1, 4 * index));
        for _ in 0..300 + wait {
            bench.clock(1.0);
        }
        bench.set_live(1, false);
        bench.reset_head(1);
        bench.head(2, 0);
        let clocks = bench.clocks_until(|bench| of_pair(&bench.rows, 1).len() == 1);
        assert!(clocks < 2 * ROUND_TRIP, "{clocks} clocks after {wait}");
        assert!(bench.rows.iter().all(|row| row.8 || row.0 == 2));
        // It begins anew.
        bench.set_live(1, true);
        bench.rows.clear();
        bench.descriptor(1, 7, Some(90));
        bench.descriptor(1, 90, None);
        bench.head(1, 7);
        bench.run();
        assert_eq!(of_pair(&bench.rows, 1), chain_of(&bench.memory, 1, 7).0, "after {wait}");
    }
}

#[test]
fn random_chains_of_all_kinds_come_whole_and_in_order_whatever_others_do() {
    let mut stopped = 0;
    for seed in 0..8 {
        let mut bench = Bench::<0>::with_tables(seed, 8, true);
        bench.memory.latency = (seed % 2 == 0).then_some(30);
        let due = random_chains(&mut bench, SIZE, 40);
        // The queue of pair 3 has chains of any shape: most of them come to no end.
        let mut hostile: Vec<u16> = (0..SIZE).collect();
        hostile.shuffle(&mut bench.rng);
        for index in 0..SIZE {
            let next = bench.rng.random_ratio(98, 100).then(|| bench.rng.random_range(0..SIZE));
            bench.descriptor(3, index, next);
        }
        for head in &mut bench.heads {
            if head.pair.to_u64() == 3 {
                head.index = u64::from(hostile.pop().expect("as many as there are")).into();
            }
        }
        let hostile: Vec<u64> =
            bench.heads.iter().filter(|head| head.pair.to_u64() == 3).map(|head| head.index.to_u64()).collect();
        let reset_at = bench.rng.random_range(0..3000);
        let mut reset = false;
        for clock in 0.. {
            bench.clock(0.8);
            // Functions stop being bus masters, and begin again.
            if bench.rng.random_ratio(1, 500) {
                let (pair, live) = (bench.rng.random_range(0..3), bench.rng.random_bool(0.7));
                bench.set_live(pair, live);
            }
            if !bench.faults.is_empty() {
                bench.set_live(3, false);
                bench.dut.stopped.next = 0b1000u64.into();
            }
            if clock == reset_at {
                bench.set_live(3, false);
            }
            if clock > reset_at && !reset && bench.heads.is_empty() {
                bench.reset_head(3);
                reset = true;
            }
            let others = bench.rows.iter().filter(|row| row.0 < 3).count();
            if others == due.iter().filter(|row| row.0 < 3).count() && bench.rows.iter().any(|row| row.8) {
                break;
            }
            assert!(clock < 200_000, "seed {seed}");
        }
        bench.dut.live.next = 0b111u64.into();
        bench.run();
        (0..3).for_each(|pair| assert_eq!(of_pair(&bench.rows, pair), of_pair(&due, pair), "seed {seed}"));
        assert!(bench.rows.windows(2).all(|two| two[0].6 == two[1].5), "seed {seed}: a chain is whole");
        // Its chains up to the first that is too long, or fewer; and the reset.
        let mut rows = of_pair(&bench.rows, 3);
        assert!(rows.pop().is_some_and(|row| row.8), "seed {seed}");
        let mut chains = hostile.iter();
        let mut faulty = false;
        while !rows.is_empty() && !faulty {
            let (chain, too_long) = chain_of(&bench.memory, 3, *chains.next().expect("no more than came"));
            assert!(rows.len() >= chain.len(), "seed {seed}: a chain is whole");
            assert_eq!(rows.drain(..chain.len()).collect::<Vec<_>>(), chain, "seed {seed}");
            faulty = too_long;
        }
        assert!(rows.iter().all(|row| row.5 && row.6 && row.7), "seed {seed}: a stopped queue gives no descriptor");
        assert_eq!(bench.faults, if faulty { vec![(3, reason::CHAIN)] } else { vec![] }, "seed {seed}");
        stopped += usize::from(faulty);
    }
    assert!((2..8).contains(&stopped), "{stopped} times stopped by a fault, else by a reset");
}
