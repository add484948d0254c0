// SPDX-License-Identifier: MIT OR Apache-2.0
//! Beats as bytes.

use crate::base::{Reg, Snk, Src};
use crate::board::types::StreamByte;
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// Puts out the bytes of a beat one after the other, the first first. No clock of latency, a byte per clock; a beat is taken with its
/// last byte. `COUNT_BITS` = log2(W / 8) + 1.
#[millrace_hdl::block(Self::check())]
pub struct BeatBytes<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    pub out: Src<StreamByte>,
    /// Bytes of the beat that are out.
    done: Reg<Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> BeatBytes<BUS_BITS, COUNT_BITS> {
    fn check() {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1),
            "BeatBytes<{BUS_BITS}, {COUNT_BITS}>: sizes do not fit each other"
        );
    }

    fn update(&mut self) {
        let next_done = self.done + 1;
        let at_end = next_done == self.inp.data.bytes;
        let mut octet: Bits<8> = 0;
        for i in 0..BUS_BITS / 8 {
            if self.done == i {
                octet = self.inp.data.data.get_bits::<8>(i * 8);
            }
        }
        self.out.data = StreamByte { data: octet, last: at_end & self.inp.data.last };
        self.out.valid = self.inp.valid;
        self.inp.ready = self.out.ready & at_end;
        if self.inp.valid & self.out.ready {
            self.done = if at_end { 0 } else { next_done };
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

    fn run<const BUS_BITS: usize, const COUNT_BITS: usize>(fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut b = BeatBytes::<BUS_BITS, COUNT_BITS>::default();
        b.connect_all();
        b.reset.next = true;
        tick(&mut b, |b| &mut b.clock);
        b.reset.next = false;
        let lens: Vec<usize> = (0..40).map(|_| rng.random_range(1..50)).collect();
        for len in lens {
            let (frame, mut out) = (random(len, &mut rng), vec![]);
            let mut waiting = beats::<BUS_BITS, COUNT_BITS>(&frame).into_iter().peekable();
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
        assert_lints(BeatBytes::<64, 4>::default());
    }
}
