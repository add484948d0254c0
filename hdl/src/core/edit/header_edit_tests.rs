// SPDX-License-Identifier: MIT OR Apache-2.0
//! Both header editors against plain byte-wise edits written from the contract, and against checksums taken over whole packets.

use super::edit_types::EditedFrame;
use super::header_edit::{HEADER_EDIT_LATENCY, HeaderEdit};
use super::headers_in_turn::HeadersInTurn;
use crate::core::types::{EditJob, Edited, Edits, Layout, MergedBeat};
use crate::testing::{assert_lints, beats, bits_of, bytes, settle};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

fn tick(dut: &mut HeaderEdit<QUEUES, NOTE_BITS>) {
    crate::testing::tick(dut, |d| &mut d.clock);
}

fn connected(mut dut: HeaderEdit<QUEUES, NOTE_BITS>) -> Box<HeaderEdit<QUEUES, NOTE_BITS>> {
    dut.connect_all();
    Box::new(dut)
}

const QUEUES: usize = 12;
const NOTE_BITS: usize = 0;
const TCP: u64 = 1;
const UDP: u64 = 2;
const ICMPV6: u64 = 3;

/// A frame and what the parser says of it.
#[derive(Clone, Debug)]
struct Frame {
    bytes: Vec<u8>,
    vlans: u64,
    l3: u64,
    l4: u64,
    l4_words: u64,
    /// Its checksums are right.
    valid: bool,
}

