// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables, priorities, registers, metadata, resubmission, timeouts.

use super::build::*;
use super::scenario::{EDITED, Scenario, Step, on};

pub fn scenarios() -> Vec<Scenario> {
    let udp = |from, to, src, dst| v4(from, to).udp(src, dst, 12);
    vec![
        Scenario::new(
            "priorities",
            on(
                1,
                [udp(1, 2, 9, 53), udp(1, 3, 9, 53), udp(1, 3, 9, 54), arp(1, 1, 2), v4(1, 2).tcp(5, 53, tcp::SYN, 0)],
            ),
            &[("p1", 1), ("pf", 1), ("vf0", 2), ("vf1", 1)],
        ),
        Scenario::new(
            "tables",
            [
                on(1, [udp(1, 2, 9, 53), arp(1, 1, 2), udp(1, 9, 9, 54)]),
                on(2, [udp(1, 2, 9, 53), v6(1, 2).udp(1, 2, 3)]),
            ]
            .concat(),
            &[("p0", 1), ("p1", 1), ("pf", 1), ("vf0", 1)],
        ),
        Scenario::new(
            "metadata",
            [
                on(1, [udp(1, 2, 9, 53), v4(1, 2).tcp(1, 2, tcp::SYN, 0)]),
                on(2, [udp(1, 2, 9, 53)]),
                on(3, [arp(1, 1, 2)]),
            ]
            .concat(),
            &[("vf0", 1), ("vf1", 1), ("vf2", 1), ("vf3", 1)],
        ),
        Scenario::new(
            "registers",
            [on(1, [udp(1, 2, 9, 53), udp(3, 4, 9, 53)]), on(2, [udp(1, 2, 9, 53)]), on(3, [udp(1, 2, 0x0506, 7)])]
                .concat(),
            &[("p0", 1), ("vf0", 1), ("vf1", 2), ("vf4", 1)],
        ),
        Scenario::new(
            "output_register",
            [on(1, [udp(1, 2, 9, 53), udp(1, 2, 9, 5), udp(1, 2, 9, 1), udp(1, 2, 9, 200), udp(1, 2, 9, 0xfff8)])]
                .concat(),
            &[("p0", 1), ("vf1", 2)],
        ),
        Scenario::new(
            "wide_registers",
            on(1, [udp(1, 2, 9, 53), v6(1, 2).udp(7, 8, 3), arp(1, 1, 2)]),
            &[("p1", 1), ("pf", 1), ("vf0", 1)],
        ),
        Scenario::new(
            "high_registers",
            on(1, [udp(1, 2, 9, 53), udp(2, 1, 9, 53), udp(3, 1, 9, 53), v6(1, 2).udp(7, 8, 3), arp(1, 1, 2)]),
            &[("pf", 1), ("vf0", 1), ("vf1", 1), ("vf3", 1)],
        ),
        Scenario::new(
            "groups",
            on(
                1,
                (1..=11).map(|port| udp(1, 2, 9, port)).chain([
                    arp(1, 1, 2),
                    v4(1, 2).ttl(1).udp(9, 2, 0),
                    tagged(&udp(1, 2, 9, 6), 0x8100, 7),
                    v6(1, 2).udp(9, 4, 3),
                ]),
            ),
            &[("p0", 1), ("p1", 8), ("pf", 8), ("vf0", 5), ("vf1", 4), ("vf2", 3), ("vf3", 2), ("vf4", 2), ("vf5", 1)],
        ),
        Scenario::new(
            "clone_exit",
            [
                on(1, [udp(1, 2, 9, 53), v4(1, 2).ttl(1).udp(9, 53, 0), v4(1, 2).tcp(1, 2, tcp::SYN, 0)]),
                on(2, [udp(1, 2, 9, 53), v4(1, 2).ttl(1).udp(9, 53, 0), v6(1, 2).ttl(65).udp(9, 53, 0)]),
                on(3, [arp(1, 1, 2), udp(1, 2, 9, 53)]),
                on(4, [udp(1, 2, 9, 53)]),
                on(5, [tagged(&udp(1, 2, 9, 53), 0x8100, 0x6007), arp(1, 1, 2)]),
            ]
            .concat(),
            &[
                ("p0", 6),
                ("p1", 8),
                ("pf", 6),
                ("vf0", 5),
                ("vf1", 6),
                ("vf2", 2),
                ("vf3", 2),
                ("vf4", 2),
                ("vf5", 2),
                ("vf6", 2),
                ("vf7", 2),
            ],
        ),
        Scenario::new(
            "local_port",
            [
                on(1, [udp(1, 2, 9, 53), v4(1, 2).tcp(1, 2, tcp::SYN, 0)]),
                on(2, [udp(1, 2, 9, 53)]),
                on(3, [arp(1, 1, 2)]),
            ]
            .concat(),
            &[("p0", 1), ("pf", 2), ("vf0", 1), ("vf1", 1)],
        ),
        Scenario::new(
            "move_fields",
            on(1, [udp(1, 2, 1000, 53), v4(1, 2).tcp(1000, 80, tcp::SYN, 9), v6(1, 2).udp(1000, 53, 3), arp(1, 1, 2)]),
            &[("p0", 4)],
        )
        .software([3], EDITED),
        Scenario::new(
            "resubmit",
            [
                on(1, [udp(1, 2, 9, 53), arp(1, 1, 2)]),
                on(2, [udp(1, 2, 9, 53)]),
                on(3, [v4(7, 8).tcp(1, 2, tcp::SYN, 0)]),
            ]
            .concat(),
            &[("p0", 1), ("p1", 2), ("pf", 6), ("vf0", 4), ("vf1", 1)],
        ),
        Scenario::new(
            "resubmit_edits",
            on(1, [udp(1, 2, 9, 53), v4(1, 2).ttl(1).udp(9, 53, 0), udp(1, 3, 9, 54)]),
            &[("p1", 3), ("pf", 1), ("vf0", 1), ("vf1", 2)],
        ),
        Scenario::new(
            "port_names",
            [on(1, [udp(1, 2, 9, 53)]), on(4, [udp(1, 2, 9, 53)]), on(11, [arp(1, 1, 2)])].concat(),
            &[("p0", 2), ("pf", 1), ("vf0", 1), ("vf7", 1)],
        ),
        Scenario::new(
            "hairpin",
            [on(1, [udp(1, 2, 9, 53), udp(1, 3, 9, 53), arp(1, 1, 2)]), on(2, [udp(1, 2, 9, 53)])].concat(),
            &[("p0", 3), ("p1", 1)],
        ),
        Scenario::new(
            "old_spellings",
            on(1, [udp(1, 2, 9, 53), v4(1, 2).tcp(1, 2, tcp::SYN, 0), arp(1, 1, 2), v6(1, 2).udp(1, 2, 3)]),
            &[("p1", 2), ("pf", 1), ("vf0", 1)],
        ),
        Scenario::new(
            "new_spellings",
            on(1, [udp(1, 2, 9, 53), tagged(&udp(1, 2, 9, 53), 0x8100, 5), v6(1, 2).udp(1, 2, 3), arp(1, 1, 2)]),
            &[("p1", 1), ("pf", 1), ("vf0", 1), ("vf1", 1)],
        )
        .software([3], EDITED),
        Scenario::new(
            "more_spellings",
            [
                on(1, [v4(1, 2).tos(1).tcp(9, 80, tcp::SYN, 5), v6(1, 2).icmp(128, 0, 8), arp(1, 1, 2)]),
                on(3, [udp(1, 2, 9, 53)]),
                on(4, [udp(4, 2, 9, 53), udp(1, 2, 9, 53)]),
            ]
            .concat(),
            &[
                ("p0", 1),
                ("p1", 3),
                ("pf", 3),
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
            "many_masks",
            on(1, (0..24u8).map(|n| v4(n * 9, 250 - n).udp(u16::from(n) * 311, 50 + u16::from(n % 5), 4))),
            &[("p1", 5), ("pf", 4), ("vf0", 6), ("vf1", 5), ("vf2", 4)],
        ),
        Scenario::new(
            "idle_timeout",
            vec![
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Wait(7),
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Wait(7),
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Wait(15),
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Frame(2, udp(1, 2, 9, 53)),
            ],
            &[("p1", 3), ("pf", 1), ("p0", 1)],
        ),
        Scenario::new(
            "hard_timeout",
            vec![
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Wait(5),
                Step::Frame(1, udp(1, 2, 9, 53)),
                Step::Wait(8),
                Step::Frame(1, udp(1, 2, 9, 53)),
            ],
            &[("p1", 2), ("pf", 1)],
        ),
    ]
}
