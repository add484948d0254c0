// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts into frames what is new in them.

use crate::checksum_sum::{big, word_in};
use crate::summer::Verdict;
use crate::types::{BEAT_BITS, FrameBeat};
use millrace_hdl::base::{DffR, Reg, Skid, Snk, Src};
use rust_hdl_core::prelude::*;

/// Gives out the frames of `inp`, changed as their `verdict` says, or drops them. A frame waits for its verdict. A beat in a clock.
#[millrace_hdl::block]
pub struct Patcher<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<FrameBeat<PAIR_BITS>>,
    pub verdict: Snk<Verdict>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// A pulse for each frame that is dropped, and whose it was.
    pub dropped: Signal<Out, Bit>,
    pub dropped_function: Signal<Out, Bits<8>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// Beat of the frame, 255 for those behind.
    beat: Reg<Bits<8>>,
    dropped_q: DffR<Bit>,
    dropped_function_q: DffR<Bits<8>>,
    skid: Skid<FrameBeat<PAIR_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> Patcher<PAIR_BITS> {
    fn update(&mut self) {
        let frame = self.inp.data;
        let verdict = self.verdict.data;
        let there = self.inp.valid & self.verdict.valid;
        let passes = there & (verdict.drop | self.skid.inp.ready);
        let ends = passes & frame.last;
        self.inp.ready = self.verdict.valid & (verdict.drop | self.skid.inp.ready);
        self.verdict.ready = ends;
        if passes {
            self.beat = if frame.last {
                0
            } else if self.beat.all() {
                self.beat
            } else {
                self.beat + 1
            };
        }
        self.dropped_q = ends & verdict.drop;
        self.dropped_function_q = frame.function;
        self.dropped = self.dropped_q;
        self.dropped_function = self.dropped_function_q;

        comment!("words of the beat that are new");
        let none: Bits<32> = 0;
        let ip = cast::<13>(verdict.ip);
        let cut = verdict.cut;
        let v4 = cut & !verdict.v6;
        let tcp = cut & !verdict.udp;
        let at_length = if cut { word_in(if verdict.v6 { ip + 2 } else { ip + 1 }, self.beat) } else { none };
        let at_id = if v4 { word_in(ip + 2, self.beat) } else { none };
        let at_ip_checksum = if v4 { word_in(ip + 5, self.beat) } else { none };
        let at_high = if cut { word_in(verdict.start + 2, self.beat) } else { none };
        let at_low = if tcp { word_in(verdict.start + 3, self.beat) } else { none };
        let at_flags = if tcp { word_in(verdict.start + 6, self.beat) } else { none };
        let at_checksum = if verdict.sums { word_in(verdict.place, self.beat) } else { none };
        let high = if verdict.udp { verdict.length } else { verdict.sequence.get_bits::<16>(16) };
        let mut data: Bits<BEAT_BITS> = 0;
        for i in 0..32 {
            let mut word = big(frame.data.get_bits::<16>(16 * i));
            if at_length.get_bit(i) {
                word = verdict.ip_length;
            }
            if at_id.get_bit(i) {
                word = verdict.id;
            }
            if at_ip_checksum.get_bit(i) {
                word = verdict.ip_checksum;
            }
            if at_high.get_bit(i) {
                word = high;
            }
            if at_low.get_bit(i) {
                word = verdict.sequence.get_bits::<16>(0);
            }
            if at_flags.get_bit(i) {
                word = verdict.flags;
            }
            if at_checksum.get_bit(i) {
                word = verdict.checksum;
            }
            data |= cast::<BEAT_BITS>(big(word)) << (16 * i);
        }
        self.skid.inp.valid = there & !verdict.drop;
        self.skid.inp.data = FrameBeat { data, ..frame };
        link(self.out, self.skid.out);
        self.idle = !(self.inp.valid | self.dropped_q) & self.skid.empty;
    }
}
