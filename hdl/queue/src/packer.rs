// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts the bytes of a chain side by side.

use crate::types::{BEAT_BITS, BEAT_BYTES, FrameBeat, Piece};
use millrace_hdl::base::{DffE, DffR, Skid, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A piece on its way through the rotation.
    pub struct Turning<const PAIR_BITS: usize> {
        pub piece: Piece<PAIR_BITS>,
        /// By how many bytes its data goes down, round the beat.
        pub turn: Bits<6>,
        /// Bytes of its chain that wait for it, in a beat that is not full.
        pub before: Bits<6>,
        /// Nothing of its chain was before it.
        pub opens: Bit,
    }
}

/// From `pieces`, which begin anywhere in their beats, to beats that are full but for the last of a chain. A piece in a clock, but that a chain's end
/// that needs two beats takes two. Bytes past `bytes` are zero.
///
/// A chain that ends with `error` without a byte ends with a beat all the same, of 1 byte or more, if it has begun; and with none otherwise.
#[millrace_hdl::block]
pub struct Packer<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub pieces: Snk<Piece<PAIR_BITS>>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    /// Bytes of the present chain in the last beat that is not full, and whether it has begun.
    fill: DffR<Bits<6>>,
    open: DffR<Bit>,
    /// Two steps of the rotation: by multiples of 8 bytes, by single ones.
    coarse: DffE<Turning<PAIR_BITS>>,
    coarse_valid: DffR<Bit>,
    fine: DffE<Turning<PAIR_BITS>>,
    fine_valid: DffR<Bit>,
    /// The bytes that wait, from the lowest place on; and whether they are the end of a chain.
    rest: DffE<Bits<BEAT_BITS>>,
    ending: DffR<Bit>,
    ending_beat: DffE<FrameBeat<PAIR_BITS>>,
    skid: Skid<FrameBeat<PAIR_BITS>>,
}

/// `data` moved down by `bytes`, what leaves below entering above.
#[millrace_hdl::function]
pub fn turned(data: Bits<BEAT_BITS>, bytes: Bits<6>) -> Bits<BEAT_BITS> {
    let bits = cast::<10>(bytes) << 3;
    let width: Bits<10> = BEAT_BITS;
    let up = width - bits;
    (data >> bits) | (data << up)
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> Packer<PAIR_BITS> {
    fn update(&mut self) {
        comment!("the end of a chain that did not fit its last beat goes first; then beats that are full, or the last");
        let fine = self.fine;
        let piece = fine.piece;
        let sum = cast::<8>(fine.before) + cast::<8>(piece.count);
        let all = !Bits::<BEAT_BITS>::default();
        let below = all >> (BEAT_BITS - (cast::<10>(fine.before) << 3));
        let held = if fine.opens { 0 } else { self.rest & below };
        // What a piece brings ends where the sum says, in this beat or, past its end, in the next.
        let over = sum > BEAT_BYTES;
        let up_to = all >> (BEAT_BITS - (cast::<10>(sum.get_bits::<6>(0)) << 3));
        let brought = piece.data & !below;
        let joined = if over | (sum == BEAT_BYTES) { held | brought } else { held | (brought & up_to) };
        let carried = piece.data & up_to;
        let full = sum >= BEAT_BYTES;
        let bare = piece.last & piece.error & !piece.count.any();
        let nothing = bare & fine.opens;
        let mut bytes = if full { BEAT_BYTES } else { cast::<7>(sum) };
        if bare & !fine.before.any() {
            bytes = 1;
        }
        let gives = (full | piece.last) & !nothing;
        let splits = piece.last & over;
        let beat: FrameBeat<PAIR_BITS> = FrameBeat {
            data: joined,
            bytes,
            last: piece.last & !over,
            pair: piece.pair,
            function: piece.function,
            offloads: piece.offloads,
            error: piece.error & !over,
        };
        self.skid.inp.valid = self.ending | (self.fine_valid & gives);
        self.skid.inp.data = if self.ending { self.ending_beat } else { beat };
        link(self.out, self.skid.out);
        let steps = !self.ending & (!self.fine_valid | !gives | self.skid.inp.ready);
        let stays = self.ending & !self.skid.inp.ready;
        let passes = steps & self.fine_valid;
        self.ending = (passes & splits) | stays;
        if passes {
            self.rest = if over | (sum == BEAT_BYTES) { carried } else { joined };
            self.ending_beat = FrameBeat {
                data: carried,
                bytes: cast::<7>(sum.get_bits::<6>(0)),
                last: true,
                pair: piece.pair,
                function: piece.function,
                offloads: piece.offloads,
                error: piece.error,
            };
        }

        comment!("turn the data so that it begins behind what waits");
        let fine_free = !self.fine_valid | steps;
        let coarse_free = !self.coarse_valid | fine_free;
        self.fine_valid = self.coarse_valid | !fine_free;
        if fine_free {
            let by_one: Bits<6> = cast::<6>(self.coarse.turn.get_bits::<3>(0));
            self.fine = self.coarse;
            self.fine.piece.data = turned(self.coarse.piece.data, by_one);
        }
        let takes = coarse_free & self.pieces.valid;
        self.pieces.ready = coarse_free;
        self.coarse_valid = self.pieces.valid | !coarse_free;
        let arriving = self.pieces.data;
        let turn = arriving.from - self.fill;
        if coarse_free {
            let by_eight: Bits<6> = turn & 0x38;
            self.coarse = Turning { piece: arriving, turn, before: self.fill, opens: !self.open };
            self.coarse.piece.data = turned(arriving.data, by_eight);
        }
        let filled = self.fill + cast::<6>(arriving.count);
        self.fill = if takes { if arriving.last { 0 } else { filled } } else { self.fill };
        self.open = if takes { !arriving.last } else { self.open };
        self.idle = !(self.coarse_valid | self.fine_valid | self.ending | self.pieces.valid) & self.skid.empty;
    }
}
