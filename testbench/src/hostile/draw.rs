// SPDX-License-Identifier: MIT OR Apache-2.0
//! Draws what happens: most of what a guest does is nearly right, so that it gets far before something is wrong.

use super::device::{ADDRESS, GUEST_BYTES, INNER};
use super::guest::TABLES;
use super::op::{Act, Case, Layout, Op, Window};
use millrace_regs::host::{
    COMMON, DEVICE, FAULTS, FUNCTION, Feature, ISR, MSIX_PENDING, MSIX_TABLE, NOTIFY, net_header,
};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Where buffers lie in a guest's memory.
const BUFFERS: u32 = 0x8000;

/// A case of so many things that happen.
pub fn case(rng: &mut ChaCha8Rng, length: usize) -> Case {
    let mut ops = vec![];
    while ops.len() < length {
        episode(rng, &mut ops);
    }
    Case {
        seed: rng.random(),
        latency: (rng.random_range(1..60), *pick(rng, &[0, 0, 30, 200])),
        busy: *pick(rng, &[0, 0, 40, 120]),
        window: *pick(rng, &[Window::Inner, Window::Inner, Window::Outer, Window::All]),
        ops,
    }
}

/// A guest begins, goes on, and is reset.
fn episode(rng: &mut ChaCha8Rng, ops: &mut Vec<Op>) {
    let guest = rng.random_range(0..2);
    let other = 1 - guest;
    ops.push(Op::Guest { guest, act: start(rng) });
    for _ in 0..rng.random_range(20..300) {
        let op = match rng.random_range(0..100) {
            0..4 => Op::Exchange { frames: rng.random_range(1..3), length: length(rng) },
            4..12 => Op::Wait { clocks: *pick(rng, &[1, 2, 5, 10, 30, 100]) },
            12 if rng.random_ratio(1, 4) => Op::Settle,
            13..20 => Op::Guest { guest: other, act: act(rng) },
            _ => Op::Guest { guest, act: act(rng) },
        };
        ops.push(op);
    }
    ops.push(Op::Settle);
    if rng.random_ratio(1, 6) {
        ops.push(Op::Revive { guest });
    }
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, all: &'a [T]) -> &'a T {
    all.choose(rng).expect("there are some")
}

fn length(rng: &mut ChaCha8Rng) -> u16 {
    if rng.random_ratio(1, 10) { rng.random_range(14..2000) } else { rng.random_range(14..200) }
}

fn start(rng: &mut ChaCha8Rng) -> Act {
    let mut features = Feature::OFFERED & rng.random::<u64>() | Feature::REQUIRED;
    match rng.random_range(0..24) {
        0 => features ^= Feature::REQUIRED & rng.random::<u64>(),
        1 => features |= rng.random::<u64>(),
        2..12 => features |= Feature::bits(&[Feature::IndirectDesc, Feature::Csum, Feature::RingReset]),
        _ => {}
    }
    let layout = match rng.random_range(0..20) {
        0 => Layout::Shared,
        1 => Layout::Overlapping,
        2 => Layout::End,
        3 => Layout::At([0; 3].map(|_| address(rng))),
        _ => Layout::Apart,
    };
    Act::Start { features, size: *pick(rng, &[1, 2, 4, 4, 8, 8, 8, 16, 16, 32, 256, 3, 7, 0, 300]), layout }
}

fn act(rng: &mut ChaCha8Rng) -> Act {
    match rng.random_range(0..1000) {
        0..4 => start(rng),
        4..190 => offer(rng),
        190..440 => descriptor(rng),
        440..580 => Act::Available {
            queue: rng.random_range(0..2),
            head: head(rng),
            by: *pick(rng, &[1, 1, 1, 1, 2, 3, 8, 0, 9, 300, 0xffff]),
        },
        580..770 => Act::Store { at: place(rng), value: value(rng), bytes: *pick(rng, &[1, 2, 4, 8]) },
        770..820 => Act::Event { queue: rng.random_range(0..2), value: event(rng) },
        820..900 => notify(rng),
        900..925 => Act::Receive { length: length(rng) },
        925..955 => Act::Write {
            offset: offset(rng),
            value: value(rng) as u32,
            strobe: *pick(rng, &[15, 15, 3, 12, 1, 2, 4, 8, 0, 6]),
        },
        955..965 => Act::Read { offset: offset(rng) },
        965..970 => Act::Configure { register: rng.random_range(0..3), value: rng.random() },
        970..978 => Act::Msix { enabled: rng.random(), masked: rng.random() },
        978..990 => Act::BusMaster { on: rng.random_ratio(2, 3) },
        990..997 => Act::ResetQueue { queue: *pick(rng, &[0, 1, 1, 2, 0xffff]) },
        _ => Act::Reset,
    }
}

fn notify(rng: &mut ChaCha8Rng) -> Act {
    let queue = if rng.random_ratio(1, 30) { rng.random() } else { rng.random_range(0..2) };
    Act::Notify { queue, value: rng.random(), strobe: *pick(rng, &[15, 3, 3, 1, 8, 0]) }
}

/// What decides about interrupts.
fn event(rng: &mut ChaCha8Rng) -> u32 {
    let any = rng.random();
    *pick(rng, &[0, 1, 2, 3, 0xffff, 0x2_8000, any])
}

fn offer(rng: &mut ChaCha8Rng) -> Act {
    let queue = rng.random_range(0..2);
    let count = if queue == 0 { rng.random_range(1..5) } else { *pick(rng, &[1, 1, 2, 3, 5, 9]) };
    let pieces = (0..count).map(|_| {
        let length = rng.random_range(1..400);
        let length = *pick(rng, &[1, 13, 14, 60, 64, 65, 100, 300, 1500, 5000, length]);
        (rng.random_range(BUFFERS..GUEST_BYTES as u32 - 0x4000), length)
    });
    let pieces = pieces.collect();
    Act::Offer { queue, pieces, indirect: rng.random_ratio(1, 4), header: header(rng) }
}

fn header(rng: &mut ChaCha8Rng) -> [u8; 12] {
    let mut header = [0; 12];
    if rng.random() {
        let any: [u8; 2] = rng.random();
        header[0] = *pick(rng, &[1, 1, 1, 0, any[0]]);
        header[1] =
            *pick(rng, &[0, net_header::GSO_TCPV4, net_header::GSO_TCPV6, net_header::GSO_UDP_L4, 0x81, 3, any[1]]);
        for (at, values) in [(2, [54, 0, 0xffff]), (4, [64, 1448, 0]), (6, [14, 34, 0xffff]), (8, [6, 16, 0xfffe])] {
            let value: u16 = if rng.random_ratio(1, 4) { rng.random_range(0..200) } else { *pick(rng, &values) };
            header[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        header[10..].copy_from_slice(&rng.random::<[u8; 2]>());
    }
    header
}

fn descriptor(rng: &mut ChaCha8Rng) -> Act {
    let length = match rng.random_range(0..12) {
        0 => 0,
        1 => *pick(rng, &[u32::MAX, 65_601, 65_602, 1 << 31, 0x1_0000, 16, 32, 256, 17]),
        2 => rng.random(),
        3 => 16 * rng.random_range(0..20),
        _ => rng.random_range(1..300),
    };
    let flags = match rng.random_range(0..8) {
        0 => rng.random(),
        1..4 => rng.random_range(0..8),
        _ => *pick(rng, &[0, 1, 2, 3]),
    };
    Act::Descriptor {
        queue: rng.random_range(0..3),
        slot: rng.random_range(0..16),
        address: address(rng),
        length,
        flags,
        next: head(rng),
        available: rng.random_ratio(3, 4),
    }
}

fn head(rng: &mut ChaCha8Rng) -> u16 {
    if rng.random_ratio(1, 20) { rng.random() } else { rng.random_range(0..10) }
}

fn address(rng: &mut ChaCha8Rng) -> u64 {
    let end = GUEST_BYTES as u64;
    match rng.random_range(0..12) {
        0 => rng.random(),
        1 => u64::MAX - rng.random_range(0..200),
        2 => ADDRESS + *pick(rng, &[INNER, end, 2 * end]) - rng.random_range(0..200),
        3 => ADDRESS - rng.random_range(0..200),
        4 => ADDRESS + u64::from(TABLES) + 16 * rng.random_range(0..64),
        5 => ADDRESS + 0x1000 * rng.random_range(1..8) + rng.random_range(0..64),
        _ => ADDRESS + rng.random_range(u64::from(BUFFERS)..INNER),
    }
}

/// An offset in the memory, mostly where rings are.
fn place(rng: &mut ChaCha8Rng) -> u32 {
    let page = 0x1000 * rng.random_range(1..8);
    if rng.random_ratio(1, 8) { rng.random_range(0..GUEST_BYTES as u32) } else { page + rng.random_range(0..160) }
}

fn value(rng: &mut ChaCha8Rng) -> u64 {
    match rng.random_range(0..6) {
        0 => rng.random(),
        1 => address(rng),
        2 => u64::MAX,
        _ => rng.random_range(0..20),
    }
}

/// An offset in the BAR.
fn offset(rng: &mut ChaCha8Rng) -> u32 {
    match rng.random_range(0..16) {
        0..8 => COMMON.offset + rng.random_range(0..64),
        8..11 => MSIX_TABLE.offset + rng.random_range(0..64),
        11 => pick(rng, &[ISR, DEVICE, FAULTS, MSIX_PENDING]).offset + rng.random_range(0..20),
        12 => NOTIFY.offset + rng.random_range(0..0x4000),
        13 => FUNCTION.offset + rng.random_range(0..0x300),
        14 => rng.random_range(0..0x2_0000),
        _ => rng.random_range(0..1 << 24),
    }
}
