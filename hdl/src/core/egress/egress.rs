// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transmit queues of all ports, and the way to them.

use super::tx_queue::TxQueue;
use crate::base::{DffE, DffR, Snk, Src};
use crate::core::types::{Beat, OutBeat, UpcallBeat};
use rust_hdl_core::prelude::*;

/// A `TxQueue` for each vport, of a longest frame at least, and one for upcalls as the last.
///
/// A beat goes into all queues of its frame in one clock, one beat per clock. In a queue's default mode a full queue makes the input wait;
/// with its bit of `drop_when_full` a frame that does not fit whole is dropped for this queue alone, decided at its first beat. Five
/// clocks from `inp` to `tx`: the queues that take a frame are chosen in the first, and its beats are queued in the second. The counters of
/// a frame move two clocks after its first beat was queued.
#[millrace_hdl::block]
pub struct Egress<const SIZES: Sizes> {
    /// Of the way to the queues.
    pub clock: Signal<In, Clock>,
    /// Of each queue.
    #[count(SIZES.queues)]
    pub clock_port: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<OutBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }, { SIZES.note_bits }>>,
    #[count(SIZES.vports)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    pub upcall: Src<UpcallBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.note_bits }>>,
    /// Bit v: the queue of vport v holds a whole frame or more, so that `tx` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<{ SIZES.vports }>>,
    /// The same of the upcalls.
    pub upcall_whole: Signal<Out, Bit>,
    /// Bit q: mode of queue q. To be changed at any time; counts from the next frame on.
    pub drop_when_full: Signal<In, Bits<{ SIZES.queues }>>,
    /// Frames queued, per queue.
    #[count(SIZES.queues)]
    pub packets: Vec<Signal<Out, Bits<64>>>,
    /// Their bytes, per queue.
    #[count(SIZES.queues)]
    pub bytes: Vec<Signal<Out, Bits<64>>>,
    /// Frames dropped because the queue was full, per queue.
    #[count(SIZES.queues)]
    pub drops: Vec<Signal<Out, Bits<64>>>,
    /// Nothing is, or was a clock ago, on its way to a queue.
    pub idle: Signal<Out, Bit>,
    /// Bit q: queue q is empty, and nothing comes in or waits to be counted.
    pub idle_port: Signal<Out, Bits<{ SIZES.queues }>>,

    /// The beat that came.
    beat: DffE<OutBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }, { SIZES.note_bits }>>,
    beat_valid: DffR<Bit>,
    /// Beats that a queue may hold at most for that beat's frame to fit.
    most: DffE<Bits<12>>,
    /// The beat in front of the queues.
    placed: DffE<OutBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }, { SIZES.note_bits }>>,
    placed_valid: DffR<Bit>,
    #[count(SIZES.vports)]
    queues: Vec<
        TxQueue<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>, { SIZES.buffer_log2 }, { SIZES.buffer_count_bits }>,
    >,
    upcalls: TxQueue<
        UpcallBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.note_bits }>,
        { SIZES.buffer_log2 },
        { SIZES.buffer_count_bits },
    >,
    /// Length of the frame that was last queued.
    queued_len: DffE<Bits<14>>,
    active: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Egress<SIZES> {
    /// Empty queues, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(max_frame: usize) -> Self {
        assert!(
            SIZES.bus_bits / 8 == 1 << (SIZES.count_bits - 1)
                && SIZES.buffer_count_bits == SIZES.buffer_log2 + 1
                && SIZES.queues == SIZES.vports + 1,
            "sizes that do not fit each other"
        );
        assert!(
            (SIZES.bus_bits / 8) << SIZES.buffer_log2 >= max_frame && SIZES.buffer_log2 <= 11,
            "queues of {max_frame} to {} bytes",
            SIZES.bus_bits << 8
        );
        Self::default()
    }

    fn update(&mut self) {
        comment!("can the queues take the beat in front of them?");
        let mut ready = Bits::<{ SIZES.queues }>::default();
        for i in 0..SIZES.vports {
            ready.set_bit(i, self.queues[i].ready);
        }
        ready.set_bit(SIZES.vports, self.upcalls.ready);
        let fire = self.placed_valid & ready.all();
        let onward = self.beat_valid & (!self.placed_valid | fire);
        let free = !self.beat_valid | onward;
        self.placed_valid = onward | (self.placed_valid & !fire);
        if onward {
            self.placed = self.beat;
        }

        comment!("a beat arrives");
        self.inp.ready = free;
        self.beat_valid = self.inp.valid | !free;
        if free & self.inp.valid {
            self.beat = self.inp.data;
            self.most = cast::<12>(
                (((SIZES.bus_bits / 8) << SIZES.buffer_log2) - cast::<20>(self.inp.data.out_len))
                    >> (SIZES.count_bits - 1),
            );
        }

        comment!("the queues of the vports");
        let decide = onward & self.beat.first;
        let starts = fire & self.placed.first;
        if starts {
            self.queued_len = self.placed.out_len;
        }
        let plain: Beat<{ SIZES.bus_bits }, { SIZES.count_bits }> =
            Beat { data: self.placed.data, bytes: self.placed.bytes, last: self.placed.last };
        let mut counting = Bits::<{ SIZES.queues }>::default();
        for i in 0..SIZES.vports {
            self.queues[i].clock_port = self.clock_port[i];
            self.queues[i].decide = decide;
            self.queues[i].wanted = self.beat.outputs.get_bit(i);
            self.queues[i].most = self.most;
            self.queues[i].drop_when_full = self.drop_when_full.get_bit(i);
            self.queues[i].beat = plain;
            self.queues[i].beat_valid = self.placed_valid;
            self.queues[i].fire = fire;
            self.queues[i].starts = starts;
            self.queues[i].len = self.queued_len;
            link(self.tx[i], self.queues[i].out);
            self.tx_whole.set_bit(i, self.queues[i].whole);
            self.packets[i] = self.queues[i].packets;
            self.bytes[i] = self.queues[i].bytes;
            self.drops[i] = self.queues[i].drops;
            self.idle_port.set_bit(i, self.queues[i].idle);
            counting.set_bit(i, self.queues[i].counting);
        }

        comment!("the queue of the upcalls");
        self.upcalls.clock_port = self.clock_port[SIZES.vports];
        self.upcalls.decide = decide;
        self.upcalls.wanted = self.beat.outputs.get_bit(SIZES.vports);
        self.upcalls.most = self.most;
        self.upcalls.drop_when_full = self.drop_when_full.get_bit(SIZES.vports);
        self.upcalls.beat = UpcallBeat {
            data: self.placed.data,
            bytes: self.placed.bytes,
            last: self.placed.last,
            vport: self.placed.vport,
            reason: self.placed.reason,
            note: self.placed.note,
        };
        self.upcalls.beat_valid = self.placed_valid;
        self.upcalls.fire = fire;
        self.upcalls.starts = starts;
        self.upcalls.len = self.queued_len;
        link(self.upcall, self.upcalls.out);
        self.upcall_whole = self.upcalls.whole;
        self.packets[SIZES.vports] = self.upcalls.packets;
        self.bytes[SIZES.vports] = self.upcalls.bytes;
        self.drops[SIZES.vports] = self.upcalls.drops;
        self.idle_port.set_bit(SIZES.vports, self.upcalls.idle);
        counting.set_bit(SIZES.vports, self.upcalls.counting);

        comment!("idle");
        self.active = self.inp.valid | self.beat_valid | self.placed_valid | counting.any();
        self.idle = !self.active;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::{assert_lints, beats, bytes, settle, tick_those};
    use millrace_regs::config::{Config, MAX_FRAME, Preset};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// A bus this wide and so many vports, with queues for the longest frames.
    const fn sizes(bus_bits: usize, vports: usize) -> Sizes {
        let sim = Preset::Sim.config();
        Sizes::of(&Config { bus_bits, vfs: vports - sim.uplinks - sim.pfs, max_frame: MAX_FRAME, ..sim })
    }

    /// 40 vports with queues for short frames.
    const SHORT: Sizes = {
        let sim = Preset::Sim.config();
        Sizes::of(&Config { bus_bits: 64, vfs: 40 - sim.uplinks - sim.pfs, max_frame: 256, ..sim })
    };

    /// The queue of upcalls, behind three vports.
    const UPCALL: u32 = 1 << 3;

    struct Frame {
        bytes: Vec<u8>,
        outputs: u32,
    }

    /// One clock; of the queues' clocks those that are not idle.
    #[crate::with_sizes]
    fn tick<const SIZES: Sizes>(e: &mut Egress<SIZES>) {
        tick_those(e, |e| {
            let (reset, idle) = (e.reset.val(), e.idle_port.val());
            let ports = e.clock_port.iter_mut().enumerate().map(|(q, clock)| (clock, reset || !idle.get_bit(q)));
            std::iter::once((&mut e.clock, true)).chain(ports).collect()
        });
    }

    #[crate::with_sizes]
    fn stream<const SIZES: Sizes>(
        frames: &[Frame],
    ) -> VecDeque<OutBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }, { SIZES.note_bits }>> {
        let one = |(n, f): (usize, &Frame)| {
            let (outputs, out_len) = (f.outputs.to_bits(), f.bytes.len().to_bits());
            let (vport, reason) = ((n % 5).to_bits(), (n % 3).to_bits());
            let all = beats::<{ SIZES.bus_bits }, { SIZES.count_bits }>(&f.bytes).into_iter().enumerate();
            let all = all.map(|(i, b)| OutBeat {
                data: b.data,
                bytes: b.bytes,
                last: b.last,
                first: i == 0,
                out_len,
                outputs,
                vport,
                reason,
                ..Default::default()
            });
            all.collect::<Vec<_>>()
        };
        frames.iter().enumerate().flat_map(one).collect()
    }

    /// Puts all frames in; queue 3 is the upcall queue. `drain` is the rate at which each queue is taken from. Returns the numbers of the frames
    /// that came out of each queue, and the clocks until the last was taken in.
    #[crate::with_sizes]
    fn run<const SIZES: Sizes>(
        frames: &[Frame],
        modes: u64,
        drain: [f64; 4],
    ) -> ([Vec<usize>; 4], usize, Box<Egress<SIZES>>) {
        let mut rng = ChaCha8Rng::seed_from_u64(21);
        let mut e = Box::new(Egress::<SIZES>::new(MAX_FRAME));
        e.connect_all();
        e.reset.next = true;
        tick(&mut e);
        e.reset.next = false;
        e.drop_when_full.next = modes.into();
        let mut input = stream::<SIZES>(frames);
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
                partial[q].extend_from_slice(&bytes::<{ SIZES.bus_bits }, { SIZES.count_bits }>(data, count));
                if last {
                    let from = out[q].last().map_or(0, |n| n + 1);
                    let n = (from..frames.len())
                        .find(|n| frames[*n].outputs >> q & 1 == 1 && frames[*n].bytes == partial[q]);
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
            let wanted = frames.iter().filter(|f| f.outputs >> q & 1 == 1).count() as u64;
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
            outputs: [1, 2, 4, UPCALL, 0, 3, UPCALL | 7][rng.random_range(0..7)],
        };
        (0..n).map(&mut one).collect()
    }

    #[test]
    fn frames_reach_each_of_their_queues_once_and_in_order() {
        let frames = mixture(60, 500);
        let (out, ..) = sized!(run::<sizes(64, 3)>)(&frames, 0, [0.9, 0.5, 1.0, 0.7]);
        let (wide, _, e) = sized!(run::<sizes(1024, 3)>)(&frames, 0, [0.9, 0.5, 1.0, 0.7]);
        for (q, numbers) in out.iter().enumerate() {
            assert!(numbers.iter().eq((0..60).filter(|n| frames[*n].outputs >> q & 1 == 1).collect::<Vec<_>>().iter()));
            assert_eq!(*numbers, wide[q]);
        }
        assert!(e.idle.val() && e.idle_port.val().all());
    }

    #[test]
    fn a_one_beat_frame_is_broadcast_in_every_clock() {
        let frames: Vec<_> = (0..200u8).map(|n| Frame { bytes: vec![n; 64], outputs: UPCALL | 7 }).collect();
        let (out, clocks, _) = sized!(run::<sizes(512, 3)>)(&frames, 0, [1.0; 4]);
        assert!(out.iter().all(|o| o.len() == 200));
        assert_eq!(clocks, 199);
    }

    #[test]
    fn a_full_queue_pushes_back_or_drops_whole_frames_for_itself_alone() {
        let frames: Vec<_> = (0..30u8).map(|n| Frame { bytes: vec![n; 1000], outputs: 3 }).collect();
        // 16 beats each: queue 1 holds 16 frames and is never emptied.
        let (out, _, e) = sized!(run::<sizes(512, 3)>)(&frames, 0b0010, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(out[0].len(), 30);
        assert_eq!((e.packets[1].val().to_u64(), e.drops[1].val().to_u64()), (16, 14));
        assert_eq!((e.idle.val(), e.idle_port.val()), (true, 0b1101u64.to_bits()));
        let (out, _, e) = sized!(run::<sizes(512, 3)>)(&frames, 0, [1.0, 0.0, 1.0, 1.0]);
        assert_eq!((out[0].len(), e.packets[1].val().to_u64(), e.drops[1].val().to_u64()), (16, 16, 0));
        assert!(!e.inp.ready.val());
    }

    #[test]
    fn a_slow_queue_that_drops_loses_only_whole_frames() {
        let frames = mixture(400, 2000);
        let (out, _, e) = sized!(run::<sizes(512, 3)>)(&frames, 0b1111, [0.3, 0.1, 1.0, 0.3]);
        assert!(e.drops[1].val().to_u64() > 10 && out[1].len() > 10);
        assert_eq!(e.drops[2].val().to_u64(), 0);
    }

    #[test]
    fn a_frame_that_was_whole_when_it_began_comes_out_without_a_pause() {
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        let mut e = Box::new(<sized!(Egress<sizes(64, 3)>)>::new(MAX_FRAME));
        e.connect_all();
        e.reset.next = true;
        tick(&mut e);
        e.reset.next = false;
        let frames: Vec<_> =
            (0..200u8).map(|n| Frame { bytes: vec![n; rng.random_range(14..300)], outputs: UPCALL | 3 }).collect();
        let mut input = sized!(stream::<sizes(64, 3)>)(&frames);
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
    fn of_forty_vports_each_gets_its_frames() {
        const QUEUES: usize = 41;
        let mut e = Box::new(<sized!(Egress<SHORT>)>::new(256));
        e.connect_all();
        let clock = |e: &mut sized!(Egress<SHORT>)| {
            tick_those(e, |e| {
                let ports = e.clock_port.iter_mut().map(|clock| (clock, true));
                std::iter::once((&mut e.clock, true)).chain(ports).collect()
            });
        };
        e.reset.next = true;
        clock(&mut e);
        e.reset.next = false;
        // Frame n to queue n and the next.
        let outputs = |n: usize| (1u64 << n | 1 << ((n + 1) % QUEUES)).to_bits();
        let mut seen = vec![vec![]; QUEUES];
        for n in 0..QUEUES + 8 {
            e.inp.valid.next = n < QUEUES;
            e.inp.data.next = OutBeat {
                data: n.to_bits(),
                bytes: 8u64.into(),
                last: true,
                first: true,
                out_len: 8u64.into(),
                outputs: outputs(n % QUEUES),
                ..Default::default()
            };
            e.tx.iter_mut().for_each(|tx| tx.ready.next = true);
            e.upcall.ready.next = true;
            settle(&mut *e);
            assert!(e.inp.ready.val());
            let out = e.tx.iter().map(|tx| (tx.valid.val(), tx.data.val().data));
            let out = out.chain([(e.upcall.valid.val(), e.upcall.data.val().data)]);
            for (queue, (_, data)) in out.enumerate().filter(|(_, (valid, _))| *valid) {
                seen[queue].push(data.to_u64() as usize);
            }
            clock(&mut e);
        }
        for (queue, frames) in seen.iter().enumerate() {
            let mut expected = [queue, (queue + QUEUES - 1) % QUEUES];
            expected.sort();
            assert_eq!(*frames, expected, "queue {queue}");
        }
        assert!(e.idle.val() && e.idle_port.val().all());
    }

    #[test]
    fn egress_emits_clean_verilog() {
        assert_lints(<sized!(Egress<sizes(512, 11)>)>::new(MAX_FRAME));
        assert_lints(<sized!(Egress<sizes(64, 4)>)>::new(MAX_FRAME));
        assert_lints(<sized!(Egress<SHORT>)>::new(256));
    }
}
