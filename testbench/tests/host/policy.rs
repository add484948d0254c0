// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF allows functions, against the model: `docs/host.md`, "Policy".

use crate::bench::{Dpu, Net, PF, VF, assert_same, receive, small};
use millrace_driver::virtio::{FunctionConfig, FunctionPolicy, FunctionVlan, VirtioPci, sample_drops};
use millrace_driver::{DropReason, DropSample, Sent};
use millrace_model::host::policy::{Policy, Vlan};
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{FUNCTION_REFUSED, FUNCTION_SAMPLES, LIMITS, SAMPLE_BYTES, TIME_UNIT_NS};
use millrace_sim::{CYCLE_NS, Latency};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The vport of function 1.
const UPLINKS: usize = 2;
const UNIT: u64 = TIME_UNIT_NS / CYCLE_NS;

fn random_policy(rng: &mut ChaCha8Rng, mac: [u8; 6]) -> Policy {
    let vlan = Vlan { id: rng.random_range(1..4096), priority: rng.random_range(0..8), service: rng.random() };
    Policy { mac, vlan: rng.random_bool(0.7).then_some(vlan), spoof_check: rng.random() }
}

fn config(policy: &Policy) -> FunctionConfig {
    let vlan = policy.vlan.map(|v| FunctionVlan { id: v.id, priority: v.priority, service: v.service });
    let policy_set = FunctionPolicy { vlan, spoof_check: policy.spoof_check, ..FunctionPolicy::default() };
    FunctionConfig { mac: policy.mac, mtu: 1500, link_up: true, features: u64::MAX, policy: policy_set }
}

/// A frame that mostly fits the policy, one way or the other.
fn random_frame(rng: &mut ChaCha8Rng, policy: &Policy) -> Vec<u8> {
    let len = *[60, 61, 64, 65, 68, 128, 131, 200, 1500, MAX_FRAME - 4].choose(rng).expect("some");
    let mut frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    frame[6..12].copy_from_slice(&policy.mac);
    frame[11] ^= u8::from(rng.random_bool(0.2));
    frame[12..14].copy_from_slice([[0x81, 0x00], [0x88, 0xa8], [0x88, 0xb5]].choose(rng).expect("some"));
    let id = policy.vlan.map_or(7, |vlan| vlan.id) ^ u16::from(rng.random_bool(0.2));
    frame[14..16].copy_from_slice(&(id | rng.random::<u16>() << 12).to_be_bytes());
    frame[16..18].copy_from_slice(&[0x88, 0xb5]);
    frame[18..26].copy_from_slice(&rng.random::<[u8; 8]>());
    frame
}

#[test]
fn functions_send_and_get_what_their_policy_lets_through() {
    for seed in 0..4 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let latency = Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..100), busy: 60, seed };
        let dpu = Dpu::new(latency);
        let mut ecpf = dpu.representors();
        let mut nets = [PF, VF].map(|function| dpu.start(function, small()));
        dpu.run();
        let mut refused = [0; 2];
        let (mut through, mut sent_up) = (0, 0);
        for round in 0..20 {
            for (i, net) in nets.iter_mut().enumerate() {
                let function = PF + i;
                let policy = random_policy(&mut rng, [2, 0, 0, 0, seed as u8, function as u8]);
                config(&policy).set(&mut dpu.bar(0), function as u32).unwrap();
                dpu.run();
                let vport = (UPLINKS + i) as u16;
                let (mut up, mut down) = (vec![], vec![]);
                for _ in 0..8 {
                    let frame = random_frame(&mut rng, &policy);
                    assert_eq!(net.send(0, [&frame[..]]).unwrap(), 1);
                    match policy.sent(&frame) {
                        Some(frame) => up.push(frame),
                        None => refused[i] += 1,
                    }
                    let frame = random_frame(&mut rng, &policy);
                    assert_eq!(ecpf.packet_out(vport, &frame).unwrap(), Sent::Accepted);
                    match policy.received(&frame) {
                        Some(frame) => down.push(frame),
                        None => refused[i] += 1,
                    }
                }
                dpu.run();
                net.reclaim(0).unwrap();
                let upcalls: Vec<_> = ecpf.upcalls(vport, usize::MAX).unwrap().into_iter().map(|u| u.frame).collect();
                assert_same(&upcalls, &up);
                assert_same(&receive(net), &down);
                through += down.len();
                sent_up += up.len();
                let counted = dpu.register(function, FUNCTION_REFUSED.offset);
                assert_eq!(counted, refused[i], "seed {seed}, round {round}, function {function}");
            }
        }
        assert!(through > 50 && sent_up > 50 && refused.iter().all(|n| *n > 20), "{through} {sent_up} {refused:?}");
    }
}

