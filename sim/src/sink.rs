// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes frames off one stream out of the core.

use crate::ffi::{Model, Pin};
use crate::mix::mix;
use std::collections::VecDeque;

/// A frame that left the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The frame, as on the wire, without FCS.
    pub frame: Vec<u8>,
    /// Cycle in which its first beat left.
    pub first_cycle: u64,
    /// Cycle in which its last beat left.
    pub cycle: u64,
}

/// When a sink takes a beat. A function of the cycle alone, so that runs can be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    #[default]
    Always,
    Never,
    /// `on` cycles ready, then `off` cycles not, over and over.
    Periodic {
        on: u32,
        off: u32,
    },
    /// Ready in about `of_256` of 256 cycles, spread as `seed` says.
    Random {
        of_256: u16,
        seed: u64,
    },
}

impl Ready {
    /// Is the sink ready in `cycle`?
    pub fn at(self, cycle: u64) -> bool {
        match self {
            Ready::Always => true,
            Ready::Never => false,
            Ready::Periodic { on, off } => cycle % (u64::from(on) + u64::from(off)).max(1) < on.into(),
            Ready::Random { of_256, seed } => mix(cycle ^ mix(seed)) & 0xff < of_256.into(),
        }
    }
}

/// Pins of one stream.
pub(crate) struct SinkPins {
    pub data: Pin,
    pub valid: Pin,
    pub ready: Pin,
}

/// Collects the beats of one stream into frames.
pub(crate) struct Sink {
    pins: SinkPins,
    bus_bytes: usize,
    pattern: Ready,
    ready: bool,
    frame: Vec<u8>,
    first_cycle: u64,
    frames: VecDeque<Received>,
}

impl Sink {
    /// A sink that is always ready.
    pub fn new(model: &mut Model, pins: SinkPins, bus_bytes: usize) -> Self {
        model.set_byte(pins.ready, 1);
        let pattern = Ready::Always;
        Self { pins, bus_bytes, pattern, ready: true, frame: vec![], first_cycle: 0, frames: VecDeque::new() }
    }

    /// After a reset of the core: the rest of a frame that was on its way does not come.
    pub fn restart(&mut self) {
        self.frame.clear();
    }

    /// Sets when beats are taken; true if that is new.
    pub fn set_pattern(&mut self, pattern: Ready) -> bool {
        std::mem::replace(&mut self.pattern, pattern) != pattern
    }

    /// Before the clock: sets `ready`.
    #[inline]
    pub fn drive(&mut self, model: &mut Model, cycle: u64) {
        if self.pattern == Ready::Always && self.ready {
            return;
        }
        let ready = self.pattern.at(cycle);
        if ready != self.ready {
            self.ready = ready;
            model.set_byte(self.pins.ready, ready.into());
        }
    }

    /// Is there a beat, taken or not?
    #[inline]
    pub fn offered(&self, model: &Model) -> bool {
        model.byte(self.pins.valid) != 0
    }

    /// Before the clock, with all inputs settled and a beat offered: takes it. True if it completed a frame.
    #[inline]
    pub fn take(&mut self, model: &Model, cycle: u64) -> bool {
        if !self.ready {
            return false;
        }
        let (data, tail) = model.words(self.pins.data).split_at(self.bus_bytes / 4);
        let count_bits = self.bus_bytes.ilog2() + 1;
        let count = (tail[0] & ((1 << count_bits) - 1)) as usize;
        if self.frame.is_empty() {
            self.first_cycle = cycle;
        }
        // At once: word by word a frame of one beat would move four times.
        self.frame.reserve(self.bus_bytes);
        for word in &data[..count / 4] {
            self.frame.extend_from_slice(&word.to_le_bytes());
        }
        if !count.is_multiple_of(4) {
            self.frame.extend_from_slice(&data[count / 4].to_le_bytes()[..count % 4]);
        }
        let last = tail[0] >> count_bits & 1 != 0;
        if last {
            let frame = std::mem::take(&mut self.frame);
            self.frames.push_back(Received { frame, first_cycle: self.first_cycle, cycle });
        }
        last
    }

    /// The oldest frame that was not fetched yet.
    pub fn pop(&mut self) -> Option<Received> {
        self.frames.pop_front()
    }

    /// Frames that wait to be fetched.
    pub fn waiting(&self) -> usize {
        self.frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periodic_readiness_repeats() {
        let pattern = Ready::Periodic { on: 2, off: 3 };
        let seen: Vec<bool> = (0..10).map(|cycle| pattern.at(cycle)).collect();
        assert_eq!(seen, [true, true, false, false, false, true, true, false, false, false]);
        assert!(!Ready::Periodic { on: 0, off: 0 }.at(7));
    }

    #[test]
    fn random_readiness_has_the_share_asked_for_and_depends_on_the_seed() {
        let cycles = |seed| (0..25_600).map(move |cycle| Ready::Random { of_256: 64, seed }.at(cycle));
        let count = cycles(1).filter(|ready| *ready).count();
        assert!((6_000..6_800).contains(&count), "{count}");
        assert!(cycles(1).eq(cycles(1)) && !cycles(1).eq(cycles(2)));
    }
}
