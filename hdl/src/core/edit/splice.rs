// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joins the edited head of a frame and its payload.

use crate::base::{DffE, DffR, LutFifo, Reg, Snk, Src};
use crate::core::types::{Edited, OutBeat};
use rust_hdl_core::prelude::*;

/// For each job puts out `head_len` bytes of the head that was made for it, and behind them the received frame from byte `payload_offset` on, up to `out_len` bytes. `PAYLOAD_LOG2`,
/// `PAYLOAD_COUNT_BITS`: as of `PayloadBuffer`.
///
/// All output beats but a frame's last are full. One output beat per clock, wherever the payload moves, and no clock between frames: one-beat
/// frames take one clock each, and so does a job with `discard`, however long its frame is. Five clocks from `job` to `out`.
/// Bytes past `bytes` are zero.
#[millrace_hdl::block]
pub struct Splice<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const QUEUES: usize,
    const NOTE_BITS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Snk<Edited<QUEUES, NOTE_BITS>>,
    /// To `PayloadBuffer`.
    pub base: Signal<Out, Bits<PAYLOAD_COUNT_BITS>>,
    pub read: Signal<Out, Bit>,
    pub addr: Signal<Out, Bits<PAYLOAD_LOG2>>,
    pub skip: Signal<Out, Bits<COUNT_BITS>>,
    /// What was read three clocks ago.
    pub payload: Signal<In, Bits<BUS_BITS>>,
    /// Which beat of the present job's head it wants, as a number and one-hot (0 from 16 on). What is behind the head does not matter.
    pub head_number: Signal<Out, Bits<12>>,
    pub head_slot: Signal<Out, Bits<16>>,
    /// That beat, in the same clock; of a job taken in the clock before as well.
    pub head: Signal<In, Bits<BUS_BITS>>,
    /// The present job's head is not looked at any more.
    pub head_done: Signal<Out, Bit>,
    pub out: Src<OutBeat<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The job at work, its length in beats coming in, its output beats after the next one, and the bytes of its last beat.
    current: DffE<Edited<QUEUES, NOTE_BITS>>,
    current_valid: DffR<Bit>,
    beats_in: DffE<Bits<12>>,
    left: DffE<Bits<12>>,
    final_bytes: DffE<Bits<COUNT_BITS>>,
    /// Where the received frame starts.
    start: Reg<Bits<PAYLOAD_COUNT_BITS>>,
    /// Number of its next output beat, and the same one-hot.
    number: Reg<Bits<12>>,
    #[init(Reg::new(1u64.into()))]
    slot: Reg<Bits<16>>,
    /// Bytes of the head in that beat and behind it.
    head_left: DffE<Bits<8>>,
    /// Where the payload for that beat would begin if there were no head in it: the beat of the received frame (below 0 if the frame
    /// grows), and how many bytes of it are left out.
    from: DffE<Bits<16>>,
    left_out: DffE<Bits<COUNT_BITS>>,
    /// Output beats on their way to `queue` or in it.
    owed: Reg<Bits<5>>,

    /// The beats on their way beside the payload: RAM read, RAM output register, first turn; and how many of their bytes are of the head.
    #[count(3)]
    valid: Vec<DffR<Bit>>,
    #[count(3)]
    beat: Vec<DffE<OutBeat<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>>>,
    #[count(3)]
    head_bytes: Vec<DffE<Bits<COUNT_BITS>>>,
    queue: LutFifo<OutBeat<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>, 4, 5>,
}

#[millrace_hdl::block]
impl<
    const BUS_BITS: usize,
    const COUNT_BITS: usize,
    const PAYLOAD_LOG2: usize,
    const PAYLOAD_COUNT_BITS: usize,
    const QUEUES: usize,
    const NOTE_BITS: usize,
