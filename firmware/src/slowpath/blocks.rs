// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sources whose packets are dropped for a time, before any flow is asked: rules of a priority above all megaflows.

use super::core::Core;
use super::dump::{self, BlockDump, MegaflowDump};
use super::offload::{Offload, PRIORITY, Tables};
use crate::compile::flow_key;
use crate::detect::{MacAddress, Subject};
use crate::openflow::Ports;
use crate::openflow::field::{ETH_TYPE_ARP, ETH_TYPE_IP, ETH_TYPE_IPV6};
use millrace_driver::{Found, Place, Placement, RuleError, RuleId, RuleSpec};
use millrace_regs::{Key, Mask, Step};
use smallvec::{SmallVec, smallvec};
use std::net::IpAddr;

/// Priority of a block's rules.
pub(super) const BLOCKING: u16 = u16::MAX;
const _: () = assert!(BLOCKING > PRIORITY);
/// Blocks at a time.
const MOST: usize = 256;
/// Time (ns) after which room is looked for again that was not to be had.
const RETRY_NS: u64 = 10_000_000;

/// A source whose packets are dropped.
pub struct Block {
    vport: u8,
    subject: Subject,
    /// What for: `scan` or `spoof`.
    reason: &'static str,
    /// Device time (ns) at which it is over.
    until: u64,
    /// The rules that it takes; none of those that the tables have no room for yet.
    rules: SmallVec<[(Key, Mask, Option<RuleId>); 2]>,
    /// Device time (ns) from which on room for them may be looked for.
    retry: u64,
    /// Packets that the slow path dropped.
    dropped: u64,
}

impl Block {
    /// Whether it is of this packet's source.
    fn is_of(&self, vport: u8, mac: MacAddress, ip: Option<IpAddr>) -> bool {
        self.vport == vport
            && match self.subject {
                Subject::SrcIp(address) => Some(address) == ip,
                Subject::SrcMac(address) => address == mac,
            }
    }
}

/// A block that is over.
pub struct Over {
    /// The vport.
    pub vport: u8,
    /// Whose packets were dropped.
    pub subject: Subject,
    /// What for.
    pub reason: &'static str,
    /// How many were dropped.
    pub dropped: u64,
}

/// All blocks.
#[derive(Default)]
pub struct Blocks(Vec<Block>);

impl Blocks {
    /// Whether a packet is one that is dropped; then it counts.
    pub fn drops(&mut self, vport: u8, mac: MacAddress, ip: Option<IpAddr>) -> bool {
        let found = self.0.iter_mut().find(|block| block.is_of(vport, mac, ip));
        found.map(|block| block.dropped += 1).is_some()
    }

    /// Whether a packet is one that is dropped.
    pub fn would_drop(&self, vport: u8, mac: MacAddress, ip: Option<IpAddr>) -> bool {
        self.0.iter().any(|block| block.is_of(vport, mac, ip))
    }

    /// Blocks a source, which is not blocked, in the slow path; [`place`](Self::place) has the hardware do it. False if there are too many blocks.
    pub fn add(&mut self, vport: u8, subject: Subject, reason: &'static str, until: u64) -> bool {
        if self.0.len() == MOST {
            return false;
        }
        let rules = patterns(vport, subject).into_iter().map(|(key, mask)| (key, mask, None)).collect();
        self.0.push(Block { vport, subject, reason, until, rules, retry: 0, dropped: 0 });
        true
    }

    /// Puts rules into the hardware for those that have none. Megaflows have to make room; what cannot be had now is tried again.
    pub fn place(&mut self, core: &mut Core<RuleId>, tables: &mut Tables<'_>, now: u64) {
        for block in self.0.iter_mut().filter(|block| !block.is_offloaded() && block.retry <= now) {
            block.retry = now + RETRY_NS;
            for (key, mask, rule) in block.rules.iter_mut().filter(|(.., rule)| rule.is_none()) {
                if tables.error.is_none() {
                    *rule = insert(core, tables, *key, *mask, now);
                }
            }
        }
    }

