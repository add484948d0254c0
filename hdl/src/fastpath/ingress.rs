// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stores the frames of one source whole, and measures them.

use super::types::{Beat, FrameMeta, MergedBeat};
use crate::base::{DffE, DffR, Ram, Reg, Snk, Src, Tag};
use millrace_regs::config::MIN_FRAME;
use rust_hdl_core::prelude::*;

/// One frame buffer of `1 << B` beats (more than a longest frame), `P` = B + 1.
///
/// A frame shows at `out` once it is stored whole, and then comes out without a gap: one beat per clock as long as `out.ready` is
/// high. `vport`, `packet_out`, `len` and `fault` of a beat are meant for its frame's first beat only. Of a faulty frame only the first
/// beat comes out, as its last; its other beats never take up room. Five clocks from the last beat in to the first beat out.
#[derive(LogicBlock)]
pub struct Ingress<const W: usize, const C: usize, const B: usize, const P: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx: Snk<Beat<W, C>>,
    /// With the last beat: the frame arrived damaged.
    pub rx_error: Signal<In, Bit>,
    /// Goes with the last beat of a frame.
    pub vport: Signal<In, Bits<8>>,
    pub packet_out: Signal<In, Bit>,
    pub out: Src<MergedBeat<W, C>>,
    /// No whole frame is held: without input no clock changes anything.
    pub idle: Signal<Out, Bit>,

    beats: Ram<Beat<W, C>, B>,
    /// Of each frame, at the address of its first beat.
    metas: Ram<FrameMeta, B>,
    /// Where the next beat goes; where its frame began, which is also the end of all whole frames.
    tail: Reg<Bits<P>>,
    start: Reg<Bits<P>>,
    /// The next beat to read. A clock ago: whether it, and the one behind it, belonged to whole frames; whether one was read.
    head: Reg<Bits<P>>,
    one: DffR<Bit>,
    two: DffR<Bit>,
    moved: DffR<Bit>,
    /// There is room for three beats.
    room: Reg<Bit>,
    /// A beat came in the clock before, two clocks before; it, and what came with it.
    came: DffR<Bit>,
    came_before: DffR<Bit>,
    beat: DffE<Beat<W, C>>,
    error: DffE<Bit>,
    vport_q: DffE<Bits<8>>,
    packet_out_q: DffE<Bit>,
    /// Bytes up to its end of the frame it belongs to, saturating at 16,383; it was the frame's last.
    total: DffE<Bits<14>>,
    fresh: Reg<Bit>,
    /// As many bytes as the longest frame has came before it.
    overlong: Reg<Bit>,
    /// The RAMs' outputs, the output register hold a beat.
    fetched: DffR<Bit>,
    loaded: DffR<Bit>,
    word: DffE<MergedBeat<W, C>>,
    /// The next beat out of the RAM begins a frame.
    first: Reg<Bit>,

    ready_up_to: Constant<Bits<P>>,
    longest: Constant<Bits<14>>,
    shortest: Constant<Bits<14>>,
    held: Signal<Local, Bits<P>>,
    take: Signal<Local, Bit>,
    before: Signal<Local, Bits<14>>,
    sum: Signal<Local, Bits<15>>,
    stored: Signal<Local, Beat<W, C>>,
    ends: Signal<Local, Bit>,
    fault: Signal<Local, Bits<2>>,
    end: Signal<Local, Bits<P>>,
    next_head: Signal<Local, Bits<P>>,
    whole: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    load: Signal<Local, Bit>,
    last: Signal<Local, Bit>,
}

