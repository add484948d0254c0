// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager: places rules in the device's tables, and keeps track of what is where.

use crate::commands::{Commands, KeyWords};
use crate::counters::{self, Count, QueueStats, RuleCounters, Verdicts};
use crate::owner::{Claim, Others, Owner};
use crate::pool::Pool;
use crate::programs::Programs;
use crate::tables::{HashTables, NewRule, Room, TableInfo};
use crate::tcam::{Entry, Tcam};
use crate::{Device, DeviceError, discover};
use millrace_regs::config::Config;
use millrace_regs::{Command, Key, Mask, Step, addr};
use std::collections::VecDeque;
use std::fmt;

/// A rule that was inserted. It also names the rule's action slot and counter in the device.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    number: u16,
    /// Tells rules that had the same number one after the other.
    generation: u32,
}

impl RuleId {
    /// The rule id in the device's tables.
    pub fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// A rule to be inserted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleSpec {
    /// What the bits under the mask must be; other bits are not looked at.
    pub key: Key,
    /// Which bits are looked at.
    pub mask: Mask,
    /// The matching rule with the highest wins. Of equal ones the TCAM's, then the one in the lower table or entry.
    pub priority: u16,
    /// Where it may lie.
    pub placement: Placement,
}

/// Where a rule may lie.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In a hash table; in the TCAM, if none has room.
    #[default]
    Auto,
    /// In a hash table of the rule's mask, or a free one that then gets this mask.
    Hash,
    /// In the TCAM.
    Tcam,
}

/// Where a rule lies.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a hash table.
    Hash {
        /// Number of the table.
        table: u8,
        /// way << S | slot.
        slot: u32,
    },
    /// In the TCAM.
    Tcam {
        /// Number of the entry.
        entry: u32,
    },
}

/// A rule in the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The rule.
    pub id: RuleId,
    /// Its key, masked.
    pub key: Key,
    /// Its mask.
    pub mask: Mask,
    /// Its priority.
    pub priority: u16,
    /// Where it lies.
    pub place: Place,
    /// Its action program.
    pub program: Vec<Step>,
}

/// Why an operation on rules was not carried out. All rules are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A rule with this key and mask is there already, in the kind of table asked for.
    #[error("rule {0} has the same key and mask")]
    Duplicate(RuleId),
    /// The tables of this mask have no room for this key, and no table is free.
    #[error(
        "hash table {table} is full: {rules} rules in {capacity} slots, none that the key can have is free or can be freed"
    )]
    TableFull {
        /// Number of the table; the last, if several have this mask.
        table: u8,
        /// Rules in it.
        rules: usize,
        /// Slots in it.
        capacity: usize,
    },
    /// No table has this mask, and none is free to take it.
    #[error("no hash table has this mask, and all {tables} have another")]
    NoFreeTable {
        /// Number of hash tables.
        tables: usize,
    },
    /// The TCAM has no room.
    #[error("the TCAM is full: {capacity} rules")]
    TcamFull {
        /// Number of entries.
        capacity: usize,
    },
    /// Each rule id is in use, or was so recently that packets in the device may refer to it.
    #[error(
        "no rule id to be had: of {capacity}, {resting} are free, but packets in the device may still refer to them"
    )]
    NoRuleId {
        /// Ids that will be free when the packets that are in the device have left it.
        resting: usize,
        /// All ids.
        capacity: usize,
    },
    /// Too few continuation steps are free, or they were in use so recently that packets in the device may refer to them.
    #[error(
        "the program needs {needed} continuation steps: {free} of {capacity} are free, with those that packets in the device may still refer to"
    )]
    NoSteps {
        /// Steps after the first.
        needed: usize,
        /// Free ones, with those that packets in the device may still refer to.
        free: usize,
        /// All continuation steps.
        capacity: usize,
    },
    /// A program needs a step.
    #[error("the action program has no step")]
    EmptyProgram,
    /// The device has fewer continuation steps in all.
    #[error("the action program has {steps} steps, the device holds at most {most}")]
    ProgramTooLong {
        /// Steps of the program.
        steps: usize,
        /// Steps of the longest possible program.
        most: usize,
    },
    /// At most two tags can be popped, at most two pushed.
    #[error("step {step} of the action program pops or pushes more than two VLAN tags")]
    TooManyTags {
        /// Position in the program, from 0.
        step: usize,
    },
    /// The caller of [`Rules::insert_if`] did not want it any more.
    #[error("the rule was held back")]
    HeldBack,
    /// The rule was deleted.
    #[error("there is no rule {0} any more")]
    NoSuchRule(RuleId),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// What the manager knows of a rule id.
