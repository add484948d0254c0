// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow tables to draw: conditions on what drawn frames have, so that they meet, and any action.

use crate::flow_text::{Known, action};
use crate::ovs::PORTS;
use proptest::collection::vec;
use proptest::prelude::*;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Tables of a pipeline, and flows in each at most.
const TABLES: [usize; 3] = [10, 5, 5];
/// Actions of a flow, at most, beside what ends its list.
const ACTIONS: usize = 5;

/// Protocol shorthands, with what they make known of a packet: L3 and L4.
const PROTOCOLS: [(&str, &str, &str); 12] = [
    ("", "", ""),
    ("", "", ""),
    ("ip", "ip", ""),
    ("ip", "ip", ""),
    ("ipv6", "ipv6", ""),
    ("arp", "arp", ""),
    ("tcp", "ip", "tcp"),
    ("udp", "ip", "udp"),
    ("icmp", "ip", "icmp"),
    ("sctp", "ip", "sctp"),
    ("tcp6", "ipv6", "tcp"),
    ("udp6", "ipv6", "udp"),
];

/// Conditions, with the protocol that they need. Values are those of `compare::frames`, and some near them.
const CONDITIONS: &[(&str, &[&str])] = &[
    ("", &["in_port=1", "in_port=2", "in_port=5"]),
    (
        "",
        &[
            "dl_dst=02:00:00:00:00:01",
            "dl_dst=02:00:00:00:00:02/ff:ff:ff:ff:ff:fe",
            "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
        ],
    ),
    ("", &["dl_src=02:00:00:00:00:01", "dl_src=00:00:00:00:00:00/00:00:00:00:00:01"]),
    ("ip*", &["nw_ttl=1", "nw_ttl=64"]),
    ("ip*", &["nw_ecn=1", "ip_dscp=0", "nw_tos=32"]),
    ("ip*", &["nw_frag=no", "nw_frag=yes", "nw_frag=first", "nw_frag=not_later"]),
    ("ip", &["nw_src=10.0.0.1", "nw_src=10.0.0.0/24", "nw_src=10.0.0.1/255.255.254.1"]),
    ("ip", &["nw_dst=10.0.1.0/24", "nw_dst=10.0.1.3", "nw_dst=10.0.0.2/31"]),
    ("ipv6", &["ipv6_src=fdfd:fdfd:fdfd:fd00::/64", "ipv6_src=fdfd:fdfd:fdfd:fd01:fdfd:fdfd:fdfd:fd01"]),
    ("ipv6", &["ipv6_dst=fdfd:fdfd:fdfd:fd01::/64", "ipv6_dst=fdfd:fdfd:fdfd:fd00:fdfd:fdfd:fdfd:fd02/127"]),
    ("tcp", &["tp_src=53", "tp_dst=80", "tp_dst=0x40/0xffc0", "tcp_flags=+syn", "tcp_flags=-ack"]),
    ("udp", &["tp_src=53", "tp_dst=80", "tp_src=0x14e9", "tp_dst=0x8000/0x8000"]),
    ("sctp", &["tp_src=53", "tp_dst=80"]),
    ("icmp", &["icmp_type=8", "icmp_type=0,icmp_code=0"]),
    ("arp", &["arp_op=1", "arp_spa=10.0.0.1", "arp_tpa=10.0.0.0/23", "arp_sha=02:00:00:00:00:01"]),
];

/// Conditions on tags, and whether there is one then.
const TAGS: [(&str, bool); 7] = [
    ("", false),
    ("", false),
    ("", false),
    ("vlan_tci=0", false),
    ("vlan_tci=0x1000/0x1000", true),
    ("vlan_vid=0x1000/0x1001", true),
    ("dl_vlan_pcp=2", true),
];

/// The lines of a flow file. The lines of fewer flows are simpler; no line is simpler than another.
pub fn tables() -> impl Strategy<Value = Vec<String>> {
    let of_table = |table: usize| {
        let line = any::<u64>().no_shrink().prop_map(move |seed| flow(&mut ChaCha8Rng::seed_from_u64(seed), table));
        vec(line, if table == 0 { 1..TABLES[0] } else { 0..TABLES[table] })
    };
    let tables: [_; TABLES.len()] = std::array::from_fn(of_table);
    tables.prop_map(|lines| lines.concat())
}

fn flow(rng: &mut ChaCha8Rng, table: usize) -> String {
    // Which of two flows with the same priority a packet meets is not defined: that there are any is unlikely.
    let mut parts = vec![format!("table={table},priority={}", rng.random::<u16>())];
    let &(protocol, l3, l4) = PROTOCOLS.choose(rng).expect("there are some");
    let &(tag, tagged) = TAGS.choose(rng).expect("there are some");
    let mut known = Known { l3, l4, tagged, clones: 0 };
    parts.extend([protocol, tag].into_iter().filter(|part| !part.is_empty()).map(str::to_owned));
    for (needs, values) in CONDITIONS {
        if known.has(needs) && rng.random_ratio(1, 6) {
            parts.push((*values.choose(rng).expect("there are some")).to_owned());
        }
    }
    let mut list: Vec<String> = (0..rng.random_range(0..ACTIONS)).map(|_| one(rng, &mut known, table)).collect();
    list.push(last(rng, table));
    format!("{} actions={}", parts.join(","), list.join(","))
}

/// An action. Resubmission goes on to later tables only: how deep switches go into loops is not what is compared here.
fn one(rng: &mut ChaCha8Rng, known: &mut Known, table: usize) -> String {
    match rng.random_range(0..5) {
        0 => output(rng),
        1 if table + 1 < TABLES.len() => format!("resubmit(,{})", rng.random_range(table + 1..TABLES.len())),
        _ => {
            let text = action(rng, known);
            if text.starts_with("resubmit") { output(rng) } else { text }
        }
    }
}

fn output(rng: &mut ChaCha8Rng) -> String {
    format!("output:{}", rng.random_range(1..=PORTS.len()))
}

/// What ends a list: mostly something that puts the packet out, or hands it on.
fn last(rng: &mut ChaCha8Rng, table: usize) -> String {
    match rng.random_range(0..8) {
        0 => "normal".into(),
        1 => "flood".into(),
        2 => "in_port".into(),
        3..6 if table + 1 < TABLES.len() => format!("resubmit(,{})", table + 1),
        _ => output(rng),
    }
}
