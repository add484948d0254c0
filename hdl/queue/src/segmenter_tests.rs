// SPDX-License-Identifier: MIT OR Apache-2.0
//! The block against the model, which is written from the page.

use super::*;
use crate::asked::{ALL, Sent, header, random_headers, random_sent, spoil};
use crate::testing::{assert_lints, bits_of, bytes, settle, tick_those};
use crate::types::{BEAT_BYTES, NetHeader, Offloads};
use millrace_model::host::offload::offload;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{ECPF, Feature};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

type Dut = Segmenter<2, 3>;

/// A frame as it leaves: of which function, error.
type Left = (u64, Vec<u8>, bool);

struct Bench {
    dut: Box<Dut>,
    rng: ChaCha8Rng,
    beats: VecDeque<SentBeat<2>>,
    left: Vec<Left>,
    partial: Vec<u8>,
    bad: Vec<u64>,
    clocks: usize,
    /// How often beats come, and are taken.
    ease: (f64, f64),
}

impl Bench {
    fn new(seed: u64, ease: (f64, f64)) -> Self {
        let mut dut = Box::<Dut>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick_those(&mut *dut, |d| d.clock_part.iter_mut().map(|clock| (clock, true)).collect());
        dut.reset.next = false;
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { dut, rng, beats: VecDeque::new(), left: vec![], partial: vec![], bad: vec![], clocks: 0, ease }
    }

    fn send(&mut self, sent: &Sent, error: bool) {
        let has = |feature: Feature| sent.features & feature.bit() != 0;
        let offloads = Offloads {
            csum: has(Feature::Csum),
            tso4: has(Feature::HostTso4),
            tso6: has(Feature::HostTso6),
            ecn: has(Feature::HostEcn),
            uso: has(Feature::HostUso),
        };
        let count = sent.frame.len().div_ceil(BEAT_BYTES);
        for (i, chunk) in sent.frame.chunks(BEAT_BYTES).enumerate() {
            let last = i + 1 == count;
            let header = if i == 0 { sent.header.clone() } else { (0..12).map(|_| self.rng.random()).collect() };
            let frame = FrameBeat {
                data: bits_of(chunk),
                bytes: (chunk.len() as u64).into(),
                last,
                pair: sent.function.into(),
                function: sent.function.into(),
                offloads,
                error: last && error,
            };
            self.beats.push_back(SentBeat { frame, header: net_header(&header) });
        }
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        let comes = !self.beats.is_empty() && self.rng.random_bool(self.ease.0);
        dut.inp.valid.next = comes;
        dut.inp.data.next = self.beats.front().filter(|_| comes).copied().unwrap_or_default();
        dut.out.ready.next = self.rng.random_bool(self.ease.1);
        settle(dut);
        if comes && dut.inp.ready.val() {
            self.beats.pop_front();
        }
        if dut.bad.val() {
            self.bad.push(dut.bad_function.val().to_u64());
        }
        if dut.out.valid.val() && dut.out.ready.val() {
            let beat = dut.out.data.val();
            assert!((1..=64).contains(&beat.bytes.to_u64()) && (beat.last || beat.bytes.to_u64() == 64));
            assert_eq!(beat.pair.to_u64(), beat.function.to_u64());
            self.partial.extend(bytes(beat.data, beat.bytes));
            if beat.last {
                self.left.push((beat.function.to_u64(), std::mem::take(&mut self.partial), beat.error));
            }
        }
        self.clocks += 1;
        // Each clock stands still while it may.
        tick_those(dut, |d| {
            let idle = d.idle_part.val();
            d.clock_part.iter_mut().enumerate().map(|(i, clock)| (clock, !idle.get_bit(i))).collect()
        });
    }

    fn run(&mut self) {
        let mut rest = 3_000 + 40 * self.beats.len();
        while !self.beats.is_empty() || !self.dut.idle_part.val().all() {
            self.clock();
            rest -= 1;
            assert!(rest > 0, "not idle after {} frames, {} beats are left", self.left.len(), self.beats.len());
        }
    }

    /// All that was sent has become what the model makes of it.
    fn check(&mut self, sent: &[Sent], what: &str) {
        self.run();
        let (mut due, mut bad) = (vec![], vec![]);
        for one in sent {
            let features = if one.function == ECPF as u64 { 0 } else { one.features };
            match offload(&one.header, features, &one.frame) {
                Ok(frames) => due.extend(frames.into_iter().map(|frame| (one.function, frame, false))),
                Err(_) => bad.push(one.function),
            }
        }
        let is = |left: &[Left]| left.iter().map(|(function, frame, _)| (*function, frame.len())).collect::<Vec<_>>();
        assert_eq!(is(&self.left), is(&due), "{what}");
        for (i, (left, due)) in self.left.iter().zip(&due).enumerate() {
            let differs = left.1.iter().zip(&due.1).position(|(a, b)| a != b);
            assert_eq!((differs, left.2), (None, due.2), "{what}: frame {i}, first difference");
        }
        assert_eq!(self.bad, bad, "{what}");
    }
}

fn net_header(bytes: &[u8]) -> NetHeader {
    let little = |at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])).into();
    NetHeader {
        flags: u64::from(bytes[0]).into(),
        gso_type: u64::from(bytes[1]).into(),
        hdr_len: little(2),
        gso_size: little(4),
        csum_start: little(6),
        csum_offset: little(8),
        num_buffers: little(10),
    }
}

