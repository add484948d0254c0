// SPDX-License-Identifier: MIT OR Apache-2.0
//! A value beside a pipeline.

use crate::base::{Dff, Tag};
use rust_hdl_core::prelude::*;

/// `out` is `inp` of the clock before; or `inp` itself, where values come clocks apart and rest where they come from until then.
#[derive(LogicBlock, Default)]
pub struct Beside<D: Synth> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub inp: Signal<In, D>,
    pub out: Signal<Out, D>,
    register: Vec<Dff<D>>,
    _registers: usize,
}

impl<D: Synth> Beside<D> {
    /// A register.
    pub fn moves() -> Self {
        Self { register: vec![Dff::default()], _registers: 1, ..Default::default() }
    }

    /// Wires.
    pub fn rests() -> Self {
        Self::default()
    }
}

impl<D: Synth> Logic for Beside<D> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.out.next = self.inp.val();
        for i in 0..self._registers {
            self.register[i].clock.next = self.clock.val();
            self.register[i].d.next = self.inp.val();
            self.out.next = self.register[i].q.val();
        }
    }
}
