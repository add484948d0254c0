// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checksums and segments, with etherparse as the referee of what leaves.

use super::*;
use crate::host::offload::{Misfit, offload};
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

const ALL: u64 =
    Feature::bits(&[Feature::Csum, Feature::HostTso4, Feature::HostTso6, Feature::HostEcn, Feature::HostUso]);

/// `flags`, `gso_type`, `gso_size`, `csum_start`, `csum_offset`; the fields that do not count are ones.
fn header(flags: u8, kind: u8, size: u16, start: u16, offset: u16) -> Vec<u8> {
    let mut header = vec![flags, kind, 0xff, 0xff];
    [size, start, offset, 0xffff].iter().for_each(|field| header.extend(field.to_le_bytes()));
    header
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

fn tcp4(len: usize) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    let builder = builder.tcp(1000, 80, 0xffff_fff0, 512).ack(7).psh().fin().ns();
    let mut frame = vec![];
    builder.write(&mut frame, &payload(len)).unwrap();
    frame[14 + 20 + 13] |= 0x80;
    frame
}

fn udp6(len: usize) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MACS.0, MACS.1)
        .double_vlan(etherparse::VlanId::try_new(5).unwrap(), etherparse::VlanId::try_new(6).unwrap());
    let mut frame = vec![];
    builder.ipv6([1; 16], [2; 16], 9).udp(53, 54).write(&mut frame, &payload(len)).unwrap();
    frame
}

/// The payload, if all checksums and lengths are right.
fn checked(frame: &[u8]) -> Vec<u8> {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let ip = packet.net.unwrap();
    if let Some(ip) = ip.ipv4_ref() {
        assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
    }
    let (due, found, payload) = match packet.transport.unwrap() {
        TransportSlice::Tcp(tcp) => {
            let due = match (ip.ipv4_ref(), ip.ipv6_ref()) {
                (Some(ip), _) => tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination()),
                (_, Some(ip)) => tcp.calc_checksum_ipv6(ip.header().source(), ip.header().destination()),
                _ => panic!("no IP"),
            };
            (due.unwrap(), tcp.checksum(), tcp.payload().to_vec())
        }
        TransportSlice::Udp(udp) => {
            assert_eq!(usize::from(udp.length()), udp.payload().len() + 8);
            let ip = ip.ipv6_ref().unwrap().header().to_header();
            let due = udp.to_header().calc_checksum_ipv6(&ip, udp.payload()).unwrap();
            (due, udp.checksum(), udp.payload().to_vec())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(due, found);
    payload
}

#[test]
fn a_checksum_is_completed_with_what_the_field_holds() {
    for len in [0, 1, 17, 1400] {
        let mut frame = tcp4(len);
        let due = frame.clone();
        // The pseudo header's sum, as a driver leaves it there.
        let pseudo: u32 = 0x0a00 + 1 + 0x0a00 + 2 + 6 + 20 + len as u32;
        frame[50..52].copy_from_slice(&(pseudo as u16).to_be_bytes());
        let left = offload(&header(1, 0, 0, 34, 16), ALL, &frame).unwrap();
        // etherparse made the checksum before CWR was set.
        let mut due = due;
        due[47] &= 0x7f;
        assert_eq!(checked(&left[0]), payload(len));
        assert_eq!(left[0].len(), due.len());
        assert_eq!(offload(&header(2, 0, 9, 33, 99), ALL, &frame).unwrap(), [frame.clone()], "NEEDS_CSUM is not set");
        assert_eq!(offload(&header(1, 0, 0, 34, 16), ALL & !1, &frame).unwrap(), [frame]);
    }
}

#[test]
fn a_checksum_of_udp_is_never_zero() {
    let mut frame = vec![0; 40];
    frame[20..22].copy_from_slice(&0xffffu16.to_be_bytes());
    for (offset, due) in [(6, 0xff), (8, 0)] {
        let left = offload(&header(1, 0, 0, 16, offset), ALL, &frame).unwrap();
        let at = 16 + usize::from(offset);
        assert_eq!(left[0][at..at + 2], [due; 2], "{offset}");
    }
}

#[test]
fn tcp_over_ipv4_is_cut_with_every_field_in_its_place() {
    let frame = tcp4(3001);
    let segments = offload(&header(1, 1, 1000, 34, 16), ALL, &frame).unwrap();
    let payloads: Vec<_> = segments.iter().map(|segment| checked(segment)).collect();
    assert_eq!(payloads.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 1000, 1]);
    assert_eq!(payloads.concat(), payload(3001));
    for (i, segment) in segments.iter().enumerate() {
        let packet = SlicedPacket::from_ethernet(segment).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP") };
        let ip = packet.net.as_ref().unwrap().ipv4_ref().unwrap().header();
        assert_eq!(usize::from(ip.total_len()), segment.len() - 14);
        assert_eq!(u32::from(ip.identification()), i as u32);
        assert_eq!(tcp.sequence_number(), 0xffff_fff0u32.wrapping_add(1000 * i as u32));
        assert_eq!((tcp.fin(), tcp.psh(), tcp.cwr()), (i == 3, i == 3, i == 0), "segment {i}");
        assert!(tcp.ack() && tcp.ns());
    }
}

