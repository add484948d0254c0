// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames through the whole chain.

use crate::bench::{Dpu, Net, PF, VF, assert_same, frame, receive, small};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, LocalMemory, Representors, Settings};
use millrace_regs::host::RECEIVE_CHAIN;
use millrace_sim::{Bar, Latency};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Memory as PCIe has it, memory that answers at once, and memory that takes its time and lets reads overtake each other.
fn memories() -> [Latency; 3] {
    let at_once = Latency { cycles: 1, ..Latency::default() };
    [Latency::default(), at_once, Latency { cycles: 100, jitter: 400, busy: 80, seed: 3 }]
}

#[test]
fn a_frame_of_a_vf_without_a_rule_reaches_the_slow_path_and_its_answer_leaves_through_an_uplink() {
    for latency in memories() {
        let dpu = Dpu::new(latency);
        let (mut vf, mut ecpf) = (dpu.start(VF, small()), dpu.representors());
        dpu.run();
        let frames: Vec<_> = [60, 64, 65, 1518, 9216, 14].iter().zip(0..).map(|(len, n)| frame(*len, n)).collect();
        assert_eq!(vf.send(0, frames.iter().map(Vec::as_slice)).unwrap(), 6);
        dpu.run();
        let upcalls = ecpf.upcalls(3, 100).unwrap();
        assert_same(upcalls.iter().map(|upcall| &upcall.frame), &frames);
        for upcall in &upcalls {
            assert_eq!(ecpf.packet_out(1, &upcall.frame).unwrap(), Sent::Accepted);
        }
        dpu.run();
        let left: Vec<_> = std::iter::from_fn(|| dpu.recv(1)).collect();
        assert_same(&left, &frames);
        assert_eq!((vf.reclaim(0).unwrap(), dpu.recv(0)), (6, None));
        vf.check().unwrap();
    }
}

#[test]
fn a_frame_from_an_uplink_reaches_a_vf_and_the_pf_through_the_slow_path() {
    for latency in memories() {
        let dpu = Dpu::new(latency);
        let (mut pf, mut vf, mut ecpf) = (dpu.start(PF, small()), dpu.start(VF, small()), dpu.representors());
        dpu.run();
        let frames: Vec<_> = (0..20).map(|n| frame(14 + 97 * n as usize, n)).collect();
        frames.iter().for_each(|frame| dpu.send(0, frame));
        dpu.run();
        for upcall in ecpf.upcalls(0, 100).unwrap() {
            for vport in [2, 3] {
                assert_eq!(ecpf.packet_out(vport, &upcall.frame).unwrap(), Sent::Accepted);
            }
        }
        dpu.run();
        assert_same(&receive(&mut pf), &frames);
        assert_same(&receive(&mut vf), &frames);
    }
}

/// Random queue sizes, cuts of chains and buffers, lengths, and order of what the sides do; each run prints what it began with.
#[test]
fn random_traffic_of_a_vf_and_its_representor_loses_nothing_and_keeps_its_order() {
    for seed in 0..24 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let latency = Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..200), busy: 60, seed };
        let dpu = Dpu::new(latency);
        let merge = rng.random();
        let settings = Settings { merge, ..random_settings(&mut rng, merge) };
        println!("seed {seed}, {latency:?}, {settings:?}");
        let (mut vf, mut ecpf) = (dpu.start(VF, settings), dpu.representors());
        dpu.run();
        let (mut sent, mut delivered) = (VecDeque::new(), VecDeque::new());
        for number in 0..80 {
            let long = rng.random_ratio(1, 8);
            let bytes = frame(rng.random_range(14..if long { 9217 } else { 400 }), number);
            if rng.random() {
                let cuts: Vec<_> = (0..rng.random_range(0..4)).map(|_| cut(&mut rng, 300)).collect();
                if vf.send_cut(0, &bytes, &cuts).unwrap() == Sent::Accepted {
                    sent.push_back(bytes);
                }
            } else if delivered.len() < 6 && ecpf.packet_out(3, &bytes).unwrap() == Sent::Accepted {
                delivered.push_back(bytes);
            }
            for _ in 0..rng.random_range(0..1500) {
                dpu.step();
            }
            if rng.random_ratio(1, 3) {
                take(&mut vf, &mut ecpf, &mut sent, &mut delivered);
            }
        }
        for _ in 0..3 {
            dpu.run();
            take(&mut vf, &mut ecpf, &mut sent, &mut delivered);
        }
        let dropped = dpu.register(VF, 0x2c) as usize;
        assert_eq!((sent.len(), delivered.len()), (0, dropped), "seed {seed}");
        vf.check().unwrap();
    }
}

/// What has come out on both sides is the next of what went in; on the VF's side frames may be missing that had no buffer.
fn take(
    vf: &mut Net,
    ecpf: &mut Representors<Bar, LocalMemory>,
    sent: &mut VecDeque<Vec<u8>>,
    delivered: &mut VecDeque<Vec<u8>>,
) {
    vf.reclaim(0).unwrap();
    for upcall in ecpf.upcalls(3, 100).unwrap() {
        assert!(sent.pop_front() == Some(upcall.frame), "a frame out is the next that was sent");
    }
    for frame in receive(vf) {
        let place = delivered.iter().position(|due| *due == frame).expect("a frame that was delivered");
        delivered.remove(place);
    }
}

fn cut(rng: &mut ChaCha8Rng, longest: u32) -> Cut {
    Cut { gap: rng.random_range(0..70), len: rng.random_range(1..longest) }
}

/// Of a function's queues; chains and buffers as they may be cut.
pub fn random_settings(rng: &mut ChaCha8Rng, merge: bool) -> Settings {
    let packed = rng.random();
    let queue_size = if packed { rng.random_range(8..=256) } else { 1 << rng.random_range(3..9) };
    let mut order: Vec<u16> = (0..queue_size).collect();
    order.shuffle(rng);
    let chain = |rng: &mut ChaCha8Rng| {
        let pieces = rng.random_range(1..=RECEIVE_CHAIN);
        let mut chain: Vec<_> = (0..pieces).map(|_| cut(rng, 2500)).collect();
        // Without merged buffers each chain takes the longest frame.
        chain[0].len += if merge { 1200 } else { 9300 };
        chain
    };
    Settings {
        packed,
        event_idx: rng.random(),
        in_order: rng.random(),
        queue_size,
        descriptor_order: if packed { vec![] } else { order },
        receive: (0..rng.random_range(1..4)).map(|_| chain(rng)).collect(),
        transmit_bytes: 9300 + 5 * 70,
        transmit_buffers: 8,
        ..small()
    }
}
