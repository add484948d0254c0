// SPDX-License-Identifier: MIT OR Apache-2.0
//! The software parser and the edits, against frames that `etherparse` builds and checks.

use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
use millrace_firmware::compile::{flow_key, hardware_key};
use millrace_firmware::openflow::FlowKey;
use millrace_firmware::packet::{L3, L4, Packet, parse};
use proptest::prelude::*;

const SRC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const DST: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn udp4(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(SRC, DST).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1000, 53);
    builder.write(&mut frame, payload).unwrap();
    frame
}

fn tcp6(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(SRC, DST).ipv6([1; 16], [2; 16], 9).tcp(80, 4000, 7, 1000).syn().ack(5);
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// An Ethernet frame with any type and body.
fn eth(dl_type: u16, body: &[u8]) -> Vec<u8> {
    [&DST[..], &SRC, &dl_type.to_be_bytes(), body].concat()
}

/// An IPv6 packet whose chain of headers begins with `next`.
fn ipv6(next: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    eth(0x86dd, &[&[0x6a, 0xb0, 0, 0][..], &length, &[next, 77], &[1; 16], &[2; 16], body].concat())
}

#[test]
fn udp_over_ipv4() {
    let (key, headers) = parse(&udp4(b"hello"), 4);
    assert_eq!((key.in_port(), key.dl_type(), key.nw_src(), key.nw_dst()), (4, 0x800, 0x0a00_0001, 0x0a00_0002));
    assert_eq!((key.nw_proto(), key.nw_ttl(), key.tp_src(), key.tp_dst()), (17, 64, 1000, 53));
    assert_eq!((headers.l3, headers.l4, headers.l3_at, headers.l4_at, headers.l4_len), (L3::Ipv4, L4::Udp, 14, 34, 13));
}

#[test]
fn tcp_over_ipv6_has_flags() {
    let (key, headers) = parse(&tcp6(&[]), 1);
    assert_eq!((key.ipv6_src(), key.nw_ttl(), key.tcp_flags()), (u128::from_be_bytes([1; 16]), 9, 0x012));
    assert_eq!((headers.l3, headers.l4), (L3::Ipv6, L4::Tcp));
}

#[test]
fn two_tags_are_read_and_a_third_is_the_type() {
    let mut frame = udp4(&[]);
    frame.splice(12..12, [0x88, 0xa8, 0xe0, 0x05, 0x81, 0x00, 0x00, 0x06]);
    let (key, headers) = parse(&frame, 1);
    assert_eq!(
        (key.vlan_tpid0(), key.vlan_tci0(), key.vlan_tpid1(), key.vlan_tci1()),
        (0x88a8, 0xf005, 0x8100, 0x1006)
    );
    assert_eq!((headers.tags, headers.l3_at, key.tp_dst()), (2, 22, 53));
    frame.splice(12..12, [0x81, 0x00, 0x00, 0x07]);
    let (key, headers) = parse(&frame, 1);
    assert_eq!((headers.tags, key.dl_type(), headers.l3), (2, 0x8100, L3::None));
}

#[test]
fn a_tag_that_is_cut_is_not_one() {
    let (key, headers) = parse(&eth(0x8100, &[0, 5, 8]), 1);
    assert_eq!((headers.tags, key.dl_type(), key.vlan_tci0()), (0, 0x8100, 0));
    let (key, headers) = parse(&eth(0x8100, &[0, 5, 8, 6]), 1);
    assert_eq!((headers.tags, key.dl_type()), (1, 0x806));
}

#[test]
fn snap_frames_have_the_type_behind_the_snap_header() {
    let ip = &udp4(&[])[14..];
    let snap = |t: [u8; 2]| eth(8 + ip.len() as u16, &[&[0xaa, 0xaa, 3, 0, 0, 0][..], &t, ip].concat());
    let (key, headers) = parse(&snap([8, 0]), 1);
    assert_eq!((key.dl_type(), headers.l3_at, key.tp_dst()), (0x800, 22, 53));
    assert_eq!(parse(&snap([5, 0xdc]), 1).0.dl_type(), 0x5ff);
    assert_eq!(parse(&eth(3, &[0x42, 0x42, 3]), 1).0.dl_type(), 0x5ff);
}

#[test]
fn malformed_ipv4_has_no_network_header() {
    let good = udp4(b"abcd");
    let broken = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        parse(&frame, 1)
    };
    assert_eq!(parse(&good, 1).1.l3, L3::Ipv4);
    for (at, value) in [(14, 0x44), (14, 0x4f), (17, 200), (17, 19)] {
        let (key, headers) = broken(at, value);
        assert_eq!(
            (headers.l3, headers.l4, key.nw_src(), key.dl_type()),
            (L3::None, L4::None, 0, 0x800),
            "{at} {value}"
        );
    }
    assert_eq!(parse(&good[..33], 1).1.l3, L3::None);
    let (key, headers) = broken(14, 0x65);
    assert_eq!((headers.l3, key.tp_dst()), (L3::Ipv4, 53), "the version is not looked at");
}

