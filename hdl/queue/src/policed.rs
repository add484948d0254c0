// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random policies, frames that meet them, and the bench that both ways share: for tests.

use crate::testing::bits_of;
use crate::types::{FrameBeat, Policy};
use millrace_model::host::policy::{Policy as Model, Vlan};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A policy in which each part is there half of the time.
pub fn random_policy(rng: &mut ChaCha8Rng) -> Model {
    let vlan = Vlan { id: rng.random_range(1..4096), priority: rng.random_range(0..8), service: rng.random() };
    Model { mac: rng.random(), vlan: rng.random_bool(0.6).then_some(vlan), spoof_check: rng.random() }
}

/// The policy as the registers give it.
pub fn register_of(policy: &Model) -> Policy {
    let [a, b, c, d, e, f] = policy.mac.map(u64::from);
    let vlan = policy.vlan.unwrap_or(Vlan { id: 0, priority: 5, service: true });
    Policy {
        mac: (f << 40 | e << 32 | d << 24 | c << 16 | b << 8 | a).into(),
        vlan: u64::from(vlan.id).into(),
        priority: u64::from(vlan.priority).into(),
        service: vlan.service,
        spoof_check: policy.spoof_check,
        trust: false,
    }
}

/// Lengths around those that matter: of headers, and where a tag needs a beat more or less.
pub fn random_length(rng: &mut ChaCha8Rng) -> usize {
    let about: usize = *[13, 17, 60, 64, 68, 124, 128, 132, 192, 300].choose(rng).expect("some");
    (about + rng.random_range(0..9)).saturating_sub(4)
}

/// A frame that fits the policy, or fails it in one thing.
pub fn random_frame(rng: &mut ChaCha8Rng, policy: &Model) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..random_length(rng).max(20)).map(|_| rng.random()).collect();
    if rng.random_bool(0.8) {
        frame[6..12].copy_from_slice(&policy.mac);
    }
    if rng.random_bool(0.1) {
        frame[rng.random_range(6..12)] ^= 1 << rng.random_range(0..8);
    }
    let tags = [[0x81, 0x00], [0x88, 0xa8], [0x08, 0x00]];
    frame[12..14].copy_from_slice(tags.choose(rng).expect("some"));
    if let Some(vlan) = policy.vlan.filter(|_| rng.random_bool(0.8)) {
        let control = vlan.id | rng.random::<u16>() << 12;
        frame[14..16].copy_from_slice(&control.to_be_bytes());
        if rng.random_bool(0.1) {
            frame[rng.random_range(12..16)] ^= 1 << rng.random_range(0..8);
        }
    }
    if rng.random_bool(0.1) {
        frame.truncate(rng.random_range(1..19));
    }
    frame
}

/// The beats of a frame of a function, whose pair is none that a function has by chance.
pub fn beats_of(frame: &[u8], function: u64) -> Vec<FrameBeat<2>> {
    let count = frame.len().div_ceil(64);
    let beat = |(i, chunk): (usize, &[u8])| FrameBeat::<2> {
        data: bits_of(chunk),
        bytes: (chunk.len() as u64).into(),
        last: i + 1 == count,
        pair: (3 - function).into(),
        function: function.into(),
        offloads: Default::default(),
        error: false,
    };
    frame.chunks(64).enumerate().map(beat).collect()
}

/// A test that frames leave block `$dut` as the model's `$judged` has them, with what travels beside each: a mark below `$marks`,
/// which `$give` puts on a beat, and `$take` finds there at the last beat.
macro_rules! policy_test {
    ($name:ident, $dut:ty, $judged:ident, $marks:literal, $give:expr, $take:expr) => {
        #[test]
        fn $name() {
            use crate::policed::{beats_of, random_frame, random_policy, register_of};
            use crate::testing::{bytes, settle, tick};
            use millrace_model::host::policy::Policy as Model;
            use rand::{Rng, SeedableRng};
            use rand_chacha::ChaCha8Rng;
            use std::collections::VecDeque;

            for (seed, (gives, takes)) in (0..).zip([(0.5, 0.5), (1.0, 1.0), (0.9, 0.3), (0.3, 0.9)]) {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut dut = <$dut>::default();
                dut.connect_all();
                dut.reset.next = true;
                tick(&mut dut, |d| &mut d.clock);
                dut.reset.next = false;
                for _ in 0..12 {
                    let policies: [Model; 4] =
                        std::array::from_fn(|f| if f == 0 { Model::default() } else { random_policy(&mut rng) });
                    for (function, policy) in policies.iter().enumerate() {
                        dut.policy_write.next = true;
                        dut.policy_function.next = (function as u64).into();
                        // What is written for the ECPF does not count.
                        dut.policy.next = register_of(if function == 0 { &policies[1] } else { policy });
                        tick(&mut dut, |d| &mut d.clock);
                    }
                    dut.policy_write.next = false;
                    let (mut beats, mut due, mut refused) = (VecDeque::new(), vec![], vec![]);
                    for _ in 0..60 {
                        let function = rng.random_range(0..4);
                        let frame = random_frame(&mut rng, &policies[function]);
                        let mark = rng.random_range(0..$marks);
                        match policies[function].$judged(&frame) {
                            Some(frame) => due.push((function as u64, frame, mark)),
                            None => refused.push(function as u64),
                        }
                        beats.extend(beats_of(&frame, function as u64).into_iter().map(|beat| $give(beat, mark)));
                    }
                    let (mut left, mut dropped, mut partial) = (vec![], vec![], vec![]);
                    let most = 200 + 8 * beats.len();
                    let rested = (0..most).any(|_| {
                        let comes = !beats.is_empty() && rng.random_bool(gives);
                        dut.inp.valid.next = comes;
                        dut.inp.data.next = beats.front().filter(|_| comes).copied().unwrap_or_default();
                        dut.out.ready.next = rng.random_bool(takes);
                        settle(&mut dut);
                        if comes && dut.inp.ready.val() {
                            beats.pop_front();
                        }
                        if dut.dropped.val() {
                            dropped.push(dut.dropped_function.val().to_u64());
                        }
                        if dut.out.valid.val() && dut.out.ready.val() {
                            let (beat, mark) = $take(dut.out.data.val());
                            assert!(
                                (1..=64).contains(&beat.bytes.to_u64()) && (beat.last || beat.bytes.to_u64() == 64)
                            );
                            partial.extend(bytes(beat.data, beat.bytes));
                            if beat.last {
                                assert_eq!(beat.pair.to_u64(), 3 - beat.function.to_u64());
                                left.push((beat.function.to_u64(), std::mem::take(&mut partial), mark));
                            }
                        }
                        tick(&mut dut, |d| &mut d.clock);
                        dut.inp.valid.next = false;
                        settle(&mut dut);
                        beats.is_empty() && dut.idle.val()
                    });
                    assert!(rested, "not at rest after {most} clocks");
                    assert_eq!(dropped, refused);
                    assert_eq!(left.len(), due.len());
                    for (i, (left, due)) in left.iter().zip(&due).enumerate() {
                        assert!(
                            left == due,
                            "seed {seed}, frame {i} of function {}: {} bytes, {} due",
                            due.0,
                            left.1.len(),
                            due.1.len()
                        );
                    }
                }
            }
        }

        #[test]
        fn verilog_passes_lint() {
            crate::testing::assert_lints(<$dut>::default());
        }
    };
}
pub(crate) use policy_test;
