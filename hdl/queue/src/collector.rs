// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of the frames for all drivers.

use crate::received_policy::ReceivedPolicy;
use crate::types::{BEAT_BITS, FrameBeat, Policy, PolicyBeat};
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
        /// Which receiveq of the function it goes to is to be found; `pair` is that of the first.
        pub steered: Bit,
    }
}

/// Takes the frames of `SOURCES` - 1 functions and, as the last source, the upcalls, in turn, one at a time, and lets through what their policy lets. `ready` of a source comes once its
/// frame is whole, so that none waits for another. A frame is in `frames` when all of it is in `data` or on its way there.
#[millrace_hdl::block]
pub struct Collector<const SOURCES: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SOURCES)]
    pub inp: Vec<Snk<Beat<BEAT_BITS, 7>>>,
    /// Bit i: source i has a whole frame.
    pub whole: Signal<In, Bits<SOURCES>>,
    pub upcall_vport: Signal<In, Bits<8>>,
    pub upcall_reason: Signal<In, Bits<8>>,
    /// As of `PolicyJudge`.
    pub policy_write: Signal<In, Bit>,
    pub policy_function: Signal<In, Bits<8>>,
    pub policy: Signal<In, Policy>,
    /// A pulse for each frame that its function's policy drops, and whose it was.
    pub dropped: Signal<Out, Bit>,
    pub dropped_function: Signal<Out, Bits<8>>,
    /// Bit i: frames of source i are steered.
    pub steers: Signal<In, Bits<SOURCES>>,
    /// The beats of frames that are steered, and the function of each.
    pub steered: Signal<Out, Bit>,
    pub steered_beat: Signal<Out, Beat<BEAT_BITS, 7>>,
    pub steered_function: Signal<Out, Bits<8>>,
    pub frames: Src<Received<PAIR_BITS>>,
    pub data: Src<Beat<BEAT_BITS, 7>>,
    /// Nothing is held, and no source has anything.
    pub idle: Signal<Out, Bit>,

    /// The pair of each function's first queue.
    pairs: Vec<Param<Bits<PAIR_BITS>>>,
    arbiter: RoundRobin<SOURCES>,
    /// Inside a frame; whose.
    busy: Reg<Bit>,
    turn: Reg<Bits<SOURCES>>,
    /// Its frames are steered.
    is_steered: Reg<Bit>,
    policies: ReceivedPolicy<PAIR_BITS, FUNCTION_BITS>,
    /// Bytes so far of the frame that comes out of them.
    length: Reg<Bits<14>>,
    queue: LutFifo<Received<PAIR_BITS>, 4, 5>,
    beats: Fifo<Beat<BEAT_BITS, 7>, 8, 9>,
}

#[millrace_hdl::block]
impl<const SOURCES: usize, const PAIR_BITS: usize, const FUNCTION_BITS: usize>
    Collector<SOURCES, PAIR_BITS, FUNCTION_BITS>
{
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
            self.inp[i].ready = self.busy & own & self.policies.inp.ready;
        }
        for i in 0..self.pairs.len() {
            if self.turn.get_bit(i) {
                pair |= self.pairs[i];
                function |= i + 1;
            }
        }
        let is_upcall = self.turn.get_bit(SOURCES - 1);
        let ends = self.busy & valid & self.policies.inp.ready & beat.last;
        self.policies.inp.valid = self.busy & valid;
        self.policies.inp.data = PolicyBeat::<PAIR_BITS> {
            frame: FrameBeat::<PAIR_BITS> {
                data: beat.data,
                bytes: beat.bytes,
                last: beat.last,
                pair: if is_upcall { cast::<PAIR_BITS>(self.upcall_vport) } else { pair },
                function,
                ..FrameBeat::<PAIR_BITS>::default()
            },
            reason: if is_upcall { self.upcall_reason } else { 0 },
            steered: self.is_steered,
        };
        self.arbiter.request = self.whole;
        let begins = !self.busy & self.arbiter.any;
        self.arbiter.take = begins;
        if begins {
            self.turn = self.arbiter.grant;
            self.is_steered = (self.arbiter.grant & self.steers).any();
        }
        if begins | ends {
            self.busy = begins;
        }

        comment!("what its policy lets through");
        self.policies.policy_write = self.policy_write;
        self.policies.policy_function = self.policy_function;
        self.policies.policy = self.policy;
        self.dropped = self.policies.dropped;
        self.dropped_function = self.policies.dropped_function;
        let frame = self.policies.out.data.frame;
        let room = self.beats.inp.ready & self.queue.inp.ready;
        let passes = self.policies.out.valid & room;
        self.policies.out.ready = room;
        self.beats.inp.valid = passes;
        let allowed: Beat<BEAT_BITS, 7> = Beat { data: frame.data, bytes: frame.bytes, last: frame.last };
        self.beats.inp.data = allowed;
        let length = self.length + cast::<14>(frame.bytes);
        self.queue.inp.valid = passes & frame.last;
        self.queue.inp.data = Received {
            pair: frame.pair,
            function: frame.function,
            length,
            reason: self.policies.out.data.reason,
            steered: self.policies.out.data.steered,
        };
        self.steered = passes & self.policies.out.data.steered;
        self.steered_beat = allowed;
        self.steered_function = frame.function;
        if passes {
            self.length = if frame.last { 0 } else { length };
        }
        link(self.frames, self.queue.out);
        link(self.data, self.beats.out);
        self.idle = !(self.busy | self.whole.any()) & self.policies.idle & self.queue.empty & self.beats.empty;
    }
}
