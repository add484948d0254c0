// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace rules` against `ovs-appctl dpctl/dump-flows -m`: the megaflows that both switches make for the frames of all scenarios,
//! attribute by attribute.

use millrace_regs::config::Preset;
use millrace_testbench::ovs::Ovs;
use millrace_testbench::scenarios::millrace::Millrace;
use millrace_testbench::scenarios::{self, Scenario, Step};
use std::collections::BTreeMap;

/// A line of a dump: match and actions.
#[derive(Clone, Debug)]
struct Line {
    matches: String,
    actions: String,
}

/// Takes a line apart.
fn parse(line: &str) -> Line {
    let (_, rest) = line.split_once(", ").expect("an ufid");
    let (matches, rest) = rest.split_once(", packets:").expect("a number of packets");
    let (_, actions) = rest.split_once(", actions:").expect("actions");
    let (actions, _) = actions.split_once(", dp-extra-info:").expect("what the datapath has to add");
    Line { matches: known(matches), actions: actions.to_owned() }
}

/// Without what Millrace's key does not have: metadata of Open vSwitch's datapath, IPv6 flow labels, neighbour
/// discovery, MPLS labels.
fn known(matches: &str) -> String {
    const OTHERS: [&str; 7] = ["skb_priority", "skb_mark", "ct_state", "ct_zone", "ct_mark", "ct_label", "dp_hash"];
    let mut matches = matches.to_owned();
    for other in OTHERS {
        matches = matches.replace(&format!("{other}(0/0),"), "");
    }
    matches = without(&matches, "label=", ',');
    matches = without(&matches, ",nd(", ')');
    without(&matches, ",mpls(", ')')
}

/// Without the first part from `start` to `end`.
fn without(text: &str, start: &str, end: char) -> String {
    let Some((before, rest)) = text.split_once(start) else {
        return text.to_owned();
    };
    let (_, after) = rest.split_once(end).expect("the end of the part");
    format!("{before}{after}")
}

/// What is known of a packet that is put out: fields with other values than it came with, and what became of its tags.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Edits {
    fields: BTreeMap<String, String>,
    tags: Vec<String>,
}

/// The copies of the packet that both switches show, each with its port. None if they write a field in part, which Millrace shows whole.
///
/// Left out are what Open vSwitch knows because its megaflow looks at more (the TTL to set, a set of a field to what it was), its
/// copy to the bridge itself, and its notice to a controller that a TTL has expired.
fn comparable(line: &Line) -> Option<Vec<(Edits, String)>> {
    let mut copies = Vec::new();
    put_out(&line.actions, &line.matches, &mut Edits::default(), &mut copies)?;
    // Copies of one moment leave in any order.
    copies.chunk_by_mut(|a, b| a.0 == b.0).for_each(|moment| moment.sort());
    Some(copies)
}

fn put_out(actions: &str, matches: &str, edits: &mut Edits, copies: &mut Vec<(Edits, String)>) -> Option<()> {
    for part in split(actions) {
        let argument = |name: &str, end: &str| part.strip_prefix(name).and_then(|part| part.strip_suffix(end));
        if let Some(list) = argument("clone(", ")") {
            put_out(list, matches, &mut edits.clone(), copies)?;
        } else if let Some((header, fields)) = argument("set(", "))").and_then(|part| part.split_once('(')) {
            set(header, fields, matches, edits)?;
        } else if part.starts_with("hash(") {
            // What a group chooses Open vSwitch decides behind this, in another megaflow.
            return None;
        } else if part == "pop_vlan" {
            match edits.tags.last() {
                Some(tag) if tag != "pop_vlan" => drop(edits.tags.pop()),
                _ => edits.tags.push(part.to_owned()),
            }
        } else if part.starts_with("push_vlan") {
            edits.tags.push(part.to_owned());
        } else if !["br0", "drop"].contains(&part) && !part.starts_with("dec_ttl") && !part.contains("controller(") {
            copies.push((edits.clone(), part.to_owned()));
        }
    }
    Some(())
}

