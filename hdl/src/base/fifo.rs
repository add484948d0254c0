// SPDX-License-Identifier: MIT OR Apache-2.0
//! FIFO on block RAM.

use super::{DffE, DffR, Ram, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// First-word-fall-through FIFO of `1 << A` words on block RAM, `C` = A + 1.
///
/// Full rate: one word in and one out per clock. Three clocks from input to output: write, RAM read, output register.
/// `out.data` is a register behind the RAM's read port, so that synthesis can use the RAM's own output register.
#[millrace_hdl::block]
pub struct Fifo<T: Synth, const A: usize, const C: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Words held, those on their way to the output included.
    pub count: Signal<Out, Bits<C>>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    ram: Ram<T, A>,
    /// Next word to read from the RAM, next to write.
    head: Reg<Bits<A>>,
    tail: Reg<Bits<A>>,
    /// Words in the RAM not yet read.
    stored: Reg<Bits<C>>,
    used: Reg<Bits<C>>,
    /// The RAM's read port, the output register hold a word.
    fetched: DffR<Bit>,
    loaded: DffR<Bit>,
    word: DffE<T>,
    #[init(depth(A, C))]
    depth: Constant<Bits<C>>,
    push: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    pop: Signal<Local, Bit>,
}

/// The depth of a FIFO, if its sizes fit each other.
pub(super) fn depth<const C: usize>(a: usize, c: usize) -> Constant<Bits<C>> {
    assert!(c == a + 1, "a FIFO of 1 << {a} words counts in {} bits, not {c}", a + 1);
    Constant::new((1u64 << a).to_bits())
}

impl<T: Synth, const A: usize, const C: usize> Logic for Fifo<T, A, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, ram, head, tail, stored, used, fetched, loaded, word);
        self.head.reset.next = self.reset.val();
        self.tail.reset.next = self.reset.val();
        self.stored.reset.next = self.reset.val();
        self.used.reset.next = self.reset.val();
        self.fetched.reset.next = self.reset.val();
        self.loaded.reset.next = self.reset.val();

        self.inp.ready.next = self.used.q.val() < self.depth.val();
        self.out.data.next = self.word.q.val();
        self.out.valid.next = self.loaded.q.val();
        self.count.next = self.used.q.val();
        self.empty.next = !self.used.q.val().any();

        // A word moves on whenever the place before it is, or becomes, free.
        self.push.next = self.inp.valid.val() & (self.used.q.val() < self.depth.val());
        self.pop.next = self.loaded.q.val() & self.out.ready.val();
        self.load.next = self.fetched.q.val() & (!self.loaded.q.val() | self.out.ready.val());
        self.fetch.next = self.stored.q.val().any() & (!self.fetched.q.val() | self.load.val());
        self.loaded.d.next = self.load.val() | (self.loaded.q.val() & !self.out.ready.val());
        self.fetched.d.next = self.fetch.val() | (self.fetched.q.val() & !self.load.val());

        self.ram.we.next = self.push.val();
        self.ram.waddr.next = self.tail.q.val();
        self.ram.wdata.next = self.inp.data.val();
        self.ram.re.next = self.fetch.val();
        self.ram.raddr.next = self.head.q.val();
        self.word.en.next = self.load.val();
        self.word.d.next = self.ram.rdata.val();

        self.tail.en.next = self.push.val();
        self.tail.d.next = self.tail.q.val() + 1;
        self.head.en.next = self.fetch.val();
        self.head.d.next = self.head.q.val() + 1;
        self.stored.en.next = self.push.val() ^ self.fetch.val();
        self.stored.d.next = self.stored.q.val() - 1;
        self.used.en.next = self.push.val() ^ self.pop.val();
        self.used.d.next = self.used.q.val() - 1;
        if self.push.val() {
            self.stored.d.next = self.stored.q.val() + 1;
            self.used.d.next = self.used.q.val() + 1;
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
