// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads group files: one group per line, in the syntax of `ovs-ofctl add-groups` (ovs-ofctl(8), "Group Syntax").

use super::error::{Fault, FlowFileError, Problems};
use super::field::Field;
use super::flow::Match;
use super::group::{Bucket, Group, GroupKind, Groups, HashFields, MAX_GROUP, as_action_set};
use super::lex::{Pair, Pairs, Span};
use super::parse_action::ActionParser;
use super::port::{OFPP_NONE, Ports};
use super::value::{self, number_up_to};
use super::{Action, parse};
use std::collections::{BTreeMap, BTreeSet};

/// Begins a bucket.
const BUCKET: &str = "bucket";

/// Reads a whole group file. `name` is used in errors.
///
/// # Errors
/// All faults of the file, as [`parse_flow_file`](super::parse_flow_file) has them; then nothing of the file is used.
pub fn parse_group_file(name: &str, text: &str, ports: Ports) -> Result<Groups, FlowFileError> {
    let mut problems = Problems::default();
    let mut groups: BTreeMap<u32, (usize, Group)> = BTreeMap::new();
    // Where a group is named that has to be there.
    let mut named: Vec<(usize, &str, Span<'_>, u32)> = vec![];
    for (number, line, code) in parse::lines(text) {
        let mut reader = Reader { ports: &ports, faults: vec![], named: vec![] };
        let group = reader.line(code);
        named.extend(reader.named.into_iter().map(|(at, id)| (number, line, at, id)));
        let mut faults = reader.faults;
        if let Some((group, at)) = group.filter(|_| faults.is_empty()) {
            match groups.get(&group.id) {
                Some((before, _)) => faults.push(
                    Fault::new(at.at, format!("group {} is there already", group.id)).hint(format!("in line {before}")),
                ),
                None => {
                    groups.insert(group.id, (number, group));
                }
            }
        }
        problems.add(number, line, faults);
    }
    named.sort_by_key(|(number, _, at, _)| (*number, at.at));
    let missing = named.iter().filter(|(.., id)| !groups.contains_key(id));
    if problems.is_empty() {
        for (number, line, at, id) in missing {
            problems.add(*number, line, vec![Fault::new(at.at, format!("there is no group {id}"))]);
        }
    }
    problems.end(name)?;
    Ok(Groups::new(groups.into_values().map(|(_, group)| group).collect(), &ports))
}

/// Reads a line.
struct Reader<'a> {
    ports: &'a Ports,
    faults: Vec<Fault>,
    /// The groups that it names.
    named: Vec<(Span<'a>, u32)>,
}

/// What stands before the buckets.
#[derive(Default)]
struct Head<'a> {
    id: Option<(u32, Span<'a>)>,
    kind: Option<Span<'a>>,
    method: Option<Span<'a>>,
    fields: Option<Span<'a>>,
}

impl<'a> Reader<'a> {
    /// The group, and where its number stands. What is wrong is among `faults`.
    fn line(&mut self, code: Span<'a>) -> Option<(Group, Span<'a>)> {
        let text = skip_command(code);
        let mut places = buckets(text);
        let head = text.slice(0, places.first().map_or(text.text.len(), |bucket| bucket.0));
        let head = self.head(head);
        places.push((text.text.len(), 0));
        let mut buckets = vec![];
        for (number, two) in places.windows(2).enumerate() {
            let ((from, skip), (to, _)) = (two[0], two[1]);
            buckets.extend(self.bucket(text.slice(from + skip, to), number as u32));
        }
        let Some(kind) = head.kind else {
            let at = head.id.map_or(text, |(_, at)| at);
            self.missing(at, "the group has no type", "type=all, select, indirect or ff");
            return None;
        };
        let Some((id, at)) = head.id else {
            self.missing(text, "the group has no number", "group_id=N");
            return None;
        };
        let kind = self.kind(kind, head.method, head.fields, &buckets)?;
        self.check_ids(&buckets, at);
        Some((Group { id, kind, buckets }, at))
    }

    /// Says that something is not there, if it is not just what is wrong with it.
    fn missing(&mut self, at: Span<'a>, what: &str, hint: &str) {
        if self.faults.is_empty() {
            self.faults.push(Fault::new(at.at, what).hint(hint));
        }
    }

    fn head(&mut self, text: Span<'a>) -> Head<'a> {
        let mut head = Head::default();
        for pair in Pairs::new(text) {
            let taken = match (pair.key.text, pair.value) {
                (_, None) => Err(Fault::new(pair.key.at, format!("{} has no value", pair.key.text))),
                ("group_id", Some(value)) => {
                    number_up_to(value, MAX_GROUP.into(), "group").map(|id| head.id = Some((id as u32, value)))
                }
                ("type", Some(value)) => {
                    head.kind = Some(value);
                    Ok(())
                }
                ("selection_method", Some(value)) => {
                    head.method = Some(value);
                    Ok(())
                }
                // Of hashes that are not ours.
                ("selection_method_param", Some(value)) => value::number(value).map(drop),
                ("fields", Some(value)) => {
                    head.fields = Some(value);
                    Ok(())
                }
                _ => Err(Fault::new(pair.key.at, format!("unknown key `{}`", pair.key.text))
                    .hint("group_id, type, selection_method, selection_method_param, fields, bucket")),
            };
            self.faults.extend(taken.err());
        }
        head
    }

    fn kind(
        &mut self,
        kind: Span<'a>,
        method: Option<Span<'a>>,
        fields: Option<Span<'a>>,
        buckets: &[Bucket],
    ) -> Option<GroupKind> {
        let is_hash = method.is_some_and(|method| method.text == "hash");
        if let Some(method) = method.filter(|method| !["hash", "dp_hash", ""].contains(&method.text)) {
            let fault = Fault::new(method.at, format!("unknown selection method `{}`", method.text));
            self.faults.push(fault.hint("hash or dp_hash"));
        }
        if let Some(fields) = fields.filter(|_| !is_hash) {
            self.faults.push(Fault::new(fields.at, "fields are for selection_method=hash alone"));
        }
        let kind_of = |text: &str| match text {
            "all" => Some(GroupKind::All),
            "indirect" => Some(GroupKind::Indirect),
            "ff" | "fast_failover" => Some(GroupKind::FastFailover),
            "select" => Some(GroupKind::Select(HashFields::Symmetric)),
            _ => None,
        };
        match (kind_of(kind.text), method) {
            (None, _) => {
                let fault = Fault::new(kind.at, format!("unknown type `{}`", kind.text));
                self.faults.push(fault.hint("all, select, indirect or ff"));
                None
            }
            (Some(GroupKind::Select(_)), _) => {
                let fields = fields.filter(|_| is_hash).map(|fields| HashFields::Of(self.hash_fields(fields)));
                Some(GroupKind::Select(fields.unwrap_or(HashFields::Symmetric)))
            }
            (Some(_), Some(method)) => {
                self.faults.push(Fault::new(method.at, "selection_method is for type=select alone"));
                None
            }
            (Some(GroupKind::Indirect), None) if buckets.len() != 1 && self.faults.is_empty() => {
                let fault = format!("an indirect group has one bucket, not {}", buckets.len());
                self.faults.push(Fault::new(kind.at, fault));
                None
            }
            (Some(GroupKind::FastFailover), None)
                if buckets.iter().any(|bucket| bucket.watch_port.is_none() && bucket.watch_group.is_none()) =>
            {
                let fault = Fault::new(kind.at, "each bucket of a fast failover group watches a port or a group");
                self.faults.push(fault.hint("watch_port:PORT or watch_group:GROUP"));
                None
            }
            (kind, None) => kind,
        }
    }

    /// `ip_src,tcp_dst=0xff`.
    fn hash_fields(&mut self, text: Span<'a>) -> Vec<(Field, u128)> {
        let mut fields = vec![];
        for pair in Pairs::new(text) {
            let field = match Field::by_name(pair.key.text) {
                Some(field) if field.info().maskable || pair.value.is_none() => field,
                Some(_) => {
                    self.faults.push(Fault::new(pair.key.at, format!("{} takes no mask", pair.key.text)));
                    continue;
                }
                None => {
                    self.faults.push(Fault::new(pair.key.at, format!("unknown field `{}`", pair.key.text)));
                    continue;
                }
            };
            match pair.value.map_or(Ok(field.info().valid), |mask| value::mask(field, mask, self.ports)) {
                Ok(mask) => fields.push((field, mask)),
                Err(fault) => self.faults.push(fault),
            }
        }
        fields
    }

    fn bucket(&mut self, text: Span<'a>, number: u32) -> Option<Bucket> {
        let mut bucket =
            Bucket { id: number, weight: 1, watch_port: None, watch_group: None, is_live: true, actions: vec![] };
        // Attributes are taken out; what is left are actions, with or without `actions=`.
        let mut actions = vec![];
        for pair in Pairs::new(text) {
            let taken = match (pair.key.text, pair.value) {
                ("bucket_id", Some(value)) => {
                    number_up_to(value, MAX_GROUP.into(), "bucket").map(|id| bucket.id = id as u32)
                }
                ("weight", Some(value)) => {
                    number_up_to(value, 0xffff, "weight").map(|weight| bucket.weight = weight as u16)
                }
                ("watch_port", Some(value)) => self.watched(value).map(|port| bucket.watch_port = port),
                ("watch_group", Some(value)) => number_up_to(value, MAX_GROUP.into(), "group").map(|id| {
                    self.named.push((value, id as u32));
                    bucket.watch_group = Some(id as u32);
                }),
                ("actions" | "action", Some(value)) => {
                    // The first of them; the others are separate to `Pairs`.
                    actions.push(value);
                    Ok(())
                }
                ("bucket_id" | "weight" | "watch_port" | "watch_group" | "actions" | "action", None) => {
                    Err(Fault::new(pair.key.at, format!("{} has no value", pair.key.text)))
                }
                _ => {
                    actions.push(whole(text, &pair));
                    Ok(())
                }
            };
            self.faults.extend(taken.err());
        }
        let parsed = actions.into_iter().map(|action| self.actions(action)).collect::<Option<Vec<_>>>()?;
        bucket.actions = as_action_set(&parsed.concat());
        Some(bucket)
    }

    /// A port that is to be there; `any` is none.
    fn watched(&self, value: Span<'a>) -> Result<Option<u16>, Fault> {
        match value::port(value, self.ports)? {
            OFPP_NONE => Ok(None),
            _ => value::real_port(value, self.ports).map(Some),
        }
    }

    fn actions(&mut self, text: Span<'a>) -> Option<Vec<Action>> {
        // Whether a packet has a field is known when there is one.
        match ActionParser::new(self.ports, None, 0, Match::default(), false).parse(text) {
            Ok(actions) => {
                if let Some(other) = actions.iter().find(|action| !action.may_be_in_a_set()) {
                    self.faults.push(Fault::new(text.at, format!("`{other}` cannot be in a bucket")));
                    return None;
                }
                self.named.extend(actions.iter().filter_map(|action| match action {
                    Action::Group(id) => Some((text, *id)),
                    _ => None,
                }));
                Some(actions)
            }
            Err(faults) => {
                self.faults.extend(faults);
                None
            }
        }
    }

    fn check_ids(&mut self, buckets: &[Bucket], at: Span<'a>) {
        let mut ids = BTreeSet::new();
        if let Some(twice) = buckets.iter().find(|bucket| !ids.insert(bucket.id)) {
            self.faults.push(Fault::new(at.at, format!("two buckets of the group have the number {}", twice.id)));
        }
    }
}

/// An action as it stands in the text: its name with its argument.
fn whole<'a>(text: Span<'a>, pair: &Pair<'a>) -> Span<'a> {
    let from = pair.key.at - text.at;
    let behind = pair.value.map_or(pair.key.at + pair.key.text.len(), |value| value.at + value.text.len());
    let end = behind - text.at + usize::from(pair.parens && text.text[behind - text.at..].starts_with(')'));
    text.slice(from, end)
}

/// Where buckets begin, and how long what begins them is.
fn buckets(text: Span<'_>) -> Vec<(usize, usize)> {
    let is_start = |at: usize| at == 0 || text.text[..at].ends_with([',', ' ', '\t']);
    let ends = |at: usize| text.text[at + BUCKET.len()..].starts_with(['=', ':']);
    let found = text.text.match_indices(BUCKET).map(|(at, _)| at);
    found.filter(|at| is_start(*at) && ends(*at)).map(|at| (at, BUCKET.len() + 1)).collect()
}

/// Takes a leading `add` off.
fn skip_command(line: Span<'_>) -> Span<'_> {
    let text = line.trim();
    let end = text.text.find([',', ' ', '\t']).unwrap_or(text.text.len());
    match &text.text[..end] {
        "add" | "add_or_mod" => text.slice(end, text.text.len()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Groups, String> {
        parse_group_file("g", text, Ports::sim()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_ovs_ofctl_prints_is_read_and_printed_again() {
        let text = "OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):\n \
            group_id=1,type=select,selection_method=hash,fields(ip_src=255.255.0.0,tcp_dst),bucket=bucket_id:0,weight:100,actions=output:1,bucket=bucket_id:4,weight:50,watch_port:vf0,actions=mod_nw_tos:8,output:2\n \
            group_id=7,type=ff,bucket=bucket_id:0,watch_port:1,watch_group:1,actions=output:1\n\
            # not this\n\
            add group_id=8 type=all bucket=output:3 bucket=resubmit(,4)\n\
            group_id=9,type=indirect,bucket=actions=set_field:10.0.0.1->ip_dst,group:8\n";
        let groups = parse(text).unwrap();
        let printed: String = groups.iter().map(|group| format!("{group}\n")).collect();
        let expected = "\
            group_id=1,type=select,selection_method=hash,fields(nw_src=0xffff0000,tcp_dst),bucket=bucket_id:0,weight:100,actions=output:1,bucket=bucket_id:4,weight:50,watch_port:4,actions=mod_nw_tos:8,output:2\n\
            group_id=7,type=ff,bucket=bucket_id:0,watch_port:1,watch_group:1,actions=output:1\n\
            group_id=8,type=all,bucket=bucket_id:0,actions=output:3,bucket=bucket_id:1,actions=resubmit(,4)\n\
            group_id=9,type=indirect,bucket=bucket_id:0,actions=mod_nw_dst:10.0.0.1,group:8\n";
        assert_eq!(printed, expected);
        assert_eq!(parse(&printed).unwrap(), groups);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let cases = [
            ("type=all,bucket=output:1", "g:1:1: the group has no number (group_id=N)"),
            ("group_id=1,bucket=output:1", "g:1:10: the group has no type (type=all, select, indirect or ff)"),
            ("group_id=1,type=any", "g:1:17: unknown type `any` (all, select, indirect or ff)"),
            ("group_id=0xffffff01,type=all", "g:1:10: group 0xffffff01 is out of range (0 to 4294967040)"),
            ("group_id=1,type=all,bucket=output:99", "g:1:35: unknown port 99 (ports are p0 to vf7, numbers 1 to 11)"),
            ("group_id=1,type=all,bucket=controller", "g:1:28: action `controller` is not supported"),
            ("group_id=1,type=all,bucket=exit", "g:1:28: `exit` cannot be in a bucket"),
            ("group_id=1,type=all,bucket=weight:70000,output:1", "g:1:35: weight 70000 is out of range (0 to 65535)"),
            ("group_id=1,type=all,bucket=group:2", "g:1:28: there is no group 2"),
            ("group_id=1,type=all,bucket=watch_group:3,output:1", "g:1:40: there is no group 3"),
            ("group_id=1,type=indirect", "g:1:17: an indirect group has one bucket, not 0"),
            (
                "group_id=1,type=ff,bucket=output:1",
                "g:1:17: each bucket of a fast failover group watches a port or a group (watch_port:PORT or watch_group:GROUP)",
            ),
            ("group_id=1,type=all\ngroup_id=1,type=all", "g:2:10: group 1 is there already (in line 1)"),
            ("group_id=1,type=all,fields(ip_src)", "g:1:28: fields are for selection_method=hash alone"),
            ("group_id=1,type=all,selection_method=hash", "g:1:38: selection_method is for type=select alone"),
            (
                "group_id=1,type=select,selection_method=magic,bucket=output:1",
                "g:1:41: unknown selection method `magic` (hash or dp_hash)",
            ),
            ("group_id=1,type=select,selection_method=hash,fields(ip_zrc)", "g:1:53: unknown field `ip_zrc`"),
            (
                "group_id=1,type=all,bucket=bucket_id:3,output:1,bucket=bucket_id:3,output:2",
                "g:1:10: two buckets of the group have the number 3",
            ),
            (
                "group_id=1,type=all,colour=red",
                "g:1:21: unknown key `colour` (group_id, type, selection_method, selection_method_param, fields, bucket)",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
