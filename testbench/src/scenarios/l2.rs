// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports, Ethernet, VLAN tags, ARP, learning.

use super::build::*;
use super::scenario::{EDITED, PUNTED, Scenario, Step, on};

const BROADCAST: [u8; 6] = [0xff; 6];

pub fn scenarios() -> Vec<Scenario> {
    let mut all = ports();
    all.extend(ethernet());
    all.extend(vlan());
    all.extend(arp_scenarios());
    all.extend(normal());
    all
}

fn ports() -> Vec<Scenario> {
    let udp = v4(1, 2).udp(1000, 53, 20);
    vec![
        Scenario::new(
            "ports",
            [
                on(1, [udp.clone()]),
                on(2, [udp.clone()]),
                on(3, [udp.clone()]),
                on(4, [udp.clone()]),
                on(11, [udp.clone()]),
            ]
            .concat(),
            &[("p0", 1), ("p1", 1), ("pf", 1), ("vf0", 1)],
        ),
        Scenario::new(
            "flood_all_in_port",
            [on(1, [udp.clone(), v4(1, 3).udp(1, 2, 0)]), on(5, [udp.clone(), arp(1, 5, 6)])].concat(),
            &[
                ("p0", 4),
                ("p1", 3),
                ("pf", 3),
                ("vf0", 3),
                ("vf1", 4),
                ("vf2", 3),
                ("vf3", 3),
                ("vf4", 3),
                ("vf5", 3),
                ("vf6", 3),
                ("vf7", 3),
            ],
        ),
        Scenario::new(
            "drop",
            [on(1, [udp.clone(), arp(1, 1, 2)]), on(2, [udp.clone()]), on(3, [udp])].concat(),
            &[("p1", 1)],
        ),
        Scenario::new(
            "sizes",
            on(
                1,
                [14, 15, 17, 33, 41, 59, 60, 64, 127, 128, 129, 1514, 9000, 9216]
                    .map(|n| eth(mac(1), mac(2), 0x88b5, &payload(n - 14))),
            ),
            &[("p1", 14), ("vf0", 14)],
        ),
    ]
}

