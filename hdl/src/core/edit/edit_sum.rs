// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incremental checksums of the header editor, word by word: RFC 1624, equation 3.

use super::edit_word::EditedWord;
use crate::base::{Dff, DffE, DffR, Reg};
use rust_hdl_core::prelude::*;

/// Sums up the words of a head as they are edited; five clocks after its last word, `ip` and `l4` are the checksums it must get.
///
/// `HC' = ~(~HC + sum of (~m + m'))`, as in [`EditChecksum`](super::edit_checksum::EditChecksum), which says why the sum may be folded at
/// the end. `clear` comes before a head's first word.
#[millrace_hdl::block]
pub struct EditSum {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub clear: Signal<In, Bit>,
    pub word: Signal<In, EditedWord>,
    pub valid: Signal<In, Bit>,
    pub udp: Signal<In, Bit>,
    /// The checksum of IPv4 changes.
    pub ip_changes: Signal<Out, Bit>,
    /// What it changes to.
    pub ip: Signal<Out, Bits<16>>,
    /// The word that has it in its lower half.
    pub ip_at: Signal<Out, Bits<5>>,
    /// The checksum of L4 changes.
    pub l4_changes: Signal<Out, Bit>,
    /// What it changes to.
    pub l4: Signal<Out, Bits<16>>,
    /// The word that has it.
    pub l4_at: Signal<Out, Bits<5>>,
    /// It is in the upper half of that word.
    pub l4_upper: Signal<Out, Bit>,
    // first clock: what each half adds
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
    // second and third clock: the word's sum, and the head's
    ip_pair: Dff<Bits<18>>,
    l4_pair: Dff<Bits<18>>,
    ip_total: Reg<Bits<22>>,
    l4_total: Reg<Bits<22>>,
    // fourth and fifth clock: add what runs over 16 bits, twice
    ip_fold: Dff<Bits<17>>,
    l4_fold: Dff<Bits<17>>,
    ip_q: Dff<Bits<16>>,
    l4_q: Dff<Bits<16>>,
}

#[millrace_hdl::block]
impl EditSum {
    fn update(&mut self) {
        comment!("clock 1: what each half adds; a checksum itself adds its complement");
        let w = self.word;
        let m = w.old.get_bits::<16>(0);
        let n = w.new.get_bits::<16>(0);
        let is_sum = w.ip_sum_lower | w.l4_sum_lower;
        let lower_changes = m != n;
        let mut term: Bits<17> = 0;
        if is_sum {
            term = cast::<17>(!m);
        } else if lower_changes {
            term = cast::<17>(!m) + cast::<17>(n);
        }
        self.lower = term;
        let sum_here = self.valid & w.l4_sum_lower;
        self.l4_none.d = !m.any();
        let upper_m = w.old.get_bits::<16>(16);
        let upper_n = w.new.get_bits::<16>(16);
        let upper_changes = upper_m != upper_n;
        let mut upper_term: Bits<17> = 0;
        if w.l4_sum_upper {
            upper_term = cast::<17>(!upper_m);
        } else if upper_changes {
            upper_term = cast::<17>(!upper_m) + cast::<17>(upper_n);
        }
        self.upper = upper_term;
        self.ip_lower = w.ip_lower | w.ip_sum_lower;
        self.ip_upper = w.ip_upper;
        self.l4_lower = w.l4_lower | w.l4_sum_lower;
        self.l4_upper_q = w.l4_upper | w.l4_sum_upper;
        self.valid1 = self.valid;

        comment!("which checksums change, and where they are");
        self.ip_touched.reset = self.clear;
        if self.valid & ((w.ip_lower & lower_changes) | (w.ip_upper & upper_changes)) {
            self.ip_touched = true;
        }
        self.l4_touched.reset = self.clear;
        if self.valid & ((w.l4_lower & lower_changes) | (w.l4_upper & upper_changes)) {
            self.l4_touched = true;
        }
        if self.valid & w.ip_sum_lower {
            self.ip_place = w.number;
        }
        self.l4_none.en = sum_here;
        if sum_here | (self.valid & w.l4_sum_upper) {
            self.l4_place = w.number;
            self.l4_half = w.l4_sum_upper;
        }

        comment!("clocks 2 and 3: sums of the word and of the head");
        let mut a: Bits<18> = 0;
        let mut b: Bits<18> = 0;
        if self.valid1 & self.ip_lower {
            a = cast::<18>(self.lower);
        }
        if self.valid1 & self.ip_upper {
            b = cast::<18>(self.upper);
        }
        self.ip_pair = a + b;
        a = 0;
        b = 0;
        if self.valid1 & self.l4_lower {
            a = cast::<18>(self.lower);
        }
        if self.valid1 & self.l4_upper_q {
            b = cast::<18>(self.upper);
        }
        self.l4_pair = a + b;
        self.ip_total.reset = self.clear;
        self.ip_total = self.ip_total + cast::<22>(self.ip_pair);
        self.l4_total.reset = self.clear;
        self.l4_total = self.l4_total + cast::<22>(self.l4_pair);

        comment!("clocks 4 and 5: add what runs over 16 bits, and UDP's rules for zero");
        self.ip_fold = cast::<17>(self.ip_total.get_bits::<16>(0)) + cast::<17>(self.ip_total.get_bits::<6>(16));
        self.l4_fold = cast::<17>(self.l4_total.get_bits::<16>(0)) + cast::<17>(self.l4_total.get_bits::<6>(16));
        let ip_new = !(self.ip_fold.get_bits::<16>(0) + cast::<16>(self.ip_fold.get_bits::<1>(16)));
        let mut l4_new = !(self.l4_fold.get_bits::<16>(0) + cast::<16>(self.l4_fold.get_bits::<1>(16)));
        if self.udp & !l4_new.any() {
            l4_new = !l4_new;
        }
        self.ip_q = ip_new;
        self.l4_q = l4_new;

        self.ip_changes = self.ip_touched;
        self.ip = self.ip_q;
        self.ip_at = self.ip_place;
        self.l4_changes = self.l4_touched & !(self.udp & self.l4_none);
        self.l4 = self.l4_q;
        self.l4_at = self.l4_place;
        self.l4_upper = self.l4_half;
    }
}
