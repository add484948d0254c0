// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager: places rules in the device's tables, and keeps track of what is where.

use crate::claim::Claim;
use crate::commands::Staging;
use crate::counters::{self, Count, QueueStats, RuleCounters, Verdicts};
use crate::discover::lengths;
use crate::image::{Contents, Image, Layout};
use crate::left::Left;
use crate::owner::{Others, Owner};
use crate::placement::{Kind, Tables};
use crate::placer::NewRule;
use crate::pool::Pool;
use crate::programs::Programs;
use crate::tables::TableInfo;
use crate::words::KeyWords;
use crate::{Choice, Device, DeviceError, Place, RuleError, RuleId, RuleInfo, RuleSpec, discover};
use millrace_regs::config::Config;
use millrace_regs::{Command, Key, Mask, Step, addr};
use std::collections::VecDeque;

/// What the manager knows of a rule id.
#[derive(Copy, Clone, Default)]
struct Slot {
    generation: u32,
    /// The tables that the rule lies in, if there is one.
    home: Option<Kind>,
    /// Counters when the rule was inserted.
    baseline: Count,
    /// The device's counters of this id are not known to be `baseline`.
    unknown: bool,
}

/// A rule that was in the tables when a manager took them over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rule.
    pub rule: RuleInfo,
    /// The key that it was inserted with, also where its mask does not look.
    pub key: Key,
}

/// The rules of a device. There must be only one manager of a device, and nobody else may use its command interface;
/// methods take the device each time, so that its owner can use it in between.
///
/// Each method returns when the device works by it: a packet that enters afterwards is matched accordingly. While a method
/// runs every packet is handled by a rule that is in the tables before or after it; a rule that is in them before and after
/// is found at every moment. Packets that were matched before keep the whole program they were matched to.
pub struct Rules {
    config: Config,
    staging: Staging,
    claim: Claim,
    tables: Tables,
    programs: Programs,
    ids: Pool,
    slots: Vec<Slot>,
    rules: usize,
    last_counts: VecDeque<(RuleId, Count)>,
}

