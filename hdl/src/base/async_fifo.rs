// SPDX-License-Identifier: MIT OR Apache-2.0
//! FIFO between two clocks.

use super::{DffE, DffR, LutRam, Param, Reg, Snk, Src, Synchroniser};
use rust_hdl_core::prelude::*;

/// `1 << DEPTH_LOG2` words on LUT RAM between two clocks of any ratio, `POINTER_BITS` = DEPTH_LOG2 + 1; first word falls through. For board wrappers.
///
/// Gray-code pointers cross through two-stage synchronisers; `full` and `empty` are late, never wrong. Full rate on both sides from 16 words
/// on. Both resets must be high together for four clocks of the slower side.
#[millrace_hdl::block]
pub struct AsyncFifo<T: Synth, const DEPTH_LOG2: usize, const POINTER_BITS: usize> {
    pub write_clock: Signal<In, Clock>,
    pub write_reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub read_clock: Signal<In, Clock>,
    pub read_reset: Signal<In, Bit>,
    pub out: Src<T>,

    ram: LutRam<T, DEPTH_LOG2>,
    tail: Reg<Bits<POINTER_BITS>>,
    tail_gray: DffR<Bits<POINTER_BITS>>,
    /// The ring is full, as far as the write side knew a clock ago.
    full: DffR<Bit>,
    head: Reg<Bits<POINTER_BITS>>,
    head_gray: Reg<Bits<POINTER_BITS>>,
    /// `head_gray` as the write side sees it.
    head_seen: Synchroniser<POINTER_BITS>,
    /// `tail_gray` as the read side sees it.
    tail_seen: Synchroniser<POINTER_BITS>,
    word: DffE<T>,
    loaded: DffR<Bit>,
    /// Gray codes this far apart are a whole ring apart.
    ring: Param<Bits<POINTER_BITS>>,
}

#[millrace_hdl::block]
impl<T: Synth, const DEPTH_LOG2: usize, const POINTER_BITS: usize> AsyncFifo<T, DEPTH_LOG2, POINTER_BITS> {
    /// An empty FIFO.
    ///
    /// # Panics
    /// If `POINTER_BITS` is not DEPTH_LOG2 + 1.
    pub fn new() -> Self {
        assert!(
            POINTER_BITS == DEPTH_LOG2 + 1 && DEPTH_LOG2 >= 2,
            "AsyncFifo<_, {DEPTH_LOG2}, {POINTER_BITS}>: sizes do not fit each other"
        );
        Self { ram: LutRam::new(), ring: Param::new((3u64 << (DEPTH_LOG2 - 1)).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("write side");
        self.ram.clock = self.write_clock;
        self.tail.clock = self.write_clock;
        self.tail_gray.clock = self.write_clock;
        self.full.clock = self.write_clock;
        self.head_seen.clock = self.write_clock;
        self.tail.reset = self.write_reset;
        self.tail_gray.reset = self.write_reset;
        self.full.reset = self.write_reset;
        self.head_seen.d = self.head_gray;
        self.inp.ready = !self.full;
        let push = self.inp.valid & !self.full;
        self.ram.we = push;
        self.ram.waddr = cast::<DEPTH_LOG2>(self.tail);
        self.ram.wdata = self.inp.data;
        let tail_next = self.tail + 1;
        if push {
            self.tail = tail_next;
        }
        let tail_gray_next = if push { tail_next ^ (tail_next >> 1) } else { self.tail_gray };
        self.tail_gray = tail_gray_next;
        self.full = (tail_gray_next ^ self.head_seen.q) == self.ring;

        comment!("read side");
        self.head.clock = self.read_clock;
        self.head_gray.clock = self.read_clock;
        self.tail_seen.clock = self.read_clock;
        self.word.clock = self.read_clock;
        self.loaded.clock = self.read_clock;
        self.head.reset = self.read_reset;
        self.head_gray.reset = self.read_reset;
        self.loaded.reset = self.read_reset;
        self.tail_seen.d = self.tail_gray;
        let fetch = (self.head_gray != self.tail_seen.q) & (!self.loaded | self.out.ready);
        self.ram.raddr = cast::<DEPTH_LOG2>(self.head);
        if fetch {
            self.word = self.ram.rdata;
        }
        self.loaded = fetch | (self.loaded & !self.out.ready);
        self.out.data = self.word;
        self.out.valid = self.loaded;
        let head_next = self.head + 1;
        if fetch {
            self.head = head_next;
            self.head_gray = head_next ^ (head_next >> 1);
        }
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