impl<const W: usize, const C: usize, const B: usize, const P: usize> Ingress<W, C, B, P> {
    /// Empty, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(max_frame: usize) -> Self {
        assert!(W / 8 == 1 << (C - 1) && P == B + 1, "Ingress<{W}, {C}, {B}, {P}>: sizes do not fit each other");
        assert!(
            max_frame.div_ceil(W / 8) + 3 <= 1 << B,
            "Ingress<{W}, {C}, {B}, {P}> does not hold a frame of {max_frame} bytes"
        );
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            rx: Default::default(),
            rx_error: Default::default(),
            vport: Default::default(),
            packet_out: Default::default(),
            out: Default::default(),
            idle: Default::default(),
            beats: Ram::new(),
            metas: Ram::new(),
            tail: Default::default(),
            start: Default::default(),
            head: Default::default(),
            one: Default::default(),
            two: Default::default(),
            moved: Default::default(),
            room: Reg::new(true),
            came: Default::default(),
            came_before: Default::default(),
            beat: Default::default(),
            error: Default::default(),
            vport_q: Default::default(),
            packet_out_q: Default::default(),
            total: Default::default(),
            fresh: Reg::new(true),
            overlong: Default::default(),
            fetched: Default::default(),
            loaded: Default::default(),
            word: Default::default(),
            first: Reg::new(true),
            ready_up_to: Constant::new(((1u64 << B) - 3).to_bits()),
            longest: Constant::new(max_frame.to_bits()),
            shortest: Constant::new(MIN_FRAME.to_bits()),
            held: Default::default(),
            take: Default::default(),
            before: Default::default(),
            sum: Default::default(),
            stored: Default::default(),
            ends: Default::default(),
            fault: Default::default(),
            end: Default::default(),
            next_head: Default::default(),
            whole: Default::default(),
            fetch: Default::default(),
            load: Default::default(),
            last: Default::default(),
        }
    }
}

