// SPDX-License-Identifier: MIT OR Apache-2.0
//! An exact-match table with a mask of its own whose ways lie in one memory.

use super::key_hash_in_turn::KeyHashInTurn;
use super::types::{Hit, Slot};
use crate::base::{Dff, DffE, DffR, Param, Ram, Reg, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Four ways of `1 << S` slots under one mask ("Match" in `docs/hardware.md`), `U` = S + 2; like `HashTable`, but its ways are looked at
/// one after the other, in one memory and with one comparison.
///
/// `key` is there with `start` and stays for 22 clocks. `hit` is valid
/// [`LATENCY`](Self::LATENCY) clocks after `start`, and until 18 clocks after the next one: hash (16), four reads one clock apart (4), RAM,
/// its output register and comparison (3). No lookup is done half under one mask and half under the next.
#[derive(LogicBlock, Default)]
pub struct HashTableInTurn<const S: usize, const U: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub key: Signal<In, Bits<480>>,
    pub hit: Signal<Out, Hit>,
    /// Write `slot` at `write_index` (way << S | slot number).
    pub write_entry: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<16>>,
    pub slot: Signal<In, Slot>,
    /// Load `mask`, `seed` and `enable`, which stay as they are for 24 clocks: after the lookup under way. Keys come 24 clocks apart.
    pub write_mask: Signal<In, Bit>,
    pub mask: Signal<In, Bits<480>>,
    pub seed: Signal<In, Bits<32>>,
    pub enable: Signal<In, Bit>,
    mask_reg: DffE<Bits<480>>,
    seed_reg: DffE<Bits<32>>,
    enable_reg: Reg<Bit>,
    /// One clock behind the key.
    masked_key: Dff<Bits<480>>,
    /// A key is looked up; a mask waits until that is done.
    looking: Reg<Bit>,
    waiting: DffR<Bit>,
    hash: KeyHashInTurn<S>,
    /// Bit n is high n + 1 clocks after the indices are there.
    when: DffR<Bits<6>>,
    ram: Ram<Slot, U>,
    found: Dff<Slot>,
    same_words: Dff<Bits<15>>,
    answer: Dff<Hit>,
    best: DffE<Hit>,
    load: Signal<Local, Bit>,
    index: Signal<Local, Bits<U>>,
    found_key: Signal<Local, Bits<480>>,
    same: Signal<Local, Bits<15>>,
    /// `1 << S`.
    way_size: Param<Bits<U>>,
}

impl<const S: usize, const U: usize> HashTableInTurn<S, U> {
    /// Clocks from `start` to `hit`.
    pub const LATENCY: usize = KeyHashInTurn::<S>::LATENCY + 7;

    /// A disabled table without entries. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `U` is not S + 2.
    pub fn new() -> Self {
        assert!(U == S + 2, "HashTableInTurn<{S}, {U}>: four ways of 1 << {S} slots");
        Self { ram: Ram::new(), way_size: Param::new((1usize << S).to_bits()), ..Default::default() }
    }
}

impl<const S: usize, const U: usize> Logic for HashTableInTurn<S, U> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(
            self, clock, mask_reg, seed_reg, enable_reg, masked_key, looking, waiting, hash, when, ram, found,
            same_words
        );
        clock!(self, clock, answer, best);
        self.load.next = (self.write_mask.val() | self.waiting.q.val()) & !self.start.val() & !self.looking.q.val();
        self.hash.reset.next = self.reset.val();
        self.looking.reset.next = self.reset.val();
        self.looking.en.next = self.start.val() | self.when.q.val().get_bit(4);
        self.looking.d.next = self.start.val();
        self.waiting.reset.next = self.reset.val();
        self.waiting.d.next = (self.waiting.q.val() | self.write_mask.val()) & !self.load.val();
        self.mask_reg.en.next = self.load.val();
        self.mask_reg.d.next = self.mask.val();
        self.seed_reg.en.next = self.load.val();
        self.seed_reg.d.next = self.seed.val();
        self.enable_reg.reset.next = self.reset.val();
        self.enable_reg.en.next = self.load.val();
        self.enable_reg.d.next = self.enable.val();
        self.when.reset.next = self.reset.val();
        self.when.d.next = (self.when.q.val() << 1) | bit_cast::<6, 1>(self.hash.ready.val().into());

        comment!("Way n is read n clocks after the indices are there.");
        self.masked_key.d.next = self.key.val() & self.mask_reg.q.val();
        self.hash.start.next = self.start.val();
        self.hash.key.next = self.masked_key.q.val();
        self.hash.seed.next = self.seed_reg.q.val();
        self.index.next = bit_cast::<U, S>(self.hash.index0.val());
        if self.when.q.val().get_bit(0) {
            self.index.next = bit_cast::<U, S>(self.hash.index1.val()) | self.way_size.val();
        }
        if self.when.q.val().get_bit(1) {
            self.index.next = bit_cast::<U, S>(self.hash.index2.val()) | (self.way_size.val() << 1);
        }
        if self.when.q.val().get_bit(2) {
            self.index.next =
                bit_cast::<U, S>(self.hash.index3.val()) | (self.way_size.val() << 1) | self.way_size.val();
        }
        self.ram.re.next = true;
        self.ram.raddr.next = self.index.val();
        self.ram.we.next = self.write_entry.val();
        self.ram.waddr.next = bit_cast::<U, 16>(self.write_index.val());
        self.ram.wdata.next = self.slot.val();
        self.found.d.next = self.ram.rdata.val();

        comment!("The lowest way that has the key.");
        self.found_key.next = self.found.q.val().key;
        self.same.next = 0.into();
        for i in 0..15 {
            self.same.next = self.same.val().replace_bit(
                i,
                self.found_key.val().get_bits::<32>(i * 32) == self.masked_key.q.val().get_bits::<32>(i * 32),
            );
        }
        self.same_words.d.next = self.same.val();
        self.answer.d.next.hit = self.found.q.val().valid & self.enable_reg.q.val();
        self.answer.d.next.priority = self.found.q.val().priority;
        self.answer.d.next.rule = self.found.q.val().rule;
        self.best.en.next = self.when.q.val().get_bit(2)
            | ((self.when.q.val().get_bit(3) | self.when.q.val().get_bit(4) | self.when.q.val().get_bit(5))
                & !self.best.q.val().hit);
        self.best.d.next = self.answer.q.val();
        self.best.d.next.hit = self.answer.q.val().hit & self.same_words.q.val().all();
        self.hit.next = self.best.q.val();
    }
}
