// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lights that a person can see.

use crate::base::{DffR, Reg};
use rust_hdl_core::prelude::*;

/// A light per event: on for `1 << TICK_BITS` clocks if the event was there in the `1 << TICK_BITS` clocks before.
#[millrace_hdl::block]
pub struct Leds<const TICK_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub happens: Vec<Signal<In, Bit>>,
    pub light: Vec<Signal<Out, Bit>>,
    time: DffR<Bits<TICK_BITS>>,
    tick: DffR<Bit>,
    seen: Vec<DffR<Bit>>,
    on: Vec<Reg<Bit>>,
}

#[millrace_hdl::block]
impl<const TICK_BITS: usize> Leds<TICK_BITS> {
    /// So many lights.
    pub fn new(count: usize) -> Self {
        Self {
            happens: vec![Default::default(); count],
            light: vec![Default::default(); count],
            seen: (0..count).map(|_| Default::default()).collect(),
            on: (0..count).map(|_| Default::default()).collect(),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        self.time += 1;
        self.tick = self.time.all();
        for i in 0..self.light.len() {
            self.seen[i] = self.happens[i] | (self.seen[i] & !self.tick);
            if self.tick {
                self.on[i] = self.seen[i];
            }
            self.light[i] = self.on[i];
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
