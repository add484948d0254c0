// SPDX-License-Identifier: MIT OR Apache-2.0
//! The parser against a reading of `docs/hardware.md` in plain Rust: crafted frames, damaged ones, at full rate.

use super::*;
use crate::core::types::Meta;
use crate::testing::{assert_lints, tick};
use num_bigint::BigUint;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// What is expected of a frame. `key` is `None` when it does not count (punt).
#[derive(Debug, Default, Clone, PartialEq)]
struct Expected {
    key: Option<BigUint>,
    vlans: u64,
    l3: u64,
    l4: u64,
    l4_words: u64,
    punt: bool,
}

#[derive(Default)]
struct Fields {
    nw_frag: u64,
    vlan_ad: [u64; 2],
    tcp_flags: u64,
    nw_ttl: u64,
    dl_type: u64,
    vlan_tci: [u64; 2],
    nw_proto: u64,
    nw_tos: u64,
    tp_src: u64,
    tp_dst: u64,
    nw_src: u128,
    nw_dst: u128,
}

fn be(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |n, b| n << 8 | u128::from(*b))
}

fn be16(frame: &[u8], at: usize) -> usize {
    be(&frame[at..at + 2]) as usize
}

fn key_of(frame: &[u8], vport: u8, f: &Fields) -> BigUint {
    let fields: [(usize, u128); 17] = [
        (0, vport.into()),
        (8, f.nw_frag.into()),
        (10, f.vlan_ad[0].into()),
        (11, f.vlan_ad[1].into()),
        (12, f.tcp_flags.into()),
        (24, f.nw_ttl.into()),
        (32, f.dl_type.into()),
        (48, f.vlan_tci[0].into()),
        (64, f.vlan_tci[1].into()),
        (80, f.nw_proto.into()),
        (88, f.nw_tos.into()),
        (96, be(&frame[0..6])),
        (144, be(&frame[6..12])),
        (192, f.tp_src.into()),
        (208, f.tp_dst.into()),
        (224, f.nw_src),
        (352, f.nw_dst),
    ];
    fields.iter().map(|(at, v)| BigUint::from(*v) << at).sum()
}

