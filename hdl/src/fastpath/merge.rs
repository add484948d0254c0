// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of those of all sources.

use super::types::MergedBeat;
use crate::base::{DffE, DffR, Reg, RoundRobin, Snk, Tag};
use rust_hdl_core::prelude::*;

/// Round robin over `N` sources, frame by frame; one beat per clock, without a bubble between frames that wait. One clock from `inp` to
/// `out`. Whose turn is next is decided a clock ahead, beside the beat before: a frame that finds no other waits one clock for its turn.
///
/// A frame is begun only in a clock with `credit`, and then runs to its end without a gap, because the sources (`Ingress`) never pause
/// inside a frame. Bytes past `bytes` leave as zeros.
#[derive(LogicBlock)]
pub struct Merge<const W: usize, const C: usize, const N: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Vec<Snk<MergedBeat<W, C>>>,
    /// There is room for one more frame, the longest, behind this block.
    pub credit: Signal<In, Bit>,
    pub out: Signal<Out, MergedBeat<W, C>>,
    pub valid: Signal<Out, Bit>,
    /// The first beat of a frame leaves its source: pays with a credit.
    pub started: Signal<Out, Bit>,

    arbiter: RoundRobin<N>,
    /// Inside a frame.
    busy: Reg<Bit>,
    /// The source it comes from, or that may begin one now: one-hot, or none.
    turn: Reg<Bits<N>>,
    word: DffE<MergedBeat<W, C>>,
    word_valid: DffR<Bit>,

    ones: Constant<Bits<W>>,
    requests: Signal<Local, Bits<N>>,
    here: Signal<Local, Bit>,
    open: Signal<Local, Bit>,
    pass_on: Signal<Local, Bit>,
    beat: Signal<Local, MergedBeat<W, C>>,
    moves: Signal<Local, Bit>,
    data: Signal<Local, Bits<W>>,
    bytes: Signal<Local, Bits<C>>,
    last: Signal<Local, Bit>,
    vport: Signal<Local, Bits<8>>,
    packet_out: Signal<Local, Bit>,
    len: Signal<Local, Bits<14>>,
    fault: Signal<Local, Bits<2>>,
}

impl<const W: usize, const C: usize, const N: usize> Default for Merge<W, C, N> {
    fn default() -> Self {
        assert!(W / 8 == 1 << (C - 1), "Merge<{W}, {C}, {N}>: sizes do not fit each other");
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            inp: vec![Default::default(); N],
            credit: Default::default(),
            out: Default::default(),
            valid: Default::default(),
            started: Default::default(),
            arbiter: Default::default(),
            busy: Default::default(),
            turn: Default::default(),
            word: Default::default(),
            word_valid: Default::default(),
            ones: Constant::new(!Bits::<W>::default()),
            requests: Default::default(),
            here: Default::default(),
            open: Default::default(),
            pass_on: Default::default(),
            beat: Default::default(),
            moves: Default::default(),
            data: Default::default(),
            bytes: Default::default(),
            last: Default::default(),
            vport: Default::default(),
            packet_out: Default::default(),
            len: Default::default(),
            fault: Default::default(),
        }
    }
}

