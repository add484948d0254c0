// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edits a frame's head word by word.

use super::types::{EditJob, Step};
use crate::base::{ByteSwap, Dff, DffR, Tag};
use crate::{comment, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A 32-bit word of an outgoing head, and where it comes from. Byte 0 in bits 7:0.
    pub struct HeadWord {
        /// Its number in the outgoing head.
        pub number: Bits<5>,
        /// Its number in the window, unless it is a tag that is pushed: the first of them, or the second.
        pub from: Bits<5>,
        pub push0: Bit,
        pub push1: Bit,
        /// The word that follows the tags received is 0; `behind_tags` if the word is at or behind it.
        pub k: Bits<5>,
        pub behind_tags: Bit,
        pub word: Bits<32>,
    }
}

wire_struct! {
    /// A word of which it is known where in the frame it is. It is one word at most: all bits but `far` are one-hot.
    pub struct PlacedWord {
        pub number: Bits<5>,
        pub word: Bits<32>,
        pub push0: Bit,
        pub push1: Bit,
        /// Bit n: word n of the MAC addresses.
        pub mac: Bits<3>,
        /// Bit n: word n behind the tags.
        pub at: Bits<12>,
        /// It is word 3 behind the tags, or further.
        pub far: Bit,
        /// Bit n: word n behind the one that L4 starts in.
        pub at_l4: Bits<5>,
    }
}

wire_struct! {
    /// A word before and after the edits, its checksum as received in both; and which checksums its two halves are under, or are.
    pub struct EditedWord {
        pub number: Bits<5>,
        pub old: Bits<32>,
        pub new: Bits<32>,
        pub ip_lower: Bit,
        pub ip_upper: Bit,
        pub l4_lower: Bit,
        pub l4_upper: Bit,
        pub ip_sum_lower: Bit,
        pub l4_sum_lower: Bit,
        pub l4_sum_upper: Bit,
    }
}

/// Three clocks from `word` to `out`: where the word is, what takes its place, and the edit. A word per clock; `job` stays the same from a
/// frame's first word to its last one's edit.
///
/// Word k behind the tags is the received EtherType and the first two bytes of L3 for k = 0, and bytes 4k - 2 to 4k + 1 of L3 after
/// that: fields of 32 bits straddle two words.
#[derive(LogicBlock, Default)]
pub struct EditWord {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job: Signal<In, EditJob>,
    pub word: Signal<In, HeadWord>,
    pub valid: Signal<In, Bit>,
    pub out: Signal<Out, EditedWord>,
    pub out_valid: Signal<Out, Bit>,
    step: Signal<Local, Step>,
    // first clock
    inp: Signal<Local, HeadWord>,
    beyond: Signal<Local, Bits<5>>,
    is_mac: Signal<Local, Bits<3>>,
    is_at: Signal<Local, Bits<12>>,
    is_at_l4: Signal<Local, Bits<5>>,
    placed: Dff<PlacedWord>,
    valid0: DffR<Bit>,
    // second clock
    mac: ByteSwap<96>,
    push0: ByteSwap<32>,
    push1: ByteSwap<32>,
    nw_src: ByteSwap<128>,
    nw_dst: ByteSwap<128>,
    ports: ByteSwap<32>,
    w: Signal<Local, PlacedWord>,
    ipv4: Signal<Local, Bit>,
    ipv6: Signal<Local, Bit>,
    has_ports: Signal<Local, Bit>,
    at: Signal<Local, Bits<12>>,
    at_l4: Signal<Local, Bits<5>>,
    src: Signal<Local, Bits<128>>,
    dst: Signal<Local, Bits<128>>,
    set_src: Signal<Local, Bit>,
    set_dst: Signal<Local, Bit>,
    lower: Signal<Local, Bits<16>>,
    upper: Signal<Local, Bits<16>>,
    set_lower: Signal<Local, Bit>,
    set_upper: Signal<Local, Bit>,
    new_lower: Dff<Bits<16>>,
    new_upper: Dff<Bits<16>>,
    replace_lower: Dff<Bit>,
    replace_upper: Dff<Bit>,
    /// The TOS or traffic class is in the word, its TTL or hop limit.
    tos4: Dff<Bit>,
    tos6: Dff<Bit>,
    ttl4: Dff<Bit>,
    ttl6: Dff<Bit>,
    /// The word as received, and what else is known of it.
    before: Dff<EditedWord>,
    valid1: DffR<Bit>,
    // third clock
    old: Signal<Local, Bits<32>>,
    tos: Signal<Local, Bits<8>>,
    new_tos: Signal<Local, Bits<8>>,
    ttl: Signal<Local, Bits<8>>,
    new_ttl: Signal<Local, Bits<8>>,
    lower2: Signal<Local, Bits<16>>,
    upper2: Signal<Local, Bits<16>>,
    after: Dff<EditedWord>,
    valid2: DffR<Bit>,
}

