// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several pairs of virtqueues, and the control queue: `docs/host.md`, "Control queue" and "Steering". Which receiveq a frame goes to is what the model says.

use crate::bench::{Dpu, Net, PRESET, VF, assert_same, frame, small};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, Rss, Settings, VirtioError};
use millrace_model::host::steering::Steering;
use millrace_regs::host::control::{HASH_TYPES, KEY_BYTES, TABLE_ENTRIES};
use millrace_regs::host::{FUNCTION_MAC_HI, FUNCTION_MAC_LO, FUNCTION_NO_BUFFER};
use millrace_sim::Latency;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PAIRS: u16 = PRESET.config().queue_pairs as u16;
/// Vport of the VF.
const VPORT: u16 = 3;

fn latency(rng: &mut ChaCha8Rng) -> Latency {
    Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..200), busy: 60, seed: rng.random() }
}

/// Frames that were received, by pair.
fn received(net: &mut Net) -> Vec<Vec<Vec<u8>>> {
    let of = |pair| {
        let mut frames = vec![];
        net.receive(pair, usize::MAX, |frame| frames.push(frame.to_vec())).expect("the function works");
        frames
    };
    (0..PAIRS).map(of).collect()
}

/// Tags, and a header of IP that is whole or not.
fn random_frame(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for _ in 0..[0, 0, 0, 1, 2, 3][rng.random_range(0..6)] {
        frame.extend(if rng.random() { [0x81, 0x00] } else { [0x88, 0xa8] });
        frame.extend(rng.random::<[u8; 2]>());
    }
    let protocol = [6, 17, 1, 44][rng.random_range(0..4)];
    // Now and then a field is not what it has to be.
    let version = if rng.random_ratio(1, 8) { rng.random_range(0..16) } else { 0 };
    if rng.random() {
        let words = if rng.random_ratio(1, 3) { rng.random_range(0..16) } else { 5 };
        let fragment: [u8; 2] = if rng.random_ratio(1, 4) { rng.random() } else { [0x40, 0] };
        frame.extend([8, 0, (4 ^ version) << 4 | words, 0, 0, 60, 0, 1, fragment[0], fragment[1], 64, protocol, 0, 0]);
        frame.extend(rng.random::<[u8; 8]>());
    } else {
        frame.extend([0x86, 0xdd, (6 ^ version) << 4, 0, 0, 0, 0, 8, protocol, 64]);
        frame.extend(rng.random::<[u8; 32]>());
    }
    frame.extend(rng.random::<[u8; 64]>());
    if rng.random_ratio(1, 4) {
        frame.truncate(rng.random_range(14..frame.len()));
    }
    frame
}

fn random_rss(rng: &mut ChaCha8Rng) -> Rss {
    let entries = 1 << rng.random_range(0..=TABLE_ENTRIES.ilog2());
    let key_bytes = if rng.random() { KEY_BYTES } else { rng.random_range(0..=KEY_BYTES) };
    Rss {
        hash_types: rng.random::<u32>() & HASH_TYPES,
        table: (0..entries).map(|_| rng.random_range(0..PAIRS)).collect(),
        unclassified: rng.random_range(0..PAIRS),
        key: (0..key_bytes).map(|_| rng.random()).collect(),
    }
}

/// Pieces of commands, up to as many as a chain may have.
fn random_pieces(rng: &mut ChaCha8Rng) -> Vec<Cut> {
    let count = rng.random_range(0..=6);
    (0..count).map(|_| Cut { gap: rng.random_range(0..70), len: rng.random_range(1..150) }).collect()
}

/// What the model has of it.
fn steering(rss: &Rss) -> Steering {
    let mut key = [0; KEY_BYTES];
    key[..rss.key.len()].copy_from_slice(&rss.key);
    Steering { hash_types: rss.hash_types, table: rss.table.clone(), unclassified: rss.unclassified, key }
}