impl Frame {
    fn l3_at(&self) -> usize {
        14 + 4 * self.vlans as usize
    }
    fn l4_at(&self) -> usize {
        self.l3_at() + 4 * self.l4_words as usize
    }
    fn l4_checksum_at(&self) -> Option<usize> {
        [None, Some(16), Some(6), Some(2)][self.l4 as usize].map(|offset| self.l4_at() + offset)
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// One's complement sum, folded.
fn sum(bytes: &[u8], start: u32) -> u16 {
    let mut total = start;
    for pair in bytes.chunks(2) {
        total += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The checksum that a sender computes over the pseudo header and the whole L4 packet.
fn full_l4_checksum(f: &Frame) -> u16 {
    let (l3, l4, checksum) = (f.l3_at(), f.l4_at(), f.l4_checksum_at().unwrap());
    let mut copy = f.bytes.clone();
    put(&mut copy, checksum, 0);
    let addresses = if f.l3 == 1 { &copy[l3 + 12..l3 + 20] } else { &copy[l3 + 8..l3 + 40] };
    let protocol = [0, 6, 17, 58][f.l4 as usize];
    let start = protocol + (f.bytes.len() - l4) as u32;
    let total = sum(&copy[l4..], u32::from(sum(addresses, start)));
    if f.l4 == UDP && total == 0xffff { 0xffff } else { !total }
}

fn full_ip_checksum(f: &Frame) -> u16 {
    let l3 = f.l3_at();
    let mut header = f.bytes[l3..l3 + usize::from(f.bytes[l3] & 15) * 4].to_vec();
    put(&mut header, 10, 0);
    !sum(&header, 0)
}

fn random_frame(rng: &mut ChaCha8Rng) -> Frame {
    let vlans = rng.random_range(0..3u64);
    let l3 = rng.random_range(0..3u64);
    let mut bytes: Vec<u8> = (0..12).map(|_| rng.random()).collect();
    for _ in 0..vlans {
        bytes.extend([0x81, 0x00, rng.random(), rng.random()]);
    }
    bytes.extend([[0x12, 0x34], [0x08, 0x00], [0x86, 0xdd]][l3 as usize]);
    let (mut l4, mut l4_words) = (0, 5);
    if l3 == 1 {
        l4_words = rng.random_range(5..16);
        l4 = rng.random_range(0..3);
        bytes.extend([0x40 | l4_words as u8, rng.random(), 0, 0, 0, 0, 0, 0, rng.random_range(2..=255), 6]);
    } else if l3 == 2 {
        l4_words = [10, 12][rng.random_range(0..2)];
        l4 = rng.random_range(0..4);
        bytes.extend([0x60 | rng.random_range(0..16u8), rng.random(), 0, 0, 0, 0, 6, rng.random_range(2..=255)]);
    }
    let header = if l3 == 0 { 0 } else { 14 + 4 * vlans as usize + 4 * l4_words as usize + [0, 20, 8, 8][l4 as usize] };
    // Few different byte values, so that words that do not change and sums at the edge of zero happen.
    let narrow = rng.random_bool(0.3);
    while bytes.len() < header || rng.random_bool(0.97) && bytes.len() < 200 {
        bytes.push(if narrow { [0, 0xff][rng.random_range(0..2)] } else { rng.random() });
    }
    let mut f = Frame { bytes, vlans, l3, l4, l4_words, valid: rng.random_bool(0.7) };
    if f.valid {
        fill_checksums(&mut f);
    }
    if f.l4 == UDP && rng.random_bool(0.2) {
        let at = f.l4_checksum_at().unwrap();
        put(&mut f.bytes, at, 0);
    }
    f
}

fn fill_checksums(f: &mut Frame) {
    if f.l3 == 1 {
        let (at, value) = (f.l3_at() + 10, full_ip_checksum(f));
        put(&mut f.bytes, at, value);
    }
    if let Some(at) = f.l4_checksum_at() {
        let value = full_l4_checksum(f);
        put(&mut f.bytes, at, value);
    }
}

fn random_step(rng: &mut ChaCha8Rng, f: &Frame) -> Edits {
    let narrow = rng.random_bool(0.3);
    let mut wide = |bits: u32| -> u128 {
        let value: u128 = if narrow { [0, u128::MAX][rng.random_range(0..2)] } else { rng.random() };
        value & (u128::MAX >> (128 - bits))
    };
    let long = |value: u128| -> Bits<128> { (Bits::<128>::from((value >> 64) as u64) << 64) | (value as u64) };
    let (src, dst) = (long(wide(128)), long(wide(128)));
    let numbers: Vec<u64> = [48, 48, 16, 16, 16, 16, 16, 16, 8, 8, 8].map(|b| wide(b) as u64).to_vec();
    let mut some = |p: f64| rng.random_bool(p);
    let flags: Vec<bool> = (0..7).map(|_| some(0.5)).collect();
    let (tos, ttl) = (some(0.5), some(0.3));
    Edits {
        set_dl_dst: flags[0],
        set_dl_src: flags[1],
        set_nw_src: flags[2],
        set_nw_dst: flags[3],
        set_tp_src: flags[4],
        set_tp_dst: flags[5],
        set_nw_ttl: flags[6],
        vlan_pop: rng.random_range(0..=f.vlans).into(),
        vlan_push: rng.random_range(0..3u64).into(),
        nw_tos: numbers[8].into(),
        nw_tos_mask: if tos { numbers[9] } else { 0 }.into(),
        nw_ttl: numbers[10].into(),
        ttl_dec: if ttl { 1u64 } else { 0 }.into(),
        push0_tci: numbers[2].into(),
        push0_tpid: numbers[3].into(),
        push1_tci: numbers[4].into(),
        push1_tpid: numbers[5].into(),
        tp_src: numbers[6].into(),
        tp_dst: numbers[7].into(),
        dl_dst: numbers[0].into(),
        dl_src: numbers[1].into(),
        nw_src: src,
        nw_dst: dst,
    }
}

fn number<const N: usize>(value: Bits<N>) -> Vec<u8> {
    (0..N / 8).rev().map(|i| value.get_bits::<8>(8 * i).to_u8()).collect()
}

/// RFC 1624 equation 3, once per changed word.
fn update_checksum(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    let mut checksum = checksum;
    for (m, n) in old.chunks(2).zip(new.chunks(2)) {
        if m != n {
            let total = u32::from(!checksum) + u32::from(!word(m, 0)) + u32::from(word(n, 0));
            let total = (total & 0xffff) + (total >> 16);
            checksum = !(((total & 0xffff) + (total >> 16)) as u16);
        }
    }
    checksum
}

/// The frame with the step's edits, from the contract, byte by byte.
fn edit(f: &Frame, step: &Edits) -> Frame {
    let mut out = f.clone();
    let (l3, l4) = (f.l3_at(), f.l4_at());
    let b = &mut out.bytes;
    let set = |b: &mut Vec<u8>, at: usize, value: &[u8]| b[at..at + value.len()].copy_from_slice(value);
    if step.set_dl_dst {
        set(b, 0, &number(step.dl_dst));
    }
    if step.set_dl_src {
        set(b, 6, &number(step.dl_src));
    }
    let (tos, mask) = (step.nw_tos.to_u8(), step.nw_tos_mask.to_u8());
    let new_tos = |old: u8| old & !mask | tos & mask;
    let new_ttl = |old: u8| match step.ttl_dec.to_u8() {
        0 if step.set_nw_ttl => step.nw_ttl.to_u8(),
        n => old - n,
    };
    let addresses = match f.l3 {
        1 => {
            b[l3 + 1] = new_tos(b[l3 + 1]);
            b[l3 + 8] = new_ttl(b[l3 + 8]);
            Some((l3 + 12, 4))
        }
        2 => {
            let class = new_tos(b[l3] << 4 | b[l3 + 1] >> 4);
            b[l3] = b[l3] & 0xf0 | class >> 4;
            b[l3 + 1] = class << 4 | b[l3 + 1] & 15;
            b[l3 + 7] = new_ttl(b[l3 + 7]);
            Some((l3 + 8, 16))
        }
        _ => None,
    };
    if let Some((at, size)) = addresses {
        if step.set_nw_src {
            set(b, at, &number(step.nw_src)[16 - size..]);
        }
        if step.set_nw_dst {
            set(b, at + size, &number(step.nw_dst)[16 - size..]);
        }
    }
    if f.l4 == TCP || f.l4 == UDP {
        if step.set_tp_src {
            set(b, l4, &number(step.tp_src));
        }
        if step.set_tp_dst {
            set(b, l4 + 2, &number(step.tp_dst));
        }
    }
    if f.l3 == 1 {
        let value = update_checksum(
            word(b, l3 + 10),
            &[&f.bytes[l3..l3 + 10], &f.bytes[l3 + 12..l3 + 20]].concat(),
            &[&b[l3..l3 + 10], &b[l3 + 12..l3 + 20]].concat(),
        );
        put(b, l3 + 10, value);
    }
    if let Some(at) = f.l4_checksum_at() {
        let (start, size) = addresses.unwrap();
        let under = |b: &[u8]| [&b[start..start + 2 * size], &b[l4..l4 + if f.l4 == ICMPV6 { 0 } else { 4 }]].concat();
        let old = word(&f.bytes, at);
        let touched = under(&f.bytes) != under(b);
        let value = update_checksum(old, &under(&f.bytes), &under(b));
        put(
            b,
            at,
            if !touched || f.l4 == UDP && old == 0 {
                old
            } else if f.l4 == UDP && value == 0 {
                0xffff
            } else {
                value
            },
        );
    }
    let pop = step.vlan_pop.to_u64() as usize;
    b.drain(12..12 + 4 * pop);
    let tags: Vec<Vec<u8>> = vec![
        [number(step.push0_tpid), number(step.push0_tci)].concat(),
        [number(step.push1_tpid), number(step.push1_tci)].concat(),
    ];
    let push = step.vlan_push.to_u64() as usize;
    b.splice(12..12, tags[..push].concat());
    out.vlans = f.vlans - pop as u64 + push as u64;
    out
}

fn job(rng: &mut ChaCha8Rng, f: &Frame, step: &Edits) -> EditJob<QUEUES, NOTE_BITS> {
    EditJob {
        outputs: rng.random_range(0..1u64 << QUEUES).into(),
        edits: *step,
        layout: Layout { vlans: f.vlans.into(), l3: f.l3.into(), l4: f.l4.into(), l4_words: f.l4_words.into() },
        vport: rng.random_range(0..256u64).into(),
        len: (f.bytes.len() as u64).into(),
        faulty: rng.random(),
        discard: rng.random(),
        again: rng.random(),
        reason: rng.random_range(0..3u64).into(),
        ..Default::default()
    }
}

/// The outgoing frame: the head, and the payload behind it.
fn whole(head: &[u8], e: &Edited<QUEUES, NOTE_BITS>, received: &[u8]) -> Vec<u8> {
    let payload = received.iter().skip(e.payload_offset.index());
    let mut out: Vec<u8> = head.iter().take(e.head_len.index()).chain(payload).copied().collect();
    let length = e.out_len.to_u64() as usize;
    assert!(out[length.min(out.len())..].iter().all(|b| *b == 0), "zeros behind the frame");
    assert!(length <= out.len());
    out.truncate(length);
    out
}

fn whole_at_once(e: &EditedFrame<QUEUES, NOTE_BITS>, received: &[u8]) -> Vec<u8> {
    whole(&bytes(e.head, 120u64.to_bits::<8>()), &e.meta, received)
}

/// How often checksums were right that were right before, and kinds of UDP's.
#[derive(Default)]
struct Seen {
    recomputed: usize,
    zero_udp: usize,
}

impl Seen {
    /// Compares what came out for a job with the contract.
    fn compare(
        &mut self,
        got: &[u8],
        meta: &Edited<QUEUES, NOTE_BITS>,
        frame: &Frame,
        step: &Edits,
        job: &EditJob<QUEUES, NOTE_BITS>,
    ) {
        let want = edit(frame, step);
        assert_eq!(got, want.bytes, "{frame:?} {step:?}");
        assert_eq!((meta.in_len, meta.outputs, meta.faulty), (job.len, job.outputs, job.faulty));
        assert_eq!((meta.again, meta.vport, meta.reason), (job.again, job.vport, job.reason));
        if frame.valid && frame.l3 == 1 {
            assert_eq!(word(&want.bytes, want.l3_at() + 10), full_ip_checksum(&want), "{frame:?} {step:?}");
        }
        if let Some(at) = want.l4_checksum_at().filter(|_| frame.valid) {
            match word(&want.bytes, at) {
                0 if frame.l4 == UDP => self.zero_udp += 1,
                got => {
                    assert_eq!(got, full_l4_checksum(&want), "{frame:?} {step:?}");
                    self.recomputed += 1;
                }
            }
        }
    }
}

#[test]
fn edits_of_every_kind_give_the_frames_of_the_contract() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut dut = connected(HeaderEdit::new());
    let mut under_way = VecDeque::new();
    let mut seen = Seen::default();
    for clock in 0..6000 {
        let frame = random_frame(&mut rng);
        let step = random_step(&mut rng, &frame);
        let job = job(&mut rng, &frame, &step);
        let valid = rng.random_bool(0.8);
        dut.job.next = job;
        dut.hdr.next = bits_of(&frame.bytes[..frame.bytes.len().min(128)]);
        dut.job_valid.next = valid;
        under_way.push_back(valid.then_some((frame, step, job)));
        tick(&mut dut);
        let left = if under_way.len() == HEADER_EDIT_LATENCY { under_way.pop_front().unwrap() } else { None };
        assert_eq!(dut.edited_valid.val(), left.is_some(), "clock {clock}");
        let Some((frame, step, job)) = left else { continue };
        let got = dut.edited.val();
        assert_eq!(got.meta.discard, job.discard);
        seen.compare(&whole_at_once(&got, &frame.bytes), &got.meta, &frame, &step, &job);
    }
    assert!(seen.recomputed > 800 && seen.zero_udp > 20, "{} {}", seen.recomputed, seen.zero_udp);
}

/// Frames come in ahead of their jobs; heads are read some time after they are ready, in any order of beats.
fn edits_in_turn_give_the_frames_of_the_contract<const W: usize, const C: usize>() {
    const FRAMES: usize = 700;
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut dut = Box::new(HeadersInTurn::<W, C, QUEUES, NOTE_BITS>::new());
    dut.connect_all();
    dut.reset.next = true;
    crate::testing::tick(&mut *dut, |d| &mut d.clock);
    dut.reset.next = false;
    let (mut to_store, mut stored) = (VecDeque::new(), vec![]);
    let (mut to_edit, mut to_read) = (VecDeque::new(), VecDeque::new());
    let (mut made, mut read, mut waited, mut most) = (0, None, 0, 0);
    let mut seen = Seen::default();
    while made < FRAMES || !stored.is_empty() || !to_edit.is_empty() || !to_read.is_empty() || read.is_some() {
        if made < FRAMES && to_edit.len() < 8 && to_store.is_empty() {
            let frame = random_frame(&mut rng);
            to_store.extend(beats::<W, C>(&frame.bytes));
            loop {
                let step = random_step(&mut rng, &frame);
                let job = job(&mut rng, &frame, &step);
                stored.push((frame.clone(), step, job));
                if !job.again {
                    break;
                }
            }
            made += 1;
        }
        dut.beat_valid.next = !to_store.is_empty();
        if let Some(b) = to_store.pop_front() {
            dut.beat.next = MergedBeat { data: b.data, bytes: b.bytes, last: b.last, ..Default::default() };
        }
        // No job comes before its frame is in the store.
        if to_store.is_empty() {
            to_edit.extend(stored.drain(..));
        }
        dut.issue.next = dut.room.val() && !to_edit.is_empty();
        dut.edited.ready.next = read.is_none() && rng.random_bool(0.1);
        dut.head_done.next = false;
        if let Some((frame, step, job, meta)) = &read {
            let head: Vec<u8> = (0..(120 * 8usize).div_ceil(W))
                .flat_map(|beat| {
                    dut.head_number.next = (beat as u64).into();
                    settle(&mut *dut);
                    bytes(dut.head.val(), (W as u64 / 8).to_bits::<8>())
                })
                .collect();
            let length = (meta as &Edited<QUEUES, NOTE_BITS>).out_len.to_u64() as usize;
            if !(job as &EditJob<QUEUES, NOTE_BITS>).discard {
                // Behind the beat with the frame's end nobody looks.
                let head = &head[..length.next_multiple_of(W / 8).min(120)];
                seen.compare(&whole(head, meta, &(frame as &Frame).bytes), meta, frame, step, job);
            }
            dut.head_done.next = true;
            read = None;
        }
        settle(&mut *dut);
        if dut.edited.valid.val() && dut.edited.ready.val() {
            let (frame, step, job) = to_read.pop_front().expect("a job before its head");
            let meta = dut.edited.data.val();
            assert_eq!(meta.discard, (job as EditJob<QUEUES, NOTE_BITS>).discard);
            read = Some((frame, step, job, meta));
        }
        let issued = dut.issue.val();
        waited = if dut.room.val() { 0 } else { waited + 1 };
        most = most.max(waited);
        assert!(waited < 500, "nothing moves");
        crate::testing::tick(&mut *dut, |d| &mut d.clock);
        dut.job_valid.next = issued;
        if issued {
            let job = to_edit.pop_front().unwrap();
            dut.job.next = job.2;
            to_read.push_back(job);
        }
    }
    dut.head_done.next = false;
    for _ in 0..2 {
        crate::testing::tick(&mut *dut, |d| &mut d.clock);
    }
    assert!(dut.idle.val());
    assert!(most >= HeadersInTurn::<W, C, QUEUES, NOTE_BITS>::CLOCKS);
    assert!(seen.recomputed > 100 && seen.zero_udp > 3, "{} {}", seen.recomputed, seen.zero_udp);
}

#[test]
fn and_word_by_word() {
    edits_in_turn_give_the_frames_of_the_contract::<64, 4>();
    edits_in_turn_give_the_frames_of_the_contract::<128, 5>();
}

#[test]
fn a_job_takes_as_many_clocks_as_its_head_has_words_and_thirteen() {
    for (len, clocks) in [(60u64, 28), (61, 29), (400, HeadersInTurn::<64, 4, QUEUES, NOTE_BITS>::CLOCKS)] {
        let mut dut = Box::new(HeadersInTurn::<64, 4, QUEUES, NOTE_BITS>::new());
        dut.connect_all();
        dut.job.next = EditJob { len: len.into(), ..Default::default() };
        let mut issues = vec![];
        for clock in 0..2 * clocks {
            settle(&mut *dut);
            let room = dut.room.val();
            dut.issue.next = room;
            issues.extend(room.then_some(clock));
            crate::testing::tick(&mut *dut, |d| &mut d.clock);
            dut.job_valid.next = room;
        }
        assert_eq!(issues, [0, clocks], "{len} bytes");
    }
}

#[test]
fn a_udp_checksum_that_becomes_zero_is_sent_as_ffff_and_zero_stays() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut seen = 0;
    while seen < 20 {
        let mut frame = random_frame(&mut rng);
        let step = random_step(&mut rng, &frame);
        if frame.l4 != UDP {
            continue;
        }
        // Choose the received checksum such that the new one is zero before the rule.
        let at = frame.l4_checksum_at().unwrap();
        put(&mut frame.bytes, at, 0x1234);
        let sent = word(&edit(&frame, &step).bytes, edit(&frame, &step).l4_checksum_at().unwrap());
        if sent == 0x1234 {
            continue;
        }
        let difference = sum(&[sent.to_be_bytes(), (!0x1234u16).to_be_bytes()].concat(), 0);
        put(&mut frame.bytes, at, !difference);
        let mut dut = connected(HeaderEdit::new());
        dut.job.next = job(&mut rng, &frame, &step);
        dut.hdr.next = bits_of(&frame.bytes[..frame.bytes.len().min(128)]);
        dut.job_valid.next = true;
        (0..HEADER_EDIT_LATENCY).for_each(|_| tick(&mut dut));
        let want = edit(&frame, &step);
        assert_eq!(word(&want.bytes, want.l4_checksum_at().unwrap()), if !difference == 0 { 0 } else { 0xffff });
        assert_eq!(whole_at_once(&dut.edited.val(), &frame.bytes), want.bytes);
        seen += 1;
    }
}

#[test]
fn verilog_passes_lint() {
    assert_lints(HeaderEdit::<QUEUES, NOTE_BITS>::new());
    assert_lints(HeadersInTurn::<64, 4, QUEUES, NOTE_BITS>::new());
    assert_lints(HeadersInTurn::<128, 5, QUEUES, NOTE_BITS>::new());
}
