// SPDX-License-Identifier: MIT OR Apache-2.0
//! The better of two hits.

use crate::base::Dff;
use crate::core::types::Hit;
use rust_hdl_core::prelude::*;

/// One clock: `best` is the hit of higher priority, `a` if both are equal.
#[millrace_hdl::block]
pub struct BetterHit {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Hit>,
    pub b: Signal<In, Hit>,
    pub best: Signal<Out, Hit>,
    q: Dff<Hit>,
}

#[millrace_hdl::block]
impl BetterHit {
    fn update(&mut self) {
        self.q = if self.b.hit & (!self.a.hit | (self.b.priority > self.a.priority)) { self.b } else { self.a };
        self.best = self.q;
    }
}
