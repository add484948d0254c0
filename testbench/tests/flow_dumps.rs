// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a real Open vSwitch prints as its flows, over each version of OpenFlow, is a flow file with the same flows.

use millrace_firmware::openflow::{Action, Flow, FlowTable, Ports, parse_flows};
use millrace_testbench::flow_text::{self, comparable};
use millrace_testbench::ovs::{self, Ovs, groups_beside};
use millrace_testbench::scenarios;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const VERSIONS: [&str; 6] = ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"];
const OPTIONS: [&[&str]; 4] = [&[], &["--no-stats"], &["--names"], &["--no-names", "--sort"]];

/// The flows without the places in their file, in an order that does not depend on it.
fn flows(table: FlowTable) -> Vec<Flow> {
    let mut flows: Vec<Flow> = table.flows.into_iter().map(|flow| comparable(Flow { line: 0, ..flow })).collect();
    flows.iter_mut().for_each(|flow| flow.actions = merged(&flow.actions));
    flows.sort_by_key(|flow| (flow.table, flow.priority, flow.matches.mask, flow.matches.key));
    flows
}

/// The actions with sets of one field that follow each other as one: Open vSwitch shows a set as one load for each run of bits where a
/// version has no sets with masks, or of 128 bits.
fn merged(mut actions: &[Action]) -> Vec<Action> {
    let mut list: Vec<Action> = Vec::new();
    // Actions before this one are in a clone.
    let mut own = 0;
    while let Some((action, rest)) = actions.split_first() {
        actions = rest;
        match (*action, list[own..].last_mut()) {
            (Action::Clone { actions: count }, _) => {
                let (inner, after) = rest.split_at(count as usize);
                let inner = merged(inner);
                list.push(Action::Clone { actions: inner.len() as u32 });
                list.extend(inner);
                own = list.len();
                actions = after;
            }
            (
                Action::SetField { field, value, mask },
                Some(Action::SetField { field: last, value: bits, mask: set }),
            ) if *last == field => {
                *bits = *bits & !mask | value;
                *set |= mask;
            }
            (action, _) => list.push(action),
        }
    }
    list
}

/// Whether Open vSwitch shows the action over this version of OpenFlow as it was given over another, `loaded`. Before 1.2 it leaves out the
/// mask of a field that is set; what adds a tag where there is none in 1.0 it shows as what always does later on, and the other way.
fn shown_as_given(loaded: &str, version: &str, action: &Action) -> bool {
    let old = matches!(version, "OpenFlow10" | "OpenFlow11");
    match action {
        Action::PushVlan(_) | Action::SetVlanVid { .. } | Action::SetVlanPcp { .. } => match loaded {
            "OpenFlow10" => version == loaded,
            _ => !old,
        },
        Action::SetField { field, mask, .. } => !old || *mask == field.info().valid,
        _ => true,
    }
}

/// Loads a file into Open vSwitch and compares each of its dumps with the file. Gives how many dumps could be compared: a version that
/// cannot express the flows prints none, or something that Open vSwitch itself does not take.
fn dumps_are_the_file(ovs: &mut Ovs, file: &Path) -> usize {
    let name = file.display().to_string();
    let groups = Arc::new(groups_beside(file).unwrap());
    let parse = |name: &str, text: &str| parse_flows(name, text, Ports::sim(), groups.clone());
    let want = flows(parse(&name, &std::fs::read_to_string(file).unwrap()).unwrap());
    let loaded = ovs.load_flows(file).unwrap();
    let mut dumps = 0;
    for (version, options) in VERSIONS.iter().flat_map(|version| OPTIONS.map(|options| (version, options))) {
        let Ok(text) = ovs.dump_flows(version, options) else { continue };
        match parse(version, &text) {
            Ok(table) => {
                let what = format!("{name}, {version} {options:?}:\n{text}");
                assert_same(&flows(table), &want, |action| shown_as_given(loaded, version, action), &what);
                dumps += 1;
            }
            Err(error) => assert!(ovs_refuses(&text), "{name}, {error}"),
        }
    }
    dumps
}

/// Compares a dump's flows with those of the file; the actions where all are shown as they were given.
fn assert_same(dump: &[Flow], file: &[Flow], as_given: impl Fn(&Action) -> bool, what: &str) {
    assert_eq!(dump.len(), file.len(), "{what}");
    for (dumped, flow) in dump.iter().zip(file) {
        let mut dumped = dumped.clone();
        if !flow.actions.iter().all(&as_given) {
            dumped.actions.clone_from(&flow.actions);
        }
        assert_eq!(dumped, *flow, "{what}");
    }
}

/// Whether Open vSwitch does not take its own dump, without the lines that are no flows.
fn ovs_refuses(dump: &str) -> bool {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in dump.lines().filter(|line| !line.contains("_FLOW reply (")) {
        writeln!(file, "{line}").unwrap();
    }
    ovs::parse_flows(file.path()).unwrap().is_err()
}

#[test]
fn dumps_of_every_scenario_are_its_flow_file() {
    let mut ovs = Ovs::start().unwrap();
    for scenario in scenarios::all() {
        let dumps = dumps_are_the_file(&mut ovs, &scenario.flow_file());
        assert!(dumps >= OPTIONS.len(), "{}: only {dumps} dumps", scenario.name);
    }
}

#[test]
fn dumps_of_flags_and_of_many_messages_are_their_flow_file() {
    let mut ovs = Ovs::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flows");
    let flags = "# -O OpenFlow15\nidle_timeout=60,reset_counts,check_overlap,in_port=vf0,actions=p0\n\
        send_flow_rem,hard_timeout=9,cookie=5,priority=10,in_port=vf1 actions=p0\n\
        table=3,importance=7,no_packet_counts,no_byte_counts,ip,actions=dec_ttl,goto_table:4\n\
        table=3,priority=1,no_readonly_table,allow_hidden_fields,actions=drop\n";
    std::fs::write(&file, flags).unwrap();
    assert!(dumps_are_the_file(&mut ovs, &file) >= 20);
    let line =
        |i: u32| format!("priority={},ip,nw_src=10.0.{}.{},actions=output:1,output:2\n", i + 1, i >> 8, i & 0xff);
    std::fs::write(&file, (0..3000).map(line).collect::<String>()).unwrap();
    assert_eq!(dumps_are_the_file(&mut ovs, &file), VERSIONS.len() * OPTIONS.len());
    let headers = ovs.dump_flows("OpenFlow13", &[]).unwrap().matches("flags=[more]").count();
    assert!(headers > 1, "a reply of {headers} messages and the last");
}

#[test]
fn dumps_of_random_flows_are_their_flow_file() {
    let mut ovs = Ovs::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flows");
    for seed in 100..104 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let lines: Vec<String> = (0..500).map(|_| flow_text::flow(&mut rng)).collect();
        std::fs::write(&file, format!("# -O OpenFlow15\n{}\n", lines.join("\n"))).unwrap();
        assert!(dumps_are_the_file(&mut ovs, &file) >= 4, "seed {seed}");
    }
}
