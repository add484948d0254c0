// SPDX-License-Identifier: MIT OR Apache-2.0
//! Handing megaflows over to the hardware: when, where, and which others have to go for them.

use super::cache::{FlowId, Home, Megaflow, Wanted};
use super::core::Core;
use super::offload::{Offload, Tables};
use super::refusal::Refusal;
use crate::compile::{Program, Software, hardware_key};
use millrace_driver::{Count, Place, RuleId};
use millrace_regs::{Key, Mask};
use smallvec::SmallVec;
use std::hash::Hash;

/// A megaflow is handed over when no packet of it came for this time: those that came before have left then. More than a packet takes
/// from its lookup to the slow path.
const QUIET_NS: u64 = 1_000;
/// Longest wait, whatever comes.
const PATIENCE_NS: u64 = 1_000_000;
/// Megaflows looked at in search of one that has become quiet.
const QUIET_SAMPLE: usize = 64;
/// Megaflows whose wait is over that are handed over in one turn.
const OVERDUE: usize = 16;
/// A rule that was hit within this time does not have to make room for another.
const BUSY_NS: u64 = 1_000_000;
/// After this time a megaflow that was seen again, and refused all the same, is offered again.
const RETRY_NS: u64 = 1_000_000;
/// Megaflows looked at in search of one that is not in use.
const EVICTION_SAMPLE: usize = 64;

/// A megaflow that is offered to the hardware.
struct Candidate {
    id: FlowId,
    /// The key of one of its packets, whole.
    key: Key,
    mask: Mask,
    program: Program,
    /// It was seen more than once.
    again: bool,
    /// It goes also while upcalls are waiting.
    hurry: bool,
}