    /// Whether there is a block of this source.
    pub fn has(&self, vport: u8, subject: Subject) -> bool {
        self.0.iter().any(|block| (block.vport, block.subject) == (vport, subject))
    }

    /// Whether some have yet to be placed.
    pub fn waits(&self) -> bool {
        self.0.iter().any(|block| !block.is_offloaded())
    }

    /// Whether the hardware drops the packets of this source.
    pub fn is_offloaded(&self, vport: u8, subject: Subject) -> bool {
        self.0.iter().any(|block| (block.vport, block.subject) == (vport, subject) && block.is_offloaded())
    }

    /// Takes those out whose time is over.
    pub fn end(&mut self, tables: &mut Tables<'_>, now: u64) -> Vec<Over> {
        let over: Vec<Block> = self.0.extract_if(.., |block| block.until <= now).collect();
        over.into_iter().map(|block| block.end(tables)).collect()
    }

    /// When the first is over.
    pub fn next_due(&self) -> Option<u64> {
        self.0.iter().map(|block| block.until).min()
    }

    /// Takes the blocks over that an earlier slow path left: those for which `until` says how long they are to stay now; the others go. Gives the rules that are none.
    pub fn adopt(
        &mut self,
        tables: &mut Tables<'_>,
        found: Vec<Found>,
        until: impl Fn(u8, Subject) -> Option<(&'static str, u64)>,
    ) -> Vec<Found> {
        let (blocks, others): (Vec<Found>, _) = found.into_iter().partition(|found| found.rule.priority == BLOCKING);
        for Found { rule, .. } in blocks {
            let known = subject(&rule.key, &rule.mask).map(|subject| (rule.key.in_port, subject));
            let kept = known.and_then(|(vport, subject)| {
                let (reason, until) = until(vport, subject)?;
                self.holding(vport, subject, reason, until, &rule.key, &rule.mask)
            });
            match kept {
                Some(place) => *place = Some(rule.id),
                None => tables.remove(rule.id),
            }
        }
        others
    }

    /// Where a block's rule is noted. Makes the block if there is none.
    fn holding(
        &mut self,
        vport: u8,
        subject: Subject,
        reason: &'static str,
        until: u64,
        key: &Key,
        mask: &Mask,
    ) -> Option<&mut Option<RuleId>> {
        let same = |block: &Block| (block.vport, block.subject) == (vport, subject);
        if !self.0.iter().any(same) && !self.add(vport, subject, reason, until) {
            return None;
        }
        let block = self.0.iter_mut().find(|block| same(block))?;
        let rule = block.rules.iter_mut().find(|(k, m, rule)| (k, m) == (key, mask) && rule.is_none());
        rule.map(|(.., rule)| rule)
    }

    /// All blocks as megaflows are shown, rule by rule, with counters of this moment.
    pub fn dump(&self, tables: &mut Tables<'_>, ports: &Ports, now: u64) -> Vec<MegaflowDump> {
        let mut all = vec![];
        for block in &self.0 {
            for (n, (key, mask, rule)) in block.rules.iter().enumerate() {
                let place = rule.map(|rule| super::place(tables.rules, rule));
                let why = BlockDump { reason: block.reason, ends_in_ns: block.until.saturating_sub(now) };
                let mut shown = dump::block(key, mask, ports, place, why);
                let count = rule.map(|rule| tables.hits(rule).count).unwrap_or_default();
                shown.packets = count.packets + if n == 0 { block.dropped } else { 0 };
                shown.bytes = count.bytes;
                all.push(shown);
            }
        }
        all
    }
}

impl Block {
    fn is_offloaded(&self) -> bool {
        self.rules.iter().all(|(.., rule)| rule.is_some())
    }

