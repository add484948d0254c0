// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames from the core to the pairs that they go to, against `docs/host.md`, "Steering".

use super::*;
use crate::asked::random_headers;
use crate::collector::Collector;
use crate::testing::{assert_lints, bits_of, settle, tick};
use crate::types::Policy;
use millrace_regs::host::control::{DEFAULT_KEY, HASH_TYPES, KEY_BYTES};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Two functions, the upcalls.
const SOURCES: usize = 3;
/// The first pairs of the functions.
const FIRST: [usize; 2] = [3, 8];

#[millrace_hdl::block]
struct Way {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    #[count(SOURCES)]
    inp: Vec<Snk<Beat<BEAT_BITS, 7>>>,
    whole: Signal<In, Bits<SOURCES>>,
    table_write: Signal<In, Bit>,
    table_index: Signal<In, Bits<TABLE_LOG2>>,
    table_entry: Signal<In, Bits<8>>,
    steer_now: Signal<In, Bit>,
    steering: Signal<In, Steering>,
    key: Signal<In, Bits<KEY_BITS>>,
    function: Signal<In, Bits<8>>,
    finished: Signal<In, Bit>,
    finished_function: Signal<In, Bits<8>>,
    out: Src<Received<4>>,
    data: Src<Beat<BEAT_BITS, 7>>,
    idle: Signal<Out, Bit>,
    #[init(Collector::new(&FIRST))]
    collector: Collector<SOURCES, 4, 2>,
    steer: Steer<4, SOURCES, 2, 9>,
}

#[millrace_hdl::block]
impl Way {
    fn update(&mut self) {
        for i in 0..SOURCES {
            link(self.inp[i], self.collector.inp[i]);
        }
        self.collector.whole = self.whole;
        self.collector.upcall_vport = 1;
        self.collector.upcall_reason = 0;
        self.collector.policy_write = false;
        self.collector.policy_function = 0;
        self.collector.policy = Policy::default();
        self.collector.steers = self.steer.steers;
        self.steer.table_write = self.table_write;
        self.steer.table_index = self.table_index;
        self.steer.table_entry = self.table_entry;
        self.steer.apply = self.steer_now;
        self.steer.steering = self.steering;
        self.steer.key = self.key;
        self.steer.function = self.function;
        self.steer.finished = self.finished;
        self.steer.finished_function = self.finished_function;
        self.steer.steered = self.collector.steered;
        self.steer.beat = self.collector.steered_beat;
        self.steer.steered_function = self.collector.steered_function;
        join(self.collector.frames, self.steer.frames);
        link(self.out, self.steer.out);
        link(self.data, self.collector.data);
        self.idle = self.collector.idle & self.steer.idle;
    }
}

#[derive(Clone)]
struct Steers {
    types: u32,
    mask: usize,
    unclassified: u64,
    table: Vec<u64>,
    key: [u8; KEY_BYTES],
}

/// The input of the hash; none: no type fits.
fn input(frame: &[u8], types: u32) -> Option<Vec<u8>> {
    let mut l3 = 14;
    while l3 < 22 && matches!(frame.get(l3 - 2..l3)?, [0x81, 0x00] | [0x88, 0xa8]) {
        l3 += 4;
    }
    let packet = frame.get(l3..).unwrap_or_default();
    let has = |bit: u32| types & bit != 0;
    let (addresses, protocol, l4, [ip, tcp, udp]) = match frame.get(l3 - 2..l3)? {
        [0x08, 0x00] if packet.len() >= 20 && packet[0] >> 4 == 4 && packet[0] & 15 >= 5 => {
            let fragment = packet[6] & 0x3f != 0 || packet[7] != 0;
            let protocol = if fragment { 0 } else { packet[9] };
            let kinds = [hash_type::IPV4, hash_type::TCPV4, hash_type::UDPV4];
            (&packet[12..20], protocol, 4 * usize::from(packet[0] & 15), kinds)
        }
        [0x86, 0xdd] if packet.len() >= 40 && packet[0] >> 4 == 6 => {
            (&packet[8..40], packet[6], 40, [hash_type::IPV6, hash_type::TCPV6, hash_type::UDPV6])
        }
        _ => return None,
    };
    let ports = packet.get(l4..l4 + 4).filter(|_| protocol == 6 && has(tcp) || protocol == 17 && has(udp));
    match ports {
        Some(ports) => Some([addresses, ports].concat()),
        None => has(ip).then(|| addresses.to_vec()),
    }
}

