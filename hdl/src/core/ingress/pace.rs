// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps headers apart.

use crate::base::{DffR, Param, Reg};
use rust_hdl_core::prelude::*;

/// `ready` for the next frame to start, so that its header window is complete at least so many clocks after the one before.
///
/// A window is complete with one of its frame's beats; `filling` is high with each beat that goes into a window, `started` one clock before
/// the first. `ready` comes from a register.
#[millrace_hdl::block]
pub struct Pace {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub started: Signal<In, Bit>,
    pub filling: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    /// Nothing changes without input.
    pub idle: Signal<Out, Bit>,
    left: Reg<Bits<5>>,
    waiting: DffR<Bit>,
    clocks: Param<Bits<5>>,
}

#[millrace_hdl::block]
impl Pace {
    /// For headers at least `clocks` apart.
    ///
    /// # Panics
    /// If that is not 1 to 31.
    pub fn new(clocks: usize) -> Self {
        assert!((1..32).contains(&clocks), "{clocks} clocks from header to header");
        // Two clocks pass from the register to the next frame's first beat.
        Self { clocks: Param::new(clocks.saturating_sub(1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        let next = if self.started | self.filling {
            self.clocks
        } else if self.left.any() {
            self.left - 1
        } else {
            self.left
        };
        self.left = next;
        self.waiting = next.any();
        self.ready = !self.waiting;
        self.idle = !self.waiting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Frames of 1 to 40 beats, 16 of which fill the window, started as soon as allowed. Returns the least and the mean distance of windows.
    fn run(clocks: usize, beats: std::ops::RangeInclusive<usize>) -> (usize, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut p = Pace::new(clocks);
        p.connect_all();
        p.reset.next = true;
        tick(&mut p, |p| &mut p.clock);
        p.reset.next = false;
        let (mut left, mut position, mut complete) = (0, 0, vec![]);
        // What `Merge` puts out in this clock: the position of a beat in its frame, and the frame's beats.
        let mut out: Option<(usize, usize)> = None;
        let mut beats_now = 0;
        for clock in 0..4000 {
            p.filling.next = out.is_some_and(|(at, _)| at < 16);
            if let Some((at, n)) = out
                && at + 1 == n.min(16)
            {
                complete.push(clock);
            }
            p.started.next = false;
            settle(&mut p);
            let mut next = None;
            if left > 0 {
                next = Some((position, beats_now));
            } else if p.ready.val() {
                p.started.next = true;
                beats_now = rng.random_range(beats.clone());
                (left, position) = (beats_now, 0);
                next = Some((0, beats_now));
            }
            if next.is_some() {
                (left, position) = (left - 1, position + 1);
            }
            tick(&mut p, |p| &mut p.clock);
            out = next;
        }
        let gaps: Vec<usize> = complete.windows(2).map(|w| w[1] - w[0]).collect();
        (*gaps.iter().min().unwrap(), gaps.iter().sum::<usize>() as f64 / gaps.len() as f64)
    }

    #[test]
    fn windows_of_any_frames_keep_their_distance_and_no_clock_is_lost_at_distance_one() {
        for clocks in [4, 16] {
            let (least, _) = run(clocks, 1..=40);
            assert!(least >= clocks, "{least} of {clocks} clocks");
            let (least, mean) = run(clocks, 1..=1);
            assert!(least >= clocks && mean < clocks as f64 + 1.5, "{least}, {mean} of {clocks} clocks");
        }
        assert_eq!(run(1, 1..=1), (1, 1.0));
    }

    #[test]
    fn pace_emits_clean_verilog() {
        assert_lints(Pace::new(1));
        assert_lints(Pace::new(16));
    }
}