#[test]
fn fragments_are_told_apart() {
    let with = |word: u16| {
        let mut frame = udp4(b"abcd");
        frame[20..22].copy_from_slice(&word.to_be_bytes());
        let (key, headers) = parse(&frame, 1);
        (key.nw_frag(), headers.l4, key.tp_dst())
    };
    assert_eq!(with(0x4000), (0, L4::Udp, 53));
    assert_eq!(with(0x2000), (1, L4::Udp, 53));
    assert_eq!(with(0x2001), (3, L4::None, 0));
    assert_eq!(with(0x0001), (3, L4::None, 0));
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let udp = [0x03, 0xe8, 0, 53, 0, 8, 0, 0];
    let hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let destination = [17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (key, headers) = parse(&ipv6(0, &[&hop[..], &destination, &udp].concat()), 1);
    assert_eq!((key.nw_proto(), key.tp_dst(), headers.l4_at, headers.l4_len), (17, 53, 14 + 40 + 24, 8));
    assert_eq!((key.nw_tos(), key.nw_ttl()), (0xab, 77));
    let authentication = [17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(parse(&ipv6(51, &[&authentication[..], &udp].concat()), 1).0.tp_dst(), 53);
    let routing = [17, 0, 0, 1, 0, 0, 0, 0];
    assert!(parse(&ipv6(43, &[&routing[..], &udp].concat()), 1).1.routed);
}

#[test]
fn ipv6_fragments_and_cut_chains() {
    let udp = [0x03, 0xe8, 0, 53, 0, 8, 0, 0];
    let with = |offset: u16| {
        let header = [17, 0, (offset >> 8) as u8, offset as u8, 0, 0, 0, 1];
        let (key, headers) = parse(&ipv6(44, &[&header[..], &udp].concat()), 1);
        (key.nw_proto(), key.nw_frag(), headers.l4)
    };
    assert_eq!(with(0), (17, 0, L4::Udp));
    assert_eq!(with(1), (17, 1, L4::Udp));
    assert_eq!(with(8), (44, 3, L4::None));
    let (key, headers) = parse(&ipv6(0, &[17, 5, 0, 0, 0, 0, 0, 0]), 1);
    assert_eq!(
        (headers.l3, key.nw_proto(), key.nw_ttl(), key.ipv6_dst()),
        (L3::Ipv6, 0, 0, u128::from_be_bytes([2; 16]))
    );
}

#[test]
fn arp_shares_the_fields_of_ipv4() {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &SRC, &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 9]].concat();
    let (key, headers) = parse(&eth(0x806, &body), 1);
    assert_eq!((headers.l3, key.nw_proto(), key.nw_src(), key.nw_dst()), (L3::Arp, 1, 0x0a00_0001, 0x0a00_0009));
    assert_eq!((key.arp_sha(), key.arp_tha()), (0x0200_0000_0001, 0));
    let mut big = body.clone();
    big[6] = 1;
    assert_eq!(parse(&eth(0x806, &big), 1).0.nw_proto(), 0);
    big[5] = 5;
    assert_eq!(parse(&eth(0x806, &big), 1).1.l3, L3::None);
}

