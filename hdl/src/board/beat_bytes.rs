// SPDX-License-Identifier: MIT OR Apache-2.0
//! Beats as bytes.

use super::types::StreamByte;
use crate::base::{Reg, Snk, Src, Tag};
use crate::fastpath::types::Beat;
use rust_hdl_core::prelude::*;

/// Puts out the bytes of a beat one after the other, the first first. No clock of latency, a byte per clock; a beat is taken with its
/// last byte.
#[derive(LogicBlock, Default)]
pub struct BeatBytes<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Beat<W, C>>,
    pub out: Src<StreamByte>,
    /// Bytes of the beat that are out.
    done: Reg<Bits<C>>,
    _bytes: usize,

    at_end: Signal<Local, Bit>,
    fire: Signal<Local, Bit>,
    next_done: Signal<Local, Bits<C>>,
    word: Signal<Local, Bits<W>>,
    octet: Signal<Local, Bits<8>>,
    sent: Signal<Local, StreamByte>,
}

impl<const W: usize, const C: usize> BeatBytes<W, C> {
    /// The block. (`Default` has no bytes.)
    ///
    /// # Panics
    /// If `C` is not log2(W / 8) + 1.
    pub fn new() -> Self {
        assert!(W / 8 == 1 << (C - 1), "BeatBytes<{W}, {C}>: sizes do not fit each other");
        Self { _bytes: W / 8, ..Default::default() }
    }
}

impl<const W: usize, const C: usize> Logic for BeatBytes<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, done);
        self.done.reset.next = self.reset.val();
        self.next_done.next = self.done.q.val() + 1;
        self.at_end.next = self.next_done.val() == self.inp.data.val().bytes;
        self.word.next = self.inp.data.val().data;
        self.octet.next = 0.into();
        for i in 0..self._bytes {
            if self.done.q.val() == i.to_bits::<C>() {
                self.octet.next = self.word.val().get_bits::<8>(i * 8);
            }
        }
        self.sent.next.data = self.octet.val();
        self.sent.next.last = self.at_end.val() & self.inp.data.val().last;
        self.out.data.next = self.sent.val();
        self.out.valid.next = self.inp.valid.val();
        self.fire.next = self.inp.valid.val() & self.out.ready.val();
        self.inp.ready.next = self.out.ready.val() & self.at_end.val();
        self.done.en.next = self.fire.val();
        self.done.d.next = self.next_done.val();
        if self.at_end.val() {
            self.done.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::random;
    use crate::testing::{assert_lints, beats, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn run<const W: usize, const C: usize>(fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut b = BeatBytes::<W, C>::new();
        b.connect_all();
        b.reset.next = true;
        tick(&mut b, |b| &mut b.clock);
        b.reset.next = false;
        let lens: Vec<usize> = (0..40).map(|_| rng.random_range(1..50)).collect();
        for len in lens {
            let (frame, mut out) = (random(len, &mut rng), vec![]);
            let mut waiting = beats::<W, C>(&frame).into_iter().peekable();
            let mut clocks = 0;
            while out.len() < len {
                b.inp.valid.next = waiting.peek().is_some() && (b.inp.valid.val() || rng.random_bool(fill));
                b.inp.data.next = waiting.peek().copied().unwrap_or_default();
                b.out.ready.next = rng.random_bool(drain);
                settle(&mut b);
                if b.out.valid.val() && b.out.ready.val() {
                    out.push(b.out.data.val().data.to_u64() as u8);
                    assert_eq!(b.out.data.val().last, out.len() == len);
                }
                if b.inp.valid.val() && b.inp.ready.val() {
                    waiting.next();
                }
                tick(&mut b, |b| &mut b.clock);
                clocks += 1;
            }
            assert_eq!(out, frame);
            assert!(fill < 1.0 || drain < 1.0 || clocks == len, "a byte per clock");
            b.inp.valid.next = false;
        }
    }

    #[test]
    fn beats_come_out_as_bytes() {
        run::<64, 4>(1.0, 1.0);
        run::<64, 4>(0.3, 0.6);
        run::<128, 5>(0.5, 0.9);
    }

    #[test]
    fn lints() {
        assert_lints(BeatBytes::<64, 4>::new());
    }
}
