// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of the interrupts of split queues and of packed ones.

use millrace_hdl::base::{Reg, RoundRobin, Snk, Src};
use rust_hdl_core::prelude::*;

/// Kinds of queues.
pub const KINDS: usize = 2;

/// The interrupts of both kinds of queues, in turn. What is offered stays until it is taken, whatever comes meanwhile.
#[millrace_hdl::block]
pub struct Teller<const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(KINDS)]
    pub inp: Vec<Snk<Bits<VQ_BITS>>>,
    pub out: Src<Bits<VQ_BITS>>,
    /// No interrupt is there.
    pub idle: Signal<Out, Bit>,

    turn: RoundRobin<KINDS>,
    /// Whose interrupt is offered and was not taken; 0 if there is none.
    offered: Reg<Bits<KINDS>>,
}

#[millrace_hdl::block]
impl<const VQ_BITS: usize> Teller<VQ_BITS> {
    fn update(&mut self) {
        let mut tells: Bits<KINDS> = 0;
        for i in 0..KINDS {
            tells.set_bit(i, self.inp[i].valid);
        }
        self.turn.request = tells;
        self.turn.take = tells.any() & self.out.ready;
        let chosen = if self.offered.any() { self.offered } else { self.turn.grant };
        let mut vq: Bits<VQ_BITS> = 0;
        for i in 0..KINDS {
            self.inp[i].ready = chosen.get_bit(i) & self.out.ready;
            if chosen.get_bit(i) {
                vq |= self.inp[i].data;
            }
        }
        self.out.valid = tells.any();
        self.out.data = vq;
        self.offered = if self.out.ready { 0 } else { chosen };
        self.idle = !(tells.any() | self.offered.any());
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
    fn every_interrupt_is_told_once_and_stays_until_it_is_taken() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = Teller::<4>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut waiting: Vec<VecDeque<u64>> = vec![VecDeque::new(); KINDS];
        let (mut due, mut got) = (vec![], vec![]);
        let mut offered = None;
        for clock in 0..2_000 {
            for (kind, queues) in (0..).zip(&mut waiting) {
                if clock < 1_900 && rng.random_ratio(1, 12) {
                    let vq = 2 * rng.random_range(0..8) + kind;
                    queues.push_back(vq);
                    due.push(vq);
                }
            }
            for (input, queues) in dut.inp.iter_mut().zip(&waiting) {
                input.valid.next = !queues.is_empty();
                input.data.next = queues.front().copied().unwrap_or(0).into();
            }
            dut.out.ready.next = rng.random_ratio(1, 4);
            settle(&mut dut);
            let shown = dut.out.valid.val().then(|| dut.out.data.val().to_u64());
            assert!(offered.is_none() || offered == shown, "clock {clock}: {offered:?} became {shown:?}");
            offered = if dut.out.ready.val() { None } else { shown };
            if let Some(vq) = shown.filter(|_| dut.out.ready.val()) {
                got.push(vq);
            }
            for (input, queues) in dut.inp.iter().zip(&mut waiting) {
                if input.valid.val() && input.ready.val() {
                    queues.pop_front();
                }
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        due.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, due);
    }

    #[test]
    fn a_teller_lints() {
        assert_lints(Teller::<4>::default());
    }
}