> Splice<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, QUEUES, NOTE_BITS>
{
    /// Without a job.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && PAYLOAD_COUNT_BITS == PAYLOAD_LOG2 + 1
                && PAYLOAD_LOG2 <= 16
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
        let whole = (self.head_left >> (COUNT_BITS - 1)).any();
        let pop = !self.queue.empty & self.out.ready;
        self.job.ready = free;
        self.current_valid = load | !free;
        if issue {
            self.number = if last { 0 } else { self.number + 1 };
            self.slot = if last { 1 } else { self.slot << 1 };
        }
        if finish & !self.current.again {
            self.start += cast::<PAYLOAD_COUNT_BITS>(self.beats_in);
        }
        self.base = self.start;
        if issue ^ pop {
            self.owed = if issue { self.owed + 1 } else { self.owed - 1 };
        }

        comment!("a new job");
        let moved = cast::<19>(self.job.data.payload_offset) - cast::<19>(self.job.data.head_len);
        if load {
            self.current = self.job.data;
            self.beats_in = if self.job.data.faulty {
                1
            } else {
                cast::<12>((cast::<15>(self.job.data.in_len) + (BUS_BITS / 8 - 1)) >> (COUNT_BITS - 1))
            };
            self.final_bytes = (cast::<COUNT_BITS>(self.job.data.out_len - 1) & (BUS_BITS / 8 - 1)) + 1;
            self.left_out = cast::<COUNT_BITS>(moved) & (BUS_BITS / 8 - 1);
        }
        if load | issue {
            self.left = if load { cast::<12>((self.job.data.out_len - 1) >> (COUNT_BITS - 1)) } else { self.left - 1 };
            self.from = if load { cast::<16>(moved >> (COUNT_BITS - 1)) } else { self.from + 1 };
            self.head_left = if load {
                self.job.data.head_len
            } else if whole {
                self.head_left - BUS_BITS / 8
            } else {
                0
            };
        }

        comment!("first stage: where the payload is, and which part of the head goes before it");
        self.addr = cast::<PAYLOAD_LOG2>(self.start + cast::<PAYLOAD_COUNT_BITS>(self.from));
        self.skip = self.left_out;
        self.read = issue & !whole;
        self.head_number = self.number;
        self.head_slot = self.slot;
        self.head_done = finish;
        self.valid[0] = issue;
        if issue {
            self.beat[0] = OutBeat {
                data: self.head,
                bytes: if last { self.final_bytes } else { BUS_BITS / 8 },
                last,
                first: self.slot.get_bit(0),
                out_len: self.current.out_len,
                outputs: self.current.outputs,
                vport: self.current.vport,
                reason: self.current.reason,
                note: self.current.note,
            };
            self.head_bytes[0] = if whole { BUS_BITS / 8 } else { cast::<COUNT_BITS>(self.head_left) };
        }
        for i in 1..3 {
            self.valid[i] = self.valid[i - 1];
            if self.valid[i - 1] {
                self.beat[i] = self.beat[i - 1];
                self.head_bytes[i] = self.head_bytes[i - 1];
            }
        }

        comment!("behind the third: join, up to the frame's end");
        let behind_head = !Bits::<BUS_BITS>::default() << (cast::<11>(self.head_bytes[2]) << 3);
        let behind_end = !Bits::<BUS_BITS>::default() << (cast::<11>(self.beat[2].bytes) << 3);
        let joined = (self.beat[2].data & !behind_head) | (self.payload & behind_head);
        self.queue.inp.valid = self.valid[2];
        self.queue.inp.data = OutBeat { data: joined & !behind_end, ..self.beat[2] };
        link(self.out, self.queue.out);
        self.idle = !self.current_valid & !self.owed.any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::edit::payload_buffer::PayloadBuffer;
    use crate::core::types::{HEAD_BYTES, MergedBeat};
    use crate::testing::{assert_lints, beats, bits_of, bytes, settle, tick};
    use millrace_regs::config::MAX_FRAME;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const QUEUES: usize = 12;
    const NOTE_BITS: usize = 0;

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
        job: Snk<Edited<QUEUES, NOTE_BITS>>,
        head: Signal<In, Bits<BUS_BITS>>,
        head_number: Signal<Out, Bits<12>>,
        head_slot: Signal<Out, Bits<16>>,
        head_done: Signal<Out, Bit>,
        out: Src<OutBeat<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>>,
        idle: Signal<Out, Bit>,
        buffer: PayloadBuffer<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, PAYLOAD_PAIRS_LOG2>,
        splice: Splice<BUS_BITS, COUNT_BITS, PAYLOAD_LOG2, PAYLOAD_COUNT_BITS, QUEUES, NOTE_BITS>,
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
            self.buffer.skip = self.splice.skip;
            self.splice.payload = self.buffer.data;
            link(self.job, self.splice.job);
            self.splice.head = self.head;
            self.head_number = self.splice.head_number;
            self.head_slot = self.splice.head_slot;
            self.head_done = self.splice.head_done;
            link(self.out, self.splice.out);
            self.idle = self.splice.idle & self.buffer.idle;
        }
    }

    /// A version of a frame: its `head_len` and `payload_offset`.
    #[derive(Clone, Copy)]
    struct Version {
        head: usize,
        offset: usize,
    }

    impl Version {
        /// As the header editor has it: as long a head as there can be, bytes put in or taken out in it.
        fn edited(moved: i32) -> Self {
            Self { head: HEAD_BYTES, offset: (HEAD_BYTES as i32 - moved) as usize }
        }

        /// Any head, and any part of the frame's end.
        fn any(len: usize, rng: &mut ChaCha8Rng) -> Self {
            if rng.random_bool(0.3) {
                return Self::edited(4 * rng.random_range(-2..=2));
            }
            let head = rng.random_range(0..=HEAD_BYTES);
            Self { head, offset: rng.random_range(0..=if head == 0 { len - 1 } else { len }) }
        }

        fn len(self, frame: &[u8]) -> usize {
            self.head + frame.len() - self.offset
        }
    }

    /// What becomes of one frame: versions of it, or a discard.
    struct Case {
        frame: Vec<u8>,
        faulty: bool,
        versions: Vec<Option<Version>>,
    }

    /// The outgoing frame: a random head, then the payload.
    fn outgoing(frame: &[u8], v: Version, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let head = (0..v.head).map(|_| rng.random());
        let payload = frame.get(v.offset..).unwrap_or_default();
        head.chain(payload.iter().copied()).take(v.len(frame)).collect()
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
                let out = v.map(|v| outgoing(&c.frame, v, &mut rng));
                let job = Edited {
                    out_len: out.as_ref().map_or(0, Vec::len).to_bits(),
                    in_len: c.frame.len().to_bits(),
                    head_len: v.map_or(0, |v| v.head).to_bits(),
                    payload_offset: v.map_or(0, |v| v.offset).to_bits(),
                    outputs: rng.random_range(0..1u64 << QUEUES).to_bits(),
                    faulty: c.faulty,
                    discard: v.is_none(),
                    again: i + 1 < c.versions.len(),
                    vport: rng.random::<u8>().to_bits(),
                    reason: rng.random_range(0..4u64).into(),
                    ..Default::default()
                };
                jobs.push_back((writes.len(), job, out.clone().unwrap_or_default()));
                expected.extend(out.map(|o| (o, job)));
            }
        }
        // The head of the job at work, and behind it what nobody may see.
        let mut head = vec![0; 128];
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
            assert_eq!(slot, if number < 16 { 1 << number } else { 0 });
            p.head.next = bits_of(head.chunks(BUS_BITS / 8).nth(number).unwrap_or(&[0xee]));
            settle(&mut *p);
            stuck += 1;
            assert!(stuck < 3000, "nothing moves");
            if p.job.valid.val() && p.job.ready.val() {
                let (_, job, frame) = jobs.pop_front().unwrap();
                head = (0..128).map(|_| rng.random()).collect();
                let known = frame.len().min(job.head_len.index());
                head[..known].copy_from_slice(&frame[..known]);
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
                    assert!(got == *frame, "{} bytes: {job:?}", frame.len());
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
            let versions = if faulty { 1 } else { *[1, 1, 1, 3].choose(&mut rng).unwrap() };
            let mut version = || (!faulty && rng.random_bool(0.85)).then(|| Version::any(len, &mut rng));
            let versions = (0..versions).map(|_| version()).collect();
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

    fn same(n: usize, len: usize, versions: &[Option<Version>]) -> Vec<Case> {
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
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        let moved = [0, 4, 8, -4, -8].map(Version::edited);
        let tunnels =
            [(70, 0), (78, 4), (120, 0), (0, 50), (4, 74), (12, 128)].map(|(head, offset)| Version { head, offset });
        let random = [(); 8].map(|()| Version::any(400, &mut rng));
        for version in moved.into_iter().chain(tunnels).chain(random) {
            let Version { head, offset } = version;
            let (clocks, beats) = run::<512, 7, 9, 10, 8>(&same(4, 1518, &[Some(version)]), 1.0);
            assert_eq!(clocks, beats, "1518 bytes, {head} for {offset}");
            let (clocks, beats) = run::<64, 4, 12, 13, 11>(&same(4, 400, &[Some(version)]), 1.0);
            assert_eq!(clocks, beats, "400 bytes, {head} for {offset}");
        }
    }

    #[test]
    fn frames_of_one_beat_leave_in_each_clock() {
        for (len, version) in [
            (60, Version::edited(4)),
            (60, Version { head: 0, offset: 0 }),
            (60, Version { head: 27, offset: 23 }),
            (61, Version { head: 1, offset: 60 }),
            (64, Version { head: 64, offset: 64 }),
            (128, Version { head: 14, offset: 78 }),
        ] {
            let (clocks, beats) = run::<512, 7, 9, 10, 8>(&same(90, len, &[Some(version)]), 1.0);
            assert_eq!((clocks, beats), (90, 90), "{len} bytes");
        }
        for version in [Version::edited(-4), Version { head: 119, offset: 127 }, Version { head: 0, offset: 127 }] {
            let (clocks, beats) = run::<1024, 8, 8, 9, 7>(&same(90, 128, &[Some(version)]), 1.0);
            assert_eq!((clocks, beats), (90, 90));
        }
    }

    /// A head of any length before any part of a frame, at the places where something changes.
    #[test]
    fn heads_of_every_length_and_payloads_from_every_byte() {
        let frame = |n: usize| (0..200).map(|i| (i * 7 + n) as u8).collect();
        let case =
            |n, head, offset| Case { frame: frame(n), faulty: false, versions: vec![Some(Version { head, offset })] };
        let lengths = (0..=HEAD_BYTES).map(|n| case(n, n, 130 - n));
        let offsets = (0..200).map(|n| case(n, 33, n));
        let cases: Vec<_> = lengths.chain(offsets).collect();
        run::<64, 4, 12, 13, 11>(&cases, 0.9);
        run::<512, 7, 9, 10, 8>(&cases, 0.9);
    }

    #[test]
    fn a_discarded_frame_takes_one_clock() {
        let mut cases = same(3, 64, &[Some(Version::edited(0))]);
        cases.splice(1..1, same(1, 5000, &[None]));
        let (clocks, beats) = run::<512, 7, 9, 10, 8>(&cases, 1.0);
        assert_eq!((clocks, beats), (4, 3));
    }

    #[test]
    fn splice_and_payload_buffer_emit_clean_verilog() {
        assert_lints(Splice::<64, 4, 12, 13, 5, 0>::new());
        assert_lints(Splice::<512, 7, 9, 10, 12, 0>::new());
        assert_lints(Splice::<1024, 8, 8, 9, 5, 0>::new());
        assert_lints(PayloadBuffer::<512, 7, 9, 10, 8>::new(MAX_FRAME));
    }
}
