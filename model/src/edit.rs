// SPDX-License-Identifier: MIT OR Apache-2.0
//! The editor of the reference model: `docs/hardware.md`, "Actions".

use super::bytes::{number, put};
use super::parser::{L3, L4, Parsed};
use millrace_regs::Step;

/// The frame that `step` makes of `frame`. Its TTL is known to be high enough.
pub fn apply(step: &Step, frame: &[u8], parsed: &Parsed) -> Vec<u8> {
    let mut out = frame.to_vec();
    if let Some((version, at)) = parsed.l3 {
        network(step, &mut out, version, at, parsed.l4);
    }
    if step.set_dl_dst {
        put(&mut out, 0, 6, step.dl_dst.into());
    }
    if step.set_dl_src {
        put(&mut out, 6, 6, step.dl_src.into());
    }
    retag(step, &mut out, parsed.tags);
    out
}

/// Length of the frame that `step` makes of one of `len` bytes with `tags` tags.
pub fn length(step: &Step, len: usize, tags: usize) -> usize {
    len - 4 * tags.min(step.vlan_pop.into()) + 4 * usize::from(step.vlan_push)
}

fn retag(step: &Step, out: &mut Vec<u8>, tags: usize) {
    let popped = tags.min(step.vlan_pop.into());
    let pushed = [(step.push0_tpid, step.push0_tci), (step.push1_tpid, step.push1_tci)];
    let pushed = pushed.iter().take(step.vlan_push.into());
    let bytes: Vec<u8> = pushed.flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat()).collect();
    out.splice(12..12 + 4 * popped, bytes);
}

/// A checksum and the words that changed under it (RFC 1624 §3, equation 3).
#[derive(Default)]
struct Update {
    sum: u64,
    changed: bool,
}

impl Update {
    /// Notes that the 16-bit words of `old` become those of `new`.
    fn note(&mut self, old: &[u8], new: &[u8]) {
        for (old, new) in old.chunks(2).zip(new.chunks(2)) {
            if old != new {
                self.sum += u64::from(!(number(old, 0, 2) as u16)) + number(new, 0, 2) as u64;
                self.changed = true;
            }
        }
    }

    fn apply(&self, checksum: u16) -> u16 {
        let mut sum = self.sum + u64::from(!checksum);
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        if self.changed { !(sum as u16) } else { checksum }
    }
}

fn network(step: &Step, out: &mut [u8], version: L3, at: usize, l4: Option<(L4, usize)>) {
    let (mut header_sum, mut l4_sum) = (Update::default(), Update::default());
    let before = out.to_vec();
    class(step, out, version, at);
    hops(step, out, version, at);
    let (source, destination, width) = match version {
        L3::V4 => (at + 12, at + 16, 4),
        L3::V6 => (at + 8, at + 24, 16),
    };
    if step.set_nw_src {
        put(out, source, width, step.nw_src);
    }
    if step.set_nw_dst {
        put(out, destination, width, step.nw_dst);
    }
    // The header's words in front of its checksum, and the addresses behind it.
    header_sum.note(&before[at..at + 10], &out[at..at + 10]);
    let addresses = source..destination + width;
    header_sum.note(&before[addresses.clone()], &out[addresses.clone()]);
    l4_sum.note(&before[addresses.clone()], &out[addresses]);
    if version == L3::V4 {
        update(out, at + 10, &header_sum);
    }
    if let Some((kind, at)) = l4 {
        transport(step, out, kind, at, l4_sum);
    }
}

fn class(step: &Step, out: &mut [u8], version: L3, at: usize) {
    let blend = |old: u8| old & !step.nw_tos_mask | step.nw_tos & step.nw_tos_mask;
    match version {
        L3::V4 => out[at + 1] = blend(out[at + 1]),
        L3::V6 => {
            let word = number(out, at, 2) as u16;
            let new = word & 0xf00f | u16::from(blend((word >> 4) as u8)) << 4;
            put(out, at, 2, new.into());
        }
    }
}

fn hops(step: &Step, out: &mut [u8], version: L3, at: usize) {
    let at = at + if version == L3::V4 { 8 } else { 7 };
    if step.ttl_dec != 0 {
        out[at] -= step.ttl_dec;
    } else if step.set_nw_ttl {
        out[at] = step.nw_ttl;
    }
}

fn transport(step: &Step, out: &mut [u8], kind: L4, at: usize, mut sum: Update) {
    let before = number(out, at, 4);
    if kind != L4::Icmpv6 {
        if step.set_tp_src {
            put(out, at, 2, step.tp_src.into());
        }
        if step.set_tp_dst {
            put(out, at + 2, 2, step.tp_dst.into());
        }
    }
    sum.note(&before.to_be_bytes()[12..], &out[at..at + 4]);
    match kind {
        L4::Tcp => update(out, at + 16, &sum),
        L4::Icmpv6 => update(out, at + 2, &sum),
        // RFC 768: 0 says that there is no checksum.
        L4::Udp if number(out, at + 6, 2) == 0 => {}
        L4::Udp => {
            update(out, at + 6, &sum);
            if number(out, at + 6, 2) == 0 {
                put(out, at + 6, 2, 0xffff);
            }
        }
    }
}

fn update(out: &mut [u8], at: usize, sum: &Update) {
    let checksum = sum.apply(number(out, at, 2) as u16);
    put(out, at, 2, checksum.into());
}