impl<const W: usize, const C: usize, const B: usize, const P: usize> Logic for Ingress<W, C, B, P> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, beats, metas, tail, start, head, room, came, beat, error, fetched, loaded, word, first);
        clock!(self, clock, came_before, one, two, moved, vport_q, packet_out_q, total, fresh, overlong);
        self.tail.reset.next = self.reset.val();
        self.start.reset.next = self.reset.val();
        self.head.reset.next = self.reset.val();
        self.one.reset.next = self.reset.val();
        self.two.reset.next = self.reset.val();
        self.moved.reset.next = self.reset.val();
        self.room.reset.next = self.reset.val();
        self.came.reset.next = self.reset.val();
        self.came_before.reset.next = self.reset.val();
        self.fresh.reset.next = self.reset.val();
        self.overlong.reset.next = self.reset.val();
        self.fetched.reset.next = self.reset.val();
        self.loaded.reset.next = self.reset.val();
        self.first.reset.next = self.reset.val();

        // Arrival: up to three beats are not in `held` yet.
        self.held.next = self.tail.q.val() - self.head.q.val();
        self.room.en.next = true;
        self.room.d.next = self.held.val() <= self.ready_up_to.val();
        self.rx.ready.next = self.room.q.val();
        self.take.next = self.rx.valid.val() & self.room.q.val();
        self.came.d.next = self.take.val();
        self.came_before.d.next = self.came.q.val();
        self.beat.en.next = self.take.val();
        self.beat.d.next = self.rx.data.val();
        self.error.en.next = self.take.val();
        self.error.d.next = self.rx_error.val();
        self.vport_q.en.next = self.take.val();
        self.vport_q.d.next = self.vport.val();
        self.packet_out_q.en.next = self.take.val();
        self.packet_out_q.d.next = self.packet_out.val();

        self.before.next = self.total.q.val();
        if self.fresh.q.val() {
            self.before.next = 0.into();
        }
        self.sum.next = bit_cast::<15, 14>(self.before.val()) + bit_cast::<15, C>(self.rx.data.val().bytes);
        self.fresh.en.next = self.take.val();
        self.fresh.d.next = self.rx.data.val().last;
        self.total.en.next = self.take.val();
        self.total.d.next = bit_cast::<14, 15>(self.sum.val());
        if self.sum.val().get_bit(14) {
            self.total.d.next = 0x3fff.into();
        }

        // What it comes to, a clock later.
        self.stored.next = self.beat.q.val();
        self.ends.next = self.came.q.val() & self.stored.val().last;
        self.fault.next = 0.into();
        if self.error.q.val() {
            self.fault.next = 3.into();
        } else if self.total.q.val() < self.shortest.val() {
            self.fault.next = 1.into();
        } else if self.total.q.val() > self.longest.val() {
            self.fault.next = 2.into();
        }

        // Beats past the longest frame are not stored: whatever comes, the frame is faulty and will be cut to its first beat.
        self.overlong.en.next = self.came.q.val();
        self.overlong.d.next = !self.stored.val().last & (self.total.q.val() >= self.longest.val());
        self.beats.we.next = self.came.q.val() & !self.overlong.q.val();
        self.beats.waddr.next = bit_cast::<B, P>(self.tail.q.val());
        self.beats.wdata.next = self.stored.val();
        self.metas.we.next = self.ends.val();
        self.metas.waddr.next = bit_cast::<B, P>(self.start.q.val());
        self.metas.wdata.next.vport = self.vport_q.q.val();
        self.metas.wdata.next.packet_out = self.packet_out_q.q.val();
        self.metas.wdata.next.len = self.total.q.val();
        self.metas.wdata.next.fault = self.fault.val();

        self.tail.en.next = self.came.q.val() & (self.stored.val().last | !self.overlong.q.val());
        self.end.next = self.tail.q.val() + 1;
        if self.stored.val().last & self.fault.val().any() {
            self.end.next = self.start.q.val() + 1;
        }
        self.tail.d.next = self.end.val();
        self.start.en.next = self.ends.val();
        self.start.d.next = self.end.val();

        // Departure.
        self.load.next = self.fetched.q.val() & (!self.loaded.q.val() | self.out.ready.val());
        self.next_head.next = self.head.q.val() + 1;
        self.one.d.next = self.head.q.val() != self.start.q.val();
        self.two.d.next = self.next_head.val() != self.start.q.val();
        self.whole.next = (!self.moved.q.val() & self.one.q.val()) | (self.moved.q.val() & self.two.q.val());
        self.fetch.next = self.whole.val() & (!self.fetched.q.val() | self.load.val());
        self.moved.d.next = self.fetch.val();
        self.loaded.d.next = self.load.val() | (self.loaded.q.val() & !self.out.ready.val());
        self.fetched.d.next = self.fetch.val() | (self.fetched.q.val() & !self.load.val());
        self.head.en.next = self.fetch.val();
        self.head.d.next = self.next_head.val();
        self.beats.re.next = self.fetch.val();
        self.beats.raddr.next = bit_cast::<B, P>(self.head.q.val());
        self.metas.re.next = self.fetch.val();
        self.metas.raddr.next = bit_cast::<B, P>(self.head.q.val());

        self.last.next = self.beats.rdata.val().last | (self.first.q.val() & self.metas.rdata.val().fault.any());
        self.first.en.next = self.load.val();
        self.first.d.next = self.last.val();
        self.word.en.next = self.load.val();
        self.word.d.next.data = self.beats.rdata.val().data;
        self.word.d.next.bytes = self.beats.rdata.val().bytes;
        self.word.d.next.last = self.last.val();
        self.word.d.next.first = self.first.q.val();
        self.word.d.next.vport = self.metas.rdata.val().vport;
        self.word.d.next.packet_out = self.metas.rdata.val().packet_out;
        self.word.d.next.len = self.metas.rdata.val().len;
        self.word.d.next.fault = self.metas.rdata.val().fault;
        self.out.data.next = self.word.q.val();
        self.out.valid.next = self.loaded.q.val();
        // `one` is of now if nothing came or left in the clocks that it lags behind.
        self.idle.next = !self.came.q.val()
            & !self.came_before.q.val()
            & !self.moved.q.val()
            & !self.one.q.val()
            & !self.fetched.q.val()
            & !self.loaded.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use millrace_regs::config::MAX_FRAME;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    struct Frame {
        bytes: Vec<u8>,
        error: bool,
    }

    fn frame(len: usize, rng: &mut ChaCha8Rng) -> Frame {
        Frame { bytes: (0..len).map(|_| rng.random()).collect(), error: false }
    }

    fn fault(f: &Frame) -> u64 {
        match f.bytes.len() {
            _ if f.error => 3,
            n if n < 14 => 1,
            n if n > 9216 => 2,
            _ => 0,
        }
    }

    /// Sends the frames with gaps, takes them with waits, compares, and returns the beats that came with `out.ready` high all the time.
    fn run<const W: usize, const C: usize, const B: usize, const P: usize>(frames: Vec<Frame>, fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut i = Box::new(Ingress::<W, C, B, P>::new(MAX_FRAME));
        i.connect_all();
        i.reset.next = true;
        tick(&mut *i, |i| &mut i.clock);
        i.reset.next = false;
        i.vport.next = 5u64.into();
        let mut sending: VecDeque<_> = frames
            .iter()
            .flat_map(|f| {
                let error = f.error;
                beats::<W, C>(&f.bytes).into_iter().map(move |b| (b, b.last && error))
            })
            .collect();
        let (mut got, mut at, mut idle_for) = (vec![], 0, 0);
        let mut offered = false;
        while at < frames.len() {
            offered = !sending.is_empty() && (offered || rng.random_bool(fill));
            i.rx.valid.next = offered;
            if let Some((beat, error)) = sending.front().filter(|_| offered) {
                i.rx.data.next = *beat;
                i.rx_error.next = *error;
            }
            i.out.ready.next = rng.random_bool(drain);
            settle(&mut *i);
            let out = i.out.data.val();
            idle_for += 1;
            assert!(idle_for < 3000, "nothing comes out");
            assert!(i.out.valid.val() || drain < 1.0 || got.is_empty(), "a gap inside a frame");
            assert!(!i.out.valid.val() || !i.idle.val());
            if i.out.valid.val() && i.out.ready.val() {
                idle_for = 0;
                assert_eq!(out.first, got.is_empty());
                if out.first {
                    assert_eq!(out.len.to_u64() as usize, frames[at].bytes.len().min(16383));
                    assert_eq!(out.fault.to_u64(), fault(&frames[at]));
                    assert_eq!((out.vport.to_u64(), out.packet_out), (5, false));
                }
                got.extend_from_slice(&bytes(out.data, out.bytes));
                if out.last {
                    let expected = &frames[at].bytes;
                    let end = if fault(&frames[at]) == 0 { expected.len() } else { expected.len().min(W / 8) };
                    assert!(got == expected[..end], "frame {at} of {} bytes", expected.len());
                    got.clear();
                    at += 1;
                }
            }
            if i.rx.valid.val() && i.rx.ready.val() {
                sending.pop_front();
                offered = false;
            }
            tick(&mut *i, |i| &mut i.clock);
        }
        settle(&mut *i);
        assert!(i.idle.val());
    }

    fn mixture(n: usize) -> Vec<Frame> {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        (0..n)
            .map(|_| {
                let len = match rng.random_range(0..4) {
                    0 => rng.random_range(1..20),
                    1 => rng.random_range(14..=80),
                    _ => rng.random_range(14..600),
                };
                Frame { error: rng.random_bool(0.1), ..frame(len, &mut rng) }
            })
            .collect()
    }

    #[test]
    fn frames_come_out_whole_measured_and_without_gaps() {
        for (fill, drain) in [(1.0, 1.0), (0.7, 1.0), (0.9, 0.4)] {
            run::<64, 4, 11, 12>(mixture(40), fill, drain);
            run::<128, 5, 10, 11>(mixture(40), fill, drain);
            run::<512, 7, 8, 9>(mixture(60), fill, drain);
            run::<1024, 8, 7, 8>(mixture(60), fill, drain);
        }
    }

    #[test]
    fn the_longest_frame_passes_and_one_byte_more_is_cut_to_a_beat() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let lens = [60, 9216, 9217, 100, 9216, 20_000, 13, 14];
        run::<512, 7, 8, 9>(lens.iter().map(|l| frame(*l, &mut rng)).collect(), 1.0, 1.0);
    }

    #[test]
    fn ingress_emits_clean_verilog() {
        assert_lints(Ingress::<64, 4, 11, 12>::new(MAX_FRAME));
        assert_lints(Ingress::<512, 7, 8, 9>::new(MAX_FRAME));
    }
}