fn ethernet() -> Vec<Scenario> {
    let to = |m: [u8; 6]| eth(mac(1), m, 0x88b5, &payload(46));
    vec![
        Scenario::new(
            "mac_match",
            on(
                1,
                [
                    to(mac(2)),
                    to(mac(3)),
                    to([0x01, 0, 0x5e, 0, 0, 1]),
                    to(BROADCAST),
                    to([0x0a, 0xbb, 0xcc, 0x12, 0x34, 0x56]),
                    eth(mac(9), mac(2), 0x88b5, &[]),
                ],
            ),
            &[("p1", 2), ("pf", 2), ("vf0", 1), ("vf1", 1)],
        ),
        Scenario::new(
            "ethertype",
            on(
                1,
                [
                    to(mac(2)),
                    v4(1, 2).udp(1, 2, 3),
                    v6(1, 2).udp(1, 2, 3),
                    arp(1, 1, 2),
                    eth(mac(1), mac(2), 0x88cc, &payload(20)),
                    eth(mac(1), mac(2), 0x8847, &payload(20)),
                    eth(mac(1), mac(2), 46, &[&[0x42, 0x42, 3][..], &payload(43)].concat()),
                ],
            ),
            &[("p1", 1), ("pf", 1), ("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 2)],
        ),
        Scenario::new("snap", on(1, snap_frames()), &[("p1", 2), ("pf", 2), ("vf0", 2)]).software(0..4, PUNTED),
        Scenario::new(
            "mac_rewrite",
            on(1, [to(mac(2)), v4(1, 2).udp(1, 2, 3), v6(1, 3).tcp(1, 2, tcp::SYN, 0)]),
            &[("p1", 3), ("pf", 3)],
        ),
    ]
}

/// LLC/SNAP frames: with IPv4 in them, with ARP, with a length as type, and with another OUI.
fn snap_frames() -> Vec<Vec<u8>> {
    let snap = |oui: [u8; 3], t: u16, body: &[u8]| {
        let body = [&[0xaa, 0xaa, 3][..], &oui, &t.to_be_bytes(), body].concat();
        eth(mac(1), mac(2), body.len() as u16, &body)
    };
    let ip = v4(1, 2).udp(1000, 53, 4)[14..].to_vec();
    let request = arp(1, 1, 2)[14..].to_vec();
    vec![
        snap([0; 3], 0x0800, &ip),
        tagged(&snap([0; 3], 0x0800, &ip), 0x8100, 5),
        snap([0; 3], 0x0806, &request),
        tagged(&snap([0; 3], 0x0806, &request), 0x8100, 5),
        snap([0; 3], 0x0100, &ip),
        snap([0, 0, 0xc], 0x0800, &ip),
    ]
}

fn vlan() -> Vec<Scenario> {
    let udp = v4(1, 2).udp(1000, 53, 20);
    let tag = |tci| tagged(&udp, 0x8100, tci);
    let service = |outer, inner| tagged(&tagged(&udp, 0x8100, inner), 0x88a8, outer);
    vec![
        Scenario::new(
            "vlan_match",
            on(1, [udp.clone(), tag(5), tag(0xe005), tag(6), tag(0), tag(0x6007), tag(0x1005), service(5, 6)]),
            &[("p1", 1), ("pf", 4), ("vf0", 1), ("vf1", 1), ("vf2", 1)],
        ),
        Scenario::new(
            "vlan_push_pop",
            [
                on(4, [udp.clone(), tag(7), service(1, 2)]),
                on(1, [tag(5), tag(0xf005), udp.clone(), service(5, 9), tagged(&service(5, 9), 0x8100, 5)]),
            ]
            .concat(),
            &[("p0", 3), ("vf0", 5)],
        ),
        Scenario::new(
            "vlan_rewrite",
            [
                on(1, [udp.clone(), tag(5), tag(0xf005), service(5, 9)]),
                on(2, [udp.clone(), tag(5), service(5, 9)]),
                on(3, [udp.clone(), tag(0x3005)]),
                on(4, [udp.clone(), tag(0x3005), service(0x2005, 9)]),
                on(5, [tag(0x3005), udp.clone()]),
            ]
            .concat(),
            &[("vf7", 16)],
        ),
        Scenario::new(
            "qinq",
            [
                on(1, [udp.clone(), tag(5), tag(0xe006), service(1, 2)]),
                on(2, [service(100, 5), service(100, 6), tag(100), tagged(&tag(5), 0x8100, 100)]),
                on(3, [service(100, 5), tag(3)]),
            ]
            .concat(),
            &[("p1", 4), ("p0", 3), ("vf0", 2)],
        ),
        Scenario::new(
            "vlan_same_tag",
            [
                on(1, [tag(0x1005), tag(5), tag(0x1006), tag(0x3005), service(0x1005, 9), udp.clone()]),
                on(2, [tag(0x1005), tag(0x1006), service(0x1005, 0x1005), service(0x1006, 0x1005)]),
                on(3, [tag(0x7005), tag(0x5005), tag(0x5006)]),
            ]
            .concat(),
            &[("vf0", 13)],
        ),
        Scenario::new(
            "vlan_of_ip",
            on(
                1,
                [
                    tag(5),
                    tagged(&v6(1, 2).tcp(1, 80, tcp::SYN, 10), 0x8100, 5),
                    tagged(&arp(1, 1, 2), 0x88a8, 6),
                    service(5, 6),
                    tagged(&service(5, 6), 0x8100, 4),
                    eth(mac(1), mac(2), 0x8100, &[0, 5, 8]),
                ],
            ),
            &[("p1", 2), ("pf", 1), ("vf0", 1), ("vf1", 2)],
        ),
    ]
}

fn arp_scenarios() -> Vec<Scenario> {
    let big_op = patched(arp(1, 1, 2), 20, &[1, 1]);
    let rarp = patched(arp(3, 1, 2), 12, &[0x80, 0x35]);
    vec![
        Scenario::new(
            "arp_match",
            on(
                1,
                [
                    arp(1, 1, 2),
                    arp(2, 1, 2),
                    arp(1, 3, 2),
                    arp(1, 1, 4),
                    big_op.clone(),
                    rarp.clone(),
                    arp(2, 5, 7),
                    patched(arp(1, 1, 2), 18, &[5]),
                    arp(1, 1, 2)[..41].to_vec(),
                ],
            ),
            &[("p1", 1), ("pf", 1), ("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 1), ("vf4", 3)],
        ),
        Scenario::new(
            "arp_responder",
            [on(4, [arp(1, 1, 254), arp(1, 2, 254), arp(1, 1, 3)]), on(5, [tagged(&arp(1, 7, 254), 0x8100, 9)])]
                .concat(),
            &[("vf0", 2), ("vf1", 1), ("p0", 1)],
        )
        .software([0, 1, 3], EDITED),
        Scenario::new(
            "arp_edit",
            on(1, [arp(1, 1, 2), arp(2, 3, 4), rarp, v4(1, 2).udp(1, 2, 3)]),
            &[("p1", 3), ("pf", 3), ("vf0", 1)],
        )
        .software(0..3, EDITED),
    ]
}

fn normal() -> Vec<Scenario> {
    let f = |from: u8, to: [u8; 6]| eth(mac(from), to, 0x88b5, &payload(40));
    vec![
        Scenario::new(
            "normal",
            vec![
                Step::Frame(1, f(1, BROADCAST)),
                Step::Frame(2, f(2, mac(1))),
                Step::Frame(1, f(1, mac(2))),
                Step::Frame(3, f(3, mac(9))),
                Step::Frame(4, f(1, mac(3))), // host 1 moves to vf0
                Step::Frame(2, f(2, mac(1))),
                Step::Frame(2, f(2, mac(2))),                                 // to itself
                Step::Frame(5, f(5, [0x01, 0x80, 0xc2, 0, 0, 0])),            // a bridge protocol's address
                Step::Frame(5, eth([3, 0, 0, 0, 0, 7], mac(1), 0x88b5, &[])), // a multicast source
                Step::Frame(6, eth(mac(6), [3, 0, 0, 0, 0, 7], 0x88b5, &[])),
            ],
            &[
                ("p0", 3),
                ("p1", 4),
                ("pf", 3),
                ("vf0", 5),
                ("vf1", 3),
                ("vf2", 2),
                ("vf3", 3),
                ("vf4", 3),
                ("vf5", 3),
                ("vf6", 3),
                ("vf7", 3),
            ],
        ),
        Scenario::new(
            "normal_vlan",
            vec![
                Step::Frame(1, tagged(&f(1, BROADCAST), 0x8100, 5)),
                Step::Frame(2, tagged(&f(2, mac(1)), 0x8100, 5)),
                Step::Frame(2, tagged(&f(2, mac(1)), 0x8100, 6)),
                Step::Frame(3, f(3, mac(1))),
                Step::Frame(1, tagged(&f(1, mac(3)), 0x8100, 0xe000)),
                Step::Frame(4, tagged(&f(4, mac(2)), 0x8100, 0xe005)),
            ],
            &[
                ("p0", 3),
                ("p1", 3),
                ("pf", 3),
                ("vf0", 3),
                ("vf1", 3),
                ("vf2", 3),
                ("vf3", 3),
                ("vf4", 3),
                ("vf5", 3),
                ("vf6", 3),
                ("vf7", 3),
            ],
        ),
        Scenario::new(
            "normal_null_tags",
            {
                let tags = |outer, inner| tagged(&tagged(&f(2, mac(1)), 0x8100, inner), 0x88a8, outer);
                let three = tagged(&tags(0, 7), 0x8100, 5);
                [
                    on(1, [f(1, BROADCAST)]),
                    // Without a tag, with one that says nothing, with an inner one that does or does not.
                    on(
                        2,
                        [
                            f(2, mac(1)),
                            tagged(&f(2, mac(1)), 0x8100, 0x1000),
                            tags(5, 0),
                            tags(5, 0x1000),
                            tags(0x1005, 0),
                        ],
                    ),
                    on(2, [tags(5, 0x2000), tags(5, 6), tags(5, 7), tags(0, 6), tags(0, 0), three]),
                    on(3, [f(3, mac(1)), tagged(&f(3, mac(1)), 0x8100, 0), tags(0, 6), tags(6, 0)]),
                ]
                .concat()
            },
            &[
                ("p0", 15),
                ("p1", 5),
                ("pf", 8),
                ("vf0", 12),
                ("vf1", 12),
                ("vf2", 12),
                ("vf3", 12),
                ("vf4", 12),
                ("vf5", 12),
                ("vf6", 12),
                ("vf7", 12),
            ],
        ),
        Scenario::new(
            "normal_ageing",
            vec![
                Step::Frame(1, f(1, mac(2))),
                Step::Wait(200),
                Step::Frame(2, f(2, mac(1))),
                Step::Wait(150),
                Step::Frame(2, f(2, mac(1))), // aged: flooded
                Step::Frame(1, f(1, mac(2))), // not aged
            ],
            &[
                ("p0", 2),
                ("p1", 2),
                ("pf", 2),
                ("vf0", 2),
                ("vf1", 2),
                ("vf2", 2),
                ("vf3", 2),
                ("vf4", 2),
                ("vf5", 2),
                ("vf6", 2),
                ("vf7", 2),
            ],
        ),
        Scenario::new(
            "normal_after_edit",
            vec![
                Step::Frame(1, f(1, mac(2))),
                Step::Frame(2, v4(2, 1).udp(1, 2, 3)),
                Step::Frame(1, v4(1, 2).udp(1, 2, 3)),
                Step::Frame(3, arp(1, 3, 1)),
            ],
            &[
                ("p0", 2),
                ("p1", 4),
                ("pf", 1),
                ("vf0", 1),
                ("vf1", 1),
                ("vf2", 1),
                ("vf3", 1),
                ("vf4", 1),
                ("vf5", 1),
                ("vf6", 1),
                ("vf7", 1),
            ],
        ),
    ]
}
