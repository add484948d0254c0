// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the rule manager asks of tables, whoever places the entries in them.

use crate::commands::Commands;
use crate::words::KeyWords;
use crate::{DeviceError, Place, RuleError, RuleId};

/// A rule to be put into a table.
pub(crate) struct NewRule<'a> {
    pub id: RuleId,
    /// Masked.
    pub key: &'a KeyWords,
    pub mask: &'a KeyWords,
    pub priority: u16,
}

/// Tables of one kind, in which rules lie. A device that places entries itself would get its table from [`room`](Self::room) and find
/// the slot in [`insert`](Self::insert), which can fail for want of room too.
///
/// A rule that is in them is found at every moment, whatever goes on. On an error all rules that were in them still are, and no other is.
pub(crate) trait Placer {
    /// The rule with this masked key and mask.
    fn find(&self, key: &KeyWords, mask: &KeyWords) -> Option<RuleId>;

    /// Looks for room for a masked key; changes nothing.
    fn room(&mut self, key: &KeyWords, mask: &KeyWords) -> Result<(), RuleError>;

    /// Makes way for a rule that [`room`](Self::room) was just found for, nothing having changed since, up to the last command.
    fn make_way(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError>;

    /// After [`make_way`](Self::make_way), instead of [`insert`](Self::insert).
    fn give_way_back(&self, _: &mut Commands<'_>) {}

    /// Puts a rule where way was just [made](Self::make_way) for it.
    fn insert(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError>;

    /// Gives a rule another priority.
    fn set_priority(&mut self, commands: &mut Commands<'_>, rule: u16, priority: u16) -> Result<(), RuleError>;

    /// Takes a rule out.
    fn remove(&mut self, commands: &mut Commands<'_>, rule: u16) -> Result<(), DeviceError>;

    /// Where a rule lies.
    fn place(&self, rule: u16) -> Place;

    /// A rule's masked key, mask and priority.
    fn content(&self, rule: u16) -> (KeyWords, KeyWords, u16);
}
