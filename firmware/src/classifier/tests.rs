// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use crate::openflow::{Slot, WORDS, slot};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A match on whole or partial fields.
fn on(fields: &[(Slot, u128, u128)]) -> Match {
    let mut m = Match::default();
    for &(slot, value, mask) in fields {
        m.key.set(slot, m.key.get(slot) | value & mask);
        m.mask.set(slot, m.mask.get(slot) | mask);
    }
    m
}

fn exact(slot: Slot, value: u128) -> (Slot, u128, u128) {
    (slot, value, slot.ones())
}

fn classifier(flows: &[(Match, u16)]) -> Classifier {
    Classifier::new(flows.iter().enumerate().map(|(i, (m, p))| (i as u32, m, *p)))
}

fn packet(fields: &[(Slot, u128)]) -> FlowKey {
    let mut key = FlowKey::default();
    for &(slot, value) in fields {
        key.set(slot, value);
    }
    key
}

const IP: (Slot, u128, u128) = (slot::DL_TYPE, 0x0800, 0xffff);

#[test]
fn highest_priority_wins_and_lower_subtables_are_not_looked_at() {
    let c = classifier(&[
        (on(&[exact(slot::IN_PORT, 1)]), 10),
        (on(&[IP, exact(slot::NW_DST, 5)]), 5),
        (Match::default(), 0),
    ]);
    let mut looked = FlowMask::default();
    assert_eq!(c.lookup(&packet(&[(slot::IN_PORT, 1), (slot::NW_DST, 5)]), &mut looked), Some(0));
    assert_eq!(looked, on(&[exact(slot::IN_PORT, 0)]).mask);
}

#[test]
fn a_subtable_that_fails_on_l2_does_not_look_at_l4() {
    let c = classifier(&[(on(&[IP, exact(slot::NW_PROTO, 6), exact(slot::TP_DST, 80)]), 10), (Match::default(), 0)]);
    let mut looked = FlowMask::default();
    assert_eq!(c.lookup(&packet(&[(slot::DL_TYPE, 0x0806)]), &mut looked), Some(1));
    assert_eq!(looked, on(&[exact(slot::DL_TYPE, 0)]).mask);
}

#[test]
fn prefix_trie_unwildcards_only_the_bits_that_tell_addresses_apart() {
    let c = classifier(&[
        (on(&[IP, (slot::NW_DST, 0x0a01_0000, 0xffff_0000)]), 10),
        (on(&[IP, (slot::NW_DST, 0x0a02_0300, 0xffff_ff00)]), 9),
        (Match::default(), 0),
    ]);
    let mut looked = FlowMask::default();
    assert_eq!(c.lookup(&packet(&[(slot::DL_TYPE, 0x0800), (slot::NW_DST, 0x8b00_0000)]), &mut looked), Some(2));
    assert_eq!(looked.nw_dst(), 0x8000_0000);
}

#[test]
fn port_trie_unwildcards_only_the_bits_that_tell_ports_apart() {
    let c = classifier(&[(on(&[IP, exact(slot::NW_PROTO, 6), exact(slot::TP_DST, 80)]), 10), (Match::default(), 0)]);
    let mut looked = FlowMask::default();
    let key = packet(&[(slot::DL_TYPE, 0x0800), (slot::NW_PROTO, 6), (slot::TP_DST, 0x8050), (slot::TP_SRC, 0xffff)]);
    assert_eq!(c.lookup(&key, &mut looked), Some(1));
    assert_eq!((looked.tp_src(), looked.tp_dst(), looked.nw_proto()), (0, 0x8000, 0xff));
}

#[test]
fn same_match_with_two_priorities_counts_with_the_higher() {
    let m = on(&[exact(slot::DL_DST, 7)]);
    let c = classifier(&[(m, 1), (m, 3), (m, 2)]);
    assert_eq!(c.lookup(&packet(&[(slot::DL_DST, 7)]), &mut FlowMask::default()), Some(1));
}

/// A field, and masks worth trying on it.
fn random_mask(rng: &mut ChaCha8Rng, s: Slot) -> u128 {
    match rng.random_range(0..4) {
        0 => s.ones(),
        1 | 2 => {
            let length = rng.random_range(1..=u32::from(s.bits));
            (u128::MAX << (u32::from(s.bits) - length)) & s.ones()
        }
        _ => rng.random::<u128>() & s.ones(),
    }
}

const FIELDS: [Slot; 12] = [
    slot::METADATA,
    slot::IN_PORT,
    slot::DL_DST,
    slot::DL_TYPE,
    slot::VLAN_TCI0,
    slot::NW_SRC,
    slot::NW_DST,
    slot::IPV6_SRC,
    slot::IPV6_DST,
    slot::NW_PROTO,
    slot::TP_SRC,
    slot::TP_DST,
];

/// Few values, so that packets and flows meet.
fn random_value(rng: &mut ChaCha8Rng, s: Slot) -> u128 {
    let base: u128 = [0, 0x0a0a_0a0a, u128::MAX, 0x5555_5555_5555_5555][rng.random_range(0..4)];
    (base ^ 1 << rng.random_range(0..u32::from(s.bits))) & s.ones()
}

#[test]
fn lookups_agree_with_a_linear_search_and_depend_only_on_what_they_looked_at() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut flows: Vec<(Match, u16)> = Vec::new();
        let masks: Vec<Vec<(Slot, u128)>> = (0..rng.random_range(1..6))
            .map(|_| {
                (0..rng.random_range(0..4))
                    .map(|_| {
                        let s = FIELDS[rng.random_range(0..12)];
                        (s, random_mask(&mut rng, s))
                    })
                    .collect()
            })
            .collect();
        for priority in 0..rng.random_range(1..60) {
            let mask = &masks[rng.random_range(0..masks.len())];
            let fields: Vec<_> = mask.iter().map(|&(s, mask)| (s, random_value(&mut rng, s), mask)).collect();
            let mut m = on(&fields);
            m.key = m.key.masked(&m.mask);
            flows.push((m, priority));
        }
        let c = classifier(&flows);
        for _ in 0..200 {
            let mut key = FlowKey::default();
            for s in FIELDS {
                key.set(s, random_value(&mut rng, s));
            }
            let mut looked = FlowMask::default();
            let expected = flows.iter().enumerate().filter(|(_, (m, _))| m.fits(&key)).max_by_key(|(_, (_, p))| *p);
            let expected = expected.map(|(i, _)| i as u32);
            assert_eq!(c.lookup(&key, &mut looked), expected, "seed {seed} {key:?}");
            let other =
                FlowKey(std::array::from_fn::<u64, WORDS, _>(|i| key.0[i] ^ rng.random::<u64>() & !looked.0[i]));
            assert_eq!(
                c.lookup(&other, &mut FlowMask::default()),
                expected,
                "seed {seed} {key:?} {other:?} {looked:?}"
            );
        }
    }
}
