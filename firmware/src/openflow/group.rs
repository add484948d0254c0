// SPDX-License-Identifier: MIT OR Apache-2.0
//! Groups (OpenFlow 1.5, 5.10): lists of actions to choose from, or to carry out one beside the other.

use super::action::Action;
use super::field::Field;
use super::port::Ports;
use std::collections::HashMap;
use std::fmt;

/// The greatest number of a group (`OFPG_MAX`).
pub const MAX_GROUP: u32 = 0xffff_ff00;

/// How a group uses its buckets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupKind {
    /// All of them, each on a copy of the packet.
    All,
    /// The one that there is.
    Indirect,
    /// One of those that are live: the same for all packets that agree in the fields, about as often as its weight says.
    Select(HashFields),
    /// The first that is live.
    FastFailover,
}

/// What a `select` group tells packets apart by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HashFields {
    /// Addresses, protocol and ports, where both directions of a connection are alike.
    Symmetric,
    /// Bits of these fields, as far as a packet has them.
    Of(Vec<(Field, u128)>),
}

/// A choice of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Number within its group.
    pub id: u32,
    /// Its share of a `select` group.
    pub weight: u16,
    /// It is live if this port (OpenFlow number) is there, …
    pub watch_port: Option<u16>,
    /// … or a bucket of this group is; without either always.
    pub watch_group: Option<u32>,
    /// Whether it is.
    pub is_live: bool,
    /// In the order in which an action set is carried out.
    pub actions: Vec<Action>,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// How it uses its buckets.
    pub kind: GroupKind,
    /// Its buckets, in their order.
    pub buckets: Vec<Bucket>,
}

/// All groups of a switch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Groups {
    /// By number.
    groups: Vec<Group>,
}

impl Groups {
    /// These, of which no two have the same number, on a switch with these ports.
    pub(super) fn new(mut groups: Vec<Group>, ports: &Ports) -> Self {
        groups.sort_by_key(|group| group.id);
        let mut groups = Self { groups };
        groups.find_live(ports);
        groups
    }

    /// Finds out which buckets are live. Groups that only watch each other are not.
    fn find_live(&mut self, ports: &Ports) {
        let mut watchers: HashMap<u32, Vec<(usize, usize)>> = HashMap::new();
        let mut fresh = vec![];
        for (place, group) in self.groups.iter_mut().enumerate() {
            for (number, bucket) in group.buckets.iter_mut().enumerate() {
                bucket.is_live = match (bucket.watch_port, bucket.watch_group) {
                    (None, None) => true,
                    (port, _) => port.is_some_and(|port| ports.contains(port)),
                };
                if let Some(watched) = bucket.watch_group {
                    watchers.entry(watched).or_default().push((place, number));
                }
            }
            if group.buckets.iter().any(|bucket| bucket.is_live) {
                fresh.push(group.id);
            }
        }
        while let Some(live) = fresh.pop() {
            for (place, number) in watchers.remove(&live).unwrap_or_default() {
                let group = &mut self.groups[place];
                group.buckets[number].is_live = true;
                fresh.push(group.id);
            }
        }
    }

    /// Where the group with this number is.
    pub fn find(&self, id: u32) -> Option<usize> {
        self.groups.binary_search_by_key(&id, |group| group.id).ok()
    }

    /// The group at a place.
    ///
    /// # Panics
    /// If there is none.
    pub fn at(&self, place: usize) -> &Group {
        &self.groups[place]
    }

    /// All of them, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }
}

/// The actions of a bucket in the order in which an action set is carried out (OpenFlow 1.5, 5.6, and ovs-actions(7)): of `pop_vlan`, `push_vlan`
/// and `dec_ttl` the last, then all that sets fields, then the last `group`, or the last output if there is none, or the last `resubmit`
/// if there is neither. Without one of them nothing is done.
pub(super) fn as_action_set(actions: &[Action]) -> Vec<Action> {
    let last = |is: fn(&Action) -> bool| actions.iter().copied().rfind(is);
    let end = last(|action| matches!(action, Action::Group(_)))
        .or_else(|| last(|action| action.is_output()))
        .or_else(|| last(|action| matches!(action, Action::Resubmit { .. })));
    let Some(end) = end else { return vec![] };
    let first = [
        last(|action| matches!(action, Action::PopVlan)),
        last(|action| matches!(action, Action::PushVlan(_))),
        last(|action| matches!(action, Action::DecTtl)),
    ];
    let sets = actions.iter().copied().filter(Action::sets_fields);
    first.into_iter().flatten().chain(sets).chain([end]).collect()
}

impl fmt::Display for Group {
    /// As `ovs-ofctl dump-groups` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            GroupKind::All => "all",
            GroupKind::Indirect => "indirect",
            GroupKind::Select(_) => "select",
            GroupKind::FastFailover => "ff",
        };
        write!(f, "group_id={},type={kind}", self.id)?;
        if let GroupKind::Select(HashFields::Of(fields)) = &self.kind {
            f.write_str(",selection_method=hash,fields(")?;
            for (i, (field, mask)) in fields.iter().enumerate() {
                let info = field.info();
                f.write_str(if i > 0 { "," } else { "" })?;
                f.write_str(info.name)?;
                if *mask != info.valid {
                    write!(f, "={mask:#x}")?;
                }
            }
            f.write_str(")")?;
        }
        for bucket in &self.buckets {
            write!(f, ",bucket=bucket_id:{}", bucket.id)?;
            if matches!(self.kind, GroupKind::Select(_)) {
                write!(f, ",weight:{}", bucket.weight)?;
            }
            if let Some(port) = bucket.watch_port {
                write!(f, ",watch_port:{port}")?;
            }
            if let Some(group) = bucket.watch_group {
                write!(f, ",watch_group:{group}")?;
            }
            write!(f, ",actions={}", super::format::list(&bucket.actions))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_set_has_its_own_order() {
        let (one, two) = (Action::Output(1), Action::Output(2));
        assert_eq!(as_action_set(&[one, Action::DecTtl, two, Action::PopVlan]), [Action::PopVlan, Action::DecTtl, two]);
        assert_eq!(
            as_action_set(&[Action::Group(7), one, Action::SetTpDst(5)]),
            [Action::SetTpDst(5), Action::Group(7)]
        );
        assert_eq!(as_action_set(&[Action::SetTpDst(5), Action::DecTtl]), []);
        let resubmit = Action::Resubmit { port: None, table: Some(3) };
        assert_eq!(as_action_set(&[resubmit, Action::Normal]), [Action::Normal]);
        assert_eq!(as_action_set(&[resubmit]), [resubmit]);
    }
}
