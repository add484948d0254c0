// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sums of 16-bit words in a beat.

use crate::types::BEAT_BITS;
use millrace_hdl::base::Dff;
use rust_hdl_core::prelude::*;

/// `total` is the sum of the big-endian words of `data` that `words` names (bit i: bytes 2i and 2i + 1), three clocks later.
#[millrace_hdl::block]
pub struct ChecksumSum {
    pub clock: Signal<In, Clock>,
    pub data: Signal<In, Bits<BEAT_BITS>>,
    pub words: Signal<In, Bits<32>>,
    pub total: Signal<Out, Bits<21>>,
    #[count(8)]
    fours: Vec<Dff<Bits<18>>>,
    #[count(2)]
    sixteens: Vec<Dff<Bits<20>>>,
    all: Dff<Bits<21>>,
}

#[millrace_hdl::block]
impl ChecksumSum {
    fn update(&mut self) {
        for i in 0..8 {
            let mut four: Bits<18> = 0;
            for j in 0..4 {
                let word = big(self.data.get_bits::<16>(16 * (4 * i + j)));
                four += if self.words.get_bit(4 * i + j) { cast::<18>(word) } else { 0 };
            }
            self.fours[i] = four;
        }
        for i in 0..2 {
            let mut sixteen: Bits<20> = 0;
            for j in 0..4 {
                sixteen += cast::<20>(self.fours[4 * i + j]);
            }
            self.sixteens[i] = sixteen;
        }
        self.all = cast::<21>(self.sixteens[0]) + cast::<21>(self.sixteens[1]);
        self.total = self.all;
    }
}

/// The number that two bytes of a frame are, the first of them in bits 7:0; and the other way round.
#[millrace_hdl::function]
pub fn big(bytes: Bits<16>) -> Bits<16> {
    concat::<16>(bytes.get_bits::<8>(0), bytes.get_bits::<8>(8))
}

/// The bit of a frame's 16-bit word in its beat `beat`; none if it is in another.
#[millrace_hdl::function]
pub fn word_in(word: Bits<13>, beat: Bits<8>) -> Bits<32> {
    let one: Bits<32> = 1;
    if word.get_bits::<8>(5) == beat { one << word.get_bits::<5>(0) } else { 0 }
}