#[test]
fn frames_arrive_where_the_model_says() {
    let mut on_each = vec![0; PAIRS.into()];
    for seed in 0..6 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let dpu = Dpu::new(latency(&mut rng));
        let command = random_pieces(&mut rng);
        let settings = Settings { pairs: PAIRS, packed: seed % 2 == 0, indirect: seed % 3 == 0, command, ..small() };
        let (mut vf, mut ecpf) = (dpu.start(VF, settings), dpu.representors());
        let mut told = Steering::pairs(PAIRS);
        for round in 0..20 {
            match rng.random_range(0..4) {
                0 => {
                    let pairs = rng.random_range(1..=PAIRS);
                    vf.set_pairs(pairs).unwrap();
                    told = Steering::pairs(pairs);
                }
                1 => {}
                _ => {
                    let rss = random_rss(&mut rng);
                    vf.set_rss(&rss).unwrap();
                    told = steering(&rss);
                }
            }
            dpu.run();
            let frames: Vec<_> = (0..24).map(|_| random_frame(&mut rng)).collect();
            for bytes in &frames {
                assert_eq!(ecpf.packet_out(VPORT, bytes).unwrap(), Sent::Accepted);
            }
            dpu.run();
            assert_eq!(dpu.register(VF, FUNCTION_NO_BUFFER.offset), 0, "seed {seed}, round {round}");
            for (pair, left) in (0..).zip(received(&mut vf)) {
                let due: Vec<_> = frames.iter().filter(|frame| told.receiveq(frame) == pair).cloned().collect();
                assert_same(&left, &due);
                on_each[usize::from(pair)] += due.len();
            }
        }
        vf.check().unwrap();
    }
    assert!(on_each.iter().all(|count| *count > 200), "{on_each:?}");
}

#[test]
fn after_a_reset_all_goes_to_receiveq_0_until_it_is_told_otherwise() {
    let dpu = Dpu::new(Latency::default());
    let (mut vf, mut ecpf) = (dpu.start(VF, Settings { pairs: PAIRS, ..small() }), dpu.representors());
    vf.set_rss(&Rss { table: vec![PAIRS - 1], unclassified: PAIRS - 1, ..Rss::spread(PAIRS) }).unwrap();
    let bytes = frame(100, 1);
    assert_eq!(ecpf.packet_out(VPORT, &bytes).unwrap(), Sent::Accepted);
    dpu.run();
    assert_eq!(received(&mut vf).pop(), Some(vec![bytes]));
    let (bar, memory) = vf.stop().unwrap();
    let mut vf = Net::start(bar, memory, Settings { pairs: 1, ..small() }).unwrap();
    dpu.run();
    let bytes = frame(100, 2);
    assert_eq!(ecpf.packet_out(VPORT, &bytes).unwrap(), Sent::Accepted);
    dpu.run();
    assert_eq!(crate::bench::receive(&mut vf), [bytes]);
}

#[test]
fn commands_are_answered_under_traffic_and_no_frame_is_lost() {
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let dpu = Dpu::new(latency(&mut rng));
        let command = random_pieces(&mut rng);
        let settings = Settings { pairs: PAIRS, packed: seed % 2 == 0, command, ..small() };
        let (mut vf, mut ecpf) = (dpu.start(VF, settings), dpu.representors());
        dpu.run();
        for round in 0..12u16 {
            let out: Vec<_> = (0..10).map(|number| frame(400, number)).collect();
            assert_eq!(vf.send(round % PAIRS, out.iter().map(Vec::as_slice)).unwrap(), out.len());
            let into: Vec<_> = (0..10).map(|_| random_frame(&mut rng)).collect();
            for bytes in &into {
                assert_eq!(ecpf.packet_out(VPORT, bytes).unwrap(), Sent::Accepted);
            }
            for _ in 0..rng.random_range(0..500) {
                dpu.step();
            }
            vf.set_promiscuous(round % 2 == 0).unwrap();
            vf.set_addresses(&[[2; 6]; 40], &[[3; 6]; 40]).unwrap();
            vf.add_vlan(round).unwrap();
            assert!(matches!(vf.add_vlan(0x1000 + round), Err(VirtioError::Refused { .. })));
            vf.set_rss(&random_rss(&mut rng)).unwrap();
            dpu.run();
            let mut left = received(&mut vf).concat();
            let mut due = into;
            left.sort_unstable();
            due.sort_unstable();
            assert_same(&left, &due);
            let upcalls = ecpf.upcalls(VPORT, usize::MAX).unwrap();
            assert_same(&upcalls.into_iter().map(|upcall| upcall.frame).collect::<Vec<_>>(), &out);
        }
        vf.check().unwrap();
    }
}

#[test]
fn the_drivers_address_is_seen_by_the_ecpf_and_stays() {
    let dpu = Dpu::new(Latency::default());
    let mut vf = dpu.start(VF, small());
    vf.set_mac([2, 0x11, 0x22, 0x33, 0x44, 0x55]).unwrap();
    assert!(matches!(vf.set_mac([1, 0, 0, 0, 0, 1]), Err(VirtioError::Refused { .. })));
    for _ in 0..2 {
        assert_eq!(vf.config().unwrap().mac, Some([2, 0x11, 0x22, 0x33, 0x44, 0x55]));
        assert_eq!(dpu.register(VF, FUNCTION_MAC_LO.offset), 0x3322_1102);
        assert_eq!(dpu.register(VF, FUNCTION_MAC_HI.offset) & 0xffff, 0x5544);
        vf.restart().unwrap();
    }
}
