// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time that passes at once where nothing happens leaves what time leaves that passes step by step.

use super::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEP_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Steps in which all counters are read.
const QUIET_STEPS: u64 = 10;

const FLOWS: &str = "\
priority=9,idle_timeout=7,udp,tp_dst=1,actions=output:p1
priority=9,hard_timeout=400,udp,tp_dst=2,actions=output:p1
priority=9,idle_timeout=30,hard_timeout=90,udp,tp_dst=3,actions=dec_ttl,normal
priority=0,actions=normal";

/// Megaflows, flows, stations, and what the slow path counts.
type Seen = (Vec<Option<String>>, Vec<String>, Vec<(u64, u16, u64)>, String);

impl Bench {
    fn step(&mut self, ns: u64) {
        self.now += ns;
        self.core.tick(&mut self.list, self.now);
    }

    /// Lets time pass as the simulation does where no packet moves; gives the number of ticks.
    fn leap(&mut self, ns: u64) -> u64 {
        let (start, end) = (self.now, self.now + ns);
        let mut ticks = 0;
        while self.now < end {
            let leap = match self.core.next_due() {
                _ if self.now < start + QUIET_STEPS * STEP_NS => STEP_NS,
                Some(due) => due.saturating_sub(self.now).max(STEP_NS),
                None => u64::MAX,
            };
            self.step(leap.min(end - self.now));
            ticks += 1;
        }
        ticks
    }

    /// All that a user can see.
    fn seen(&mut self) -> Seen {
        self.core.sync_all(&mut self.list, self.now);
        // The first item is the UFID, which depends on the place in the cache.
        let text = |dump: &MegaflowDump| dump.to_string().split_once(", ").map(|(_, rest)| rest.to_owned());
        let mut megaflows: Vec<_> = self.core.dump_megaflows(self.now, |_| String::new()).iter().map(text).collect();
        megaflows.sort();
        let flows = self.core.dump_flows(self.now).iter().map(ToString::to_string).collect();
        let stations = self.core.macs.iter().map(|(s, port, used)| (s.mac(), port, used)).collect();
        // How often rules were looked at and changed depends on the order in the cache.
        let Stats { misses, sent, dropped, expired, .. } = *self.core.stats();
        (megaflows, flows, stations, format!("{misses} {sent} {dropped:?} {expired}"))
    }
}

#[test]
fn a_gap_leaves_what_the_same_time_leaves_step_by_step() {
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let [mut stepped, mut leaped] = [Bench::new(FLOWS), Bench::new(FLOWS)];
        for round in 0..4 {
            for _ in 0..rng.random_range(0..30) {
                let vport = rng.random_range(0..4);
                let frame = if rng.random() {
                    udp(rng.random_range(1..5), rng.random_range(62..66))
                } else {
                    ethernet(rng.random_range(1..6), rng.random_range(1..6))
                };
                assert_eq!(stepped.packet(vport, &frame), leaped.packet(vport, &frame), "seed {seed}, round {round}");
            }
            let seconds = [3, 8, 15, 45, 120, 305, 700][rng.random_range(0..7)];
            let gap = seconds * SECOND_NS + rng.random_range(0..SECOND_NS);
            for _ in 0..gap / STEP_NS {
                stepped.step(STEP_NS);
            }
            stepped.step(gap % STEP_NS);
            leaped.leap(gap);
            // A megaflow that is idle goes within half a second.
            for _ in 0..6 {
                stepped.step(STEP_NS);
                leaped.step(STEP_NS);
            }
            assert_eq!(stepped.seen(), leaped.seen(), "seed {seed}, round {round}");
        }
    }
}

#[test]
fn years_take_a_few_ticks() {
    let mut b = Bench::new(FLOWS);
    for n in 1..200 {
        b.packet(n % 4, &ethernet(1, n));
        b.packet(0, &udp(n.into(), 64));
    }
    let ticks = b.leap(54 * 365 * 86_400 * SECOND_NS);
    assert!(ticks < 100, "{ticks} ticks");
    assert_eq!((b.core.macs.len(), b.core.megaflows(), b.core.stats().expired), (0, (0, 0), 3));
    assert_eq!(b.core.next_due(), None);
    // What comes then is as new.
    assert_eq!(b.packet(0, &ethernet(2, 1)), (false, 0x7fe));
}