/// Where a megaflow was put.
enum Placed<R> {
    /// It is there already, under this number.
    Known(FlowId),
    /// In the hardware under this mask.
    Hardware(R, Mask),
}

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Megaflows that wait to be handed over.
    pub fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// No megaflow waits to be handed over any more.
    pub fn stop_handing_over(&mut self) {
        self.hands_over = false;
        self.deferred.clear();
    }

    /// A megaflow waits to be handed over.
    pub(super) fn defer(&mut self, id: FlowId, now: u64) {
        if !self.hands_over {
            return;
        }
        if self.deferred.is_empty() {
            self.quiet_at = now + QUIET_NS;
        }
        self.deferred.push_back((id, now));
    }

    /// Hands over megaflows whose time has come; returns how many left the queue. `calm`: all packets that came to the slow path have
    /// gone into the pipeline again.
    pub fn hand_over(&mut self, offload: &mut impl Offload<Rule = R>, calm: bool, now: u64) -> usize {
        let mut handed = 0;
        while handed < OVERDUE
            && let Some((id, since)) =
                self.deferred.pop_front_if(|(_, since)| now.saturating_sub(*since) >= PATIENCE_NS)
        {
            handed += 1;
            let quiet = calm && self.quiet_since(id, since).is_none_or(|used| used + QUIET_NS <= now);
            self.stats.in_haste += u64::from(!quiet);
            self.offer(offload, id, since, true, now);
        }
        if handed > 0 || !calm || now < self.quiet_at {
            return handed;
        }
        // One at a time: packets that come meanwhile leave before the next.
        let Some(n) = self.next_quiet(now) else {
            return 0;
        };
        if let Some((id, since)) = self.deferred.remove(n) {
            self.offer(offload, id, since, false, now);
        }
        1
    }

    /// Hands over all megaflows that wait.
    pub(super) fn hand_over_all(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        while let Some((id, since)) = self.deferred.pop_front() {
            self.offer(offload, id, since, true, now);
        }
    }

    /// The time of a waiting megaflow's last packet; none if it does not wait any more.
    fn quiet_since(&self, id: FlowId, since: u64) -> Option<u64> {
        self.cache.get(id).filter(|m| m.home == Home::Deferred(since)).map(|m| m.used)
    }

    /// A place in the queue whose megaflow is quiet, or gone. If there is none, notes when there may be.
    fn next_quiet(&mut self, now: u64) -> Option<usize> {
        let mut next = u64::MAX;
        for (n, &(id, since)) in self.deferred.iter().take(QUIET_SAMPLE).enumerate() {
            let quiet_at = self.quiet_since(id, since).map_or(0, |used| used + QUIET_NS);
            if quiet_at <= now {
                return Some(n);
            }
            next = next.min(quiet_at);
        }
        self.quiet_at = next;
        None
    }

    /// Offers a megaflow that waited to the hardware; unless in a `hurry`, only if no upcall comes meanwhile.
    fn offer(&mut self, offload: &mut impl Offload<Rule = R>, id: FlowId, since: u64, hurry: bool, now: u64) {
        let Some(megaflow) = self.cache.get(id).filter(|m| m.home == Home::Deferred(since)) else {
            return;
        };
        let new = Candidate {
            id,
            key: hardware_key(&megaflow.packet),
            mask: megaflow.hw_mask,
            program: megaflow.program.clone(),
            again: megaflow.count.packets > 0,
            hurry,
        };
        match self.put(offload, &new, now) {
            Ok(Placed::Hardware(rule, placed)) => self.move_in(id, rule, new.key, placed, now),
            Ok(Placed::Known(other)) => self.merge(id, other),
            Err(Refusal::HeldBack) => self.deferred.push_front((id, since)),
            // Seen again, it may push out another.
            Err(refusal) if !new.again => self.refused(id, refusal, now),
            Err(refusal) => self.refused(id, refusal, now + RETRY_NS),
        }
    }

    /// Finds a place in the hardware. A megaflow that was seen once does not push out another.
    fn put(&mut self, offload: &mut impl Offload<Rule = R>, new: &Candidate, now: u64) -> Result<Placed<R>, Refusal> {
        let refusal = match self.try_put(offload, new) {
            Err(refusal) if new.again => refusal,
            result => return result,
        };
        let wanted = match refusal {
            Refusal::NoRoom => Wanted::Room(new.mask),
            Refusal::NoRuleId => Wanted::RuleId,
            // No other rule's leaving helps.
            Refusal::RuleIdsRest | Refusal::NoSteps | Refusal::TooLong => return Err(refusal),
            Refusal::HeldBack | Refusal::Failed => return Err(refusal),
        };
        if self.evict(offload, wanted, now) { self.try_put(offload, new) } else { Err(refusal) }
    }

    fn try_put(&mut self, offload: &mut impl Offload<Rule = R>, new: &Candidate) -> Result<Placed<R>, Refusal> {
        let choice = offload.place(&new.mask)?;
        let placed = choice.mask;
        let key = new.key & placed;
        if let Some(other) = self.cache.find(&key, &placed).filter(|other| *other != new.id) {
            return Ok(Placed::Known(other));
        }
        let rule = offload.insert(&new.key, &choice, &new.program, new.hurry)?;
        self.stats.installed += 1;
        self.stats.narrowed += u64::from(placed != new.mask);
        Ok(Placed::Hardware(rule, placed))
    }

    /// A megaflow is in the hardware now, under its own mask or a narrower one.
    fn move_in(&mut self, id: FlowId, rule: R, key: Key, placed: Mask, now: u64) {
        let settle = |m: &mut Megaflow<R>| {
            m.home = Home::Hardware(rule);
            m.hw_count = Count::default();
            // Later than all that rules which were taken out before have counted.
            m.asked_at = now + 1;
        };
        if self.cache.get(id).is_some_and(|m| m.hw_mask == placed) {
            self.cache.refresh(id, settle);
        } else if let Some(mut megaflow) = self.cache.remove(id) {
            settle(&mut megaflow);
            (megaflow.hw_key, megaflow.hw_mask) = (key & placed, placed);
            self.cache.insert(*megaflow);
        }
    }

    /// A megaflow turns out to be in another one, which was narrowed.
    fn merge(&mut self, id: FlowId, other: FlowId) {
        let Some(gone) = self.cache.remove(id) else {
            return;
        };
        if let Some(other) = self.cache.get_mut(other) {
            // The packet that it was made for is one more of the other's.
            let packets = gone.count.packets + 1;
            self.stats.overtaken += packets;
            other.count.packets += packets;
            other.count.bytes += gone.count.bytes + gone.made_for;
            other.used = other.used.max(gone.used);
        }
    }

    /// A megaflow stays in software, for good or until this time.
    fn refused(&mut self, id: FlowId, refusal: Refusal, retry: u64) {
        match refusal {
            Refusal::NoRoom => self.stats.no_room += 1,
            Refusal::NoRuleId | Refusal::RuleIdsRest => self.stats.no_rule_id += 1,
            Refusal::NoSteps => self.stats.no_steps += 1,
            Refusal::TooLong => self.stats.too_long += 1,
            // The device's error ends the slow path's turn.
            Refusal::HeldBack | Refusal::Failed => {}
        }
        let home =
            if refusal.may_pass() { Home::Refused(refusal, retry) } else { Home::Software(Software::ProgramTooLong) };
        self.cache.refresh(id, |m| m.home = home);
    }

    /// Removes a megaflow that is not in use and whose leaving helps. False if none was found.
    pub(super) fn evict(&mut self, offload: &mut impl Offload<Rule = R>, wanted: Wanted, now: u64) -> bool {
        let cache = matches!(wanted, Wanted::Cache);
        if !cache && now < self.evict_again {
            return false;
        }
        // What is known of their use may be old.
        for id in self.least_used(wanted).into_iter().take(4) {
            self.sync_if_older(offload, id, now.saturating_sub(BUSY_NS), now);
            if self.cache.get(id).is_some_and(|m| cache || m.used + BUSY_NS <= now) {
                self.remove(offload, id, now);
                self.stats.evicted += 1;
                return true;
            }
        }
        // All are likely to be in use.
        self.evict_again = now + BUSY_NS;
        false
    }

    /// Of a sample of megaflows whose leaving helps, those that were used longest ago first.
    fn least_used(&mut self, wanted: Wanted) -> SmallVec<[FlowId; EVICTION_SAMPLE]> {
        let slots = self.cache.capacity();
        let mut sample: SmallVec<[(u64, FlowId); EVICTION_SAMPLE]> = SmallVec::new();
        for step in 0..slots {
            let id = ((self.evict_hand + step) % slots) as FlowId;
            if let Some(m) = self.cache.get(id).filter(|m| m.helps(wanted)) {
                sample.push((m.used, id));
            }
            if sample.len() == EVICTION_SAMPLE || step == 16 * EVICTION_SAMPLE {
                self.evict_hand = id as usize + 1;
                break;
            }
        }
        sample.sort_unstable();
        sample.into_iter().map(|(_, id)| id).collect()
    }
}

impl Core<RuleId> {
    /// Removes the megaflow that a rule is of. False if there is none.
    pub(super) fn remove_rule(&mut self, tables: &mut Tables<'_>, rule: RuleId, now: u64) -> bool {
        let found = self.cache.iter().find(|(_, m)| m.home == Home::Hardware(rule)).map(|(id, _)| id);
        found.map(|id| self.remove(tables, id, now)).is_some()
    }

    /// Removes the megaflow that was used longest ago of those whose rules are in such places, be it in use. False if there is none.
    pub(super) fn remove_least_used(
        &mut self,
        tables: &mut Tables<'_>,
        helps: impl Fn(Place) -> bool,
        now: u64,
    ) -> bool {
        let place = |m: &Megaflow<RuleId>| match m.home {
            Home::Hardware(rule) => tables.rules.place(rule).ok(),
            _ => None,
        };
        let there = self.cache.iter().filter(|(_, m)| place(m).is_some_and(&helps));
        let found = there.min_by_key(|(_, m)| m.used).map(|(id, _)| id);
        self.stats.evicted += u64::from(found.is_some());
        found.map(|id| self.remove(tables, id, now)).is_some()
    }
}