#[derive(Copy, Clone, Default)]
struct Slot {
    generation: u32,
    home: Home,
    /// Counters when the rule was inserted.
    baseline: Count,
    /// The device's counters of this id are not known to be `baseline`.
    unknown: bool,
}

#[derive(Copy, Clone, Default, PartialEq)]
enum Home {
    #[default]
    None,
    Hash,
    Tcam {
        entry: u32,
        priority: u16,
    },
}

enum Target {
    Hash(Room),
    Tcam(u32),
}

/// The rules of a device. There must be only one manager of a device, and nobody else may use its command interface;
/// methods take the device each time, so that its owner can use it in between.
///
/// Each method returns when the device works by it: a packet that enters afterwards is matched accordingly. While a method
/// runs every packet is handled by a rule that is in the tables before or after it; a rule that is in them before and after
/// is found at every moment. Packets that were matched before keep the whole program they were matched to.
pub struct Rules {
    config: Config,
    commands: Commands,
    claim: Claim,
    hash: HashTables,
    tcam: Tcam,
    programs: Programs,
    ids: Pool,
    slots: Vec<Slot>,
    rules: usize,
    last_counts: VecDeque<(RuleId, Count)>,
}

impl Rules {
    /// Takes the device's tables as [`Owner::MILLRACE`]. Rules that an earlier manager of this name left in them are cleared.
    ///
    /// # Errors
    /// As [`Self::with_owner`].
    pub fn new(device: &mut dyn Device) -> Result<Self, DeviceError> {
        Self::with_owner(device, Owner::MILLRACE, Others::Refuse)
    }

    /// Takes the device's tables for `owner`. Rules that are in them are cleared, and with them the counters of rules and verdicts.
    ///
    /// # Errors
    /// If it is no Millrace device that this driver knows, or cannot be reached; [`DeviceError::Owned`] if the tables are another's and `others`
    /// does not say to take them over, or if another was faster.
    pub fn with_owner(device: &mut dyn Device, owner: Owner, others: Others) -> Result<Self, DeviceError> {
        let config = discover(device)?;
        let mut commands = Commands::new();
        let claim = Claim::new(&mut commands, device, owner, others)?;
        let ids = Pool::new(config.rule_ids());
        Ok(Self {
            config,
            commands,
            claim,
            hash: HashTables::new(&config, ids.capacity()),
            tcam: Tcam::new(config.tcam_entries),
            programs: Programs::new(ids.capacity(), config.steps()),
            slots: vec![Slot::default(); ids.capacity()],
            ids,
            rules: 0,
            last_counts: VecDeque::new(),
        })
    }

    /// Makes sure that the tables are still as this manager left them: nobody reset the device, cleared them or took them over.
    ///
    /// # Errors
    /// [`DeviceError::TablesLost`] if they are not. The manager is of no use then: a new one starts with empty tables.
    pub fn check_owner(&self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.claim.check(device)
    }

    /// Ends the manager, and leaves the tables empty for another owner. (A manager that is dropped leaves its rules in force until the next one of the same
    /// owner starts.)
    ///
    /// # Errors
    /// As [`Self::check_owner`], or if the device cannot be reached.
    pub fn release(mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.claim.release(&mut self.commands, device)
    }

    /// The sizes of the device.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Number of rules in all tables.
    pub fn len(&self) -> usize {
        self.rules
    }

