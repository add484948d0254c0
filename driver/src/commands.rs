// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command interface: operands, command, and the wait for its end.

use crate::image::{Image, Write};
use crate::words::{KeyWords, StepWords};
use crate::{Access, Device, DeviceError};
use millrace_regs::map::DATA_WORDS;
use millrace_regs::{Command, DATA_KEY, DATA_RULE, DATA_SEED, DATA_VALID, Lengths, addr, valid_entry};

/// Reads of `STATUS` after which a command counts as stuck. One takes a few clocks, and so does a command; to clear the tables takes 65,586 at
/// most, unless a full queue holds up frames that came before.
const PATIENCE: u32 = 100_000;

/// What a longer key or step has behind this driver's words.
const ZEROS: [u32; DATA_WORDS as usize] = [0; DATA_WORDS as usize];

/// The staging registers as this driver last wrote them, so that a word that already holds its value is not written again.
pub(crate) struct Staging {
    data: [u32; DATA_WORDS as usize],
    lengths: Lengths,
    /// Bit i: `data[i]` is what the register holds.
    known: u64,
    index: Option<u32>,
    /// Writes that are still to be carried out, and the bits of their words.
    staged: Vec<Access>,
    fresh: u64,
    /// Where it is kept what the tables hold.
    pub image: Option<Image>,
}

/// The commands of a device. One has ended when its method returns: from then on packets are matched by what it wrote.
pub(crate) struct Commands<'a> {
    staging: &'a mut Staging,
    pub device: &'a mut dyn Device,
}

impl Staging {
    /// Of a device with keys and steps of these lengths.
    pub fn new(lengths: Lengths) -> Self {
        Self { data: ZEROS, lengths, known: 0, index: None, staged: Vec::new(), fresh: 0, image: None }
    }

    /// Forgets what the registers hold: somebody else may have written them.
    pub fn forget(&mut self) {
        (self.known, self.index) = (0, None);
    }

    /// The commands of the device that has these registers.
    pub fn on<'a>(&'a mut self, device: &'a mut dyn Device) -> Commands<'a> {
        Commands { staging: self, device }
    }

    fn stage(&mut self, first: usize, words: &[u32]) {
        for (i, &word) in (first..).zip(words) {
            let bit = 1 << i;
            if self.known & bit != 0 && self.data[i] == word {
                continue;
            }
            self.known &= !bit;
            self.data[i] = word;
            self.fresh |= bit;
            self.staged.push(Access::Write { address: addr::data(i as u32), value: word });
        }
    }

    /// Stages what the device has `length` words of: fewer than this driver, whose others are zero then, or more.
    fn stage_padded(&mut self, first: usize, words: &[u32], length: usize) {
        let own = words.len().min(length);
        self.stage(first, &words[..own]);
        self.stage(first + own, &ZEROS[own..length]);
    }

    fn stage_key(&mut self, key: &KeyWords) {
        self.stage_padded(DATA_KEY, key, self.lengths.key);
    }

    fn stage_tcam_mask(&mut self, mask: &KeyWords) {
        self.stage_padded(DATA_KEY + self.lengths.key, mask, self.lengths.key);
    }

    fn stage_step(&mut self, step: &StepWords) {
        self.stage_padded(0, step, self.lengths.step);
    }
}