fn receiveq(frame: &[u8], steers: &Steers) -> u64 {
    let Some(input) = input(frame, steers.types) else { return steers.unclassified };
    let bit = |bytes: &[u8], n: usize| u32::from(bytes[n / 8] >> (7 - n % 8) & 1);
    let window = |n| (n..n + 32).fold(0, |window, at| window << 1 | bit(&steers.key, at));
    let hash = (0..8 * input.len()).filter(|n| bit(&input, *n) == 1).fold(0, |hash, n| hash ^ window(n));
    steers.table[hash as usize & steers.mask]
}

/// Frames of all kinds: the ones that offloads are tested with, some of them damaged or cut.
fn frame(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let (mut frame, ..) = random_headers(rng);
    frame.extend((0..*[0, 1, 40, 200].choose(rng).expect("some")).map(|_| rng.random::<u8>()));
    let l3 = if frame[12..14] == [0x08, 0x00] { Some(14) } else { None };
    if let Some(l3) = l3.filter(|_| rng.random_bool(0.8)) {
        frame[l3 + 6..l3 + 8].copy_from_slice(&[rng.random_range(0..4) << 6 & 0xc0, 0]);
    }
    match rng.random_range(0..8) {
        0 => frame.truncate(rng.random_range(14..frame.len().min(110))),
        1 => {
            let at = rng.random_range(12..frame.len().min(40));
            frame[at] = rng.random();
        }
        _ => {}
    }
    frame
}

struct Bench {
    dut: Box<Way>,
    rng: ChaCha8Rng,
    /// Beats of each source, with whether a frame ends.
    beats: Vec<VecDeque<(Vec<u8>, bool)>>,
    /// Frames of each source that have not come out: the pair, the length.
    due: Vec<VecDeque<(u64, usize)>>,
    steers: [Option<Steers>; 2],
    out: usize,
    ease: f64,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut dut = Box::<Way>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let (beats, due) = (vec![VecDeque::new(); SOURCES], vec![VecDeque::new(); SOURCES]);
        Self { dut, rng: ChaCha8Rng::seed_from_u64(seed), beats, due, steers: [None, None], out: 0, ease: 1.0 }
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let mut whole = 0u64;
        for (i, beats) in self.beats.iter().enumerate() {
            whole |= u64::from(!beats.is_empty()) << i;
            dut.inp[i].valid.next = !beats.is_empty();
            if let Some((bytes, last)) = beats.front() {
                let mut padded = bytes.clone();
                padded.resize(64, 0xee);
                dut.inp[i].data.next = Beat { data: bits_of(&padded), bytes: (bytes.len() as u64).into(), last: *last };
            }
        }
        dut.whole.next = whole.into();
        dut.out.ready.next = self.rng.random_bool(self.ease);
        dut.data.ready.next = true;
        settle(dut);
        for (i, beats) in self.beats.iter_mut().enumerate() {
            if dut.inp[i].valid.val() && dut.inp[i].ready.val() {
                beats.pop_front();
            }
        }
        if dut.out.valid.val() && dut.out.ready.val() {
            let got = dut.out.data.val();
            let source = if got.function.any() { got.function.to_u64() as usize - 1 } else { SOURCES - 1 };
            let (pair, length) = self.due[source].pop_front().expect("a frame");
            assert_eq!((got.pair.to_u64(), got.length.to_u64()), (pair, length as u64), "frame {}", self.out);
            self.out += 1;
        }
        tick(dut, |d| &mut d.clock);
    }

    fn send(&mut self, source: usize, frame: &[u8]) {
        let chosen = self.steers.get(source).and_then(Option::as_ref).map_or(0, |steers| receiveq(frame, steers));
        let first = FIRST.get(source).map_or(1, |first| *first as u64);
        self.due[source].push_back((first + chosen, frame.len()));
        let beats = frame.chunks(64).map(<[u8]>::to_vec);
        let last = frame.len().div_ceil(64) - 1;
        self.beats[source].extend(beats.enumerate().map(|(i, bytes)| (bytes, i == last)));
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            self.clock();
            if self.dut.idle.val() && self.beats.iter().all(VecDeque::is_empty) {
                assert!(self.due.iter().all(VecDeque::is_empty));
                return;
            }
        }
        panic!("frames are stuck");
    }

    /// What drivers do, at rest.
    fn set(&mut self, function: usize, steers: Steers) {
        self.dut.function.next = (function as u64).into();
        for (i, entry) in steers.table.iter().enumerate() {
            self.dut.table_write.next = true;
            self.dut.table_index.next = (i as u64).into();
            self.dut.table_entry.next = (*entry).into();
            self.clock();
        }
        self.dut.table_write.next = false;
        self.dut.steer_now.next = true;
        self.dut.steering.next = Steering {
            types: u64::from(steers.types).into(),
            mask: (steers.mask as u64).into(),
            unclassified: steers.unclassified.into(),
        };
        let key = |all: Bits<KEY_BITS>, byte: &u8| all << 8u64 | Bits::from(u64::from(*byte));
        self.dut.key.next = steers.key.iter().fold(0u64.into(), key);
        self.clock();
        self.dut.steer_now.next = false;
        self.clock();
        self.steers[function - 1] = Some(steers);
    }

    fn finish(&mut self, function: usize) {
        self.dut.finished.next = true;
        self.dut.finished_function.next = (function as u64).into();
        self.clock();
        self.dut.finished.next = false;
        self.clock();
        self.steers[function - 1] = None;
    }
}

