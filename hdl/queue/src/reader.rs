// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the frames that drivers send.

use crate::axi::{AxiReadMaster, BORDER};
use crate::types::{BEAT_BITS, BEAT_BYTES, Fault, Offloads, Piece, QueueConfig, Segment, Used, reason};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Ram, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// A burst, or (`beats` = 0) the end of what is no chain.
    pub struct Burst<const PAIR_BITS: usize> {
        /// Where in its first beat the bytes begin, and how many they are.
        pub from: Bits<6>,
        pub bytes: Bits<13>,
        pub beats: Bits<7>,
        pub pair: Bits<PAIR_BITS>,
        pub function: Bits<8>,
        pub head: Bits<16>,
        /// Descriptors of a packed ring that the chain takes; of no meaning in a split one.
        pub skip: Bits<9>,
        /// The chain ends with it.
        pub last: Bit,
        pub abort: Bit,
        pub reset: Bit,
    }
}

wire_struct! {
    /// What is asked for.
    pub struct Request<const TAG_BITS: usize> {
        pub tag: Bits<TAG_BITS>,
        /// Number of the beat.
        pub beat: Bits<58>,
        pub beats: Bits<7>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// Where the beats of a burst go.
    pub struct Place<const BUFFER_LOG2: usize> {
        pub first: Bits<BUFFER_LOG2>,
        /// Turned by each round of tags.
        pub round: Bit,
    }
}

wire_struct! {
    /// What came of the burst that had a tag in this round, or nothing if it is another one's.
    pub struct Came {
        pub round: Bit,
        pub beats: Bits<6>,
        pub done: Bit,
        pub failed: Bit,
        /// Of what failed: it was given up.
        pub given_up: Bit,
    }
}

/// Reads the `segments` of chains in bursts, and gives out what was read in the order of the segments, whatever order the answers come in.
///
/// Up to `1 << TAG_BITS` bursts and `1 << BUFFER_LOG2` beats are under way (`TAG_COUNT_BITS` = TAG_BITS + 1, `BUFFER_COUNT_BITS` = BUFFER_LOG2 + 1). A burst in a clock,
/// a beat in a clock. A chain is in `used` when it has left the buffer whole. A chain of which a read failed ends with `error`, and is a fault.
#[millrace_hdl::block]
pub struct Reader<
    const PAIR_BITS: usize,
    const TAG_BITS: usize,
    const TAG_COUNT_BITS: usize,
    const BUFFER_LOG2: usize,
    const BUFFER_COUNT_BITS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub segments: Snk<Segment<PAIR_BITS>>,
    pub axi: AxiReadMaster<Bits<TAG_BITS>>,
    pub pieces: Src<Piece<PAIR_BITS>>,
    pub used: Src<Used<PAIR_BITS>>,
    pub fault: Src<Fault<PAIR_BITS>>,
    /// Nothing moves: memory may owe an answer, but no clock changes anything before something comes in.
    pub idle: Signal<Out, Bit>,

    /// What each queue's driver has taken: it goes with the pieces, so that those of a queue that is reset keep theirs.
    offloads: LutRam<Offloads, PAIR_BITS>,
    /// The segment that is cut into bursts: what is left of it.
    segment: DffE<Segment<PAIR_BITS>>,
    segment_valid: DffR<Bit>,
    /// The burst that waits for room, and where it is.
    planned: DffE<Burst<PAIR_BITS>>,
    planned_beat: DffE<Bits<58>>,
    planned_valid: DffR<Bit>,
    request: DffE<Request<TAG_BITS>>,
    request_valid: DffR<Bit>,
    order: LutFifo<Burst<PAIR_BITS>, TAG_BITS, TAG_COUNT_BITS>,

    /// Tag and place of the next burst in the buffer, and beats that are reserved or held; the round of tags; nothing is known to have come of any, a clock each after reset.
    upcoming: Reg<Bits<TAG_BITS>>,
    round: Reg<Bit>,
    ready: DffR<Bit>,
    tail: Reg<Bits<BUFFER_LOG2>>,
    held: Reg<Bits<BUFFER_COUNT_BITS>>,
    buffer: Ram<Bits<BEAT_BITS>, BUFFER_LOG2>,
    /// Per tag; of the oldest burst, too.
    places: LutRam<Place<BUFFER_LOG2>, TAG_BITS>,
    came: LutRam<Came, TAG_BITS>,
    came_oldest: LutRam<Came, TAG_BITS>,

    /// The oldest burst: its tag and round, and how much of it has been read from the buffer.
    oldest: Reg<Bits<TAG_BITS>>,
    oldest_round: Reg<Bit>,
    head: Reg<Bits<BUFFER_LOG2>>,
    begun: DffR<Bit>,
    left: DffE<Bits<13>>,
    /// A read of its chain has failed.
    spoilt: DffR<Bit>,
    spoilt_late: DffE<Bit>,
    reported: DffR<Bit>,
    fetched: DffE<Piece<PAIR_BITS>>,
    fetched_valid: DffR<Bit>,
    /// Pieces on their way to `out` or in it.
    owed: Reg<Bits<4>>,
    out: LutFifo<Piece<PAIR_BITS>, 3, 4>,
}