#[test]
fn an_arp_request_becomes_a_reply() {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &SRC, &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 9], &[0; 18]].concat();
    let mut packet = Packet::new(&eth(0x806, &body), 1);
    let mut to = *packet.key();
    to.set_nw_proto(2);
    to.set_arp_sha(0x0200_0000_00ff);
    to.set_nw_src(0x0a00_0009);
    to.set_arp_tha(0x0200_0000_0001);
    to.set_nw_dst(0x0a00_0001);
    packet.commit(&to);
    let reply =
        [&[0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0xff, 10, 0, 0, 9][..], &SRC, &[10, 0, 0, 1], &[0; 18]].concat();
    assert_eq!(packet.bytes()[14..], reply);
}

#[test]
fn rarp_is_not_edited() {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 3][..], &SRC, &[10, 0, 0, 1], &SRC, &[0; 4]].concat();
    let frame = eth(0x8035, &body);
    let mut packet = Packet::new(&frame, 1);
    let mut to = *packet.key();
    to.set_nw_proto(4);
    to.set_arp_sha(5);
    packet.commit(&to);
    assert_eq!(packet.bytes(), frame);
}

#[test]
fn tags_are_pushed_popped_and_changed() {
    let frame = udp4(b"x");
    let mut packet = Packet::new(&frame, 1);
    let mut to = *packet.key();
    to.set_vlan_tpid0(0x8100);
    to.set_vlan_tci0(0x1005);
    packet.commit(&to);
    assert_eq!(packet.bytes()[12..18], [0x81, 0, 0, 5, 8, 0]);
    to.set_vlan_tpid1(0x8100);
    to.set_vlan_tci1(0x1005);
    to.set_vlan_tpid0(0x88a8);
    to.set_vlan_tci0(0xf007);
    to.set_tp_dst(99);
    packet.commit(&to);
    assert_eq!(packet.bytes()[12..22], [0x88, 0xa8, 0xe0, 7, 0x81, 0, 0, 5, 8, 0]);
    assert_eq!(parse(packet.bytes(), 1), (*packet.key(), *packet.headers()));
    let mut back = parse(&frame, 1).0;
    packet.commit(&back);
    assert_eq!(packet.bytes(), frame);
    back.set_dl_dst(5);
    packet.commit(&back);
    assert_eq!(packet.bytes()[12..], frame[12..]);
}

#[test]
fn changing_a_tag_clears_its_cfi_bit_and_leaving_it_does_not() {
    let mut frame = udp4(b"x");
    frame.splice(12..12, [0x81, 0x00, 0x30, 0x05]);
    let mut packet = Packet::new(&frame, 1);
    let mut to = *packet.key();
    to.set_dl_src(3);
    packet.commit(&to);
    assert_eq!(packet.bytes()[14], 0x30);
    to.set_vlan_tci0(0x3006);
    packet.commit(&to);
    assert_eq!(packet.bytes()[14..16], [0x20, 0x06]);
}

#[test]
fn a_udp_checksum_of_zero_stays_zero_and_none_becomes_zero() {
    let mut frame = udp4(b"abcd");
    frame[40..42].fill(0);
    let mut packet = Packet::new(&frame, 1);
    let mut to = *packet.key();
    to.set_nw_src(0x0101_0101);
    to.set_tp_src(7);
    packet.commit(&to);
    assert_eq!(packet.bytes()[40..42], [0, 0]);
    // A checksum c becomes 0 when a word grows by c.
    let mut frame = udp4(b"abcd");
    let sum = u16::from_be_bytes([frame[40], frame[41]]);
    frame[34..36].fill(0);
    let mut packet = Packet::new(&frame, 1);
    let mut to = *packet.key();
    to.set_tp_src(sum);
    packet.commit(&to);
    assert_eq!(packet.bytes()[40..42], [0xff, 0xff]);
}

