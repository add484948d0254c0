// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of those of all sources.

use crate::base::{DffE, DffR, Reg, RoundRobin, Snk};
use crate::core::types::{MergedBeat, Meta};
use rust_hdl_core::prelude::*;

/// Round robin over `SOURCES` sources, frame by frame; one beat per clock, without a bubble between frames that wait. One clock from `inp` to
/// `out`. Whose turn is next is decided a clock ahead, beside the beat before: a frame that finds no other waits one clock for its turn.
///
/// A frame is begun only in a clock with `credit`, and then runs to its end without a gap, because the sources (`Ingress`) never pause
/// inside a frame. Bytes past `bytes` leave as zeros.
#[millrace_hdl::block(Self::check())]
pub struct Merge<const BUS_BITS: usize, const COUNT_BITS: usize, const SOURCES: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SOURCES)]
    pub inp: Vec<Snk<MergedBeat<BUS_BITS, COUNT_BITS>>>,
    /// There is room for one more frame, the longest, behind this block.
    pub credit: Signal<In, Bit>,
    pub out: Signal<Out, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub valid: Signal<Out, Bit>,
    /// The first beat of a frame leaves its source: pays with a credit.
    pub started: Signal<Out, Bit>,

    arbiter: RoundRobin<SOURCES>,
    /// Inside a frame.
    busy: Reg<Bit>,
    /// The source it comes from, or that may begin one now: one-hot, or none.
    turn: Reg<Bits<SOURCES>>,
    word: DffE<MergedBeat<BUS_BITS, COUNT_BITS>>,
    word_valid: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const SOURCES: usize> Merge<BUS_BITS, COUNT_BITS, SOURCES> {
    fn check() {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1),
            "Merge<{BUS_BITS}, {COUNT_BITS}, {SOURCES}>: sizes do not fit each other"
        );
    }

    fn update(&mut self) {
        let mut requests: Bits<SOURCES> = 0;
        for i in 0..SOURCES {
            requests.set_bit(i, self.inp[i].valid);
        }
        let here = (requests & self.turn).any();
        let open = self.busy | self.credit;
        let moves = here & open;
        self.started = here & self.credit & !self.busy;
        for i in 0..SOURCES {
            self.inp[i].ready = self.turn.get_bit(i) & open;
        }

        let mut data: Bits<BUS_BITS> = 0;
        let mut bytes: Bits<COUNT_BITS> = 0;
        let mut last = false;
        let mut meta = Meta::default();
        for i in 0..SOURCES {
            let beat = self.inp[i].data;
            if self.turn.get_bit(i) {
                data |= beat.data;
                bytes |= beat.bytes;
                last |= beat.last;
                meta.vport |= beat.meta.vport;
                meta.packet_out |= beat.meta.packet_out;
                meta.len |= beat.meta.len;
                meta.fault |= beat.meta.fault;
            }
        }
        if last {
            data &= !(!Bits::<BUS_BITS>::default() << (cast::<11>(bytes) << 3));
        }
        // The turn is kept while its frame lasts or waits for credit. Whoever has it comes last: with no other request, the source
        // goes on, and if it has nothing more, the turn is given up a clock later.
        let pass_on = !here | (open & last);
        self.arbiter.request = requests;
        self.arbiter.take = pass_on & self.arbiter.any;
        if pass_on {
            self.turn = self.arbiter.grant;
        }

        if moves {
            self.busy = !last;
        }

        self.word_valid = moves;
        if moves {
            self.word.data = data;
            self.word.bytes = bytes;
            self.word.last = last;
            self.word.first = !self.busy;
            self.word.meta = meta;
        }
        self.out = self.word;
        self.valid = self.word_valid;
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
    fn stored<const BUS_BITS: usize, const COUNT_BITS: usize>(
        frame: &[u8],
        vport: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<MergedBeat<BUS_BITS, COUNT_BITS>> {
        let n = frame.len().div_ceil(BUS_BITS / 8);
        let beat = |(i, c): (usize, &[u8])| {
            let mut padded = c.to_vec();
            padded.resize_with(BUS_BITS / 8, || rng.random());
            MergedBeat {
                data: bits_of(&padded),
                bytes: c.len().to_bits(),
                first: i == 0,
                last: i + 1 == n,
                meta: Meta {
                    vport: vport.to_bits(),
                    packet_out: vport == 2,
                    len: frame.len().to_bits(),
                    ..Default::default()
                },
            }
        };
        frame.chunks(BUS_BITS / 8).enumerate().map(beat).collect()
    }

    /// Returns (clocks with a beat, clocks) while all sources have frames.
    fn run<const BUS_BITS: usize, const COUNT_BITS: usize>(
        lens: impl Fn(&mut ChaCha8Rng) -> usize,
        sources: &[usize],
        credit: f64,
    ) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut m = Box::<Merge<BUS_BITS, COUNT_BITS, 4>>::default();
        m.connect_all();
        m.reset.next = true;
        tick(&mut *m, |m| &mut m.clock);
        m.reset.next = false;
        let mut frames: Vec<VecDeque<Vec<u8>>> = vec![VecDeque::new(); 4];
        let mut queues: Vec<VecDeque<MergedBeat<BUS_BITS, COUNT_BITS>>> = vec![VecDeque::new(); 4];
        for s in sources {
            for _ in 0..200 {
                let f: Vec<u8> = (0..lens(&mut rng)).map(|_| rng.random()).collect();
                queues[*s].extend(stored::<BUS_BITS, COUNT_BITS>(&f, *s, &mut rng));
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
                let s = out.meta.vport.to_u64() as usize;
                assert_eq!(out.first, got.is_empty());
                if out.first {
                    assert!(!full || sources.len() == 1 || s != last_vport, "round robin");
                    assert_eq!((out.meta.len.to_u64() as usize, out.meta.packet_out), (frames[s][0].len(), s == 2));
                    last_vport = s;
                }
                let all = bytes(out.data, (BUS_BITS / 8).to_bits::<16>());
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
