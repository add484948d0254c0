// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash against the values that Microsoft publishes ("Verifying the RSS Hash Calculation"), and which frames have which.

use super::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Source and destination, each with its port; the hash of the addresses, and that with the ports of TCP.
const PUBLISHED: [(&str, u16, &str, u16, u32, u32); 8] = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323e_8fc2, 0x51cc_c178),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xd718_262a, 0xc626_b0ea),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xd2d0_a5de, 0x5c2b_394a),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x8298_9176, 0xafc7_327f),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5d18_09c5, 0x10e8_28a2),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2cc1_8cd5, 0x4020_7d3d),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0f0c_461c, 0xdde5_1bbf),
    ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4b61_e985, 0x02d1_feef),
];

/// A frame with these tags, and an IP header in front of ports.
fn frame(tags: &[u16], from: IpAddr, to: IpAddr, protocol: u8, ports: [u16; 2]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend([tag.to_be_bytes(), [0, 7]].concat());
    }
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => frame.extend(ipv4(from, to, protocol)),
        (IpAddr::V6(from), IpAddr::V6(to)) => frame.extend(ipv6(from, to, protocol)),
        _ => unreachable!("addresses of one kind"),
    }
    frame.extend(ports.map(u16::to_be_bytes).concat());
    frame
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8) -> Vec<u8> {
    // Don't Fragment is no fragment.
    let start = [8, 0, 0x45, 0, 0, 24, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    [&start[..], &from.octets(), &to.octets()].concat()
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8) -> Vec<u8> {
    [&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 4, protocol, 64][..], &from.octets(), &to.octets()].concat()
}

fn hash(types: u32, frame: &[u8]) -> Option<u32> {
    hash_input(types, frame).map(|input| toeplitz(&DEFAULT_KEY, &input))
}

#[test]
fn hashes_are_those_that_microsoft_publishes() {
    for (from, source, to, destination, alone, with_ports) in PUBLISHED {
        let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
            for protocol in [TCP, UDP] {
                let frame = frame(tags, from, to, protocol, [source, destination]);
                assert_eq!(hash(HASH_TYPES, &frame), Some(with_ports));
                assert_eq!(hash(hash_type::IPV4 | hash_type::IPV6, &frame), Some(alone));
            }
            let icmp = frame(tags, from, to, 1, [source, destination]);
            assert_eq!(hash(HASH_TYPES, &icmp), Some(alone));
        }
    }
}

#[test]
fn each_type_stands_for_its_frames_alone() {
    let (v4, v6) = (IpAddr::V4([1, 2, 3, 4].into()), IpAddr::V6([7; 16].into()));
    let of = |address, protocol| frame(&[], address, address, protocol, [5, 6]);
    let cases = [
        (of(v4, TCP), hash_type::TCPV4),
        (of(v4, UDP), hash_type::UDPV4),
        (of(v4, 1), hash_type::IPV4),
        (of(v6, TCP), hash_type::TCPV6),
        (of(v6, UDP), hash_type::UDPV6),
        (of(v6, 58), hash_type::IPV6),
    ];
    let with_ports = hash_type::TCPV4 | hash_type::UDPV4 | hash_type::TCPV6 | hash_type::UDPV6;
    for (frame, kind) in &cases {
        assert!(hash(*kind, frame).is_some(), "{kind:#x}");
        // Without its own a frame with ports has that of its addresses.
        let without = HASH_TYPES & !kind;
        assert_eq!(hash(without, frame).is_some(), kind & with_ports != 0, "{kind:#x}");
        assert_ne!(hash(without, frame), hash(HASH_TYPES, frame), "{kind:#x}");
    }
}

#[test]
fn frames_whose_headers_are_not_whole_have_the_hash_of_what_is() {
    let address = IpAddr::V4([1, 2, 3, 4].into());
    let whole = frame(&[], address, address, TCP, [5, 6]);
    let alone = hash(hash_type::IPV4, &whole);
    assert_ne!(hash(HASH_TYPES, &whole), alone);
    assert_eq!(hash(HASH_TYPES, &whole[..37]), alone, "a port is cut off");
    assert_eq!(hash(HASH_TYPES, &whole[..33]), None, "the header is cut off");
    let change = |at: usize, byte: u8| {
        let mut frame = whole.clone();
        frame[at] = byte;
        hash(HASH_TYPES, &frame)
    };
    assert_eq!(change(20, 0x20), alone, "more fragments");
    assert_eq!(change(21, 1), alone, "a later fragment");
    assert_eq!(change(14, 0x46), alone, "ports are behind the options, and not there");
    assert_eq!(change(14, 0x44), None, "IHL of 4");
    assert_eq!(change(14, 0x65), None, "version 6");
    assert_eq!(change(13, 6), None, "ARP");
    assert_eq!(hash(HASH_TYPES, &whole[..13]), None);
    let tagged = frame(&[0x8100, 0x8100, 0x8100], address, address, TCP, [5, 6]);
    assert_eq!(hash(HASH_TYPES, &tagged), None, "three tags");
    let v6 = IpAddr::V6([7; 16].into());
    let v6 = frame(&[], v6, v6, TCP, [5, 6]);
    assert_eq!(hash(HASH_TYPES, &v6[..57]), hash(hash_type::IPV6, &v6));
    assert_eq!(hash(HASH_TYPES, &v6[..53]), None);
}

#[test]
fn pairs_are_taken_in_turn() {
    let steering = Steering::pairs(3);
    let address = IpAddr::V4([1, 2, 3, 4].into());
    for port in 0..200 {
        let frame = frame(&[], address, address, UDP, [port, 9]);
        let hash = hash(HASH_TYPES, &frame).unwrap();
        assert_eq!(u32::from(steering.receiveq(&frame)), hash % 128 % 3);
    }
    assert_eq!(steering.receiveq(&[0; 60]), 0);
}
