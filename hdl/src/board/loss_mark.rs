// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps a stream of frames in order when its receiver has no room.

use super::mac_beat::MacBeat;
use crate::base::{Dff, DffR, Param, Reg, Src, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// From a MAC that cannot wait to a stream that may not be ready. No clock of latency.
///
/// A frame that loses a beat is cut there, its rest is left out, and it is ended by a *mark*: a beat of one byte with `last` and
/// `error`. A frame that loses its first beat becomes a mark alone. So each frame that comes in goes out once, whole or damaged, and the
/// core counts the damaged ones (`drop_rx_error`). Marks wait for a clock in which nothing comes in, but for the one that ends a
/// frame: while that waits, no other frame begins. Up to 2^40 marks wait: two hours of shortest frames at 100 Gb/s.
/// A frame that is coming in when `reset` falls is left out to its end.
#[derive(LogicBlock)]
pub struct LossMark<const W: usize, const E: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub data: Signal<In, MacBeat<W, E>>,
    pub valid: Signal<In, Bit>,
    /// The MAC's receiver is in reset: the frame under way will not end.
    pub gone: Signal<In, Bit>,
    pub out: Src<MacBeat<W, E>>,
    /// Marks that are still to be sent.
    owed: Reg<Bits<40>>,
    /// The frame that comes in has been cut: also by `reset`, so this register has none.
    skips: Dff<Bit>,
    /// The frame that went out last has not ended; and its rest will not come.
    open: DffR<Bit>,
    cut: DffR<Bit>,
    one_byte: Param<Bits<E>>,
    comes: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    lose: Signal<Local, Bit>,
    mark: Signal<Local, Bit>,
}

impl<const W: usize, const E: usize> Default for LossMark<W, E> {
    fn default() -> Self {
        assert!(E * 8 == W, "LossMark: {E} bytes are not {W} bits");
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            data: Default::default(),
            valid: Default::default(),
            gone: Default::default(),
            out: Default::default(),
            owed: Default::default(),
            skips: Default::default(),
            open: Default::default(),
            cut: Default::default(),
            one_byte: Param::new(1u64.to_bits()),
            comes: Default::default(),
            accept: Default::default(),
            lose: Default::default(),
            mark: Default::default(),
        }
    }
}

impl<const W: usize, const E: usize> Logic for LossMark<W, E> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, owed, skips, open, cut);
        self.owed.reset.next = self.reset.val();
        self.open.reset.next = self.reset.val();
        self.cut.reset.next = self.reset.val();

        self.comes.next = self.valid.val() & !self.gone.val();
        self.accept.next = self.comes.val() & !self.skips.q.val() & !self.cut.q.val() & self.out.ready.val();
        self.lose.next = (self.comes.val() & !self.skips.q.val() & (self.cut.q.val() | !self.out.ready.val()))
            | (self.gone.val() & self.open.q.val() & !self.cut.q.val());
        self.mark.next = self.owed.q.val().any()
            & !self.accept.val()
            & (!self.open.q.val() | self.cut.q.val())
            & self.out.ready.val();

        comment!("a beat, or a mark");
        self.out.valid.next = self.accept.val() | self.mark.val();
        self.out.data.next.data = self.data.val().data;
        self.out.data.next.keep = self.data.val().keep;
        self.out.data.next.last = self.data.val().last;
        self.out.data.next.error = self.data.val().error;
        if self.mark.val() {
            self.out.data.next.keep = self.one_byte.val();
            self.out.data.next.last = true;
            self.out.data.next.error = true;
        }

        self.skips.d.next =
            (self.skips.q.val() | (self.reset.val() & self.open.q.val() & !self.cut.q.val())) & !self.gone.val();
        if self.comes.val() {
            self.skips.d.next = !self.data.val().last & (self.skips.q.val() | self.lose.val() | self.reset.val());
        }
        self.open.d.next = self.open.q.val() & !self.mark.val();
        if self.accept.val() {
            self.open.d.next = !self.data.val().last;
        }
        self.cut.d.next = !self.mark.val() & (self.cut.q.val() | (self.lose.val() & self.open.q.val()));
        self.owed.en.next = self.lose.val() ^ self.mark.val();
        self.owed.d.next = self.owed.q.val() - 1;
        if self.lose.val() {
            self.owed.d.next = self.owed.q.val() + 1;
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
