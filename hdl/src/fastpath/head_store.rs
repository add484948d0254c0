// SPDX-License-Identifier: MIT OR Apache-2.0
//! Edited heads, written word by word and read beat by beat.

use crate::base::{LutRam, Param, Tag};
use rust_hdl_core::prelude::*;

/// Two heads of up to 128 bytes. A word is written with `write`, and clears what is behind it in its beat; a 16-bit half of one with
/// `patch`, never both in a clock. `head` is beat `head_number` of head `read_side` in the same clock.
#[derive(LogicBlock, Default)]
pub struct HeadStore<const W: usize> {
    tag: Tag<Self>,
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
    pub head: Signal<Out, Bits<W>>,
    /// By 16-bit half of a beat; a side's beats are 16 apart.
    columns: Vec<LutRam<Bits<16>, 5>>,
    at: Vec<Constant<Bits<11>>>,
    /// Word of the column in the beat, and whether it is the upper half of it.
    pair: Vec<Constant<Bits<5>>>,
    odd: Vec<Constant<Bit>>,
    within_beat: Param<Bits<5>>,
    beat_log2: Param<Bits<3>>,
    place: Signal<Local, Bits<5>>,
    waddr: Signal<Local, Bits<5>>,
    raddr: Signal<Local, Bits<5>>,
    here: Signal<Local, Bit>,
    reached: Signal<Local, Bit>,
    data: Signal<Local, Bits<16>>,
    out: Signal<Local, Bits<W>>,
    _columns: usize,
}

impl<const W: usize> HeadStore<W> {
    /// With zeros. (`Default` has no memory: use this.)
    pub fn new() -> Self {
        let columns = W / 16;
        Self {
            columns: (0..columns).map(|_| LutRam::new()).collect(),
            at: (0..columns).map(|i| Constant::new((i * 16).to_bits())).collect(),
            pair: (0..columns).map(|i| Constant::new((i / 2).to_bits())).collect(),
            odd: (0..columns).map(|i| Constant::new(i % 2 == 1)).collect(),
            within_beat: Param::new((W / 32 - 1).to_bits()),
            beat_log2: Param::new((W / 32).ilog2().to_bits()),
            _columns: columns,
            ..Default::default()
        }
    }
}

impl<const W: usize> Logic for HeadStore<W> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.place.next = self.number.val() & self.within_beat.val();
        self.waddr.next = self.number.val() >> self.beat_log2.val();
        if self.side.val() {
            self.waddr.next = self.waddr.val() | 16;
        }
        self.raddr.next = bit_cast::<5, 4>(self.head_number.val().get_bits::<4>(0));
        if self.read_side.val() {
            self.raddr.next = self.raddr.val() | 16;
        }
        self.out.next = 0.into();
        for i in 0..self._columns {
            self.here.next = self.place.val() == self.pair[i].val();
            self.reached.next = self.place.val() <= self.pair[i].val();
            self.data.next = 0.into();
            if self.patch.val() {
                self.data.next = self.half.val();
            } else if self.here.val() & self.odd[i].val() {
                self.data.next = self.word.val().get_bits::<16>(16);
            } else if self.here.val() {
                self.data.next = self.word.val().get_bits::<16>(0);
            }
            self.columns[i].clock.next = self.clock.val();
            self.columns[i].we.next = (self.write.val() & self.reached.val())
                | (self.patch.val() & self.here.val() & (self.odd[i].val() == self.upper.val()));
            self.columns[i].waddr.next = self.waddr.val();
            self.columns[i].wdata.next = self.data.val();
            self.columns[i].raddr.next = self.raddr.val();
            self.data.next = self.columns[i].rdata.val();
            self.out.next = self.out.val() | (bit_cast::<W, 16>(self.data.val()) << self.at[i].val());
        }
        self.head.next = self.out.val();
    }
}
