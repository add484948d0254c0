// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps a stream of frames in order when its receiver has no room.

use super::mac_beat::MacBeat;
use crate::base::{Dff, DffR, Reg, Src};
use rust_hdl_core::prelude::*;

/// From a MAC that cannot wait to a stream that may not be ready. No clock of latency.
///
/// A frame that loses a beat is cut there, its rest is left out, and it is ended by a *mark*: a beat of one byte with `last` and
/// `error`. A frame that loses its first beat becomes a mark alone. So each frame that comes in goes out once, whole or damaged, and the
/// core counts the damaged ones (`drop_rx_error`). Marks wait for a clock in which nothing comes in, but for the one that ends a
/// frame: while that waits, no other frame begins. Up to 2^40 marks wait: two hours of shortest frames at 100 Gb/s.
/// A frame that is coming in when `reset` falls is left out to its end.
#[millrace_hdl::block(Self::check())]
pub struct LossMark<const BUS_BITS: usize, const BUS_BYTES: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub data: Signal<In, MacBeat<BUS_BITS, BUS_BYTES>>,
    pub valid: Signal<In, Bit>,
    /// The MAC's receiver is in reset: the frame under way will not end.
    pub gone: Signal<In, Bit>,
    pub out: Src<MacBeat<BUS_BITS, BUS_BYTES>>,
    /// Marks that are still to be sent.
    owed: Reg<Bits<40>>,
    /// The frame that comes in has been cut: also by `reset`, so this register has none.
    skips: Dff<Bit>,
    /// The frame that went out last has not ended.
    open: DffR<Bit>,
    /// Its rest will not come.
    cut: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const BUS_BYTES: usize> LossMark<BUS_BITS, BUS_BYTES> {
    fn check() {
        assert!(BUS_BYTES * 8 == BUS_BITS, "LossMark: {BUS_BYTES} bytes are not {BUS_BITS} bits");
    }

    fn update(&mut self) {
        let comes = self.valid & !self.gone;
        let accept = comes & !self.skips & !self.cut & self.out.ready;
        let lose = (comes & !self.skips & (self.cut | !self.out.ready)) | (self.gone & self.open & !self.cut);
        let mark = self.owed.any() & !accept & (!self.open | self.cut) & self.out.ready;

        comment!("a beat, or a mark");
        self.out.valid = accept | mark;
        self.out.data = if mark { MacBeat { keep: 1, last: true, error: true, ..self.data } } else { self.data };

        self.skips = if comes {
            !self.data.last & (self.skips | lose | self.reset)
        } else {
            (self.skips | (self.reset & self.open & !self.cut)) & !self.gone
        };
        self.open = if accept { !self.data.last } else { self.open & !mark };
        self.cut = !mark & (self.cut | (lose & self.open));
        if lose ^ mark {
            self.owed = if lose { self.owed + 1 } else { self.owed - 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Sends 400 frames of 1 to 5 beats, beats in `rate` of the clocks, to a receiver that has room in phases. Returns the frames that came
    /// out whole; that frame n is there once, whole or as a mark at its place or later, is asserted.
    fn run(rate: f64, room: impl Fn(usize) -> f64) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        let mut m = LossMark::<64, 8>::default();
        m.connect_all();
        m.reset.next = true;
        tick(&mut m, |m| &mut m.clock);
        m.reset.next = false;
        let (mut frame, mut beat, mut len) = (0u64, 0u64, 1);
        let (mut got, mut whole, mut marks, mut last_whole) = (vec![], 0usize, 0usize, None);
        for clock in 0.. {
            let valid = frame < 400 && rng.random_bool(rate);
            m.valid.next = valid;
            m.data.next = MacBeat {
                data: (frame << 8 | beat).into(),
                keep: 0xffu64.into(),
                last: beat + 1 == len,
                error: frame % 7 == 0 && beat + 1 == len,
            };
            m.out.ready.next = frame == 400 || rng.random_bool(room(clock));
            settle(&mut m);
            if m.out.valid.val() {
                assert!(m.out.ready.val(), "a beat into a full stream");
                let out = m.out.data.val();
                if out.last && out.error && out.keep.to_u64() == 1 {
                    marks += 1;
                    got.clear();
                } else {
                    let (number, place) = (out.data.to_u64() >> 8, out.data.to_u64() & 0xff);
                    assert_eq!(place as usize, got.len(), "beats of one frame, in order");
                    got.push(number);
                    assert!(got.iter().all(|n| *n == number), "frames are mixed: {got:?}");
                    if out.last {
                        assert_eq!(out.error, number % 7 == 0);
                        assert!(last_whole < Some(number), "frames out of order");
                        last_whole = Some(number);
                        whole += 1;
                        got.clear();
                    }
                }
            }
            let done = frame == 400 && m.owed.q.val().to_u64() == 0;
            tick(&mut m, |m| &mut m.clock);
            if valid {
                beat += 1;
                if beat == len {
                    (frame, beat, len) = (frame + 1, 0, rng.random_range(1..=5));
                }
            }
            if done {
                break;
            }
            assert!(clock < 20_000, "marks are still owed");
        }
        assert_eq!(whole + marks, 400, "each frame goes out once");
        assert!(got.is_empty(), "the last frame has no end");
        whole
    }

    #[test]
    fn every_frame_goes_out_once_whole_or_marked() {
        assert_eq!(run(1.0, |_| 1.0), 400, "nothing is lost while there is room");
        assert!(run(1.0, |clock| if clock / 40 % 2 == 0 { 1.0 } else { 0.0 }) < 300);
        assert!(run(0.7, |clock| if clock / 15 % 3 == 0 { 0.2 } else { 1.0 }) < 380);
        assert!(run(0.3, |_| 0.9) < 400);
    }

    #[test]
    fn a_frame_that_will_not_end_is_ended() {
        let mut m = LossMark::<64, 8>::default();
        m.connect_all();
        m.reset.next = true;
        tick(&mut m, |m| &mut m.clock);
        m.reset.next = false;
        m.out.ready.next = true;
        // Two beats of a frame; the receiver's reset; a frame of one beat.
        let mut out = vec![];
        for (valid, last, gone) in [
            (true, false, false),
            (true, false, false),
            (false, false, true),
            (false, false, true),
            (true, true, false),
            (false, false, false),
        ] {
            m.valid.next = valid;
            m.gone.next = gone;
            m.data.next = MacBeat { data: 0u64.into(), keep: 0xffu64.into(), last, error: false };
            settle(&mut m);
            if m.out.valid.val() {
                out.push((m.out.data.val().last, m.out.data.val().error));
            }
            tick(&mut m, |m| &mut m.clock);
        }
        assert_eq!(out, [(false, false), (false, false), (true, true), (true, false)]);
    }

    #[test]
    fn what_a_reset_finds_on_its_way_in_is_left_out_to_its_end() {
        let mut m = LossMark::<64, 8>::default();
        m.connect_all();
        m.out.ready.next = true;
        let mut out = vec![];
        // Two beats of a frame; a reset between its beats, and its last; a frame of two beats.
        for (n, (reset, valid, last)) in [
            (true, false, false),
            (false, true, false),
            (false, true, false),
            (true, false, false),
            (true, true, false),
            (true, false, false),
            (false, true, false),
            (false, true, true),
            (false, true, false),
            (false, true, true),
        ]
        .into_iter()
        .enumerate()
        {
            m.reset.next = reset;
            m.valid.next = valid;
            m.gone.next = n == 0;
            m.data.next = MacBeat { data: (n as u64).into(), keep: 0xffu64.into(), last, error: false };
            settle(&mut m);
            if m.out.valid.val() && !reset {
                out.push(m.out.data.val().data.to_u64());
            }
            tick(&mut m, |m| &mut m.clock);
        }
        assert_eq!(out, [1, 2, 8, 9]);
    }

    #[test]
    fn loss_mark_emits_clean_verilog() {
        assert_lints(LossMark::<512, 64>::default());
    }
}
