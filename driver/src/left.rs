// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an earlier manager left in the tables, whatever it was doing when it ended.

use crate::DeviceError;
use crate::commands::Commands;
use crate::image::{Contents, Write};
use crate::placement::{Kind, Surplus, Tables};
use crate::programs::Programs;
use millrace_regs::config::Config;

/// Tables and programs as an image shows them.
pub(crate) struct Left {
    pub tables: Tables,
    pub programs: Programs,
    /// By rule id.
    pub homes: Vec<Option<Kind>>,
    surplus: Surplus,
    under_way: Option<Write>,
}

impl Left {
    /// Of a device with so many rule ids; `contents` has what the command that was under way writes.
    ///
    /// # Errors
    /// What is wrong with the image, if it cannot be what a manager left.
    pub fn read(
        contents: &Contents,
        under_way: Option<Write>,
        config: &Config,
        rule_ids: usize,
    ) -> Result<Self, String> {
        let (tables, surplus) = Tables::resume(contents, config, rule_ids)?;
        let homes = tables.homes(rule_ids);
        let programs = Programs::resume(contents, &homes, config.steps())?;
        Ok(Self { tables, programs, homes, surplus, under_way })
    }

    /// Finishes what was under way, in the device: the command, then the move of a rule.
    pub fn mend(&mut self, commands: &mut Commands<'_>) -> Result<(), DeviceError> {
        if let Some(write) = self.under_way.take() {
            commands.repeat(&write)?;
        }
        self.surplus.clear(commands)
    }
}
