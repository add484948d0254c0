// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames in against the model's policy, which is written from the page.

use super::*;
use crate::policed::{random_frame, random_policy, register_of};
use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
use millrace_model::host::policy::Policy as Model;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

type Dut = ReceivedPolicy<2, 2>;

#[test]
fn frames_in_are_those_that_the_model_lets_through() {
    for (seed, (gives, takes)) in (0..).zip([(0.5, 0.5), (1.0, 1.0), (0.9, 0.3), (0.3, 0.9)]) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut dut = Dut::default();
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
                let reason = rng.random_range(0..256);
                match policies[function].received(&frame) {
                    Some(frame) => due.push((function as u64, frame, reason)),
                    None => refused.push(function as u64),
                }
                let count = frame.len().div_ceil(64);
                beats.extend(frame.chunks(64).enumerate().map(|(i, chunk)| PolicyBeat::<2> {
                    frame: FrameBeat::<2> {
                        data: bits_of(chunk),
                        bytes: (chunk.len() as u64).into(),
                        last: i + 1 == count,
                        pair: (3 - function as u64).into(),
                        function: (function as u64).into(),
                        offloads: Default::default(),
                        error: false,
                    },
                    reason: reason.into(),
                    steered: reason % 2 == 1,
                }));
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
                    let PolicyBeat { frame: beat, reason, steered } = dut.out.data.val();
                    assert!((1..=64).contains(&beat.bytes.to_u64()) && (beat.last || beat.bytes.to_u64() == 64));
                    partial.extend(bytes(beat.data, beat.bytes));
                    if beat.last {
                        assert_eq!(beat.pair.to_u64(), 3 - beat.function.to_u64());
                        assert_eq!(steered, reason.get_bit(0));
                        left.push((beat.function.to_u64(), std::mem::take(&mut partial), reason.to_u64()));
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
    assert_lints(Dut::default());
}
