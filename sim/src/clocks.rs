// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core's clocks, each with the pin that says whether it may stand still.

use crate::ffi::{Model, Pin};

/// The parts of the core with a clock of their own, as the pins `clock_PART` and `idle_PART` name them ("Clocks" in
/// `docs/fast-path.md`); beside them `clock` and `idle`, and the ports'.
pub(crate) const PARTS: [&str; 8] = ["ctrl", "parse", "match", "hash", "compare", "select", "expand", "edit"];

/// A clock and its idle pin.
pub(crate) struct ClockPins {
    pub clock: Pin,
    pub idle: Pin,
}

/// A set of clocks: the ports' by number, then those of the parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running(u64);

impl Running {
    pub fn none(self) -> bool {
        self.0 == 0
    }
}

/// All clocks of the core.
pub(crate) struct Clocks {
    /// By the bit of [`Running`].
    clocks: Vec<Pin>,
    idle_port: Pin,
    /// Of the clocks behind the ports'.
    idle: Vec<Pin>,
    ports: u32,
    ctrl: u64,
}

impl Clocks {
    /// The ports' clocks with the idle bits of all of them, those of the parts in the order of [`PARTS`], and the clock of the rest.
    pub fn new(port_clocks: Vec<Pin>, idle_port: Pin, parts: Vec<ClockPins>, rest: ClockPins) -> Self {
        let ports = port_clocks.len() as u32;
        let idle = parts.iter().chain([&rest]).map(|pins| pins.idle).collect();
        let clocks: Vec<Pin> =
            port_clocks.into_iter().chain(parts.into_iter().chain([rest]).map(|pins| pins.clock)).collect();
        assert!(clocks.len() < u64::BITS as usize, "{} clocks: they are bits of a number", clocks.len());
        Self { clocks, idle_port, idle, ports, ctrl: 1 << ports }
    }

    /// Every clock.
    pub fn all(&self) -> Running {
        Running((1 << self.clocks.len()) - 1)
    }

    /// With all inputs settled: the clocks that must not stand still, given the ports that something is sent to and whether there is a
    /// register access.
    #[inline]
    pub fn awake(&self, model: &Model, sent_to: u64, access: bool) -> Running {
        let mut idle = model.value(self.idle_port);
        for (i, pin) in self.idle.iter().enumerate() {
            idle |= u64::from(model.byte(*pin)) << (self.ports + i as u32);
        }
        let inputs = sent_to | if access { self.ctrl } else { 0 };
        Running(self.all().0 & (!idle | inputs))
    }

    /// Sets the pins of these clocks.
    #[inline]
    pub fn set(&self, model: &mut Model, running: Running, level: u8) {
        let mut left = running.0;
        while left != 0 {
            model.set_byte(self.clocks[left.trailing_zeros() as usize], level);
            left &= left - 1;
        }
    }
}
