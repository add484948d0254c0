// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path's view of the rule tables: megaflows go in under their own mask, or under a narrower one that a table has.

use super::refusal::Refusal;
use millrace_driver::{Choice, Count, Device, DeviceError, RuleError, RuleId, RuleSpec, Rules};
use millrace_regs::{Key, Mask, Step};

/// Priority of every megaflow's rule. Megaflows that overlap agree on what to do, so that it does not matter which one a packet hits.
pub(super) const PRIORITY: u16 = 1;

/// Where megaflows are handed over to.
pub trait Offload {
    /// Names a rule that was taken.
    type Rule: Copy + Eq + std::hash::Hash + std::fmt::Debug;

    /// The mask under which a megaflow with this mask would be taken: its own, or one that looks at more; and where.
    ///
    /// # Errors
    /// If no table has room for such a mask, or the device failed.
    fn place(&mut self, mask: &Mask) -> Result<Choice, Refusal>;

    /// Takes a rule, as [`place`](Self::place) said; `key` is that of one of its packets, whole. `hurry`: also if an upcall is waiting, which may be of its flow.
    ///
    /// # Errors
    /// If it cannot be taken, or not yet; all rules are as they were.
    fn insert(&mut self, key: &Key, choice: &Choice, program: &[Step], hurry: bool) -> Result<Self::Rule, Refusal>;

    /// Gives a rule another program.
    ///
    /// # Errors
    /// If that cannot be done; the rule is as it was.
    fn update(&mut self, rule: Self::Rule, program: &[Step]) -> Result<(), Refusal>;

    /// Takes a rule out. Packets that were matched before may still count for it.
    fn remove(&mut self, rule: Self::Rule);

    /// The rules that were taken out and for which no packet can count any more, each once, with all that they have counted.
    fn last_counts(&mut self) -> Vec<(Self::Rule, Count)>;

    /// What a rule has counted so far.
    fn hits(&mut self, rule: Self::Rule) -> Hits;
}

/// What a rule has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// Packets and bytes since the rule was inserted.
    pub count: Count,
    /// Epoch of the last packet.
    pub epoch: Option<u32>,
}

/// The rule tables of a device. A failure of the device is kept in `error`; from then on nothing is taken.
pub struct Tables<'a> {
    /// The rule manager.
    pub rules: &'a mut Rules,
    /// The device.
    pub device: &'a mut dyn Device,
    /// Looks at every bit that a megaflow of the present flow tables can look at: any of them fits under it.
    pub widest: Mask,
    /// The first failure.
    pub error: Option<DeviceError>,
}

impl Tables<'_> {
    fn note(&mut self, error: RuleError) -> Refusal {
        let refusal = Refusal::from(&error);
        match error {
            RuleError::Device(error) => {
                tracing::error!("the device failed: {error}");
                self.error.get_or_insert(error);
            }
            error => tracing::debug!("rule refused: {error}"),
        }
        refusal
    }
}

impl Offload for Tables<'_> {
    type Rule = RuleId;

    fn place(&mut self, mask: &Mask) -> Result<Choice, Refusal> {
        if self.error.is_some() {
            return Err(Refusal::Failed);
        }
        self.rules.choose(mask, &self.widest).ok_or(Refusal::NoRoom)
    }

    fn insert(&mut self, key: &Key, choice: &Choice, program: &[Step], hurry: bool) -> Result<RuleId, Refusal> {
        let Choice { mask, placement } = *choice;
        let spec = RuleSpec { key: *key, mask, priority: PRIORITY, placement };
        let agrees = |device: &dyn Device| hurry || !device.upcall_waiting();
        self.rules.insert_if(self.device, &spec, program, agrees).map_err(|error| self.note(error))
    }

    fn update(&mut self, rule: RuleId, program: &[Step]) -> Result<(), Refusal> {
        self.rules.update(self.device, rule, program).map_err(|error| self.note(error))
    }

    fn remove(&mut self, rule: RuleId) {
        if let Err(error) = self.rules.delete(self.device, rule) {
            self.note(error);
        }
    }

    fn last_counts(&mut self) -> Vec<(RuleId, Count)> {
        if let Err(error) = self.rules.settle(self.device) {
            self.note(error.into());
        }
        self.rules.last_counts().collect()
    }

    fn hits(&mut self, rule: RuleId) -> Hits {
        match self.rules.counters(self.device, rule) {
            Ok(c) => Hits { count: Count { packets: c.packets, bytes: c.bytes }, epoch: c.epoch },
            Err(error) => {
                self.note(error);
                Hits::default()
            }
        }
    }
}
