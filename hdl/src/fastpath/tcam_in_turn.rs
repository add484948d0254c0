// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of rules with masks of their own, looked at entry by entry.

use super::types::Hit;
use crate::base::{Dff, DffE, DffR, LutRam, Reg, Tag};
use crate::{comment, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// An entry of a TCAM. `value` is masked already.
    pub struct TcamWord {
        pub value: Bits<480>,
        pub mask: Bits<480>,
        pub priority: Bits<16>,
        pub rule: Bits<16>,
    }
}

/// `T` entries, `B` = log2(T) up to 4 ("Match" in `docs/hardware.md`); like `Tcam`, but one entry is compared in each clock.
///
/// `key` is there with `start` and stays for 18 clocks. `hit` is valid [`LATENCY`](Self::LATENCY)
/// clocks after `start`, and until 2 clocks after the next one. `write` takes one clock, at any time: a key meets the entry before or after it.
#[derive(LogicBlock, Default)]
pub struct TcamInTurn<const T: usize, const B: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub key: Signal<In, Bits<480>>,
    pub hit: Signal<Out, Hit>,
    pub write: Signal<In, Bit>,
    pub index: Signal<In, Bits<16>>,
    pub value: Signal<In, Bits<480>>,
    pub mask: Signal<In, Bits<480>>,
    /// What the entry answers; `hit` is its valid bit.
    pub answer: Signal<In, Hit>,
    entries: LutRam<TcamWord, B>,
    valid: Reg<Bits<T>>,
    /// The entry to read next, while `reading`.
    next: Dff<Bits<B>>,
    reading: DffR<Bit>,
    found: Dff<TcamWord>,
    found_valid: DffR<Bit>,
    found_first: Dff<Bit>,
    same_words: Dff<Bits<15>>,
    answered: Dff<Hit>,
    answered_first: Dff<Bit>,
    best: DffE<Hit>,
    at: Signal<Local, Bits<B>>,
    selected: Signal<Local, Bits<T>>,
    valid_here: Signal<Local, Bits<T>>,
    found_value: Signal<Local, Bits<480>>,
    found_mask: Signal<Local, Bits<480>>,
    same: Signal<Local, Bits<15>>,
    hits: Signal<Local, Bit>,
    one: Signal<Local, Bits<T>>,
}

impl<const T: usize, const B: usize> TcamInTurn<T, B> {
    /// Clocks from `start` to `hit`.
    pub const LATENCY: usize = 18;

    /// A TCAM of invalid entries. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `T` is not `1 << B`, or more than 16.
    pub fn new() -> Self {
        assert!(T == 1 << B && T <= 16, "TcamInTurn<{T}, {B}>: at most 16 entries, a power of two");
        Self { entries: LutRam::new(), ..Default::default() }
    }
}

impl<const T: usize, const B: usize> Logic for TcamInTurn<T, B> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, entries, valid, next, reading, found, found_valid, found_first, same_words);
        clock!(self, clock, answered, answered_first, best);

        comment!("entry n is read n clocks after start");
        self.at.next = self.next.q.val();
        if self.start.val() {
            self.at.next = 0.into();
        }
        self.next.d.next = self.at.val() + 1;
        self.reading.reset.next = self.reset.val();
        self.reading.d.next = self.start.val() | (self.reading.q.val() & !self.next.q.val().all());
        self.entries.raddr.next = self.at.val();
        self.found.d.next = self.entries.rdata.val();
        self.valid_here.next = self.valid.q.val() >> self.at.val();
        self.found_valid.reset.next = self.reset.val();
        self.found_valid.d.next = self.valid_here.val().get_bit(0) & (self.start.val() | self.reading.q.val());
        self.found_first.d.next = self.start.val();

        comment!("compare");
        self.found_value.next = self.found.q.val().value;
        self.found_mask.next = self.found.q.val().mask & self.key.val();
        self.same.next = 0.into();
        for i in 0..15 {
            self.same.next = self.same.val().replace_bit(
                i,
                self.found_value.val().get_bits::<32>(i * 32) == self.found_mask.val().get_bits::<32>(i * 32),
            );
        }
        self.same_words.d.next = self.same.val();
        self.answered.d.next.hit = self.found_valid.q.val();
        self.answered.d.next.priority = self.found.q.val().priority;
        self.answered.d.next.rule = self.found.q.val().rule;
        self.answered_first.d.next = self.found_first.q.val();

        comment!("keep the first of the highest priority");
        self.hits.next = self.answered.q.val().hit & self.same_words.q.val().all();
        self.best.en.next = self.answered_first.q.val()
            | (self.hits.val()
                & (!self.best.q.val().hit | (self.answered.q.val().priority > self.best.q.val().priority)));
        self.best.d.next = self.answered.q.val();
        self.best.d.next.hit = self.hits.val();
        self.hit.next = self.best.q.val();

        comment!("write");
        self.one.next = 1.into();
        self.selected.next = self.one.val() << bit_cast::<B, 16>(self.index.val());
        self.entries.we.next = self.write.val();
        self.entries.waddr.next = bit_cast::<B, 16>(self.index.val());
        self.entries.wdata.next.value = self.value.val() & self.mask.val();
        self.entries.wdata.next.mask = self.mask.val();
        self.entries.wdata.next.priority = self.answer.val().priority;
        self.entries.wdata.next.rule = self.answer.val().rule;
        self.valid.reset.next = self.reset.val();
        self.valid.en.next = self.write.val();
        self.valid.d.next = self.valid.q.val() & !self.selected.val();
        if self.answer.val().hit {
            self.valid.d.next = self.valid.q.val() | self.selected.val();
        }
    }
}