/// The parser's rules, one by one, on bytes.
fn expected(frame: &[u8], vport: u8) -> Expected {
    let len = frame.len();
    let mut f = Fields::default();
    let mut e = Expected::default();
    let mut off = 12;
    let mut t = be16(frame, off);
    for n in 0..2 {
        if (t == 0x8100 || t == 0x88a8) && len - off >= 6 {
            f.vlan_tci[n] = (be16(frame, off + 2) | 0x1000) as u64;
            f.vlan_ad[n] = u64::from(t == 0x88a8);
            off += 4;
            t = be16(frame, off);
            e.vlans += 1;
        } else {
            break;
        }
    }
    f.dl_type = if t >= 0x600 { t as u64 } else { 0x05ff };
    let p = &frame[off + 2..];
    if t < 0x600 && p.len() >= 8 && p[..6] == [0xaa, 0xaa, 3, 0, 0, 0] && be16(p, 6) >= 0x600 {
        return Expected { punt: true, ..e };
    }
    let mut l4: Option<&[u8]> = None;
    match t {
        0x0800 if p.len() >= 20 => {
            let (header, total) = (usize::from(p[0] & 15) * 4, be16(p, 2));
            if header >= 20 && header <= p.len() && header <= total && total <= p.len() {
                e.l3 = 1;
                e.l4_words = header as u64 / 4;
                f.nw_src = be(&p[12..16]);
                f.nw_dst = be(&p[16..20]);
                f.nw_proto = p[9].into();
                f.nw_tos = p[1].into();
                f.nw_ttl = p[8].into();
                let (more, offset) = (be16(p, 6) & 0x2000 != 0, be16(p, 6) & 0x1fff);
                f.nw_frag = u64::from(more || offset != 0) + 2 * u64::from(offset != 0);
                l4 = Some(&p[header..total]);
            }
        }
        0x86dd if p.len() >= 40 && 40 + be16(p, 4) <= p.len() => {
            e.l3 = 2;
            e.l4_words = 10;
            let mut rest = &p[40..40 + be16(p, 4)];
            f.nw_src = be(&p[8..24]);
            f.nw_dst = be(&p[24..40]);
            f.nw_tos = (be16(p, 0) >> 4 & 0xff) as u64;
            f.nw_ttl = p[7].into();
            let mut next = p[6];
            if next == 44 {
                if rest.len() < 8 {
                    return Expected { punt: true, ..e };
                }
                next = rest[0];
                let word = be16(rest, 2);
                f.nw_frag = u64::from(word != 0) + 2 * u64::from(word >> 3 != 0);
                e.l4_words = 12;
                rest = &rest[8..];
                if f.nw_frag & 2 == 0 && next == 44 {
                    return Expected { punt: true, ..e };
                }
            }
            if f.nw_frag & 2 != 0 {
                next = 44;
            } else if [0, 43, 51, 60].contains(&next) {
                return Expected { punt: true, ..e };
            }
            f.nw_proto = next.into();
            l4 = Some(rest);
        }
        0x0806 | 0x8035 if p.len() >= 28 && p[..6] == [0, 1, 8, 0, 6, 4] => {
            f.nw_proto = if be16(p, 6) <= 255 { p[7].into() } else { 0 };
            f.nw_src = be(&p[8..14]) << 80 | be(&p[14..18]);
            f.nw_dst = be(&p[18..24]) << 80 | be(&p[24..28]);
        }
        _ => {}
    }
    if let Some(p) = l4.filter(|_| f.nw_frag & 2 == 0) {
        let ports = match (f.nw_proto, e.l3) {
            (6, _) => p.len() >= 20,
            (17, _) => p.len() >= 8,
            (132, _) => p.len() >= 12,
            _ => false,
        };
        if ports {
            (f.tp_src, f.tp_dst) = (be16(p, 0) as u64, be16(p, 2) as u64);
            e.l4 = [(6, 1), (17, 2)].iter().find(|x| x.0 == f.nw_proto).map_or(0, |x| x.1);
        }
        if ports && f.nw_proto == 6 {
            f.tcp_flags = be16(p, 12) as u64 & 0xfff;
        }
        if [(1, 1), (58, 2)].contains(&(f.nw_proto, e.l3)) && p.len() >= 8 {
            (f.tp_src, f.tp_dst) = (p[0].into(), p[1].into());
            e.l4 = if e.l3 == 2 { 3 } else { 0 };
        }
    }
    e.key = Some(key_of(frame, vport, &f));
    e
}

fn window(frame: &[u8], vport: u8) -> Window {
    Window {
        hdr: BigUint::from_bytes_le(&frame[..frame.len().min(128)]).into(),
        meta: Meta { vport: vport.to_bits(), len: frame.len().to_bits(), ..Default::default() },
    }
}

fn seen(p: &Parsed) -> Expected {
    let (punt, l3) = (p.punt, p.layout.l3.to_u64());
    Expected {
        key: (!punt).then(|| p.key.into()),
        vlans: p.layout.vlans.to_u64(),
        l3,
        l4: p.layout.l4.to_u64(),
        l4_words: if l3 == 0 { 0 } else { p.layout.l4_words.to_u64() },
        punt,
    }
}

/// Only what counts.
fn trim(e: Expected) -> Expected {
    if e.punt { Expected { punt: true, ..Default::default() } } else { e }
}

/// Runs frames through with `gap` idle clocks after each, and as many as there must be where they come in turn.
fn check(frames: &[Vec<u8>], gap: usize) {
    check_parser(Parser::at_once(), frames, gap);
    check_parser(Parser::in_turn(), frames, 3);
}

/// Compares each frame's result with the plain Rust.
fn check_parser(parser: Parser, frames: &[Vec<u8>], gap: usize) {
    let mut uut = Box::new(parser);
    uut.connect_all();
    uut.reset.next = true;
    tick(&mut *uut, |u| &mut u.clock);
    uut.reset.next = false;
    let mut got = 0;
    for n in 0..(frames.len() * (1 + gap) + Parser::LATENCY) {
        let frame = frames.get(n / (1 + gap)).filter(|_| n % (1 + gap) == 0);
        uut.valid.next = frame.is_some();
        uut.window.next = frame.map(|f| window(f, (n % 251) as u8)).unwrap_or_default();
        tick(&mut *uut, |u| &mut u.clock);
        let done = n as isize + 1 - Parser::LATENCY as isize;
        let due = done >= 0 && (done as usize).is_multiple_of(1 + gap) && done as usize / (1 + gap) < frames.len();
        assert_eq!(uut.parsed_valid.val(), due, "clock {n}");
        if due {
            let (start, f) = (done as usize, &frames[done as usize / (1 + gap)]);
            let p = uut.parsed.val();
            assert_eq!(
                trim(seen(&p)),
                trim(expected(f, (start % 251) as u8)),
                "frame {} {:02x?}",
                start / (1 + gap),
                &f[..f.len().min(128)]
            );
            assert_eq!((p.meta.vport.to_u64(), p.meta.len.to_u64()), (start as u64 % 251, f.len() as u64));
            got += 1;
        }
    }
    assert_eq!(got, frames.len());
}

