// SPDX-License-Identifier: MIT OR Apache-2.0
//! FIFO on block RAM.

use super::{DffE, DffR, Ram, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// First-word-fall-through FIFO of `1 << DEPTH_LOG2` words on block RAM, `COUNT_BITS` = DEPTH_LOG2 + 1.
///
/// Full rate: one word in and one out per clock. Three clocks from input to output: write, RAM read, output register.
/// `out.data` is a register behind the RAM's read port, so that synthesis can use the RAM's own output register.
#[millrace_hdl::block]
pub struct Fifo<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Words held, those on their way to the output included.
    pub count: Signal<Out, Bits<COUNT_BITS>>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    ram: Ram<T, DEPTH_LOG2>,
    /// Next word to read from the RAM.
    head: Reg<Bits<DEPTH_LOG2>>,
    /// Next word to write.
    tail: Reg<Bits<DEPTH_LOG2>>,
    /// Words in the RAM not yet read.
    stored: Reg<Bits<COUNT_BITS>>,
    used: Reg<Bits<COUNT_BITS>>,
    /// The RAM's read port holds a word.
    fetched: DffR<Bit>,
    /// The output register holds a word.
    loaded: DffR<Bit>,
    word: DffE<T>,
    #[init(depth(DEPTH_LOG2, COUNT_BITS))]
    depth: Constant<Bits<COUNT_BITS>>,
}

/// The depth of a FIFO, if its sizes fit each other.
pub(super) fn depth<const COUNT_BITS: usize>(a: usize, c: usize) -> Constant<Bits<COUNT_BITS>> {
    assert!(c == a + 1, "a FIFO of 1 << {a} words counts in {} bits, not {c}", a + 1);
    Constant::new((1u64 << a).to_bits())
}

#[millrace_hdl::block]
impl<T: Synth, const DEPTH_LOG2: usize, const COUNT_BITS: usize> Fifo<T, DEPTH_LOG2, COUNT_BITS> {
    fn update(&mut self) {
        self.inp.ready = self.used < self.depth;
        self.out.data = self.word;
        self.out.valid = self.loaded;
        self.count = self.used;
        self.empty = !self.used.any();

        // A word moves on whenever the place before it is, or becomes, free.
        let push = self.inp.valid & (self.used < self.depth);
        let pop = self.loaded & self.out.ready;
        let load = self.fetched & (!self.loaded | self.out.ready);
        let fetch = self.stored.any() & (!self.fetched | load);
        self.loaded = load | (self.loaded & !self.out.ready);
        self.fetched = fetch | (self.fetched & !load);

        self.ram.we = push;
        self.ram.waddr = self.tail;
        self.ram.wdata = self.inp.data;
        self.ram.re = fetch;
        self.ram.raddr = self.head;
        if load {
            self.word = self.ram.rdata;
        }

        if push {
            self.tail += 1;
        }
        if fetch {
            self.head += 1;
        }
        self.stored.en = push ^ fetch;
        self.stored.d = self.stored - 1;
        self.used.en = push ^ pop;
        self.used.d = self.used - 1;
        if push {
            self.stored.d = self.stored + 1;
            self.used.d = self.used + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LutFifo;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// Random pushes and pops against a queue of the same depth; both FIFOs have the same ports.
    macro_rules! behaves_like_a_queue {
        ($fifo:ty, $latency:expr) => {{
            for (fill, drain) in [(0.9, 0.3), (0.3, 0.9), (1.0, 1.0), (0.5, 0.5)] {
                let mut rng = ChaCha8Rng::seed_from_u64(7);
                let mut f = <$fifo>::default();
                f.connect_all();
                f.reset.next = true;
                tick(&mut f, |f| &mut f.clock);
                f.reset.next = false;
                let (mut model, mut sent, mut full_seen) = (VecDeque::new(), 0u64, false);
                for _ in 0..2000 {
                    f.inp.valid.next = rng.random_bool(fill);
                    f.inp.data.next = sent.into();
                    f.out.ready.next = rng.random_bool(drain);
                    settle(&mut f);
                    assert_eq!(f.count.val().to_u64() as usize, model.len());
                    assert_eq!(f.empty.val(), model.is_empty());
                    assert_eq!(f.inp.ready.val(), model.len() < 8);
                    full_seen |= model.len() == 8;
                    let (push, pop) = (f.inp.valid.val() && f.inp.ready.val(), f.out.valid.val() && f.out.ready.val());
                    if f.out.valid.val() {
                        assert_eq!(Some(&f.out.data.val().to_u64()), model.front());
                    }
                    if pop {
                        model.pop_front();
                    }
                    if push {
                        model.push_back(sent);
                        sent += 1;
                    }
                    tick(&mut f, |f| &mut f.clock);
                }
                assert!(fill != 0.9 || full_seen);
                assert!(fill != 1.0 || sent >= 2000 - $latency, "full rate: {sent}");
            }
        }};
    }

    #[test]
    fn fifos_keep_order_and_count_at_full_rate() {
        behaves_like_a_queue!(Fifo<Bits<40>, 3, 4>, 1);
        behaves_like_a_queue!(LutFifo<Bits<40>, 3, 4>, 1);
    }

    #[test]
    fn fifos_emit_clean_verilog() {
        assert_lints(Fifo::<Bits<40>, 9, 10>::default());
        assert_lints(LutFifo::<Bits<1044>, 4, 5>::default());
    }
}
