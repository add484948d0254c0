// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash tables: which has which mask, and where each rule lies.

use crate::commands::{Commands, KeyWords};
use crate::cuckoo::{Cuckoo, Slot};
use crate::{Device, DeviceError, RuleError};
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
    /// The way to the room that was found last.
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

#[derive(Copy, Clone)]
struct HashRule {
    key: KeyWords,
    priority: u16,
    table: u8,
    slot: Slot,
}

/// A rule to be put into a table.
pub(crate) struct NewRule<'a> {
    /// Masked.
    pub key: &'a KeyWords,
    pub mask: &'a KeyWords,
    pub priority: u16,
}

/// Where a new rule goes: the table, which has room.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Room {
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
        let nowhere = HashRule { key: [0; Key::WORDS], priority: 0, table: 0, slot: 0 };
        Self {
            tables: (0..config.hash_tables).map(table).collect(),
            slot_bits: config.slots_log2 as u32,
            rules: vec![nowhere; rule_ids],
            candidates: vec![[0; WAYS]; rule_ids],
            path: Vec::new(),
        }
    }

    fn candidates(&self, table: &Table, key: &KeyWords) -> [Slot; WAYS] {
        let slots = hash::slots(key, table.seed, self.slot_bits);
        std::array::from_fn(|way| (way as u32) << self.slot_bits | slots[way])
    }

    /// The rule with this masked key in a table of this mask.
    pub fn find(&self, key: &KeyWords, mask: &KeyWords) -> Option<u16> {
        self.tables.iter().filter(|table| table.cuckoo.len() > 0 && table.has_mask(mask)).find_map(|table| {
            let rules = self.candidates(table, key).into_iter().filter_map(|slot| table.cuckoo.get(slot));
            rules.into_iter().find(|&rule| self.rules[usize::from(rule)].key == *key)
        })
    }

    /// Looks for room for a masked key; changes nothing. Of the tables of the mask those come first that are less than 95 %
    /// full, then free tables, then the others: a table is filled to the last slot only if no other can be had.
    pub fn room(&mut self, key: &KeyWords, mask: &KeyWords) -> Result<Room, RuleError> {
        if let Some(room) = self.room_in(key, |table| table.has_mask(mask) && table.cuckoo.roomy()) {
            return Ok(room);
        }
        if let Some(room) = self.room_in(key, |table| table.cuckoo.len() == 0) {
            return Ok(room);
        }
        if let Some(room) = self.room_in(key, |table| table.has_mask(mask) && !table.cuckoo.roomy()) {
            return Ok(room);
        }
        Err(match self.tables.iter().rposition(|table| table.has_mask(mask)) {
            Some(i) => {
                let cuckoo = &self.tables[i].cuckoo;
                RuleError::TableFull { table: i as u8, rules: cuckoo.len(), capacity: cuckoo.capacity() }
            }
            None => RuleError::NoFreeTable { tables: self.tables.len() },
        })
    }

    fn room_in(&mut self, key: &KeyWords, suitable: impl Fn(&Table) -> bool) -> Option<Room> {
        (0..self.tables.len()).find_map(|i| {
            let table = &self.tables[i];
            let room = suitable(table).then(|| Room { table: i as u8, candidates: self.candidates(table, key) })?;
            self.search(room).then_some(room)
        })
    }

    fn search(&mut self, room: Room) -> bool {
        let candidates = &self.candidates;
        let cuckoo = &mut self.tables[usize::from(room.table)].cuckoo;
        cuckoo.path(&mut self.path, room.candidates, |rule| candidates[usize::from(rule)])
    }

    /// Makes way for a rule where [`room`](Self::room) found place for it, nothing having changed since, up to the last command.
    ///
    /// A rule that is in the way is first copied to its new slot, then overwritten in its old: a packet finds it in one of
    /// the two, or in both alike. On an error all rules that were in the tables still are.
    pub fn make_way(
        &mut self,
        commands: &mut Commands,
        device: &mut dyn Device,
        room: Room,
        rule: u16,
        new: &NewRule<'_>,
    ) -> Result<(), DeviceError> {
        self.give_mask(commands, device, room.table, new.mask)?;
        for at in (1..self.path.len()).rev() {
            let (from, to) = (self.path[at - 1], self.path[at]);
            self.shift(commands, device, room.table, from, to)
                .inspect_err(|_| self.vacate(commands, device, room.table, to))?;
        }
        commands
            .stage_entry(device, self.path[0], new.key, new.priority, rule)
            .inspect_err(|_| self.give_way_back(commands, device, room))
    }

    /// After [`make_way`](Self::make_way), instead of [`insert`](Self::insert): leaves no second copy of a rule that was in the way.
    pub fn give_way_back(&self, commands: &mut Commands, device: &mut dyn Device, room: Room) {
        if self.path.len() > 1 {
            self.vacate(commands, device, room.table, self.path[0]);
        }
    }

    /// Puts a rule where way was just [made](Self::make_way) for it.
    pub fn insert(
        &mut self,
        commands: &mut Commands,
        device: &mut dyn Device,
        room: Room,
        rule: u16,
        new: &NewRule<'_>,
    ) -> Result<(), DeviceError> {
        let slot = self.path[0];
        commands
            .write_entry(device, room.table, slot, new.key, new.priority, rule)
            .inspect_err(|_| self.vacate(commands, device, room.table, slot))?;
        self.tables[usize::from(room.table)].cuckoo.put(slot, rule);
        self.rules[usize::from(rule)] = HashRule { key: *new.key, priority: new.priority, table: room.table, slot };
        self.candidates[usize::from(rule)] = room.candidates;
        Ok(())
    }

    fn shift(
        &mut self,
        commands: &mut Commands,
        device: &mut dyn Device,
        table: u8,
        from: Slot,
        to: Slot,
    ) -> Result<(), DeviceError> {
        let cuckoo = &mut self.tables[usize::from(table)].cuckoo;
        let rule = cuckoo.get(from).expect("a path leads over rules");
        let moved = &mut self.rules[usize::from(rule)];
        commands.write_entry(device, table, to, &moved.key, moved.priority, rule)?;
        moved.slot = to;
        cuckoo.shift(from, to);
        Ok(())
    }

    /// After a failed write: takes what may be in a slot out of the device, if it still can be reached. The rule that was
    /// there has been copied already.
    fn vacate(&self, commands: &mut Commands, device: &mut dyn Device, table: u8, slot: Slot) {
        if let Err(error) = commands.clear_entry(device, table, slot) {
            tracing::error!("hash table {table}, slot {slot}: cannot be cleared after a failed write: {error}");
        }
    }

    /// Writes a rule's priority in its place, in one command.
    pub fn set_priority(
        &mut self,
        commands: &mut Commands,
        device: &mut dyn Device,
        rule: u16,
        priority: u16,
    ) -> Result<(), DeviceError> {
        let entry = &mut self.rules[usize::from(rule)];
        commands.write_entry(device, entry.table, entry.slot, &entry.key, priority, rule)?;
        entry.priority = priority;
        Ok(())
    }

    /// Takes a rule out of its table.
    pub fn remove(&mut self, commands: &mut Commands, device: &mut dyn Device, rule: u16) -> Result<(), DeviceError> {
        let HashRule { table, slot, .. } = self.rules[usize::from(rule)];
        commands.clear_entry(device, table, slot)?;
        self.tables[usize::from(table)].cuckoo.remove(slot);
        Ok(())
    }

    fn give_mask(
        &mut self,
        commands: &mut Commands,
        device: &mut dyn Device,
        table: u8,
        mask: &KeyWords,
    ) -> Result<(), DeviceError> {
        let entry = &mut self.tables[usize::from(table)];
        if entry.has_mask(mask) {
            return Ok(());
        }
        debug_assert_eq!(entry.cuckoo.len(), 0);
        entry.mask_written = false;
        commands.write_mask(device, table, mask, entry.seed)?;
        (entry.mask, entry.mask_written) = (*mask, true);
        Ok(())
    }

    /// Where a rule lies: table, and way << S | slot.
    pub fn place(&self, rule: u16) -> (u8, Slot) {
        let HashRule { table, slot, .. } = self.rules[usize::from(rule)];
        (table, slot)
    }

    /// A rule's masked key, mask and priority.
    pub fn content(&self, rule: u16) -> (KeyWords, KeyWords, u16) {
        let HashRule { key, priority, table, .. } = self.rules[usize::from(rule)];
        (key, self.tables[usize::from(table)].mask, priority)
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
