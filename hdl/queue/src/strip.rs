// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes off what drivers put before a frame.

use crate::types::{BEAT_BITS, BEAT_BYTES, FrameBeat, LONG_HEADER, NetHeader, SHORT_HEADER, SentBeat};
use millrace_hdl::base::{DffE, DffR, Skid, Snk, Src};
use rust_hdl_core::prelude::*;

/// The headers' lengths in bits, and together in bytes.
const SHORT: usize = 8 * SHORT_HEADER;
const LONG: usize = 8 * LONG_HEADER;

/// Takes the first 12 bytes off each chain, which go beside the first beat, and 32 further ones if it is of function 0. A beat in a clock.
///
/// A chain that ends with `error` before a beat of its frame has left gives nothing.
#[millrace_hdl::block]
pub struct Strip<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<FrameBeat<PAIR_BITS>>,
    pub out: Src<SentBeat<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// The beat before, of which what lies behind the header has not left; and whether it is all that is left of its chain.
    before: DffE<FrameBeat<PAIR_BITS>>,
    before_valid: DffR<Bit>,
    /// A beat of the frame has left.
    open: DffR<Bit>,
    skid: Skid<SentBeat<PAIR_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> Strip<PAIR_BITS> {
    fn update(&mut self) {
        let before = self.before;
        let next = self.inp.data;
        let long = !before.function.any();
        let header: Bits<7> = if long { LONG_HEADER } else { SHORT_HEADER };

        comment!("what is left of the beat before, and what the next one adds to it");
        let ends_alone = before.last;
        let above = if ends_alone { 0 } else { next.data };
        let data = if long {
            (before.data >> LONG) | (above << (BEAT_BITS - LONG))
        } else {
            (before.data >> SHORT) | (above << (BEAT_BITS - SHORT))
        };
        // The next beat ends within what this one has room for.
        let covered = next.last & (next.bytes <= header);
        let bytes = if ends_alone {
            before.bytes - header
        } else if covered {
            BEAT_BYTES - header + next.bytes
        } else {
            BEAT_BYTES
        };
        let last = ends_alone | covered;
        let error = if ends_alone { before.error } else { covered & next.error };
        let unseen = last & error & !self.open;
        let wanted = self.before_valid & (ends_alone | self.inp.valid);
        self.skid.inp.valid = wanted & !unseen;
        let frame: FrameBeat<PAIR_BITS> = FrameBeat { data, bytes, last, error, ..before };
        self.skid.inp.data = SentBeat { frame, header: unpack::<NetHeader>(before.data.get_bits::<SHORT>(0)) };
        link(self.out, self.skid.out);
        let moves = wanted & (unseen | self.skid.inp.ready);
        self.open = if moves { !last } else { self.open };

        comment!("a beat is kept, unless all of it has left");
        let free = !self.before_valid | moves;
        let takes = free & self.inp.valid;
        let used_up = moves & !ends_alone & covered;
        self.inp.ready = free;
        self.before_valid = (takes & !used_up) | (self.before_valid & !free);
        if takes {
            self.before = next;
        }
        self.idle = !self.before_valid & !self.inp.valid & self.skid.empty;
    }
}
