// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path's view of the rule tables: megaflows go in under their own mask, or under a narrower one that a table has.

use super::refusal::Refusal;
use millrace_driver::{Count, Device, DeviceError, Placement, RuleError, RuleId, RuleSpec, Rules, TableInfo};
use millrace_regs::{Key, Mask, Step};

/// Priority of every rule. Megaflows that overlap agree on what to do, so that it does not matter which one a packet hits.
const PRIORITY: u16 = 1;

/// Where megaflows are handed over to.
pub trait Offload {
    /// Names a rule that was taken.
    type Rule: Copy + Eq + std::hash::Hash + std::fmt::Debug;

    /// The mask under which a megaflow with this mask would be taken: its own, or one that looks at more.
    ///
    /// # Errors
    /// If no table has room for such a mask, or the device failed.
    fn place(&mut self, mask: &Mask) -> Result<Mask, Refusal>;

    /// Takes a rule, under a mask from [`place`](Self::place). `hurry`: also if an upcall is waiting, which may be of its flow.
    ///
    /// # Errors
    /// If it cannot be taken, or not yet; all rules are as they were.
    fn insert(&mut self, key: &Key, mask: &Mask, program: &[Step], hurry: bool) -> Result<Self::Rule, Refusal>;

    /// Gives a rule another program.
    ///
    /// # Errors
    /// If that cannot be done; the rule is as it was.
    fn update(&mut self, rule: Self::Rule, program: &[Step]) -> Result<(), Refusal>;

    /// Takes a rule out. Packets that were matched before may still count for it.
    fn remove(&mut self, rule: Self::Rule);

    /// The rules that were taken out and for which no packet can count any more, each once, with all that they have counted.
    fn last_counts(&mut self) -> Vec<(Self::Rule, Count)>;

    /// What a rule has counted so far.
    fn hits(&mut self, rule: Self::Rule) -> Hits;
}

/// What a rule has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// Packets and bytes since the rule was inserted.
    pub count: Count,
    /// Epoch of the last packet.
    pub epoch: Option<u32>,
}

/// The rule tables of a device. A failure of the device is kept in `error`; from then on nothing is taken.
pub struct Tables<'a> {
    /// The rule manager.
    pub rules: &'a mut Rules,
    /// The device.
    pub device: &'a mut dyn Device,
    /// Looks at every bit that a megaflow of the present flow tables can look at: any of them fits under it.
    pub widest: Mask,
    /// The first failure.
    pub error: Option<DeviceError>,
}

/// Bits that a mask looks at.
fn bits(mask: &Mask) -> u32 {
    mask.pack().iter().map(|word| word.count_ones()).sum()
}

/// The mask with every field that it looks at whole; addresses in steps of 8 bits.
fn coarse(mask: &Mask) -> Mask {
    let all = Mask::EXACT;
    let tag = |tci: u16| if tci & !0x1000 != 0 { 0xffff } else { tci };
    Mask {
        in_port: if mask.in_port != 0 { all.in_port } else { 0 },
        nw_frag: if mask.nw_frag != 0 { all.nw_frag } else { 0 },
        vlan_ad0: mask.vlan_ad0,
        vlan_ad1: mask.vlan_ad1,
        tcp_flags: if mask.tcp_flags != 0 { all.tcp_flags } else { 0 },
        nw_ttl: if mask.nw_ttl != 0 { all.nw_ttl } else { 0 },
        dl_type: if mask.dl_type != 0 { all.dl_type } else { 0 },
        vlan_tci0: tag(mask.vlan_tci0),
        vlan_tci1: tag(mask.vlan_tci1),
        nw_proto: if mask.nw_proto != 0 { all.nw_proto } else { 0 },
        nw_tos: if mask.nw_tos != 0 { all.nw_tos } else { 0 },
        dl_dst: if mask.dl_dst != 0 { all.dl_dst } else { 0 },
        dl_src: if mask.dl_src != 0 { all.dl_src } else { 0 },
        tp_src: if mask.tp_src != 0 { all.tp_src } else { 0 },
        tp_dst: if mask.tp_dst != 0 { all.tp_dst } else { 0 },
        nw_src: bytes_of(mask.nw_src),
        nw_dst: bytes_of(mask.nw_dst),
    }
}

