// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transmit queues.

use super::queue_counters::QueueCounters;
use super::types::{Beat, OutBeat, UpcallBeat};
use crate::base::{DffE, DffR, Fifo, Param, Reg, Snk, Src, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// A queue of `1 << B` beats (a longest frame at least) for each of `N` vports, and one for upcalls as number N; `P` = B + 1, `Q` = N + 1.
///
/// A beat goes into all queues of its frame in one clock, one beat per clock. In a queue's default mode a full queue makes the input wait;
/// with its bit of `drop_when_full` a frame that does not fit whole is dropped for this queue alone, decided at its first beat. Five
/// clocks from `inp` to `tx`: the queues that take a frame are chosen in the first, and its beats are queued in the second. The counters of
/// a frame move two clocks after its first beat was queued.
#[derive(LogicBlock, Default)]
pub struct Egress<const W: usize, const C: usize, const B: usize, const P: usize, const N: usize, const Q: usize> {
    tag: Tag<Self>,
    /// Of the way to the queues.
    pub clock: Signal<In, Clock>,
    /// Of each queue.
    pub clock_port: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<OutBeat<W, C>>,
    pub tx: Vec<Src<Beat<W, C>>>,
    pub upcall: Src<UpcallBeat<W, C>>,
    /// Bit v: the queue of vport v holds a whole frame or more, so that `tx` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<N>>,
    /// The same of the upcalls.
    pub upcall_whole: Signal<Out, Bit>,
    /// Bit q: mode of queue q. To be changed at any time; counts from the next frame on.
    pub drop_when_full: Signal<In, Bits<Q>>,
    /// Per queue: frames and bytes queued, frames dropped because the queue was full.
    pub packets: Vec<Signal<Out, Bits<64>>>,
    pub bytes: Vec<Signal<Out, Bits<64>>>,
    pub drops: Vec<Signal<Out, Bits<64>>>,
    /// Nothing is, or was a clock ago, on its way to a queue.
    pub idle: Signal<Out, Bit>,
    /// Bit q: queue q is empty, and nothing comes in or waits to be counted.
    pub idle_port: Signal<Out, Bits<Q>>,

    /// The beat that came, and the beats that a queue may hold at most for the beat's frame to fit.
    beat: DffE<OutBeat<W, C>>,
    beat_valid: DffR<Bit>,
    most: DffE<Bits<12>>,
    /// The beat to queue, the queues that take its frame, and those that drop it.
    placed: DffE<OutBeat<W, C>>,
    placed_valid: DffR<Bit>,
    taking: DffE<Bits<Q>>,
    dropping: DffE<Bits<Q>>,
    queues: Vec<Fifo<Beat<W, C>, B, P>>,
    upcalls: Fifo<UpcallBeat<W, C>, B, P>,
    /// Per queue: whether a frame's end was queued in the last two clocks (which a beat spends on its way to the
    /// queue's output), the frames that are in it to their end, and whether there are any.
    ends: Vec<DffR<Bits<2>>>,
    whole: Vec<Reg<Bits<P>>>,
    some_whole: Vec<DffR<Bit>>,
    counted: DffR<Bits<Q>>,
    dropped: DffR<Bits<Q>>,
    counted_len: DffE<Bits<14>>,
    active: DffR<Bit>,
    counters: Vec<QueueCounters>,

    /// Bytes of a queue.
    capacity: Param<Bits<20>>,
    beat_log2: Param<Bits<4>>,

    wanted: Signal<Local, Bits<Q>>,
    ready: Signal<Local, Bits<Q>>,
    pending: Signal<Local, Bits<Q>>,
    fits: Signal<Local, Bits<Q>>,
    empty: Signal<Local, Bits<Q>>,
    count: Signal<Local, Bits<P>>,
    filled: Signal<Local, Bits<13>>,
    accept: Signal<Local, Bits<Q>>,
    fire: Signal<Local, Bit>,
    onward: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    enters: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    sent: Signal<Local, Beat<W, C>>,
    plain: Signal<Local, Beat<W, C>>,
}

impl<const W: usize, const C: usize, const B: usize, const P: usize, const N: usize, const Q: usize>
    Egress<W, C, B, P, N, Q>
{
    /// Empty queues, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(max_frame: usize) -> Self {
        assert!(
            W / 8 == 1 << (C - 1) && P == B + 1 && Q == N + 1 && N <= 31,
            "Egress<{W}, {C}, {B}, {P}, {N}, {Q}>: sizes do not fit"
        );
        assert!(
            (W / 8) << B >= max_frame && B <= 11,
            "Egress<{W}, {C}, {B}, {P}, {N}, {Q}>: queues of {max_frame} to {} bytes",
            W << 8
        );
        let outputs = || vec![Signal::default(); Q];
        Self {
            clock_port: vec![Default::default(); Q],
            tx: vec![Default::default(); N],
            packets: outputs(),
            bytes: outputs(),
            drops: outputs(),
            queues: (0..N).map(|_| Fifo::default()).collect(),
            ends: (0..Q).map(|_| DffR::default()).collect(),
            whole: (0..Q).map(|_| Reg::default()).collect(),
            some_whole: (0..Q).map(|_| DffR::default()).collect(),
            counters: (0..Q).map(|_| QueueCounters::default()).collect(),
            capacity: Param::new(((W / 8) << B).to_bits()),
            beat_log2: Param::new((C - 1).to_bits()),
            ..Default::default()
        }
    }
}

