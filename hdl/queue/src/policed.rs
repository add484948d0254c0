// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random policies and frames that meet them, for tests.

use crate::types::Policy;
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
