// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a TCAM entry answers.

use super::types::Hit;
use crate::base::{DffE, Reg, Tag};
use rust_hdl_core::prelude::*;

/// Priority, rule and valid bit of one TCAM entry. `hit` follows `matched` in the same clock.
#[derive(LogicBlock, Default)]
pub struct TcamEntry {
    tag: Tag<Self>,
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

impl Logic for TcamEntry {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, valid_reg, priority_reg, rule_reg);
        self.valid_reg.reset.next = self.reset.val();
        self.valid_reg.en.next = self.clear.val() | self.load.val();
        self.valid_reg.d.next = self.load.val() & self.answer.val().hit;
        self.priority_reg.en.next = self.load.val();
        self.priority_reg.d.next = self.answer.val().priority;
        self.rule_reg.en.next = self.load.val();
        self.rule_reg.d.next = self.answer.val().rule;

        self.hit.next.hit = self.matched.val() & self.valid_reg.q.val();
        self.hit.next.priority = self.priority_reg.q.val();
        self.hit.next.rule = self.rule_reg.q.val();
    }
}
