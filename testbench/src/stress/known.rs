// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames on which Open vSwitch 3.1 and Millrace are known to differ when they are edited.

use millrace_model::{L3, parse};

/// ARP and RARP.
const ARP: [u16; 2] = [0x0806, 0x8035];
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6_HOP_BY_HOP: u8 = 0;
const IPV6_ROUTING: u8 = 43;
const IPV6_FRAGMENT: u8 = 44;
const IPV6_DESTINATION: u8 = 60;
/// Length of the IPv6 header, and the byte of it that says what follows.
const IPV6: usize = 40;
const NEXT_HEADER: usize = 6;
/// Of a fragment: it is not the first.
const LATER: u8 = 2;

/// Why the two differ on a frame, if they do.
pub fn difference(frame: &[u8]) -> Option<&'static str> {
    let parsed = parse(0, frame);
    let key = parsed.key;
    if ARP.contains(&key.dl_type) && key.nw_proto == 0 {
        return Some("ARP without an opcode: Open vSwitch edits no field of it");
    }
    let (version, l3) = parsed.l3?;
    match version {
        L3::V4 if key.nw_frag & LATER != 0 && [TCP, UDP].contains(&key.nw_proto) => {
            Some("later fragment: Open vSwitch takes its payload for a header")
        }
        L3::V4 if key.nw_frag & LATER != 0 && key.nw_proto == ICMP => {
            Some("later fragment of ICMP: Open vSwitch moves its type and code, as 0, into other fields")
        }
        _ if key.nw_proto == 0 && !parsed.punt => Some("protocol 0: Open vSwitch edits no field of IP"),
        L3::V4 => None,
        L3::V6 => extensions(frame, l3),
    }
}

/// What differs on an IPv6 packet with these extension headers.
fn extensions(frame: &[u8], l3: usize) -> Option<&'static str> {
    let (mut next, mut at) = (*frame.get(l3 + NEXT_HEADER)?, l3 + IPV6);
    loop {
        match next {
            IPV6_ROUTING => return Some("IPv6 routing header: Open vSwitch leaves the checksum behind it alone"),
            IPV6_FRAGMENT if frame.get(at + 2..at + 4)? == [0, 0] => {
                return Some("IPv6 atomic fragment: Open vSwitch leaves the checksum behind it alone");
            }
            IPV6_HOP_BY_HOP | IPV6_DESTINATION => {
                next = *frame.get(at)?;
                at += 8 * (1 + usize::from(*frame.get(at + 1)?));
            }
            _ => return None,
        }
    }
}
