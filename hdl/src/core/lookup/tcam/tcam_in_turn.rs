// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of rules with masks of their own, looked at entry by entry.

use crate::base::{Dff, DffE, DffR, LutRam, Reg};
use crate::core::types::{Hit, KEY_BITS};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// An entry of a TCAM. `value` is masked already.
    pub struct TcamWord {
        pub value: Bits<KEY_BITS>,
        pub mask: Bits<KEY_BITS>,
        pub priority: Bits<16>,
        pub rule: Bits<16>,
    }
}

/// `TCAM_ENTRIES` entries, `TCAM_LOG2` = log2(TCAM_ENTRIES) up to 4 ("Match" in `docs/hardware.md`); like `Tcam`, but one entry is compared in each clock.
///
/// `key` is there with `start` and stays for 18 clocks. `hit` is valid [`LATENCY`](Self::LATENCY)
/// clocks after `start`, and until 2 clocks after the next one. `write` takes one clock, at any time: a key meets the entry before or after it.
#[millrace_hdl::block]
pub struct TcamInTurn<const TCAM_ENTRIES: usize, const TCAM_LOG2: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub hit: Signal<Out, Hit>,
    pub write: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    pub value: Signal<In, Bits<KEY_BITS>>,
    pub mask: Signal<In, Bits<KEY_BITS>>,
    /// What the entry answers; `hit` is its valid bit.
    pub answer: Signal<In, Hit>,
    entries: LutRam<TcamWord, TCAM_LOG2>,
    valid: Reg<Bits<TCAM_ENTRIES>>,
    /// The entry to read next, while `reading`.
    next: Dff<Bits<TCAM_LOG2>>,
    reading: DffR<Bit>,
    found: Dff<TcamWord>,
    found_valid: DffR<Bit>,
    found_first: Dff<Bit>,
    same_words: Dff<Bits<15>>,
    answered: Dff<Hit>,
    answered_first: Dff<Bit>,
    best: DffE<Hit>,
}

#[millrace_hdl::block]
impl<const TCAM_ENTRIES: usize, const TCAM_LOG2: usize> TcamInTurn<TCAM_ENTRIES, TCAM_LOG2> {
    /// Clocks from `start` to `hit`.
    pub const LATENCY: usize = 18;

    /// A TCAM of invalid entries. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `TCAM_ENTRIES` is not `1 << TCAM_LOG2`, or more than 16.
    pub fn new() -> Self {
        assert!(
            TCAM_ENTRIES == 1 << TCAM_LOG2 && TCAM_ENTRIES <= 16,
            "TcamInTurn<{TCAM_ENTRIES}, {TCAM_LOG2}>: at most 16 entries, a power of two"
        );
        Self { entries: LutRam::new(), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("entry n is read n clocks after start");
        let at = if self.start { 0 } else { self.next };
        self.next = at + 1;

        self.reading = self.start | (self.reading & !self.next.all());
        self.entries.raddr = at;
        self.found = self.entries.rdata;
        let valid_here = self.valid >> at;

        self.found_valid = valid_here.get_bit(0) & (self.start | self.reading);
        self.found_first = self.start;

        comment!("compare");
        let found_value = self.found.value;
        let found_mask = self.found.mask & self.key;
        let mut same: Bits<15> = 0;
        for i in 0..15 {
            same.set_bit(i, found_value.get_bits::<32>(i * 32) == found_mask.get_bits::<32>(i * 32));
        }
        self.same_words = same;
        self.answered.hit = self.found_valid;
        self.answered.priority = self.found.priority;
        self.answered.rule = self.found.rule;
        self.answered_first = self.found_first;

        comment!("keep the first of the highest priority");
        let hits = self.answered.hit & self.same_words.all();
        if self.answered_first | (hits & (!self.best.hit | (self.answered.priority > self.best.priority))) {
            self.best = self.answered;
            self.best.hit = hits;
        }
        self.hit = self.best;

        comment!("write");
        let one: Bits<TCAM_ENTRIES> = 1;
        let selected = one << cast::<TCAM_LOG2>(self.index);
        self.entries.we = self.write;
        self.entries.waddr = cast::<TCAM_LOG2>(self.index);
        self.entries.wdata.value = self.value & self.mask;
        self.entries.wdata.mask = self.mask;
        self.entries.wdata.priority = self.answer.priority;
        self.entries.wdata.rule = self.answer.rule;

        if self.write {
            self.valid &= !selected;
            if self.answer.hit {
                self.valid |= selected;
            }
        }
    }
}
