// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path's part of `millrace explain` against `ovs-appctl ofproto/trace`, for the frames of all scenarios.

use millrace_regs::config::{MIN_FRAME, Preset};
use millrace_testbench::ovs::Ovs;
use millrace_testbench::scenarios::millrace::Millrace;
use millrace_testbench::scenarios::{self, Scenario, Step};
use std::collections::BTreeMap;

/// What is said of a packet, taken apart.
#[derive(Debug)]
struct Trace {
    flow: String,
    /// Indentation, number, priority and cookie of the flows found.
    tables: Vec<(usize, String, String)>,
    /// What actions came to.
    notes: Vec<String>,
    final_flow: String,
    megaflow: String,
    actions: String,
}

fn parse(text: &str) -> Trace {
    let after = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        known(line.unwrap_or_else(|| panic!("no {name:?} in:\n{text}")))
    };
    let is_note = |line: &&str| line.starts_with("-> ") || line.starts_with(">> ");
    Trace {
        flow: after("Flow: "),
        tables: text.lines().filter_map(table).collect(),
        notes: text.lines().map(str::trim).filter(is_note).map(str::to_owned).collect(),
        final_flow: after("Final flow: "),
        megaflow: after("Megaflow: "),
        actions: after("Datapath actions: "),
    }
}

/// ` 1. ip, priority 5`: where the line begins, the table, and what is said behind the match.
fn table(line: &str) -> Option<(usize, String, String)> {
    let (number, rest) = line.trim_start().split_once(". ")?;
    number.parse::<u8>().ok()?;
    let found = rest.rfind("priority").map_or(rest, |at| &rest[at..]);
    Some((line.len() - line.trim_start().len(), number.to_owned(), found.to_owned()))
}

/// Without what Millrace's key does not have: IPv6 flow labels, neighbour discovery, MPLS, and ports of ICMP over the other version of IP.
fn known(flow: &str) -> String {
    let others = ["ipv6_label=", "nd_", "mpls", "dl_type=0x8847"];
    let other_icmp = ["ip,", "ipv6,"].iter().any(|ip| flow.contains(ip)) && flow.contains(",nw_proto=");
    let is_other =
        |part: &str| others.iter().any(|other| part.starts_with(other)) || other_icmp && part.starts_with("tp_");
    flow.split(',').filter(|part| !is_other(part)).collect::<Vec<_>>().join(",")
}

/// The ports of datapath actions, in their order; none if Open vSwitch decides some of it in another megaflow, or calls for a controller.
fn ports(actions: &str, names: &BTreeMap<u32, String>) -> Option<Vec<String>> {
    if ["recirc(", "userspace("].iter().any(|other| actions.contains(other)) {
        return None;
    }
    let mut depth = 0;
    let inner = actions.replace("clone(", "").replace("push_vlan(", "(");
    let parts = inner.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth <= 0
    });
    let name = |part: &str| match part.trim_end_matches(')').parse::<u32>() {
        Ok(number) => names.get(&number).cloned(),
        Err(_) => names.values().find(|name| *name == part.trim_end_matches(')')).cloned(),
    };
    // Millrace has no interface of the bridge itself; copies of one moment leave in any order.
    let mut ports: Vec<String> = parts.filter_map(name).filter(|name| name != "br0").collect();
    ports.sort();
    Some(ports)
}

/// How many things were alike, of how many.
#[derive(Default, Debug)]
struct Alike {
    frames: usize,
    notes: usize,
    final_flows: usize,
    megaflows: usize,
    actions: usize,
}

fn compare(ovs: &mut Ovs, scenario: &Scenario, alike: &mut Alike, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    ovs.load_flows(&scenario.flow_file())?;
    let names = ovs.datapath_ports()?;
    let mut millrace = Millrace::start(&scenario.flow_file(), Preset::Sim)?;
    for step in &scenario.steps {
        match step {
            Step::Frame(port, frame) => {
                let port = usize::from(*port) - 1;
                if frame.len() >= MIN_FRAME {
                    let ours = parse(&millrace.explain(port, frame).to_string());
                    let theirs = parse(&ovs.trace(port, frame)?);
                    alike.frames += 1;
                    alike.notes += usize::from(ours.notes == theirs.notes);
                    alike.final_flows += usize::from(ours.final_flow == theirs.final_flow);
                    alike.megaflows += usize::from(ours.megaflow == theirs.megaflow);
                    let same_ports = match (ports(&ours.actions, &names), ports(&theirs.actions, &names)) {
                        (Some(ours), Some(theirs)) => {
                            alike.actions += 1;
                            ours == theirs
                        }
                        _ => true,
                    };
                    if ours.flow != theirs.flow || ours.tables != theirs.tables || !same_ports {
                        wrong.push(format!("{}:\n  {ours:?}\n  {theirs:?}", scenario.name));
                    }
                }
                ovs.frame(port, frame)?;
                millrace.frame(port, frame)?;
            }
            Step::Wait(seconds) => {
                ovs.warp(*seconds)?;
                millrace.wait(*seconds)?;
            }
        }
    }
    Ok(())
}

#[test]
fn explanations_read_as_open_vswitchs() {
    let mut ovs = Ovs::start().unwrap();
    let (mut alike, mut wrong) = (Alike::default(), Vec::new());
    for scenario in &scenarios::all() {
        compare(&mut ovs, scenario, &mut alike, &mut wrong).unwrap();
    }
    println!("{alike:?}");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    let Alike { frames, notes, final_flows, megaflows, actions } = alike;
    assert!(10 * actions > 9 * frames, "too little was compared");
    // A packet that comes again for a group's choice is another there.
    assert!(100 * final_flows > 99 * frames, "packets end otherwise");
    // Millrace's megaflows are wider, and its words for groups and edits of a zero TTL its own.
    assert!(8 * notes > 7 * frames && 2 * megaflows > frames, "the texts read otherwise");
}
