// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the edited head of a frame and its payload.

use crate::base::{DffE, DffR, LutFifo, Reg, Snk, Src};
use crate::core::types::{Edited, OutBeat};
use rust_hdl_core::prelude::*;

/// For each job puts out the first 120 bytes from the head that was made for it, and all further bytes from the payload, moved by `shift`. `PAYLOAD_LOG2`, `PAYLOAD_COUNT_BITS`: as of
/// `PayloadBuffer`.
///
/// All output beats but a frame's last are full. One output beat per clock, whatever the shift, and no clock between frames: one-beat
/// frames take one clock each, and so does a job with `discard`, however long its frame is. Five clocks from `job` to `out`.
/// Bytes past `bytes` are zero.
#[millrace_hdl::block]
pub struct Splice<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const QUEUES: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Snk<Edited<QUEUES>>,
    /// To `PayloadBuffer`.
    pub base: Signal<Out, Bits<PAYLOAD_COUNT_BITS>>,
    pub read: Signal<Out, Bit>,
    pub addr: Signal<Out, Bits<PAYLOAD_LOG2>>,
    pub low: Signal<In, Bits<BUS_BITS>>,
    pub high: Signal<In, Bits<BUS_BITS>>,
    /// Which beat of the present job's head it wants, as a number and one-hot (0 behind the head).
    pub head_number: Signal<Out, Bits<12>>,
    pub head_slot: Signal<Out, Bits<16>>,
    /// That beat, in the same clock; of a job taken in the clock before as well.
    pub head: Signal<In, Bits<BUS_BITS>>,
    /// The present job's head is not looked at any more.
    pub head_done: Signal<Out, Bit>,
    pub out: Src<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The job at work, its length in beats coming in, its output beats after the next one, and the bytes of its last beat.
    current: DffE<Edited<QUEUES>>,
    current_valid: DffR<Bit>,
    beats_in: DffE<Bits<12>>,
    left: DffE<Bits<12>>,
    final_bytes: DffE<Bits<COUNT_BITS>>,
    /// Where its payload starts.
    start: Reg<Bits<PAYLOAD_COUNT_BITS>>,
    /// Number of its next output beat, and the same one-hot within the header window.
    number: Reg<Bits<12>>,
    #[init(Reg::new(1u64.into()))]
    slot: Reg<Bits<16>>,
    /// Output beats on their way to `queue` or in it.
    owed: Reg<Bits<5>>,

    /// The three stages behind: RAM read, RAM output register, join.
    valid_1: DffR<Bit>,
    valid_2: DffR<Bit>,
    valid_3: DffR<Bit>,
    beat_1: DffE<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>>,
    beat_2: DffE<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>>,
    beat_3: DffE<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>>,
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
    queue: LutFifo<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>, 4, 5>,
}

