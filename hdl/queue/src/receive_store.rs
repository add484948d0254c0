// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeps the buffers of the receiveqs until frames come.

use crate::ring_fetch::BATCH;
use crate::types::Segment;
use millrace_hdl::base::{DffE, DffR, LutRam, Ram, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::host::RECEIVE_CHAIN;
use rust_hdl_core::prelude::*;

/// Chains of a queue that are kept, log2.
pub const CHAINS_LOG2: usize = 6;

wire_struct! {
    /// A descriptor of a chain that is kept.
    pub struct Buffer {
        pub address: Bits<64>,
        pub length: Bits<16>,
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        pub function: Bits<8>,
        /// Of its chain.
        pub last: Bit,
    }
}

/// Up to 64 chains of each of `PAIRS` receiveqs. `ADDRESS_BITS` = PAIR_BITS + 8: each chain has the places of the longest.
///
/// `room` tells `RingFetch` that a queue has places for another batch; what is `granted` has its places from then on. The oldest chains of `look_pair` are
/// there to be read, one descriptor a clock, as often as one likes; `consume` gives those of `consume_pair` up.
#[millrace_hdl::block]
pub struct ReceiveStore<const PAIRS: usize, const PAIR_BITS: usize, const ADDRESS_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub granted: Signal<In, Bit>,
    pub granted_pair: Signal<In, Bits<PAIR_BITS>>,
    pub granted_count: Signal<In, Bits<6>>,
    /// Places of a queue, for each of two that ask.
    pub free: Signal<Out, Bits<7>>,
    pub free_pair: Signal<In, Bits<PAIR_BITS>>,
    pub packed_free: Signal<Out, Bits<7>>,
    pub packed_free_pair: Signal<In, Bits<PAIR_BITS>>,
    pub room: Signal<Out, Bits<PAIRS>>,
    pub segments: Snk<Segment<PAIR_BITS>>,
    /// With `look`: the queue whose chains are looked at; with the next clock: how many there are. All of it stays as it is in a clock without `look`.
    pub look: Signal<In, Bit>,
    pub look_pair: Signal<In, Bits<PAIR_BITS>>,
    pub chains: Signal<Out, Bits<7>>,
    /// Which of them, the oldest is 0, and which descriptor; two clocks with `look` later: what it is.
    pub chain: Signal<In, Bits<6>>,
    pub descriptor: Signal<In, Bits<2>>,
    pub buffer: Signal<Out, Buffer>,
    /// So many chains of `consume_pair` are given up; a look in this clock does not know of it.
    pub consume: Signal<In, Bit>,
    pub consume_pair: Signal<In, Bits<PAIR_BITS>>,
    pub consumed: Signal<In, Bits<4>>,
    /// A queue that was reset: its chains are gone when this is taken.
    pub reset_pair: Src<Bits<PAIR_BITS>>,
    /// Nothing comes in; but what is looked at and consumed, whoever does it knows of.
    pub idle: Signal<Out, Bit>,

    memory: Ram<Buffer, ADDRESS_BITS>,
    /// Chains of each queue that were granted, came, and were given up, modulo 128; as often as they are read.
    granted_for_grant: LutRam<Bits<7>, PAIR_BITS>,
    granted_for_free: LutRam<Bits<7>, PAIR_BITS>,
    granted_for_packed: LutRam<Bits<7>, PAIR_BITS>,
    granted_for_consume: LutRam<Bits<7>, PAIR_BITS>,
    came_for_segment: LutRam<Bits<7>, PAIR_BITS>,
    came_for_look: LutRam<Bits<7>, PAIR_BITS>,
    gone_for_look: LutRam<Bits<7>, PAIR_BITS>,
    gone_for_consume: LutRam<Bits<7>, PAIR_BITS>,
    gone_for_grant: LutRam<Bits<7>, PAIR_BITS>,
    gone_for_free: LutRam<Bits<7>, PAIR_BITS>,
    gone_for_packed: LutRam<Bits<7>, PAIR_BITS>,
    /// Places are taken; a queue begins with all of them.
    full: Reg<Bits<PAIRS>>,
    /// Descriptor of the chain that comes.
    number: DffR<Bits<2>>,
    word: DffE<Buffer>,
    available: DffE<Bits<7>>,
}