    /// Whether all tables are empty.
    pub fn is_empty(&self) -> bool {
        self.rules == 0
    }

    /// Inserts a rule with an action program of at least one step (`more` and `next` are the manager's to set).
    ///
    /// # Errors
    /// [`RuleError::Duplicate`], one of the ways in which something is full, a program that the hardware cannot hold, or a
    /// failure of the device.
    pub fn insert(&mut self, device: &mut dyn Device, spec: &RuleSpec, program: &[Step]) -> Result<RuleId, RuleError> {
        self.insert_if(device, spec, program, |_| true)
    }

    /// As [`insert`](Self::insert), if the caller still agrees when all is ready: one command later the rule takes effect.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); [`RuleError::HeldBack`] if the caller does not agree.
    pub fn insert_if(
        &mut self,
        device: &mut dyn Device,
        spec: &RuleSpec,
        program: &[Step],
        agrees: impl FnOnce(&dyn Device) -> bool,
    ) -> Result<RuleId, RuleError> {
        self.programs.check(program)?;
        let (key, mask) = ((spec.key & spec.mask).pack(), spec.mask.pack());
        let target = self.target(&key, &mask, spec.placement)?;
        let number = self.take_id(device)?;
        let new = NewRule { key: &key, mask: &mask, priority: spec.priority };
        let ready = self.make_ready(device, &target, number, &new, program);
        let agreed = ready.and_then(|()| if agrees(&*device) { Ok(()) } else { Err(self.hold_back(device, &target)) });
        match agreed.and_then(|()| self.insert_at(device, target, number, &new)) {
            Ok(home) => Ok(self.inserted(number, home)),
            Err(error) => {
                self.programs.free(number);
                self.ids.untake(number);
                Err(error)
            }
        }
    }

    fn take_id(&mut self, device: &mut dyn Device) -> Result<u16, RuleError> {
        if let Some(number) = self.ids.take() {
            return Ok(number);
        }
        self.settle(device)?;
        self.ids.take().ok_or(RuleError::NoRuleId { resting: self.ids.free(), capacity: self.ids.capacity() })
    }

    fn target(&mut self, key: &KeyWords, mask: &KeyWords, placement: Placement) -> Result<Target, RuleError> {
        match placement {
            Placement::Hash => self.hash_target(key, mask),
            Placement::Tcam => self.tcam_target(key, mask),
            Placement::Auto => match self.hash_target(key, mask) {
                Err(full @ (RuleError::TableFull { .. } | RuleError::NoFreeTable { .. })) => {
                    // If both are full the hash table is what the caller should hear about.
                    self.tcam_target(key, mask).map_err(|error| match error {
                        RuleError::TcamFull { .. } => full,
                        other => other,
                    })
                }
                other => other,
            },
        }
    }

    fn hash_target(&mut self, key: &KeyWords, mask: &KeyWords) -> Result<Target, RuleError> {
        match self.hash.find(key, mask) {
            Some(number) => Err(RuleError::Duplicate(self.id(number))),
            None => self.hash.room(key, mask).map(Target::Hash),
        }
    }

    fn tcam_target(&self, value: &KeyWords, mask: &KeyWords) -> Result<Target, RuleError> {
        match self.tcam.find(value, mask) {
            Some(number) => Err(RuleError::Duplicate(self.id(number))),
            None => self.tcam_vacant().map(Target::Tcam),
        }
    }

    fn tcam_vacant(&self) -> Result<u32, RuleError> {
        self.tcam.vacant().ok_or(RuleError::TcamFull { capacity: self.tcam.capacity() })
    }

    /// Writes the program first: an entry selects it from the moment it is there. Then all of the entry but its last command.
    fn make_ready(
        &mut self,
        device: &mut dyn Device,
        target: &Target,
        number: u16,
        new: &NewRule<'_>,
        program: &[Step],
    ) -> Result<(), RuleError> {
        if self.slots[usize::from(number)].unknown {
            let count = counters::read(&mut self.commands, device, Command::ReadRuleCounter, number.into())?;
            self.rebase(number, count);
        }
        self.programs.write(&mut self.commands, device, number, program)?;
        match *target {
            Target::Hash(room) => self.hash.make_way(&mut self.commands, device, room, number, new)?,
            Target::Tcam(entry) => {
                self.commands.stage_tcam(device, entry, new.key, new.mask, new.priority, number)?;
            }
        }
        Ok(())
    }