impl<const W: usize, const C: usize, const N: usize> Logic for Merge<W, C, N> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, arbiter, busy, turn, word, word_valid);
        self.arbiter.reset.next = self.reset.val();
        self.busy.reset.next = self.reset.val();
        self.turn.reset.next = self.reset.val();
        self.word_valid.reset.next = self.reset.val();

        self.requests.next = 0.into();
        for i in 0..N {
            self.requests.next = self.requests.val().replace_bit(i, self.inp[i].valid.val());
        }
        self.here.next = (self.requests.val() & self.turn.q.val()).any();
        self.open.next = self.busy.q.val() | self.credit.val();
        self.moves.next = self.here.val() & self.open.val();
        self.started.next = self.here.val() & self.credit.val() & !self.busy.q.val();
        for i in 0..N {
            self.inp[i].ready.next = self.turn.q.val().get_bit(i) & self.open.val();
        }

        self.data.next = 0.into();
        self.bytes.next = 0.into();
        self.last.next = false;
        self.vport.next = 0.into();
        self.packet_out.next = false;
        self.len.next = 0.into();
        self.fault.next = 0.into();
        for i in 0..N {
            self.beat.next = self.inp[i].data.val();
            if self.turn.q.val().get_bit(i) {
                self.data.next = self.data.val() | self.beat.val().data;
                self.bytes.next = self.bytes.val() | self.beat.val().bytes;
                self.last.next = self.last.val() | self.beat.val().last;
                self.vport.next = self.vport.val() | self.beat.val().vport;
                self.packet_out.next = self.packet_out.val() | self.beat.val().packet_out;
                self.len.next = self.len.val() | self.beat.val().len;
                self.fault.next = self.fault.val() | self.beat.val().fault;
            }
        }
        if self.last.val() {
            self.data.next = self.data.val() & !(self.ones.val() << (bit_cast::<11, C>(self.bytes.val()) << 3));
        }
        // The turn is kept while its frame lasts or waits for credit. Whoever has it comes last: with no other request, the source
        // goes on, and if it has nothing more, the turn is given up a clock later.
        self.pass_on.next = !self.here.val() | (self.open.val() & self.last.val());
        self.arbiter.request.next = self.requests.val();
        self.arbiter.take.next = self.pass_on.val() & self.arbiter.any.val();
        self.turn.en.next = self.pass_on.val();
        self.turn.d.next = self.arbiter.grant.val();

        self.busy.en.next = self.moves.val();
        self.busy.d.next = !self.last.val();

        self.word_valid.d.next = self.moves.val();
        self.word.en.next = self.moves.val();
        self.word.d.next.data = self.data.val();
        self.word.d.next.bytes = self.bytes.val();
        self.word.d.next.last = self.last.val();
        self.word.d.next.first = !self.busy.q.val();
        self.word.d.next.vport = self.vport.val();
        self.word.d.next.packet_out = self.packet_out.val();
        self.word.d.next.len = self.len.val();
        self.word.d.next.fault = self.fault.val();
        self.out.next = self.word.q.val();
        self.valid.next = self.word_valid.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// A frame as `Ingress` gives it out; garbage past the end.
    fn stored<const W: usize, const C: usize>(
        frame: &[u8],
        vport: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<MergedBeat<W, C>> {
        let n = frame.len().div_ceil(W / 8);
        let beat = |(i, c): (usize, &[u8])| {
            let mut padded = c.to_vec();
            padded.resize_with(W / 8, || rng.random());
            MergedBeat {
                data: bits_of(&padded),
                bytes: c.len().to_bits(),
                first: i == 0,
                last: i + 1 == n,
                vport: vport.to_bits(),
                packet_out: vport == 2,
                len: frame.len().to_bits(),
                fault: 0u64.into(),
            }
        };
        frame.chunks(W / 8).enumerate().map(beat).collect()
    }

    /// Returns (clocks with a beat, clocks) while all sources have frames.
    fn run<const W: usize, const C: usize>(
        lens: impl Fn(&mut ChaCha8Rng) -> usize,
        sources: &[usize],
        credit: f64,
    ) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut m = Box::<Merge<W, C, 4>>::default();
        m.connect_all();
        m.reset.next = true;
        tick(&mut *m, |m| &mut m.clock);
        m.reset.next = false;
        let mut frames: Vec<VecDeque<Vec<u8>>> = vec![VecDeque::new(); 4];
        let mut queues: Vec<VecDeque<MergedBeat<W, C>>> = vec![VecDeque::new(); 4];
        for s in sources {
            for _ in 0..200 {
                let f: Vec<u8> = (0..lens(&mut rng)).map(|_| rng.random()).collect();
                queues[*s].extend(stored::<W, C>(&f, *s, &mut rng));
                frames[*s].push_back(f);
            }
        }
        let (mut got, mut beats, mut clocks, mut last_vport, mut full) = (vec![], 0, 0, usize::MAX, true);
        while frames.iter().any(|f| !f.is_empty()) {
            for s in 0..4 {
                m.inp[s].valid.next = !queues[s].is_empty();
                m.inp[s].data.next = queues[s].front().copied().unwrap_or_default();
            }
            m.credit.next = rng.random_bool(credit);
            settle(&mut *m);
            full &= sources.iter().all(|s| !queues[*s].is_empty());
            assert!(!m.started.val() || m.credit.val());
            for s in 0..4 {
                if m.inp[s].ready.val() {
                    queues[s].pop_front();
                }
            }
            if m.valid.val() {
                let out = m.out.val();
                let s = out.vport.to_u64() as usize;
                assert_eq!(out.first, got.is_empty());
                if out.first {
                    assert!(!full || sources.len() == 1 || s != last_vport, "round robin");
                    assert_eq!((out.len.to_u64() as usize, out.packet_out), (frames[s][0].len(), s == 2));
                    last_vport = s;
                }
                let all = bytes(out.data, (W / 8).to_bits::<16>());
                assert!(all[out.bytes.to_u64() as usize..].iter().all(|b| *b == 0), "zeros past the end");
                got.extend_from_slice(&bytes(out.data, out.bytes));
                if out.last {
                    assert!(Some(&got) == frames[s].pop_front().as_ref());
                    got.clear();
                }
            } else {
                assert!(got.is_empty(), "a gap inside a frame");
            }
            beats += (full && m.valid.val()) as usize;
            clocks += full as usize;
            tick(&mut *m, |m| &mut m.clock);
        }
        beats as f64 / clocks as f64
    }

    #[test]
    fn one_beat_frames_leave_in_every_clock_from_one_source_or_many() {
        assert!(run::<512, 7>(|r| r.random_range(14..=64), &[1], 1.0) > 0.98);
        assert!(run::<512, 7>(|r| r.random_range(14..=64), &[0, 1, 2, 3], 1.0) > 0.98);
        assert!(run::<64, 4>(|_| 8, &[0, 2], 1.0) > 0.98);
        assert!(run::<1024, 8>(|r| r.random_range(14..=128), &[0, 3], 1.0) > 0.98);
    }

    #[test]
    fn long_and_short_frames_take_turns_and_wait_for_credit() {
        assert!(run::<64, 4>(|r| r.random_range(14..200), &[0, 1, 2, 3], 1.0) > 0.99);
        assert!(run::<512, 7>(|r| r.random_range(14..900), &[0, 1, 2, 3], 0.3) > 0.4);
    }

    #[test]
    fn merge_emits_clean_verilog() {
        assert_lints(Merge::<512, 7, 12>::default());
        assert_lints(Merge::<64, 4, 5>::default());
    }
}
