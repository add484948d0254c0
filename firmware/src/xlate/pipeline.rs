// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flow tables, ready to be executed.

use super::group::SYMMETRIC;
use crate::classifier::Classifier;
use crate::openflow::group::{Group, GroupKind, HashFields};
use crate::openflow::{Action, Flow, FlowMask, FlowTable, Groups, Ports, Slot, TABLES, slot};
use std::sync::Arc;

/// All flow tables of a switch.
pub struct Pipeline {
    tables: Vec<Option<Box<Classifier>>>,
    flows: Vec<Flow>,
    live: Vec<bool>,
    ports: Ports,
    groups: Arc<Groups>,
    /// Flows with a timeout.
    timed: Vec<u32>,
}

impl Pipeline {
    /// Arranges flows for lookup. A flow's number is its position in `flows`.
    pub fn new(flows: FlowTable) -> Pipeline {
        let timed = |f: &Flow| f.idle_timeout != 0 || f.hard_timeout != 0;
        let mut pipeline = Pipeline {
            tables: Vec::new(),
            timed: (0..).zip(&flows.flows).filter(|(_, f)| timed(f)).map(|(n, _)| n).collect(),
            live: vec![true; flows.flows.len()],
            flows: flows.flows,
            ports: flows.ports,
            groups: flows.groups,
        };
        pipeline.tables = (0..TABLES).map(|table| pipeline.classifier(table as u8)).collect();
        pipeline
    }

    fn classifier(&self, table: u8) -> Option<Box<Classifier>> {
        let mut flows =
            (0u32..).zip(&self.flows).filter(|(n, f)| f.table == table && self.live[*n as usize]).peekable();
        flows.peek()?;
        Some(Box::new(Classifier::new(flows.map(|(n, f)| (n, &f.matches, f.priority)))))
    }

    /// The flows of one table; none if it has none.
    #[inline]
    pub fn table(&self, table: u8) -> Option<&Classifier> {
        self.tables.get(usize::from(table))?.as_deref()
    }

    /// A flow.
    ///
    /// # Panics
    /// If there never was one of this number.
    #[inline]
    pub fn flow(&self, number: u32) -> &Flow {
        &self.flows[number as usize]
    }

    /// All flows that have not been removed, with their numbers.
    pub fn flows(&self) -> impl Iterator<Item = (u32, &Flow)> {
        (0u32..).zip(&self.flows).filter(|(n, _)| self.live[*n as usize])
    }

    /// How many flows there were at the start; their numbers are less.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there were no flows at the start.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// Whether the flow has not been removed.
    pub fn is_live(&self, number: u32) -> bool {
        self.live[number as usize]
    }

    /// The flows that have a timeout, removed ones too.
    pub fn timed(&self) -> &[u32] {
        &self.timed
    }

    /// Takes flows out of their tables (timeouts).
    pub fn remove(&mut self, numbers: &[u32]) {
        let mut tables: Vec<u8> = numbers.iter().map(|&n| self.flows[n as usize].table).collect();
        for &n in numbers {
            self.live[n as usize] = false;
        }
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            self.tables[usize::from(table)] = self.classifier(table);
        }
    }

    /// The switch's ports.
    #[inline]
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The switch's groups.
    #[inline]
    pub fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// Every bit of a packet that a megaflow of these flows can look at.
    pub fn union_mask(&self) -> FlowMask {
        let mut union = FlowMask::default();
        for classifier in self.tables.iter().flatten() {
            union.union(&classifier.union_mask());
        }
        let in_flows = self.flows().flat_map(|(_, flow)| &flow.actions);
        let in_buckets = self.groups.iter().flat_map(|group| group.buckets.iter().flat_map(|bucket| &bucket.actions));
        for action in in_flows.chain(in_buckets) {
            looked_at_by(action, &mut |s| union.unwildcard(s));
        }
        self.groups.iter().for_each(|group| hashed_by(group, &mut |s| union.unwildcard(s)));
        for s in [slot::IN_PORT, slot::DL_TYPE, slot::NW_PROTO] {
            union.unwildcard(s);
        }
        union.set_nw_frag(3);
        union
    }
}

/// The fields that a group may look at to choose a bucket.
fn hashed_by(group: &Group, look: &mut impl FnMut(Slot)) {
    match &group.kind {
        GroupKind::Select(HashFields::Symmetric) => {
            SYMMETRIC.into_iter().flatten().chain([slot::NW_PROTO]).for_each(look)
        }
        GroupKind::Select(HashFields::Of(fields)) => {
            fields.iter().for_each(|(field, _)| look_at_target(field.info().slot, look));
        }
        GroupKind::All | GroupKind::Indirect | GroupKind::FastFailover => {}
    }
}

const TAGS: [Slot; 4] = [slot::VLAN_TCI0, slot::VLAN_TPID0, slot::VLAN_TCI1, slot::VLAN_TPID1];

/// The fields that carrying out an action may look at.
fn looked_at_by(action: &Action, look: &mut impl FnMut(Slot)) {
    match action {
        Action::Normal => [slot::DL_DST, slot::DL_SRC].into_iter().chain(TAGS).for_each(look),
        Action::OutputField(from) => look(from.field.info().slot),
        // A field that is written in part is looked at as a whole.
        Action::SetField { field, .. } => look_at_target(field.info().slot, look),
        Action::Move { src, dst } => {
            look_at_target(dst.field.info().slot, look);
            look_at_target(src.field.info().slot, look);
        }
        Action::SetVlanVid { .. } | Action::SetVlanPcp { .. } | Action::PushVlan(_) | Action::PopVlan => {
            TAGS.into_iter().for_each(look);
        }
        Action::DecTtl => look(slot::NW_TTL),
        _ => {}
    }
}

fn look_at_target(s: Slot, look: &mut impl FnMut(Slot)) {
    if s.word == slot::VLAN_TCI0.word { TAGS.into_iter().for_each(look) } else { look(s) }
}
