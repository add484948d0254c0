// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files of any kind: random ones, and right ones with random damage. None makes the reader panic or its faults lie outside of
//! the text; what is taken means the same when it is printed and read again, and can be carried out. Failing cases are kept in
//! `proptest-regressions`.

use millrace_firmware::mac::MacTable;
use millrace_firmware::openflow::error::MAX_PROBLEMS;
use millrace_firmware::openflow::*;
use millrace_firmware::packet::parse;
use millrace_firmware::xlate::{Pipeline, Translation, translate};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::FileFailurePersistence;
use std::sync::{Arc, LazyLock};

/// The lines of all scenarios of the testbench.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testbench/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text = |path| std::fs::read_to_string(path).unwrap();
    files.iter().flat_map(|path| text(path).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
});

/// Pieces that the reader decides by.
static PIECES: &[&str] = &[
    ",",
    " ",
    "=",
    ":",
    "/",
    "->",
    "(",
    ")",
    "[",
    "]",
    "..",
    "\"",
    "#",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "é",
    "0x",
    "-1",
    "65536",
    "18446744073709551616",
    "actions=",
    "clone(",
    "resubmit(",
    "resubmit(,1)",
    "set_field:",
    "load:",
    "move:",
    "output:",
    "normal",
    "push_vlan:0x8100",
    "dec_ttl",
    "exit",
    "group_id=1",
    "type=select",
    "bucket=",
    "group:1",
    "watch_group:1",
    "selection_method=hash",
    "fields(",
    "weight:",
    "note:",
    "vlan_tci=0x1000/0x1000",
    "reg0=1/1",
    "xxreg3=",
    "ip",
    "tcp",
    "nw_frag=",
    "tcp_flags=+",
    "in_port=LOCAL",
    "OFPST_FLOW reply (",
];

/// Damage to a text.
#[derive(Clone, Debug)]
enum Damage {
    Remove(Index, usize),
    Insert(Index, &'static str),
    Replace(Index, char),
    Repeat(Index, usize, usize),
    Join(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..20usize).prop_map(|(i, n)| Damage::Remove(i, n)),
        (at(), select(PIECES)).prop_map(|(i, piece)| Damage::Insert(i, piece)),
        (at(), any::<char>()).prop_map(|(i, c)| Damage::Replace(i, c)),
        (at(), 1..30usize, 1..40usize).prop_map(|(i, n, times)| Damage::Repeat(i, n, times)),
        at().prop_map(Damage::Join),
    ]
}

fn damaged(mut text: Vec<char>, damage: &Damage) -> Vec<char> {
    let at = |i: &Index| i.index(text.len() + 1);
    let part = |i: &Index, n: usize| (at(i), (at(i) + n).min(text.len()));
    match damage {
        Damage::Remove(i, n) => {
            let (from, to) = part(i, *n);
            text.drain(from..to);
        }
        Damage::Insert(i, piece) => {
            let at = at(i);
            text.splice(at..at, piece.chars());
        }
        Damage::Replace(i, c) => {
            let (from, to) = part(i, 1);
            text.splice(from..to, [*c]);
        }
        Damage::Repeat(i, n, times) => {
            let (from, to) = part(i, *n);
            let again = text[from..to].repeat(*times);
            text.splice(to..to, again);
        }
        Damage::Join(i) => text.extend(LINES[i.index(LINES.len())].chars()),
    }
    text
}

/// Some lines of group files, damaged.
fn damaged_groups() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = LINES.iter().map(String::as_str).filter(|line| line.starts_with("group_id")).collect();
    let some = prop::collection::vec(any::<Index>(), 1..4);
    (some, prop::collection::vec(damage(), 0..4)).prop_map(move |(some, damages)| {
        let lines: Vec<&str> = some.iter().map(|i| lines[i.index(lines.len())]).collect();
        damages.iter().fold(lines.join("\n").chars().collect(), damaged).into_iter().collect()
    })
}

/// Some lines of the scenarios, damaged.
fn damaged_lines() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(any::<Index>(), 1..4);
    (lines, prop::collection::vec(damage(), 0..6)).prop_map(|(lines, damages)| {
        let lines: Vec<&str> = lines.iter().map(|i| LINES[i.index(LINES.len())].as_str()).collect();
        damages.iter().fold(lines.join("\n").chars().collect(), damaged).into_iter().collect()
    })
}

