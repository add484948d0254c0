// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stores the frames of one source whole, and measures them.

use crate::base::{DffE, DffR, Param, Ram, Reg, Snk, Src};
use crate::core::types::{Beat, MergedBeat, Meta};
use millrace_regs::config::MIN_FRAME;
use rust_hdl_core::prelude::*;

/// One frame buffer, of more beats than a longest frame has.
///
/// A frame shows at `out` once it is stored whole, and then comes out without a gap: one beat per clock as long as `out.ready` is
/// high. `vport`, `packet_out`, `len` and `fault` of a beat are meant for its frame's first beat only. Of a faulty frame only the first
/// beat comes out, as its last; its other beats never take up room. Five clocks from the last beat in to the first beat out.
#[millrace_hdl::block]
pub struct Ingress<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx: Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    /// With the last beat: the frame arrived damaged.
    pub rx_error: Signal<In, Bit>,
    /// Goes with the last beat of a frame.
    pub vport: Signal<In, Bits<8>>,
    pub packet_out: Signal<In, Bit>,
    pub out: Src<MergedBeat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    /// No whole frame is held: without input no clock changes anything.
    pub idle: Signal<Out, Bit>,

    beats: Ram<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>, { SIZES.buffer_log2 }>,
    /// Of each frame, at the address of its first beat.
    metas: Ram<Meta, { SIZES.buffer_log2 }>,
    /// Where the next beat goes.
    tail: Reg<Bits<{ SIZES.buffer_count_bits }>>,
    /// Where its frame began, which is also the end of all whole frames.
    start: Reg<Bits<{ SIZES.buffer_count_bits }>>,
    /// The next beat to read.
    head: Reg<Bits<{ SIZES.buffer_count_bits }>>,
    /// A clock ago: that beat belonged to a whole frame.
    one: DffR<Bit>,
    /// A clock ago: the one behind it did.
    two: DffR<Bit>,
    /// A clock ago: a beat was read.
    moved: DffR<Bit>,
    /// There is room for three beats.
    room: Reg<Bit>,
    /// A beat came in the clock before.
    came: DffR<Bit>,
    /// A beat came two clocks before.
    came_before: DffR<Bit>,
    /// The beat that came in the clock before.
    beat: DffE<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    /// It is of a damaged frame.
    error: DffE<Bit>,
    /// Vport of its frame.
    vport_q: DffE<Bits<8>>,
    /// Its frame is a packet out.
    packet_out_q: DffE<Bit>,
    /// Bytes of its frame up to the end of that beat, saturating at 16,383.
    total: DffE<Bits<14>>,
    /// It was its frame's last.
    fresh: Reg<Bit>,
    /// As many bytes as the longest frame has came before it.
    overlong: Reg<Bit>,
    /// The RAMs' outputs hold a beat.
    fetched: DffR<Bit>,
    /// The output register holds a beat.
    loaded: DffR<Bit>,
    word: DffE<MergedBeat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    /// The next beat out of the RAM begins a frame.
    first: Reg<Bit>,

    ready_up_to: Param<Bits<{ SIZES.buffer_count_bits }>>,
    longest: Param<Bits<14>>,
    shortest: Param<Bits<14>>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Ingress<SIZES> {
    /// Empty, for frames of up to `max_frame` bytes.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(max_frame: usize) -> Self {
        assert!(
            SIZES.bus_bits / 8 == 1 << (SIZES.count_bits - 1) && SIZES.buffer_count_bits == SIZES.buffer_log2 + 1,
            "sizes that do not fit each other"
        );
        assert!(
            max_frame.div_ceil(SIZES.bus_bits / 8) + 3 <= 1 << SIZES.buffer_log2,
            "no room for a frame of {max_frame} bytes"
        );
        Self {
            beats: Ram::new(),
            metas: Ram::new(),
            room: Reg::new(true),
            fresh: Reg::new(true),
            first: Reg::new(true),
            ready_up_to: Param::new(((1u64 << SIZES.buffer_log2) - 3).to_bits()),
            longest: Param::new(max_frame.to_bits()),
            shortest: Param::new(MIN_FRAME.to_bits()),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        // Arrival: up to three beats are not in `held` yet.
        let held = self.tail - self.head;
        self.room = held <= self.ready_up_to;
        self.rx.ready = self.room;
        let take = self.rx.valid & self.room;
        self.came = take;
        self.came_before = self.came;
        if take {
            self.beat = self.rx.data;
            self.error = self.rx_error;
            self.vport_q = self.vport;
            self.packet_out_q = self.packet_out;
        }

        let before = if self.fresh { 0 } else { self.total };
        let sum = cast::<15>(before) + cast::<15>(self.rx.data.bytes);
        if take {
            self.fresh = self.rx.data.last;
            self.total = if sum.get_bit(14) { 0x3fff } else { cast::<14>(sum) };
        }

        // What it comes to, a clock later.
        let stored = self.beat;
        let ends = self.came & stored.last;
        let mut fault: Bits<2> = 0;
        if self.error {
            fault = 3;
        } else if self.total < self.shortest {
            fault = 1;
        } else if self.total > self.longest {
            fault = 2;
        }

        // Beats past the longest frame are not stored: whatever comes, the frame is faulty and will be cut to its first beat.
        if self.came {
            self.overlong = !stored.last & (self.total >= self.longest);
        }
        self.beats.we = self.came & !self.overlong;
        self.beats.waddr = cast::<{ SIZES.buffer_log2 }>(self.tail);
        self.beats.wdata = stored;
        self.metas.we = ends;
        self.metas.waddr = cast::<{ SIZES.buffer_log2 }>(self.start);
        self.metas.wdata.vport = self.vport_q;
        self.metas.wdata.packet_out = self.packet_out_q;
        self.metas.wdata.len = self.total;
        self.metas.wdata.fault = fault;

        self.tail.en = self.came & (stored.last | !self.overlong);
        let end = if stored.last & fault.any() { self.start + 1 } else { self.tail + 1 };
        self.tail.d = end;
        if ends {
            self.start = end;
        }

        // Departure.
        let load = self.fetched & (!self.loaded | self.out.ready);
        let next_head = self.head + 1;
        self.one = self.head != self.start;
        self.two = next_head != self.start;
        let whole = (!self.moved & self.one) | (self.moved & self.two);
        let fetch = whole & (!self.fetched | load);
        self.moved = fetch;
        self.loaded = load | (self.loaded & !self.out.ready);
        self.fetched = fetch | (self.fetched & !load);
        if fetch {
            self.head = next_head;
        }
        self.beats.re = fetch;
        self.beats.raddr = cast::<{ SIZES.buffer_log2 }>(self.head);
        self.metas.re = fetch;
        self.metas.raddr = cast::<{ SIZES.buffer_log2 }>(self.head);

        let last = self.beats.rdata.last | (self.first & self.metas.rdata.fault.any());
        if load {
            self.first = last;
            self.word.data = self.beats.rdata.data;
            self.word.bytes = self.beats.rdata.bytes;
            self.word.last = last;
            self.word.first = self.first;
            self.word.meta = self.metas.rdata;
        }
        self.out.data = self.word;
        self.out.valid = self.loaded;
        // `one` is of now if nothing came or left in the clocks that it lags behind.
        self.idle = !self.came & !self.came_before & !self.moved & !self.one & !self.fetched & !self.loaded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use millrace_regs::config::{Config, MAX_FRAME, Preset};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// A bus this wide.
    const fn sizes(bus_bits: usize) -> Sizes {
        Sizes::of(&Config { bus_bits, max_frame: MAX_FRAME, ..Preset::Sim.config() })
    }

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
    #[crate::with_sizes]
    fn run<const SIZES: Sizes>(frames: Vec<Frame>, fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut i = Box::new(Ingress::<SIZES>::new(MAX_FRAME));
        i.connect_all();
        i.reset.next = true;
        tick(&mut *i, |i| &mut i.clock);
        i.reset.next = false;
        i.vport.next = 5u64.into();
        let mut sending: VecDeque<_> = frames
            .iter()
            .flat_map(|f| {
                let error = f.error;
                beats::<{ SIZES.bus_bits }, { SIZES.count_bits }>(&f.bytes)
                    .into_iter()
                    .map(move |b| (b, b.last && error))
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
                    assert_eq!(out.meta.len.to_u64() as usize, frames[at].bytes.len().min(16383));
                    assert_eq!(out.meta.fault.to_u64(), fault(&frames[at]));
                    assert_eq!((out.meta.vport.to_u64(), out.meta.packet_out), (5, false));
                }
                got.extend_from_slice(&bytes(out.data, out.bytes));
                if out.last {
                    let expected = &frames[at].bytes;
                    let end =
                        if fault(&frames[at]) == 0 { expected.len() } else { expected.len().min(SIZES.bus_bits / 8) };
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
            sized!(run::<sizes(64)>)(mixture(40), fill, drain);
            sized!(run::<sizes(128)>)(mixture(40), fill, drain);
            sized!(run::<sizes(512)>)(mixture(60), fill, drain);
            sized!(run::<sizes(1024)>)(mixture(60), fill, drain);
        }
    }

    #[test]
    fn the_longest_frame_passes_and_one_byte_more_is_cut_to_a_beat() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let lens = [60, 9216, 9217, 100, 9216, 20_000, 13, 14];
        sized!(run::<sizes(512)>)(lens.iter().map(|l| frame(*l, &mut rng)).collect(), 1.0, 1.0);
    }

    #[test]
    fn ingress_emits_clean_verilog() {
        assert_lints(<sized!(Ingress<sizes(64)>)>::new(MAX_FRAME));
        assert_lints(<sized!(Ingress<sizes(512)>)>::new(MAX_FRAME));
    }
}
