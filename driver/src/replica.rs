// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device whose tables hold, place by place, what those of another hold: what one does with a frame the other does.

use crate::commands::Staging;
use crate::counters::{self, Count, Verdicts};
use crate::discover::lengths;
use crate::{Device, DeviceError, Place, RuleInfo, TableInfo, discover};
use millrace_regs::config::Config;
use millrace_regs::{Command, Step};

/// Why a device does not get the tables of another.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// Its build is another.
    #[error("the tables are those of a device of another build")]
    OtherBuild,
    /// Programs of the rules have more continuation steps than there are.
    #[error("the programs of the rules have more than the {0} continuation steps that there are")]
    Steps(usize),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A device that has the tables of another. Nobody else uses its command interface meanwhile.
pub struct Replica {
    staging: Staging,
    /// Continuation steps in use: the first so many.
    steps: usize,
    config: Config,
}

impl Replica {
    /// A device whose tables are empty, of the build that `config` tells of.
    ///
    /// # Errors
    /// If it is another build, or the device cannot be reached.
    pub fn new(device: &mut dyn Device, config: &Config) -> Result<Self, ReplicaError> {
        let own = discover(device)?;
        if own.registers() != config.registers() {
            return Err(ReplicaError::OtherBuild);
        }
        Ok(Self { staging: Staging::new(lengths(device, &own)?), steps: 0, config: own })
    }

    /// Gives a hash table its mask and seed.
    ///
    /// # Errors
    /// If the device fails.
    pub fn give_mask(&mut self, device: &mut dyn Device, table: &TableInfo) -> Result<(), ReplicaError> {
        if let Some(mask) = &table.mask {
            self.staging.on(device).write_mask(table.table, &mask.pack(), table.seed)?;
        }
        Ok(())
    }

    /// Puts a rule where it is in the other device, with its number. Its table has its mask already.
    ///
    /// # Errors
    /// If there are too few continuation steps, or the device fails.
    pub fn put(&mut self, device: &mut dyn Device, rule: &RuleInfo) -> Result<(), ReplicaError> {
        let (number, key) = (rule.id.number(), rule.key.pack());
        let commands = &mut self.staging.on(device);
        let mut next = None;
        for (place, step) in rule.program.iter().enumerate().rev() {
            let step = Step { more: next.is_some(), next: next.unwrap_or(0), ..*step }.pack();
            if place == 0 {
                commands.write_action(number, &step)?;
            } else if self.steps == self.config.steps() {
                return Err(ReplicaError::Steps(self.steps));
            } else {
                commands.write_step(self.steps as u16, &step)?;
                next = Some(self.steps as u32);
                self.steps += 1;
            }
        }
        match rule.place {
            Place::Hash { table, slot } => commands.write_entry(table, slot, &key, rule.priority, number)?,
            Place::Tcam { entry } => commands.write_tcam(entry, &key, &rule.mask.pack(), rule.priority, number)?,
        }
        Ok(())
    }

    /// What a rule has counted since the device's tables were cleared.
    ///
    /// # Errors
    /// If the device fails.
    pub fn rule_count(&mut self, device: &mut dyn Device, rule: u16) -> Result<Count, DeviceError> {
        counters::read(&mut self.staging.on(device), Command::ReadRuleCounter, rule.into())
    }

    /// What became of the frames of a vport since the device's tables were cleared.
    ///
    /// # Errors
    /// If the device fails.
    pub fn verdicts(&mut self, device: &mut dyn Device, vport: u8) -> Result<Verdicts, DeviceError> {
        counters::verdicts(&mut self.staging.on(device), vport)
    }
}