#[test]
fn a_wrong_checksum_stays_wrong_by_as_much() {
    let right = udp4(b"abcd");
    let mut wrong = right.clone();
    wrong[40] ^= 0x10;
    let sum = |frame: &[u8]| {
        let mut packet = Packet::new(frame, 1);
        let mut to = *packet.key();
        to.set_nw_dst(0xc0a8_0101);
        packet.commit(&to);
        i32::from(u16::from_be_bytes([packet.bytes()[40], packet.bytes()[41]]))
    };
    assert_eq!(
        (sum(&right) - sum(&wrong)).rem_euclid(0xffff),
        (0x1000i32 * if wrong[40] < right[40] { 1 } else { -1 }).rem_euclid(0xffff)
    );
}

#[test]
fn the_destination_under_a_routing_header_is_not_in_the_checksum() {
    let udp = [0x03, 0xe8, 0, 53, 0, 8, 0xbe, 0xef];
    let commit = |segments: u8| {
        let frame = ipv6(43, &[&[17, 0, 0, segments, 0, 0, 0, 0][..], &udp].concat());
        let mut packet = Packet::new(&frame, 1);
        let mut to = *packet.key();
        to.set_ipv6_dst(1);
        packet.commit(&to);
        packet.bytes()[68..70].to_vec()
    };
    assert_eq!(commit(1), [0xbe, 0xef]);
    assert_ne!(commit(0), [0xbe, 0xef]);
}

#[test]
fn sctp_ports_change_the_crc() {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0u32, |c, &b| {
            (0..8).fold(c ^ u32::from(b), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 })
        })
    };
    let sctp = |src: u16, dst: u16, damage: u32| {
        let mut body = [&src.to_be_bytes()[..], &dst.to_be_bytes(), &[1, 2, 3, 4, 0, 0, 0, 0], b"chunk data"].concat();
        let sum = crc(&body) ^ damage;
        body[8..12].copy_from_slice(&sum.to_le_bytes());
        ipv6(132, &body)
    };
    for damage in [0, 0xdead_beef] {
        let mut packet = Packet::new(&sctp(5, 6, damage), 1);
        let mut to = *packet.key();
        to.set_tp_src(700);
        to.set_tp_dst(8);
        packet.commit(&to);
        assert_eq!(packet.bytes(), sctp(700, 8, damage));
    }
}

/// Whether every checksum of a frame is right.
fn checksums_are_right(frame: &[u8]) -> bool {
    let packet = PacketHeaders::from_ethernet_slice(frame).unwrap();
    let payload = packet.payload.slice();
    match (packet.net.unwrap(), packet.transport.unwrap()) {
        (NetHeaders::Ipv4(ip, _), TransportHeader::Udp(udp)) => {
            let udp_right = udp.calc_checksum_ipv4(&ip, payload).unwrap() == udp.checksum;
            ip.calc_header_checksum() == ip.header_checksum && udp_right
        }
        (NetHeaders::Ipv6(ip, _), TransportHeader::Tcp(tcp)) => {
            tcp.calc_checksum_ipv6(&ip, payload).unwrap() == tcp.checksum
        }
        (NetHeaders::Ipv6(ip, _), TransportHeader::Icmpv6(icmp)) => {
            icmp.icmp_type.calc_checksum(ip.source, ip.destination, payload).unwrap() == icmp.checksum
        }
        other => panic!("{other:?}"),
    }
}