#[test]
fn each_frame_goes_to_the_receiveq_that_its_flow_has() {
    let mut bench = Bench::new(1);
    let mut receiveqs = [0; 5];
    for round in 0..24 {
        bench.ease = *[1.0, 0.5, 0.2].choose(&mut bench.rng).expect("some");
        let function = bench.rng.random_range(1..3);
        if bench.rng.random_ratio(1, 5) {
            bench.finish(function);
        } else {
            let rng = &mut bench.rng;
            let entries = *[1, 2, 16, 128].choose(rng).expect("some");
            let steers = Steers {
                types: if rng.random() { HASH_TYPES } else { rng.random_range(0..64) },
                mask: entries - 1,
                unclassified: rng.random_range(0..5),
                table: (0..entries).map(|_| rng.random_range(0..5)).collect(),
                key: if rng.random() { DEFAULT_KEY } else { std::array::from_fn(|_| rng.random()) },
            };
            bench.set(function, steers);
        }
        for _ in 0..60 {
            let (source, frame) = (bench.rng.random_range(0..SOURCES), frame(&mut bench.rng));
            if let Some(steers) = bench.steers.get(source).and_then(Option::as_ref) {
                receiveqs[receiveq(&frame, steers) as usize] += 1;
            }
            bench.send(source, &frame);
            if bench.rng.random_ratio(1, 4) {
                (0..bench.rng.random_range(0..20)).for_each(|_| bench.clock());
            }
        }
        bench.drain();
        assert_eq!(bench.out, 60 * (round + 1));
    }
    assert!(receiveqs.iter().all(|frames| *frames > 50), "{receiveqs:?}");
}

#[test]
fn short_frames_are_steered_in_two_clocks_each() {
    let mut bench = Bench::new(2);
    let table = (0..128).map(|i| i % 4).collect();
    bench.set(1, Steers { types: HASH_TYPES, mask: 127, unclassified: 0, table, key: DEFAULT_KEY });
    let frames: Vec<_> = std::iter::repeat_with(|| frame(&mut bench.rng)).filter(|f| f.len() <= 64).take(200).collect();
    frames.iter().for_each(|frame| bench.send(0, frame));
    let mut clocks = 0;
    while bench.out < 200 {
        bench.clock();
        clocks += 1;
    }
    assert!(clocks < 420, "{clocks} clocks");
}

#[test]
fn steering_lints() {
    assert_lints(FlowFields::default());
    assert_lints(Steer::<4, 3, 2, 9>::new());
}
