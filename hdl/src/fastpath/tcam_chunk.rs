// SPDX-License-Identifier: MIT OR Apache-2.0
//! Four bits of the TCAM's key.

use crate::base::{LutRam, Tag};
use rust_hdl_core::prelude::*;

/// Which of `T` entries match in four bits of the key: a LUT RAM that holds, for each value of the four bits, one bit per entry.
///
/// `matched` follows `key` in the same clock. In a clock with `we`, the word at `address` gets the bit of the entries selected by
/// `entry` from their `value` and `mask`, and keeps the others'; a second copy of the RAM is read for that.
#[derive(LogicBlock, Default)]
pub struct TcamChunk<const T: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub key: Signal<In, Bits<4>>,
    pub matched: Signal<Out, Bits<T>>,
    pub we: Signal<In, Bit>,
    pub address: Signal<In, Bits<4>>,
    pub entry: Signal<In, Bits<T>>,
    pub value: Signal<In, Bits<4>>,
    pub mask: Signal<In, Bits<4>>,
    lookup: LutRam<Bits<T>, 4>,
    shadow: LutRam<Bits<T>, 4>,
    word: Signal<Local, Bits<T>>,
}

impl<const T: usize> TcamChunk<T> {
    /// A chunk in which nothing matches. (`Default` has no memory.)
    pub fn new() -> Self {
        Self { lookup: LutRam::new(), shadow: LutRam::new(), ..Default::default() }
    }
}

impl<const T: usize> Logic for TcamChunk<T> {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, lookup, shadow);
        self.lookup.raddr.next = self.key.val();
        self.matched.next = self.lookup.rdata.val();

        self.shadow.raddr.next = self.address.val();
        self.word.next = self.shadow.rdata.val() & !self.entry.val();
        if ((self.address.val() ^ self.value.val()) & self.mask.val()) == 0 {
            self.word.next = self.shadow.rdata.val() | self.entry.val();
        }
        self.lookup.we.next = self.we.val();
        self.lookup.waddr.next = self.address.val();
        self.lookup.wdata.next = self.word.val();
        self.shadow.we.next = self.we.val();
        self.shadow.waddr.next = self.address.val();
        self.shadow.wdata.next = self.word.val();
    }
}
