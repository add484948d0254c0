// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts frames back in order behind lookups of which some take longer.

use crate::base::{DffE, DffR, LutRam, Ram, Reg, Src};
use rust_hdl_core::prelude::*;

/// Keeps a window and a result for each frame, at the frame's number, and gives both out in the order of the numbers: a frame when it is its turn and its
/// result is there. `1 << PLACES_LOG2` places; numbers of `NUMBER_BITS` = PLACES_LOG2 + 1 bits count the frames from 0 at reset, of which no more than
/// there are places may be on their way.
///
/// A window may be written any number of times, the last of them before the frame's result, of which there is one. One window and one result in each clock, and
/// one frame out; three clocks from a result to `out`. `out` comes from registers.
#[millrace_hdl::block]
pub struct InOrder<W: Synth, R: Synth, const PLACES_LOG2: usize, const NUMBER_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, W>,
    pub window_number: Signal<In, Bits<NUMBER_BITS>>,
    pub window_valid: Signal<In, Bit>,
    pub result: Signal<In, R>,
    pub result_number: Signal<In, Bits<NUMBER_BITS>>,
    pub result_valid: Signal<In, Bit>,
    pub out: Src<R>,
    /// That of the frame at `out`.
    pub out_window: Signal<Out, W>,
    /// Results may come. Low for as many clocks after reset as there are places.
    pub ready: Signal<Out, Bit>,
    /// No frame's result is held, and nothing changes without one.
    pub idle: Signal<Out, Bit>,

    windows: Ram<W, PLACES_LOG2>,
    results: Ram<R, PLACES_LOG2>,
    /// By place, the round of the last result there: the highest bit of its number, which is another when the place's turn comes again.
    rounds: LutRam<Bit, PLACES_LOG2>,
    /// Places that have got, after reset, another round than the first.
    cleared: Reg<Bits<NUMBER_BITS>>,
    /// The next frame to be read.
    head: Reg<Bits<NUMBER_BITS>>,
    /// The read ports hold a frame.
    fetched: DffR<Bit>,
    /// The output registers hold a frame.
    loaded: DffR<Bit>,
    result_q: DffE<R>,
    window_q: DffE<W>,
}

