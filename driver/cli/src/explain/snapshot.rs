// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device's rules at the moment at which it was asked about a frame.

use super::record::{DeviceRecord, Item};
use anyhow::{Context, Result, bail};
use millrace_driver::{Place, RuleInfo, TableInfo};
use millrace_firmware::slowpath::Explained;
use millrace_model::{Holder, Model, Rule, parse};
use millrace_regs::config::{Config, MIN_FRAME, Preset};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the tables of a device hold. The rules that match the frame are those of one moment, and so are the masks; the device goes on while it lists the
/// others, and one that came or moved meanwhile is left out: it has no part in what becomes of the frame.
pub struct Snapshot {
    pub config: Config,
    pub vport: usize,
    pub tables: Vec<TableInfo>,
    pub tcam_rules: usize,
    pub matching: Vec<RuleInfo>,
    pub others: Vec<RuleInfo>,
    pub slow_path: Option<Explained>,
}

impl Snapshot {
    /// From the answer of a device about this frame.
    pub fn new(answer: Value, frame: &[u8]) -> Result<Self> {
        let items: Vec<Item> = serde_json::from_value(answer).context("the device's answer makes no sense")?;
        let mut items = items.into_iter();
        let Some(Item::Device(device)) = items.next() else { bail!("the device's answer makes no sense") };
        let DeviceRecord { config, vport, tables, tcam_rules, matching, slow_path } = *device;
        let tables = tables.iter().map(|table| table.info()).collect::<Result<Vec<_>>>()?;
        let matching = matching.iter().map(|rule| rule.info()).collect::<Result<Vec<_>>>()?;
        let mut snapshot = Self { config, vport, tables, tcam_rules, matching, others: vec![], slow_path };
        let mut listed = vec![];
        for item in items {
            let Item::Rule(rule) = item else { bail!("the device's answer makes no sense") };
            listed.push(rule.info()?);
        }
        snapshot.take_others(listed, frame);
        Ok(snapshot)
    }

    /// Takes the rules that do not match, and that lie where they can have been at the moment of the others.
    fn take_others(&mut self, listed: Vec<RuleInfo>, frame: &[u8]) {
        let parsed = (frame.len() >= MIN_FRAME).then(|| parse(self.vport as u8, frame));
        let key = parsed.filter(|parsed| !parsed.punt).map(|parsed| parsed.key);
        let mut ids: BTreeSet<u16> = self.matching.iter().map(|rule| rule.id.number()).collect();
        let mut places: BTreeSet<_> = self.matching.iter().map(|rule| order(rule.place)).collect();
        for rule in listed {
            // One of those that match, or that would have been.
            let matches = key.is_some_and(|key| key & rule.mask == rule.key);
            let has_mask = match rule.place {
                Place::Hash { table, .. } => {
                    self.tables.iter().any(|own| own.table == table && own.mask == Some(rule.mask))
                }
                Place::Tcam { .. } => true,
            };
            let number = rule.id.number();
            if has_mask && !matches && !ids.contains(&number) && places.insert(order(rule.place)) {
                ids.insert(number);
                self.others.push(rule);
            }
        }
    }

    /// All rules, those that match first.
    pub fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        self.matching.iter().chain(&self.others)
    }

    /// The build, if it is one that has a name.
    pub fn preset(&self) -> Option<Preset> {
        Preset::every().find(|preset| preset.config().registers() == self.config.registers())
    }

    /// The reference model of the device.
    pub fn model(&self) -> Model {
        let mut model = Model::new(&self.config);
        for rule in self.rules() {
            let RuleInfo { id, key, mask, priority, place, ref program } = *rule;
            model.insert(
                id.number().into(),
                Rule { key, mask, priority, holder: holder(place), program: program.clone() },
            );
        }
        model
    }
}

/// The model's name of a place.
fn holder(place: Place) -> Holder {
    match place {
        Place::Hash { table, .. } => Holder::Hash(table.into()),
        Place::Tcam { entry } => Holder::Tcam(entry as usize),
    }
}

/// Tells places apart.
fn order(place: Place) -> (u16, u32) {
    match place {
        Place::Hash { table, slot } => (table.into(), slot),
        Place::Tcam { entry } => (u16::MAX, entry),
    }
}
