// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bytes that come when they come, as beats.

use crate::base::{DffE, DffR, Reg, Src};
use crate::board::types::MarkedBeat;
use rust_hdl_core::prelude::*;

/// Makes beats of bytes that cannot be made to wait: in a clock comes a byte (`push`), the end of a frame (`finish`, with `error` if it is
/// damaged), or nothing. A beat goes out with the first byte of the next one, or with `finish`: no clock of latency. `COUNT_BITS` = log2(W / 8) + 1.
///
/// A beat that finds `out.ready` low is gone, which `out` must expect; its frame goes no further, and is ended by a beat of no meaning with an `error` as soon as
/// there is room. A frame that begins before that is not seen at `out` at all: `lost` is high when it ends. A `finish` without a byte gives a
/// beat of one byte, in error.
#[millrace_hdl::block(Self::check())]
pub struct BeatPacker<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub octet: Signal<In, Bits<8>>,
    pub push: Signal<In, Bit>,
    pub finish: Signal<In, Bit>,
    pub error: Signal<In, Bit>,
    pub out: Src<MarkedBeat<BUS_BITS, COUNT_BITS>>,
    pub lost: Signal<Out, Bit>,

    /// The beat so far, its last byte first.
    #[count(BUS_BITS / 8)]
    bytes: Vec<DffE<Bits<8>>>,
    /// Bytes in it.
    count: Reg<Bits<COUNT_BITS>>,
    /// A byte of this frame has come.
    inside: DffR<Bit>,
    /// Nothing of this frame goes out.
    skipping: DffR<Bit>,
    /// Nothing more of this frame goes out.
    spoiled: DffR<Bit>,
    /// The end of a frame that was cut waits for room.
    closing: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> BeatPacker<BUS_BITS, COUNT_BITS> {
    fn check() {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1),
            "BeatPacker<{BUS_BITS}, {COUNT_BITS}>: sizes do not fit each other"
        );
    }

    fn update(&mut self) {
        comment!("a byte goes to its place; a full beat has gone by then");
        let full = self.count == BUS_BITS / 8;
        let place = if full { 0 } else { self.count };
        let mut data: Bits<BUS_BITS> = 0;
        for i in 0..BUS_BITS / 8 {
            if self.push & (place == BUS_BITS / 8 - 1 - i) {
                self.bytes[i] = self.octet;
            }
            data = (data << 8) | cast::<BUS_BITS>(self.bytes[i]);
        }
        if self.push | self.finish {
            self.count = if self.finish { 0 } else { place + 1 };
        }

        comment!("what goes out");
        let skip = self.skipping | (self.closing & !self.inside);
        let offer = ((self.push & full) | self.finish) & !skip;
        let refused = self.spoiled | (offer & !self.out.ready);
        self.inside = (self.inside | self.push) & !self.finish;
        self.skipping = skip & (self.inside | self.push) & !self.finish;
        self.spoiled = refused & !self.finish;
        self.closing = (self.finish & !skip & refused) | (self.closing & !self.out.ready);
        self.lost = self.finish & skip;
        self.out.data = MarkedBeat {
            data,
            bytes: if self.count.any() { self.count } else { 1 },
            last: self.finish | self.closing,
            error: self.error | self.closing | !self.count.any(),
        };
        self.out.valid = (offer & !self.spoiled) | self.closing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{Frames, Marked, random};
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// 300 frames of up to 40 bytes, some in error; `ready` is the share of clocks in which `out` is ready, for some clocks in a row. Returns what
    /// went in, what came out, and how many frames were lost.
    fn run<const BUS_BITS: usize, const COUNT_BITS: usize>(ready: f64) -> (Vec<Marked>, Vec<Marked>, usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut p = BeatPacker::<BUS_BITS, COUNT_BITS>::default();
        p.connect_all();
        p.reset.next = true;
        tick(&mut p, |p| &mut p.clock);
        p.reset.next = false;
        let (mut sent, mut frames, mut lost) = (vec![], Frames::default(), 0);
        let mut clock = |p: &mut BeatPacker<BUS_BITS, COUNT_BITS>, rng: &mut ChaCha8Rng, ready: f64| {
            if rng.random_bool(0.2) {
                p.out.ready.next = rng.random_bool(ready);
            }
            settle(p);
            if p.out.valid.val() && p.out.ready.val() {
                frames.take(p.out.data.val());
            }
            lost += usize::from(p.lost.val());
            tick(p, |p| &mut p.clock);
        };
        p.out.ready.next = ready == 1.0;
        for _ in 0..300 {
            let len = rng.random_range(0..40);
            let frame = random(len, &mut rng);
            let error = rng.random_bool(0.1);
            for byte in &frame {
                p.push.next = false;
                while rng.random_bool(0.3) {
                    clock(&mut p, &mut rng, ready);
                }
                p.push.next = true;
                p.octet.next = u64::from(*byte).into();
                clock(&mut p, &mut rng, ready);
            }
            p.push.next = false;
            p.finish.next = true;
            p.error.next = error;
            clock(&mut p, &mut rng, ready);
            p.finish.next = false;
            sent.push((frame, error));
        }
        for _ in 0..100 {
            clock(&mut p, &mut rng, 1.0);
        }
        assert!(!frames.inside());
        (sent, frames.done, lost)
    }

    fn all_come_out_where_there_is_room<const BUS_BITS: usize, const COUNT_BITS: usize>() {
        let (sent, got, lost) = run::<BUS_BITS, COUNT_BITS>(1.0);
        assert_eq!((lost, got.len()), (0, sent.len()));
        for ((frame, error), (out, marked)) in sent.iter().zip(&got) {
            assert_eq!(*marked, *error || frame.is_empty());
            assert!(out == frame || frame.is_empty() && out.len() == 1);
        }
    }

    #[test]
    fn bytes_come_out_as_beats() {
        all_come_out_where_there_is_room::<64, 4>();
        all_come_out_where_there_is_room::<128, 5>();
    }

    #[test]
    fn a_frame_that_finds_no_room_is_marked_or_counted_and_no_other_suffers() {
        for ready in [0.05, 0.3, 0.7] {
            let (sent, got, lost) = run::<64, 4>(ready);
            assert_eq!(got.len() + lost, sent.len());
            let whole: Vec<_> = got.iter().filter(|(_, marked)| !marked).map(|(frame, _)| frame).collect();
            let mut sound = sent.iter().filter(|(frame, error)| !error && !frame.is_empty()).map(|(frame, _)| frame);
            assert!(whole.iter().all(|frame| sound.any(|other| other == *frame)), "whole frames, in order");
            assert!(!whole.is_empty() && whole.len() < got.len() && lost > 0, "{} whole, {lost} lost", whole.len());
        }
    }

    #[test]
    fn lints() {
        assert_lints(BeatPacker::<64, 4>::default());
        assert_lints(BeatPacker::<512, 7>::default());
    }
}
