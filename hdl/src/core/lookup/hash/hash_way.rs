// SPDX-License-Identifier: MIT OR Apache-2.0
//! One way of a hash table: its memory, and the comparison of the key with what lies there.

use crate::base::{Dff, Ram};
use crate::core::types::{Hit, Slot};
use rust_hdl_core::prelude::*;

/// `1 << WAY_LOG2` slots. `hit` answers `index` four clocks later (RAM, its output register, words, all); `key` is the masked key
/// two clocks behind its `index`. `KEY_BITS` = 32 * KEY_WORDS.
#[millrace_hdl::block]
pub struct HashWay<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> {
    pub clock: Signal<In, Clock>,
    pub index: Signal<In, Bits<WAY_LOG2>>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub hit: Signal<Out, Hit>,
    pub we: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<WAY_LOG2>>,
    pub slot: Signal<In, Slot<KEY_BITS>>,
    ram: Ram<Slot<KEY_BITS>, WAY_LOG2>,
    found: Dff<Slot<KEY_BITS>>,
    same_words: Dff<Bits<KEY_WORDS>>,
    valid_reg: Dff<Bit>,
    priority_reg: Dff<Bits<16>>,
    rule_reg: Dff<Bits<16>>,
    answer: Dff<Hit>,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize, const KEY_BITS: usize, const KEY_WORDS: usize> HashWay<WAY_LOG2, KEY_BITS, KEY_WORDS> {
    /// A way of invalid slots. (`Default` has no memory.)
    pub fn new() -> Self {
        Self { ram: Ram::new(), ..Default::default() }
    }

    fn update(&mut self) {
        self.ram.re = true;
        self.ram.raddr = self.index;
        self.ram.we = self.we;
        self.ram.waddr = self.write_index;
        self.ram.wdata = self.slot;
        self.found = self.ram.rdata;

        let found_key = self.found.key;
        let mut same: Bits<KEY_WORDS> = 0;
        for i in 0..KEY_WORDS {
            same.set_bit(i, found_key.get_bits::<32>(i * 32) == self.key.get_bits::<32>(i * 32));
        }
        self.same_words = same;
        self.valid_reg = self.found.valid;
        self.priority_reg = self.found.priority;
        self.rule_reg = self.found.rule;

        self.answer.hit = self.same_words.all() & self.valid_reg;
        self.answer.priority = self.priority_reg;
        self.answer.rule = self.rule_reg;
        self.hit = self.answer;
    }
}
