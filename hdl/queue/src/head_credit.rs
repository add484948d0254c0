// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bounds the heads of a split queue that are under way.

use crate::ring_fetch::BATCH;
use crate::waiting_heads::HEADS_LOG2;
use millrace_hdl::base::{LutRam, Reg};
use rust_hdl_core::prelude::*;

/// Tells [`RingFetch`](crate::ring_fetch::RingFetch) how many heads of each queue have room behind it: no more than [`WaitingHeads`](crate::waiting_heads::WaitingHeads) can keep are under way, from the
/// read of their entries to the end of their chains.
#[millrace_hdl::block]
pub struct HeadCredit<const PAIRS: usize, const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// So many entries of `granted_pair` are being read.
    pub granted: Signal<In, Bit>,
    pub granted_pair: Signal<In, Bits<PAIR_BITS>>,
    pub granted_count: Signal<In, Bits<6>>,
    /// A chain of `ended_pair` has ended; or (`cleared`) none of its heads is under way, whatever was granted.
    pub ended: Signal<In, Bit>,
    pub ended_pair: Signal<In, Bits<PAIR_BITS>>,
    pub cleared: Signal<In, Bit>,
    /// Bit p: a batch of pair p has room; and how many heads of `granted_pair` have, 64 at most. Both count what was granted before.
    pub room: Signal<Out, Bits<PAIRS>>,
    pub free: Signal<Out, Bits<7>>,
    /// Nothing changes.
    pub idle: Signal<Out, Bit>,

    /// Of each queue, modulo 512: heads that were granted and that have ended, for either side.
    granted_for_grant: LutRam<Bits<9>, PAIR_BITS>,
    granted_for_end: LutRam<Bits<9>, PAIR_BITS>,
    ended_for_grant: LutRam<Bits<9>, PAIR_BITS>,
    ended_for_end: LutRam<Bits<9>, PAIR_BITS>,
    full: Reg<Bits<PAIRS>>,
}

/// Heads of a queue under way at most.
const MOST: u64 = 1 << HEADS_LOG2;

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize> HeadCredit<PAIRS, PAIR_BITS> {
    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let batch_fits: Bits<9> = MOST - BATCH as u64;
        let most: Bits<9> = MOST;

        comment!("heads are granted");
        self.granted_for_grant.raddr = self.granted_pair;
        self.ended_for_grant.raddr = self.granted_pair;
        let before = self.granted_for_grant.rdata;
        let room = most - (before - self.ended_for_grant.rdata);
        self.free = if room > 64 { 64 } else { cast::<7>(room) };
        let granted = before + cast::<9>(self.granted_count);
        self.granted_for_grant.we = self.granted;
        self.granted_for_grant.waddr = self.granted_pair;
        self.granted_for_grant.wdata = granted;
        self.granted_for_end.we = self.granted;
        self.granted_for_end.waddr = self.granted_pair;
        self.granted_for_end.wdata = granted;
        let fills = self.granted & (granted - self.ended_for_grant.rdata > batch_fits);

        comment!("chains end");
        self.granted_for_end.raddr = self.ended_pair;
        self.ended_for_end.raddr = self.ended_pair;
        let all = self.granted_for_end.rdata;
        let ended = if self.cleared { all } else { self.ended_for_end.rdata + 1 };
        let ends = self.ended | self.cleared;
        self.ended_for_grant.we = ends;
        self.ended_for_grant.waddr = self.ended_pair;
        self.ended_for_grant.wdata = ended;
        self.ended_for_end.we = ends;
        self.ended_for_end.waddr = self.ended_pair;
        self.ended_for_end.wdata = ended;
        let frees = ends & (all - ended <= batch_fits);

        comment!("of two that change the same queue in a clock, the one that grants is right");
        let filled = if fills { one << self.granted_pair } else { 0 };
        let freed = if frees { one << self.ended_pair } else { 0 };
        self.full = (self.full & !freed) | filled;
        self.room = !self.full;
        self.idle = !(self.granted | ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn no_queue_has_more_heads_under_way_than_can_be_kept_and_each_has_its_own() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = HeadCredit::<5, 3>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut held = [0u64; 5];
        let mut fullest = 0;
        for clock in 0..30_000 {
            // Queues are granted heads and give them up by turns, so that they fill and empty.
            let fills = clock / 500 % 2 == 0;
            let (granted, ended) = (rng.random_range(0..5usize), rng.random_range(0..5usize));
            dut.granted_pair.next = (granted as u64).into();
            dut.ended_pair.next = (ended as u64).into();
            dut.granted.next = false;
            settle(&mut dut);
            let free = dut.free.val().to_u64();
            assert_eq!(free, (MOST - held[granted]).min(64), "pair {granted}");
            let count = free.min(rng.random_range(0..33));
            let grants = count > 0 && rng.random_bool(if fills { 0.5 } else { 0.02 });
            dut.granted.next = grants;
            dut.granted_count.next = count.into();
            let clears = held[ended] > 0 && !(grants && granted == ended) && rng.random_ratio(1, 2000);
            let ends = held[ended] > 0 && !clears && rng.random_bool(if fills { 0.3 } else { 1.0 });
            dut.ended.next = ends;
            dut.cleared.next = clears;
            tick(&mut dut, |d| &mut d.clock);
            held[granted] += if grants { count } else { 0 };
            held[ended] = if clears { 0 } else { held[ended] - u64::from(ends) };
            settle(&mut dut);
            fullest = fullest.max(held[granted]);
            for (pair, held) in held.iter().enumerate() {
                let fits = *held <= MOST - BATCH as u64;
                // A queue that is filled and frees in the same clock may be seen as full until the next chain ends.
                assert!(dut.room.val().get_bit(pair) == fits || fits && *held > 0, "pair {pair} has {held}");
            }
        }
        assert_eq!(fullest, MOST);
    }

    #[test]
    fn head_credit_lints() {
        assert_lints(HeadCredit::<5, 3>::default());
    }
}
