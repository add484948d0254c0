// SPDX-License-Identifier: MIT OR Apache-2.0
//! A transmit queue.

use super::queue_counters::QueueCounters;
use crate::base::{DffE, DffR, Fifo, Reg, Src};
use crate::core::types::{Beat, UpcallBeat};
use crate::front::value::Packed;
use rust_hdl_core::prelude::*;

/// A beat of a frame, as a queue stores it.
pub trait Framed: Packed {
    /// Number of the bit that says that the frame ends with this beat.
    const LAST: usize;
}

impl<const BUS_BITS: usize, const COUNT_BITS: usize> Framed for Beat<BUS_BITS, COUNT_BITS> {
    const LAST: usize = BUS_BITS + COUNT_BITS;
}

impl<const BUS_BITS: usize, const COUNT_BITS: usize, const NOTE_BITS: usize> Framed
    for UpcallBeat<BUS_BITS, COUNT_BITS, NOTE_BITS>
{
    const LAST: usize = BUS_BITS + COUNT_BITS;
}

/// Whether a frame fits a queue that holds `count` beats of at most `most`. A beat on its way to it is not in its count yet: it goes in as half a beat
/// more.
#[millrace_hdl::function]
fn fits<const BUFFER_COUNT_BITS: usize>(count: Bits<BUFFER_COUNT_BITS>, pending: Bit, most: Bits<12>) -> Bit {
    concat::<13>(cast::<12>(count), pending) <= concat::<13>(most, false)
}

/// A queue of `1 << BUFFER_LOG2` beats, `BUFFER_COUNT_BITS` = BUFFER_LOG2 + 1: takes frames whole, or drops them whole.
///
/// With `decide` it chooses whether it takes a frame, of which the first beat is at `beat` from the next clock on. What it does not choose,
/// for want of room, is dropped with `drop_when_full`; without, it takes every frame meant for it, and holds `ready` low for as long as it is full.
/// Three clocks from `beat` to `out`.
#[millrace_hdl::block]
pub struct TxQueue<T: Framed, const BUFFER_LOG2: usize, const BUFFER_COUNT_BITS: usize> {
    /// Of the way to the queue.
    pub clock: Signal<In, Clock>,
    /// Of the queue itself.
    pub clock_port: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// A frame's first beat comes to `beat`: what is asked about it holds now.
    pub decide: Signal<In, Bit>,
    /// The frame is meant for this queue.
    pub wanted: Signal<In, Bit>,
    /// Beats that the queue may hold at most for the frame to fit.
    pub most: Signal<In, Bits<12>>,
    pub drop_when_full: Signal<In, Bit>,
    /// The beat in front of all queues.
    pub beat: Signal<In, T>,
    pub beat_valid: Signal<In, Bit>,
    /// No reason to wait with the beat.
    pub ready: Signal<Out, Bit>,
    /// The beat goes into all queues that take its frame. No queue has a reason to wait.
    pub fire: Signal<In, Bit>,
    /// It is a frame's first.
    pub starts: Signal<In, Bit>,
    /// The frame's length in bytes, a clock after `starts`.
    pub len: Signal<In, Bits<14>>,
    pub out: Src<T>,
    /// A whole frame or more is there, so that `out` will not pause before the end of one.
    pub whole: Signal<Out, Bit>,
    /// Frames queued, two clocks after `starts`.
    pub packets: Signal<Out, Bits<64>>,
    /// Their bytes.
    pub bytes: Signal<Out, Bits<64>>,
    /// Frames dropped, two clocks after `starts`.
    pub drops: Signal<Out, Bits<64>>,
    /// A frame is about to be counted.
    pub counting: Signal<Out, Bit>,
    /// The queue is empty, and nothing comes in or waits to be counted: `clock_port` may stand still.
    pub idle: Signal<Out, Bit>,

    /// The frame of `beat` is taken.
    taking: DffE<Bit>,
    /// The frame of `beat` is dropped.
    dropping: DffE<Bit>,
    #[clock(clock_port)]
    fifo: Fifo<T, BUFFER_LOG2, BUFFER_COUNT_BITS>,
    /// Whether a frame's end was queued in the last two clocks, which a beat spends on its way to the FIFO's output.
    #[clock(clock_port)]
    ends: DffR<Bits<2>>,
    /// Frames that are there to their end.
    #[clock(clock_port)]
    frames: Reg<Bits<BUFFER_COUNT_BITS>>,
    /// There are any.
    #[clock(clock_port)]
    some_whole: DffR<Bit>,
    queued: DffR<Bit>,
    dropped: DffR<Bit>,
    #[clock(clock_port)]
    counters: QueueCounters,
}