/// Every byte of which a bit is set, whole.
fn bytes_of(mask: u128) -> u128 {
    u128::from_ne_bytes(mask.to_ne_bytes().map(|byte| if byte != 0 { 0xff } else { 0 }))
}

fn has_room(table: &TableInfo) -> bool {
    table.rules < table.capacity
}

impl Tables<'_> {
    fn note(&mut self, error: RuleError) -> Refusal {
        let refusal = Refusal::from(&error);
        match error {
            RuleError::Device(error) => {
                tracing::error!("the device failed: {error}");
                self.error.get_or_insert(error);
            }
            error => tracing::debug!("rule refused: {error}"),
        }
        refusal
    }

    fn tcam_has_room(&self) -> bool {
        let (used, entries) = self.rules.tcam_load();
        used < entries
    }

    /// Whether a table can be given this mask. The first half of the tables go to any mask, later ones to masks of whole
    /// fields, which other megaflows are likely to share. The last free one is kept for the mask that covers all, unless a
    /// table has that.
    fn may_take_table(&self, mask: &Mask) -> bool {
        let (mut tables, mut free, mut covered) = (0, 0, mask.covers(&self.widest));
        for table in self.rules.tables() {
            tables += 1;
            free += usize::from(table.mask.is_none());
            covered |= table.mask.is_some_and(|mask| mask.covers(&self.widest));
        }
        let wanted = 2 * free > tables || *mask == coarse(mask) || *mask == *mask | self.widest;
        wanted && (free > 1 || free == 1 && covered)
    }

    fn in_hash(&self, mask: &Mask) -> bool {
        self.rules.tables().any(|table| table.mask == Some(*mask) && has_room(&table)) || self.may_take_table(mask)
    }

    /// The mask of the table that covers this one and looks at the fewest more bits.
    fn covering(&self, mask: &Mask) -> Option<Mask> {
        let tables = self.rules.tables().filter(has_room).filter_map(|table| table.mask);
        tables.filter(|own| own.covers(mask)).min_by_key(bits)
    }

    fn try_insert(&mut self, spec: &RuleSpec, program: &[Step], hurry: bool) -> Result<RuleId, RuleError> {
        self.rules.insert_if(self.device, spec, program, |device| hurry || !device.upcall_waiting())
    }
}

impl Offload for Tables<'_> {
    type Rule = RuleId;

    fn place(&mut self, mask: &Mask) -> Result<Mask, Refusal> {
        if self.error.is_some() {
            return Err(Refusal::Failed);
        }
        if self.in_hash(mask) || self.tcam_has_room() {
            return Ok(*mask);
        }
        let coarse = coarse(mask);
        if self.in_hash(&coarse) {
            return Ok(coarse);
        }
        let all = *mask | self.widest;
        let covering = self.covering(mask).or_else(|| self.may_take_table(&all).then_some(all));
        covering.ok_or(Refusal::NoRoom)
    }

    fn insert(&mut self, key: &Key, mask: &Mask, program: &[Step], hurry: bool) -> Result<RuleId, Refusal> {
        let placement = if self.in_hash(mask) { Placement::Hash } else { Placement::Tcam };
        let mut spec = RuleSpec { key: *key, mask: *mask, priority: PRIORITY, placement };
        let mut result = self.try_insert(&spec, program, hurry);
        if matches!(result, Err(RuleError::TableFull { .. } | RuleError::NoFreeTable { .. })) && self.tcam_has_room() {
            spec.placement = Placement::Tcam;
            result = self.try_insert(&spec, program, hurry);
        }
        result.map_err(|error| self.note(error))
    }

    fn update(&mut self, rule: RuleId, program: &[Step]) -> Result<(), Refusal> {
        self.rules.update(self.device, rule, program).map_err(|error| self.note(error))
    }

    fn remove(&mut self, rule: RuleId) {
        if let Err(error) = self.rules.delete(self.device, rule) {
            self.note(error);
        }
    }

    fn last_counts(&mut self) -> Vec<(RuleId, Count)> {
        if let Err(error) = self.rules.settle(self.device) {
            self.note(error.into());
        }
        self.rules.last_counts().collect()
    }

    fn hits(&mut self, rule: RuleId) -> Hits {
        match self.rules.counters(self.device, rule) {
            Ok(c) => Hits { count: Count { packets: c.packets, bytes: c.bytes }, epoch: c.epoch },
            Err(error) => {
                self.note(error);
                Hits::default()
            }
        }
    }
}
