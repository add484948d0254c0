// SPDX-License-Identifier: MIT OR Apache-2.0
//! A FIFO whose last words may be taken back.

use millrace_hdl::base::{LutRam, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// FIFO of `1 << DEPTH_LOG2` words (`COUNT_BITS` = DEPTH_LOG2 + 1). A word comes out when it or one behind it came in with `keep`: in the clock behind, or in the same if nothing is before it. `undo` takes back
/// all words that wait for that.
#[millrace_hdl::block]
pub struct Provisional<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub keep: Signal<In, Bit>,
    pub undo: Signal<In, Bit>,
    pub out: Src<T>,
    /// No word that is kept is held.
    pub empty: Signal<Out, Bit>,

    ram: LutRam<T, DEPTH_LOG2>,
    /// The place of the next word, the one behind the last that is kept, the oldest one; modulo twice as many as there are.
    tail: Reg<Bits<COUNT_BITS>>,
    kept: Reg<Bits<COUNT_BITS>>,
    head: Reg<Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> Provisional<T, DEPTH_LOG2, COUNT_BITS> {
    fn update(&mut self) {
        let held = self.tail - self.head;
        let has_room = !held.get_bit(DEPTH_LOG2);
        self.inp.ready = has_room;
        let comes = self.inp.valid & has_room & !self.undo;
        self.ram.we = comes;
        self.ram.waddr = self.tail.get_bits::<DEPTH_LOG2>(0);
        self.ram.wdata = self.inp.data;
        if self.undo {
            self.tail = self.kept;
        } else if comes {
            self.tail += 1;
        }
        if comes & self.keep {
            self.kept = self.tail + 1;
        }
        let has_words = self.head != self.kept;
        let passes = comes & self.keep & (self.head == self.tail);
        self.ram.raddr = self.head.get_bits::<DEPTH_LOG2>(0);
        self.out.valid = has_words | passes;
        self.out.data = if passes { self.inp.data } else { self.ram.rdata };
        self.empty = !has_words;
        if (has_words | passes) & self.out.ready {
            self.head += 1;
        }
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
    fn words_come_out_in_order_when_they_are_kept_and_never_when_they_are_taken_back() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = Provisional::<Bits<8>, 3, 4>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let (mut kept, mut open) = (VecDeque::new(), VecDeque::new());
        let (mut came, mut undone) = (0, 0);
        for _ in 0..20_000 {
            let word = rng.random::<u8>();
            dut.inp.valid.next = rng.random_bool(0.7);
            dut.inp.data.next = u64::from(word).into();
            // A full FIFO of words that wait would stay so.
            dut.keep.next = open.len() > 4 || rng.random_bool(0.3);
            dut.undo.next = rng.random_bool(0.1);
            dut.out.ready.next = rng.random_bool(0.6);
            settle(&mut dut);
            let offered = dut.inp.valid.val() && dut.inp.ready.val() && !dut.undo.val();
            let passes = kept.is_empty() && open.is_empty() && offered && dut.keep.val();
            let first = kept.front().copied().or(passes.then_some(word));
            assert_eq!(dut.out.valid.val().then(|| dut.out.data.val().to_u64() as u8), first);
            assert_eq!(dut.empty.val(), kept.is_empty());
            let taken = dut.out.valid.val() && dut.out.ready.val();
            came += usize::from(taken);
            if dut.undo.val() {
                undone += open.len();
                open.clear();
            } else if dut.inp.valid.val() && dut.inp.ready.val() {
                open.push_back(word);
                if dut.keep.val() {
                    kept.append(&mut open);
                }
            }
            if taken {
                kept.pop_front();
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        assert!(came > 5_000 && undone > 500, "{came}, {undone}");
    }

    #[test]
    fn provisional_lints() {
        assert_lints(Provisional::<Bits<8>, 3, 4>::default());
    }
}