    /// Takes back what was made ready.
    fn hold_back(&mut self, device: &mut dyn Device, target: &Target) -> RuleError {
        if let Target::Hash(room) = target {
            self.hash.give_way_back(&mut self.commands, device, *room);
        }
        RuleError::HeldBack
    }

    fn insert_at(
        &mut self,
        device: &mut dyn Device,
        target: Target,
        number: u16,
        new: &NewRule<'_>,
    ) -> Result<Home, RuleError> {
        match target {
            Target::Hash(room) => {
                self.hash.insert(&mut self.commands, device, room, number, new)?;
                Ok(Home::Hash)
            }
            Target::Tcam(entry) => {
                let content = Entry { rule: number, value: *new.key, mask: *new.mask };
                self.fill_tcam(device, entry, &content, new.priority)?;
                self.tcam.put(entry, content);
                Ok(Home::Tcam { entry, priority: new.priority })
            }
        }
    }

    fn inserted(&mut self, number: u16, home: Home) -> RuleId {
        let slot = &mut self.slots[usize::from(number)];
        slot.home = home;
        self.rules += 1;
        self.id(number)
    }

    fn id(&self, number: u16) -> RuleId {
        RuleId { number, generation: self.slots[usize::from(number)].generation }
    }

    fn slot(&self, rule: RuleId) -> Result<&Slot, RuleError> {
        let slot = self.slots.get(usize::from(rule.number)).ok_or(RuleError::NoSuchRule(rule))?;
        match slot.home {
            Home::None => Err(RuleError::NoSuchRule(rule)),
            _ if slot.generation != rule.generation => Err(RuleError::NoSuchRule(rule)),
            _ => Ok(slot),
        }
    }

    /// Replaces a rule's action program: each packet gets the old one or the new one, whole.
    ///
    /// # Errors
    /// If the rule was deleted, the program cannot be held, or the device fails; the rule then keeps its program.
    pub fn update(&mut self, device: &mut dyn Device, rule: RuleId, program: &[Step]) -> Result<(), RuleError> {
        self.slot(rule)?;
        self.programs.write(&mut self.commands, device, rule.number, program)
    }

    /// Changes a rule's priority, without a moment in which the rule does not match.
    ///
    /// # Errors
    /// If the rule was deleted, the device fails, or the rule lies in the TCAM and no second entry is free.
    pub fn set_priority(&mut self, device: &mut dyn Device, rule: RuleId, priority: u16) -> Result<(), RuleError> {
        match self.slot(rule)?.home {
            Home::None => Err(RuleError::NoSuchRule(rule)),
            Home::Hash => Ok(self.hash.set_priority(&mut self.commands, device, rule.number, priority)?),
            Home::Tcam { entry, .. } => self.move_tcam(device, rule.number, entry, priority),
        }
    }

    /// A TCAM entry does not match while it is rewritten: writes another, then clears the old.
    fn move_tcam(&mut self, device: &mut dyn Device, number: u16, from: u32, priority: u16) -> Result<(), RuleError> {
        let to = self.tcam_vacant()?;
        let content = *self.tcam.get(from).expect("the rule's entry");
        self.fill_tcam(device, to, &content, priority)?;
        self.commands.clear_tcam(device, from).inspect_err(|_| self.vacate_tcam(device, to))?;
        self.tcam.remove(from);
        self.tcam.put(to, content);
        self.slots[usize::from(number)].home = Home::Tcam { entry: to, priority };
        Ok(())
    }

