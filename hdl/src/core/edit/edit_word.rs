// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edits a frame's head word by word.

use crate::base::{ByteSwap, Dff, DffR};
use crate::core::types::{Edits, Layout};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A 32-bit word of an outgoing head, and where it comes from. Byte 0 in bits 7:0.
    pub struct HeadWord {
        /// Its number in the outgoing head.
        pub number: Bits<5>,
        /// Its number in the window, unless it is a tag that is pushed.
        pub from: Bits<5>,
        /// It is the first tag that is pushed.
        pub push0: Bit,
        /// It is the second tag that is pushed.
        pub push1: Bit,
        /// Its number behind the tags received: the word that follows them is 0.
        pub k: Bits<5>,
        /// It is that word or one behind it.
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

/// Three clocks from `word` to `out`: where the word is, what takes its place, and the edit. A word per clock; `edits` and `layout` stay the same from a
/// frame's first word to its last one's edit.
///
/// Word k behind the tags is the received EtherType and the first two bytes of L3 for k = 0, and bytes 4k - 2 to 4k + 1 of L3 after
/// that: fields of 32 bits straddle two words.
#[millrace_hdl::block]
pub struct EditWord {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub edits: Signal<In, Edits>,
    pub layout: Signal<In, Layout>,
    pub word: Signal<In, HeadWord>,
    pub valid: Signal<In, Bit>,
    pub out: Signal<Out, EditedWord>,
    pub out_valid: Signal<Out, Bit>,
    // first clock
    placed: Dff<PlacedWord>,
    valid0: DffR<Bit>,
    // second clock
    mac: ByteSwap<96>,
    push0: ByteSwap<32>,
    push1: ByteSwap<32>,
    nw_src: ByteSwap<128>,
    nw_dst: ByteSwap<128>,
    ports: ByteSwap<32>,
    new_lower: Dff<Bits<16>>,
    new_upper: Dff<Bits<16>>,
    replace_lower: Dff<Bit>,
    replace_upper: Dff<Bit>,
    /// The TOS of IPv4 is in the word.
    tos4: Dff<Bit>,
    /// The traffic class of IPv6 is.
    tos6: Dff<Bit>,
    /// The TTL of IPv4 is.
    ttl4: Dff<Bit>,
    /// The hop limit of IPv6 is.
    ttl6: Dff<Bit>,
    /// The word as received, and what else is known of it.
    before: Dff<EditedWord>,
    valid1: DffR<Bit>,
    // third clock
    after: Dff<EditedWord>,
    valid2: DffR<Bit>,
}

#[millrace_hdl::block]
impl EditWord {
    fn update(&mut self) {
        comment!("the step's numbers in wire order");
        let step = self.edits;
        self.mac.inp = (cast::<96>(step.dl_dst) << 48) | cast::<96>(step.dl_src);
        self.push0.inp = (cast::<32>(step.push0_tpid) << 16) | cast::<32>(step.push0_tci);
        self.push1.inp = (cast::<32>(step.push1_tpid) << 16) | cast::<32>(step.push1_tci);
        self.nw_src.inp = step.nw_src;
        self.nw_dst.inp = step.nw_dst;
        self.ports.inp = (cast::<32>(step.tp_src) << 16) | cast::<32>(step.tp_dst);

        comment!("Clock 1: where the word is");
        let inp = self.word;
        self.placed.number = inp.number;
        self.placed.word = inp.word;
        self.placed.push0 = inp.push0;
        self.placed.push1 = inp.push1;
        let beyond = inp.k - cast::<5>(self.layout.l4_words);
        let mut is_mac: Bits<3> = 0;
        for n in 0..3 {
            is_mac.set_bit(n, !inp.push0 & !inp.push1 & (inp.from == n));
        }
        let mut is_at: Bits<12> = 0;
        for k in 0..12 {
            is_at.set_bit(k, inp.behind_tags & (inp.k == k));
        }
        let mut is_at_l4: Bits<5> = 0;
        for k in 0..5 {
            is_at_l4.set_bit(k, inp.behind_tags & (beyond == k));
        }
        self.placed.mac = is_mac;
        self.placed.at = is_at;
        self.placed.far = inp.behind_tags & (inp.k >= 3);
        self.placed.at_l4 = is_at_l4;
        self.valid0 = self.valid;

        comment!("Clock 2: what takes its place");
        let w = self.placed;
        let at = w.at;
        let at_l4 = w.at_l4;
        let ipv4 = self.layout.l3 == 1;
        let ipv6 = self.layout.l3 == 2;
        let has_ports = (self.layout.l4 == 1) | (self.layout.l4 == 2);

        comment!("no two of the choices meet in one word");
        let mut lower: Bits<16> = 0;
        let mut upper: Bits<16> = 0;
        let mut set_lower = false;
        let mut set_upper = false;
        if w.push0 {
            lower |= self.push0.out.get_bits::<16>(0);
            upper |= self.push0.out.get_bits::<16>(16);
            set_lower = true;
            set_upper = true;
        }
        if w.push1 {
            lower |= self.push1.out.get_bits::<16>(0);
            upper |= self.push1.out.get_bits::<16>(16);
            set_lower = true;
            set_upper = true;
        }
        if w.mac.get_bit(0) {
            lower |= self.mac.out.get_bits::<16>(0);
            upper |= self.mac.out.get_bits::<16>(16);
            set_lower = step.set_dl_dst;
            set_upper = step.set_dl_dst;
        }
        if w.mac.get_bit(1) {
            lower |= self.mac.out.get_bits::<16>(32);
            upper |= self.mac.out.get_bits::<16>(48);
            set_lower = step.set_dl_dst;
            set_upper = step.set_dl_src;
        }
        if w.mac.get_bit(2) {
            lower |= self.mac.out.get_bits::<16>(64);
            upper |= self.mac.out.get_bits::<16>(80);
            set_lower = step.set_dl_src;
            set_upper = step.set_dl_src;
        }

        comment!("IPv4: source in the words 3 and 4, destination in 4 and 5");
        let src = self.nw_src.out;
        let dst = self.nw_dst.out;
        let mut set_src = step.set_nw_src & ipv4;
        let mut set_dst = step.set_nw_dst & ipv4;
        if set_src & at.get_bit(3) {
            upper |= src.get_bits::<16>(96);
            set_upper = true;
        }
        if set_src & at.get_bit(4) {
            lower |= src.get_bits::<16>(112);
            set_lower = true;
        }
        if set_dst & at.get_bit(4) {
            upper |= dst.get_bits::<16>(96);
            set_upper = true;
        }
        if set_dst & at.get_bit(5) {
            lower |= dst.get_bits::<16>(112);
            set_lower = true;
        }

        comment!("IPv6: source in the words 2 to 6, destination in 6 to 10");
        set_src = step.set_nw_src & ipv6;
        set_dst = step.set_nw_dst & ipv6;
        for j in 0..4 {
            if set_src & at.get_bit(j + 2) {
                upper |= src.get_bits::<16>(j * 32);
                set_upper = true;
            }
            if set_src & at.get_bit(j + 3) {
                lower |= src.get_bits::<16>(j * 32 + 16);
                set_lower = true;
            }
            if set_dst & at.get_bit(j + 6) {
                upper |= dst.get_bits::<16>(j * 32);
                set_upper = true;
            }
            if set_dst & at.get_bit(j + 7) {
                lower |= dst.get_bits::<16>(j * 32 + 16);
                set_lower = true;
            }
        }

        comment!("ports in the two words at the end of the L3 header");
        if has_ports & step.set_tp_src & at_l4.get_bit(0) {
            upper |= self.ports.out.get_bits::<16>(0);
            set_upper = true;
        }
        if has_ports & step.set_tp_dst & at_l4.get_bit(1) {
            lower |= self.ports.out.get_bits::<16>(16);
            set_lower = true;
        }
        self.new_lower = lower;
        self.new_upper = upper;
        self.replace_lower = set_lower;
        self.replace_upper = set_upper;
        self.tos4 = ipv4 & at.get_bit(0);
        self.tos6 = ipv6 & at.get_bit(0);
        self.ttl4 = ipv4 & at.get_bit(2);
        self.ttl6 = ipv6 & at.get_bit(2);

        comment!("what the checksums are over: of words that do not change it does not matter");
        self.before.number = w.number;
        self.before.old = w.word;
        self.before.new = w.word;
        self.before.ip_lower = ipv4 & at.get_bits::<6>(0).any() & !at.get_bit(3);
        self.before.ip_upper = ipv4 & at.get_bits::<5>(0).any();
        self.before.ip_sum_lower = ipv4 & at.get_bit(3);
        self.before.l4_lower = self.layout.l4.any() & w.far & !(ipv4 & at.get_bit(3));
        self.before.l4_upper = self.layout.l4.any() & (w.far | (ipv6 & at.get_bit(2)));
        self.before.l4_sum_lower =
            ((self.layout.l4 == 2) & at_l4.get_bit(2)) | ((self.layout.l4 == 3) & at_l4.get_bit(1));
        self.before.l4_sum_upper = (self.layout.l4 == 1) & at_l4.get_bit(4);
        self.valid1 = self.valid0;

        comment!("Clock 3: the edit. TOS and TTL are parts of halves");
        let old = self.before.old;
        let tos = if self.tos6 {
            (cast::<8>(old.get_bits::<4>(16)) << 4) | cast::<8>(old.get_bits::<4>(28))
        } else {
            old.get_bits::<8>(24)
        };
        let new_tos = (tos & !step.nw_tos_mask) | (step.nw_tos & step.nw_tos_mask);
        let ttl = if self.ttl6 { old.get_bits::<8>(8) } else { old.get_bits::<8>(16) };
        let new_ttl = if step.ttl_dec.any() {
            ttl - step.ttl_dec
        } else if step.set_nw_ttl {
            step.nw_ttl
        } else {
            ttl
        };
        let mut lower2 = old.get_bits::<16>(0);
        let mut upper2 = old.get_bits::<16>(16);
        if self.ttl6 {
            lower2 = (cast::<16>(new_ttl) << 8) | cast::<16>(old.get_bits::<8>(0));
        }
        if self.ttl4 {
            upper2 = (cast::<16>(old.get_bits::<8>(24)) << 8) | cast::<16>(new_ttl);
        }
        if self.tos4 {
            upper2 = (cast::<16>(new_tos) << 8) | cast::<16>(old.get_bits::<8>(16));
        }
        if self.tos6 {
            upper2 = (cast::<16>(new_tos.get_bits::<4>(0)) << 12)
                | (cast::<16>(old.get_bits::<8>(20)) << 4)
                | cast::<16>(new_tos.get_bits::<4>(4));
        }
        if self.replace_lower {
            lower2 = self.new_lower;
        }
        if self.replace_upper {
            upper2 = self.new_upper;
        }
        self.after = self.before;
        self.after.new = (cast::<32>(upper2) << 16) | cast::<32>(lower2);
        self.valid2 = self.valid1;
        self.out = self.after;
        self.out_valid = self.valid2;
    }
}
