// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a device says of itself to whoever explains a frame: lines of its answer.

use anyhow::{Context, Result};
use millrace_driver::{Place, RuleId, RuleInfo, TableInfo};
use millrace_firmware::slowpath::Explained;
use millrace_regs::config::Config;
use millrace_regs::{Key, Mask, Step};
use serde::{Deserialize, Serialize};

/// An item of the answer: first the device, then rules.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    Device(Box<DeviceRecord>),
    Rule(RuleRecord),
}

/// The device at one moment, as far as it decides what becomes of the frame.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeviceRecord {
    pub config: Config,
    /// Number of the port that the frame comes in on.
    pub vport: usize,
    pub tables: Vec<TableRecord>,
    /// Rules in the TCAM.
    pub tcam_rules: usize,
    /// The rules that match the frame, whole.
    pub matching: Vec<RuleRecord>,
    /// What the flow tables would do; none for a frame that does not get to the slow path.
    pub slow_path: Option<Explained>,
}

/// A hash table.
#[derive(Debug, Serialize, Deserialize)]
pub struct TableRecord {
    pub table: u8,
    /// Words of its mask; none if it holds no rule.
    pub mask: Option<Vec<u32>>,
    pub seed: u32,
    pub rules: usize,
    pub capacity: usize,
}

/// A rule and where it lies.
#[derive(Debug, Serialize, Deserialize)]
pub struct RuleRecord {
    pub id: u16,
    pub priority: u16,
    pub place: PlaceRecord,
    pub key: Vec<u32>,
    pub mask: Vec<u32>,
    pub program: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceRecord {
    HashTable { table: u8, slot: u32 },
    Tcam { entry: u32 },
}

impl From<&TableInfo> for TableRecord {
    fn from(info: &TableInfo) -> Self {
        let TableInfo { table, mask, seed, rules, capacity } = *info;
        Self { table, mask: mask.map(|mask| mask.pack().into()), seed, rules, capacity }
    }
}

impl TableRecord {
    pub fn info(&self) -> Result<TableInfo> {
        let Self { table, seed, rules, capacity, .. } = *self;
        let mask = self.mask.as_deref().map(words).transpose()?.map(|words| Mask::unpack(&words));
        Ok(TableInfo { table, mask, seed, rules, capacity })
    }
}

impl From<&RuleInfo> for RuleRecord {
    fn from(rule: &RuleInfo) -> Self {
        let place = match rule.place {
            Place::Hash { table, slot } => PlaceRecord::HashTable { table, slot },
            Place::Tcam { entry } => PlaceRecord::Tcam { entry },
        };
        Self {
            id: rule.id.number(),
            priority: rule.priority,
            place,
            key: rule.key.pack().into(),
            mask: rule.mask.pack().into(),
            program: rule.program.iter().map(|step| step.pack().into()).collect(),
        }
    }
}

impl RuleRecord {
    pub fn info(&self) -> Result<RuleInfo> {
        let place = match self.place {
            PlaceRecord::HashTable { table, slot } => Place::Hash { table, slot },
            PlaceRecord::Tcam { entry } => Place::Tcam { entry },
        };
        let steps = self.program.iter().map(|step| Ok(Step::unpack(&words(step)?)));
        Ok(RuleInfo {
            id: RuleId::from_bits(1 << 63 | u64::from(self.id)).context("a rule without a number")?,
            key: Key::unpack(&words(&self.key)?),
            mask: Mask::unpack(&words(&self.mask)?),
            priority: self.priority,
            place,
            program: steps.collect::<Result<_>>()?,
        })
    }
}

/// As many words as there are to be.
fn words<const N: usize>(words: &[u32]) -> Result<[u32; N]> {
    words.try_into().context("the device is of another version of this command")
}
