// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a rule goes: under which mask, into which kind of tables, or nowhere. All others ask here.

use crate::commands::Commands;
use crate::cuckoo::Slot;
use crate::image::Contents;
use crate::placer::Placer;
use crate::tables::{HashTables, TableInfo};
use crate::tcam::Tcam;
use crate::words::KeyWords;
use crate::{Choice, DeviceError, Placement, RuleError};
use millrace_regs::Mask;
use millrace_regs::config::Config;

/// A kind of tables.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hash,
    Tcam,
}

impl Kind {
    /// Where a rule may lie; the next kind is for what the one before has no room for.
    pub fn of(placement: Placement) -> &'static [Kind] {
        match placement {
            Placement::Auto => &[Kind::Hash, Kind::Tcam],
            Placement::Hash => &[Kind::Hash],
            Placement::Tcam => &[Kind::Tcam],
        }
    }
}

/// Copies of rules, each of which lies elsewhere too: what a manager left that ended while it moved a rule or changed a priority.
pub(crate) struct Surplus {
    slots: Vec<(u8, Slot)>,
    tcam: Vec<usize>,
}

impl Surplus {
    /// Takes the copies out.
    pub fn clear(&mut self, commands: &mut Commands<'_>) -> Result<(), DeviceError> {
        self.slots.drain(..).try_for_each(|(table, slot)| commands.clear_entry(table, slot))?;
        self.tcam.drain(..).try_for_each(|entry| commands.clear_tcam(entry as u32))
    }
}

/// All tables of a device.
pub(crate) struct Tables {
    pub hash: HashTables,
    pub tcam: Tcam,
}

impl Tables {
    pub fn new(config: &Config, rule_ids: usize) -> Self {
        Self { hash: HashTables::new(config, rule_ids), tcam: Tcam::new(config.tcam_entries) }
    }

    /// What an earlier manager left.
    ///
    /// # Errors
    /// What is wrong with the image, if it cannot be what a manager left.
    pub fn resume(contents: &Contents, config: &Config, rule_ids: usize) -> Result<(Self, Surplus), String> {
        let (hash, slots) = HashTables::resume(contents, config, rule_ids)?;
        let (tcam, entries) = Tcam::resume(contents, config.tcam_entries, rule_ids)?;
        let tables = Self { hash, tcam };
        let homes = tables.homes(rule_ids);
        let twice = tables.tcam.numbers().find(|number| homes[usize::from(*number)] == Some(Kind::Hash));
        match twice {
            Some(number) => Err(format!("rule {number} lies in a hash table and in the TCAM")),
            None => Ok((tables, Surplus { slots, tcam: entries })),
        }
    }

    /// The kind of tables that each rule lies in.
    pub fn homes(&self, rule_ids: usize) -> Vec<Option<Kind>> {
        let mut homes = vec![None; rule_ids];
        self.tcam.numbers().for_each(|number| homes[usize::from(number)] = Some(Kind::Tcam));
        self.hash.numbers().for_each(|number| homes[usize::from(number)] = Some(Kind::Hash));
        homes
    }

    /// The tables of a kind.
    pub fn of(&self, kind: Kind) -> &dyn Placer {
        match kind {
            Kind::Hash => &self.hash,
            Kind::Tcam => &self.tcam,
        }
    }

    /// The tables of a kind, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut dyn Placer {
        match kind {
            Kind::Hash => &mut self.hash,
            Kind::Tcam => &mut self.tcam,
        }
    }

    /// Finds room for a new rule's masked key in tables of this kind.
    pub fn room(&mut self, kind: Kind, key: &KeyWords, mask: &KeyWords) -> Result<(), RuleError> {
        let tables = self.of_mut(kind);
        match tables.find(key, mask) {
            Some(rule) => Err(RuleError::Duplicate(rule)),
            None => tables.room(key, mask),
        }
    }

    /// Which mask rules of a mask go in under, and where; none if nowhere. All masks to come are covered by `widest`.
    pub fn choose(&self, mask: &Mask, widest: &Mask) -> Option<Choice> {
        let hash = |mask| Choice { mask, placement: Placement::Auto };
        if self.hash_takes(mask, widest) {
            return Some(hash(*mask));
        }
        if self.tcam.len() < self.tcam.capacity() {
            return Some(Choice { mask: *mask, placement: Placement::Tcam });
        }
        let coarse = coarse(mask);
        if self.hash_takes(&coarse, widest) {
            return Some(hash(coarse));
        }
        let all = *mask | *widest;
        self.covering(mask).or_else(|| self.may_take_table(&all, widest).then_some(all)).map(hash)
    }

    fn hash_takes(&self, mask: &Mask, widest: &Mask) -> bool {
        self.hash.list().any(|table| table.mask == Some(*mask) && has_room(&table)) || self.may_take_table(mask, widest)
    }

    /// Whether a table can be given this mask. The first half of the tables go to any mask, later ones to masks of whole
    /// fields, which other rules are likely to share. The last free one is kept for the mask that covers all, unless a
    /// table has that.
    fn may_take_table(&self, mask: &Mask, widest: &Mask) -> bool {
        let (mut tables, mut free, mut covered) = (0, 0, mask.covers(widest));
        for table in self.hash.list() {
            tables += 1;
            free += usize::from(table.mask.is_none());
            covered |= table.mask.is_some_and(|mask| mask.covers(widest));
        }
        let wanted = 2 * free > tables || *mask == coarse(mask) || *mask == *mask | *widest;
        wanted && (free > 1 || free == 1 && covered)
    }

    /// The mask of the table that covers this one and looks at the fewest more bits.
    fn covering(&self, mask: &Mask) -> Option<Mask> {
        let tables = self.hash.list().filter(has_room).filter_map(|table| table.mask);
        tables.filter(|own| own.covers(mask)).min_by_key(bits)
    }
}

fn has_room(table: &TableInfo) -> bool {
    table.rules < table.capacity
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
        metadata: mask.metadata,
        pass: if mask.pass != 0 { all.pass } else { 0 },
    }
}

/// Every byte of which a bit is set, whole.
fn bytes_of(mask: u128) -> u128 {
    u128::from_ne_bytes(mask.to_ne_bytes().map(|byte| if byte != 0 { 0xff } else { 0 }))
}
