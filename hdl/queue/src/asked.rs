// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random frames with headers that ask for offloads, for tests.

use millrace_regs::host::{Feature, NET_HEADER};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A frame as it comes, with what its driver has negotiated.
#[derive(Clone)]
pub struct Sent {
    pub function: u64,
    pub features: u64,
    pub header: Vec<u8>,
    pub frame: Vec<u8>,
}

/// `flags`, `gso_type`; `gso_size`, `csum_start`, `csum_offset`.
pub fn header(flags: u8, kind: u8, fields: [usize; 3]) -> Vec<u8> {
    let mut header = vec![flags, kind, 0xaa, 0xaa];
    fields.iter().for_each(|field| header.extend((*field as u16).to_le_bytes()));
    header.resize(NET_HEADER, 0x55);
    header
}

pub const ALL: u64 =
    Feature::bits(&[Feature::Csum, Feature::HostTso4, Feature::HostTso6, Feature::HostEcn, Feature::HostUso]);

/// Headers of a random kind, and what a driver asks for that has them cut: `gso_type`, `csum_start`, `csum_offset`.
pub fn random_headers(rng: &mut ChaCha8Rng) -> (Vec<u8>, u8, usize, usize) {
    let mut frame: Vec<u8> = (0..12).map(|_| rng.random()).collect();
    for _ in 0..rng.random_range(0..3) {
        frame.extend(if rng.random() { [0x81, 0x00] } else { [0x88, 0xa8] });
        frame.extend(rng.random::<[u8; 2]>());
    }
    let (v6, udp): (bool, bool) = (rng.random(), rng.random());
    let protocol = if udp { 17 } else { 6 };
    let ip;
    if v6 {
        frame.extend([0x86, 0xdd]);
        ip = frame.len();
        frame.extend((0..40).map(|_| rng.random::<u8>()));
        frame[ip] = 0x60 | rng.random_range(0..16);
        frame[ip + 6] = protocol;
        let extension = 8 * [0, 0, 1, 3, 10][rng.random_range(0..5)];
        frame.extend((0..extension).map(|_| rng.random::<u8>()));
        if extension > 0 {
            frame[ip + 6] = 0;
        }
    } else {
        frame.extend([0x08, 0x00]);
        ip = frame.len();
        let words = [5, 5, 6, 9, 15][rng.random_range(0..5)];
        frame.extend((0..4 * words).map(|_| rng.random::<u8>()));
        frame[ip] = 0x40 | words as u8;
        frame[ip + 9] = protocol;
    }
    let l4 = frame.len();
    let words = if udp { 2 } else { rng.random_range(5..16) };
    frame.extend((0..4 * words).map(|_| rng.random::<u8>()));
    if !udp {
        frame[l4 + 12] = (words as u8) << 4 | rng.random_range(0..16);
    }
    let kind = match (udp, v6) {
        (true, _) => 5,
        (_, true) => 4,
        _ => 1,
    };
    let ecn = if !udp && rng.random_ratio(1, 4) { 0x80 } else { 0 };
    (frame, kind | ecn, l4, if udp { 6 } else { 16 })
}

/// A frame that a sane driver may send.
pub fn random_sent(rng: &mut ChaCha8Rng, longest: usize) -> Sent {
    let (mut frame, kind, start, offset) = random_headers(rng);
    let payload = rng.random_range(1..=longest);
    let fill = *[0u8, 0xff, 0x5a].choose(rng).expect("some");
    let plain: bool = rng.random();
    frame.extend((0..payload).map(|_| if plain { rng.random() } else { fill }));
    let size = *[64, 100, 1448, 1, payload, 2 * payload, rng.random_range(1..1500)].choose(rng).expect("some");
    let header = match rng.random_range(0..5) {
        0 => header(0, 0, [size, start, offset]),
        1 | 2 => header(1, 0, [size, start, offset]),
        _ => header(1, kind, [size.max(payload / 40).min(8900), start, offset]),
    };
    Sent { function: rng.random_range(0..4), features: ALL, header, frame }
}

/// Changes something in what a driver asks for, or in the frame's headers.
pub fn spoil(rng: &mut ChaCha8Rng, sent: &mut Sent) {
    match rng.random_range(0..9) {
        0 => sent.header[rng.random_range(0..2)] = rng.random(),
        1 => sent.header[1] = *[0, 1, 3, 4, 5, 0x80, 0x81, 0x84, 0x85].choose(rng).expect("some"),
        2 => sent.header[4..6].copy_from_slice(&[rng.random(), *[0, 0x23, 0x24, 0xff].choose(rng).expect("some")]),
        3 => {
            let at = rng.random_range(6..10);
            sent.header[at] = rng.random();
        }
        4 => {
            let at = *[6, 8].choose(rng).expect("some");
            sent.header[at] = sent.header[at].wrapping_add(rng.random_range(0..5)).wrapping_sub(2);
        }
        5 | 6 => {
            let at = rng.random_range(12..sent.frame.len().min(90));
            sent.frame[at] = rng.random();
        }
        7 => sent.frame.truncate(rng.random_range(1..150)),
        _ => sent.features &= rng.random::<u64>(),
    }
}
