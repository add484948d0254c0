// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operands of commands: the registers `DATA`.

use crate::base::{Dff, DffR, LutRam, Reg};
use crate::core::types::{DATA_BITS, STAGED_WORDS};
use rust_hdl_core::prelude::*;

/// Bits of a word's number.
pub const STAGED_LOG2: usize = STAGED_WORDS.next_power_of_two().ilog2() as usize;

/// The words that commands use, of 32 bits, all seen at once in `data`, two clocks after `write`. `reset` makes all of them zero.
///
/// What is read back comes from a copy in LUT RAM: a choice among 1,024 bits would draw all of them, which belong beside the tables
/// they go to, to one place. `value` is word `at` of the clock before, 0 if it was not written since reset.
#[millrace_hdl::block]
pub struct Staging {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub at: Signal<In, Bits<STAGED_LOG2>>,
    pub write_data: Signal<In, Bits<32>>,
    pub value: Signal<Out, Bits<32>>,
    pub data: Signal<Out, Bits<DATA_BITS>>,
    copy: LutRam<Bits<32>, STAGED_LOG2>,
    written: DffR<Bits<STAGED_WORDS>>,
    /// The write, on its way to the words.
    word: Dff<Bits<32>>,
    load: DffR<Bits<STAGED_WORDS>>,
    words: Vec<Reg<Bits<32>>>,
    read: Dff<Bits<32>>,
    /// The word has been written: `read` means something.
    known: Dff<Bit>,
}

#[millrace_hdl::block]
impl Staging {
    /// Words of zeros. (`Default` has none: use this.)
    pub fn new() -> Self {
        Self { copy: LutRam::new(), words: (0..STAGED_WORDS).map(|_| Reg::default()).collect(), ..Default::default() }
    }

    fn update(&mut self) {
        let one: Bits<STAGED_WORDS> = 1;
        let mut here: Bits<STAGED_WORDS> = 0;
        if self.write {
            here = one << self.at;
        }
        self.load = here;
        self.word = self.write_data;
        let mut wide: Bits<DATA_BITS> = 0;
        for k in 0..STAGED_WORDS {
            if self.load.get_bit(k) {
                self.words[k] = self.word;
            }
            let highest = self.words[k];
            wide = (wide >> 32) | (cast::<DATA_BITS>(highest) << (DATA_BITS - 32));
        }
        self.data = wide;

        self.written |= here;
        self.copy.we = self.write;
        self.copy.waddr = self.at;
        self.copy.wdata = self.write_data;
        self.copy.raddr = self.at;
        let at_or_above = self.written >> self.at;
        self.known = at_or_above.get_bit(0);
        self.read = self.copy.rdata;
        self.value = if self.known { self.read } else { 0 };
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
        for k in 0..STAGED_WORDS as u64 {
            (s.write.next, s.at.next, s.write_data.next) = (true, k.into(), word(k).into());
            tick(&mut *s, |s| &mut s.clock);
        }
        s.write.next = false;
        tick(&mut *s, |s| &mut s.clock);
        for k in 0..STAGED_WORDS as u64 {
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