/// Pieces in any order.
fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

fn faults_are_in_the_text(text: &str, error: &FlowFileError) {
    assert!((1..=MAX_PROBLEMS).contains(&error.problems.len()), "{error}");
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect();
    let mut last = (0, 0);
    for problem in &error.problems {
        let line = lines.get(problem.line - 1).unwrap_or_else(|| panic!("no such line: {error}"));
        assert!((1..=line.chars().count() + 1).contains(&problem.column), "no such column: {error}");
        assert!(problem.message.chars().count() + problem.hint.as_ref().map_or(0, |hint| hint.chars().count()) < 600);
        assert!(last <= (problem.line, problem.column), "not in order: {error}");
        last = (problem.line, problem.column);
    }
    assert!(!error.to_string().contains(|c: char| c.is_control() && c != '\n'), "{error:?}");
}

/// A UDP packet, and bytes that are none.
fn carried_out(table: FlowTable) {
    let pipeline = Pipeline::new(table);
    let udp = [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
            [..],
        &[0, 9, 0, 53, 0, 8, 0, 0],
    ]
    .concat();
    let mut translation = Translation::default();
    for (frame, port) in [(&udp[..], 1), (&udp[..20], 4)] {
        translate(&pipeline, &MacTable::default(), &parse(frame, port).0, &mut translation);
        let copies: u32 = translation.versions.iter().map(|version| version.outputs.count_ones()).sum();
        assert!(copies <= 4096);
    }
}

/// The same of a group file.
fn check_groups(text: &str) {
    let groups = match parse_group_file("g", text, Ports::sim()) {
        Ok(groups) => groups,
        Err(error) => return faults_are_in_the_text(text, &error),
    };
    let printed: String = groups.iter().map(|group| format!("{group}\n")).collect();
    let again = parse_group_file("g", &printed, Ports::sim()).unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, groups, "{printed}");
    let flows: String =
        groups.iter().map(|group| format!("table={},actions=group:{}\n", group.id % 4, group.id)).collect();
    carried_out(parse_flows("f", &flows, Ports::sim(), Arc::new(groups)).unwrap());
}

fn check(text: &str) {
    check_groups(text);
    let table = match parse_flow_file("f", text, Ports::sim()) {
        Ok(table) => table,
        Err(error) => return faults_are_in_the_text(text, &error),
    };
    for flow in &table.flows {
        let printed = flow.to_string();
        let again = parse_flow(&printed, &Ports::sim()).unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(Flow { line: flow.line, ..again }, *flow, "{printed}");
    }
    carried_out(table);
}

fn config(cases: u32) -> ProptestConfig {
    let kept = FileFailurePersistence::Direct("proptest-regressions/flow_fuzz.txt");
    ProptestConfig { cases, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn damaged_flow_files(text in damaged_lines()) {
        check(&text);
    }

    #[test]
    fn damaged_group_files(text in damaged_groups()) {
        check_groups(&text);
    }

    #[test]
    fn pieces_of_flow_files(text in pieces()) {
        check(&text);
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        check(&text);
    }
}

/// Sizes at which anything that is not in proportion to the text would show.
#[test]
fn large_texts() {
    const MANY: usize = 300_000;
    let of = |start: &str, part: &str, end: &str| format!("{start}{}{end}", part.repeat(MANY));
    for text in [
        of("", "a", ""),
        of("", "a", "=1,actions=drop"),
        of("", "ip,", "actions=drop"),
        of("", "reg0=1,", "actions=drop"),
        of("", "reg0=1/1,reg0=2/2,", "actions=drop"),
        of("actions=", "1,", ""),
        of("actions=", "foo,", ""),
        of("actions=", "clone(", ""),
        of("actions=", "note:", ""),
        of("actions=note:", "00", ""),
        of("actions=output:", "9", ""),
        of("actions=", "resubmit(,0),", ""),
        of("tcp,tcp_flags=", "+syn", ",actions=drop"),
        of("", "\n", "x"),
        of("", "x\n", ""),
        of("", "actions=drop\n", ""),
        of("\"", "(", ""),
        of("group_id=1,type=all", ",bucket=output:1", ""),
        of("group_id=1,type=all,bucket=", "output:1,", ""),
        of("group_id=1,type=select,selection_method=hash,fields(", "ip_src,", ")"),
        of("", "bucket=", ""),
    ] {
        check(&text);
    }
}