impl<const W: usize, const C: usize, const B: usize, const P: usize, const N: usize, const Q: usize> Logic
    for Egress<W, C, B, P, N, Q>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, beat, beat_valid, most, placed, placed_valid, taking, dropping);
        clock!(self, clock, counted, dropped, counted_len, active);
        self.beat_valid.reset.next = self.reset.val();
        self.placed_valid.reset.next = self.reset.val();
        self.upcalls.reset.next = self.reset.val();
        self.counted.reset.next = self.reset.val();
        self.dropped.reset.next = self.reset.val();
        self.active.reset.next = self.reset.val();

        comment!("can the queues take the beat in front?");
        self.ready.next = 0.into();
        for i in 0..N {
            self.ready.next = self.ready.val().replace_bit(i, self.queues[i].inp.ready.val());
        }
        for i in N..Q {
            self.ready.next = self.ready.val().replace_bit(i, self.upcalls.inp.ready.val());
        }
        self.fire.next = self.placed_valid.q.val() & (self.ready.val() | !self.taking.q.val()).all();
        self.onward.next = self.beat_valid.q.val() & (!self.placed_valid.q.val() | self.fire.val());
        self.free.next = !self.beat_valid.q.val() | self.onward.val();
        self.placed_valid.d.next = self.onward.val() | (self.placed_valid.q.val() & !self.fire.val());
        self.placed.en.next = self.onward.val();
        self.placed.d.next = self.beat.q.val();

        comment!("a beat arrives");
        self.inp.ready.next = self.free.val();
        self.beat_valid.d.next = self.inp.valid.val() | !self.free.val();
        self.beat.en.next = self.free.val() & self.inp.valid.val();
        self.beat.d.next = self.inp.data.val();
        self.most.en.next = self.free.val() & self.inp.valid.val();
        self.most.d.next = bit_cast::<12, 20>(
            (self.capacity.val() - bit_cast::<20, 14>(self.inp.data.val().out_len)) >> self.beat_log2.val(),
        );

        comment!(
            "which queues take its frame? The beat in front is not in their counts yet: it goes in as half a beat more"
        );
        self.wanted.next = bit_cast::<Q, 32>(self.beat.q.val().outputs);
        for i in N..Q {
            self.wanted.next = self.wanted.val().replace_bit(i, self.beat.q.val().outputs.get_bit(31));
        }
        self.pending.next = 0.into();
        if self.placed_valid.q.val() {
            self.pending.next = self.taking.q.val();
        }
        self.fits.next = 0.into();
        for i in 0..N {
            self.count.next = self.queues[i].count.val();
            self.filled.next = bit_cast::<13, P>(self.count.val()) << 1;
            if self.pending.val().get_bit(i) {
                self.filled.next = self.filled.val() | 1;
            }
            self.fits.next =
                self.fits.val().replace_bit(i, self.filled.val() <= (bit_cast::<13, 12>(self.most.q.val()) << 1));
        }
        for i in N..Q {
            self.filled.next = bit_cast::<13, P>(self.upcalls.count.val()) << 1;
            if self.pending.val().get_bit(i) {
                self.filled.next = self.filled.val() | 1;
            }
            self.fits.next =
                self.fits.val().replace_bit(i, self.filled.val() <= (bit_cast::<13, 12>(self.most.q.val()) << 1));
        }
        self.accept.next = self.fits.val() | !self.drop_when_full.val();
        self.begins.next = self.onward.val() & self.beat.q.val().first;
        self.taking.en.next = self.begins.val();
        self.taking.d.next = self.wanted.val() & self.accept.val();
        self.dropping.en.next = self.begins.val();
        self.dropping.d.next = self.wanted.val() & !self.accept.val();

        comment!("into the queues");
        self.plain.next.data = self.placed.q.val().data;
        self.plain.next.bytes = self.placed.q.val().bytes;
        self.plain.next.last = self.placed.q.val().last;
        for i in 0..N {
            self.queues[i].clock.next = self.clock_port[i].val();
            self.queues[i].reset.next = self.reset.val();
            self.queues[i].inp.valid.next = self.fire.val() & self.taking.q.val().get_bit(i);
            self.queues[i].inp.data.next = self.plain.val();
            self.queues[i].out.ready.next = self.tx[i].ready.val();
            self.tx[i].valid.next = self.queues[i].out.valid.val();
            self.tx[i].data.next = self.queues[i].out.data.val();
        }
        self.tx_whole.next = 0.into();
        for i in 0..N {
            self.ends[i].clock.next = self.clock_port[i].val();
            self.ends[i].reset.next = self.reset.val();
            self.ends[i].d.next = self.ends[i].q.val() << 1;
            if self.fire.val() & self.taking.q.val().get_bit(i) & self.placed.q.val().last {
                self.ends[i].d.next = (self.ends[i].q.val() << 1) | 1;
            }
            self.enters.next = self.ends[i].q.val().get_bit(1);
            self.sent.next = self.queues[i].out.data.val();
            self.leaves.next = self.queues[i].out.valid.val() & self.tx[i].ready.val() & self.sent.val().last;
            self.whole[i].clock.next = self.clock_port[i].val();
            self.whole[i].reset.next = self.reset.val();
            self.whole[i].en.next = self.enters.val() != self.leaves.val();
            self.whole[i].d.next = self.whole[i].q.val() - 1;
            self.some_whole[i].clock.next = self.clock_port[i].val();
            self.some_whole[i].reset.next = self.reset.val();
            self.some_whole[i].d.next =
                self.enters.val() | (self.some_whole[i].q.val() & !(self.leaves.val() & (self.whole[i].q.val() == 1)));
            if self.enters.val() {
                self.whole[i].d.next = self.whole[i].q.val() + 1;
            }
            self.tx_whole.next = self.tx_whole.val().replace_bit(i, self.some_whole[i].q.val());
        }
        self.upcall_whole.next = false;
        for i in N..Q {
            self.ends[i].clock.next = self.clock_port[i].val();
            self.ends[i].reset.next = self.reset.val();
            self.ends[i].d.next = self.ends[i].q.val() << 1;
            if self.fire.val() & self.taking.q.val().get_bit(i) & self.placed.q.val().last {
                self.ends[i].d.next = (self.ends[i].q.val() << 1) | 1;
            }
            self.enters.next = self.ends[i].q.val().get_bit(1);
            self.leaves.next =
                self.upcalls.out.valid.val() & self.upcall.ready.val() & self.upcalls.out.data.val().last;
            self.whole[i].clock.next = self.clock_port[i].val();
            self.whole[i].reset.next = self.reset.val();
            self.whole[i].en.next = self.enters.val() != self.leaves.val();
            self.whole[i].d.next = self.whole[i].q.val() - 1;
            self.some_whole[i].clock.next = self.clock_port[i].val();
            self.some_whole[i].reset.next = self.reset.val();
            self.some_whole[i].d.next =
                self.enters.val() | (self.some_whole[i].q.val() & !(self.leaves.val() & (self.whole[i].q.val() == 1)));
            if self.enters.val() {
                self.whole[i].d.next = self.whole[i].q.val() + 1;
            }
            self.upcall_whole.next = self.some_whole[i].q.val();
        }
        self.upcalls.inp.valid.next = false;
        for i in N..Q {
            self.upcalls.clock.next = self.clock_port[i].val();
            self.upcalls.inp.valid.next = self.fire.val() & self.taking.q.val().get_bit(i);
        }
        self.upcalls.inp.data.next.data = self.placed.q.val().data;
        self.upcalls.inp.data.next.bytes = self.placed.q.val().bytes;
        self.upcalls.inp.data.next.last = self.placed.q.val().last;
        self.upcalls.inp.data.next.vport = self.placed.q.val().vport;
        self.upcalls.inp.data.next.reason = self.placed.q.val().reason;
        self.upcalls.out.ready.next = self.upcall.ready.val();
        self.upcall.valid.next = self.upcalls.out.valid.val();
        self.upcall.data.next = self.upcalls.out.data.val();

        comment!("counters");
        self.counted.d.next = 0.into();
        self.dropped.d.next = 0.into();
        if self.fire.val() & self.placed.q.val().first {
            self.counted.d.next = self.taking.q.val();
            self.dropped.d.next = self.dropping.q.val();
        }
        self.counted_len.en.next = self.fire.val() & self.placed.q.val().first;
        self.counted_len.d.next = self.placed.q.val().out_len;
        for i in 0..Q {
            self.counters[i].clock.next = self.clock_port[i].val();
            self.counters[i].reset.next = self.reset.val();
            self.counters[i].queued.next = self.counted.q.val().get_bit(i);
            self.counters[i].len.next = self.counted_len.q.val();
            self.counters[i].dropped.next = self.dropped.q.val().get_bit(i);
            self.packets[i].next = self.counters[i].packets.val();
            self.bytes[i].next = self.counters[i].bytes.val();
            self.drops[i].next = self.counters[i].drops.val();
        }

        comment!("idle");
        self.empty.next = 0.into();
        for i in 0..N {
            self.empty.next = self.empty.val().replace_bit(i, self.queues[i].empty.val());
        }
        for i in N..Q {
            self.empty.next = self.empty.val().replace_bit(i, self.upcalls.empty.val());
        }
        self.active.d.next = self.inp.valid.val()
            | self.beat_valid.q.val()
            | self.placed_valid.q.val()
            | self.counted.q.val().any()
            | self.dropped.q.val().any();
        self.idle.next = !self.active.q.val();
        self.idle_port.next = 0.into();
        for i in 0..Q {
            self.idle_port.next = self.idle_port.val().replace_bit(
                i,
                self.empty.val().get_bit(i)
                    & !self.ends[i].q.val().any()
                    & !self.pending.val().get_bit(i)
                    & !self.counted.q.val().get_bit(i)
                    & !self.dropped.q.val().get_bit(i),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, beats, bytes, settle, tick_those};
    use millrace_regs::config::MAX_FRAME;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    struct Frame {
        bytes: Vec<u8>,
        outputs: u32,
    }

    /// One clock; of the queues' clocks those that are not idle.
    fn tick<const W: usize, const C: usize, const B: usize, const P: usize>(e: &mut Egress<W, C, B, P, 3, 4>) {
        tick_those(e, |e| {
            let (reset, idle) = (e.reset.val(), e.idle_port.val());
            let ports = e.clock_port.iter_mut().enumerate().map(|(q, clock)| (clock, reset || !idle.get_bit(q)));
            std::iter::once((&mut e.clock, true)).chain(ports).collect()
        });
    }

    fn stream<const W: usize, const C: usize>(frames: &[Frame]) -> VecDeque<OutBeat<W, C>> {
        let one = |(n, f): (usize, &Frame)| {
            let (outputs, out_len) = (f.outputs.to_bits(), f.bytes.len().to_bits());
            let (vport, reason) = ((n % 5).to_bits(), (n % 3).to_bits());
            let all = beats::<W, C>(&f.bytes).into_iter().enumerate();
            let all = all.map(|(i, b)| OutBeat {
                data: b.data,
                bytes: b.bytes,
                last: b.last,
                first: i == 0,
                out_len,
                outputs,
                vport,
                reason,
            });
            all.collect::<Vec<_>>()
        };
        frames.iter().enumerate().flat_map(one).collect()
    }

    /// Puts all frames in; queue 3 is the upcall queue. `drain` is the rate at which each queue is taken from. Returns the numbers of the frames
    /// that came out of each queue, and the clocks until the last was taken in.
    fn run<const W: usize, const C: usize, const B: usize, const P: usize>(
        frames: &[Frame],
        modes: u64,
        drain: [f64; 4],
    ) -> ([Vec<usize>; 4], usize, Box<Egress<W, C, B, P, 3, 4>>) {
        let mut rng = ChaCha8Rng::seed_from_u64(21);
        let mut e = Box::new(Egress::<W, C, B, P, 3, 4>::new(MAX_FRAME));
        e.connect_all();
        e.reset.next = true;
        tick(&mut e);
        e.reset.next = false;
        e.drop_when_full.next = modes.into();
        let mut input = stream::<W, C>(frames);
        let mut out: [Vec<usize>; 4] = Default::default();
        let mut partial: [Vec<u8>; 4] = Default::default();
        let (mut clocks, mut quiet) = (0, 0);
        while quiet < 400 {
            e.inp.valid.next = !input.is_empty();
            e.inp.data.next = input.front().copied().unwrap_or_default();
            for q in 0..3 {
                e.tx[q].ready.next = rng.random_bool(drain[q]);
            }
            e.upcall.ready.next = rng.random_bool(drain[3]);
            settle(&mut *e);
            quiet += 1;
            let popped = |q: usize, data, count, last, partial: &mut [Vec<u8>; 4], out: &mut [Vec<usize>; 4]| {
                partial[q].extend_from_slice(&bytes::<W, C>(data, count));
                if last {
                    let bit = if q == 3 { 31 } else { q };
                    let from = out[q].last().map_or(0, |n| n + 1);
                    let n = (from..frames.len())
                        .find(|n| frames[*n].outputs >> bit & 1 == 1 && frames[*n].bytes == partial[q]);
                    out[q].push(n.unwrap_or_else(|| panic!("queue {q} gave out a frame that nobody sent")));
                    partial[q].clear();
                }
            };
            for q in 0..3 {
                if e.tx[q].valid.val() && e.tx[q].ready.val() {
                    let b = e.tx[q].data.val();
                    popped(q, b.data, b.bytes, b.last, &mut partial, &mut out);
                    quiet = 0;
                }
            }
            if e.upcall.valid.val() && e.upcall.ready.val() {
                let b = e.upcall.data.val();
                popped(3, b.data, b.bytes, b.last, &mut partial, &mut out);
                if b.last {
                    let n = *out[3].last().unwrap();
                    assert_eq!((b.vport.to_u64() as usize, b.reason.to_u64() as usize), (n % 5, n % 3));
                }
                quiet = 0;
            }
            if e.inp.valid.val() && e.inp.ready.val() {
                input.pop_front();
                quiet = 0;
            }
            clocks += !input.is_empty() as usize;
            tick(&mut e);
        }
        for q in 0..4 {
            let bit = if q == 3 { 31 } else { q };
            let wanted = frames.iter().filter(|f| f.outputs >> bit & 1 == 1).count() as u64;
            if input.is_empty() {
                assert_eq!(e.packets[q].val().to_u64() + e.drops[q].val().to_u64(), wanted);
            }
            if drain[q] > 0.0 {
                assert!(partial[q].is_empty(), "whole frames only");
                assert_eq!(e.packets[q].val().to_u64() as usize, out[q].len());
                let sum: usize = out[q].iter().map(|n| frames[*n].bytes.len()).sum();
                assert_eq!(e.bytes[q].val().to_u64() as usize, sum);
            }
            assert!(modes >> q & 1 == 1 || e.drops[q].val().to_u64() == 0);
        }
        (out, clocks, e)
    }

    fn mixture(n: usize, longest: usize) -> Vec<Frame> {
        let mut rng = ChaCha8Rng::seed_from_u64(22);
        let mut one = |_| Frame {
            bytes: (0..rng.random_range(14..longest)).map(|_| rng.random()).collect(),
            outputs: [1, 2, 4, 1 << 31, 0, 3, 1 << 31 | 7][rng.random_range(0..7)],
        };
        (0..n).map(&mut one).collect()
    }

    #[test]
    fn frames_reach_each_of_their_queues_once_and_in_order() {
        let frames = mixture(60, 500);
        let (out, ..) = run::<64, 4, 11, 12>(&frames, 0, [0.9, 0.5, 1.0, 0.7]);
        let (wide, _, e) = run::<1024, 8, 7, 8>(&frames, 0, [0.9, 0.5, 1.0, 0.7]);
        for (q, numbers) in out.iter().enumerate() {
            let bit = if q == 3 { 31 } else { q };
            assert!(
                numbers.iter().eq((0..60).filter(|n| frames[*n].outputs >> bit & 1 == 1).collect::<Vec<_>>().iter())
            );
            assert_eq!(*numbers, wide[q]);
        }
        assert!(e.idle.val() && e.idle_port.val().all());
    }

    #[test]
    fn a_one_beat_frame_is_broadcast_in_every_clock() {
        let frames: Vec<_> = (0..200u8).map(|n| Frame { bytes: vec![n; 64], outputs: 1 << 31 | 7 }).collect();
        let (out, clocks, _) = run::<512, 7, 8, 9>(&frames, 0, [1.0; 4]);
        assert!(out.iter().all(|o| o.len() == 200));
        assert_eq!(clocks, 199);
    }

    #[test]
    fn a_full_queue_pushes_back_or_drops_whole_frames_for_itself_alone() {
        let frames: Vec<_> = (0..30u8).map(|n| Frame { bytes: vec![n; 1000], outputs: 3 }).collect();
        // 16 beats each: queue 1 holds 16 frames and is never emptied.
        let (out, _, e) = run::<512, 7, 8, 9>(&frames, 0b0010, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(out[0].len(), 30);
        assert_eq!((e.packets[1].val().to_u64(), e.drops[1].val().to_u64()), (16, 14));
        assert_eq!((e.idle.val(), e.idle_port.val()), (true, 0b1101u64.to_bits()));
        let (out, _, e) = run::<512, 7, 8, 9>(&frames, 0, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!((out[0].len(), e.packets[1].val().to_u64(), e.drops[1].val().to_u64()), (16, 16, 0));
        assert!(!e.inp.ready.val());
    }

    #[test]
    fn a_slow_queue_that_drops_loses_only_whole_frames() {
        let frames = mixture(400, 2000);
        let (out, _, e) = run::<512, 7, 8, 9>(&frames, 0b1111, [0.3, 0.1, 1.0, 0.3]);
        assert!(e.drops[1].val().to_u64() > 10 && out[1].len() > 10);
        assert_eq!(e.drops[2].val().to_u64(), 0);
    }

    #[test]
    fn a_frame_that_was_whole_when_it_began_comes_out_without_a_pause() {
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        let mut e = Box::new(Egress::<64, 4, 11, 12, 3, 4>::new(MAX_FRAME));
        e.connect_all();
        e.reset.next = true;
        tick(&mut e);
        e.reset.next = false;
        let frames: Vec<_> =
            (0..200u8).map(|n| Frame { bytes: vec![n; rng.random_range(14..300)], outputs: 1 << 31 | 3 }).collect();
        let mut input = stream::<64, 4>(&frames);
        let (mut sent, mut inside, mut sent_up, mut inside_up) = (0, false, 0, false);
        while sent < frames.len() || sent_up < frames.len() {
            e.inp.valid.next = !input.is_empty() && rng.random_bool(0.7);
            e.inp.data.next = input.front().copied().unwrap_or_default();
            e.tx[0].ready.next = inside || e.tx_whole.val().get_bit(0) && rng.random_bool(0.9);
            e.tx[1].ready.next = rng.random_bool(0.5);
            e.upcall.ready.next = inside_up || e.upcall_whole.val() && rng.random_bool(0.9);
            settle(&mut *e);
            assert!(!inside || e.tx[0].valid.val(), "a pause inside frame {sent}");
            if e.tx[0].ready.val() {
                assert!(e.tx[0].valid.val(), "nothing there, but a whole frame was promised");
                inside = !e.tx[0].data.val().last;
                sent += !inside as usize;
            }
            if e.upcall.ready.val() {
                assert!(e.upcall.valid.val(), "a pause inside upcall {sent_up}, or nothing there");
                inside_up = !e.upcall.data.val().last;
                sent_up += !inside_up as usize;
            }
            if e.inp.valid.val() && e.inp.ready.val() {
                input.pop_front();
            }
            tick(&mut e);
            settle(&mut *e);
        }
        assert!(!e.tx_whole.val().get_bit(0) && !e.upcall_whole.val(), "no frame is left");
    }

    #[test]
    fn egress_emits_clean_verilog() {
        assert_lints(Egress::<512, 7, 8, 9, 11, 12>::new(MAX_FRAME));
        assert_lints(Egress::<64, 4, 11, 12, 4, 5>::new(MAX_FRAME));
    }
}
