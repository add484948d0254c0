// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash tables: which has which mask, and where each rule lies.

use crate::commands::Commands;
use crate::cuckoo::{Cuckoo, Slot};
use crate::image::{Contents, Entry};
use crate::placer::{NewRule, Placer};
use crate::words::KeyWords;
use crate::{DeviceError, Place, RuleError, RuleId};
use millrace_regs::config::{Config, WAYS};
use millrace_regs::{Key, Mask, hash};

/// A hash table, as listed by [`Rules::tables`](crate::Rules::tables).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Number of the table.
    pub table: u8,
    /// What it looks at; none if the table is free to take a mask.
    pub mask: Option<Mask>,
    /// Seed of its hash ("Table hash" in `docs/hardware.md`).
    pub seed: u32,
    /// Rules in it.
    pub rules: usize,
    /// Slots. A table can be full earlier: not every rule can lie in every slot.
    pub capacity: usize,
}

/// All hash tables.
pub(crate) struct HashTables {
    tables: Vec<Table>,
    slot_bits: u32,
    /// By rule id; meaningful for rules that lie in a hash table.
    rules: Vec<HashRule>,
    /// By rule id: the four slots where the rule may be. Apart from `rules`, as the search reads nothing else.
    candidates: Vec<[Slot; WAYS]>,
    /// The room that was found last, and the way to it.
    room: Room,
    path: Vec<Slot>,
}

struct Table {
    mask: KeyWords,
    /// The device has this mask.
    mask_written: bool,
    seed: u32,
    cuckoo: Cuckoo,
}

