// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which rule lies in which entry of the TCAM.

use crate::commands::Commands;
use crate::image::Contents;
use crate::placer::{NewRule, Placer};
use crate::words::KeyWords;
use crate::{DeviceError, Place, RuleError, RuleId};

/// The entries of the TCAM.
pub(crate) struct Tcam {
    entries: Vec<Option<Entry>>,
    rules: usize,
    /// The vacant entry that was found last.
    room: usize,
}

/// What an entry holds.
#[derive(Copy, Clone)]
struct Entry {
    rule: RuleId,
    value: KeyWords,
    mask: KeyWords,
    priority: u16,
}

impl Tcam {
    pub fn new(entries: usize) -> Self {
        Self { entries: vec![None; entries], rules: 0, room: 0 }
    }

    /// What an earlier manager left: entries of rules whose numbers are below `ids`. With it the entries that are to be cleared: a rule whose
    /// priority was being changed has two.
    ///
    /// # Errors
    /// What is wrong with the image, if it cannot be what a manager left.
    pub fn resume(contents: &Contents, entries: usize, ids: usize) -> Result<(Self, Vec<usize>), String> {
        let (mut tcam, mut surplus) = (Self::new(entries), vec![]);
        for (at, entry, mask) in contents.tcam() {
            let number = entry.number(ids).filter(|_| entry.is_under(&mask));
            let number =
                number.ok_or_else(|| format!("TCAM entry {at} cannot hold what it holds, of rule {}", entry.rule))?;
            let (rule, value) = (RuleId { number, generation: 0 }, entry.key);
            match tcam.entries.iter().flatten().find(|other| other.rule == rule) {
                Some(other) if (other.value, other.mask) == (value, mask) => surplus.push(at),
                Some(_) => return Err(format!("TCAM entry {at} is of rule {number}, which is another's too")),
                None => {
                    tcam.entries[at] = Some(Entry { rule, value, mask, priority: entry.priority });
                    tcam.rules += 1;
                }
            }
        }
        Ok((tcam, surplus))
    }

    /// The numbers of the rules.
    pub fn numbers(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().flatten().map(|entry| entry.rule.number())
    }

    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    pub fn len(&self) -> usize {
        self.rules
    }

    fn vacant(&self) -> Result<usize, RuleError> {
        self.entries.iter().position(Option::is_none).ok_or(RuleError::TcamFull { capacity: self.capacity() })
    }

    /// A rule's entry, and its number.
    fn entry(&self, rule: u16) -> (usize, &Entry) {
        let entries = self.entries.iter().enumerate().filter_map(|(at, entry)| Some((at, entry.as_ref()?)));
        { entries }.find(|(_, entry)| entry.rule.number() == rule).expect("the rule's entry")
    }
}

/// Writes a vacant entry. On an error it is still vacant.
fn fill(commands: &mut Commands<'_>, at: usize, content: &Entry) -> Result<(), DeviceError> {
    let Entry { rule, value, mask, priority } = content;
    commands.write_tcam(at as u32, value, mask, *priority, rule.number()).inspect_err(|_| vacate(commands, at))
}

/// After a failed write: takes what may be in an entry out of the device, if it still can be reached. A copy left there
/// would outlive its rule.
fn vacate(commands: &mut Commands<'_>, at: usize) {
    if let Err(error) = commands.clear_tcam(at as u32) {
        tracing::error!("TCAM entry {at}: cannot be cleared after a failed write: {error}");
    }
}

impl Placer for Tcam {
    fn find(&self, value: &KeyWords, mask: &KeyWords) -> Option<RuleId> {
        let same = |entry: &&Entry| entry.value == *value && entry.mask == *mask;
        self.entries.iter().flatten().find(same).map(|entry| entry.rule)
    }

    fn room(&mut self, _: &KeyWords, _: &KeyWords) -> Result<(), RuleError> {
        self.room = self.vacant()?;
        Ok(())
    }

    fn make_way(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError> {
        Ok(commands.stage_tcam(self.room as u32, new.key, new.mask, new.priority, new.id.number())?)
    }

    fn insert(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError> {
        let content = Entry { rule: new.id, value: *new.key, mask: *new.mask, priority: new.priority };
        fill(commands, self.room, &content)?;
        self.entries[self.room] = Some(content);
        self.rules += 1;
        Ok(())
    }

    /// An entry does not match while it is rewritten: writes another, then clears the old.
    fn set_priority(&mut self, commands: &mut Commands<'_>, rule: u16, priority: u16) -> Result<(), RuleError> {
        let to = self.vacant()?;
        let (from, &content) = self.entry(rule);
        let content = Entry { priority, ..content };
        fill(commands, to, &content)?;
        commands.clear_tcam(from as u32).inspect_err(|_| vacate(commands, to))?;
        (self.entries[from], self.entries[to]) = (None, Some(content));
        Ok(())
    }

    fn remove(&mut self, commands: &mut Commands<'_>, rule: u16) -> Result<(), DeviceError> {
        let (at, _) = self.entry(rule);
        commands.clear_tcam(at as u32)?;
        self.entries[at] = None;
        self.rules -= 1;
        Ok(())
    }

    fn place(&self, rule: u16) -> Place {
        Place::Tcam { entry: self.entry(rule).0 as u32 }
    }

    fn content(&self, rule: u16) -> (KeyWords, KeyWords, u16) {
        let (_, Entry { value, mask, priority, .. }) = self.entry(rule);
        (*value, *mask, *priority)
    }
}
