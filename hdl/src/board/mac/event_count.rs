// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts what happens in another clock's domain.

use crate::base::{DffR, Reg, Synchroniser};
use rust_hdl_core::prelude::*;

/// How often `happens` was high at a rising edge of `far_clock`, modulo 2^32, about four clocks late. There may be up to 15 events in one
/// clock. Both resets are high together for four clocks of the slower side.
#[millrace_hdl::block]
pub struct EventCount {
    pub far_clock: Signal<In, Clock>,
    pub far_reset: Signal<In, Bit>,
    pub happens: Signal<In, Bit>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub count: Signal<Out, Bits<32>>,
    /// The count moves.
    pub moves: Signal<Out, Bit>,

    #[clock(far_clock)]
    number: Reg<Bits<4>>,
    #[clock(far_clock)]
    gray: Reg<Bits<4>>,
    crossing: Synchroniser<4>,
    now: DffR<Bits<4>>,
    before: DffR<Bits<4>>,
    total: DffR<Bits<32>>,
}

#[millrace_hdl::block]
impl EventCount {
    fn update(&mut self) {
        comment!("a Gray code crosses");
        self.number.reset = self.far_reset;
        self.gray.reset = self.far_reset;
        let number_next = self.number + 1;
        if self.happens {
            self.number = number_next;
            self.gray = number_next ^ (number_next >> 1);
        }
        self.crossing.d = self.gray;

        comment!("what it has moved by is added up");
        let half = self.crossing.q ^ (self.crossing.q >> 1);
        self.now = half ^ (half >> 2);
        self.before = self.now;
        let delta = self.now - self.before;
        self.total += cast::<32>(delta);
        self.count = self.total;
        self.moves = delta.any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn every_event_counts_between_any_two_clocks() {
        for (far, near) in [(0.5, 0.5), (0.9, 0.2), (0.1, 0.9)] {
            let mut rng = ChaCha8Rng::seed_from_u64(15);
            let mut c = EventCount::default();
            c.connect_all();
            let (mut events, mut moves) = (0, 0);
            for instant in 0..3000 {
                c.happens.next = instant < 2900 && rng.random_bool(0.4);
                settle(&mut c);
                if rng.random_bool(far) {
                    events += u64::from(c.happens.val());
                    tick(&mut c, |c| &mut c.far_clock);
                }
                c.happens.next = false;
                if rng.random_bool(near) {
                    settle(&mut c);
                    moves += u64::from(c.moves.val());
                    tick(&mut c, |c| &mut c.clock);
                }
                assert!(c.count.val().to_u64() <= events);
            }
            assert_eq!(c.count.val().to_u64(), events);
            assert!(events > 50 && moves <= events && moves > 40, "{moves} of {events}");
        }
    }

    #[test]
    fn lints() {
        assert_lints(EventCount::default());
    }
}