#[millrace_hdl::block]
impl<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const QUEUES: usize,
> Splice<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, QUEUES>
{
    /// Without a job.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && PAYLOAD_COUNT_BITS == PAYLOAD_LOG2 + 1
                && (64..=1024).contains(&BUS_BITS),
            "Splice<{BUS_BITS}, {COUNT_BITS}, {PAYLOAD_LOG2}, {PAYLOAD_COUNT_BITS}, {QUEUES}>: sizes do not fit"
        );
        Self::default()
    }

    fn update(&mut self) {
        comment!("progress: an output beat per clock while the queue behind has room");
        let last = !self.left.any();
        let issue = self.current_valid & !self.current.discard & !self.owed.get_bit(4);
        let finish = (issue & last) | (self.current_valid & self.current.discard);
        let free = !self.current_valid | finish;
        let load = free & self.job.valid;
        let at_seam = self.slot.get_bit(1024 / BUS_BITS - 1);
        let pop = !self.queue.empty & self.out.ready;
        self.job.ready = free;
        self.current_valid = load | !free;
        if issue {
            self.number = if last { 0 } else { self.number + 1 };
            self.slot = if last {
                1
            } else if at_seam {
                0
            } else {
                self.slot << 1
            };
        }
        if finish & !self.current.again {
            self.start += cast::<PAYLOAD_COUNT_BITS>(self.beats_in);
        }
        self.base = self.start;
        if issue ^ pop {
            self.owed = if issue { self.owed + 1 } else { self.owed - 1 };
        }

        comment!("a new job");
        if load {
            self.current = self.job.data;
            self.beats_in = if self.job.data.faulty {
                1
            } else {
                cast::<12>((cast::<15>(self.job.data.in_len) + (BUS_BITS / 8 - 1)) >> (COUNT_BITS - 1))
            };
            self.final_bytes = (cast::<COUNT_BITS>(self.job.data.out_len - 1) & (BUS_BITS / 8 - 1)) + 1;
        }
        if load | issue {
            self.left = if load { cast::<12>((self.job.data.out_len - 1) >> (COUNT_BITS - 1)) } else { self.left - 1 };
        }

        comment!("first stage: where the payload is, and which part of the head goes with it");
        let grows = (self.current.shift == 1) | (self.current.shift == 2);
        let shrinks = (self.current.shift == 3) | (self.current.shift == 4);
        let place = self.start + cast::<PAYLOAD_COUNT_BITS>(self.number);
        let upper = if shrinks { self.number + 1 } else { self.number };
        self.addr = cast::<PAYLOAD_LOG2>(if grows { place - 1 } else { place });
        self.read = issue & (at_seam | !self.slot.any());
        self.head_number = self.number;
        self.head_slot = self.slot;
        self.head_done = finish;
        self.valid_1 = issue;
        if issue {
            self.beat_1 = OutBeat {
                data: self.head,
                bytes: if last { self.final_bytes } else { BUS_BITS / 8 },
                last,
                first: self.slot.get_bit(0),
                out_len: self.current.out_len,
                outputs: self.current.outputs,
                vport: self.current.vport,
                reason: self.current.reason,
            };
            self.head_1 = self.slot.any() & !at_seam;
            self.seam_1 = at_seam;
            self.shift_1 = self.current.shift;
            self.high_1 = upper < self.beats_in;
        }

        comment!("second stage: beside the RAM's output register");
        self.valid_2 = self.valid_1;
        if self.valid_1 {
            self.beat_2 = self.beat_1;
            self.head_2 = self.head_1;
            self.seam_2 = self.seam_1;
            self.shift_2 = self.shift_1;
            self.high_2 = self.high_1;
        }

        comment!("third stage: align the payload and join");
        let seam_mask = !Bits::<BUS_BITS>::default() >> 64_u64;
        let above = if self.high_2 { self.high } else { 0 };
        let payload = if self.shift_2 == 1 {
            (self.low >> (BUS_BITS - 32)) | (above << 32)
        } else if self.shift_2 == 2 {
            (self.low >> (BUS_BITS - 64)) | (above << 64)
        } else if self.shift_2 == 3 {
            (self.low >> 32) | (above << (BUS_BITS - 32))
        } else if self.shift_2 == 4 {
            (self.low >> 64) | (above << (BUS_BITS - 64))
        } else {
            self.low
        };
        let joined = if self.head_2 {
            self.beat_2.data
        } else if self.seam_2 {
            (self.beat_2.data & seam_mask) | (payload & !seam_mask)
        } else {
            payload
        };
        self.valid_3 = self.valid_2;
        if self.valid_2 {
            self.beat_3 = OutBeat { data: joined, ..self.beat_2 };
        }

        self.queue.inp.valid = self.valid_3;
        self.queue.inp.data = self.beat_3;
        link(self.out, self.queue.out);
        self.idle = !self.current_valid & !self.owed.any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::edit::payload_buffer::PayloadBuffer;
    use crate::core::types::MergedBeat;
    use crate::testing::{assert_lints, beats, bits_of, bytes, settle, tick};
    use millrace_regs::config::MAX_FRAME;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const QUEUES: usize = 12;

    /// `Splice` with the buffer it reads from, as in the core.
    #[millrace_hdl::block]
    struct Pair<
        const BUS_BITS: usize,
        const COUNT_BITS: usize,
        const PAYLOAD_LOG2: usize,
        const PAYLOAD_COUNT_BITS: usize,
        const PAYLOAD_PAIRS_LOG2: usize,
    > {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        inp: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
        valid: Signal<In, Bit>,
        room: Signal<Out, Bit>,
        job: Snk<Edited<QUEUES>>,
        head: Signal<In, Bits<BUS_BITS>>,
        head_number: Signal<Out, Bits<12>>,
        head_slot: Signal<Out, Bits<16>>,
        head_done: Signal<Out, Bit>,
        out: Src<OutBeat<BUS_BITS, COUNT_BITS, QUEUES>>,
        idle: Signal<Out, Bit>,
        buffer: PayloadBuffer<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, PAYLOAD_PAIRS_LOG2>,
        splice: Splice<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, QUEUES>,
    }

    #[millrace_hdl::block]
    impl<
        const BUS_BITS: usize,
        const COUNT_BITS: usize,
        const PAYLOAD_LOG2: usize,
        const PAYLOAD_COUNT_BITS: usize,
        const PAYLOAD_PAIRS_LOG2: usize,
    > Pair<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, PAYLOAD_PAIRS_LOG2>
    {
        fn new() -> Box<Self> {
            Box::new(Self { buffer: PayloadBuffer::new(MAX_FRAME), splice: Splice::new(), ..Default::default() })
        }

        fn update(&mut self) {
            self.buffer.inp = self.inp;
            self.buffer.valid = self.valid;
            self.room = self.buffer.room;
            self.buffer.base = self.splice.base;
            self.buffer.read = self.splice.read;
            self.buffer.addr = self.splice.addr;
            self.splice.low = self.buffer.low;
            self.splice.high = self.buffer.high;
            link(self.job, self.splice.job);
            self.splice.head = self.head;
            self.head_number = self.splice.head_number;
            self.head_slot = self.splice.head_slot;
            self.head_done = self.splice.head_done;
            link(self.out, self.splice.out);
            self.idle = self.splice.idle & self.buffer.idle;
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
    fn run<
        const BUS_BITS: usize,
        const COUNT_BITS: usize,
        const PAYLOAD_LOG2: usize,
        const PAYLOAD_COUNT_BITS: usize,
        const PAYLOAD_PAIRS_LOG2: usize,
    >(
        cases: &[Case],
        drain: f64,
    ) -> (usize, usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut p = Pair::<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, PAYLOAD_PAIRS_LOG2>::new();
        p.connect_all();
        p.reset.next = true;
        tick(&mut *p, |p| &mut p.clock);
        p.reset.next = false;
        let (mut writes, mut jobs, mut expected) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        for c in cases {
            let stored = if c.faulty { &c.frame[..c.frame.len().min(BUS_BITS / 8)] } else { &c.frame[..] };
            writes.extend(beats::<BUS_BITS, COUNT_BITS>(stored));
            for (i, v) in c.versions.iter().enumerate() {
                let out = v.map(|s| outgoing(&c.frame, s, &mut rng));
                let job = Edited {
                    out_len: out.as_ref().map_or(0, Vec::len).to_bits(),
                    in_len: c.frame.len().to_bits(),
                    shift: v.unwrap_or(0).into(),
                    outputs: rng.random_range(0..1u64 << QUEUES).to_bits(),
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
            assert_eq!(slot, if number < 1024 / BUS_BITS { 1 << number } else { 0 });
            let beat = head.chunks(BUS_BITS / 8).nth(number).filter(|_| slot != 0).unwrap_or(&[]);
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
                assert!(b.last || b.bytes.to_u64() as usize == BUS_BITS / 8, "full beats");
                let all = bytes(b.data, (BUS_BITS / 8).to_bits::<16>());
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
        assert_lints(Splice::<64, 4, 12, 13, 5>::new());
        assert_lints(Splice::<512, 7, 9, 10, 12>::new());
        assert_lints(Splice::<1024, 8, 8, 9, 5>::new());
        assert_lints(PayloadBuffer::<512, 7, 9, 10, 8>::new(MAX_FRAME));
    }
}