impl Rules {
    /// Takes the device's tables as [`Owner::MILLRACE`]. Rules that an earlier manager of this crate left in them are cleared.
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
        let mut staging = Staging::new(lengths(device, &config)?);
        let claim = Claim::new(&mut staging.on(device), owner, others)?;
        Ok(Self::empty(config, staging, claim))
    }

    /// Takes the device's tables, and keeps in `image` what they hold. If it already shows them, their rules are taken over, whatever the manager
    /// before was doing when it ended: each is found at every moment, with the program that it has, and counts from 0. An operation that was under
    /// way has been carried out or not. Otherwise rules are cleared, as by [`Self::with_owner`].
    ///
    /// # Errors
    /// As [`Self::with_owner`], or if the image cannot be read or written.
    pub fn with_image(
        device: &mut dyn Device,
        mut image: Image,
        others: Others,
    ) -> Result<(Self, Vec<Found>), DeviceError> {
        let config = discover(device)?;
        let layout = Layout::of(&config, lengths(device, &config)?);
        let mut staging = Staging::new(layout.lengths);
        if let Some((owner, generation)) = image.bound(&layout)?
            && let Some(claim) = Claim::resume(&mut staging.on(device), owner, generation)?
        {
            let (contents, under_way) = image.contents(layout)?;
            match Left::read(&contents, under_way, &config, ids(&config).capacity()) {
                Ok(left) => {
                    staging.image = Some(image);
                    return Self::resume(device, config, staging, claim, left, &contents);
                }
                Err(problem) => {
                    tracing::error!("the tables are cleared, for their image cannot be right: {problem}");
                }
            }
        }
        image.clear(layout)?;
        let claim = Claim::new(&mut staging.on(device), Owner::drawn(), others)?;
        let (owner, generation) = claim.parts();
        image.bind(owner, generation)?;
        staging.image = Some(image);
        Ok((Self::empty(config, staging, claim), vec![]))
    }

    /// A manager of empty tables.
    fn empty(config: Config, staging: Staging, claim: Claim) -> Self {
        let ids = ids(&config);
        Self {
            config,
            staging,
            claim,
            tables: Tables::new(&config, ids.capacity()),
            programs: Programs::new(ids.capacity(), config.steps()),
            slots: vec![Slot::default(); ids.capacity()],
            ids,
            rules: 0,
            last_counts: VecDeque::new(),
        }
    }

    /// A manager of what another left.
    fn resume(
        device: &mut dyn Device,
        config: Config,
        mut staging: Staging,
        claim: Claim,
        mut left: Left,
        contents: &Contents,
    ) -> Result<(Self, Vec<Found>), DeviceError> {
        left.mend(&mut staging.on(device))?;
        let Left { tables, programs, homes, .. } = left;
        let ids = Pool::resume(homes.len(), |id| homes[id].is_some());
        let slots = homes.into_iter().map(|home| Slot { home, unknown: true, ..Slot::default() }).collect();
        let mut rules = Self { tables, programs, slots, ids, ..Self::empty(config, staging, claim) };
        let mut found = vec![];
        for number in 0..rules.slots.len() {
            if rules.slots[number].home.is_some() {
                rules.count_from_here(device, number as u16)?;
                let rule = rules.get(rules.id(number as u16)).expect("a rule in a table");
                found.push(Found { rule, key: Key::unpack(&contents.given(number)) });
            }
        }
        rules.rules = found.len();
        Ok((rules, found))
    }

    /// Makes sure that the tables are still as this manager left them: nobody reset the device, cleared them or took them over.
    ///
    /// # Errors
    /// [`DeviceError::TablesLost`] if they are not. The manager is of no use then: a new one starts with empty tables.
    pub fn check_owner(&self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.claim.check(device)
    }

    /// Ends the manager, and leaves the tables empty for another owner. (A manager that is dropped leaves its rules in force: with an image for the next
    /// one that gets it, else until the next one of the same owner starts.)
    ///
    /// # Errors
    /// As [`Self::check_owner`], or if the device cannot be reached.
    pub fn release(mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.claim.check(device)?;
        if let Some(mut image) = self.staging.image.take() {
            image.unbind()?;
        }
        self.claim.release(&mut self.staging.on(device))
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
        agrees: impl Fn(&dyn Device) -> bool,
    ) -> Result<RuleId, RuleError> {
        self.programs.check(program)?;
        self.check_passes(&(spec.key & spec.mask), program)?;
        let spec = &RuleSpec { mask: self.known(&spec.mask), ..*spec };
        let mut full = None;
        for &kind in Kind::of(spec.placement) {
            match self.insert_in(device, kind, spec, program, &agrees) {
                Err(error) if error.is_full() => full = full.or(Some(error)),
                result => return result,
            }
        }
        // If several are full the first is what the caller should hear about.
        Err(full.expect("a rule may lie somewhere"))
    }

    /// A rule for packets of a later pass, or that makes one, takes a device that makes them.
    fn check_passes(&self, key: &Key, program: &[Step]) -> Result<(), RuleError> {
        let wanted = key.metadata != 0 || key.pass != 0 || program.iter().any(|step| step.look_again);
        if wanted && self.config.passes == 1 { Err(RuleError::OnePass) } else { Ok(()) }
    }

    /// What the device has of a mask: that fields which it has not must be 0 goes without saying.
    fn known(&self, mask: &Mask) -> Mask {
        if self.config.passes == 1 { Mask { metadata: 0, pass: 0, ..*mask } } else { *mask }
    }

    fn insert_in(
        &mut self,
        device: &mut dyn Device,
        kind: Kind,
        spec: &RuleSpec,
        program: &[Step],
        agrees: impl Fn(&dyn Device) -> bool,
    ) -> Result<RuleId, RuleError> {
        let (key, mask) = ((spec.key & spec.mask).pack(), spec.mask.pack());
        self.tables.room(kind, &key, &mask)?;
        let number = self.take_id(device)?;
        let new = NewRule { id: self.id(number), key: &key, mask: &mask, priority: spec.priority };
        let inserted = self.make_ready(device, kind, &new, &spec.key.pack(), program).and_then(|()| {
            let tables = self.tables.of_mut(kind);
            if agrees(&*device) {
                tables.insert(&mut self.staging.on(device), &new)
            } else {
                tables.give_way_back(&mut self.staging.on(device));
                Err(RuleError::HeldBack)
            }
        });
        if let Err(error) = inserted {
            self.programs.free(number);
            self.ids.untake(number);
            return Err(error);
        }
        self.slots[usize::from(number)].home = Some(kind);
        self.rules += 1;
        Ok(new.id)
    }

    /// Which mask rules of a mask should go in under, and where; none if nowhere. It may be one that looks at more, if no table can
    /// be had for its own: then rules of many masks can share a table. `widest` looks at all that masks to come may look at.
    pub fn choose(&self, mask: &Mask, widest: &Mask) -> Option<Choice> {
        self.tables.choose(&self.known(mask), &self.known(widest))
    }

    fn take_id(&mut self, device: &mut dyn Device) -> Result<u16, RuleError> {
        if let Some(number) = self.ids.take() {
            return Ok(number);
        }
        self.settle(device)?;
        self.ids.take().ok_or(RuleError::NoRuleId { resting: self.ids.free(), capacity: self.ids.capacity() })
    }

    /// Writes the program first: an entry selects it from the moment it is there. Then all of the entry but its last command. `given` is the
    /// whole key.
    fn make_ready(
        &mut self,
        device: &mut dyn Device,
        kind: Kind,
        new: &NewRule<'_>,
        given: &KeyWords,
        program: &[Step],
    ) -> Result<(), RuleError> {
        let number = new.id.number;
        if self.slots[usize::from(number)].unknown {
            self.count_from_here(device, number)?;
        }
        if let Some(image) = &mut self.staging.image {
            image.note_given(number, given)?;
        }
        self.programs.write(&mut self.staging.on(device), number, program)?;
        self.tables.of_mut(kind).make_way(&mut self.staging.on(device), new)
    }

    /// What an id has counted until now is not its rule's.
    fn count_from_here(&mut self, device: &mut dyn Device, number: u16) -> Result<(), DeviceError> {
        let count = counters::read(&mut self.staging.on(device), Command::ReadRuleCounter, number.into())?;
        self.rebase(number, count);
        Ok(())
    }

    fn id(&self, number: u16) -> RuleId {
        RuleId { number, generation: self.slots[usize::from(number)].generation }
    }

    /// The kind of tables that a rule lies in.
    fn home(&self, rule: RuleId) -> Result<Kind, RuleError> {
        let slot = self.slots.get(usize::from(rule.number)).filter(|slot| slot.generation == rule.generation);
        slot.and_then(|slot| slot.home).ok_or(RuleError::NoSuchRule(rule))
    }

    /// Replaces a rule's action program: each packet gets the old one or the new one, whole.
    ///
    /// # Errors
    /// If the rule was deleted, the program cannot be held, or the device fails; the rule then keeps its program.
    pub fn update(&mut self, device: &mut dyn Device, rule: RuleId, program: &[Step]) -> Result<(), RuleError> {
        self.home(rule)?;
        self.check_passes(&Key::ZERO, program)?;
        self.programs.write(&mut self.staging.on(device), rule.number, program)
    }

    /// Changes a rule's priority, without a moment in which the rule does not match.
    ///
    /// # Errors
    /// If the rule was deleted, the device fails, or the rule lies in the TCAM and no second entry is free.
    pub fn set_priority(&mut self, device: &mut dyn Device, rule: RuleId, priority: u16) -> Result<(), RuleError> {
        let home = self.home(rule)?;
        self.tables.of_mut(home).set_priority(&mut self.staging.on(device), rule.number, priority)
    }

    /// Takes a rule out of its table. A table that loses its last rule is free for another mask. Packets that were matched to
    /// the rule before still count for it: see [`Self::settle`].
    ///
    /// # Errors
    /// If the rule was deleted already or the device fails.
    pub fn delete(&mut self, device: &mut dyn Device, rule: RuleId) -> Result<(), RuleError> {
        let home = self.home(rule)?;
        self.tables.of_mut(home).remove(&mut self.staging.on(device), rule.number)?;
        self.programs.free(rule.number);
        self.ids.retire(rule.number);
        let slot = &mut self.slots[usize::from(rule.number)];
        slot.home = None;
        slot.generation = slot.generation.wrapping_add(1);
        self.rules -= 1;
        Ok(())
    }

    /// A rule's counters since it was inserted.
    ///
    /// # Errors
    /// If the rule was deleted or the device fails.
    pub fn counters(&mut self, device: &mut dyn Device, rule: RuleId) -> Result<RuleCounters, RuleError> {
        self.home(rule)?;
        let baseline = self.slots[usize::from(rule.number)].baseline;
        let count = counters::read(&mut self.staging.on(device), Command::ReadRuleCounter, rule.number.into())?;
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
            let count = counters::read(&mut self.staging.on(device), Command::ReadRuleCounter, number.into())?;
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
        counters::verdicts(&mut self.staging.on(device), vport)
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
        self.staging.forget();
    }

    /// The hash tables with their masks.
    pub fn tables(&self) -> impl Iterator<Item = TableInfo> {
        self.tables.hash.list()
    }

    /// Rules in the TCAM, and its entries.
    pub fn tcam_load(&self) -> (usize, usize) {
        (self.tables.tcam.len(), self.tables.tcam.capacity())
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
        Ok(self.tables.of(self.home(rule)?).place(rule.number))
    }

    /// A rule, as it was inserted and updated.
    ///
    /// # Errors
    /// If the rule was deleted.
    pub fn get(&self, rule: RuleId) -> Result<RuleInfo, RuleError> {
        let tables = self.tables.of(self.home(rule)?);
        let (key, mask, priority) = tables.content(rule.number);
        Ok(RuleInfo {
            id: rule,
            key: Key::unpack(&key),
            mask: Mask::unpack(&mask),
            priority,
            place: tables.place(rule.number),
            program: self.programs.program(rule.number),
        })
    }

    /// All rules, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = RuleInfo> {
        self.iter_from(0)
    }

    /// The rules whose numbers are not below this one, in the order of their ids.
    pub fn iter_from(&self, number: u16) -> impl Iterator<Item = RuleInfo> {
        let live = (0..).zip(&self.slots).skip(number.into()).filter(|(_, slot)| slot.home.is_some());
        live.map(|(number, _)| self.get(self.id(number)).expect("a rule in a table"))
    }
}

/// The rule ids of a device, all free.
fn ids(config: &Config) -> Pool {
    Pool::new(config.rule_ids())
}
