// SPDX-License-Identifier: MIT OR Apache-2.0
//! Windows of the frames that are matched, beat by beat.

use super::types::{MergedBeat, WINDOW_BITS};
use crate::base::{DffE, DffR, Param, Ram, Reg, Tag};
use rust_hdl_core::prelude::*;

/// The first 128 bytes of the last 32 frames. What is past a frame's last beat is left over from another.
///
/// `data` is the beat at `addr` = frame · 16 + beat, two clocks after `read`; the first frame after reset is 0.
#[derive(LogicBlock, Default)]
pub struct HeaderStore<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat: Signal<In, MergedBeat<W, C>>,
    pub valid: Signal<In, Bit>,
    pub read: Signal<In, Bit>,
    pub addr: Signal<In, Bits<9>>,
    pub data: Signal<Out, Bits<W>>,
    ram: Ram<Bits<W>, 9>,
    fetched: DffR<Bit>,
    q: DffE<Bits<W>>,
    /// Of the next beat: its frame, and its number in it, up to that of the first beat behind the window.
    frame: Reg<Bits<5>>,
    number: Reg<Bits<5>>,
    beats: Param<Bits<5>>,
    within: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
}

impl<const W: usize, const C: usize> HeaderStore<W, C> {
    /// Without a frame. (`Default` has no memory: use this.)
    ///
    /// # Panics
    /// If `W` is not 64 to 1,024.
    pub fn new() -> Self {
        assert!((64..=WINDOW_BITS).contains(&W), "beats of {W} bits: 64 to 1024 are possible");
        Self { ram: Ram::new(), beats: Param::new((WINDOW_BITS / W).to_bits()), ..Default::default() }
    }
}

impl<const W: usize, const C: usize> Logic for HeaderStore<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, ram, fetched, q, frame, number);
        self.fetched.reset.next = self.reset.val();
        self.frame.reset.next = self.reset.val();
        self.number.reset.next = self.reset.val();

        self.within.next = self.number.q.val() != self.beats.val();
        self.ends.next = self.valid.val() & self.beat.val().last;
        self.ram.we.next = self.valid.val() & self.within.val();
        self.ram.waddr.next = (bit_cast::<9, 5>(self.frame.q.val()) << 4) | bit_cast::<9, 5>(self.number.q.val());
        self.ram.wdata.next = self.beat.val().data;
        self.frame.en.next = self.ends.val();
        self.frame.d.next = self.frame.q.val() + 1;
        self.number.en.next = self.valid.val() & (self.within.val() | self.beat.val().last);
        self.number.d.next = self.number.q.val() + 1;
        if self.beat.val().last {
            self.number.d.next = 0.into();
        }

        self.ram.re.next = self.read.val();
        self.ram.raddr.next = self.addr.val();
        self.fetched.d.next = self.read.val();
        self.q.en.next = self.fetched.q.val();
        self.q.d.next = self.ram.rdata.val();
        self.data.next = self.q.q.val();
    }
}
