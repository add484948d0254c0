// SPDX-License-Identifier: MIT OR Apache-2.0
//! A model's clocks, each with the pin that says whether it may stand still.

use crate::ffi::{Model, Pin};

/// Time of a clock cycle in nanoseconds: 250 MHz.
pub const CYCLE_NS: u64 = 4;

/// The parts of the core with a clock of their own, as the pins `clock_PART` and `idle_PART` name them ("Clocks" in
/// `docs/fast-path.md`); beside them `clock` and `idle`, and the ports'.
pub(crate) const PARTS: [&str; 8] = ["ctrl", "parse", "match", "hash", "compare", "select", "expand", "edit"];
/// What a core with its host side has beside them (`docs/host.md`, "Clocks"): there `clock` is that of the host side.
pub(crate) const HOST_PARTS: [&str; 1] = ["core"];
/// And how many parts of the host side have a clock `clock_part_N`.
pub(crate) const HOST_CLOCKS: usize = 26;

/// A clock and its idle pin.
pub(crate) struct ClockPins {
    pub clock: Pin,
    pub idle: Pin,
}

/// Clocks with numbers, and the pin with their idle bits.
pub(crate) struct ClockArray {
    pub clocks: Vec<Pin>,
    pub idle: Pin,
}

/// A set of clocks: those of arrays, the ports' first, then the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running(u64);

impl Running {
    pub fn none(self) -> bool {
        self.0 == 0
    }
}

/// All clocks of a model.
pub(crate) struct Clocks {
    /// By the bit of [`Running`].
    clocks: Vec<Pin>,
    /// Of arrays, each with the bit of its first clock, and of the clocks behind those.
    idle_arrays: Vec<(Pin, u32)>,
    idle: Vec<Pin>,
    ctrl: u64,
}

impl Clocks {
    /// Arrays of clocks, the ports' first, and single ones, of which those of [`PARTS`] come first.
    pub fn new(arrays: Vec<ClockArray>, single: Vec<ClockPins>) -> Self {
        let (mut clocks, mut idle_arrays) = (vec![], vec![]);
        for array in arrays {
            idle_arrays.push((array.idle, clocks.len() as u32));
            clocks.extend(array.clocks);
        }
        let ctrl = 1 << clocks.len();
        clocks.extend(single.iter().map(|pins| pins.clock));
        assert!(clocks.len() < u64::BITS as usize, "{} clocks: they are bits of a number", clocks.len());
        Self { clocks, idle_arrays, idle: single.into_iter().map(|pins| pins.idle).collect(), ctrl }
    }

    /// Every clock.
    pub fn all(&self) -> Running {
        Running((1 << self.clocks.len()) - 1)
    }

    /// With all inputs settled: the clocks that must not stand still, given the ports that something is sent to and whether there is a
    /// register access.
    #[inline]
    pub fn awake(&self, model: &Model, sent_to: u64, access: bool) -> Running {
        let mut idle = 0;
        for (pin, at) in &self.idle_arrays {
            idle |= model.value(*pin) << at;
        }
        let mut bit = self.ctrl;
        for pin in &self.idle {
            idle |= if model.byte(*pin) != 0 { bit } else { 0 };
            bit <<= 1;
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
