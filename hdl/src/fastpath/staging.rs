// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operands of commands: the registers `DATA`.

use crate::base::{Dff, DffR, LutRam, Reg, Tag};
use rust_hdl_core::prelude::*;

/// 32 words of 32 bits that are all seen at once in `data`, two clocks after `write`. `reset` makes all of them zero.
///
/// What is read back comes from a copy in LUT RAM: a choice among 1,024 bits would draw all of them, which belong beside the tables
/// they go to, to one place. `value` is word `at` of the clock before, 0 if it was not written since reset.
#[derive(LogicBlock, Default)]
pub struct Staging {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub at: Signal<In, Bits<5>>,
    pub write_data: Signal<In, Bits<32>>,
    pub value: Signal<Out, Bits<32>>,
    pub data: Signal<Out, Bits<1024>>,
    copy: LutRam<Bits<32>, 5>,
    written: DffR<Bits<32>>,
    /// The write, on its way to the words.
    word: Dff<Bits<32>>,
    load: DffR<Bits<32>>,
    words: Vec<Reg<Bits<32>>>,
    read: Dff<Bits<32>>,
    /// The word has been written: `read` means something.
    known: Dff<Bit>,
    one: Signal<Local, Bits<32>>,
    here: Signal<Local, Bits<32>>,
    at_or_above: Signal<Local, Bits<32>>,
    highest: Signal<Local, Bits<32>>,
    wide: Signal<Local, Bits<1024>>,
}

impl Staging {
    /// Words of zeros. (`Default` has none: use this.)
    pub fn new() -> Self {
        Self { copy: LutRam::new(), words: (0..32).map(|_| Reg::default()).collect(), ..Default::default() }
    }
}

impl Logic for Staging {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, copy, written, word, load, read, known);
        self.written.reset.next = self.reset.val();
        self.load.reset.next = self.reset.val();

        self.one.next = 1.into();
        self.here.next = 0.into();
        if self.write.val() {
            self.here.next = self.one.val() << self.at.val();
        }
        self.load.d.next = self.here.val();
        self.word.d.next = self.write_data.val();
        self.wide.next = 0.into();
        for k in 0..32 {
            self.words[k].clock.next = self.clock.val();
            self.words[k].reset.next = self.reset.val();
            self.words[k].en.next = self.load.q.val().get_bit(k);
            self.words[k].d.next = self.word.q.val();
            self.highest.next = self.words[k].q.val();
            self.wide.next = (self.wide.val() >> 32) | (bit_cast::<1024, 32>(self.highest.val()) << 992);
        }
        self.data.next = self.wide.val();

        self.written.d.next = self.written.q.val() | self.here.val();
        self.copy.we.next = self.write.val();
        self.copy.waddr.next = self.at.val();
        self.copy.wdata.next = self.write_data.val();
        self.copy.raddr.next = self.at.val();
        self.at_or_above.next = self.written.q.val() >> self.at.val();
        self.known.d.next = self.at_or_above.val().get_bit(0);
        self.read.d.next = self.copy.rdata.val();
        self.value.next = 0.into();
        if self.known.q.val() {
            self.value.next = self.read.q.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};

    #[test]
    fn every_word_is_kept_at_its_place_and_read_back_and_a_reset_makes_it_zero() {
        let mut s = Box::new(Staging::new());
        s.connect_all();
        let word = |k: u64| 0x0101_0101 * (k + 1);
        for k in 0..32u64 {
            (s.write.next, s.at.next, s.write_data.next) = (true, k.into(), word(k).into());
            tick(&mut *s, |s| &mut s.clock);
        }
        s.write.next = false;
        tick(&mut *s, |s| &mut s.clock);
        for k in 0..32u64 {
            s.at.next = k.into();
            tick(&mut *s, |s| &mut s.clock);
            assert_eq!(s.value.val().to_u64(), word(k));
            assert_eq!(s.data.val().get_bits::<32>(32 * k as usize).to_u64(), word(k));
        }
        s.reset.next = true;
        tick(&mut *s, |s| &mut s.clock);
        assert_eq!(s.data.val(), 0);
        tick(&mut *s, |s| &mut s.clock);
        assert_eq!(s.value.val().to_u64(), 0);
    }

    #[test]
    fn staging_emits_clean_verilog() {
        assert_lints(Staging::new());
    }
}