#[test]
fn a_tag_that_makes_a_frame_too_long_drops_it_by_name() {
    let dpu = Dpu::new(Latency::default());
    let mut ecpf = dpu.representors();
    let mut vf = dpu.start(VF, small());
    let vlan = Some(Vlan { id: 5, priority: 0, service: false });
    let policy = Policy { mac: [2, 0, 0, 0, 0, 2], vlan, spoof_check: true };
    config(&policy).set(&mut dpu.bar(0), VF as u32).unwrap();
    for (len, arrives) in [(MAX_FRAME - 4, true), (MAX_FRAME - 3, false), (MAX_FRAME, false), (60, true)] {
        let mut frame = vec![0; len];
        frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
        assert_eq!(vf.send(0, [&frame[..]]).unwrap(), 1);
        dpu.run();
        vf.reclaim(0).unwrap();
        let due: Vec<_> = policy.sent(&frame).filter(|_| arrives).into_iter().collect();
        let upcalls: Vec<_> = ecpf.upcalls(3, usize::MAX).unwrap().into_iter().map(|u| u.frame).collect();
        assert_same(&upcalls, &due);
    }
    assert_eq!(dpu.register(VF, FUNCTION_REFUSED.offset), 0, "the core counts them");
}

#[test]
fn samples_of_dropped_frames_come_as_often_as_is_said_and_say_why() {
    let dpu = Dpu::new(Latency::default());
    let mut ecpf = dpu.representors();
    let mut vf = dpu.start(VF, small());
    let vlan = Some(Vlan { id: 5, priority: 0, service: false });
    let policy = Policy { mac: [2, 0, 0, 0, 0, 2], vlan, spoof_check: true };
    config(&policy).set(&mut dpu.bar(0), VF as u32).unwrap();
    let vport = UPLINKS + VF - PF;
    let frame = |last: u8, kind: u8, len: usize| {
        let mut frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
        frame[6..14].copy_from_slice(&[2, 0, 0, 0, 0, last, kind, 0]);
        frame
    };
    let (forged, tagged, good) = (frame(9, 8, 300), frame(2, 0x81, 61), frame(2, 8, 200));
    let mut samples = |vf: &mut Net, frames: &[&[u8]]| {
        dpu.0.borrow_mut().skip(10 * UNIT);
        assert_eq!(vf.send(0, frames.iter().copied()).unwrap(), frames.len());
        dpu.run();
        vf.reclaim(0).unwrap();
        let upcalls: Vec<_> = ecpf.upcalls(vport as u16, usize::MAX).unwrap().into_iter().map(|u| u.frame).collect();
        let due = frames.iter().filter_map(|frame| policy.sent(frame)).collect::<Vec<_>>();
        assert_same(&upcalls, &due);
        std::iter::from_fn(|| ecpf.next_sample()).collect::<Vec<_>>()
    };
    assert!(samples(&mut vf, &[&forged, &good, &forged]).is_empty(), "nobody asked for any");
    let sample = |reason, frame: &[u8]| DropSample { vport: vport as u8, reason, frame: frame.to_vec() };
    sample_drops(&mut dpu.bar(0), VF as u32, Duration::from_nanos(5 * TIME_UNIT_NS)).unwrap();
    let burst: Vec<&[u8]> = vec![&good, &forged, &good, &tagged, &forged, &good];
    assert_eq!(samples(&mut vf, &burst), [sample(DropReason::Spoof, &forged[..SAMPLE_BYTES])]);
    assert_eq!(samples(&mut vf, &[&good, &tagged, &tagged]), [sample(DropReason::Vlan, &tagged)]);
    sample_drops(&mut dpu.bar(0), VF as u32, Duration::from_nanos(20 * TIME_UNIT_NS)).unwrap();
    assert!(samples(&mut vf, &[&forged]).is_empty());
    assert_eq!(samples(&mut vf, &[&forged]).len(), 1, "it is time again");
    dpu.bar(0).write32(LIMITS.at(VF as u32) + FUNCTION_SAMPLES.offset, 0).unwrap();
    assert_eq!(samples(&mut vf, &[&forged]).len() + samples(&mut vf, &[&forged]).len(), 0);
    assert_eq!(dpu.register(VF, FUNCTION_REFUSED.offset), 11, "samples or not, they are counted");
}
