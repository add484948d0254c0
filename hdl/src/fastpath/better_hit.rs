// SPDX-License-Identifier: MIT OR Apache-2.0
//! The better of two hits.

use super::types::Hit;
use crate::base::{Dff, Tag};
use rust_hdl_core::prelude::*;

/// One clock: `best` is the hit of higher priority, `a` if both are equal.
#[derive(LogicBlock, Default)]
pub struct BetterHit {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Hit>,
    pub b: Signal<In, Hit>,
    pub best: Signal<Out, Hit>,
    q: Dff<Hit>,
}

impl Logic for BetterHit {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.q.clock.next = self.clock.val();
        self.q.d.next = self.a.val();
        if self.b.val().hit & (!self.a.val().hit | (self.b.val().priority > self.a.val().priority)) {
            self.q.d.next = self.b.val();
        }
        self.best.next = self.q.q.val();
    }
}
