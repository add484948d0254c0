// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a TCAM entry answers.

use crate::base::{DffE, Reg};
use crate::core::types::Hit;
use rust_hdl_core::prelude::*;

/// Priority, rule and valid bit of one TCAM entry. `hit` follows `matched` in the same clock.
#[millrace_hdl::block]
pub struct TcamEntry {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub matched: Signal<In, Bit>,
    pub hit: Signal<Out, Hit>,
    /// The entry does not match from now on.
    pub clear: Signal<In, Bit>,
    /// Take `answer` over; its `hit` is the valid bit.
    pub load: Signal<In, Bit>,
    pub answer: Signal<In, Hit>,
    valid_reg: Reg<Bit>,
    priority_reg: DffE<Bits<16>>,
    rule_reg: DffE<Bits<16>>,
}

#[millrace_hdl::block]
impl TcamEntry {
    fn update(&mut self) {
        if self.clear | self.load {
            self.valid_reg = self.load & self.answer.hit;
        }
        if self.load {
            self.priority_reg = self.answer.priority;
            self.rule_reg = self.answer.rule;
        }

        self.hit.hit = self.matched & self.valid_reg;
        self.hit.priority = self.priority_reg;
        self.hit.rule = self.rule_reg;
    }
}
