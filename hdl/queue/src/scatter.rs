// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes frames into memory.

use crate::axi::{AxiWriteMaster, BORDER};
use crate::packer::turned;
use crate::types::{BEAT_BITS, BEAT_BYTES, Fault, Target, Used, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, Reg, Skid, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A beat of memory on its way through the rotation.
    pub struct Placed {
        pub low: Bits<BEAT_BITS>,
        pub high: Bits<BEAT_BITS>,
        /// By how many bytes both go down, round the beat.
        pub turn: Bits<6>,
        /// From this byte on `high` counts.
        pub seam: Bits<7>,
        pub strobe: Bits<64>,
        pub last: Bit,
    }
}

wire_struct! {
    /// A beat for the bus.
    pub struct Written {
        pub data: Bits<BEAT_BITS>,
        pub strobe: Bits<64>,
        pub last: Bit,
    }
}

wire_struct! {
    /// A burst that is under way, or what comes in its place.
    pub struct Record<const PAIR_BITS: usize> {
        pub pair: Bits<PAIR_BITS>,
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        pub total: Bits<14>,
        pub completes: Bit,
        pub partial: Bit,
        pub is_burst: Bit,
        pub reset: Bit,
    }
}

/// Writes the bytes of `inp`, frame by frame, to the `targets`, in bursts; a beat of memory in a clock.
///
/// A chain is in `used` when all that was written to it has been answered; if one of its writes failed it is a fault, and is there as `void`.
#[millrace_hdl::block]
pub struct Scatter<const PAIR_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Beat<BEAT_BITS, 7>>,
    pub targets: Snk<Target<PAIR_BITS>>,
    pub axi: AxiWriteMaster,
    pub used: Src<Used<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    /// What is left of the target; whether a burst is going on, and its beats that are left.
    target: DffE<Target<PAIR_BITS>>,
    target_valid: DffR<Bit>,
    inside: DffR<Bit>,
    beats: DffE<Bits<7>>,
    /// The beat whose bytes are next, and where in it they begin.
    current: DffE<Bits<BEAT_BITS>>,
    current_valid: DffR<Bit>,
    from: Reg<Bits<6>>,

    burst_address: DffE<Bits<64>>,
    burst_beats: DffE<Bits<7>>,
    burst_function: DffE<Bits<8>>,
    burst_valid: DffR<Bit>,
    coarse: DffE<Placed>,
    coarse_valid: DffR<Bit>,
    fine: DffE<Placed>,
    fine_valid: DffR<Bit>,
    skid: Skid<Written>,
    records: LutFifo<Record<PAIR_BITS>, 8, 9>,
    spoilt: DffR<Bit>,
    /// By a write that was given up.
    spoilt_late: DffE<Bit>,
    reported: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize> Scatter<PAIR_BITS> {
    fn update(&mut self) {
        comment!("the two steps of the rotation, and the beat for the bus");
        let all = !Bits::<BEAT_BITS>::default();
        let fine = self.fine;
        let above = all << (cast::<10>(fine.seam) << 3);
        self.skid.inp.valid = self.fine_valid;
        self.skid.inp.data =
            Written { data: (fine.low & !above) | (fine.high & above), strobe: fine.strobe, last: fine.last };
        let fine_free = !self.fine_valid | self.skid.inp.ready;
        let coarse_free = !self.coarse_valid | fine_free;
        self.fine_valid = self.coarse_valid | !fine_free;
        let ones: Bits<6> = cast::<6>(self.coarse.turn.get_bits::<3>(0));
        if fine_free {
            self.fine =
                Placed { low: turned(self.coarse.low, ones), high: turned(self.coarse.high, ones), ..self.coarse };
        }
        self.axi.wvalid = self.skid.out.valid;
        self.axi.wdata = self.skid.out.data.data;
        self.axi.wstrb = self.skid.out.data.strobe;
        self.axi.wlast = self.skid.out.data.last;
        self.skid.out.ready = self.axi.wready;

        comment!("a burst begins: up to the end of the target, or to the border");
        let target = self.target;
        let offset = target.address.get_bits::<6>(0);
        let to_border = BORDER - cast::<13>(target.address.get_bits::<12>(0));
        let reaches = cast::<14>(to_border) >= target.length;
        let burst_bytes = if reaches { target.length } else { cast::<14>(to_border) };
        let burst_beats = cast::<7>((burst_bytes + cast::<14>(offset) + (BEAT_BYTES - 1)) >> 6);
        let burst_free = !self.burst_valid | self.axi.awready;
        let has_bytes = target.length.any();
        let may_begin = burst_free & self.records.inp.ready;

        comment!("a beat of it: as many bytes as fit, from one beat of the frame or from two");
        let in_beat = BEAT_BYTES - cast::<14>(offset);
        let count = if target.length < in_beat { target.length } else { in_beat };
        let end = cast::<8>(self.from) + cast::<8>(count);
        let needs_next = end > BEAT_BYTES;
        let data_there = self.current_valid & (!needs_next | self.inp.valid);
        let writes = self.target_valid & has_bytes & data_there & coarse_free & (self.inside | may_begin);
        let begins = writes & !self.inside;
        let beats_left = if self.inside { self.beats } else { burst_beats };
        let burst_ends = beats_left == 1;
        let target_ends = target.length == count;
        let frame_ends = target_ends & target.ends_frame;
        self.inside = if writes { !burst_ends } else { self.inside };
        if writes {
            self.beats = beats_left - 1;
        }
        let turn = self.from - offset;
        let eights: Bits<6> = turn & 0x38;
        let strobe_ones = !Bits::<64>::default();
        self.coarse_valid = writes | !coarse_free;
        if coarse_free {
            self.coarse = Placed {
                low: turned(self.current, eights),
                high: turned(self.inp.data.data, eights),
                turn,
                seam: cast::<7>(offset) + (BEAT_BYTES - cast::<7>(self.from)),
                strobe: (strobe_ones >> (BEAT_BYTES - cast::<7>(count))) << offset,
                last: burst_ends,
            };
        }

        comment!("the frame goes on; behind its end the next one begins with a beat of its own");
        let exhausts = writes & (frame_ends | (end >= BEAT_BYTES));
        let swallows = frame_ends & needs_next;
        let current_free = !self.current_valid | exhausts;
        self.inp.ready = current_free;
        self.current_valid = (self.inp.valid & current_free & !(writes & swallows)) | !current_free;
        if current_free {
            self.current = self.inp.data.data;
        }
        if writes {
            self.from = if frame_ends { 0 } else { cast::<6>(end) };
        }

        comment!("the target goes on");
        let bare = self.target_valid & !has_bytes & self.records.inp.ready;
        let target_free = !self.target_valid | bare | (writes & target_ends);
        self.targets.ready = target_free;
        self.target_valid = self.targets.valid | !target_free;
        if target_free {
            self.target = self.targets.data;
        } else if writes {
            self.target =
                Target { address: target.address + cast::<64>(count), length: target.length - count, ..self.target };
        }
        self.records.inp.valid = begins | bare;
        self.records.inp.data = Record {
            pair: target.pair,
            head: target.head,
            skip: target.skip,
            total: target.total,
            completes: target.completes & (bare | reaches),
            partial: target.partial,
            is_burst: has_bytes,
            reset: target.reset,
        };
        self.burst_valid = begins | (self.burst_valid & !self.axi.awready);
        if burst_free {
            self.burst_address = target.address;
            self.burst_beats = burst_beats;
            self.burst_function = target.function;
        }
        self.axi.awvalid = self.burst_valid;
        let beat_zero: Bits<6> = 0;
        self.axi.awaddr = concat::<64>(self.burst_address.get_bits::<58>(6), beat_zero);
        self.axi.awlen = cast::<8>(self.burst_beats - 1);
        self.axi.awuser = self.burst_function;

        comment!("bursts are answered in their order");
        let record = self.records.out.data;
        let there = self.records.out.valid & (!record.is_burst | self.axi.bvalid);
        let bad = self.spoilt | (record.is_burst & self.axi.bresp.get_bit(1));
        let late = if self.spoilt { self.spoilt_late } else { self.axi.bresp.get_bit(0) };
        let tells = record.completes | record.reset;
        let fails = record.completes & bad & !record.reset;
        self.fault.valid = there & fails & !self.reported;
        self.fault.data = Fault { vq: record.pair, reason: if late { reason::TIME_OUT } else { reason::BUS } };
        self.used.valid = there & tells & (!fails | self.reported);
        self.used.data = Used {
            pair: record.pair,
            head: record.head,
            skip: record.skip,
            length: cast::<16>(record.total),
            partial: record.partial & !record.reset,
            void: fails,
            reset: record.reset,
        };
        let heard = !tells | (self.used.valid & self.used.ready);
        let done = there & heard;
        self.records.out.ready = done;
        self.axi.bready = done & record.is_burst;
        self.spoilt = if done { bad & !tells } else { self.spoilt };
        if done {
            self.spoilt_late = late;
        }
        self.reported = (self.fault.valid & self.fault.ready) | (self.reported & !done);
        let moving = self.coarse_valid | self.fine_valid | self.burst_valid | !self.skid.empty;
        let held = self.target_valid | self.current_valid | moving | there;
        self.idle = !(held | self.targets.valid | self.inp.valid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::WrittenMemory;
    use crate::testing::{assert_lints, beats, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    struct Bench {
        dut: Box<Scatter<2>>,
        rng: ChaCha8Rng,
        memory: WrittenMemory,
        frames: VecDeque<Beat<BEAT_BITS, 7>>,
        targets: VecDeque<Target<2>>,
        used: Vec<(u64, u64, u64, bool)>,
        void: Vec<u64>,
        faults: Vec<(u64, u64)>,
        clocks: usize,
        ease: f64,
    }

    impl Bench {
        fn new(seed: u64) -> Self {
            let mut dut = Box::<Scatter<2>>::default();
            dut.connect_all();
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            Self {
                dut,
                rng: ChaCha8Rng::seed_from_u64(seed),
                memory: WrittenMemory::new(0x8000),
                frames: VecDeque::new(),
                targets: VecDeque::new(),
                used: vec![],
                void: vec![],
                faults: vec![],
                clocks: 0,
                ease: 0.7,
            }
        }

        /// Queues a frame for these places, each a chain of its own.
        fn frame(&mut self, pair: u64, head: u64, places: &[(u64, u64)]) -> Vec<u8> {
            let length = places.iter().map(|place| place.1).sum::<u64>() as usize;
            let frame: Vec<u8> = (0..length).map(|_| self.rng.random()).collect();
            self.frames.extend(beats::<BEAT_BITS, 7>(&frame));
            for (i, (address, length)) in places.iter().enumerate() {
                self.targets.push_back(Target {
                    address: (*address).into(),
                    function: 1u64.into(),
                    length: (*length).into(),
                    ends_frame: i + 1 == places.len(),
                    pair: pair.into(),
                    head: (head + i as u64).into(),
                    skip: 0u64.into(),
                    completes: true,
                    partial: i + 1 < places.len(),
                    total: (*length).into(),
                    reset: false,
                });
            }
            frame
        }

        fn clock(&mut self) {
            let dut = &mut *self.dut;
            let mut often = || self.rng.random_bool(self.ease);
            dut.inp.valid.next = !self.frames.is_empty();
            dut.inp.data.next = self.frames.front().copied().unwrap_or_default();
            dut.targets.valid.next = !self.targets.is_empty();
            dut.targets.data.next = self.targets.front().copied().unwrap_or_default();
            dut.used.ready.next = often();
            dut.fault.ready.next = often();
            self.memory.drive(&mut dut.axi, often);
            settle(dut);
            if dut.inp.valid.val() && dut.inp.ready.val() {
                self.frames.pop_front();
            }
            if dut.targets.valid.val() && dut.targets.ready.val() {
                self.targets.pop_front();
            }
            self.memory.sample(&dut.axi);
            if dut.used.valid.val() && dut.used.ready.val() {
                let used = dut.used.data.val();
                let n = (used.pair.to_u64(), used.head.to_u64(), used.length.to_u64(), used.reset);
                if used.void { self.void.push(n.1) } else { self.used.push(n) }
            }
            if dut.fault.valid.val() && dut.fault.ready.val() {
                self.faults.push((dut.fault.data.val().vq.to_u64(), dut.fault.data.val().reason.to_u64()));
            }
            self.clocks += 1;
            // The clock stands still while it may.
            if !dut.idle.val() {
                tick(dut, |d| &mut d.clock);
            }
        }

        fn run(&mut self) {
            let end = self.clocks + 20_000;
            while !self.targets.is_empty() || !self.dut.idle.val() || !self.memory.quiet() {
                self.clock();
                assert!(self.clocks < end, "not idle");
            }
        }
    }

    #[test]
    fn frames_are_where_they_belong_and_nothing_else_is_touched() {
        for seed in 0..8 {
            let mut bench = Bench::new(seed);
            bench.ease = [0.7, 1.0, 0.3, 0.9][seed as usize % 4];
            let (mut due, mut used, mut at) = (bench.memory.bytes.clone(), vec![], 0);
            for number in 0..40 {
                let mut places = vec![];
                for _ in 0..bench.rng.random_range(1..4) {
                    at += bench.rng.random_range(0..70);
                    let length =
                        if number % 8 == 0 { bench.rng.random_range(1..1500) } else { bench.rng.random_range(1..140) };
                    if at + length > 0x7f00 {
                        break;
                    }
                    places.push((at, length));
                    at += length;
                }
                if places.is_empty() {
                    break;
                }
                let pair = number % 4;
                let frame = bench.frame(pair, 4 * number, &places);
                let mut from = 0;
                for (i, (address, length)) in places.iter().enumerate() {
                    let length = *length as usize;
                    due[*address as usize..][..length].copy_from_slice(&frame[from..][..length]);
                    from += length;
                    used.push((pair, 4 * number + i as u64, length as u64, false));
                }
            }
            bench.run();
            assert!(bench.memory.bytes == due, "seed {seed}");
            assert_eq!((bench.used, bench.faults), (used, vec![]), "seed {seed}");
        }
    }

    #[test]
    fn a_frame_that_fits_two_beats_takes_two_clocks() {
        let mut bench = Bench::new(9);
        bench.ease = 1.0;
        for number in 0..100 {
            bench.frame(1, number, &[(128 * number, 76)]);
        }
        bench.run();
        assert_eq!(bench.used.len(), 100);
        assert!(bench.clocks < 200 + 30, "{} clocks", bench.clocks);
    }

    #[test]
    fn a_write_that_fails_is_a_fault_of_its_chain_and_a_reset_keeps_its_place() {
        let mut bench = Bench::new(10);
        bench.memory.broken = 0x2000;
        bench.frame(1, 1, &[(0x1000, 100)]);
        bench.frame(2, 2, &[(0x1f00, 600)]);
        bench.targets.push_back(Target { pair: 3u64.into(), reset: true, ..Default::default() });
        bench.frame(1, 3, &[(0x1100, 100)]);
        bench.run();
        assert_eq!(bench.used, [(1, 1, 100, false), (3, 0, 0, true), (1, 3, 100, false)]);
        assert_eq!((bench.faults, bench.void), (vec![(2, reason::BUS)], vec![2]));
    }

    #[test]
    fn scatter_lints() {
        assert_lints(Scatter::<2>::default());
    }
}
