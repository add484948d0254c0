// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a frame is looked up again.

use super::types::{LookAgain, Pass, REACH};
use crate::base::{Dff, DffR, Param};
use crate::core::types::Layout;
use millrace_regs::config::{Config, LONG_WINDOW_BYTES, MAX_PASSES, MIN_FRAME};
use rust_hdl_core::prelude::*;

/// Two clocks from the outcome of a lookup to what becomes of the frame: `again`, with the next pass, or `done`. A frame that is done while its rule has it
/// looked up again was looked up as often as the build has passes (`looped`), or its next pass cannot begin (`punted`).
///
/// Without `hit` a frame is done, neither `looped` nor `punted`. One lookup per clock.
#[millrace_hdl::block]
pub struct Decide<const NUMBER_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    /// A rule says what becomes of the packet: `step` is of its first step.
    pub hit: Signal<In, Bit>,
    pub step: Signal<In, LookAgain>,
    pub layout: Signal<In, Layout>,
    /// Length of the frame in bytes, `MIN_FRAME` or more where there is a hit.
    pub len: Signal<In, Bits<14>>,
    pub pass: Signal<In, Pass<NUMBER_BITS>>,
    pub again: Signal<Out, Bit>,
    pub done: Signal<Out, Bit>,
    pub looped: Signal<Out, Bit>,
    pub punted: Signal<Out, Bit>,
    /// With `again` the next pass, with `done` the one that was the last.
    pub next: Signal<Out, Pass<NUMBER_BITS>>,

    /// Number of the build's last pass.
    last: Param<Bits<3>>,
    // first clock
    valid1: DffR<Bit>,
    pass1: Dff<Pass<NUMBER_BITS>>,
    /// The rule has the packet looked up again, and this was the last pass.
    wanted: Dff<Bit>,
    at_last: Dff<Bit>,
    /// There is the header that the next pass begins at or behind.
    named: Dff<Bit>,
    from: Dff<Bits<8>>,
    behind: Dff<Bits<8>>,
    latest: Dff<Bits<13>>,
    metadata: Dff<Bits<64>>,
    // second clock
    again_q: DffR<Bit>,
    done_q: DffR<Bit>,
    looped_q: Dff<Bit>,
    punted_q: Dff<Bit>,
    next_q: Dff<Pass<NUMBER_BITS>>,
}