    /// Writes a vacant entry. On an error it is still vacant.
    fn fill_tcam(
        &mut self,
        device: &mut dyn Device,
        entry: u32,
        content: &Entry,
        priority: u16,
    ) -> Result<(), DeviceError> {
        let Entry { rule, value, mask } = content;
        self.commands
            .write_tcam(device, entry, value, mask, priority, *rule)
            .inspect_err(|_| self.vacate_tcam(device, entry))
    }

    /// After a failed write: takes what may be in an entry out of the device, if it still can be reached. A copy left there
    /// would outlive its rule.
    fn vacate_tcam(&mut self, device: &mut dyn Device, entry: u32) {
        if let Err(error) = self.commands.clear_tcam(device, entry) {
            tracing::error!("TCAM entry {entry}: cannot be cleared after a failed write: {error}");
        }
    }

    /// Takes a rule out of its table. A table that loses its last rule is free for another mask. Packets that were matched to
    /// the rule before still count for it: see [`Self::settle`].
    ///
    /// # Errors
    /// If the rule was deleted already or the device fails.
    pub fn delete(&mut self, device: &mut dyn Device, rule: RuleId) -> Result<(), RuleError> {
        match self.slot(rule)?.home {
            Home::None => return Err(RuleError::NoSuchRule(rule)),
            Home::Hash => self.hash.remove(&mut self.commands, device, rule.number)?,
            Home::Tcam { entry, .. } => {
                self.commands.clear_tcam(device, entry)?;
                self.tcam.remove(entry);
            }
        }
        self.programs.free(rule.number);
        self.ids.retire(rule.number);
        let slot = &mut self.slots[usize::from(rule.number)];
        slot.home = Home::None;
        slot.generation = slot.generation.wrapping_add(1);
        self.rules -= 1;
        Ok(())
    }

    /// A rule's counters since it was inserted.
    ///
    /// # Errors
    /// If the rule was deleted or the device fails.
    pub fn counters(&mut self, device: &mut dyn Device, rule: RuleId) -> Result<RuleCounters, RuleError> {
        let baseline = self.slot(rule)?.baseline;
        let count = counters::read(&mut self.commands, device, Command::ReadRuleCounter, rule.number.into())?;
        let Count { packets, bytes } = count.since(baseline);
        if packets == 0 {
            // Epoch and hit flag may be those of the rule that had this id before.
            return Ok(RuleCounters { packets, bytes, epoch: None, hit: false });
        }
        let (epoch, hit) = counters::last_hit(device)?;
        Ok(RuleCounters { packets, bytes, epoch: Some(epoch), hit })
    }

    /// Notes the last counts of those deleted rules that no packet in the device belongs to any more: see
    /// [`Self::last_counts`]. Their ids are free then.
    ///
    /// # Errors
    /// If the device fails.
    pub fn settle(&mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        let settled = self.ids.settle(device)?;
        settled.iter().for_each(|number| self.slots[usize::from(*number)].unknown = true);
        for number in settled {
            let count = counters::read(&mut self.commands, device, Command::ReadRuleCounter, number.into())?;
            let Slot { generation, baseline, .. } = self.slots[usize::from(number)];
            let rule = RuleId { number, generation: generation.wrapping_sub(1) };
            self.last_counts.push_back((rule, count.since(baseline)));
            self.rebase(number, count);
        }
        let excess = self.last_counts.len().saturating_sub(self.ids.capacity());
        self.last_counts.drain(..excess);
        Ok(())
    }

    fn rebase(&mut self, number: u16, count: Count) {
        let slot = &mut self.slots[usize::from(number)];
        (slot.baseline, slot.unknown) = (count, false);
    }

    /// What deleted rules had counted from their insertion to their last packet, once for each rule. No more are kept than
    /// the device has rule ids; the oldest go first.
    pub fn last_counts(&mut self) -> impl Iterator<Item = (RuleId, Count)> {
        self.last_counts.drain(..)
    }

    /// What became of the frames that came in on a vport, and of packet-outs to it, since the tables were cleared. `V`, the number of vports,
    /// stands for all vports that do not exist.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Panics
    /// If `vport` is greater than `V`.
    pub fn verdicts(&mut self, device: &mut dyn Device, vport: u8) -> Result<Verdicts, DeviceError> {
        assert!(usize::from(vport) <= self.config.vports(), "there is no vport {vport}");
        counters::verdicts(&mut self.commands, device, vport)
    }

