// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of the frames for all drivers.

use crate::types::BEAT_BITS;
use millrace_hdl::base::{Fifo, LutFifo, Param, Reg, RoundRobin, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A frame that is there whole.
    pub struct Received<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub length: Bits<14>,
        /// Of an upcall.
        pub reason: Bits<8>,
    }
}

/// Takes the frames of `SOURCES` - 1 functions and, as the last source, the upcalls, in turn, one at a time. `ready` of a source comes once its frame is whole, so that
/// none waits for another. A frame is in `frames` when all of it is in `data` or on its way there.
#[millrace_hdl::block]
pub struct Collector<const SOURCES: usize, const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SOURCES)]
    pub inp: Vec<Snk<Beat<BEAT_BITS, 7>>>,
    /// Bit i: source i has a whole frame.
    pub whole: Signal<In, Bits<SOURCES>>,
    pub upcall_vport: Signal<In, Bits<8>>,
    pub upcall_reason: Signal<In, Bits<8>>,
    pub frames: Src<Received<PAIR_BITS>>,
    pub data: Src<Beat<BEAT_BITS, 7>>,
    /// Nothing is held, and no source has anything.
    pub idle: Signal<Out, Bit>,

    /// The pair of each function's first queue.
    pairs: Vec<Param<Bits<PAIR_BITS>>>,
    arbiter: RoundRobin<SOURCES>,
    /// Inside a frame; whose; its bytes so far.
    busy: Reg<Bit>,
    turn: Reg<Bits<SOURCES>>,
    length: Reg<Bits<14>>,
    queue: LutFifo<Received<PAIR_BITS>, 4, 5>,
    beats: Fifo<Beat<BEAT_BITS, 7>, 8, 9>,
}

#[millrace_hdl::block]
impl<const SOURCES: usize, const PAIR_BITS: usize> Collector<SOURCES, PAIR_BITS> {
    /// For functions whose first pairs are these.
    ///
    /// # Panics
    /// If there is not one for each source but the last.
    pub fn new(pairs: &[usize]) -> Self {
        assert_eq!(pairs.len() + 1, SOURCES);
        Self { pairs: pairs.iter().map(|pair| Param::new(pair.to_bits())).collect(), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("a frame of the source whose turn it is");
        let mut beat = Beat::<BEAT_BITS, 7>::default();
        let mut valid = false;
        let mut pair: Bits<PAIR_BITS> = 0;
        let mut function: Bits<8> = 0;
        for i in 0..SOURCES {
            let own = self.turn.get_bit(i);
            if own {
                beat.data |= self.inp[i].data.data;
                beat.bytes |= self.inp[i].data.bytes;
                beat.last |= self.inp[i].data.last;
                valid |= self.inp[i].valid;
            }
            self.inp[i].ready = self.busy & own & self.beats.inp.ready;
        }
        for i in 0..self.pairs.len() {
            if self.turn.get_bit(i) {
                pair |= self.pairs[i];
                function |= i + 1;
            }
        }
        let is_upcall = self.turn.get_bit(SOURCES - 1);
        let passes = self.busy & valid & self.beats.inp.ready;
        let ends = passes & beat.last;
        self.beats.inp.valid = self.busy & valid;
        self.beats.inp.data = beat;
        let length = self.length + cast::<14>(beat.bytes);
        self.queue.inp.valid = ends;
        self.queue.inp.data = Received {
            pair: if is_upcall { cast::<PAIR_BITS>(self.upcall_vport) } else { pair },
            function,
            length,
            reason: if is_upcall { self.upcall_reason } else { 0 },
        };
        if passes {
            self.length = if ends { 0 } else { length };
        }

        comment!("the next one begins when there is a place for it");
        self.arbiter.request = self.whole;
        let begins = !self.busy & self.arbiter.any & self.queue.inp.ready;
        self.arbiter.take = begins;
        if begins {
            self.turn = self.arbiter.grant;
        }
        if begins | ends {
            self.busy = begins;
        }
        link(self.frames, self.queue.out);
        link(self.data, self.beats.out);
        self.idle = !(self.busy | self.whole.any()) & self.queue.empty & self.beats.empty;
    }
}