// ---- frames

fn eth(tags: &[(u16, u16)], dl_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9];
    for (tpid, tci) in tags {
        f.extend(tpid.to_be_bytes());
        f.extend(tci.to_be_bytes());
    }
    f.extend(dl_type.to_be_bytes());
    f.extend(payload);
    f
}

fn ip4(proto: u8, words: u8, frag: u16, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x40 | words, 0xb9, 0, 0, 0x12, 0x34];
    p.extend(frag.to_be_bytes());
    p.extend([63, proto, 0xde, 0xad, 10, 1, 2, 3, 192, 168, 7, 8]);
    p.resize(usize::from(words) * 4, 0x5a);
    p.extend(payload);
    let total = p.len() as u16;
    p[2..4].copy_from_slice(&total.to_be_bytes());
    p
}

fn ip6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x6a, 0x51, 0x23, 0x45];
    p.extend((payload.len() as u16).to_be_bytes());
    p.extend([next, 250]);
    p.extend(1..=32u8);
    p.extend(payload);
    p
}

fn frag6(next: u8, word: u16, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![next, 0];
    p.extend(word.to_be_bytes());
    p.extend([1, 2, 3, 4]);
    p.extend(payload);
    p
}

/// `len` bytes that all differ.
fn l4(len: usize) -> Vec<u8> {
    (0..len).map(|i| 0x81u8.wrapping_add(i as u8)).collect()
}

fn arp() -> Vec<u8> {
    let mut p = vec![0, 1, 8, 0, 6, 4, 0, 2];
    p.extend(0x11..=0x24u8);
    p
}

/// L3 packets of every kind, each with the Ethernet type it belongs to.
fn packets() -> Vec<(u16, Vec<u8>)> {
    let mut v = vec![];
    for proto in [6, 17, 132, 1, 58, 2, 47, 44, 0] {
        for words in [4, 5, 6, 11, 15] {
            v.push((0x0800, ip4(proto, words, 0x4000, &l4(24))));
        }
        for frag in [0x2000, 0x2001, 0x0001, 0x1fff, 0x8000] {
            v.push((0x0800, ip4(proto, 5, frag, &l4(24))));
        }
        for len in [0, 3, 7, 8, 11, 12, 19, 20] {
            v.push((0x0800, ip4(proto, 5, 0, &l4(len))));
            v.push((0x86dd, ip6(proto, &l4(len))));
            v.push((0x86dd, ip6(44, &frag6(proto, 0x0001, &l4(len)))));
        }
        for word in [0x0000, 0x0001, 0x0006, 0x0008, 0xfff9, 0xfff8] {
            v.push((0x86dd, ip6(44, &frag6(proto, word, &l4(24)))));
        }
    }
    for next in [0, 43, 44, 51, 60] {
        v.push((0x86dd, ip6(next, &l4(24))));
        v.push((0x86dd, ip6(44, &frag6(next, 1, &l4(24)))));
        v.push((0x86dd, ip6(44, &frag6(next, 16, &l4(24)))));
    }
    for len in 0..9 {
        v.push((0x86dd, ip6(44, &l4(len))));
        v.push((len as u16, [&[0xaa, 0xaa, 3, 0, 0, 0, 0x06, 0x00, 9][..len]].concat()));
    }
    v.push((0x05ff, vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 1, 2]));
    v.push((0x0020, vec![0xaa, 0xaa, 3, 0, 0, 1, 8, 0, 1, 2]));
    v.push((0x0020, vec![0xaa, 0xaa, 3, 0, 0, 0, 5, 0xff, 1, 2]));
    v.push((0x0020, vec![0x42, 0x42, 3, 0, 0, 0, 8, 0, 1, 2]));
    v.push((0x0600, vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 1, 2]));
    for at in 0..8 {
        let mut p = arp();
        v.push((0x0806, p.clone()));
        v.push((0x8035, p.clone()));
        p[at] ^= 1;
        v.push((0x0806, p));
    }
    v.push((0x0806, arp()[..27].to_vec()));
    // Lengths that lie.
    for (at, value) in
        [(2, 0), (2, 1), (2, 0xff), (3, 19), (3, 20), (3, 44), (3, 43), (3, 45), (0, 0x44), (0, 0x4c), (0, 0x6f)]
    {
        let mut p = ip4(17, 5, 0, &l4(24));
        p[at] = value;
        v.push((0x0800, p));
    }
    for (at, value) in [(4, 0xff), (5, 24), (5, 25), (5, 23), (5, 0)] {
        let mut p = ip6(17, &l4(24));
        p[at] = value;
        v.push((0x86dd, p));
    }
    v
}