#[millrace_hdl::block]
impl<const PAIRS: usize, const PAIR_BITS: usize, const ADDRESS_BITS: usize>
    ReceiveStore<PAIRS, PAIR_BITS, ADDRESS_BITS>
{
    /// An empty store.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new() -> Self {
        assert!(
            ADDRESS_BITS == PAIR_BITS + CHAINS_LOG2 + 2 && RECEIVE_CHAIN == 4 && PAIRS <= 1 << PAIR_BITS,
            "ReceiveStore<{PAIRS}, {PAIR_BITS}, {ADDRESS_BITS}>: sizes do not fit"
        );
        Self::default()
    }

    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;

        comment!("a chain comes; one that is given up takes no place, and a reset waits for its turn");
        let segment = self.segments.data;
        self.came_for_segment.raddr = segment.pair;
        let came = self.came_for_segment.rdata;
        self.reset_pair.valid = self.segments.valid & segment.reset & !self.granted & !self.consume;
        self.reset_pair.data = segment.pair;
        let resets = self.reset_pair.valid & self.reset_pair.ready;
        self.segments.ready = !segment.reset | resets;
        let comes = self.segments.valid & !segment.reset;
        self.memory.we = comes & !segment.abort;
        self.memory.waddr = concat::<ADDRESS_BITS>(segment.pair, came.get_bits::<6>(0), self.number);
        self.memory.wdata = Buffer {
            address: segment.address,
            length: if segment.length.get_bit(16) { 0xffff } else { segment.length.get_bits::<16>(0) },
            head: segment.head,
            skip: segment.skip,
            function: segment.function,
            last: segment.last,
        };
        self.number = if comes { if segment.last { 0 } else { self.number + 1 } } else { self.number };
        let whole = comes & segment.last & !segment.abort;
        self.came_for_segment.we = whole;
        self.came_for_segment.waddr = segment.pair;
        self.came_for_segment.wdata = came + 1;
        self.came_for_look.we = whole;
        self.came_for_look.waddr = segment.pair;
        self.came_for_look.wdata = came + 1;

        comment!("chains are looked at, and given up");
        self.came_for_look.raddr = self.look_pair;
        self.gone_for_look.raddr = self.look_pair;
        let gone = self.gone_for_look.rdata;
        if self.look {
            self.available = self.came_for_look.rdata - gone;
        }
        self.chains = self.available;
        let oldest = gone.get_bits::<6>(0) + self.chain;
        self.memory.re = self.look;
        self.memory.raddr = concat::<ADDRESS_BITS>(self.look_pair, oldest, self.descriptor);
        if self.look {
            self.word = self.memory.rdata;
        }
        self.buffer = self.word;
        self.gone_for_consume.raddr = self.consume_pair;
        let gone_pair = if resets { segment.pair } else { self.consume_pair };
        let gone_next = if resets { came } else { self.gone_for_consume.rdata + cast::<7>(self.consumed) };
        self.gone_for_consume.we = self.consume | resets;
        self.gone_for_consume.waddr = gone_pair;
        self.gone_for_consume.wdata = gone_next;
        self.gone_for_look.we = self.consume | resets;
        self.gone_for_look.waddr = gone_pair;
        self.gone_for_look.wdata = gone_next;
        self.gone_for_grant.we = self.consume | resets;
        self.gone_for_grant.waddr = gone_pair;
        self.gone_for_grant.wdata = gone_next;
        self.gone_for_free.we = self.consume | resets;
        self.gone_for_free.waddr = gone_pair;
        self.gone_for_free.wdata = gone_next;
        self.gone_for_packed.we = self.consume | resets;
        self.gone_for_packed.waddr = gone_pair;
        self.gone_for_packed.wdata = gone_next;

        comment!("places are granted");
        self.granted_for_grant.raddr = self.granted_pair;
        self.gone_for_grant.raddr = self.granted_pair;
        self.granted_for_free.raddr = self.free_pair;
        self.gone_for_free.raddr = self.free_pair;
        let held: Bits<7> = self.granted_for_free.rdata - self.gone_for_free.rdata;
        self.free = (1 << CHAINS_LOG2) - held;
        self.granted_for_packed.raddr = self.packed_free_pair;
        self.gone_for_packed.raddr = self.packed_free_pair;
        let held_packed: Bits<7> = self.granted_for_packed.rdata - self.gone_for_packed.rdata;
        self.packed_free = (1 << CHAINS_LOG2) - held_packed;
        let granted = self.granted_for_grant.rdata + cast::<7>(self.granted_count);
        let granted_at = if resets { segment.pair } else { self.granted_pair };
        let granted_next = if resets { came } else { granted };
        self.granted_for_grant.we = self.granted | resets;
        self.granted_for_grant.waddr = granted_at;
        self.granted_for_grant.wdata = granted_next;
        self.granted_for_consume.we = self.granted | resets;
        self.granted_for_consume.waddr = granted_at;
        self.granted_for_consume.wdata = granted_next;
        self.granted_for_free.we = self.granted | resets;
        self.granted_for_free.waddr = granted_at;
        self.granted_for_free.wdata = granted_next;
        self.granted_for_packed.we = self.granted | resets;
        self.granted_for_packed.waddr = granted_at;
        self.granted_for_packed.wdata = granted_next;

        comment!(
            "whether a batch has room: of two that change the same queue in a clock, the one that grants is right"
        );
        let most: Bits<7> = (1 << CHAINS_LOG2) - BATCH;
        let fills = granted - self.gone_for_grant.rdata > most;
        self.granted_for_consume.raddr = self.consume_pair;
        let frees = self.granted_for_consume.rdata - gone_next <= most;
        let granted_here = one << self.granted_pair;
        let gone_here = one << gone_pair;
        let freed = if resets | (self.consume & frees) { gone_here } else { 0 };
        let filled = if self.granted & fills { granted_here } else { 0 };
        self.full = (self.full & !freed) | filled;
        self.room = !self.full;
        self.idle = !(self.segments.valid | self.granted);
    }
}