impl Commands<'_> {
    pub fn write_entry(
        &mut self,
        table: u8,
        slot: u32,
        key: &KeyWords,
        priority: u16,
        rule: u16,
    ) -> Result<(), DeviceError> {
        self.stage_entry(slot, key, priority, rule)?;
        self.run(Command::WriteEntry, table, slot)
    }

    /// Writes the operands of [`write_entry`](Self::write_entry) ahead.
    pub fn stage_entry(&mut self, slot: u32, key: &KeyWords, priority: u16, rule: u16) -> Result<(), DeviceError> {
        self.staging.stage(DATA_VALID, &[valid_entry(priority)]);
        self.staging.stage(DATA_RULE, &[rule.into()]);
        self.staging.stage_key(key);
        self.write_staged(slot)
    }

    pub fn clear_entry(&mut self, table: u8, slot: u32) -> Result<(), DeviceError> {
        self.staging.stage(DATA_VALID, &[0]);
        self.run(Command::WriteEntry, table, slot)
    }

    pub fn write_mask(&mut self, table: u8, mask: &KeyWords, seed: u32) -> Result<(), DeviceError> {
        self.staging.stage(DATA_VALID, &[1]);
        self.staging.stage(DATA_SEED, &[seed]);
        self.staging.stage_key(mask);
        self.run(Command::WriteMask, table, 0)
    }

    pub fn write_tcam(
        &mut self,
        entry: u32,
        value: &KeyWords,
        mask: &KeyWords,
        priority: u16,
        rule: u16,
    ) -> Result<(), DeviceError> {
        self.stage_tcam(entry, value, mask, priority, rule)?;
        self.run(Command::WriteTcam, 0, entry)
    }

    /// Writes the operands of [`write_tcam`](Self::write_tcam) ahead.
    pub fn stage_tcam(
        &mut self,
        entry: u32,
        value: &KeyWords,
        mask: &KeyWords,
        priority: u16,
        rule: u16,
    ) -> Result<(), DeviceError> {
        self.staging.stage(DATA_VALID, &[valid_entry(priority)]);
        self.staging.stage(DATA_RULE, &[rule.into()]);
        self.staging.stage_key(value);
        self.staging.stage_tcam_mask(mask);
        self.write_staged(entry)
    }

    pub fn clear_tcam(&mut self, entry: u32) -> Result<(), DeviceError> {
        self.staging.stage(DATA_VALID, &[0]);
        self.run(Command::WriteTcam, 0, entry)
    }

    pub fn write_action(&mut self, rule: u16, step: &StepWords) -> Result<(), DeviceError> {
        self.staging.stage_step(step);
        self.run(Command::WriteAction, 0, rule.into())
    }

    pub fn write_step(&mut self, number: u16, step: &StepWords) -> Result<(), DeviceError> {
        self.staging.stage_step(step);
        self.run(Command::WriteStep, 0, number.into())
    }

    /// Clears all tables, steps, and counters of rules and verdicts.
    pub fn clear_tables(&mut self) -> Result<(), DeviceError> {
        let index = self.staging.index;
        self.staging.forget();
        self.device.write32(addr::COMMAND, Command::ClearTables.word(0))?;
        self.wait(Command::ClearTables.name())?;
        // It makes the staging words zero.
        (self.staging.data, self.staging.known, self.staging.index) = (ZEROS, u64::MAX, index);
        Ok(())
    }

    pub fn read_counter(&mut self, command: Command, index: u32) -> Result<(), DeviceError> {
        self.run(command, 0, index)
    }

    /// Carries out the writes that were staged; if that fails it is not known what the registers hold.
    fn write_staged(&mut self, index: u32) -> Result<(), DeviceError> {
        if self.staging.index != Some(index) {
            self.staging.index = None;
            self.staging.staged.push(Access::Write { address: addr::INDEX, value: index });
        }
        let fresh = std::mem::take(&mut self.staging.fresh);
        let written = if self.staging.staged.is_empty() { Ok(vec![]) } else { self.device.batch(&self.staging.staged) };
        self.staging.staged.clear();
        written?;
        self.staging.known |= fresh;
        self.staging.index = Some(index);
        Ok(())
    }

    /// Carries a command out again, as an image has it.
    pub fn repeat(&mut self, write: &Write) -> Result<(), DeviceError> {
        self.staging.stage(0, &write.data);
        self.run(write.command, write.table, write.index)
    }

    /// Carries a command out whose operands are staged, and has the image follow if it changes tables.
    fn run(&mut self, command: Command, table: u8, index: u32) -> Result<(), DeviceError> {
        self.write_staged(index)?;
        if !command.writes() {
            return self.start(command, table);
        }
        let write = Write { command, table, index, data: self.staging.data };
        if let Some(image) = &mut self.staging.image {
            image.begin(&write)?;
        }
        self.start(command, table)?;
        self.staging.image.as_mut().map_or(Ok(()), |image| image.end(&write))
    }

    /// Starts a command, and waits for its end.
    fn start(&mut self, command: Command, table: u8) -> Result<(), DeviceError> {
        let start = Access::Write { address: addr::COMMAND, value: command.word(table) };
        let status = self.device.batch(&[start, Access::Read { address: addr::STATUS }])?;
        if status == [0] {
            return Ok(());
        }
        self.wait(command.name())
    }

    /// Waits until nothing is being carried out; `what` is, for all that the caller knows.
    pub fn wait(&mut self, what: &'static str) -> Result<(), DeviceError> {
        for _ in 0..PATIENCE {
            if self.device.read32(addr::STATUS)? == 0 {
                return Ok(());
            }
        }
        Err(DeviceError::Stuck(what))
    }
}
