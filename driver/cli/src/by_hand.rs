// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace rules add`, `del` and `list`, at both ends of the control socket.

use crate::dpu::Dpu;
use crate::error::{BadInput, BadInputExt};
use crate::flow_rule;
use anyhow::Result;
use millrace_driver::{Device, RuleError};
use millrace_firmware::openflow::Ports;
use millrace_firmware::slowpath::{RuleByHand, actions, matches};
use serde::{Deserialize, Serialize};

/// A rule that was put in by hand.
#[derive(Debug, Serialize, Deserialize)]
pub struct RuleShown {
    pub rule: u16,
    pub priority: u16,
    /// As megaflows are shown.
    pub matches: String,
    pub packets: u64,
    pub bytes: u64,
    pub actions: String,
    pub place: String,
}

impl RuleShown {
    fn new(by_hand: &RuleByHand, ports: &Ports) -> Self {
        let RuleByHand { rule, level, place, counters } = by_hand;
        Self {
            rule: rule.id.number(),
            priority: *level,
            matches: matches(&rule.key, &rule.mask, ports),
            packets: counters.packets,
            bytes: counters.bytes,
            actions: actions(&rule.program, &rule.key, ports),
            place: place.clone(),
        }
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let Self { rule, priority, matches, packets, bytes, actions, place } = self;
        format!(
            "{rule}: priority:{priority}, {matches}, packets:{packets}, bytes:{bytes}, actions:{actions}, dp-extra-info:{place}\n"
        )
    }
}

/// Puts a rule in; it is answered with its number.
pub fn add<D: Device>(dpu: &mut Dpu<D>, words: &[String]) -> Result<u16> {
    let rule = flow_rule::parse(words, dpu.config()).bad_input()?;
    let (device, slow_path) = dpu.parts();
    let added = slow_path.add_by_hand(device, &rule.key, &rule.mask, rule.priority, &rule.program);
    added.map(|id| id.number()).map_err(|error| match error {
        RuleError::Device(error) => error.into(),
        error => BadInput(format!("RTE_FLOW_ERROR_TYPE_HANDLE: the rule: {error}")).into(),
    })
}

/// Takes a rule out.
pub fn delete<D: Device>(dpu: &mut Dpu<D>, rule: u16) -> Result<()> {
    let (device, slow_path) = dpu.parts();
    match slow_path.delete_by_hand(device, rule)? {
        Some(_) => Ok(()),
        None => {
            Err(BadInput(format!("there is no rule {rule} that was put in by hand: see `millrace rules list`")).into())
        }
    }
}

/// The rules that were put in.
pub fn list<D: Device>(dpu: &mut Dpu<D>) -> Result<Vec<RuleShown>> {
    let config = *dpu.config();
    let ports = Ports::new(config.vports() as u16, config.uplinks as u16);
    let (device, slow_path) = dpu.parts();
    let rules = slow_path.rules_by_hand(device)?;
    Ok(rules.iter().map(|rule| RuleShown::new(rule, &ports)).collect())
}
