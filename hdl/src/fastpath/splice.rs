// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the edited head of a frame and its payload.

use super::types::{Edited, OutBeat};
use crate::base::{DffE, DffR, LutFifo, Param, Reg, Snk, Src, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// For each job puts out the first 120 bytes from the head that was made for it, and all further bytes from the payload, moved by `shift`. `A`, `P`: as of
/// `PayloadBuffer`.
///
/// All output beats but a frame's last are full. One output beat per clock, whatever the shift, and no clock between frames: one-beat
/// frames take one clock each, and so does a job with `discard`, however long its frame is. Five clocks from `job` to `out`.
/// Bytes past `bytes` are zero.
#[derive(LogicBlock, Default)]
pub struct Splice<const W: usize, const C: usize, const A: usize, const P: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Snk<Edited>,
    /// To `PayloadBuffer`.
    pub base: Signal<Out, Bits<P>>,
    pub read: Signal<Out, Bit>,
    pub addr: Signal<Out, Bits<A>>,
    pub low: Signal<In, Bits<W>>,
    pub high: Signal<In, Bits<W>>,
    /// Which beat of the present job's head it wants, as a number and one-hot (0 behind the head).
    pub head_number: Signal<Out, Bits<12>>,
    pub head_slot: Signal<Out, Bits<16>>,
    /// That beat, in the same clock; of a job taken in the clock before as well.
    pub head: Signal<In, Bits<W>>,
    /// The present job's head is not looked at any more.
    pub head_done: Signal<Out, Bit>,
    pub out: Src<OutBeat<W, C>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The job at work, its length in beats coming in, its output beats after the next one, and the bytes of its last beat.
    current: DffE<Edited>,
    current_valid: DffR<Bit>,
    beats_in: DffE<Bits<12>>,
    left: DffE<Bits<12>>,
    final_bytes: DffE<Bits<C>>,
    /// Where its payload starts.
    start: Reg<Bits<P>>,
    /// Number of its next output beat, and the same one-hot within the header window.
    number: Reg<Bits<12>>,
    slot: Reg<Bits<16>>,
    /// Output beats on their way to `queue` or in it.
    owed: Reg<Bits<5>>,

    /// The three stages behind: RAM read, RAM output register, join.
    valid_1: DffR<Bit>,
    valid_2: DffR<Bit>,
    valid_3: DffR<Bit>,
    beat_1: DffE<OutBeat<W, C>>,
    beat_2: DffE<OutBeat<W, C>>,
    beat_3: DffE<OutBeat<W, C>>,
    /// The beat takes all, or all but its last 8 bytes, from the head.
    head_1: DffE<Bit>,
    head_2: DffE<Bit>,
    seam_1: DffE<Bit>,
    seam_2: DffE<Bit>,
    shift_1: DffE<Bits<3>>,
    shift_2: DffE<Bits<3>>,
    /// The higher payload beat belongs to the frame.
    high_1: DffE<Bit>,
    high_2: DffE<Bit>,
    queue: LutFifo<OutBeat<W, C>, 4, 5>,

    round_up: Param<Bits<15>>,
    beat_log2: Param<Bits<4>>,
    byte_mask: Param<Bits<C>>,
    final_slot: Param<Bits<16>>,
    /// Bits of the seam beat that come from the head.
    seam_mask: Param<Bits<W>>,
    all_but_4: Param<Bits<11>>,
    all_but_8: Param<Bits<11>>,

    free: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    issue: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
    finish: Signal<Local, Bit>,
    at_seam: Signal<Local, Bit>,
    grows: Signal<Local, Bit>,
    shrinks: Signal<Local, Bit>,
    place: Signal<Local, Bits<P>>,
    upper: Signal<Local, Bits<12>>,
    above: Signal<Local, Bits<W>>,
    payload: Signal<Local, Bits<W>>,
    joined: Signal<Local, Bits<W>>,
    pop: Signal<Local, Bit>,
}

