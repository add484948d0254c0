// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which header is looked up next.

use super::types::{Entered, LONG_WINDOW_BITS, Waiting};
use crate::base::{Dff, DffR, Ram, Reg, Snk};
use crate::core::types::{Meta, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// Clocks in which a header may find no turn before it holds new frames back: behind frames of two beats it never does.
const PATIENCE: usize = 1;

/// Gives each new window the next number, keeps it (`1 << PLACES_LOG2` of them, `NUMBER_BITS` = PLACES_LOG2 + 1), and puts it out, two clocks later. In clocks without a
/// new window it takes a frame that waits for another lookup, and puts out its window from where the packet begins on, three clocks later. So there is one
/// header in each clock, and neither has to wait for the other at a register: a new window says a clock ahead that it comes.
///
/// New windows go first. A header that finds no turn in two clocks one after the other asks with `hold` that no frame start, until it has found one.
#[millrace_hdl::block]
pub struct Enter<const PLACES_LOG2: usize, const NUMBER_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, Bits<LONG_WINDOW_BITS>>,
    pub meta: Signal<In, Meta>,
    pub window_valid: Signal<In, Bit>,
    /// `window_valid` of the next clock.
    pub window_next: Signal<In, Bit>,
    pub waiting: Snk<Waiting<NUMBER_BITS>>,
    pub hold: Signal<Out, Bit>,
    pub out: Signal<Out, Entered<NUMBER_BITS>>,
    pub out_valid: Signal<Out, Bit>,
    /// Nothing is on its way.
    pub idle: Signal<Out, Bit>,

    windows: Ram<Bits<LONG_WINDOW_BITS>, PLACES_LOG2>,
    /// That of the next new window.
    number: Reg<Bits<NUMBER_BITS>>,
    /// Beside the memory's read port.
    taken: DffR<Bit>,
    taken_frame: Dff<Waiting<NUMBER_BITS>>,
    /// What goes out, before it is moved.
    chosen: Dff<Bits<LONG_WINDOW_BITS>>,
    chosen_frame: Dff<Waiting<NUMBER_BITS>>,
    chosen_valid: DffR<Bit>,
    moved: Dff<Entered<NUMBER_BITS>>,
    moved_valid: DffR<Bit>,
    /// Clocks in which the first that waits has found no turn.
    waited: Reg<Bits<1>>,
    hold_q: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PLACES_LOG2: usize, const NUMBER_BITS: usize> Enter<PLACES_LOG2, NUMBER_BITS> {
    /// Without a frame.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(NUMBER_BITS == PLACES_LOG2 + 1, "1 << {PLACES_LOG2} places, numbers of {NUMBER_BITS} bits");
        Self::default()
    }

    fn update(&mut self) {
        comment!("whose turn it is in the next clock");
        let take = self.waiting.valid & !self.window_next;
        let passed_over = self.waiting.valid & self.window_next;
        self.waiting.ready = !self.window_next;
        self.windows.re = take;
        self.windows.raddr = cast::<PLACES_LOG2>(self.waiting.data.pass.frame);
        self.taken = take;
        self.taken_frame = self.waiting.data;
        let impatient = self.waited == PATIENCE;
        if take {
            self.waited = 0;
        } else if passed_over & !impatient {
            self.waited += 1;
        }
        self.hold_q = passed_over & impatient;
        self.hold = self.hold_q;

        comment!("a new window, or one that was read");
        self.windows.we = self.window_valid;
        self.windows.waddr = cast::<PLACES_LOG2>(self.number);
        self.windows.wdata = self.window;
        if self.window_valid {
            self.number += 1;
        }
        let mut first = Waiting::<NUMBER_BITS>::default();
        first.pass.frame = self.number;
        first.meta = self.meta;
        self.chosen = if self.taken { self.windows.rdata } else { self.window };
        self.chosen_frame = if self.taken { self.taken_frame } else { first };
        self.chosen_valid = self.taken | self.window_valid;

        comment!("moved to where the packet begins: by two bits of the distance in each level");
        let start = self.chosen_frame.pass.start;
        let mut hdr = self.chosen;
        for level in 0..3 {
            let digit = start.get_bits::<2>(2 * level);
            hdr = if digit == 1 {
                hdr >> (16 << (2 * level))
            } else if digit == 2 {
                hdr >> (32 << (2 * level))
            } else if digit == 3 {
                hdr >> (48 << (2 * level))
            } else {
                hdr
            };
        }
        self.moved.hdr = cast::<WINDOW_BITS>(hdr);
        self.moved.meta = self.chosen_frame.meta;
        self.moved.len = self.chosen_frame.meta.len - (cast::<14>(start) << 1);
        self.moved.pass = self.chosen_frame.pass;
        self.moved_valid = self.chosen_valid;
        self.out = self.moved;
        self.out_valid = self.moved_valid;
        self.idle = !self.waiting.valid & !self.taken & !self.chosen_valid & !self.moved_valid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::pass::types::Pass;
    use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
    use millrace_regs::config::{LONG_WINDOW_BYTES, WINDOW_BYTES};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const PLACES: usize = 16;

    type Dut = Enter<4, 5>;

    fn dut() -> Box<Dut> {
        let mut d = Box::new(Dut::new());
        d.connect_all();
        d.reset.next = true;
        tick(&mut *d, |d| &mut d.clock);
        d.reset.next = false;
        d
    }

    /// A header that is to come out.
    #[derive(Debug, PartialEq)]
    struct Header {
        bytes: Vec<u8>,
        len: u64,
        pass: Pass<5>,
    }

    /// Frames that begin as often as `rate` says, unless they are held back, each looked up `passes` times, the next time `lookup` clocks after it came out.
    /// Returns the clocks, and the longest wait of a header.
    fn run(rate: f64, frames: usize, passes: u64, lookup: usize) -> (usize, usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut d = dut();
        let mut windows: Vec<Vec<u8>> = vec![vec![]; PLACES];
        // Expected headers, by the clock in which they come; frames on their way to the queue; the queue.
        let mut expected: VecDeque<(usize, Header)> = VecDeque::new();
        let mut looked: VecDeque<(usize, Waiting<5>)> = VecDeque::new();
        let mut queue: VecDeque<(usize, Waiting<5>)> = VecDeque::new();
        let (mut started, mut left, mut on_their_way, mut worst) = (0, frames, 0, 0);
        let mut coming: Option<Vec<u8>> = None;
        for clock in 0.. {
            if left == 0 {
                return (clock, worst);
            }
            assert!(clock < 100 * frames, "stuck");
            while looked.front().is_some_and(|(at, _)| *at <= clock) {
                let (_, frame) = looked.pop_front().unwrap();
                queue.push_back((clock, frame));
            }
            // The window that was announced in the clock before, and whether another follows.
            d.window_valid.next = coming.is_some();
            if let Some(window) = coming.take() {
                let number = (started - 1) % PLACES;
                d.window.next = bits_of(&window);
                d.meta.next = Meta { len: (200 + number).to_bits(), vport: number.to_bits(), ..Default::default() };
                let pass = Pass { frame: ((started - 1) % (2 * PLACES)).to_bits(), ..Default::default() };
                let bytes = window[..WINDOW_BYTES].to_vec();
                expected.push_back((clock + 2, Header { bytes, len: 200 + number as u64, pass }));
                windows[number] = window;
            }
            let begins = started < frames && on_their_way < PLACES && !d.hold.val() && rng.random_bool(rate);
            d.window_next.next = begins;
            if begins {
                coming = Some((0..LONG_WINDOW_BYTES).map(|_| rng.random()).collect());
                (started, on_their_way) = (started + 1, on_their_way + 1);
            }
            d.waiting.valid.next = !queue.is_empty();
            d.waiting.data.next = queue.front().map(|(_, frame)| *frame).unwrap_or_default();
            settle(&mut *d);
            if d.waiting.valid.val() && d.waiting.ready.val() {
                let (since, frame) = queue.pop_front().unwrap();
                worst = worst.max(clock - since);
                let number = frame.pass.frame.index() % PLACES;
                let start = 2 * frame.pass.start.index();
                let mut bytes = windows[number][start..].to_vec();
                bytes.resize(WINDOW_BYTES, 0);
                let len = (200 + number - start) as u64;
                expected.push_back((clock + 3, Header { bytes, len, pass: frame.pass }));
            }
            if d.out_valid.val() {
                let out = d.out.val();
                let (at, header) = expected.pop_front().expect("a header that is expected");
                let bytes = bytes(out.hdr, (WINDOW_BYTES as u64).to_bits::<8>());
                assert_eq!((clock, &Header { bytes, len: out.len.to_u64(), pass: out.pass }), (at, &header));
                assert_eq!(out.meta.vport.index(), out.pass.frame.index() % PLACES);
                if header.pass.number.to_u64() + 1 < passes {
                    let start = header.pass.start.to_u64() + rng.random_range(0..=46 / (passes - 1));
                    let metadata = rng.random::<u64>().into();
                    let number = (header.pass.number.to_u64() + 1).into();
                    let pass = Pass { number, start: start.min(46).into(), metadata, ..header.pass };
                    looked.push_back((clock + lookup, Waiting { pass, meta: out.meta }));
                } else {
                    (left, on_their_way) = (left - 1, on_their_way - 1);
                }
            } else {
                assert!(expected.front().is_none_or(|(at, _)| *at > clock));
            }
            tick(&mut *d, |d| &mut d.clock);
        }
        unreachable!()
    }

    #[test]
    fn every_header_comes_out_where_its_packet_begins() {
        for (rate, passes) in [(1.0, 1), (0.5, 2), (0.2, 8), (1.0, 3)] {
            run(rate, 400, passes, 4);
        }
    }

    #[test]
    fn each_clock_has_a_lookup_and_nobody_waits_long() {
        // With as many frames on their way as lookups take clocks.
        let (clocks, _) = run(1.0, 500, 2, 1);
        assert!(clocks < 2 * 500 * 102 / 100, "{clocks} clocks for 1,000 lookups");
        let (clocks, worst) = run(0.4, 500, 2, 1);
        assert!(clocks < 1500 && worst <= 8, "{clocks} clocks, {worst} at most");
    }

    #[test]
    fn enter_emits_clean_verilog() {
        assert_lints(Enter::<8, 9>::new());
    }
}
