// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lights that a person can see.

use crate::base::{DffR, Tag};
use rust_hdl_core::prelude::*;

/// A light per event: on for `1 << T` clocks if the event was there in the `1 << T` clocks before.
#[derive(LogicBlock, Default)]
pub struct Leds<const T: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub happens: Vec<Signal<In, Bit>>,
    pub light: Vec<Signal<Out, Bit>>,
    time: DffR<Bits<T>>,
    tick: DffR<Bit>,
    seen: Vec<DffR<Bit>>,
    on: Vec<DffR<Bit>>,
    _count: usize,
}

impl<const T: usize> Leds<T> {
    /// So many lights.
    pub fn new(count: usize) -> Self {
        let registers = || (0..count).map(|_| Default::default()).collect();
        Self {
            happens: vec![Default::default(); count],
            light: vec![Default::default(); count],
            seen: registers(),
            on: registers(),
            _count: count,
            ..Default::default()
        }
    }
}

impl<const T: usize> Logic for Leds<T> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, time, tick);
        self.time.reset.next = self.reset.val();
        self.tick.reset.next = self.reset.val();
        self.time.d.next = self.time.q.val() + 1;
        self.tick.d.next = self.time.q.val().all();
        for i in 0..self._count {
            self.seen[i].clock.next = self.clock.val();
            self.seen[i].reset.next = self.reset.val();
            self.on[i].clock.next = self.clock.val();
            self.on[i].reset.next = self.reset.val();
            self.seen[i].d.next = self.happens[i].val() | (self.seen[i].q.val() & !self.tick.q.val());
            self.on[i].d.next = self.on[i].q.val();
            if self.tick.q.val() {
                self.on[i].d.next = self.seen[i].q.val();
            }
            self.light[i].next = self.on[i].q.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    #[test]
    fn a_light_is_on_for_the_period_behind_its_event() {
        let mut leds = Leds::<3>::new(2);
        leds.connect_all();
        let mut lit = vec![];
        for clock in 0..64 {
            leds.happens[0].next = clock == 13;
            settle(&mut leds);
            assert!(!leds.light[1].val());
            lit.extend(leds.light[0].val().then_some(clock));
            tick(&mut leds, |l| &mut l.clock);
        }
        assert_eq!(lit, (17..25).collect::<Vec<_>>());
    }

    #[test]
    fn lints() {
        assert_lints(Leds::<22>::new(4));
    }
}
