// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts what happens in another clock's domain.

use crate::base::{DffR, Reg, Synchroniser, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// How often `happens` was high at a rising edge of `far_clock`, modulo 2^32, about four clocks late. There may be up to 15 events in one
/// clock. Both resets are high together for four clocks of the slower side.
#[derive(LogicBlock, Default)]
pub struct EventCount {
    tag: Tag<Self>,
    pub far_clock: Signal<In, Clock>,
    pub far_reset: Signal<In, Bit>,
    pub happens: Signal<In, Bit>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub count: Signal<Out, Bits<32>>,
    /// The count moves.
    pub moves: Signal<Out, Bit>,

    number: Reg<Bits<4>>,
    gray: Reg<Bits<4>>,
    crossing: Synchroniser<4>,
    now: DffR<Bits<4>>,
    before: DffR<Bits<4>>,
    total: DffR<Bits<32>>,

    number_next: Signal<Local, Bits<4>>,
    half: Signal<Local, Bits<4>>,
    delta: Signal<Local, Bits<4>>,
}

impl Logic for EventCount {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        comment!("a Gray code crosses");
        self.number.clock.next = self.far_clock.val();
        self.gray.clock.next = self.far_clock.val();
        self.number.reset.next = self.far_reset.val();
        self.gray.reset.next = self.far_reset.val();
        self.number_next.next = self.number.q.val() + 1;
        self.number.en.next = self.happens.val();
        self.number.d.next = self.number_next.val();
        self.gray.en.next = self.happens.val();
        self.gray.d.next = self.number_next.val() ^ (self.number_next.val() >> 1);
        self.crossing.d.next = self.gray.q.val();

        comment!("what it has moved by is added up");
        clock!(self, clock, crossing, now, before, total);
        self.now.reset.next = self.reset.val();
        self.before.reset.next = self.reset.val();
        self.total.reset.next = self.reset.val();
        self.half.next = self.crossing.q.val() ^ (self.crossing.q.val() >> 1);
        self.now.d.next = self.half.val() ^ (self.half.val() >> 2);
        self.before.d.next = self.now.q.val();
        self.delta.next = self.now.q.val() - self.before.q.val();
        self.total.d.next = self.total.q.val() + bit_cast::<32, 4>(self.delta.val());
        self.count.next = self.total.q.val();
        self.moves.next = self.delta.val().any();
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
