// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps heads of split queues whose turn has not come.

use crate::types::Head;
use millrace_hdl::base::{LutRam, Ram, Reg, Snk};
use rust_hdl_core::prelude::*;

/// Heads of a queue that are kept at most, log2.
pub const HEADS_LOG2: usize = 8;

/// A FIFO of [`HEADS_LOG2`] heads for each of `PAIRS` queues; `STORE_BITS` = PAIR_BITS + 8.
#[millrace_hdl::block(Self::check())]
pub struct WaitingHeads<const PAIRS: usize, const PAIR_BITS: usize, const STORE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// Always ready: that a queue has no more than find room, others see to.
    pub heads: Snk<Head<PAIR_BITS>>,
    /// Bit p: heads of pair p are kept.
    pub held: Signal<Out, Bits<PAIRS>>,
    /// With `look`: the oldest head of `pair` is in `oldest` from the next clock on.
    pub pair: Signal<In, Bits<PAIR_BITS>>,
    pub look: Signal<In, Bit>,
    pub oldest: Signal<Out, Bits<8>>,
    /// The oldest head of `pair` is not needed any more, or none of its heads is.
    pub take: Signal<In, Bit>,
    pub clear: Signal<In, Bit>,

    memory: Ram<Bits<8>, STORE_BITS>,
    /// Of each queue: heads that came, for those that come and for those that are taken; and that are gone.
    came: LutRam<Bits<HEADS_LOG2>, PAIR_BITS>,
    came_for_take: LutRam<Bits<HEADS_LOG2>, PAIR_BITS>,
    gone: LutRam<Bits<HEADS_LOG2>, PAIR_BITS>,
    kept: Reg<Bits<PAIRS>>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const STORE_BITS: usize> WaitingHeads<PAIRS, PAIR_BITS, STORE_BITS> {
    fn check() {
        assert_eq!(STORE_BITS, PAIR_BITS + HEADS_LOG2, "WaitingHeads: sizes do not fit");
    }

    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let coming = self.heads.data;
        self.heads.ready = true;
        self.came.raddr = coming.pair;
        let came = self.came.rdata;
        self.memory.we = self.heads.valid;
        self.memory.waddr = concat::<STORE_BITS>(coming.pair, came);
        self.memory.wdata = coming.index;
        self.came.we = self.heads.valid;
        self.came.waddr = coming.pair;
        self.came.wdata = came + 1;
        self.came_for_take.we = self.heads.valid;
        self.came_for_take.waddr = coming.pair;
        self.came_for_take.wdata = came + 1;

        self.gone.raddr = self.pair;
        self.came_for_take.raddr = self.pair;
        let gone = self.gone.rdata;
        self.memory.re = self.look;
        self.memory.raddr = concat::<STORE_BITS>(self.pair, gone);
        self.oldest = self.memory.rdata;
        let next = if self.clear { self.came_for_take.rdata } else { gone + 1 };
        self.gone.we = self.take | self.clear;
        self.gone.waddr = self.pair;
        self.gone.wdata = next;

        let empties = (self.take | self.clear) & (next == self.came_for_take.rdata);
        let emptied = if empties { one << self.pair } else { 0 };
        let filled = if self.heads.valid { one << coming.pair } else { 0 };
        self.kept = (self.kept & !emptied) | filled;
        self.held = self.kept;
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
    fn each_queue_has_a_fifo_that_is_full_when_it_is_and_empty_when_it_is_cleared() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = WaitingHeads::<3, 2, 10>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut kept: Vec<VecDeque<u64>> = vec![VecDeque::new(); 3];
        let mut fullest = 0;
        for clock in 0..20_000 {
            // The queue that is looked at; a head may come for it as well.
            let (pair, coming) = (rng.random_range(0..3usize), rng.random_range(0..3usize));
            let comes = kept[coming].len() < 1 << HEADS_LOG2 && rng.random_bool(0.9);
            let index = rng.random_range(0..256u64);
            dut.pair.next = (pair as u64).into();
            dut.look.next = true;
            (dut.take.next, dut.clear.next, dut.heads.valid.next) = (false, false, false);
            tick(&mut dut, |d| &mut d.clock);
            dut.look.next = false;
            settle(&mut dut);
            if let Some(oldest) = kept[pair].front() {
                assert_eq!(dut.oldest.val().to_u64(), *oldest);
            }
            let takes = !kept[pair].is_empty() && rng.random_bool(if clock / 2000 % 2 == 0 { 0.1 } else { 0.9 });
            let clears = !takes && rng.random_ratio(1, 4000);
            (dut.take.next, dut.clear.next) = (takes, clears);
            dut.heads.valid.next = comes && !(clears && coming == pair);
            dut.heads.data.next = Head { pair: (coming as u64).into(), index: index.into(), ..Default::default() };
            if takes {
                kept[pair].pop_front();
            }
            if clears {
                kept[pair].clear();
            }
            if dut.heads.valid.next {
                kept[coming].push_back(index);
            }
            fullest = fullest.max(kept[coming].len());
            tick(&mut dut, |d| &mut d.clock);
            settle(&mut dut);
            for (pair, kept) in kept.iter().enumerate() {
                assert_eq!(dut.held.val().get_bit(pair), !kept.is_empty(), "pair {pair}");
            }
        }
        assert_eq!(fullest, 1 << HEADS_LOG2);
    }

    #[test]
    fn waiting_heads_lints() {
        assert_lints(WaitingHeads::<5, 3, 11>::default());
    }
}