    fn end(self, tables: &mut Tables<'_>) -> Over {
        let Block { vport, subject, reason, mut dropped, .. } = self;
        for rule in self.rules.into_iter().filter_map(|(.., rule)| rule) {
            dropped += tables.hits(rule).count.packets;
            tables.remove(rule);
        }
        Over { vport, subject, reason, dropped }
    }
}

/// Puts a rule in that drops. The TCAM first, which no mask takes a table of; a megaflow there has to go if it is full.
fn insert(core: &mut Core<RuleId>, tables: &mut Tables<'_>, key: Key, mask: Mask, now: u64) -> Option<RuleId> {
    let spec = |placement| RuleSpec { key, mask, priority: BLOCKING, placement };
    let mut attempts = [Placement::Tcam, Placement::Tcam, Placement::Hash].into_iter();
    let mut placement = attempts.next()?;
    loop {
        let refusal = match tables.rules.insert(tables.device, &spec(placement), &[Step::DROP]) {
            Ok(rule) => return Some(rule),
            Err(RuleError::Device(error)) => {
                tables.error.get_or_insert(error);
                return None;
            }
            Err(refusal) => refusal,
        };
        let made_room = match refusal {
            // The same rule of a megaflow, whose packets these are.
            RuleError::Duplicate(rule) => core.remove_rule(tables, rule, now),
            RuleError::NoRuleId { resting: 0, .. } => core.remove_least_used(tables, |_| true, now),
            RuleError::NoRuleId { .. } => false,
            full if full.is_full() && placement == Placement::Tcam => {
                // If all there are blocks, hash tables are next.
                core.remove_least_used(tables, |place| matches!(place, Place::Tcam { .. }), now);
                true
            }
            _ => false,
        };
        match attempts.next() {
            Some(next) if made_room => placement = next,
            _ => return None,
        }
    }
}

/// What a source's packets look like, in the hardware's terms.
fn patterns(vport: u8, subject: Subject) -> SmallVec<[(Key, Mask); 2]> {
    let (of_port, port) = (Key { in_port: vport, ..Key::default() }, Mask { in_port: 0xff, ..Mask::ANY });
    let of_type = |dl_type, nw_src, bits| {
        let mask = Mask { dl_type: 0xffff, nw_src: bits, ..port };
        (Key { dl_type, nw_src, ..of_port }, mask)
    };
    match subject {
        Subject::SrcMac(MacAddress(mac)) => {
            smallvec![(Key { dl_src: mac, ..of_port }, Mask { dl_src: 0xffff_ffff_ffff, ..port })]
        }
        Subject::SrcIp(IpAddr::V4(ip)) => {
            let of_type = |dl_type| of_type(dl_type, ip.to_bits().into(), u32::MAX.into());
            smallvec![of_type(ETH_TYPE_IP), of_type(ETH_TYPE_ARP)]
        }
        Subject::SrcIp(IpAddr::V6(ip)) => smallvec![of_type(ETH_TYPE_IPV6, ip.to_bits(), u128::MAX)],
    }
}

/// Whose packets a block's rule drops.
fn subject(key: &Key, mask: &Mask) -> Option<Subject> {
    if mask.dl_src != 0 {
        return Some(Subject::SrcMac(MacAddress(key.dl_src)));
    }
    let flow = flow_key(key);
    match key.dl_type {
        ETH_TYPE_IPV6 => Some(Subject::SrcIp(IpAddr::V6(flow.ipv6_src().into()))),
        ETH_TYPE_IP | ETH_TYPE_ARP => Some(Subject::SrcIp(IpAddr::V4(flow.nw_src().into()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_rule_it_is_is_known_again() {
        let subjects = ["10.1.2.3", "fe80::1:2"].map(|text| Subject::SrcIp(text.parse().unwrap()));
        for given in subjects.into_iter().chain([Subject::SrcMac(MacAddress(0x0200_0000_0009))]) {
            for (key, mask) in patterns(5, given) {
                assert_eq!((subject(&key, &mask), key.in_port, key & mask), (Some(given), 5, key));
            }
        }
    }
}