const TAGS: [&[(u16, u16)]; 6] = [
    &[],
    &[(0x8100, 0x2fff)],
    &[(0x88a8, 0x0005)],
    &[(0x88a8, 0xe123), (0x8100, 0x1456)],
    &[(0x8100, 0), (0x88a8, 1)],
    &[(0x8100, 1), (0x8100, 2), (0x8100, 3)],
];

#[test]
fn every_kind_of_packet_under_every_kind_of_tag() {
    let frames: Vec<_> = TAGS.iter().flat_map(|tags| packets().into_iter().map(|(t, p)| eth(tags, t, &p))).collect();
    check(&frames, 0);
}

#[test]
fn every_truncation_and_a_tail_behind_the_packet() {
    let mut frames = vec![];
    for whole in [
        eth(&[], 0x0800, &ip4(6, 7, 0, &l4(20))),
        eth(&[(0x88a8, 1), (0x8100, 2)], 0x86dd, &ip6(44, &frag6(6, 1, &l4(20)))),
        eth(&[(0x8100, 2)], 0x0806, &arp()),
        eth(&[(0x8100, 1), (0x8100, 2), (0x8100, 3)], 0x0800, &ip4(17, 5, 0, &l4(8))),
    ] {
        frames.extend((14..whole.len()).map(|n| whole[..n].to_vec()));
        frames.push([whole.clone(), vec![0xcc; 9000]].concat());
    }
    check(&frames, 1);
}

#[test]
fn damaged_packets() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let packets = packets();
    let frames: Vec<_> = (0..2000)
        .map(|_| {
            let (t, p) = packets.choose(&mut rng).unwrap();
            let mut f = eth(TAGS.choose(&mut rng).unwrap(), *t, p);
            for _ in 0..rng.random_range(0..3) {
                let at = rng.random_range(12..f.len().min(70));
                f[at] = if rng.random() { rng.random() } else { f[at] ^ 1 << rng.random_range(0..8) };
            }
            if rng.random_range(0..4) == 0 {
                f.truncate(rng.random_range(14..=f.len()));
            }
            f
        })
        .collect();
    check(&frames, 0);
}

#[test]
fn the_longest_headers_lie_within_the_window() {
    let whole = eth(&[(0x88a8, 1), (0x8100, 2)], 0x0800, &ip4(6, 15, 0, &l4(200)));
    let e = expected(&whole, 0);
    assert_eq!((e.vlans, e.l3, e.l4, e.l4_words), (2, 1, 1, 15));
    check(&[whole], 0);
}

#[test]
fn meta_data_of_faulty_frames_and_packet_outs_pass() {
    let mut uut = Box::new(Parser::at_once());
    uut.connect_all();
    uut.valid.next = true;
    let meta = Meta { fault: 3.into(), packet_out: true, len: 16383.into(), vport: 200.into() };
    uut.window.next = Window { meta, ..Default::default() };
    for _ in 0..Parser::LATENCY {
        tick(&mut *uut, |u| &mut u.clock);
    }
    let p = uut.parsed.val();
    assert!(uut.parsed_valid.val() && p.meta.packet_out);
    assert_eq!((p.meta.fault.to_u64(), p.meta.len.to_u64(), p.meta.vport.to_u64()), (3, 16383, 200));
}

#[test]
fn lints() {
    assert_lints(Parser::at_once());
    assert_lints(Parser::in_turn());
}
