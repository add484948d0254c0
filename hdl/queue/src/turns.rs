// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of two.

use millrace_hdl::base::{Reg, RoundRobin, Snk, Src};
use rust_hdl_core::prelude::*;

pub const SOURCES: usize = 2;

/// The words of both sources, in turn. What is offered stays until it is taken, whatever comes meanwhile.
#[millrace_hdl::block]
pub struct Turns<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SOURCES)]
    pub inp: Vec<Snk<T>>,
    pub out: Src<T>,
    /// No word is there.
    pub idle: Signal<Out, Bit>,

    turn: RoundRobin<SOURCES>,
    /// Whose word is offered and was not taken; 0 if there is none.
    offered: Reg<Bits<SOURCES>>,
}

#[millrace_hdl::block]
impl<T: Synth> Turns<T> {
    fn update(&mut self) {
        let mut waits: Bits<SOURCES> = 0;
        for i in 0..SOURCES {
            waits.set_bit(i, self.inp[i].valid);
        }
        self.turn.request = waits;
        self.turn.take = waits.any() & self.out.ready;
        let chosen = if self.offered.any() { self.offered } else { self.turn.grant };
        for i in 0..SOURCES {
            self.inp[i].ready = chosen.get_bit(i) & self.out.ready;
        }
        self.out.valid = waits.any();
        self.out.data = if chosen.get_bit(0) { self.inp[0].data } else { self.inp[1].data };
        self.offered = if self.out.ready { 0 } else { chosen };
        self.idle = !(waits.any() | self.offered.any());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    #[test]
    fn every_word_leaves_once_and_stays_until_it_is_taken() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = Turns::<Bits<4>>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut waiting: Vec<VecDeque<u64>> = vec![VecDeque::new(); SOURCES];
        let (mut due, mut got) = (vec![], vec![]);
        let mut offered = None;
        for clock in 0..2_000 {
            for (source, words) in (0..).zip(&mut waiting) {
                if clock < 1_900 && rng.random_ratio(1, 12) {
                    let word = 2 * rng.random_range(0..8) + source;
                    words.push_back(word);
                    due.push(word);
                }
            }
            for (input, words) in dut.inp.iter_mut().zip(&waiting) {
                input.valid.next = !words.is_empty();
                input.data.next = words.front().copied().unwrap_or(0).into();
            }
            dut.out.ready.next = rng.random_ratio(1, 4);
            settle(&mut dut);
            let shown = dut.out.valid.val().then(|| dut.out.data.val().to_u64());
            assert!(offered.is_none() || offered == shown, "clock {clock}: {offered:?} became {shown:?}");
            offered = if dut.out.ready.val() { None } else { shown };
            if let Some(word) = shown.filter(|_| dut.out.ready.val()) {
                got.push(word);
            }
            for (input, words) in dut.inp.iter().zip(&mut waiting) {
                if input.valid.val() && input.ready.val() {
                    words.pop_front();
                }
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        due.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, due);
    }

    #[test]
    fn the_verilog_passes_lint() {
        assert_lints(Turns::<Bits<4>>::default());
    }
}
