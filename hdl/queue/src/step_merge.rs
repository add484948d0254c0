// SPDX-License-Identifier: MIT OR Apache-2.0
//! One stream of chains out of two.

use crate::chain_check::Step;
use millrace_hdl::base::{DffE, DffR, Snk, Src};
use rust_hdl_core::prelude::*;

/// Chains of `split` and of `packed` in turn, each whole.
#[millrace_hdl::block]
pub struct StepMerge<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub split: Snk<Step<PAIR_BITS>>,
    pub packed: Snk<Step<PAIR_BITS>>,
    pub out: Src<Step<PAIR_BITS>>,
    /// A chain has begun and not ended; whether the last was of `packed`.
    open: DffR<Bit>,
    was_packed: DffE<Bit>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> StepMerge<PAIR_BITS> {
    fn update(&mut self) {
        let turn = self.packed.valid & (!self.was_packed | !self.split.valid);
        let takes_packed = if self.open { self.was_packed } else { turn };
        let step = if takes_packed { self.packed.data } else { self.split.data };
        self.out.valid = if takes_packed { self.packed.valid } else { self.split.valid };
        self.out.data = step;
        self.packed.ready = takes_packed & self.out.ready;
        self.split.ready = !takes_packed & self.out.ready;
        let passes = self.out.valid & self.out.ready;
        self.open = if passes { !step.last } else { self.open };
        if passes {
            self.was_packed = takes_packed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn chains_stay_whole_and_neither_side_waits_for_more_than_a_chain() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut dut = StepMerge::<2>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let chains: [Vec<(u64, bool)>; 2] = [0, 1].map(|side| {
            let lengths = (0..200).map(|_| rng.random_range(1..5)).collect::<Vec<u64>>();
            let steps = lengths.iter().flat_map(|n| (1..=*n).map(move |i| i == *n)).enumerate();
            steps.map(|(i, last)| (2 * i as u64 + side, last)).collect()
        });
        let mut taken = [0, 0];
        let mut out: Vec<(u64, bool)> = vec![];
        while taken[0] < chains[0].len() || taken[1] < chains[1].len() {
            let step = |(number, last): (u64, bool)| Step { head: number.into(), last, ..Default::default() };
            let next = [chains[0].get(taken[0]), chains[1].get(taken[1])];
            dut.split.valid.next = next[0].is_some() && rng.random_bool(0.7);
            dut.packed.valid.next = next[1].is_some() && rng.random_bool(0.7);
            dut.split.data.next = step(next[0].copied().unwrap_or_default());
            dut.packed.data.next = step(next[1].copied().unwrap_or_default());
            dut.out.ready.next = rng.random_bool(0.7);
            settle(&mut dut);
            taken[0] += usize::from(dut.split.valid.val() && dut.split.ready.val());
            taken[1] += usize::from(dut.packed.valid.val() && dut.packed.ready.val());
            if dut.out.valid.val() && dut.out.ready.val() {
                out.push((dut.out.data.val().head.to_u64(), dut.out.data.val().last));
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        for side in [0, 1] {
            let own: Vec<_> = out.iter().copied().filter(|(number, _)| number % 2 == side).collect();
            assert_eq!(own, chains[side as usize]);
        }
        let switches = out.windows(2).filter(|pair| pair[0].0 % 2 != pair[1].0 % 2).collect::<Vec<_>>();
        assert!(switches.iter().all(|pair| pair[0].1), "a chain is whole");
        assert!(switches.len() > 150, "{} switches", switches.len());
    }

    #[test]
    fn step_merge_lints() {
        assert_lints(StepMerge::<3>::default());
    }
}