#[millrace_hdl::block]
impl<
    const PAIR_BITS: usize,
    const TAG_BITS: usize,
    const TAG_COUNT_BITS: usize,
    const BUFFER_LOG2: usize,
    const BUFFER_COUNT_BITS: usize,
> Reader<PAIR_BITS, TAG_BITS, TAG_COUNT_BITS, BUFFER_LOG2, BUFFER_COUNT_BITS>
{
    fn update(&mut self) {
        let features = self.opened.features;
        self.offloads.we = self.open;
        self.offloads.waddr = self.open_pair;
        self.offloads.wdata = Offloads {
            csum: features.csum,
            tso4: features.host_tso4,
            tso6: features.host_tso6,
            ecn: features.host_ecn,
            uso: features.host_uso,
        };

        comment!("a burst of the segment: up to its end, or to the border");
        let address = self.segment.address;
        let no_data = self.segment.abort | self.segment.reset;
        let to_border = BORDER - cast::<13>(address.get_bits::<12>(0));
        let bytes =
            if cast::<17>(to_border) < self.segment.length { to_border } else { cast::<13>(self.segment.length) };
        let is_final = no_data | (cast::<17>(bytes) == self.segment.length);
        let beats = cast::<7>((bytes + cast::<13>(address.get_bits::<6>(0)) + (BEAT_BYTES - 1)) >> 6);

        comment!("it waits for room for all that it brings");
        let planned_data = self.planned.beats.any();
        let all: Bits<BUFFER_COUNT_BITS> = 1 << BUFFER_LOG2;
        let room = self.held <= all - cast::<BUFFER_COUNT_BITS>(self.planned.beats);
        let request_free = !self.request_valid | self.axi.arready;
        let may_ask = self.ready & room & request_free;
        let issues = self.planned_valid & self.order.inp.ready & (!planned_data | may_ask);
        let asks = issues & planned_data;
        self.order.inp.valid = issues;
        self.order.inp.data = self.planned;
        let plan_free = !self.planned_valid | issues;
        let plans = self.segment_valid & plan_free;
        self.planned_valid = plans | !plan_free;
        if plan_free {
            self.planned = Burst {
                from: address.get_bits::<6>(0),
                bytes,
                beats: if no_data { 0 } else { beats },
                pair: self.segment.pair,
                function: self.segment.function,
                head: self.segment.head,
                skip: self.segment.skip,
                last: self.segment.last & is_final,
                abort: self.segment.abort,
                reset: self.segment.reset,
            };
            self.planned_beat = address.get_bits::<58>(6);
        }
        let segment_free = !self.segment_valid | (plans & is_final);
        self.segments.ready = segment_free;
        self.segment_valid = self.segments.valid | !segment_free;
        if segment_free {
            self.segment = self.segments.data;
        } else if plans {
            self.segment = Segment {
                address: address + cast::<64>(bytes),
                length: self.segment.length - cast::<17>(bytes),
                ..self.segment
            };
        }

        comment!("it is asked for");
        self.request_valid = asks | (self.request_valid & !self.axi.arready);
        if request_free {
            self.request = Request {
                tag: self.upcoming,
                beat: self.planned_beat,
                beats: self.planned.beats,
                function: self.planned.function,
            };
        }
        self.axi.arvalid = self.request_valid;
        self.axi.arid = self.request.tag;
        let in_beat_zero: Bits<6> = 0;
        self.axi.araddr = concat::<64>(self.request.beat, in_beat_zero);
        self.axi.arlen = cast::<8>(self.request.beats - 1);
        self.axi.aruser = self.request.function;
        self.places.we = asks;
        self.places.waddr = self.upcoming;
        self.places.wdata = Place { first: self.tail, round: self.round };
        let frees = !self.ready;
        let is_last = self.upcoming.all();
        if asks | frees {
            self.upcoming += 1;
        }
        if asks & is_last {
            self.round = !self.round;
        }
        self.ready = self.ready | is_last;
        if asks {
            self.tail += cast::<BUFFER_LOG2>(self.planned.beats);
        }

        comment!("an answer goes to its place");
        self.axi.rready = true;
        self.places.raddr = self.axi.rid;
        self.came.raddr = self.axi.rid;
        let place = self.places.rdata;
        let before = self.came.rdata;
        let goes_on = before.round == place.round;
        let number = if goes_on { before.beats } else { 0 };
        self.buffer.we = self.axi.rvalid;
        self.buffer.waddr = place.first + cast::<BUFFER_LOG2>(number);
        self.buffer.wdata = self.axi.rdata;
        let fails = self.axi.rresp.get_bit(1);
        let came: Came = Came {
            // The first round is the other one.
            round: place.round | frees,
            beats: number + 1,
            done: self.axi.rlast,
            failed: fails | (goes_on & before.failed),
            given_up: if fails { self.axi.rresp.get_bit(0) } else { before.given_up },
        };
        let came_at = if self.ready { self.axi.rid } else { self.upcoming };
        self.came.we = self.axi.rvalid | frees;
        self.came.waddr = came_at;
        self.came.wdata = came;
        self.came_oldest.we = self.axi.rvalid | frees;
        self.came_oldest.waddr = came_at;
        self.came_oldest.wdata = came;

        comment!("the oldest burst leaves the buffer, a beat at a time");
        let burst = self.order.out.data;
        let has_data = burst.beats.any();
        self.came_oldest.raddr = self.oldest;
        let oldest = self.came_oldest.rdata;
        let is_done = oldest.done & (oldest.round == self.oldest_round);
        let there = self.order.out.valid & (!has_data | is_done) & !self.owed.get_bit(3);
        let from = if self.begun { 0 } else { burst.from };
        let left = if self.begun { self.left } else { burst.bytes };
        let in_beat = BEAT_BYTES - cast::<13>(from);
        let count = if !has_data {
            0
        } else if left < in_beat {
            left
        } else {
            in_beat
        };
        let burst_ends = !has_data | (left == count);
        let chain_ends = burst_ends & burst.last;
        let bad = self.spoilt | (has_data & oldest.failed);
        let late = if self.spoilt { self.spoilt_late } else { oldest.given_up };
        let is_used = burst.reset | (has_data & !bad);
        let is_fault = has_data & bad & !self.reported;
        self.used.valid = there & chain_ends & is_used;
        self.used.data = Used {
            pair: burst.pair,
            head: burst.head,
            skip: burst.skip,
            length: 0,
            partial: false,
            void: false,
            reset: burst.reset,
        };
        self.fault.valid = there & chain_ends & is_fault;
        self.fault.data = Fault { vq: burst.pair, reason: if late { reason::TIME_OUT } else { reason::BUS } };
        let waits = chain_ends & (is_fault | (is_used & !self.used.ready));
        let steps = there & !waits;
        self.reported = (self.fault.valid & self.fault.ready) | (self.reported & !steps);
        if steps {
            self.left = left - count;
        }
        self.begun = if steps { !burst_ends } else { self.begun };
        self.spoilt = if steps { bad & !chain_ends } else { self.spoilt };
        if steps {
            self.spoilt_late = late;
        }
        self.order.out.ready = steps & burst_ends;
        let reads = steps & has_data;
        let lets_go = reads & burst_ends;
        if lets_go {
            self.oldest += 1;
        }
        if lets_go & self.oldest.all() {
            self.oldest_round = !self.oldest_round;
        }
        self.buffer.re = reads;
        self.buffer.raddr = self.head;
        if reads {
            self.head += 1;
        }
        let reserved = if asks { cast::<BUFFER_COUNT_BITS>(self.planned.beats) } else { 0 };
        if asks | reads {
            self.held = self.held + reserved - cast::<BUFFER_COUNT_BITS>(reads);
        }

        comment!("out");
        let gives = steps & !burst.reset;
        self.offloads.raddr = burst.pair;
        self.fetched_valid = gives;
        if gives {
            self.fetched = Piece {
                data: 0,
                from,
                count: cast::<7>(count),
                pair: burst.pair,
                function: burst.function,
                offloads: self.offloads.rdata,
                last: chain_ends,
                error: chain_ends & (burst.abort | bad),
            };
        }
        self.out.inp.valid = self.fetched_valid;
        self.out.inp.data = Piece { data: self.buffer.rdata, ..self.fetched };
        link(self.pieces, self.out.out);
        let leaves = self.pieces.ready & !self.out.empty;
        if gives ^ leaves {
            self.owed = if gives { self.owed + 1 } else { self.owed - 1 };
        }
        let asking = frees | self.segment_valid | self.planned_valid | self.request_valid;
        let comes_in = self.segments.valid | self.axi.rvalid | self.open;
        self.idle = !(asking | there | self.owed.any() | comes_in);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packer::Packer;
    use crate::strip::Strip;
    use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
    use crate::types::{LONG_HEADER, Negotiated, SHORT_HEADER, SentBeat};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// The way of a frame from its segments to the core.
    #[millrace_hdl::block]
    struct Way {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        open: Signal<In, Bit>,
        open_pair: Signal<In, Bits<2>>,
        opened: Signal<In, QueueConfig>,
        segments: Snk<Segment<2>>,
        axi: AxiReadMaster<Bits<3>>,
        out: Src<SentBeat<2>>,
        used: Src<Used<2>>,
        fault: Src<Fault<2>>,
        idle: Signal<Out, Bit>,
        reader: Reader<2, 3, 4, 7, 8>,
        packer: Packer<2>,
        strip: Strip<2>,
    }

    #[millrace_hdl::block]
    impl Way {
        fn update(&mut self) {
            self.reader.open = self.open;
            self.reader.open_pair = self.open_pair;
            self.reader.opened = self.opened;
            link(self.segments, self.reader.segments);
            link(self.axi, self.reader.axi);
            link(self.used, self.reader.used);
            link(self.fault, self.reader.fault);
            join(self.reader.pieces, self.packer.pieces);
            join(self.packer.out, self.strip.inp);
            link(self.out, self.strip.out);
            self.idle = self.reader.idle & self.packer.idle & self.strip.idle;
        }
    }

    /// A burst that is answered: tag, beats left, address of the next.
    type UnderWay = (u64, u64, u64);

    struct Bench {
        dut: Box<Way>,
        memory: Vec<u8>,
        rng: ChaCha8Rng,
        segments: VecDeque<Segment<2>>,
        under_way: Vec<UnderWay>,
        /// Beats from this address on are answered with SLVERR.
        broken: u64,
        /// What came out: pair, frame, error.
        frames: Vec<(u64, Vec<u8>, bool)>,
        partial: Vec<u8>,
        /// Of each: `csum_start`, and whether its driver has USO.
        headers: Vec<(u64, bool)>,
        used: Vec<(u64, u64, bool)>,
        faults: Vec<(u64, u64)>,
        clocks: usize,
        /// How often memory and the receiver are ready.
        ease: f64,
    }

    impl Bench {
        fn new(seed: u64) -> Self {
            let mut dut = Box::<Way>::default();
            dut.connect_all();
            Self::after_reset(dut, seed)
        }

        fn after_reset(mut dut: Box<Way>, seed: u64) -> Self {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            dut.segments.valid.next = false;
            dut.axi.rvalid.next = false;
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            for pair in 0..4u64 {
                dut.open.next = true;
                dut.open_pair.next = pair.into();
                dut.opened.next.features = Negotiated { host_uso: has_uso(pair), ..Default::default() };
                tick(&mut *dut, |d| &mut d.clock);
            }
            dut.open.next = false;
            let memory = (0..0x8_0000).map(|_| rng.random()).collect();
            Self {
                dut,
                memory,
                rng,
                segments: VecDeque::new(),
                under_way: vec![],
                broken: u64::MAX,
                frames: vec![],
                partial: vec![],
                headers: vec![],
                used: vec![],
                faults: vec![],
                clocks: 0,
                ease: 0.7,
            }
        }

        /// Queues a chain with these descriptors and gives its bytes.
        fn chain(&mut self, pair: u64, head: u64, cuts: &[(u64, u64)]) -> Vec<u8> {
            let mut all = vec![];
            for (i, (address, length)) in cuts.iter().enumerate() {
                self.segments.push_back(Segment {
                    pair: pair.into(),
                    function: pair.into(),
                    address: (*address).into(),
                    length: (*length).into(),
                    head: head.into(),
                    first: i == 0,
                    last: i + 1 == cuts.len(),
                    ..Default::default()
                });
                all.extend_from_slice(&self.memory[*address as usize..][..*length as usize]);
            }
            all
        }

        fn clock(&mut self) {
            let dut = &mut *self.dut;
            dut.segments.valid.next = !self.segments.is_empty();
            dut.segments.data.next = self.segments.front().copied().unwrap_or_default();
            dut.axi.arready.next = self.rng.random_bool(self.ease);
            dut.out.ready.next = self.rng.random_bool(self.ease);
            dut.used.ready.next = self.rng.random_bool(self.ease);
            dut.fault.ready.next = self.rng.random_bool(self.ease);
            let answers = !self.under_way.is_empty() && self.rng.random_bool(self.ease);
            dut.axi.rvalid.next = answers;
            if answers {
                // Bursts are answered in any order, and their beats in between each other.
                let which = self.rng.random_range(0..self.under_way.len());
                let (tag, left, address) = &mut self.under_way[which];
                dut.axi.rid.next = (*tag).into();
                dut.axi.rdata.next = bits_of(&self.memory[*address as usize..][..BEAT_BYTES]);
                dut.axi.rlast.next = *left == 1;
                dut.axi.rresp.next = if *address >= self.broken { 2u64 } else { 0 }.into();
                (*left, *address) = (*left - 1, *address + BEAT_BYTES as u64);
                if *left == 0 {
                    self.under_way.remove(which);
                }
            }
            settle(dut);
            if dut.segments.valid.val() && dut.segments.ready.val() {
                self.segments.pop_front();
            }
            if dut.axi.arvalid.val() && dut.axi.arready.val() {
                let (address, beats) = (dut.axi.araddr.val().to_u64(), dut.axi.arlen.val().to_u64() + 1);
                assert_eq!(address % 64, 0);
                assert_eq!(address / 4096, (address + 64 * beats - 1) / 4096, "crosses a border");
                let tag = dut.axi.arid.val().to_u64();
                assert!(self.under_way.iter().all(|burst| burst.0 != tag), "tag {tag} twice");
                self.under_way.push((tag, beats, address));
            }
            if dut.used.valid.val() && dut.used.ready.val() {
                let used = dut.used.data.val();
                assert_eq!(used.length.to_u64(), 0);
                self.used.push((used.pair.to_u64(), used.head.to_u64(), used.reset));
            }
            if dut.fault.valid.val() && dut.fault.ready.val() {
                self.faults.push((dut.fault.data.val().vq.to_u64(), dut.fault.data.val().reason.to_u64()));
            }
            if dut.out.valid.val() && dut.out.ready.val() {
                let sent = dut.out.data.val();
                let beat = sent.frame;
                if self.partial.is_empty() {
                    self.headers.push((sent.header.csum_start.to_u64(), beat.offloads.uso));
                }
                assert!((1..=64).contains(&beat.bytes.to_u64()) && (beat.last || beat.bytes.to_u64() == 64));
                assert_eq!(beat.pair.to_u64(), beat.function.to_u64());
                self.partial.extend(bytes(beat.data, beat.bytes));
                if beat.last {
                    self.frames.push((beat.pair.to_u64(), std::mem::take(&mut self.partial), beat.error));
                }
            }
            self.clocks += 1;
            // The clock stands still while it may.
            if !dut.idle.val() {
                tick(dut, |d| &mut d.clock);
            }
        }

        fn run(&mut self) {
            let end = self.clocks + 40_000;
            while !self.segments.is_empty() || !self.dut.idle.val() || !self.under_way.is_empty() {
                self.clock();
                assert!(
                    self.clocks < end,
                    "not idle after {} frames, the last of {:?}",
                    self.frames.len(),
                    self.frames.last().map(|f| (f.0, f.1.len()))
                );
            }
        }
    }

    fn has_uso(pair: u64) -> bool {
        pair.is_multiple_of(2)
    }

    fn header(pair: u64) -> usize {
        if pair == 0 { LONG_HEADER } else { SHORT_HEADER }
    }

    #[test]
    fn frames_come_out_as_they_lie_in_memory_however_they_are_cut() {
        for seed in 0..6 {
            let mut bench = Bench::new(seed);
            bench.ease = [0.7, 1.0, 0.3, 0.9, 0.7, 0.7][seed as usize];
            let (mut frames, mut used, mut headers) = (vec![], vec![], vec![]);
            for number in 0..60u64 {
                let pair = bench.rng.random_range(0..4);
                let longest = if number % 10 == 0 { 9300 } else { 300 };
                let mut left = bench.rng.random_range(header(pair) + 1..longest) as u64;
                let mut cuts = vec![];
                while left > 0 {
                    let most = if bench.rng.random_bool(0.5) { left } else { left.min(100) };
                    let length = bench.rng.random_range(1..=most);
                    cuts.push((bench.rng.random_range(0..0x7_0000u64), length));
                    left -= length;
                }
                let chain = bench.chain(pair, number, &cuts);
                frames.push((pair, chain[header(pair)..].to_vec(), false));
                headers.push((u16::from_le_bytes([chain[6], chain[7]]).into(), has_uso(pair)));
                used.push((pair, number, false));
            }
            bench.run();
            assert_eq!(bench.frames, frames, "seed {seed}");
            assert_eq!(bench.headers, headers, "seed {seed}");
            assert_eq!((bench.used, bench.faults), (used, vec![]), "seed {seed}");
        }
    }

    #[test]
    fn frames_of_64_bytes_take_two_clocks_each() {
        let mut bench = Bench::new(7);
        bench.ease = 1.0;
        for number in 0..200 {
            bench.chain(1, number, &[(0x1000 + 128 * number, 76)]);
        }
        bench.run();
        assert_eq!(bench.frames.len(), 200);
        assert!(bench.clocks < 400 + 40, "{} clocks", bench.clocks);
    }

    #[test]
    fn a_read_that_fails_spoils_its_chain_alone_and_is_a_fault() {
        let mut bench = Bench::new(8);
        bench.broken = 0x7_8000;
        for (pair, address) in [(1, 0x1000), (2, 0x7_7f00), (3, 0x2000)] {
            bench.chain(pair, 5, &[(address, 300), (address + 300, 100)]);
        }
        bench.run();
        let whole: Vec<_> = bench.frames.iter().map(|(pair, frame, error)| (*pair, frame.len(), *error)).collect();
        assert_eq!(whole, [(1, 388, false), (2, 388, true), (3, 388, false)]);
        assert_eq!((bench.used, bench.faults), (vec![(1, 5, false), (3, 5, false)], vec![(2, reason::BUS)]));
    }

    #[test]
    fn a_chain_that_is_given_up_leaves_a_damaged_frame_or_none() {
        // How much of the chain was there: nothing, less than the header, the header, a beat, many.
        for (given, damaged) in
            [(0, false), (5, false), (12, false), (64, false), (77, true), (128, true), (1000, true)]
        {
            let mut bench = Bench::new(9);
            if given > 0 {
                bench.chain(1, 5, &[(0x1234, given)]);
                bench.segments.back_mut().unwrap().last = false;
            }
            let end =
                Segment { pair: 1u64.into(), function: 1u64.into(), last: true, abort: true, ..Default::default() };
            bench.segments.push_back(Segment { first: given == 0, ..end });
            bench.segments.push_back(Segment { pair: 1u64.into(), last: true, reset: true, ..Default::default() });
            let sound = bench.chain(1, 6, &[(0x3000, 100)]);
            bench.run();
            let (last, before) = bench.frames.split_last().unwrap();
            assert_eq!(last, &(1, sound[12..].to_vec(), false), "{given}");
            assert_eq!(before.iter().map(|frame| frame.2).collect::<Vec<_>>(), vec![true; damaged.into()], "{given}");
            assert_eq!((bench.used, bench.faults), (vec![(1, 0, true), (1, 6, false)], vec![]), "{given}");
        }
    }

    #[test]
    fn after_a_reset_nothing_counts_that_came_before() {
        // Bursts that are under way at the reset: some of them answered, in the first round of tags and in the second.
        for begun in [3, 8, 11] {
            let mut bench = Bench::new(12);
            for number in 0..begun + 4 {
                bench.chain(1, number, &[(0x1000 + 64 * number, 76)]);
            }
            while bench.used.len() < begun as usize {
                bench.clock();
            }
            let mut after = Bench::after_reset(bench.dut, 13);
            let mut chain = |number| after.chain(2, number, &[(0x2000 + 200 * number, 150)]);
            let frames: Vec<_> = (0..20).map(|number| (2, chain(number)[12..].to_vec(), false)).collect();
            after.run();
            assert!(after.frames == frames, "after {begun} bursts");
            assert_eq!(after.faults, []);
        }
    }

    #[test]
    fn lengths_and_places_of_all_kinds_with_and_without_the_representors_header() {
        for (pair, ease) in [(0, 1.0), (1, 1.0), (0, 0.8), (1, 0.8)] {
            let mut bench = Bench::new(11);
            bench.ease = ease;
            let mut frames = vec![];
            for number in 0..130 {
                let length = (header(pair) + 1) as u64 + number;
                let chain = bench.chain(pair, number, &[(0x1000 + 1037 * number, length)]);
                frames.push((pair, chain[header(pair)..].to_vec(), false));
            }
            bench.run();
            assert!(bench.frames == frames, "pair {pair}, ease {ease}");
        }
    }

    #[test]
    fn the_way_of_a_frame_lints() {
        assert_lints(Way::default());
    }
}
