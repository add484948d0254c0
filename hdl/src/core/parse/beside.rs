// SPDX-License-Identifier: MIT OR Apache-2.0
//! A value beside a pipeline.

use crate::base::Dff;
use rust_hdl_core::prelude::*;

/// What is needed again behind a stage: at once, `out` is `inp` of the clock before. In turn it is `inp` itself, which is still the same.
#[millrace_hdl::block]
pub struct Beside<D: Synth> {
    pub clock: Signal<In, Clock>,
    pub inp: Signal<In, D>,
    pub out: Signal<Out, D>,
    register: Vec<Dff<D>>,
    _registers: usize,
}

#[millrace_hdl::block]
impl<D: Synth> Beside<D> {
    /// A register.
    pub fn at_once() -> Self {
        Self { register: vec![Dff::default()], _registers: 1, ..Default::default() }
    }

    /// Wires.
    pub fn in_turn() -> Self {
        Self::default()
    }

    fn update(&mut self) {
        self.out = self.inp;
        for i in 0..self._registers {
            self.register[i] = self.inp;
            self.out = self.register[i];
        }
    }
}