#[millrace_hdl::block]
impl<T: Framed, const BUFFER_LOG2: usize, const BUFFER_COUNT_BITS: usize> TxQueue<T, BUFFER_LOG2, BUFFER_COUNT_BITS> {
    fn update(&mut self) {
        comment!("is the frame taken?");
        let pending = self.beat_valid & self.taking;
        let accept = fits::<BUFFER_COUNT_BITS>(self.fifo.count, pending, self.most) | !self.drop_when_full;
        if self.decide {
            self.taking = self.wanted & accept;
            self.dropping = self.wanted & !accept;
        }

        comment!("its beats");
        let enters = self.fire & self.taking;
        let last = self.beat.get_bit(T::LAST);
        self.ready = self.fifo.inp.ready | !self.taking;
        self.fifo.inp.valid = enters;
        self.fifo.inp.data = self.beat;
        link(self.out, self.fifo.out);

        comment!("whole frames");
        let arrived = self.ends.get_bit(1);
        let leaves = self.fifo.out.valid & self.out.ready & self.fifo.out.data.get_bit(T::LAST);
        self.ends = concat::<2>(self.ends.get_bit(0), enters & last);
        if arrived != leaves {
            self.frames = if arrived { self.frames + 1 } else { self.frames - 1 };
        }
        self.some_whole = arrived | (self.some_whole & !(leaves & (self.frames == 1)));
        self.whole = self.some_whole;

        self.queued = self.starts & self.taking;
        self.dropped = self.starts & self.dropping;
        self.counters.queued = self.queued;
        self.counters.dropped = self.dropped;
        self.counters.len = self.len;
        self.packets = self.counters.packets;
        self.bytes = self.counters.bytes;
        self.drops = self.counters.drops;

        comment!("idle");
        self.counting = self.queued | self.dropped;
        self.idle = self.fifo.empty & !self.ends.any() & !(pending | self.queued | self.dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, beats, settle, tick_those};

    type Queue = TxQueue<Beat<64, 4>, 3, 4>;

    fn queue(drop_when_full: bool) -> Box<Queue> {
        let mut queue = Box::new(Queue::default());
        queue.connect_all();
        queue.reset.next = true;
        tick(&mut queue);
        queue.reset.next = false;
        queue.drop_when_full.next = drop_when_full;
        queue
    }

    /// One clock; that of the queue unless it is idle.
    fn tick(queue: &mut Queue) {
        tick_those(queue, |queue| {
            let runs = queue.reset.val() || !queue.idle.val();
            vec![(&mut queue.clock, true), (&mut queue.clock_port, runs)]
        });
    }

    /// Offers a frame of so many beats, and nothing behind it; whether all of it went in or was dropped.
    fn offer(queue: &mut Queue, count: usize) -> bool {
        queue.decide.next = true;
        queue.wanted.next = true;
        queue.most.next = (8 - count).to_bits();
        queue.len.next = (8 * count).to_bits();
        tick(queue);
        queue.decide.next = false;
        let mut went_in = true;
        for (at, beat) in beats::<64, 4>(&vec![0xab; 8 * count]).into_iter().enumerate() {
            queue.beat.next = beat;
            queue.beat_valid.next = true;
            settle(queue);
            went_in &= queue.ready.val();
            queue.fire.next = queue.ready.val();
            queue.starts.next = queue.ready.val() && at == 0;
            tick(queue);
        }
        queue.beat_valid.next = false;
        queue.fire.next = false;
        queue.starts.next = false;
        (0..3).for_each(|_| tick(queue));
        went_in
    }

    #[test]
    fn the_last_beat_is_known_by_its_bit() {
        let beat = Beat::<64, 4> { last: true, ..Default::default() };
        let upcall = UpcallBeat::<512, 7, 0> { last: true, ..Default::default() };
        for bit in 0..64 + 4 + 1 {
            assert_eq!(beat.get_bit(bit), bit == Beat::<64, 4>::LAST, "bit {bit} of a beat");
        }
        for bit in 0..512 + 7 + 1 + 8 + 2 {
            assert_eq!(upcall.get_bit(bit), bit == UpcallBeat::<512, 7, 0>::LAST, "bit {bit} of an upcall's");
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_is_dropped_whole_only_if_that_is_asked_for() {
        let mut queue = queue(true);
        assert!([5, 4, 3].map(|count| offer(&mut queue, count)).iter().all(|went| *went), "it stops nobody");
        let counts = |queue: &Queue| [&queue.packets, &queue.bytes, &queue.drops].map(|count| count.val().to_u64());
        assert_eq!(counts(&queue), [2, 64, 1], "5 beats and 3, of 4 there is no room");
        queue.drop_when_full.next = false;
        assert!(!offer(&mut queue, 1), "it is full");
        assert_eq!(counts(&queue), [2, 64, 1]);
    }

    #[test]
    fn whole_frames_are_told_of_until_they_have_left() {
        let mut queue = queue(false);
        assert!(queue.idle.val() && !queue.whole.val());
        assert!(offer(&mut queue, 2) && offer(&mut queue, 1));
        queue.out.ready.next = true;
        for last in [false, true, true] {
            settle(&mut *queue);
            assert!(queue.whole.val() && queue.out.valid.val() && !queue.idle.val());
            assert_eq!(queue.out.data.val().last, last);
            tick(&mut queue);
        }
        settle(&mut *queue);
        assert!(!queue.whole.val() && queue.idle.val());
    }

    #[test]
    fn queues_emit_clean_verilog() {
        assert_lints(TxQueue::<Beat<64, 4>, 11, 12>::default());
        assert_lints(TxQueue::<UpcallBeat<512, 7, 0>, 8, 9>::default());
    }
}