#[test]
fn udp_over_ipv6_behind_two_tags_is_cut() {
    let frame = udp6(2000);
    let segments = offload(&header(1, 5, 999, 62, 6), ALL, &frame).unwrap();
    let payloads: Vec<_> = segments.iter().map(|segment| checked(segment)).collect();
    assert_eq!(payloads.iter().map(Vec::len).collect::<Vec<_>>(), [999, 999, 2]);
    assert_eq!(payloads.concat(), payload(2000));
    for segment in &segments {
        assert_eq!(segment[..26], frame[..26]);
        assert_eq!(usize::from(u16::from_be_bytes([segment[26], segment[27]])), segment.len() - 62);
    }
}

/// Changes to the header that is right for a frame, and to the frame.
type Change = fn(&mut Vec<u8>, &mut Vec<u8>);

#[test]
fn what_does_not_fit_is_refused() {
    let changes: [Change; 18] = [
        |header, _| header[0] = 0,
        |header, _| header[1] = 3,
        |header, _| header[1] = 4,
        |header, _| header[1] = 5,
        |header, _| header[4..6].fill(0),
        |header, _| header[4..6].copy_from_slice(&(9216u16 - 53).to_le_bytes()),
        |header, _| header[6] = 33,
        |header, _| header[6] = 36,
        |header, _| header[6..8].fill(0xff),
        |header, _| header[8] = 6,
        |_, frame| frame[12] = 9,
        |_, frame| frame[14] = 0x55,
        |_, frame| frame[14] = 0x44,
        |_, frame| frame[23] = 17,
        |_, frame| frame[46] = 0x40,
        |_, frame| frame.truncate(54),
        |_, frame| frame.truncate(46),
        |_, frame| frame.truncate(1),
    ];
    for (i, change) in changes.iter().enumerate() {
        let (mut header, mut frame) = (header(1, 1, 1000, 34, 16), tcp4(100));
        assert_eq!(offload(&header, ALL, &frame).map(|segments| segments.len()), Ok(1));
        change(&mut header, &mut frame);
        assert!(matches!(offload(&header, ALL, &frame), Err(Misfit(_))), "change {i}");
    }
    for (kind, features) in [(1, ALL & !(1 << 11)), (0x81, ALL & !(1 << 13)), (0x80, ALL), (0x85, ALL)] {
        assert!(offload(&header(1, kind, 1000, 34, 16), features, &tcp4(100)).is_err(), "{kind:#x}");
    }
    for (start, offset) in [(33, 16), (34, 15), (34, 120), (0xffff, 0xffff)] {
        assert!(offload(&header(1, 0, 0, start, offset), ALL, &tcp4(100)).is_err(), "{start} {offset}");
    }
    assert!(offload(&header(1, 0, 0, 34, 118), ALL, &tcp4(100)).is_ok());
    assert!(offload(&header(1, 0, 0, 34, 16), ALL, &vec![0; 9217]).is_err());
}

#[test]
fn segments_leave_in_order_and_what_does_not_fit_is_counted_and_used() {
    let mut bench = Bench::new();
    let rings = bench.start(1, ALL, 8);
    for (head, kind) in [(0, 1), (1, 3), (2, 1)] {
        let chain = [header(1, kind, 1000, 34, 16), tcp4(3001)].concat();
        let at = 0x9000_0000 + 0x1_0000 * u64::from(head);
        bench.ram.put(at, &chain);
        bench.descriptor(rings[1], head, at, chain.len() as u32, 0, 0);
        bench.offer(rings[1], head);
    }
    bench.notify(rings[1]);
    bench.run();
    let due = offload(&header(1, 1, 1000, 34, 16), ALL, &tcp4(3001)).unwrap();
    let left: Vec<_> = bench.frames().into_iter().map(|out| out.frame).collect();
    assert_eq!(left, [due.clone(), due].concat());
    assert_eq!(bench.used_index(rings[1]), 3);
    assert_eq!(bench.read(0, 0x4000 + 0x40 + 0x34), 1);
}

#[test]
fn nothing_of_the_ecpfs_header_is_looked_at() {
    let mut bench = Bench::new();
    let rings = bench.start(0, ALL, 8);
    let frame = payload(60);
    let chain = [header(1, 3, 1000, 34, 16), vec![0; 32], frame.clone()].concat();
    bench.ram.put(0x9000_0000, &chain);
    bench.descriptor(rings[1], 0, 0x9000_0000, chain.len() as u32, 0, 0);
    bench.offer(rings[1], 0);
    bench.notify(rings[1]);
    bench.run();
    assert_eq!(bench.frames()[0].frame, frame);
}
