// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command interface: operands, command, and the wait for its end.

use crate::{Device, DeviceError};
use millrace_regs::map::DATA_WORDS;
use millrace_regs::{
    Command, DATA_PRIORITY_RULE, DATA_SEED, DATA_TCAM_MASK, DATA_VALID, Key, Step, addr, priority_rule,
};

/// Packed key, or mask.
pub(crate) type KeyWords = [u32; Key::WORDS];
/// Packed step.
pub(crate) type StepWords = [u32; Step::WORDS];

/// Reads of `STATUS` after which a command counts as stuck. One takes a few clocks, and so does a command.
const PATIENCE: u32 = 100_000;

/// The staging registers as this driver last wrote them, so that a word that already holds its value is not written again.
///
/// A command has ended when its method returns: from then on packets are matched by what it wrote.
pub(crate) struct Commands {
    data: [u32; DATA_WORDS as usize],
    /// Bit i: `data[i]` is what the register holds.
    known: u32,
    index: Option<u32>,
}

impl Commands {
    pub fn new() -> Self {
        Self { data: [0; DATA_WORDS as usize], known: 0, index: None }
    }

    /// Forgets what the registers hold: somebody else may have written them.
    pub fn forget(&mut self) {
        (self.known, self.index) = (0, None);
    }

    pub fn write_entry(
        &mut self,
        device: &mut dyn Device,
        table: u8,
        slot: u32,
        key: &KeyWords,
        priority: u16,
        rule: u16,
    ) -> Result<(), DeviceError> {
        self.stage(device, 0, key)?;
        self.stage(device, DATA_PRIORITY_RULE, &[priority_rule(priority, rule), 1])?;
        self.run(device, Command::WriteEntry, table, slot)
    }

    pub fn clear_entry(&mut self, device: &mut dyn Device, table: u8, slot: u32) -> Result<(), DeviceError> {
        self.stage(device, DATA_VALID, &[0])?;
        self.run(device, Command::WriteEntry, table, slot)
    }

    pub fn write_mask(
        &mut self,
        device: &mut dyn Device,
        table: u8,
        mask: &KeyWords,
        seed: u32,
    ) -> Result<(), DeviceError> {
        self.stage(device, 0, mask)?;
        self.stage(device, DATA_SEED, &[seed, 1])?;
        self.run(device, Command::WriteMask, table, 0)
    }

    pub fn write_tcam(
        &mut self,
        device: &mut dyn Device,
        entry: u32,
        value: &KeyWords,
        mask: &KeyWords,
        priority: u16,
        rule: u16,
    ) -> Result<(), DeviceError> {
        self.stage(device, 0, value)?;
        self.stage(device, DATA_PRIORITY_RULE, &[priority_rule(priority, rule), 1])?;
        self.stage(device, DATA_TCAM_MASK, mask)?;
        self.run(device, Command::WriteTcam, 0, entry)
    }

    pub fn clear_tcam(&mut self, device: &mut dyn Device, entry: u32) -> Result<(), DeviceError> {
        self.stage(device, DATA_VALID, &[0])?;
        self.run(device, Command::WriteTcam, 0, entry)
    }

    pub fn write_action(&mut self, device: &mut dyn Device, rule: u16, step: &StepWords) -> Result<(), DeviceError> {
        self.stage(device, 0, step)?;
        self.run(device, Command::WriteAction, 0, rule.into())
    }

    pub fn write_step(&mut self, device: &mut dyn Device, number: u16, step: &StepWords) -> Result<(), DeviceError> {
        self.stage(device, 0, step)?;
        self.run(device, Command::WriteStep, 0, number.into())
    }

    pub fn read_counter(&mut self, device: &mut dyn Device, command: Command, index: u32) -> Result<(), DeviceError> {
        self.run(device, command, 0, index)
    }

    fn stage(&mut self, device: &mut dyn Device, first: usize, words: &[u32]) -> Result<(), DeviceError> {
        for (i, &word) in (first..).zip(words) {
            if self.known & (1 << i) != 0 && self.data[i] == word {
                continue;
            }
            self.known &= !(1 << i);
            device.write32(addr::data(i as u32), word)?;
            self.data[i] = word;
            self.known |= 1 << i;
        }
        Ok(())
    }

    fn run(&mut self, device: &mut dyn Device, command: Command, table: u8, index: u32) -> Result<(), DeviceError> {
        if self.index != Some(index) {
            self.index = None;
            device.write32(addr::INDEX, index)?;
            self.index = Some(index);
        }
        device.write32(addr::COMMAND, command.word(table))?;
        for _ in 0..PATIENCE {
            if device.read32(addr::STATUS)? == 0 {
                return Ok(());
            }
        }
        Err(DeviceError::Stuck(command.name()))
    }
}