/// A key with every field that can be edited drawn at random, the others from `like`.
fn edited(like: FlowKey) -> impl Strategy<Value = FlowKey> {
    (any::<[u64; 4]>(), any::<[u128; 2]>(), any::<[u16; 4]>(), any::<[u8; 2]>()).prop_map(move |(w, a, p, t)| {
        let mut key = like;
        key.set_dl_dst(w[0]);
        key.set_dl_src(w[1]);
        key.set_nw_src(w[2] as u32);
        key.set_nw_dst(w[3] as u32);
        key.set_ipv6_src(a[0]);
        key.set_ipv6_dst(a[1]);
        key.set_tp_src(p[0]);
        key.set_tp_dst(p[1]);
        key.set_nw_tos(t[0]);
        key.set_nw_ttl(t[1]);
        if p[2] & 0x1000 != 0 {
            key.set_vlan_tpid0(0x8100);
            key.set_vlan_tci0(p[2] | 0x1000);
        }
        key
    })
}

/// Fields of the headers that a frame has, as [`Packet::commit`] must make them.
fn expected(like: &FlowKey, to: &FlowKey, l3: L3) -> FlowKey {
    let mut key = *to;
    match l3 {
        L3::Ipv4 => {
            key.set_ipv6_src(like.ipv6_src());
            key.set_ipv6_dst(like.ipv6_dst());
        }
        _ => {
            key.set_nw_src(like.nw_src());
            key.set_nw_dst(like.nw_dst());
        }
    }
    key
}

proptest! {
    #[test]
    fn edits_give_the_fields_asked_for_and_right_checksums(
        (frame, to) in (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(v6, payload)| if v6 { tcp6(&payload) } else { udp4(&payload) })
            .prop_flat_map(|frame| { let key = parse(&frame, 3).0; (Just(frame), edited(key)) })
    ) {
        let mut packet = Packet::new(&frame, 3);
        let before = (*packet.key(), packet.headers().l3);
        packet.commit(&to);
        prop_assert_eq!(*packet.key(), expected(&before.0, &to, before.1));
        prop_assert_eq!(parse(packet.bytes(), 3), (*packet.key(), *packet.headers()));
        prop_assert!(checksums_are_right(packet.bytes()));
    }

    #[test]
    fn any_bytes_parse_and_an_edit_of_nothing_changes_nothing(frame in proptest::collection::vec(any::<u8>(), 14..200), kind in 0..5u8) {
        let mut frame = frame;
        let dl_type: [u8; 2] = [[8, 0], [0x86, 0xdd], [8, 6], [0x81, 0], [0x88, 0xa8]][usize::from(kind)];
        frame[12..14].copy_from_slice(&dl_type);
        let mut packet = Packet::new(&frame, 1);
        let key = *packet.key();
        packet.commit(&key);
        prop_assert_eq!(packet.bytes(), &frame[..]);
    }

    /// Bytes that are headers up to some place, behind any tags, and anything from there on.
    #[test]
    fn the_key_of_a_packet_comes_back_from_that_of_the_hardware(
        which in 0..4_usize,
        payload in proptest::collection::vec(any::<u8>(), 0..64),
        tags in proptest::collection::vec((any::<bool>(), any::<u16>()), 0..3),
        noise in proptest::collection::vec((12..60_usize, any::<u8>()), 0..4),
        in_port in 1..=256_u16,
    ) {
        let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &SRC, &[10, 0, 0, 1], &DST, &[10, 0, 0, 2], &payload].concat();
        let mut frame = [udp4(&payload), tcp6(&payload), eth(0x806, &arp), ipv6(44, &payload)][which].clone();
        for (service, tci) in tags {
            let tpid: [u8; 2] = if service { [0x88, 0xa8] } else { [0x81, 0] };
            frame.splice(12..12, [tpid, tci.to_be_bytes()].concat());
        }
        for (at, byte) in noise {
            frame.get_mut(at).into_iter().for_each(|b| *b = byte);
        }
        let (key, _) = parse(&frame, in_port);
        prop_assert_eq!(flow_key(&hardware_key(&key)), key);
    }
}
