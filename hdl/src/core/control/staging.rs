// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operands of commands: the registers `DATA`.

use crate::base::{Dff, DffR, LutRam, Reg};
use rust_hdl_core::prelude::*;

/// The words that commands use, of 32 bits, all seen at once in `data`, two clocks after `write`. `reset` makes all of them zero.
///
/// What is read back comes from a copy in LUT RAM: a choice among 1,024 bits would draw all of them, which belong beside the tables
/// they go to, to one place. `value` is word `at` of the clock before, 0 if it was not written since reset.
#[millrace_hdl::block]
pub struct Staging<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub at: Signal<In, Bits<{ SIZES.staged_log2 }>>,
    pub write_data: Signal<In, Bits<32>>,
    pub value: Signal<Out, Bits<32>>,
    pub data: Signal<Out, Bits<{ SIZES.data_bits }>>,
    copy: LutRam<Bits<32>, { SIZES.staged_log2 }>,
    written: DffR<Bits<{ SIZES.staged_words }>>,
    /// The write, on its way to the words.
    word: Dff<Bits<32>>,
    load: DffR<Bits<{ SIZES.staged_words }>>,
    words: Vec<Reg<Bits<32>>>,
    read: Dff<Bits<32>>,
    /// The word has been written: `read` means something.
    known: Dff<Bit>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Staging<SIZES> {
    /// Words of zeros. (`Default` has none: use this.)
    pub fn new() -> Self {
        Self {
            copy: LutRam::new(),
            words: (0..SIZES.staged_words).map(|_| Reg::default()).collect(),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let one: Bits<{ SIZES.staged_words }> = 1;
        let mut here: Bits<{ SIZES.staged_words }> = 0;
        if self.write {
            here = one << self.at;
        }
        self.load = here;
        self.word = self.write_data;
        let mut wide: Bits<{ SIZES.data_bits }> = 0;
        for k in 0..SIZES.staged_words {
            if self.load.get_bit(k) {
                self.words[k] = self.word;
            }
            let highest = self.words[k];
            wide = (wide >> 32) | (cast::<{ SIZES.data_bits }>(highest) << (SIZES.data_bits - 32));
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
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::{assert_lints, tick};
    use millrace_regs::config::{Config, Preset};

    const SIM: Sizes = Sizes::of(&Preset::Sim.config());
    const PASSES: Sizes = Sizes::of(&Config { passes: 8, ..Preset::Sim.config() });

    #[test]
    fn every_word_is_kept_at_its_place_and_read_back_and_a_reset_makes_it_zero() {
        let mut s = Box::new(<sized!(Staging<SIM>)>::new());
        s.connect_all();
        let word = |k: u64| 0x0101_0101 * (k + 1);
        for k in 0..SIM.staged_words as u64 {
            (s.write.next, s.at.next, s.write_data.next) = (true, k.into(), word(k).into());
            tick(&mut *s, |s| &mut s.clock);
        }
        s.write.next = false;
        tick(&mut *s, |s| &mut s.clock);
        for k in 0..SIM.staged_words as u64 {
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
        assert_lints(<sized!(Staging<SIM>)>::new());
        assert_lints(<sized!(Staging<PASSES>)>::new());
    }
}
