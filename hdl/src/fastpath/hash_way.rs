// SPDX-License-Identifier: MIT OR Apache-2.0
//! One way of a hash table: its memory, and the comparison of the key with what lies there.

use super::types::{Hit, Slot};
use crate::base::{Dff, Ram, Tag};
use rust_hdl_core::prelude::*;

/// `1 << S` slots. `hit` answers `index` four clocks later (RAM, its output register, words, all); `key` is the masked key
/// two clocks behind its `index`.
#[derive(LogicBlock, Default)]
pub struct HashWay<const S: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub index: Signal<In, Bits<S>>,
    pub key: Signal<In, Bits<480>>,
    pub hit: Signal<Out, Hit>,
    pub we: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<S>>,
    pub slot: Signal<In, Slot>,
    ram: Ram<Slot, S>,
    found: Dff<Slot>,
    found_key: Signal<Local, Bits<480>>,
    same: Signal<Local, Bits<15>>,
    same_words: Dff<Bits<15>>,
    valid_reg: Dff<Bit>,
    priority_reg: Dff<Bits<16>>,
    rule_reg: Dff<Bits<16>>,
    answer: Dff<Hit>,
}

impl<const S: usize> HashWay<S> {
    /// A way of invalid slots. (`Default` has no memory.)
    pub fn new() -> Self {
        Self { ram: Ram::new(), ..Default::default() }
    }
}

impl<const S: usize> Logic for HashWay<S> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, ram, found, same_words, valid_reg, priority_reg, rule_reg, answer);
        self.ram.re.next = true;
        self.ram.raddr.next = self.index.val();
        self.ram.we.next = self.we.val();
        self.ram.waddr.next = self.write_index.val();
        self.ram.wdata.next = self.slot.val();
        self.found.d.next = self.ram.rdata.val();

        self.found_key.next = self.found.q.val().key;
        self.same.next = 0.into();
        for i in 0..15 {
            self.same.next = self
                .same
                .val()
                .replace_bit(i, self.found_key.val().get_bits::<32>(i * 32) == self.key.val().get_bits::<32>(i * 32));
        }
        self.same_words.d.next = self.same.val();
        self.valid_reg.d.next = self.found.q.val().valid;
        self.priority_reg.d.next = self.found.q.val().priority;
        self.rule_reg.d.next = self.found.q.val().rule;

        self.answer.d.next.hit = self.same_words.q.val().all() & self.valid_reg.q.val();
        self.answer.d.next.priority = self.priority_reg.q.val();
        self.answer.d.next.rule = self.rule_reg.q.val();
        self.hit.next = self.answer.q.val();
    }
}
