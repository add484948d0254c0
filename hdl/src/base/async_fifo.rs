// SPDX-License-Identifier: MIT OR Apache-2.0
//! FIFO between two clocks.

use super::{DffE, DffR, LutRam, Param, Reg, Snk, Src, Synchroniser, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// `1 << A` words on LUT RAM between two clocks of any ratio, `P` = A + 1; first word falls through. For board wrappers.
///
/// Gray-code pointers cross through two-stage synchronisers; `full` and `empty` are late, never wrong. Full rate on both sides from 16 words
/// on. Both resets must be high together for four clocks of the slower side.
#[derive(LogicBlock, Default)]
pub struct AsyncFifo<T: Synth, const A: usize, const P: usize> {
    tag: Tag<Self>,
    pub write_clock: Signal<In, Clock>,
    pub write_reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub read_clock: Signal<In, Clock>,
    pub read_reset: Signal<In, Bit>,
    pub out: Src<T>,

    ram: LutRam<T, A>,
    tail: Reg<Bits<P>>,
    tail_gray: DffR<Bits<P>>,
    /// The ring is full, as far as the write side knew a clock ago.
    full: DffR<Bit>,
    head: Reg<Bits<P>>,
    head_gray: Reg<Bits<P>>,
    /// `head_gray` as the write side sees it, `tail_gray` as the read side sees it.
    head_seen: Synchroniser<P>,
    tail_seen: Synchroniser<P>,
    word: DffE<T>,
    loaded: DffR<Bit>,
    /// Gray codes this far apart are a whole ring apart.
    ring: Param<Bits<P>>,

    push: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    tail_next: Signal<Local, Bits<P>>,
    tail_gray_next: Signal<Local, Bits<P>>,
    head_next: Signal<Local, Bits<P>>,
}

impl<T: Synth, const A: usize, const P: usize> AsyncFifo<T, A, P> {
    /// An empty FIFO.
    ///
    /// # Panics
    /// If `P` is not A + 1.
    pub fn new() -> Self {
        assert!(P == A + 1 && A >= 2, "AsyncFifo<_, {A}, {P}>: sizes do not fit each other");
        Self { ram: LutRam::new(), ring: Param::new((3u64 << (A - 1)).to_bits()), ..Default::default() }
    }
}

impl<T: Synth, const A: usize, const P: usize> Logic for AsyncFifo<T, A, P> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        comment!("write side");
        self.ram.clock.next = self.write_clock.val();
        self.tail.clock.next = self.write_clock.val();
        self.tail_gray.clock.next = self.write_clock.val();
        self.full.clock.next = self.write_clock.val();
        self.head_seen.clock.next = self.write_clock.val();
        self.tail.reset.next = self.write_reset.val();
        self.tail_gray.reset.next = self.write_reset.val();
        self.full.reset.next = self.write_reset.val();
        self.head_seen.d.next = self.head_gray.q.val();
        self.inp.ready.next = !self.full.q.val();
        self.push.next = self.inp.valid.val() & !self.full.q.val();
        self.ram.we.next = self.push.val();
        self.ram.waddr.next = bit_cast::<A, P>(self.tail.q.val());
        self.ram.wdata.next = self.inp.data.val();
        self.tail_next.next = self.tail.q.val() + 1;
        self.tail.en.next = self.push.val();
        self.tail.d.next = self.tail_next.val();
        self.tail_gray_next.next = self.tail_gray.q.val();
        if self.push.val() {
            self.tail_gray_next.next = self.tail_next.val() ^ (self.tail_next.val() >> 1);
        }
        self.tail_gray.d.next = self.tail_gray_next.val();
        self.full.d.next = (self.tail_gray_next.val() ^ self.head_seen.q.val()) == self.ring.val();

        comment!("read side");
        self.head.clock.next = self.read_clock.val();
        self.head_gray.clock.next = self.read_clock.val();
        self.tail_seen.clock.next = self.read_clock.val();
        self.word.clock.next = self.read_clock.val();
        self.loaded.clock.next = self.read_clock.val();
        self.head.reset.next = self.read_reset.val();
        self.head_gray.reset.next = self.read_reset.val();
        self.loaded.reset.next = self.read_reset.val();
        self.tail_seen.d.next = self.tail_gray.q.val();
        self.fetch.next =
            (self.head_gray.q.val() != self.tail_seen.q.val()) & (!self.loaded.q.val() | self.out.ready.val());
        self.ram.raddr.next = bit_cast::<A, P>(self.head.q.val());
        self.word.en.next = self.fetch.val();
        self.word.d.next = self.ram.rdata.val();
        self.loaded.d.next = self.fetch.val() | (self.loaded.q.val() & !self.out.ready.val());
        self.out.data.next = self.word.q.val();
        self.out.valid.next = self.loaded.q.val();
        self.head_next.next = self.head.q.val() + 1;
        self.head.en.next = self.fetch.val();
        self.head.d.next = self.head_next.val();
        self.head_gray.en.next = self.fetch.val();
        self.head_gray.d.next = self.head_next.val() ^ (self.head_next.val() >> 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Passes 3,000 words from a clock that ticks in `write` of 100 instants to one that ticks in `read`; the instants are random, so the clocks
    /// have no fixed relation. Returns the instants it took.
    fn run(write: u32, read: u32, fill: f64, drain: f64) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let mut f = AsyncFifo::<Bits<24>, 4, 5>::new();
        f.connect_all();
        f.write_reset.next = true;
        f.read_reset.next = true;
        for _ in 0..4 {
            tick(&mut f, |f| &mut f.write_clock);
            tick(&mut f, |f| &mut f.read_clock);
        }
        f.write_reset.next = false;
        f.read_reset.next = false;
        let (mut sent, mut got, mut instants) = (0u64, 0u64, 0);
        f.inp.valid.next = true;
        while got < 3000 {
            instants += 1;
            assert!(instants < 200_000, "stuck after {got} words");
            f.inp.data.next = sent.into();
            settle(&mut f);
            let grays = (f.tail_gray.q.val().to_u64(), f.head_gray.q.val().to_u64());
            if rng.random_range(0..100) < write {
                let pushed = f.inp.valid.val() && f.inp.ready.val();
                tick(&mut f, |f| &mut f.write_clock);
                sent += pushed as u64;
                f.inp.valid.next = rng.random_bool(fill);
            }
            if rng.random_range(0..100) < read {
                let popped = f.out.valid.val() && f.out.ready.val();
                if popped {
                    assert_eq!(f.out.data.val().to_u64(), got);
                    got += 1;
                }
                tick(&mut f, |f| &mut f.read_clock);
                f.out.ready.next = rng.random_bool(drain);
            }
            assert!((grays.0 ^ f.tail_gray.q.val().to_u64()).count_ones() <= 1);
            assert!((grays.1 ^ f.head_gray.q.val().to_u64()).count_ones() <= 1);
            assert!(sent - got <= 17, "sixteen words and the output register");
        }
        instants
    }

    #[test]
    fn words_cross_between_any_two_clocks_in_order() {
        for (write, read) in [(50, 50), (90, 20), (20, 90), (100, 7)] {
            run(write, read, 0.8, 0.8);
        }
        run(30, 30, 1.0, 0.3);
        run(30, 30, 0.3, 1.0);
    }

    #[test]
    fn the_slower_side_runs_at_full_rate() {
        assert!(run(100, 100, 1.0, 1.0) < 3020);
        assert!(run(100, 50, 1.0, 1.0) < 6200);
    }

    #[test]
    fn async_fifo_emits_clean_verilog() {
        assert_lints(AsyncFifo::<Bits<24>, 4, 5>::new());
    }
}