impl Logic for EditWord {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, placed, valid0, new_lower, new_upper, replace_lower, replace_upper, tos4, tos6, ttl4, ttl6);
        clock!(self, clock, before, valid1, after, valid2);
        self.valid0.reset.next = self.reset.val();
        self.valid1.reset.next = self.reset.val();
        self.valid2.reset.next = self.reset.val();

        comment!("the step's numbers in wire order");
        self.step.next = self.job.val().step;
        self.mac.inp.next =
            (bit_cast::<96, 48>(self.step.val().dl_dst) << 48) | bit_cast::<96, 48>(self.step.val().dl_src);
        self.push0.inp.next =
            (bit_cast::<32, 16>(self.step.val().push0_tpid) << 16) | bit_cast::<32, 16>(self.step.val().push0_tci);
        self.push1.inp.next =
            (bit_cast::<32, 16>(self.step.val().push1_tpid) << 16) | bit_cast::<32, 16>(self.step.val().push1_tci);
        self.nw_src.inp.next = self.step.val().nw_src;
        self.nw_dst.inp.next = self.step.val().nw_dst;
        self.ports.inp.next =
            (bit_cast::<32, 16>(self.step.val().tp_src) << 16) | bit_cast::<32, 16>(self.step.val().tp_dst);

        comment!("Clock 1: where the word is");
        self.inp.next = self.word.val();
        self.placed.d.next.number = self.inp.val().number;
        self.placed.d.next.word = self.inp.val().word;
        self.placed.d.next.push0 = self.inp.val().push0;
        self.placed.d.next.push1 = self.inp.val().push1;
        self.beyond.next = self.inp.val().k - bit_cast::<5, 4>(self.job.val().l4_words);
        self.is_mac.next = 0.into();
        for n in 0..3 {
            self.is_mac.next = self.is_mac.val().replace_bit(
                n,
                !self.inp.val().push0 & !self.inp.val().push1 & (self.inp.val().from == n.to_bits::<5>()),
            );
        }
        self.is_at.next = 0.into();
        for k in 0..12 {
            self.is_at.next =
                self.is_at.val().replace_bit(k, self.inp.val().behind_tags & (self.inp.val().k == k.to_bits::<5>()));
        }
        self.is_at_l4.next = 0.into();
        for k in 0..5 {
            self.is_at_l4.next = self
                .is_at_l4
                .val()
                .replace_bit(k, self.inp.val().behind_tags & (self.beyond.val() == k.to_bits::<5>()));
        }
        self.placed.d.next.mac = self.is_mac.val();
        self.placed.d.next.at = self.is_at.val();
        self.placed.d.next.far = self.inp.val().behind_tags & (self.inp.val().k >= 3);
        self.placed.d.next.at_l4 = self.is_at_l4.val();
        self.valid0.d.next = self.valid.val();

        comment!("Clock 2: what takes its place");
        self.w.next = self.placed.q.val();
        self.at.next = self.w.val().at;
        self.at_l4.next = self.w.val().at_l4;
        self.ipv4.next = self.job.val().l3 == 1;
        self.ipv6.next = self.job.val().l3 == 2;
        self.has_ports.next = (self.job.val().l4 == 1) | (self.job.val().l4 == 2);

        comment!("no two of the choices meet in one word");
        self.lower.next = 0.into();
        self.upper.next = 0.into();
        self.set_lower.next = false;
        self.set_upper.next = false;
        if self.w.val().push0 {
            self.lower.next = self.lower.val() | self.push0.out.val().get_bits::<16>(0);
            self.upper.next = self.upper.val() | self.push0.out.val().get_bits::<16>(16);
            self.set_lower.next = true;
            self.set_upper.next = true;
        }
        if self.w.val().push1 {
            self.lower.next = self.lower.val() | self.push1.out.val().get_bits::<16>(0);
            self.upper.next = self.upper.val() | self.push1.out.val().get_bits::<16>(16);
            self.set_lower.next = true;
            self.set_upper.next = true;
        }
        if self.w.val().mac.get_bit(0) {
            self.lower.next = self.lower.val() | self.mac.out.val().get_bits::<16>(0);
            self.upper.next = self.upper.val() | self.mac.out.val().get_bits::<16>(16);
            self.set_lower.next = self.step.val().set_dl_dst;
            self.set_upper.next = self.step.val().set_dl_dst;
        }
        if self.w.val().mac.get_bit(1) {
            self.lower.next = self.lower.val() | self.mac.out.val().get_bits::<16>(32);
            self.upper.next = self.upper.val() | self.mac.out.val().get_bits::<16>(48);
            self.set_lower.next = self.step.val().set_dl_dst;
            self.set_upper.next = self.step.val().set_dl_src;
        }
        if self.w.val().mac.get_bit(2) {
            self.lower.next = self.lower.val() | self.mac.out.val().get_bits::<16>(64);
            self.upper.next = self.upper.val() | self.mac.out.val().get_bits::<16>(80);
            self.set_lower.next = self.step.val().set_dl_src;
            self.set_upper.next = self.step.val().set_dl_src;
        }

        comment!("IPv4: source in the words 3 and 4, destination in 4 and 5");
        self.src.next = self.nw_src.out.val();
        self.dst.next = self.nw_dst.out.val();
        self.set_src.next = self.step.val().set_nw_src & self.ipv4.val();
        self.set_dst.next = self.step.val().set_nw_dst & self.ipv4.val();
        if self.set_src.val() & self.at.val().get_bit(3) {
            self.upper.next = self.upper.val() | self.src.val().get_bits::<16>(96);
            self.set_upper.next = true;
        }
        if self.set_src.val() & self.at.val().get_bit(4) {
            self.lower.next = self.lower.val() | self.src.val().get_bits::<16>(112);
            self.set_lower.next = true;
        }
        if self.set_dst.val() & self.at.val().get_bit(4) {
            self.upper.next = self.upper.val() | self.dst.val().get_bits::<16>(96);
            self.set_upper.next = true;
        }
        if self.set_dst.val() & self.at.val().get_bit(5) {
            self.lower.next = self.lower.val() | self.dst.val().get_bits::<16>(112);
            self.set_lower.next = true;
        }

        comment!("IPv6: source in the words 2 to 6, destination in 6 to 10");
        self.set_src.next = self.step.val().set_nw_src & self.ipv6.val();
        self.set_dst.next = self.step.val().set_nw_dst & self.ipv6.val();
        for j in 0..4 {
            if self.set_src.val() & self.at.val().get_bit(j + 2) {
                self.upper.next = self.upper.val() | self.src.val().get_bits::<16>(j * 32);
                self.set_upper.next = true;
            }
            if self.set_src.val() & self.at.val().get_bit(j + 3) {
                self.lower.next = self.lower.val() | self.src.val().get_bits::<16>(j * 32 + 16);
                self.set_lower.next = true;
            }
            if self.set_dst.val() & self.at.val().get_bit(j + 6) {
                self.upper.next = self.upper.val() | self.dst.val().get_bits::<16>(j * 32);
                self.set_upper.next = true;
            }
            if self.set_dst.val() & self.at.val().get_bit(j + 7) {
                self.lower.next = self.lower.val() | self.dst.val().get_bits::<16>(j * 32 + 16);
                self.set_lower.next = true;
            }
        }

        comment!("ports in the two words at the end of the L3 header");
        if self.has_ports.val() & self.step.val().set_tp_src & self.at_l4.val().get_bit(0) {
            self.upper.next = self.upper.val() | self.ports.out.val().get_bits::<16>(0);
            self.set_upper.next = true;
        }
        if self.has_ports.val() & self.step.val().set_tp_dst & self.at_l4.val().get_bit(1) {
            self.lower.next = self.lower.val() | self.ports.out.val().get_bits::<16>(16);
            self.set_lower.next = true;
        }
        self.new_lower.d.next = self.lower.val();
        self.new_upper.d.next = self.upper.val();
        self.replace_lower.d.next = self.set_lower.val();
        self.replace_upper.d.next = self.set_upper.val();
        self.tos4.d.next = self.ipv4.val() & self.at.val().get_bit(0);
        self.tos6.d.next = self.ipv6.val() & self.at.val().get_bit(0);
        self.ttl4.d.next = self.ipv4.val() & self.at.val().get_bit(2);
        self.ttl6.d.next = self.ipv6.val() & self.at.val().get_bit(2);

        comment!("what the checksums are over: of words that do not change it does not matter");
        self.before.d.next.number = self.w.val().number;
        self.before.d.next.old = self.w.val().word;
        self.before.d.next.new = self.w.val().word;
        self.before.d.next.ip_lower =
            self.ipv4.val() & self.at.val().get_bits::<6>(0).any() & !self.at.val().get_bit(3);
        self.before.d.next.ip_upper = self.ipv4.val() & self.at.val().get_bits::<5>(0).any();
        self.before.d.next.ip_sum_lower = self.ipv4.val() & self.at.val().get_bit(3);
        self.before.d.next.l4_lower =
            self.job.val().l4.any() & self.w.val().far & !(self.ipv4.val() & self.at.val().get_bit(3));
        self.before.d.next.l4_upper =
            self.job.val().l4.any() & (self.w.val().far | (self.ipv6.val() & self.at.val().get_bit(2)));
        self.before.d.next.l4_sum_lower = ((self.job.val().l4 == 2) & self.at_l4.val().get_bit(2))
            | ((self.job.val().l4 == 3) & self.at_l4.val().get_bit(1));
        self.before.d.next.l4_sum_upper = (self.job.val().l4 == 1) & self.at_l4.val().get_bit(4);
        self.valid1.d.next = self.valid0.q.val();

        comment!("Clock 3: the edit. TOS and TTL are parts of halves");
        self.old.next = self.before.q.val().old;
        self.tos.next = self.old.val().get_bits::<8>(24);
        if self.tos6.q.val() {
            self.tos.next = (bit_cast::<8, 4>(self.old.val().get_bits::<4>(16)) << 4)
                | bit_cast::<8, 4>(self.old.val().get_bits::<4>(28));
        }
        self.new_tos.next =
            (self.tos.val() & !self.step.val().nw_tos_mask) | (self.step.val().nw_tos & self.step.val().nw_tos_mask);
        self.ttl.next = self.old.val().get_bits::<8>(16);
        if self.ttl6.q.val() {
            self.ttl.next = self.old.val().get_bits::<8>(8);
        }
        self.new_ttl.next = self.ttl.val();
        if self.step.val().ttl_dec.any() {
            self.new_ttl.next = self.ttl.val() - self.step.val().ttl_dec;
        } else if self.step.val().set_nw_ttl {
            self.new_ttl.next = self.step.val().nw_ttl;
        }
        self.lower2.next = self.old.val().get_bits::<16>(0);
        self.upper2.next = self.old.val().get_bits::<16>(16);
        if self.ttl6.q.val() {
            self.lower2.next =
                (bit_cast::<16, 8>(self.new_ttl.val()) << 8) | bit_cast::<16, 8>(self.old.val().get_bits::<8>(0));
        }
        if self.ttl4.q.val() {
            self.upper2.next =
                (bit_cast::<16, 8>(self.old.val().get_bits::<8>(24)) << 8) | bit_cast::<16, 8>(self.new_ttl.val());
        }
        if self.tos4.q.val() {
            self.upper2.next =
                (bit_cast::<16, 8>(self.new_tos.val()) << 8) | bit_cast::<16, 8>(self.old.val().get_bits::<8>(16));
        }
        if self.tos6.q.val() {
            self.upper2.next = (bit_cast::<16, 4>(self.new_tos.val().get_bits::<4>(0)) << 12)
                | (bit_cast::<16, 8>(self.old.val().get_bits::<8>(20)) << 4)
                | bit_cast::<16, 4>(self.new_tos.val().get_bits::<4>(4));
        }
        if self.replace_lower.q.val() {
            self.lower2.next = self.new_lower.q.val();
        }
        if self.replace_upper.q.val() {
            self.upper2.next = self.new_upper.q.val();
        }
        self.after.d.next = self.before.q.val();
        self.after.d.next.new = (bit_cast::<32, 16>(self.upper2.val()) << 16) | bit_cast::<32, 16>(self.lower2.val());
        self.valid2.d.next = self.valid1.q.val();
        self.out.next = self.after.q.val();
        self.out_valid.next = self.valid2.q.val();
    }
}