impl Table {
    fn has_mask(&self, mask: &KeyWords) -> bool {
        self.mask_written && self.mask == *mask
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
struct HashRule {
    id: RuleId,
    key: KeyWords,
    priority: u16,
    table: u8,
    slot: Slot,
}

/// Where a new rule goes: the table, which has room.
#[derive(Copy, Clone, Default)]
struct Room {
    table: u8,
    candidates: [Slot; WAYS],
}

impl HashTables {
    pub fn new(config: &Config, rule_ids: usize) -> Self {
        let table = |i: usize| Table {
            mask: [0; Key::WORDS],
            mask_written: false,
            // Different, so that keys which crowd one table do not crowd the next with the same mask.
            seed: 0x9e37_79b9_u32.wrapping_mul(i as u32 + 1),
            cuckoo: Cuckoo::new(config.slots()),
        };
        let nobody = RuleId { number: 0, generation: 0 };
        let nowhere = HashRule { id: nobody, key: [0; Key::WORDS], priority: 0, table: 0, slot: 0 };
        Self {
            tables: (0..config.hash_tables).map(table).collect(),
            slot_bits: config.slots_log2 as u32,
            rules: vec![nowhere; rule_ids],
            candidates: vec![[0; WAYS]; rule_ids],
            room: Room::default(),
            path: Vec::new(),
        }
    }

    /// What an earlier manager left: rules whose numbers are below `rule_ids`. With it the slots that are to be cleared, by table: a rule that
    /// was being moved has two.
    ///
    /// # Errors
    /// What is wrong with the image, if it cannot be what a manager left.
    pub fn resume(contents: &Contents, config: &Config, rule_ids: usize) -> Result<(Self, Vec<(u8, Slot)>), String> {
        let (mut tables, mut surplus) = (Self::new(config, rule_ids), vec![]);
        let mut seen = vec![false; rule_ids];
        for number in 0..tables.tables.len() {
            if let Some((mask, seed)) = contents.mask(number) {
                let table = &mut tables.tables[number];
                (table.mask, table.mask_written, table.seed) = (mask, true, seed);
            }
            for (slot, entry) in contents.slots(number) {
                let found = tables.found(number, slot, &entry).ok_or_else(|| {
                    format!("slot {slot} of hash table {number} cannot hold what it holds, of rule {}", entry.rule)
                })?;
                let rule = usize::from(found.id.number());
                if !std::mem::replace(&mut seen[rule], true) {
                    tables.take_in(found);
                } else if (HashRule { slot, ..tables.rules[rule] }) == found {
                    surplus.push((number as u8, slot));
                } else {
                    return Err(format!("slot {slot} of hash table {number} is of rule {rule}, and so is another's"));
                }
            }
        }
        Ok((tables, surplus))
    }

    /// A rule that an image has in a slot, if it can be there.
    fn found(&self, table: usize, slot: Slot, entry: &Entry) -> Option<HashRule> {
        let id = RuleId { number: entry.number(self.rules.len())?, generation: 0 };
        let own = &self.tables[table];
        let fits = own.mask_written && entry.is_under(&own.mask) && self.candidates(own, &entry.key).contains(&slot);
        fits.then_some(HashRule { id, key: entry.key, priority: entry.priority, table: table as u8, slot })
    }

    fn take_in(&mut self, rule: HashRule) {
        let (table, number) = (usize::from(rule.table), rule.id.number());
        self.candidates[usize::from(number)] = self.candidates(&self.tables[table], &rule.key);
        self.rules[usize::from(number)] = rule;
        self.tables[table].cuckoo.put(rule.slot, number);
    }

    /// The numbers of the rules.
    pub fn numbers(&self) -> impl Iterator<Item = u16> {
        let all = |cuckoo: &Cuckoo| 0..cuckoo.capacity() as Slot;
        self.tables.iter().flat_map(move |table| all(&table.cuckoo).filter_map(|slot| table.cuckoo.get(slot)))
    }

    fn candidates(&self, table: &Table, key: &KeyWords) -> [Slot; WAYS] {
        let slots = hash::slots(key, table.seed, self.slot_bits);
        std::array::from_fn(|way| (way as u32) << self.slot_bits | slots[way])
    }

    fn room_in(&mut self, key: &KeyWords, suitable: impl Fn(&Table) -> bool) -> bool {
        (0..self.tables.len()).any(|i| suitable(&self.tables[i]) && self.search(i, key))
    }

    fn search(&mut self, table: usize, key: &KeyWords) -> bool {
        self.room = Room { table: table as u8, candidates: self.candidates(&self.tables[table], key) };
        let candidates = &self.candidates;
        let cuckoo = &mut self.tables[table].cuckoo;
        cuckoo.path(&mut self.path, self.room.candidates, |rule| candidates[usize::from(rule)])
    }

    fn shift(&mut self, commands: &mut Commands<'_>, table: u8, from: Slot, to: Slot) -> Result<(), DeviceError> {
        let cuckoo = &mut self.tables[usize::from(table)].cuckoo;
        let rule = cuckoo.get(from).expect("a path leads over rules");
        let moved = &mut self.rules[usize::from(rule)];
        commands.write_entry(table, to, &moved.key, moved.priority, rule)?;
        moved.slot = to;
        cuckoo.shift(from, to);
        Ok(())
    }

    fn give_mask(&mut self, commands: &mut Commands<'_>, table: u8, mask: &KeyWords) -> Result<(), DeviceError> {
        let entry = &mut self.tables[usize::from(table)];
        if entry.has_mask(mask) {
            return Ok(());
        }
        debug_assert_eq!(entry.cuckoo.len(), 0);
        entry.mask_written = false;
        commands.write_mask(table, mask, entry.seed)?;
        (entry.mask, entry.mask_written) = (*mask, true);
        Ok(())
    }

    pub fn list(&self) -> impl Iterator<Item = TableInfo> {
        (0..).zip(&self.tables).map(|(number, table)| TableInfo {
            table: number,
            mask: (table.cuckoo.len() > 0).then(|| Mask::unpack(&table.mask)),
            seed: table.seed,
            rules: table.cuckoo.len(),
            capacity: table.cuckoo.capacity(),
        })
    }
}

/// After a failed write: takes what may be in a slot out of the device, if it still can be reached. The rule that was
/// there has been copied already.
fn vacate(commands: &mut Commands<'_>, table: u8, slot: Slot) {
    if let Err(error) = commands.clear_entry(table, slot) {
        tracing::error!("hash table {table}, slot {slot}: cannot be cleared after a failed write: {error}");
    }
}

impl Placer for HashTables {
    fn find(&self, key: &KeyWords, mask: &KeyWords) -> Option<RuleId> {
        self.tables.iter().filter(|table| table.cuckoo.len() > 0 && table.has_mask(mask)).find_map(|table| {
            let slots = self.candidates(table, key).into_iter();
            let mut rules = slots.filter_map(|slot| table.cuckoo.get(slot)).map(|rule| &self.rules[usize::from(rule)]);
            rules.find(|rule| rule.key == *key).map(|rule| rule.id)
        })
    }

    /// Of the tables of the mask those come first that are less than 95 % full, then free tables, then the others: a table is
    /// filled to the last slot only if no other can be had.
    fn room(&mut self, key: &KeyWords, mask: &KeyWords) -> Result<(), RuleError> {
        let found = self.room_in(key, |table| table.has_mask(mask) && table.cuckoo.roomy())
            || self.room_in(key, |table| table.cuckoo.len() == 0)
            || self.room_in(key, |table| table.has_mask(mask) && !table.cuckoo.roomy());
        if found {
            return Ok(());
        }
        Err(match self.tables.iter().rposition(|table| table.has_mask(mask)) {
            Some(i) => {
                let cuckoo = &self.tables[i].cuckoo;
                RuleError::TableFull { table: i as u8, rules: cuckoo.len(), capacity: cuckoo.capacity() }
            }
            None => RuleError::NoFreeTable { tables: self.tables.len() },
        })
    }

    /// A rule that is in the way is first copied to its new slot, then overwritten in its old: a packet finds it in one of
    /// the two, or in both alike.
    fn make_way(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError> {
        let table = self.room.table;
        self.give_mask(commands, table, new.mask)?;
        for at in (1..self.path.len()).rev() {
            let (from, to) = (self.path[at - 1], self.path[at]);
            self.shift(commands, table, from, to).inspect_err(|_| vacate(commands, table, to))?;
        }
        commands
            .stage_entry(self.path[0], new.key, new.priority, new.id.number())
            .inspect_err(|_| self.give_way_back(commands))?;
        Ok(())
    }

    /// Leaves no second copy of a rule that was in the way.
    fn give_way_back(&self, commands: &mut Commands<'_>) {
        if self.path.len() > 1 {
            vacate(commands, self.room.table, self.path[0]);
        }
    }

    fn insert(&mut self, commands: &mut Commands<'_>, new: &NewRule<'_>) -> Result<(), RuleError> {
        let (&NewRule { id, key, priority, .. }, slot) = (new, self.path[0]);
        let (Room { table, candidates }, rule) = (self.room, usize::from(id.number()));
        commands.write_entry(table, slot, key, priority, id.number()).inspect_err(|_| vacate(commands, table, slot))?;
        self.tables[usize::from(table)].cuckoo.put(slot, id.number());
        self.rules[rule] = HashRule { id, key: *key, priority, table, slot };
        self.candidates[rule] = candidates;
        Ok(())
    }

    /// In its place, in one command.
    fn set_priority(&mut self, commands: &mut Commands<'_>, rule: u16, priority: u16) -> Result<(), RuleError> {
        let entry = &mut self.rules[usize::from(rule)];
        commands.write_entry(entry.table, entry.slot, &entry.key, priority, rule)?;
        entry.priority = priority;
        Ok(())
    }

    fn remove(&mut self, commands: &mut Commands<'_>, rule: u16) -> Result<(), DeviceError> {
        let HashRule { table, slot, .. } = self.rules[usize::from(rule)];
        commands.clear_entry(table, slot)?;
        self.tables[usize::from(table)].cuckoo.remove(slot);
        Ok(())
    }

    fn place(&self, rule: u16) -> Place {
        let HashRule { table, slot, .. } = self.rules[usize::from(rule)];
        Place::Hash { table, slot }
    }

    fn content(&self, rule: u16) -> (KeyWords, KeyWords, u16) {
        let HashRule { key, priority, table, .. } = self.rules[usize::from(rule)];
        (key, self.tables[usize::from(table)].mask, priority)
    }
}
