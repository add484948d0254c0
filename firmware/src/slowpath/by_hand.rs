// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that somebody puts into the hardware beside the flow tables. They go before all megaflows, are never evicted, and stay when the slow path
//! starts again: their priority tells them from what the slow path has made.

use super::blocks::BLOCKING;
use super::core::Core;
use super::offload::{Offload, PRIORITY, Tables};
use super::{SlowPath, place};
use millrace_driver::{
    Device, DeviceError, Found, Placement, RuleCounters, RuleError, RuleId, RuleInfo, RuleSpec, Rules,
};
use millrace_regs::{Key, Mask, Step};

/// Levels of priority: 0 goes first, as in rte_flow.
pub const LEVELS: u16 = BLOCKING - 1 - PRIORITY;

/// A rule by hand, with its counters.
#[derive(Clone, Debug)]
pub struct RuleByHand {
    /// The rule.
    pub rule: RuleInfo,
    /// Its level of priority.
    pub level: u16,
    /// Where it is, as dumps have it.
    pub place: String,
    /// What it has counted.
    pub counters: RuleCounters,
}

/// The hardware's priority of a level.
fn priority(level: u16) -> u16 {
    BLOCKING - 1 - level
}

/// Whether a rule of this priority was made by hand.
fn is_by_hand(priority: u16) -> bool {
    priority > PRIORITY && priority < BLOCKING
}

/// Takes those out of the rules that an earlier slow path left.
pub(super) fn set_aside(found: Vec<Found>) -> Vec<Found> {
    found.into_iter().filter(|found| !is_by_hand(found.rule.priority)).collect()
}

impl SlowPath {
    /// Puts a rule into the hardware: into the TCAM, which no mask takes a table of, or if that is full into a hash table. A megaflow of the same packets
    /// makes way; no other does.
    ///
    /// # Errors
    /// As [`Rules::insert`]; `level` is below [`LEVELS`].
    pub fn add_by_hand(
        &mut self,
        device: &mut dyn Device,
        key: &Key,
        mask: &Mask,
        level: u16,
        program: &[Step],
    ) -> Result<RuleId, RuleError> {
        let now = device.now();
        self.with_tables(device, |core, tables| {
            let spec = |placement| RuleSpec { key: *key, mask: *mask, priority: priority(level), placement };
            match insert(core, tables, &spec(Placement::Tcam), program, now) {
                Err(error) if error.is_full() => insert(core, tables, &spec(Placement::Hash), program, now),
                inserted => inserted,
            }
        })?
    }

    /// Takes a rule out that was made by hand; none if there is none of this number.
    ///
    /// # Errors
    /// If the device fails.
    pub fn delete_by_hand(&mut self, device: &mut dyn Device, number: u16) -> Result<Option<RuleInfo>, DeviceError> {
        let Some(rule) = by_hand(&self.rules).find(|rule| rule.id.number() == number) else { return Ok(None) };
        self.with_tables(device, |_, tables| tables.remove(rule.id))?;
        Ok(Some(rule))
    }

    /// All rules that were made by hand, those that go first in front, with counters of this moment.
    ///
    /// # Errors
    /// If the device fails.
    pub fn rules_by_hand(&mut self, device: &mut dyn Device) -> Result<Vec<RuleByHand>, RuleError> {
        let mut rules: Vec<RuleInfo> = by_hand(&self.rules).collect();
        rules.sort_by_key(|rule| (priority(rule.priority), rule.id.number()));
        let mut shown = vec![];
        for rule in rules {
            let counters = self.rules.counters(device, rule.id)?;
            let (level, place) = (priority(rule.priority), place(&self.rules, rule.id));
            shown.push(RuleByHand { rule, level, place, counters });
        }
        Ok(shown)
    }
}

fn by_hand(rules: &Rules) -> impl Iterator<Item = RuleInfo> {
    rules.iter().filter(|rule| is_by_hand(rule.priority))
}

fn insert(
    core: &mut Core<RuleId>,
    tables: &mut Tables<'_>,
    spec: &RuleSpec,
    program: &[Step],
    now: u64,
) -> Result<RuleId, RuleError> {
    match tables.rules.insert(tables.device, spec, program) {
        // A megaflow of the same packets, for which this rule is from now on.
        Err(RuleError::Duplicate(rule)) if core.remove_rule(tables, rule, now) => {
            tables.rules.insert(tables.device, spec, program)
        }
        inserted => inserted,
    }
}