#[test]
fn frames_become_what_the_model_makes_of_them() {
    for seed in 0..6 {
        let ease = [(1.0, 1.0), (0.7, 0.7), (1.0, 0.3), (0.3, 1.0), (1.0, 1.0), (0.9, 0.9)][seed as usize];
        let mut bench = Bench::new(seed, ease);
        let longest = if seed == 4 { 9000 } else { 700 };
        let sent: Vec<_> = (0..60).map(|_| random_sent(&mut bench.rng, longest)).collect();
        sent.iter().for_each(|one| bench.send(one, false));
        bench.check(&sent, &format!("seed {seed}"));
    }
}

#[test]
fn a_segmented_packet_of_64_kib_takes_26_clocks_for_each_1518_bytes() {
    let mut bench = Bench::new(11, (1.0, 1.0));
    let (mut frame, kind, start, offset) = loop {
        let headers = random_headers(&mut bench.rng);
        if headers.0.len() == 54 && headers.1 & 0x7f == 1 {
            break headers;
        }
    };
    frame.extend((0..65_000).map(|i| (i / 3) as u8));
    let sent = Sent { function: 1, features: ALL, header: header(1, kind, [1464, start, offset]), frame };
    bench.send(&sent, false);
    bench.check(&[sent], "64 KiB");
    assert_eq!(bench.left.len(), 45);
    assert!(bench.clocks < 45 * 26 + 80, "{} clocks", bench.clocks);
}

#[test]
fn frames_of_64_bytes_take_a_clock_each_with_and_without_a_checksum() {
    for flags in [0, 1] {
        let mut bench = Bench::new(12, (1.0, 1.0));
        let frame = (0..64).map(|i| i as u8).collect();
        let sent = vec![Sent { function: 1, features: ALL, header: header(flags, 0, [0, 34, 16]), frame }; 200];
        sent.iter().for_each(|one| bench.send(one, false));
        bench.check(&sent, "short");
        assert!(bench.clocks < 200 + 30, "{} clocks", bench.clocks);
    }
}

#[test]
fn hostile_headers_are_refused_as_the_model_refuses_them() {
    let mut bad = 0;
    for seed in 20..26 {
        let mut bench = Bench::new(seed, if seed % 2 == 0 { (1.0, 1.0) } else { (0.8, 0.6) });
        let mut sent: Vec<_> = (0..150).map(|_| random_sent(&mut bench.rng, 200)).collect();
        for one in &mut sent {
            for _ in 0..bench.rng.random_range(0..3) {
                spoil(&mut bench.rng, one);
            }
        }
        sent.iter().for_each(|one| bench.send(one, false));
        bench.check(&sent, &format!("seed {seed}"));
        bad += bench.bad.len();
    }
    assert!(bad > 100, "{bad} bad ones");
}

#[test]
fn the_longest_frame_has_a_checksum_and_one_that_is_longer_is_refused() {
    let mut bench = Bench::new(30, (1.0, 0.9));
    let frame = |len: usize| (0..len).map(|i| (i * 3) as u8).collect::<Vec<_>>();
    let one = |len: usize, at: usize| Sent {
        function: 2,
        features: ALL,
        header: header(1, 0, [0, 34, at - 34]),
        frame: frame(len),
    };
    let longest = MAX_FRAME;
    let sent = [
        one(longest, longest - 2),
        one(longest + 1, 40),
        one(longest - 1, longest - 2),
        one(3 * longest, 40),
        one(60_000, 40),
        one(longest, 40),
    ];
    sent.iter().for_each(|one| bench.send(one, false));
    bench.check(&sent, "long");
    assert_eq!((bench.left.len(), bench.bad.len()), (2, 4));
}

#[test]
fn a_checksum_of_udp_is_never_zero() {
    let mut bench = Bench::new(32, (1.0, 1.0));
    let mut frame = vec![0; 40];
    frame[20..22].fill(0xff);
    let sent = [6, 8, 12].map(|offset| Sent {
        function: 1,
        features: ALL,
        header: header(1, 0, [0, 16, offset]),
        frame: frame.clone(),
    });
    sent.iter().for_each(|one| bench.send(one, false));
    bench.check(&sent, "zero");
    assert_eq!(bench.left.iter().map(|left| left.1[22]).collect::<Vec<_>>(), [0xff, 0, 0]);
}

#[test]
fn a_frame_that_is_damaged_stays_so_and_harms_no_other() {
    for (len, flags, kind) in
        [(60, 0, 0), (60, 1, 0), (500, 1, 0), (40, 1, 1), (54, 1, 1), (100, 1, 1), (1000, 1, 1), (300, 1, 3)]
    {
        let mut bench = Bench::new(31, (1.0, 1.0));
        let (mut headers, ..) = loop {
            let headers = random_headers(&mut bench.rng);
            if headers.0.len() == 54 && headers.1 == 1 {
                break headers;
            }
        };
        headers.resize(1000, 7);
        headers.truncate(len);
        let sent = Sent { function: 1, features: ALL, header: header(flags, kind, [100, 34, 16]), frame: headers };
        bench.send(&sent, true);
        let sound = Sent { header: header(0, 0, [0; 3]), ..sent.clone() };
        bench.send(&sound, false);
        bench.run();
        let (last, before) = bench.left.split_last().unwrap();
        assert_eq!(last, &(1, sound.frame, false), "{len} {kind}");
        let cut = len.saturating_sub(54).div_ceil(100);
        let due = match kind {
            0 => 1,
            1 => cut,
            _ => 0,
        };
        let errors: Vec<_> = before.iter().map(|left| left.2).collect();
        let expected: Vec<_> = (0..due).map(|i| i + 1 == due).collect();
        assert_eq!(errors, expected, "{len} {kind}");
    }
}

#[test]
fn segmenter_lints() {
    assert_lints(Dut::default());
}