fn set(header: &str, fields: &str, matches: &str, edits: &mut Edits) -> Option<()> {
    for field in fields.split(',').filter(|field| !field.starts_with("ttl=") && !field.starts_with("hlimit=")) {
        if field.contains('/') && !field.starts_with("tos=") && !field.starts_with("tclass=") {
            return None;
        }
        let (name, value) = field.split_once('=').expect("a field and its value");
        let group = matches.split_once(&format!("{header}(")).map_or("", |(_, rest)| rest);
        let group = group.split(')').next().unwrap_or_default();
        // Of the byte with DSCP and ECN a part may be written.
        let written = field.split('/').next();
        if values(group).split(',').any(|own| Some(own) == written) {
            edits.fields.remove(&format!("{header}.{name}"));
        } else {
            edits.fields.insert(format!("{header}.{name}"), value.to_owned());
        }
    }
    Some(())
}

/// Splits at commas outside parentheses.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    list.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
}

/// Values alone: Millrace's masks may be wider. TCP flags have their mask in their form.
fn values(matches: &str) -> String {
    let mut text = String::new();
    let mut in_mask = false;
    for c in matches.chars() {
        in_mask = match c {
            '/' => true,
            ',' | ')' => false,
            _ => in_mask,
        };
        text.extend((!in_mask).then_some(c));
    }
    without(&text, ",tcp_flags(", ')')
}

/// The megaflows of both switches, by the values of the packet that they were made for.
fn dumps(ovs: &mut Ovs, scenario: &Scenario) -> anyhow::Result<(BTreeMap<String, Line>, Vec<Line>)> {
    ovs.load_flows(&scenario.flow_file())?;
    let mut millrace = Millrace::start(&scenario.flow_file(), Preset::Sim)?;
    let (mut theirs, mut ours) = (BTreeMap::new(), BTreeMap::new());
    for step in &scenario.steps {
        match step {
            Step::Frame(port, frame) => {
                ovs.frame(usize::from(*port) - 1, frame)?;
                millrace.frame(usize::from(*port) - 1, frame)?;
                for line in ovs.details().iter().map(|line| parse(line)) {
                    theirs.entry(values(&line.matches)).or_insert(line);
                }
                for line in millrace.dump()?.iter().map(|line| parse(line)) {
                    ours.entry(values(&line.matches)).or_insert(line);
                }
            }
            Step::Wait(seconds) => {
                ovs.warp(*seconds)?;
                millrace.wait(*seconds)?;
            }
        }
    }
    Ok((theirs, ours.into_values().collect()))
}

#[test]
fn megaflows_read_as_open_vswitchs() {
    let mut ovs = Ovs::start().unwrap();
    let mut wrong = Vec::new();
    let (mut all, mut same_masks, mut same_actions) = (0, 0, 0);
    for scenario in &scenarios::all() {
        let (theirs, ours) = dumps(&mut ovs, scenario).unwrap();
        for line in ours {
            all += 1;
            let Some(other) = theirs.get(&values(&line.matches)) else {
                wrong.push(format!("{}: Open vSwitch has no {}", scenario.name, line.matches));
                continue;
            };
            same_masks += usize::from(other.matches == line.matches);
            // What Millrace handles in software is shown as that.
            let (Some(actions), Some(expected), false) =
                (comparable(&line), comparable(other), line.actions.starts_with("userspace("))
            else {
                continue;
            };
            same_actions += 1;
            if actions != expected {
                let (ours, theirs) = (&line.actions, &other.actions);
                wrong.push(format!("{}: {}\n  {ours}\n  {theirs}", scenario.name, line.matches));
            }
        }
    }
    println!("{all} megaflows, {same_masks} with the same masks; {same_actions} compared by their actions");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(2 * same_masks > all && 5 * same_actions > 4 * all, "too little was compared");
}
