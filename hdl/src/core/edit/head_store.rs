// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edited heads, written word by word and read beat by beat.

use crate::base::{LutRam, Param};
use rust_hdl_core::prelude::*;

/// Two heads of up to 128 bytes. A word is written with `write`, and clears what is behind it in its beat; a 16-bit half of one with
/// `patch`, never both in a clock. `head` is beat `head_number` of head `read_side` in the same clock.
#[millrace_hdl::block]
pub struct HeadStore<const BUS_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub write: Signal<In, Bit>,
    pub patch: Signal<In, Bit>,
    pub side: Signal<In, Bit>,
    /// Number of the 32-bit word in the head, and which half of it.
    pub number: Signal<In, Bits<5>>,
    pub upper: Signal<In, Bit>,
    pub word: Signal<In, Bits<32>>,
    pub half: Signal<In, Bits<16>>,
    pub read_side: Signal<In, Bit>,
    pub head_number: Signal<In, Bits<12>>,
    pub head: Signal<Out, Bits<BUS_BITS>>,
    /// By 16-bit half of a beat; a side's beats are 16 apart.
    columns: Vec<LutRam<Bits<16>, 5>>,
    at: Vec<Constant<Bits<11>>>,
    /// Word of the column in the beat, and whether it is the upper half of it.
    pair: Vec<Constant<Bits<5>>>,
    odd: Vec<Constant<Bit>>,
    within_beat: Param<Bits<5>>,
    beat_log2: Param<Bits<3>>,
    _columns: usize,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize> HeadStore<BUS_BITS> {
    /// With zeros. (`Default` has no memory: use this.)
    pub fn new() -> Self {
        let columns = BUS_BITS / 16;
        Self {
            columns: (0..columns).map(|_| LutRam::new()).collect(),
            at: (0..columns).map(|i| Constant::new((i * 16).to_bits())).collect(),
            pair: (0..columns).map(|i| Constant::new((i / 2).to_bits())).collect(),
            odd: (0..columns).map(|i| Constant::new(i % 2 == 1)).collect(),
            within_beat: Param::new((BUS_BITS / 32 - 1).to_bits()),
            beat_log2: Param::new((BUS_BITS / 32).ilog2().to_bits()),
            _columns: columns,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let place = self.number & self.within_beat;
        let mut waddr = self.number >> self.beat_log2;
        if self.side {
            waddr |= 16;
        }
        let mut raddr = cast::<5>(self.head_number.get_bits::<4>(0));
        if self.read_side {
            raddr |= 16;
        }
        let mut out: Bits<BUS_BITS> = 0;
        for i in 0..self._columns {
            let here = place == self.pair[i];
            let reached = place <= self.pair[i];
            let data: Bits<16> = if self.patch {
                self.half
            } else if here & self.odd[i] {
                self.word.get_bits::<16>(16)
            } else if here {
                self.word.get_bits::<16>(0)
            } else {
                0
            };

            self.columns[i].we = (self.write & reached) | (self.patch & here & (self.odd[i] == self.upper));
            self.columns[i].waddr = waddr;
            self.columns[i].wdata = data;
            self.columns[i].raddr = raddr;
            out |= cast::<BUS_BITS>(self.columns[i].rdata) << self.at[i];
        }
        self.head = out;
    }
}
