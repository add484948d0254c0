// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a running device answers. All of it comes from what the slow path knows: the device itself is not asked, so that it neither counts nor
//! lets time pass.

use super::frame;
use super::record::{DeviceRecord, Item, RuleRecord, TableRecord};
use crate::control::Reply;
use crate::error::{BadInput, BadInputExt};
use crate::port_name;
use anyhow::Result;
use millrace_firmware::slowpath::SlowPath;
use millrace_regs::config::MIN_FRAME;

/// Rules in one part of an answer.
const BATCH: usize = 1024;

/// A part of the answer: the device and its first rules, or those from a number on.
pub fn answer(slow_path: &SlowPath, port: &str, frame: &str, from: u32) -> Result<Reply> {
    let mut items = vec![];
    if from == 0 {
        items.push(Item::Device(Box::new(device(slow_path, port, frame)?)));
    }
    let mut rules = slow_path.rules().iter_from(from as u16);
    items.extend(rules.by_ref().take(BATCH).map(|rule| Item::Rule(RuleRecord::from(&rule))));
    let next = rules.next().map(|rule| rule.id.number().into());
    let items = items.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(Reply::Items { items, next })
}

fn device(slow_path: &SlowPath, port: &str, frame: &str) -> Result<DeviceRecord, BadInput> {
    let rules = slow_path.rules();
    let config = *rules.config();
    let vport = port_name::vport(&config, port)?;
    let frame = frame::from_hex(frame).bad_input()?;
    let is_frame = (MIN_FRAME..=config.max_frame).contains(&frame.len());
    let key = is_frame.then(|| millrace_model::parse(vport as u8, &frame)).filter(|parsed| !parsed.punt);
    let matching = key.map_or_else(Vec::new, |parsed| {
        let matching = rules.iter().filter(|rule| parsed.key & rule.mask == rule.key);
        matching.map(|rule| RuleRecord::from(&rule)).collect()
    });
    Ok(DeviceRecord {
        config,
        vport,
        tables: rules.tables().map(|table| TableRecord::from(&table)).collect(),
        tcam_rules: rules.tcam_load().0,
        matching,
        slow_path: is_frame.then(|| slow_path.explain(vport as u8, &frame)),
    })
}
