// SPDX-License-Identifier: MIT OR Apache-2.0
//! Groups: each bucket is carried out on a copy of the packet.

use super::actions::is_ip;
use super::trace::Kind;
use super::{Frame, List, MAX_DEPTH, Xlate, XlateError};
use crate::openflow::group::{Bucket, Group, GroupKind, HashFields};
use crate::openflow::{Field, Prereq, Slot, slot};
use rustc_hash::FxHasher;
use std::hash::Hasher;

/// The fields of which a hash that is the same in both directions takes the sum.
pub(super) const SYMMETRIC: [[Slot; 2]; 4] = [
    [slot::DL_SRC, slot::DL_DST],
    [slot::NW_SRC, slot::NW_DST],
    [slot::IPV6_SRC, slot::IPV6_DST],
    [slot::TP_SRC, slot::TP_DST],
];

impl<'a> Xlate<'a> {
    pub(super) fn bucket(&self, group: u32, bucket: u32) -> &'a Bucket {
        &self.pipeline.groups().at(group as usize).buckets[bucket as usize]
    }

    /// `group:N`. A group that is not there does nothing, and nothing follows in this list.
    pub(super) fn group(&mut self, id: u32) {
        let frame = *self.frames.last().expect("an action belongs to a list");
        if frame.depth >= MAX_DEPTH {
            self.out.error = Some(XlateError::TooDeep);
            return;
        }
        let Some(place) = self.pipeline.groups().find(id) else {
            self.tell(Kind::Warning, |_| format!("there is no group {id}"));
            self.leave();
            return;
        };
        let group = self.pipeline.groups().at(place);
        let chosen = match &group.kind {
            GroupKind::All => {
                let end = group.buckets.len() as u32;
                self.frames.push(Frame { list: List::Buckets(place as u32), next: 0, end, clone: false, ..frame });
                return;
            }
            GroupKind::Indirect => (!group.buckets.is_empty()).then_some(0),
            GroupKind::FastFailover => group.buckets.iter().position(|bucket| bucket.is_live),
            GroupKind::Select(fields) => {
                let hash = self.hash(fields);
                select(group, hash)
            }
        };
        match chosen {
            Some(bucket) => self.enter_bucket(place as u32, bucket as u32),
            None => self.tell(Kind::Detail, |_| "no live bucket".into()),
        }
    }

    /// Goes on with a bucket.
    pub(super) fn enter_bucket(&mut self, group: u32, bucket: u32) {
        let frame = *self.frames.last().expect("a group belongs to a list");
        self.save();
        let chosen = self.bucket(group, bucket);
        let node = self.tell_bucket(chosen.id);
        let end = chosen.actions.len() as u32;
        let (list, depth) = (List::Bucket(group, bucket), frame.depth + 1);
        self.frames.push(Frame { list, next: 0, end, depth, clone: true, node, ..frame });
    }

    /// Leaves the innermost bucket, if there is one, with all lists in it: neither `exit` nor an error reaches further.
    pub(super) fn leave_bucket(&mut self) -> bool {
        let is_bucket = |frame: &Frame| matches!(frame.list, List::Bucket(..));
        let Some(place) = self.frames.iter().rposition(is_bucket) else { return false };
        while self.frames.len() > place {
            self.leave();
        }
        self.out.error = None;
        true
    }

    /// A hash of fields of the packet, as edited so far.
    fn hash(&mut self, fields: &HashFields) -> u32 {
        let mut hasher = FxHasher::default();
        match fields {
            HashFields::Symmetric => self.hash_both_ways(&mut hasher),
            HashFields::Of(fields) => {
                for (field, mask) in fields {
                    hasher.write_u128(self.hashed(*field, *mask));
                }
            }
        }
        // Its upper bits are the good ones, and are mixed once more.
        (hasher.finish().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }

    /// Bits of a field; 0 of one that the packet does not have.
    fn hashed(&mut self, field: Field, mask: u128) -> u128 {
        let info = field.info();
        if !self.has(info.prereq) { 0 } else { self.read(info.slot, mask & info.slot.ones()) }
    }

    fn hash_both_ways(&mut self, hasher: &mut FxHasher) {
        let ip = is_ip(self.key.dl_type());
        hasher.write_u16(self.key.dl_type());
        if ip {
            hasher.write_u128(self.read(slot::NW_PROTO, 0xff));
        }
        let ports = [Prereq::Tcp, Prereq::Udp, Prereq::Sctp].into_iter().any(|protocol| ip && self.has(protocol));
        for [from, to] in SYMMETRIC {
            if (from == slot::TP_SRC && !ports) || (!ip && from != slot::DL_SRC) {
                continue;
            }
            let sum = self.read(from, from.ones()) ^ self.read(to, to.ones());
            hasher.write_u128(sum);
        }
    }
}

/// The bucket for a hash: of those that are live each has a share of all hashes as its weight says.
fn select(group: &Group, hash: u32) -> Option<usize> {
    let weight = |bucket: &Bucket| if bucket.is_live { u64::from(bucket.weight) } else { 0 };
    let total: u64 = group.buckets.iter().map(weight).sum();
    let mut at = (u64::from(hash) * total) >> 32;
    group.buckets.iter().position(|bucket| match at.checked_sub(weight(bucket)) {
        Some(rest) => {
            at = rest;
            false
        }
        None => true,
    })
}
