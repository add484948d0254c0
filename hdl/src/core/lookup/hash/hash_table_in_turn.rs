// SPDX-License-Identifier: MIT OR Apache-2.0
//! An exact-match table with a mask of its own whose ways lie in one memory.

use super::key_hash_in_turn::KeyHashInTurn;
use crate::base::{Dff, DffE, DffR, Param, Ram, Reg};
use crate::core::types::{Hit, KEY_BITS, Slot};
use rust_hdl_core::prelude::*;

/// Four ways of `1 << WAY_LOG2` slots under one mask ("Match" in `docs/hardware.md`), `TABLE_LOG2` = WAY_LOG2 + 2; like `HashTable`, but its ways are looked at
/// one after the other, in one memory and with one comparison.
///
/// `key` is there with `start` and stays for 22 clocks. `hit` is valid
/// [`LATENCY`](Self::LATENCY) clocks after `start`, and until 18 clocks after the next one: hash (16), four reads one clock apart (4), RAM,
/// its output register and comparison (3). No lookup is done half under one mask and half under the next.
#[millrace_hdl::block]
pub struct HashTableInTurn<const WAY_LOG2: usize, const TABLE_LOG2: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub hit: Signal<Out, Hit>,
    /// Write `slot` at `write_index` (way << S | slot number).
    pub write_entry: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<16>>,
    pub slot: Signal<In, Slot<KEY_BITS>>,
    /// Load `mask`, `seed` and `enable`, which stay as they are for 24 clocks: after the lookup under way. Keys come 24 clocks apart.
    pub write_mask: Signal<In, Bit>,
    pub mask: Signal<In, Bits<KEY_BITS>>,
    pub seed: Signal<In, Bits<32>>,
    pub enable: Signal<In, Bit>,
    mask_reg: DffE<Bits<KEY_BITS>>,
    seed_reg: DffE<Bits<32>>,
    enable_reg: Reg<Bit>,
    /// One clock behind the key.
    masked_key: Dff<Bits<KEY_BITS>>,
    /// A key is looked up.
    looking: Reg<Bit>,
    /// A mask waits until that is done.
    waiting: DffR<Bit>,
    hash: KeyHashInTurn<WAY_LOG2>,
    /// Bit n is high n + 1 clocks after the indices are there.
    when: DffR<Bits<6>>,
    ram: Ram<Slot<KEY_BITS>, TABLE_LOG2>,
    found: Dff<Slot<KEY_BITS>>,
    same_words: Dff<Bits<15>>,
    answer: Dff<Hit>,
    best: DffE<Hit>,
    /// `1 << WAY_LOG2`.
    way_size: Param<Bits<TABLE_LOG2>>,
}

#[millrace_hdl::block]
impl<const WAY_LOG2: usize, const TABLE_LOG2: usize> HashTableInTurn<WAY_LOG2, TABLE_LOG2> {
    /// Clocks from `start` to `hit`.
    pub const LATENCY: usize = KeyHashInTurn::<WAY_LOG2>::LATENCY + 7;

    /// A disabled table without entries. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `TABLE_LOG2` is not WAY_LOG2 + 2.
    pub fn new() -> Self {
        assert!(
            TABLE_LOG2 == WAY_LOG2 + 2,
            "HashTableInTurn<{WAY_LOG2}, {TABLE_LOG2}>: four ways of 1 << {WAY_LOG2} slots"
        );
        Self { ram: Ram::new(), way_size: Param::new((1usize << WAY_LOG2).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        let load = (self.write_mask | self.waiting) & !self.start & !self.looking;

        if self.start | self.when.get_bit(4) {
            self.looking = self.start;
        }

        self.waiting = (self.waiting | self.write_mask) & !load;
        if load {
            self.mask_reg = self.mask;
            self.seed_reg = self.seed;
        }

        if load {
            self.enable_reg = self.enable;
        }

        self.when = (self.when << 1) | cast::<6>(self.hash.ready);

        comment!("Way n is read n clocks after the indices are there.");
        self.masked_key = self.key & self.mask_reg;
        self.hash.start = self.start;
        self.hash.key = self.masked_key;
        self.hash.seed = self.seed_reg;
        let mut index = cast::<TABLE_LOG2>(self.hash.index0);
        if self.when.get_bit(0) {
            index = cast::<TABLE_LOG2>(self.hash.index1) | self.way_size;
        }
        if self.when.get_bit(1) {
            index = cast::<TABLE_LOG2>(self.hash.index2) | (self.way_size << 1);
        }
        if self.when.get_bit(2) {
            index = cast::<TABLE_LOG2>(self.hash.index3) | (self.way_size << 1) | self.way_size;
        }
        self.ram.re = true;
        self.ram.raddr = index;
        self.ram.we = self.write_entry;
        self.ram.waddr = cast::<TABLE_LOG2>(self.write_index);
        self.ram.wdata = self.slot;
        self.found = self.ram.rdata;

        comment!("The lowest way that has the key.");
        let found_key = self.found.key;
        let mut same: Bits<15> = 0;
        for i in 0..15 {
            same.set_bit(i, found_key.get_bits::<32>(i * 32) == self.masked_key.get_bits::<32>(i * 32));
        }
        self.same_words = same;
        self.answer.hit = self.found.valid & self.enable_reg;
        self.answer.priority = self.found.priority;
        self.answer.rule = self.found.rule;
        if self.when.get_bit(2)
            | ((self.when.get_bit(3) | self.when.get_bit(4) | self.when.get_bit(5)) & !self.best.hit)
        {
            self.best = self.answer;
            self.best.hit = self.answer.hit & self.same_words.all();
        }
        self.hit = self.best;
    }
}