#[millrace_hdl::block]
impl<W: Synth, R: Synth, const PLACES_LOG2: usize, const NUMBER_BITS: usize> InOrder<W, R, PLACES_LOG2, NUMBER_BITS> {
    /// Without a frame.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            NUMBER_BITS == PLACES_LOG2 + 1,
            "1 << {PLACES_LOG2} places take numbers of {} bits, not {NUMBER_BITS}",
            PLACES_LOG2 + 1
        );
        Self::default()
    }

    fn update(&mut self) {
        comment!("whose result is there");
        let clearing = !self.cleared.get_bit(NUMBER_BITS - 1);
        if clearing {
            self.cleared += 1;
        }
        self.ready = !clearing;
        self.rounds.we = clearing | self.result_valid;
        let marked = if clearing { self.cleared } else { self.result_number };
        self.rounds.waddr = cast::<PLACES_LOG2>(marked);
        self.rounds.wdata = clearing | self.result_number.get_bit(NUMBER_BITS - 1);
        self.rounds.raddr = cast::<PLACES_LOG2>(self.head);
        let there = !clearing & (self.rounds.rdata == self.head.get_bit(NUMBER_BITS - 1));

        comment!("a frame moves on whenever the place before it is, or becomes, free");
        let load = self.fetched & (!self.loaded | self.out.ready);
        let fetch = there & (!self.fetched | load);
        self.loaded = load | (self.loaded & !self.out.ready);
        self.fetched = fetch | (self.fetched & !load);
        if fetch {
            self.head += 1;
        }

        self.windows.we = self.window_valid;
        self.windows.waddr = cast::<PLACES_LOG2>(self.window_number);
        self.windows.wdata = self.window;
        self.windows.re = fetch;
        self.windows.raddr = cast::<PLACES_LOG2>(self.head);
        self.results.we = self.result_valid;
        self.results.waddr = cast::<PLACES_LOG2>(self.result_number);
        self.results.wdata = self.result;
        self.results.re = fetch;
        self.results.raddr = cast::<PLACES_LOG2>(self.head);
        if load {
            self.result_q = self.results.rdata;
            self.window_q = self.windows.rdata;
        }
        self.out.data = self.result_q;
        self.out.valid = self.loaded;
        self.out_window = self.window_q;
        self.idle = !clearing & !there & !self.fetched & !self.loaded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const PLACES: u64 = 16;

    type Dut = InOrder<Bits<16>, Bits<16>, 4, 5>;

    fn reset(d: &mut Dut) {
        d.reset.next = true;
        tick(d, |d| &mut d.clock);
        d.reset.next = false;
        settle(d);
        let mut clocks = 0;
        while !d.ready.val() {
            tick(d, |d| &mut d.clock);
            clocks += 1;
        }
        assert_eq!(clocks, PLACES);
    }

    /// Frames whose results come after `passes` writes of their window, each `lookup` clocks after the one before; returns the clocks.
    fn run(d: &mut Dut, frames: u64, passes: impl Fn(&mut ChaCha8Rng) -> u64, drain: f64, seed: u64) -> u64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // The number and passes left of frames that wait for their next lookup.
        let mut waiting: Vec<(u64, u64)> = vec![];
        let (mut started, mut gone, mut clocks) = (0, 0, 0);
        while gone < frames {
            d.window_valid.next = false;
            d.result_valid.next = false;
            if rng.random_bool(0.3) {
                waiting.shuffle(&mut rng);
            }
            match waiting.pop() {
                Some((number, 0)) => {
                    d.result_valid.next = true;
                    d.result_number.next = (number % (2 * PLACES)).into();
                    d.result.next = number.into();
                }
                Some((number, left)) => {
                    d.window_valid.next = true;
                    d.window_number.next = (number % (2 * PLACES)).into();
                    d.window.next = (16 * number + left).into();
                    waiting.push((number, left - 1));
                }
                None => {}
            }
            if started < frames && started < gone + PLACES {
                waiting.insert(0, (started, passes(&mut rng)));
                started += 1;
            }
            d.out.ready.next = rng.random_bool(drain);
            settle(d);
            if d.out.valid.val() && d.out.ready.val() {
                assert_eq!(d.out.data.val().to_u64(), gone & 0xffff, "the next frame");
                assert_eq!(d.out_window.val().to_u64(), (16 * gone + 1) & 0xffff, "the last window written");
                gone += 1;
            }
            tick(d, |d| &mut d.clock);
            clocks += 1;
            assert!(clocks < 200 * frames, "stuck at frame {gone}");
        }
        d.out.ready.next = false;
        d.result_valid.next = false;
        d.window_valid.next = false;
        settle(d);
        assert!(d.idle.val());
        clocks
    }

    #[test]
    fn frames_leave_in_the_order_of_their_numbers() {
        let mut d = Dut::new();
        d.connect_all();
        for (round, drain) in [1.0, 0.2, 0.7].into_iter().enumerate() {
            reset(&mut d);
            run(&mut d, 500 + 7 * round as u64, |rng| rng.random_range(1..=8), drain, round as u64);
        }
    }

    #[test]
    fn a_reset_amid_frames_leaves_nothing_behind() {
        let mut d = Dut::new();
        d.connect_all();
        for cut in 0..2 * PLACES {
            reset(&mut d);
            run(&mut d, cut, |_| 1, 1.0, cut);
            // Results that nobody takes, of the next frames and of some behind them.
            for number in [cut, cut + 1, cut + 5] {
                d.result_valid.next = true;
                d.result_number.next = (number % (2 * PLACES)).into();
                tick(&mut d, |d| &mut d.clock);
            }
            d.result_valid.next = false;
            reset(&mut d);
            settle(&mut d);
            assert!(d.idle.val() && !d.out.valid.val());
        }
    }

    #[test]
    fn a_frame_leaves_in_each_clock_three_clocks_behind_its_result() {
        let mut d = Dut::new();
        d.connect_all();
        reset(&mut d);
        d.out.ready.next = true;
        for clock in 0..200u64 {
            d.result_valid.next = true;
            d.result_number.next = (clock % (2 * PLACES)).into();
            d.result.next = clock.into();
            settle(&mut d);
            assert_eq!(d.out.valid.val(), clock >= 3);
            assert!(clock < 3 || d.out.data.val().to_u64() == clock - 3);
            tick(&mut d, |d| &mut d.clock);
        }
    }

    #[test]
    fn in_order_emits_clean_verilog() {
        assert_lints(InOrder::<Bits<1024>, Bits<600>, 8, 9>::new());
    }
}