impl<const W: usize, const C: usize, const A: usize, const P: usize> Splice<W, C, A, P> {
    /// Without a job.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            W / 8 == 1 << (C - 1) && P == A + 1 && (64..=1024).contains(&W),
            "Splice<{W}, {C}, {A}, {P}>: sizes do not fit"
        );
        let slots = 1024 / W;
        Self {
            slot: Reg::new(1u64.into()),
            queue: Default::default(),
            round_up: Param::new((W / 8 - 1).to_bits()),
            beat_log2: Param::new((C - 1).to_bits()),
            byte_mask: Param::new((W / 8 - 1).to_bits()),
            final_slot: Param::new((1u64 << (slots - 1)).into()),
            seam_mask: Param::new(!Bits::<W>::default() >> 64),
            all_but_4: Param::new((W - 32).to_bits()),
            all_but_8: Param::new((W - 64).to_bits()),
            ..Default::default()
        }
    }
}

impl<const W: usize, const C: usize, const A: usize, const P: usize> Logic for Splice<W, C, A, P> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, current, current_valid, beats_in, left, final_bytes, start, number, slot, owed, queue);
        clock!(
            self, clock, valid_1, valid_2, valid_3, beat_1, beat_2, beat_3, head_1, head_2, seam_1, seam_2, shift_1,
            shift_2, high_1, high_2
        );
        self.current_valid.reset.next = self.reset.val();
        self.start.reset.next = self.reset.val();
        self.number.reset.next = self.reset.val();
        self.slot.reset.next = self.reset.val();
        self.owed.reset.next = self.reset.val();
        self.queue.reset.next = self.reset.val();
        self.valid_1.reset.next = self.reset.val();
        self.valid_2.reset.next = self.reset.val();
        self.valid_3.reset.next = self.reset.val();

        comment!("progress: an output beat per clock while the queue behind has room");
        self.last.next = !self.left.q.val().any();
        self.issue.next = self.current_valid.q.val() & !self.current.q.val().discard & !self.owed.q.val().get_bit(4);
        self.finish.next =
            (self.issue.val() & self.last.val()) | (self.current_valid.q.val() & self.current.q.val().discard);
        self.free.next = !self.current_valid.q.val() | self.finish.val();
        self.load.next = self.free.val() & self.job.valid.val();
        self.job.ready.next = self.free.val();
        self.current_valid.d.next = self.load.val() | !self.free.val();
        self.number.en.next = self.issue.val();
        self.number.d.next = self.number.q.val() + 1;
        self.slot.en.next = self.issue.val();
        self.slot.d.next = self.slot.q.val() << 1;
        if (self.slot.q.val() & self.final_slot.val()).any() {
            self.slot.d.next = 0.into();
        }
        if self.last.val() {
            self.number.d.next = 0.into();
            self.slot.d.next = 1.into();
        }
        self.start.en.next = self.finish.val() & !self.current.q.val().again;
        self.start.d.next = self.start.q.val() + bit_cast::<P, 12>(self.beats_in.q.val());
        self.base.next = self.start.q.val();
        self.pop.next = !self.queue.empty.val() & self.out.ready.val();
        self.owed.en.next = self.issue.val() ^ self.pop.val();
        self.owed.d.next = self.owed.q.val() - 1;
        if self.issue.val() {
            self.owed.d.next = self.owed.q.val() + 1;
        }

        comment!("a new job");
        self.current.en.next = self.load.val();
        self.current.d.next = self.job.data.val();
        self.beats_in.en.next = self.load.val();
        self.beats_in.d.next = bit_cast::<12, 15>(
            (bit_cast::<15, 14>(self.job.data.val().in_len) + self.round_up.val()) >> self.beat_log2.val(),
        );
        if self.job.data.val().faulty {
            self.beats_in.d.next = 1.into();
        }
        self.left.en.next = self.load.val() | self.issue.val();
        self.left.d.next = self.left.q.val() - 1;
        if self.load.val() {
            self.left.d.next = bit_cast::<12, 14>((self.job.data.val().out_len - 1) >> self.beat_log2.val());
        }
        self.final_bytes.en.next = self.load.val();
        self.final_bytes.d.next = (bit_cast::<C, 14>(self.job.data.val().out_len - 1) & self.byte_mask.val()) + 1;

        comment!("first stage: where the payload is, and which part of the head goes with it");
        self.grows.next = (self.current.q.val().shift == 1) | (self.current.q.val().shift == 2);
        self.shrinks.next = (self.current.q.val().shift == 3) | (self.current.q.val().shift == 4);
        self.at_seam.next = (self.slot.q.val() & self.final_slot.val()).any();
        self.place.next = self.start.q.val() + bit_cast::<P, 12>(self.number.q.val());
        self.upper.next = self.number.q.val();
        if self.grows.val() {
            self.place.next = self.place.val() - 1;
        }
        if self.shrinks.val() {
            self.upper.next = self.number.q.val() + 1;
        }
        self.addr.next = bit_cast::<A, P>(self.place.val());
        self.read.next = self.issue.val() & (self.at_seam.val() | !self.slot.q.val().any());
        self.head_number.next = self.number.q.val();
        self.head_slot.next = self.slot.q.val();
        self.head_done.next = self.finish.val();
        self.valid_1.d.next = self.issue.val();
        self.beat_1.en.next = self.issue.val();
        self.beat_1.d.next.data = self.head.val();
        self.beat_1.d.next.bytes = self.byte_mask.val() + 1;
        if self.last.val() {
            self.beat_1.d.next.bytes = self.final_bytes.q.val();
        }
        self.beat_1.d.next.last = self.last.val();
        self.beat_1.d.next.first = self.slot.q.val().get_bit(0);
        self.beat_1.d.next.out_len = self.current.q.val().out_len;
        self.beat_1.d.next.outputs = self.current.q.val().outputs;
        self.beat_1.d.next.vport = self.current.q.val().vport;
        self.beat_1.d.next.reason = self.current.q.val().reason;
        self.head_1.en.next = self.issue.val();
        self.head_1.d.next = self.slot.q.val().any() & !self.at_seam.val();
        self.seam_1.en.next = self.issue.val();
        self.seam_1.d.next = self.at_seam.val();
        self.shift_1.en.next = self.issue.val();
        self.shift_1.d.next = self.current.q.val().shift;
        self.high_1.en.next = self.issue.val();
        self.high_1.d.next = self.upper.val() < self.beats_in.q.val();

        comment!("second stage: beside the RAM's output register");
        self.valid_2.d.next = self.valid_1.q.val();
        self.beat_2.en.next = self.valid_1.q.val();
        self.beat_2.d.next = self.beat_1.q.val();
        self.head_2.en.next = self.valid_1.q.val();
        self.head_2.d.next = self.head_1.q.val();
        self.seam_2.en.next = self.valid_1.q.val();
        self.seam_2.d.next = self.seam_1.q.val();
        self.shift_2.en.next = self.valid_1.q.val();
        self.shift_2.d.next = self.shift_1.q.val();
        self.high_2.en.next = self.valid_1.q.val();
        self.high_2.d.next = self.high_1.q.val();

        comment!("third stage: align the payload and join");
        self.above.next = 0.into();
        if self.high_2.q.val() {
            self.above.next = self.high.val();
        }
        self.payload.next = self.low.val();
        if self.shift_2.q.val() == 1 {
            self.payload.next = (self.low.val() >> self.all_but_4.val()) | (self.above.val() << 32);
        } else if self.shift_2.q.val() == 2 {
            self.payload.next = (self.low.val() >> self.all_but_8.val()) | (self.above.val() << 64);
        } else if self.shift_2.q.val() == 3 {
            self.payload.next = (self.low.val() >> 32) | (self.above.val() << self.all_but_4.val());
        } else if self.shift_2.q.val() == 4 {
            self.payload.next = (self.low.val() >> 64) | (self.above.val() << self.all_but_8.val());
        }
        self.joined.next = self.payload.val();
        if self.head_2.q.val() {
            self.joined.next = self.beat_2.q.val().data;
        } else if self.seam_2.q.val() {
            self.joined.next =
                (self.beat_2.q.val().data & self.seam_mask.val()) | (self.payload.val() & !self.seam_mask.val());
        }
        self.valid_3.d.next = self.valid_2.q.val();
        self.beat_3.en.next = self.valid_2.q.val();
        self.beat_3.d.next = self.beat_2.q.val();
        self.beat_3.d.next.data = self.joined.val();

        self.queue.inp.valid.next = self.valid_3.q.val();
        self.queue.inp.data.next = self.beat_3.q.val();
        self.queue.out.ready.next = self.out.ready.val();
        self.out.valid.next = self.queue.out.valid.val();
        self.out.data.next = self.queue.out.data.val();
        self.idle.next = !self.current_valid.q.val() & !self.owed.q.val().any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fastpath::payload_buffer::PayloadBuffer;
    use crate::fastpath::types::MergedBeat;
    use crate::testing::{assert_lints, beats, bits_of, bytes, settle, tick};
    use millrace_regs::config::MAX_FRAME;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// `Splice` with the buffer it reads from, as in the core.
    #[derive(LogicBlock)]
    struct Pair<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> {
        tag: Tag<Self>,
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        inp: Signal<In, MergedBeat<W, C>>,
        valid: Signal<In, Bit>,
        room: Signal<Out, Bit>,
        job: Snk<Edited>,
        head: Signal<In, Bits<W>>,
        head_number: Signal<Out, Bits<12>>,
        head_slot: Signal<Out, Bits<16>>,
        head_done: Signal<Out, Bit>,
        out: Src<OutBeat<W, C>>,
        idle: Signal<Out, Bit>,
        buffer: PayloadBuffer<W, C, A, P, H>,
        splice: Splice<W, C, A, P>,
    }

    impl<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> Logic for Pair<W, C, A, P, H> {
        #[millrace_hdl::kernel]
        fn update(&mut self) {
            clock!(self, clock, buffer, splice);
            self.buffer.reset.next = self.reset.val();
            self.splice.reset.next = self.reset.val();
            self.buffer.inp.next = self.inp.val();
            self.buffer.valid.next = self.valid.val();
            self.room.next = self.buffer.room.val();
            self.buffer.base.next = self.splice.base.val();
            self.buffer.read.next = self.splice.read.val();
            self.buffer.addr.next = self.splice.addr.val();
            self.splice.low.next = self.buffer.low.val();
            self.splice.high.next = self.buffer.high.val();
            Snk::<Edited>::link(&mut self.job, &mut self.splice.job);
            self.splice.head.next = self.head.val();
            self.head_number.next = self.splice.head_number.val();
            self.head_slot.next = self.splice.head_slot.val();
            self.head_done.next = self.splice.head_done.val();
            Src::<OutBeat<W, C>>::link(&mut self.out, &mut self.splice.out);
            self.idle.next = self.splice.idle.val() & self.buffer.idle.val();
        }
    }

    impl<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize> Pair<W, C, A, P, H> {
        fn new() -> Box<Self> {
            Box::new(Self {
                tag: Default::default(),
                clock: Default::default(),
                reset: Default::default(),
                inp: Default::default(),
                valid: Default::default(),
                room: Default::default(),
                job: Default::default(),
                head: Default::default(),
                head_number: Default::default(),
                head_slot: Default::default(),
                head_done: Default::default(),
                out: Default::default(),
                idle: Default::default(),
                buffer: PayloadBuffer::new(MAX_FRAME),
                splice: Splice::new(),
            })
        }
    }

    /// What becomes of one frame: each version of it is a `shift` code, or a discard.
    struct Case {
        frame: Vec<u8>,
        faulty: bool,
        versions: Vec<Option<u64>>,
    }

    fn distance(shift: u64) -> isize {
        [0, 4, 8, -4, -8][shift as usize]
    }

    /// The outgoing frame: a random head, then the payload.
    fn outgoing(frame: &[u8], shift: u64, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let len = (frame.len() as isize + distance(shift)) as usize;
        (0..len).map(|i| if i < 120 { rng.random() } else { frame[(i as isize - distance(shift)) as usize] }).collect()
    }

    /// Writes the frames, hands out the jobs, compares; returns the clocks from the first output beat to the last, and the beats.
    fn run<const W: usize, const C: usize, const A: usize, const P: usize, const H: usize>(
        cases: &[Case],
        drain: f64,
    ) -> (usize, usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut p = Pair::<W, C, A, P, H>::new();
        p.connect_all();
        p.reset.next = true;
        tick(&mut *p, |p| &mut p.clock);
        p.reset.next = false;
        let (mut writes, mut jobs, mut expected) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        for c in cases {
            let stored = if c.faulty { &c.frame[..c.frame.len().min(W / 8)] } else { &c.frame[..] };
            writes.extend(beats::<W, C>(stored));
            for (i, v) in c.versions.iter().enumerate() {
                let out = v.map(|s| outgoing(&c.frame, s, &mut rng));
                let job = Edited {
                    out_len: out.as_ref().map_or(0, Vec::len).to_bits(),
                    in_len: c.frame.len().to_bits(),
                    shift: v.unwrap_or(0).into(),
                    outputs: rng.random::<u32>().to_bits(),
                    faulty: c.faulty,
                    discard: v.is_none(),
                    again: i + 1 < c.versions.len(),
                    vport: rng.random::<u8>().to_bits(),
                    reason: rng.random_range(0..4u64).into(),
                };
                jobs.push_back((writes.len(), job, out.clone().unwrap_or_default()));
                expected.extend(out.map(|o| (o, job)));
            }
        }
        // The head of the job at work.
        let mut head = vec![];
        // Jobs taken, and done with.
        let mut done = (0, 0);
        let (mut written, mut got, mut first_clock, mut clock, mut count, mut stuck) = (0, vec![], 0, 0, 0, 0);
        while !expected.is_empty() || !jobs.is_empty() {
            p.valid.next = !writes.is_empty() && p.room.val();
            if let (true, Some(b)) = (p.valid.next, writes.front()) {
                p.inp.next = MergedBeat { data: b.data, bytes: b.bytes, last: b.last, ..Default::default() };
                writes.pop_front();
                written += 1;
            }
            let due =
                jobs.front().filter(|j| j.0 < written + 1 && (drain < 1.0 || writes.is_empty() || cases.len() > 100));
            p.job.valid.next = due.is_some();
            p.job.data.next = due.map(|j| j.1).unwrap_or_default();
            p.out.ready.next = rng.random_bool(drain);
            settle(&mut *p);
            let (number, slot) = (p.head_number.val().index(), p.head_slot.val().to_u64());
            assert_eq!(slot, if number < 1024 / W { 1 << number } else { 0 });
            let beat = head.chunks(W / 8).nth(number).filter(|_| slot != 0).unwrap_or(&[]);
            p.head.next = bits_of(beat);
            settle(&mut *p);
            stuck += 1;
            assert!(stuck < 3000, "nothing moves");
            if p.job.valid.val() && p.job.ready.val() {
                let (.., frame) = jobs.pop_front().unwrap();
                head = frame[..frame.len().min(120)].to_vec();
                done.0 += 1;
                stuck = 0;
            }
            if p.out.valid.val() && p.out.ready.val() {
                let b = p.out.data.val();
                stuck = 0;
                count += 1;
                first_clock = if count == 1 { clock } else { first_clock };
                assert_eq!(b.first, got.is_empty());
                assert!(b.last || b.bytes.to_u64() as usize == W / 8, "full beats");
                let all = bytes(b.data, (W / 8).to_bits::<16>());
                assert!(all[b.bytes.to_u64() as usize..].iter().all(|x| *x == 0), "zeros past the end");
                got.extend_from_slice(&bytes(b.data, b.bytes));
                let (frame, job) = &expected[0];
                assert_eq!(
                    (b.out_len, b.outputs, b.vport, b.reason),
                    (job.out_len, job.outputs, job.vport, job.reason)
                );
                if b.last {
                    assert!(got == *frame, "{} bytes, shift {:?}", frame.len(), job.shift);
                    got.clear();
                    expected.pop_front();
                }
            }
            done.1 += usize::from(p.head_done.val());
            clock += 1;
            tick(&mut *p, |p| &mut p.clock);
        }
        for _ in 0..3 {
            tick(&mut *p, |p| &mut p.clock);
        }
        assert!(p.idle.val() && p.room.val());
        assert_eq!(done.0, done.1, "every job's head is given back");
        (clock - first_clock, count)
    }

    fn mixture(n: usize) -> Vec<Case> {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut case = || {
            let len = if rng.random_bool(0.5) { rng.random_range(22..300) } else { rng.random_range(100..160) };
            let faulty = rng.random_bool(0.1);
            let mut version = || rng.random_bool(0.85).then(|| rng.random_range(0..5)).filter(|_| !faulty);
            let versions = if version().is_some() { vec![version()] } else { vec![Some(2), Some(3), version()] };
            let versions = if faulty { vec![None] } else { versions };
            Case { frame: (0..len).map(|i| (i * 7) as u8 ^ (len as u8)).collect(), faulty, versions }
        };
        (0..n).map(|_| case()).collect()
    }

    #[test]
    fn frames_leave_with_new_heads_and_moved_payloads_at_every_width() {
        for drain in [0.5, 0.9] {
            run::<64, 4, 12, 13, 11>(&mixture(150), drain);
            run::<128, 5, 11, 12, 10>(&mixture(150), drain);
            run::<256, 6, 10, 11, 9>(&mixture(150), drain);
            run::<512, 7, 9, 10, 8>(&mixture(200), drain);
            run::<1024, 8, 8, 9, 7>(&mixture(200), drain);
        }
    }

    fn same(n: usize, len: usize, versions: &[Option<u64>]) -> Vec<Case> {
        (0..n)
            .map(|k| Case {
                frame: (0..len).map(|i| (i + k) as u8).collect(),
                faulty: false,
                versions: versions.to_vec(),
            })
            .collect()
    }

    #[test]
    fn every_output_beat_is_used() {
        for shift in 0..5 {
            let (clocks, beats) = run::<512, 7, 9, 10, 8>(&same(4, 1518, &[Some(shift)]), 1.0);
            assert_eq!(clocks, beats, "1518 bytes, shift {shift}");
            let (clocks, beats) = run::<64, 4, 12, 13, 11>(&same(4, 400, &[Some(shift)]), 1.0);
            assert_eq!(clocks, beats, "400 bytes, shift {shift}");
        }
        let (clocks, beats) = run::<512, 7, 9, 10, 8>(&same(90, 60, &[Some(1)]), 1.0);
        assert_eq!((clocks, beats), (90, 90), "one-beat frames");
        let (clocks, beats) = run::<1024, 8, 8, 9, 7>(&same(90, 128, &[Some(3)]), 1.0);
        assert_eq!((clocks, beats), (90, 90), "one-beat frames");
    }

    #[test]
    fn a_discarded_frame_takes_one_clock() {
        let mut cases = same(3, 64, &[Some(0)]);
        cases.splice(1..1, same(1, 5000, &[None]));
        let (clocks, beats) = run::<512, 7, 9, 10, 8>(&cases, 1.0);
        assert_eq!((clocks, beats), (4, 3));
    }

    #[test]
    fn splice_and_payload_buffer_emit_clean_verilog() {
        assert_lints(Splice::<64, 4, 12, 13>::new());
        assert_lints(Splice::<512, 7, 9, 10>::new());
        assert_lints(Splice::<1024, 8, 8, 9>::new());
        assert_lints(PayloadBuffer::<512, 7, 9, 10, 8>::new(MAX_FRAME));
    }
}
