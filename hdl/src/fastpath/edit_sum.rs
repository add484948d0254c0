// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incremental checksums of the header editor, word by word: RFC 1624, equation 3.

use super::edit_word::EditedWord;
use crate::base::{Dff, DffE, DffR, Reg, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Sums up the words of a head as they are edited; five clocks after its last word, `ip` and `l4` are the checksums it must get.
///
/// `HC' = ~(~HC + sum of (~m + m'))`, as in [`EditChecksum`](super::edit_checksum::EditChecksum), which says why the sum may be folded at
/// the end. `clear` comes before a head's first word.
#[derive(LogicBlock, Default)]
pub struct EditSum {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub clear: Signal<In, Bit>,
    pub word: Signal<In, EditedWord>,
    pub valid: Signal<In, Bit>,
    pub udp: Signal<In, Bit>,
    /// The checksum of IPv4 changes to `ip`; it is in the lower half of word `ip_at`.
    pub ip_changes: Signal<Out, Bit>,
    pub ip: Signal<Out, Bits<16>>,
    pub ip_at: Signal<Out, Bits<5>>,
    /// Likewise that of L4, in the upper half of its word with `l4_upper`.
    pub l4_changes: Signal<Out, Bit>,
    pub l4: Signal<Out, Bits<16>>,
    pub l4_at: Signal<Out, Bits<5>>,
    pub l4_upper: Signal<Out, Bit>,
    // first clock: what each half adds
    w: Signal<Local, EditedWord>,
    m: Signal<Local, Bits<16>>,
    n: Signal<Local, Bits<16>>,
    is_sum: Signal<Local, Bit>,
    lower_changes: Signal<Local, Bit>,
    upper_changes: Signal<Local, Bit>,
    term: Signal<Local, Bits<17>>,
    upper_m: Signal<Local, Bits<16>>,
    upper_n: Signal<Local, Bits<16>>,
    upper_term: Signal<Local, Bits<17>>,
    lower: Dff<Bits<17>>,
    upper: Dff<Bits<17>>,
    ip_lower: Dff<Bit>,
    ip_upper: Dff<Bit>,
    l4_lower: Dff<Bit>,
    l4_upper_q: Dff<Bit>,
    valid1: DffR<Bit>,
    ip_touched: Reg<Bit>,
    l4_touched: Reg<Bit>,
    ip_place: DffE<Bits<5>>,
    l4_place: DffE<Bits<5>>,
    l4_half: DffE<Bit>,
    l4_none: DffE<Bit>,
    sum_here: Signal<Local, Bit>,
    // second and third clock: the word's sum, and the head's
    a: Signal<Local, Bits<18>>,
    b: Signal<Local, Bits<18>>,
    ip_pair: Dff<Bits<18>>,
    l4_pair: Dff<Bits<18>>,
    ip_total: Reg<Bits<22>>,
    l4_total: Reg<Bits<22>>,
    // fourth and fifth clock: add what runs over 16 bits, twice
    ip_fold: Dff<Bits<17>>,
    l4_fold: Dff<Bits<17>>,
    ip_new: Signal<Local, Bits<16>>,
    l4_new: Signal<Local, Bits<16>>,
    ip_q: Dff<Bits<16>>,
    l4_q: Dff<Bits<16>>,
}

impl Logic for EditSum {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, lower, upper, ip_lower, ip_upper, l4_lower, l4_upper_q, valid1, ip_touched, l4_touched);
        clock!(self, clock, ip_place, l4_place, l4_half, l4_none, ip_pair, l4_pair, ip_total, l4_total);
        clock!(self, clock, ip_fold, l4_fold, ip_q, l4_q);
        self.valid1.reset.next = self.reset.val();

        comment!("clock 1: what each half adds; a checksum itself adds its complement");
        self.w.next = self.word.val();
        self.m.next = self.w.val().old.get_bits::<16>(0);
        self.n.next = self.w.val().new.get_bits::<16>(0);
        self.is_sum.next = self.w.val().ip_sum_lower | self.w.val().l4_sum_lower;
        self.lower_changes.next = self.m.val() != self.n.val();
        self.term.next = 0.into();
        if self.is_sum.val() {
            self.term.next = bit_cast::<17, 16>(!self.m.val());
        } else if self.lower_changes.val() {
            self.term.next = bit_cast::<17, 16>(!self.m.val()) + bit_cast::<17, 16>(self.n.val());
        }
        self.lower.d.next = self.term.val();
        self.sum_here.next = self.valid.val() & self.w.val().l4_sum_lower;
        self.l4_none.d.next = !self.m.val().any();
        self.upper_m.next = self.w.val().old.get_bits::<16>(16);
        self.upper_n.next = self.w.val().new.get_bits::<16>(16);
        self.upper_changes.next = self.upper_m.val() != self.upper_n.val();
        self.upper_term.next = 0.into();
        if self.w.val().l4_sum_upper {
            self.upper_term.next = bit_cast::<17, 16>(!self.upper_m.val());
        } else if self.upper_changes.val() {
            self.upper_term.next = bit_cast::<17, 16>(!self.upper_m.val()) + bit_cast::<17, 16>(self.upper_n.val());
        }
        self.upper.d.next = self.upper_term.val();
        self.ip_lower.d.next = self.w.val().ip_lower | self.w.val().ip_sum_lower;
        self.ip_upper.d.next = self.w.val().ip_upper;
        self.l4_lower.d.next = self.w.val().l4_lower | self.w.val().l4_sum_lower;
        self.l4_upper_q.d.next = self.w.val().l4_upper | self.w.val().l4_sum_upper;
        self.valid1.d.next = self.valid.val();

        comment!("which checksums change, and where they are");
        self.ip_touched.reset.next = self.clear.val();
        self.ip_touched.en.next = self.valid.val()
            & ((self.w.val().ip_lower & self.lower_changes.val()) | (self.w.val().ip_upper & self.upper_changes.val()));
        self.ip_touched.d.next = true;
        self.l4_touched.reset.next = self.clear.val();
        self.l4_touched.en.next = self.valid.val()
            & ((self.w.val().l4_lower & self.lower_changes.val()) | (self.w.val().l4_upper & self.upper_changes.val()));
        self.l4_touched.d.next = true;
        self.ip_place.en.next = self.valid.val() & self.w.val().ip_sum_lower;
        self.ip_place.d.next = self.w.val().number;
        self.l4_none.en.next = self.sum_here.val();
        self.l4_place.en.next = self.sum_here.val() | (self.valid.val() & self.w.val().l4_sum_upper);
        self.l4_place.d.next = self.w.val().number;
        self.l4_half.en.next = self.sum_here.val() | (self.valid.val() & self.w.val().l4_sum_upper);
        self.l4_half.d.next = self.w.val().l4_sum_upper;

        comment!("clocks 2 and 3: sums of the word and of the head");
        self.a.next = 0.into();
        self.b.next = 0.into();
        if self.valid1.q.val() & self.ip_lower.q.val() {
            self.a.next = bit_cast::<18, 17>(self.lower.q.val());
        }
        if self.valid1.q.val() & self.ip_upper.q.val() {
            self.b.next = bit_cast::<18, 17>(self.upper.q.val());
        }
        self.ip_pair.d.next = self.a.val() + self.b.val();
        self.a.next = 0.into();
        self.b.next = 0.into();
        if self.valid1.q.val() & self.l4_lower.q.val() {
            self.a.next = bit_cast::<18, 17>(self.lower.q.val());
        }
        if self.valid1.q.val() & self.l4_upper_q.q.val() {
            self.b.next = bit_cast::<18, 17>(self.upper.q.val());
        }
        self.l4_pair.d.next = self.a.val() + self.b.val();
        self.ip_total.reset.next = self.clear.val();
        self.ip_total.en.next = true;
        self.ip_total.d.next = self.ip_total.q.val() + bit_cast::<22, 18>(self.ip_pair.q.val());
        self.l4_total.reset.next = self.clear.val();
        self.l4_total.en.next = true;
        self.l4_total.d.next = self.l4_total.q.val() + bit_cast::<22, 18>(self.l4_pair.q.val());

        comment!("clocks 4 and 5: add what runs over 16 bits, and UDP's rules for zero");
        self.ip_fold.d.next = bit_cast::<17, 16>(self.ip_total.q.val().get_bits::<16>(0))
            + bit_cast::<17, 6>(self.ip_total.q.val().get_bits::<6>(16));
        self.l4_fold.d.next = bit_cast::<17, 16>(self.l4_total.q.val().get_bits::<16>(0))
            + bit_cast::<17, 6>(self.l4_total.q.val().get_bits::<6>(16));
        self.ip_new.next =
            !(self.ip_fold.q.val().get_bits::<16>(0) + bit_cast::<16, 1>(self.ip_fold.q.val().get_bits::<1>(16)));
        self.l4_new.next =
            !(self.l4_fold.q.val().get_bits::<16>(0) + bit_cast::<16, 1>(self.l4_fold.q.val().get_bits::<1>(16)));
        if self.udp.val() & !self.l4_new.val().any() {
            self.l4_new.next = !self.l4_new.val();
        }
        self.ip_q.d.next = self.ip_new.val();
        self.l4_q.d.next = self.l4_new.val();

        self.ip_changes.next = self.ip_touched.q.val();
        self.ip.next = self.ip_q.q.val();
        self.ip_at.next = self.ip_place.q.val();
        self.l4_changes.next = self.l4_touched.q.val() & !(self.udp.val() & self.l4_none.q.val());
        self.l4.next = self.l4_q.q.val();
        self.l4_at.next = self.l4_place.q.val();
        self.l4_upper.next = self.l4_half.q.val();
    }
}