#[millrace_hdl::block]
impl<const NUMBER_BITS: usize> Decide<NUMBER_BITS> {
    /// For a build with passes.
    ///
    /// # Panics
    /// If it has one pass, or more than there may be.
    pub fn new(config: &Config) -> Self {
        assert!((2..=MAX_PASSES).contains(&config.passes), "{} passes", config.passes);
        Self { last: Param::new((config.passes - 1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        comment!(
            "clock 1: what a rule wants; where the next pass begins, in two parts, and may begin at the latest, in units of two bytes"
        );
        let from_frame = self.step.start_from == 0;
        let from_l4 = self.step.start_from == 2;
        let mut from: Bits<8> = 0;
        if !from_frame {
            from = (cast::<8>(self.layout.vlans) << 1) + (MIN_FRAME / 2);
        }
        if from_l4 {
            from += cast::<8>(self.layout.l4_words) << 1;
        }
        self.from = from;
        self.behind = cast::<8>(self.pass.start) + cast::<8>(self.step.start.get_bits::<6>(1));
        self.named = from_frame | (!self.step.start_from.all() & self.layout.l3.any());
        self.latest = cast::<13>((self.len - MIN_FRAME) >> 1);
        self.wanted = self.hit & self.step.look_again;
        self.at_last = self.pass.number == self.last;
        self.valid1 = self.valid;
        self.pass1 = self.pass;
        self.metadata =
            (self.pass.metadata & !self.step.metadata_mask) | (self.step.metadata & self.step.metadata_mask);

        comment!("clock 2: again, or done");
        let start = self.behind + self.from;
        let begins = self.named & (start <= (LONG_WINDOW_BYTES - REACH) / 2) & (cast::<13>(start) <= self.latest);
        let again = self.wanted & !self.at_last & begins;
        self.again_q = self.valid1 & again;
        self.done_q = self.valid1 & !again;
        self.looped_q = self.wanted & self.at_last;
        self.punted_q = self.wanted & !self.at_last & !begins;
        self.next_q = self.pass1;
        if again {
            self.next_q.number = self.pass1.number + 1;
            self.next_q.start = cast::<7>(start);
            self.next_q.metadata = self.metadata;
        }
        self.again = self.again_q;
        self.done = self.done_q;
        self.looped = self.looped_q;
        self.punted = self.punted_q;
        self.next = self.next_q;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use millrace_regs::config::Preset;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn dut(passes: usize) -> Decide<9> {
        let mut dut = Decide::new(&Config { passes, ..Preset::Sim.config() });
        dut.connect_all();
        dut
    }

    #[derive(Debug, PartialEq)]
    enum Fate {
        Again { start: u64, metadata: u64, number: u64 },
        Done,
        Looped,
        Punted,
    }

    /// "Passes" of `docs/hardware.md`, in bytes.
    fn expected(d: &Decide<9>, passes: u64) -> Fate {
        let (step, layout, pass) = (d.step.next, d.layout.next, d.pass.next);
        if !d.hit.next || !step.look_again {
            return Fate::Done;
        }
        if pass.number.to_u64() + 1 == passes {
            return Fate::Looped;
        }
        let ip = (layout.l3.to_u64() != 0).then_some(4 * layout.l4_words.to_u64());
        let l3 = 14 + 4 * layout.vlans.to_u64();
        let from = match (step.start_from.to_u64(), ip) {
            (0, _) => 0,
            (1, Some(_)) => l3,
            (2, Some(ip)) => l3 + ip,
            _ => return Fate::Punted,
        };
        let start = 2 * pass.start.to_u64() + from + (step.start.to_u64() & !1);
        if start + 14 > d.len.next.to_u64() || start + 100 > 192 {
            return Fate::Punted;
        }
        let mask = step.metadata_mask.to_u64();
        let metadata = pass.metadata.to_u64() & !mask | step.metadata.to_u64() & mask;
        Fate::Again { start, metadata, number: pass.number.to_u64() + 1 }
    }

    #[test]
    fn what_becomes_of_a_frame_is_what_the_contract_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut seen = [0; 4];
        for passes in [2, 5, 8] {
            let mut d = dut(passes);
            for _ in 0..4000 {
                let start = rng.random_range(0..=46u64);
                d.valid.next = true;
                d.hit.next = rng.random_bool(0.9);
                d.step.next = LookAgain {
                    look_again: rng.random_bool(0.9),
                    start_from: rng.random_range(0..4u64).into(),
                    start: [0, 16, rng.random_range(0..128u64)].choose(&mut rng).copied().unwrap().into(),
                    metadata: rng.random::<u64>().into(),
                    metadata_mask: [0, u64::MAX, rng.random()].choose(&mut rng).copied().unwrap().into(),
                };
                d.layout.next = Layout {
                    vlans: rng.random_range(0..3u64).into(),
                    l3: rng.random_range(0..3u64).into(),
                    l4_words: rng.random_range(5..16u64).into(),
                    ..Default::default()
                };
                d.len.next = rng.random_range(2 * start + 14..260).into();
                d.pass.next = Pass {
                    frame: rng.random_range(0..512u64).into(),
                    number: rng.random_range(0..passes as u64).into(),
                    start: start.into(),
                    metadata: rng.random::<u64>().into(),
                };
                settle(&mut d);
                tick(&mut d, |d| &mut d.clock);
                tick(&mut d, |d| &mut d.clock);
                let next = d.next.val();
                let fate = match (d.again.val(), d.done.val(), d.looped.val(), d.punted.val()) {
                    (true, false, false, false) => Fate::Again {
                        start: 2 * next.start.to_u64(),
                        metadata: next.metadata.to_u64(),
                        number: next.number.to_u64(),
                    },
                    (false, true, false, false) => Fate::Done,
                    (false, true, true, false) => Fate::Looped,
                    (false, true, false, true) => Fate::Punted,
                    other => panic!("{other:?}"),
                };
                assert_eq!(fate, expected(&d, passes as u64));
                assert_eq!(next.frame, d.pass.next.frame);
                if d.done.val() {
                    assert_eq!((next.number, next.metadata), (d.pass.next.number, d.pass.next.metadata));
                }
                seen[[matches!(fate, Fate::Again { .. }), fate == Fate::Done, fate == Fate::Looped, true]
                    .iter()
                    .position(|is| *is)
                    .unwrap()] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 300), "{seen:?}");
    }

    #[test]
    fn without_a_lookup_nothing_happens() {
        let mut d = dut(8);
        d.hit.next = true;
        settle(&mut d);
        for _ in 0..3 {
            tick(&mut d, |d| &mut d.clock);
            assert!(!d.again.val() && !d.done.val());
        }
    }

    #[test]
    fn decide_emits_clean_verilog() {
        assert_lints(Decide::<9>::new(&Config { passes: 8, ..Preset::Sim.config() }));
    }
}
