// SPDX-License-Identifier: MIT OR Apache-2.0
//! IPv4, IPv6, transport protocols, fragments, truncation; edits of them.

use super::build::*;
use super::scenario::{EDITED, PUNTED, Scenario, on};

pub fn scenarios() -> Vec<Scenario> {
    let mut all = matches();
    all.extend(fragments());
    all.extend(edits());
    all.extend(malformed());
    all
}

fn matches() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "ipv4_addresses",
            on(
                1,
                [
                    v4(1, 2).udp(1, 2, 3),
                    v4(1, 130).udp(1, 2, 3),
                    v4(2, 131).tcp(1, 2, tcp::SYN, 0),
                    v4(3, 2).icmp(8, 0, 4),
                    v4(5, 7).carry(47, &payload(30)),
                    v4(17, 2).udp(1, 2, 3),
                    v6(1, 2).udp(1, 2, 3),
                ],
            ),
            &[("p1", 1), ("pf", 2), ("vf0", 2), ("vf1", 1)],
        ),
        Scenario::new(
            "ipv4_tos_ttl",
            on(
                1,
                [
                    v4(1, 2).udp(1, 2, 3),
                    v4(1, 2).tos(0x20).udp(1, 2, 3),
                    v4(1, 2).tos(0x21).udp(1, 2, 3),
                    v4(1, 2).tos(0xb9).ttl(3).udp(1, 2, 3),
                    v4(1, 2).ttl(1).udp(1, 2, 3),
                    v6(1, 2).tos(0x22).ttl(1).udp(1, 2, 3),
                    v6(1, 2).tos(0x20).ttl(7).udp(1, 2, 3),
                ],
            ),
            &[("p1", 1), ("pf", 2), ("vf0", 1), ("vf1", 1), ("vf2", 2)],
        ),
        Scenario::new(
            "ipv4_options",
            on(
                1,
                [
                    v4(1, 2).options().udp(1, 53, 3),
                    v4(1, 2).options().tcp(1, 80, tcp::SYN, 3),
                    v4(1, 2).options().icmp(8, 0, 4),
                    v4(1, 2).udp(1, 53, 3),
                ],
            ),
            &[("p1", 2), ("pf", 1), ("vf0", 1)],
        ),
        Scenario::new(
            "l4_ports",
            on(
                1,
                [
                    v4(1, 2).tcp(1000, 80, tcp::SYN, 0),
                    v4(1, 2).tcp(80, 1000, tcp::SYN, 0),
                    v4(1, 2).udp(1000, 53, 4),
                    v4(1, 2).udp(53, 1000, 4),
                    v4(1, 2).udp(0x1234, 0x12ff, 4),
                    v6(1, 2).tcp(1000, 80, tcp::SYN, 0),
                    v6(1, 2).udp(1, 0x1200, 0),
                    v4(1, 2).sctp(1000, 80, 9),
                    v6(1, 2).sctp(7, 9, 9),
                    v4(1, 2).udp(1000, 0, 4),
                ],
            ),
            &[("p1", 2), ("pf", 1), ("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 1), ("vf4", 1), ("vf5", 1), ("vf6", 1)],
        ),
        Scenario::new(
            "tcp_flags",
            on(
                1,
                [
                    v4(1, 2).tcp(1, 2, tcp::SYN, 0),
                    v4(1, 2).tcp(1, 2, tcp::SYN | tcp::ACK, 0),
                    v4(1, 2).tcp(1, 2, tcp::ACK, 5),
                    v4(1, 2).tcp(1, 2, tcp::FIN | tcp::ACK, 0),
                    v6(1, 2).tcp(1, 2, tcp::RST, 0),
                    v4(1, 2).tcp(1, 2, 0, 0),
                ],
            ),
            &[("p1", 1), ("pf", 1), ("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 1)],
        ),
        Scenario::new(
            "icmp",
            on(
                1,
                [
                    v4(1, 2).icmp(8, 0, 32),
                    v4(2, 1).icmp(0, 0, 32),
                    v4(1, 2).icmp(3, 1, 28),
                    v4(1, 2).icmp(3, 4, 28),
                    v6(1, 2).icmp(128, 0, 32),
                    v6(1, 2).icmp(135, 0, 24),
                    v6(1, 2).icmp(1, 4, 24),
                    v6(1, 2).carry(1, &payload(16)),
                    v4(1, 2).carry(58, &payload(16)),
                ],
            ),
            &[("p1", 1), ("pf", 1), ("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 1), ("vf4", 3)],
        ),
        Scenario::new(
            "ipv6_addresses",
            on(
                1,
                [
                    v6(1, 2).udp(1, 2, 3),
                    v6(1, 130).udp(1, 2, 3),
                    v6(3, 131).tcp(1, 2, tcp::SYN, 0),
                    v6(4, 9).icmp(128, 0, 8),
                    v6(1, 2).carry(59, &[]),
                    v4(1, 2).udp(1, 2, 3),
                ],
            ),
            &[("p1", 2), ("pf", 2), ("vf0", 1)],
        ),
        Scenario::new("ipv6_extensions", on(1, ipv6_extensions()), &[("p1", 3), ("pf", 1), ("vf0", 2)])
            .software(0..6, PUNTED),
    ]
}

/// Hop-by-hop, destination, authentication and routing headers, one after the other, and chains that are cut.
fn ipv6_extensions() -> Vec<Vec<u8>> {
    let udp = v6(1, 2).udp(1000, 53, 4)[54..].to_vec();
    let authentication = [&[17, 4, 0, 0][..], &payload(20)].concat();
    let routing = [17, 0, 0, 1, 0, 0, 0, 0];
    vec![
        v6(1, 2).options().udp(1000, 53, 4),
        v6(1, 2).options().tcp(1000, 80, tcp::SYN, 4),
        v6(1, 2).carry(51, &[&authentication[..], &udp].concat()),
        v6(1, 2).carry(43, &[&routing[..], &udp].concat()),
        v6(1, 2).carry(60, &[17, 3, 0, 0, 0, 0, 0, 0]),
        v6(1, 2).carry(0, &[17, 0, 1, 2]),
    ]
}

fn fragments() -> Vec<Scenario> {
    let v4_fragments = |f: &dyn Fn(u16) -> Vec<u8>| vec![f(0), f(0x4000), f(0x2000), f(0x2010), f(0x0010)];
    vec![
        Scenario::new(
            "fragments",
            on(1, v4_fragments(&|frag| v4(1, 2).frag(frag).udp(1000, 53, 40))),
            &[("p1", 2), ("pf", 1), ("vf0", 2)],
        ),
        Scenario::new(
            "fragment_kinds",
            [
                on(1, v4_fragments(&|frag| v4(1, 2).frag(frag).udp(1000, 53, 40))),
                on(2, v4_fragments(&|frag| v4(1, 2).frag(frag).tcp(1000, 53, tcp::ACK, 40))),
                on(1, [0x0001u16, 0x0081, 0x0080, 0x0007].map(|f| v6(1, 2).frag(f).udp(1000, 53, 40))),
                on(3, v4_fragments(&|frag| v4(1, 2).frag(frag).icmp(8, 0, 40))),
            ]
            .concat(),
            &[("vf0", 5), ("vf1", 5), ("vf2", 2), ("vf3", 2), ("vf4", 3), ("vf5", 2)],
        ),
        Scenario::new(
            "fragment_edits",
            on(1, [0x0000, 0x2000, 0x2010, 0x0010].map(|frag| v4(1, 2).frag(frag).icmp(8, 0, 40))),
            &[("p1", 4)],
        ),
        Scenario::new(
            "fragment_moves",
            [
                on(1, [0x0000, 0x2000, 0x2010, 0x0010].map(|frag| v4(1, 2).tos(0xb8).frag(frag).icmp(8, 0, 40))),
                on(1, [0, 0x0001, 0x0081, 0x0080].map(|frag| v6(1, 2).tos(0xb8).frag(frag).icmp(128, 0, 40))),
                // Later fragments are left out: Open vSwitch 3.1 takes their payload for a header and changes it.
                on(3, [0x0000, 0x2000].map(|frag| v4(1, 2).tos(0xb8).frag(frag).icmp(8, 0, 40))),
                on(3, [0, 0x0001].map(|frag| v6(1, 2).tos(0xb8).frag(frag).icmp(128, 0, 40))),
            ]
            .concat(),
            &[("p1", 10)],
        )
        .software(8..12, EDITED),
        Scenario::new(
            // Later fragments that carry TCP or UDP are left out: Open vSwitch 3.1 takes their payload for a header and changes it.
            "fragment_nat",
            [
                on(1, [0, 0x4000, 0x2000].map(|frag| v4(1, 2).frag(frag).udp(1000, 53, 40))),
                on(1, [0, 0x4000, 0x2000].map(|frag| v4(1, 2).frag(frag).tcp(1000, 53, tcp::ACK, 40))),
                on(1, [0x2000, 0x2010, 0x0010].map(|frag| v4(1, 2).frag(frag).sctp(1000, 53, 40))),
                on(1, [0, 0x0001, 0x0081, 0x0080].map(|frag| v6(1, 2).frag(frag).udp(1000, 53, 40))),
                on(1, [0, 0x0001, 0x0081, 0x0080].map(|frag| v6(1, 2).frag(frag).tcp(1000, 53, tcp::ACK, 40))),
            ]
            .concat(),
            &[("p1", 17)],
        ),
    ]
}

fn edits() -> Vec<Scenario> {
    let no_checksum = |frame: Vec<u8>| patched(frame, 40, &[0, 0]);
    vec![
        Scenario::new(
            "nat",
            [
                on(
                    4,
                    [
                        v4(1, 99).tcp(1000, 80, tcp::SYN, 0),
                        v4(1, 99).udp(1000, 80, 33),
                        no_checksum(v4(1, 99).udp(1000, 80, 33)),
                        patched(v4(1, 99).udp(1000, 80, 7), 40, &[0x12, 0x34]),
                        patched(v4(1, 99).tcp(1000, 80, tcp::ACK, 7), 24, &[0xde, 0xad]),
                        v4(1, 99).icmp(8, 0, 9),
                        v4(1, 99).options().udp(1000, 80, 33),
                    ],
                ),
                on(1, [v4(99, 200).tcp(80, 61000, tcp::SYN | tcp::ACK, 0), v4(99, 200).udp(80, 61000, 0)]),
            ]
            .concat(),
            &[("p0", 7), ("vf0", 2)],
        ),
        Scenario::new(
            "nat6",
            [
                on(
                    4,
                    [
                        v6(1, 99).tcp(1000, 80, tcp::SYN, 1),
                        v6(1, 99).udp(1000, 80, 33),
                        v6(1, 99).icmp(128, 0, 33),
                        v6(1, 99).sctp(1, 2, 3),
                        v6(1, 99).options().udp(1000, 80, 33),
                    ],
                ),
                on(1, [v6(99, 200).tcp(80, 61000, tcp::ACK, 1), v6(99, 200).udp(80, 61000, 0)]),
            ]
            .concat(),
            &[("p0", 5), ("vf0", 2)],
        )
        .software([4], PUNTED),
        Scenario::new(
            "port_edits",
            on(
                1,
                [
                    v4(1, 2).tcp(1000, 80, tcp::SYN, 1),
                    v4(1, 2).udp(1000, 80, 2),
                    no_checksum(v4(1, 2).udp(1000, 80, 2)),
                    v6(1, 2).udp(1000, 80, 2),
                    v6(1, 2).tcp(1000, 80, tcp::SYN, 2),
                    v4(1, 2).sctp(1000, 80, 5),
                    v4(1, 2).udp(4242, 4343, 2),
                ],
            ),
            &[("p1", 7)],
        )
        .software([5], EDITED),
        Scenario::new(
            "icmp_edits",
            on(
                1,
                [v4(1, 2).icmp(8, 0, 20), v4(1, 2).icmp(0, 0, 20), v6(1, 2).icmp(128, 0, 21), v6(1, 2).icmp(1, 4, 22)],
            ),
            &[("p1", 4)],
        )
        .software(0..4, EDITED),
        Scenario::new(
            "router",
            on(
                1,
                [
                    v4(1, 130).udp(1, 2, 3),
                    v4(1, 130).ttl(2).udp(1, 2, 3),
                    v4(1, 130).ttl(1).udp(1, 2, 3),
                    v4(1, 130).ttl(0).udp(1, 2, 3),
                    v4(1, 2).ttl(255).tcp(1, 2, tcp::SYN, 0),
                    v6(1, 130).udp(1, 2, 3),
                    v6(1, 130).ttl(1).udp(1, 2, 3),
                    tagged(&v4(1, 130).udp(1, 2, 3), 0x8100, 5),
                    patched(v4(1, 130).udp(1, 2, 3), 24, &[0xff, 0xff]),
                ],
            ),
            &[("p1", 5), ("pf", 1)],
        ),
        Scenario::new(
            "ttl_twice",
            on(1, [5, 3, 2, 1, 0].map(|ttl| v4(1, 2).ttl(ttl).udp(1, 2, 3))),
            &[("p1", 5), ("pf", 3), ("vf0", 2)],
        ),
        Scenario::new(
            "tos_ttl_edits",
            on(
                1,
                [
                    v4(1, 2).tos(0x2b).udp(1, 2, 3),
                    v4(1, 2).tos(0x03).ttl(9).tcp(1, 2, tcp::SYN, 3),
                    v6(1, 2).tos(0xff).ttl(9).tcp(1, 2, tcp::SYN, 3),
                    v6(1, 2).tos(0x01).udp(1, 2, 3),
                    arp(1, 1, 2),
                ],
            ),
            &[("p1", 4), ("pf", 4), ("vf0", 4), ("vf1", 1)],
        ),
        Scenario::new(
            "masked_edits",
            on(
                1,
                [
                    v4(1, 2).udp(0x1234, 0x5678, 3),
                    v4(77, 88).tcp(0x1234, 0x5678, tcp::SYN, 3),
                    v6(1, 2).udp(0x1234, 0x5678, 3),
                ],
            ),
            &[("p1", 3)],
        ),
        Scenario::new(
            "edits_between_outputs",
            on(
                1,
                [
                    v4(1, 2).udp(1000, 53, 30),
                    v4(1, 2).tcp(1000, 53, tcp::SYN, 30),
                    tagged(&v4(1, 2).udp(7, 8, 9), 0x8100, 5),
                ],
            ),
            &[("p1", 3), ("pf", 3), ("vf0", 3), ("vf1", 3), ("p0", 3)],
        ),
    ]
}

fn malformed() -> Vec<Scenario> {
    let udp = v4(1, 2).udp(1000, 53, 4);
    let tcp4 = v4(1, 2).tcp(1000, 80, tcp::SYN, 4);
    vec![
        Scenario::new(
            "truncated",
            on(
                1,
                [
                    udp.clone(),
                    udp[..33].to_vec(),
                    udp[..45].to_vec(),
                    patched(udp.clone(), 14, &[0x44]),
                    patched(udp.clone(), 14, &[0x4f]),
                    patched(udp.clone(), 16, &[0, 19]),
                    patched(udp.clone(), 16, &[0, 27]),
                    patched(udp.clone(), 14, &[0x65]),
                    [&udp[..], &[0; 18]].concat(),
                    patched(tcp4.clone(), 16, &[0, 39]),
                    tcp4.clone(),
                    v6(1, 2).udp(1000, 53, 4)[..53].to_vec(),
                    v6(1, 2).udp(1000, 53, 4)[..65].to_vec(),
                    v6(1, 2).carry(17, &[3, 0xe8, 0, 53, 0, 8, 0]),
                    v4(1, 2).carry(1, &payload(7)),
                    v4(1, 2).carry(132, &payload(11)),
                    eth(mac(1), mac(2), 0x0800, &[]),
                    eth(mac(1), mac(2), 0x86dd, &[]),
                    eth(mac(1), mac(2), 0x0806, &[]),
                    eth(mac(1), mac(2), 0x8100, &[0, 5]),
                ],
            ),
            &[("p1", 3), ("pf", 1), ("vf0", 4), ("vf1", 6), ("vf2", 3), ("vf3", 1), ("vf4", 2)],
        ),
        Scenario::new(
            "padding",
            on(
                1,
                [
                    [&udp[..], &payload(14)].concat(),
                    [&tcp4[..], &payload(300)].concat(),
                    [&v6(1, 2).udp(1000, 53, 4)[..], &payload(9)].concat(),
                ],
            ),
            &[("p1", 3)],
        ),
    ]
}
