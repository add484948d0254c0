// SPDX-License-Identifier: MIT OR Apache-2.0
//! Windows of the frames that are matched, beat by beat.

use crate::base::{DffE, DffR, Param, Ram, Reg};
use crate::core::types::{MergedBeat, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// The first 128 bytes of the last 32 frames. What is past a frame's last beat is left over from another.
///
/// `data` is the beat at `addr` = frame · 16 + beat, two clocks after `read`; the first frame after reset is 0.
#[millrace_hdl::block]
pub struct HeaderStore<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub valid: Signal<In, Bit>,
    pub read: Signal<In, Bit>,
    pub addr: Signal<In, Bits<9>>,
    pub data: Signal<Out, Bits<BUS_BITS>>,
    ram: Ram<Bits<BUS_BITS>, 9>,
    fetched: DffR<Bit>,
    q: DffE<Bits<BUS_BITS>>,
    /// The frame of the next beat.
    frame: Reg<Bits<5>>,
    /// Number of the next beat in its frame, up to that of the first beat behind the window.
    number: Reg<Bits<5>>,
    beats: Param<Bits<5>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> HeaderStore<BUS_BITS, COUNT_BITS> {
    /// Without a frame. (`Default` has no memory: use this.)
    ///
    /// # Panics
    /// If `BUS_BITS` is not 64 to 1,024.
    pub fn new() -> Self {
        assert!((64..=WINDOW_BITS).contains(&BUS_BITS), "beats of {BUS_BITS} bits: 64 to 1024 are possible");
        Self { ram: Ram::new(), beats: Param::new((WINDOW_BITS / BUS_BITS).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        let within = self.number != self.beats;
        let ends = self.valid & self.beat.last;
        self.ram.we = self.valid & within;
        self.ram.waddr = (cast::<9>(self.frame) << 4) | cast::<9>(self.number);
        self.ram.wdata = self.beat.data;
        if ends {
            self.frame += 1;
        }
        if self.valid & (within | self.beat.last) {
            self.number += 1;
            if self.beat.last {
                self.number = 0;
            }
        }

        self.ram.re = self.read;
        self.ram.raddr = self.addr;
        self.fetched = self.read;
        if self.fetched {
            self.q = self.ram.rdata;
        }
        self.data = self.q;
    }
}