    /// What a transmit queue counted since reset; `V`, the number of vports, is the upcall queue.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Panics
    /// If `queue` is greater than `V`.
    pub fn queue_stats(&self, device: &mut dyn Device, queue: u8) -> Result<QueueStats, DeviceError> {
        assert!(usize::from(queue) <= self.config.vports(), "there is no queue {queue}");
        counters::queue(device, queue.into())
    }

    /// Whether a full queue drops frames, or stops the pipeline (after reset). `V`, the number of vports, is the upcall queue.
    ///
    /// # Errors
    /// If the device fails.
    ///
    /// # Panics
    /// If `queue` is greater than `V`.
    pub fn set_drop_when_full(&self, device: &mut dyn Device, queue: u8, drop: bool) -> Result<(), DeviceError> {
        assert!(usize::from(queue) <= self.config.vports(), "there is no queue {queue}");
        device.write32(addr::queue_ctrl(queue.into()), drop.into())
    }

    /// Starts an epoch of the ageing: hit flags read false until their rules are hit again.
    ///
    /// # Errors
    /// If the device fails.
    pub fn set_epoch(&self, device: &mut dyn Device, epoch: u32) -> Result<(), DeviceError> {
        device.write32(addr::AGE_EPOCH, epoch)
    }

    /// Reads and clears `EVENTS`: 0, unless somebody gave a command that the device refused.
    ///
    /// # Errors
    /// If the device fails.
    pub fn take_events(&self, device: &mut dyn Device) -> Result<u32, DeviceError> {
        let events = device.read32(addr::EVENTS)?;
        if events != 0 {
            device.write32(addr::EVENTS, events)?;
        }
        Ok(events)
    }

    /// To be called after somebody else wrote `DATA` or `INDEX`.
    pub fn forget_staging(&mut self) {
        self.commands.forget();
    }

    /// The hash tables with their masks.
    pub fn tables(&self) -> impl Iterator<Item = TableInfo> {
        self.hash.list()
    }

    /// Rules in the TCAM, and its entries.
    pub fn tcam_load(&self) -> (usize, usize) {
        (self.tcam.len(), self.tcam.capacity())
    }

    /// Continuation steps in no program, and all there are.
    pub fn steps_free(&self) -> (usize, usize) {
        self.programs.steps_free()
    }

    /// Where a rule lies.
    ///
    /// # Errors
    /// If the rule was deleted.
    pub fn place(&self, rule: RuleId) -> Result<Place, RuleError> {
        Ok(self.place_of(rule.number, self.slot(rule)?.home))
    }

    fn place_of(&self, number: u16, home: Home) -> Place {
        match home {
            Home::Tcam { entry, .. } => Place::Tcam { entry },
            _ => {
                let (table, slot) = self.hash.place(number);
                Place::Hash { table, slot }
            }
        }
    }

    /// A rule, as it was inserted and updated.
    ///
    /// # Errors
    /// If the rule was deleted.
    pub fn get(&self, rule: RuleId) -> Result<RuleInfo, RuleError> {
        let home = self.slot(rule)?.home;
        let (key, mask, priority) = match home {
            Home::Tcam { entry, priority } => {
                let content = self.tcam.get(entry).expect("the rule's entry");
                (content.value, content.mask, priority)
            }
            _ => self.hash.content(rule.number),
        };
        Ok(RuleInfo {
            id: rule,
            key: Key::unpack(&key),
            mask: Mask::unpack(&mask),
            priority,
            place: self.place_of(rule.number, home),
            program: self.programs.program(rule.number),
        })
    }

    /// All rules, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = RuleInfo> {
        let live = (0..).zip(&self.slots).filter(|(_, slot)| slot.home != Home::None);
        live.map(|(number, _)| self.get(self.id(number)).expect("a rule in a table"))
    }
}
