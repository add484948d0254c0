// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demo, live and replayed, and two Linux stacks on TAP devices. Namespaces, devices and processes are gone afterwards, also
//! when something fails.

use millrace_live::{Live, iperf, output, ping};
use nix::unistd::Uid;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Live stacks need root. Whoever is not root is told what was not tested, past the harness that keeps what tests print.
fn is_root(test: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: network namespaces and TAP devices need root");
    }
    root
}

fn flows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures/demo.flows")
}

/// What there is of namespaces and interfaces that this process made.
fn left_behind() -> Vec<String> {
    let id = std::process::id();
    let list =
        |arguments: &[&str]| String::from_utf8(output(Command::new("ip").args(arguments)).unwrap().stdout).unwrap();
    let text = list(&["netns", "list"]) + &list(&["-o", "link", "show"]);
    let own = [format!("millrace-{id}-"), format!("mr{id}.")];
    text.lines().filter(|line| own.iter().any(|name| line.contains(name))).map(str::to_owned).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn two_linux_stacks_talk_through_tap_devices_and_leave_nothing_behind() {
    if !is_root("two Linux stacks on TAP devices") {
        return;
    }
    talk();
    assert_eq!(left_behind(), Vec::<String>::new());
    let failed = std::panic::catch_unwind(fail).unwrap_err();
    assert_eq!(failed.downcast_ref(), Some(&"so ends a test that fails"));
    assert_eq!(left_behind(), Vec::<String>::new());
}

fn fail() {
    let live = Live::start(&flows()).unwrap();
    assert_eq!(left_behind().len(), 2, "the namespaces");
    let inside = output(live.hosts()[0].command("ip").args(["-o", "link", "show", "eth0"])).unwrap();
    assert!(String::from_utf8(inside.stdout).unwrap().contains("eth0"));
    panic!("so ends a test that fails");
}

fn talk() {
    let live = Live::start(&flows()).unwrap();
    let summary = ping(live.hosts(), 3).unwrap();
    assert!(summary.contains("3 packets transmitted, 3 received, 0% packet loss"), "{summary}");
    let tcp = iperf(live.hosts(), 1, &[]).unwrap();
    assert!(tcp.bits_per_second > 0.0, "{tcp:?}");
    let udp = iperf(live.hosts(), 1, &["-u", "-b", "1M", "-l", "1400"]).unwrap();
    assert!(udp.bits_per_second > 0.0 && udp.lost_percent < 100.0, "{udp:?}");
    let rules = live.query(&["rules"]).unwrap();
    assert!(rules.lines().any(|rule| rule.contains("proto=6") && rule.contains("offloaded:yes")), "{rules}");

    let stats = live.stop().unwrap();
    let [vf0, vf1] = ["vf0", "vf1"].map(|port| &stats["ports"][port]);
    for (port, other) in [(vf0, vf1), (vf1, vf0)] {
        let [entered, hardware, slow] = [&port["in"]["packets"], &port["hardware"], &port["slow_path"]].map(count);
        assert_eq!(entered, hardware + slow, "{stats:#}");
        assert!(hardware > slow, "{stats:#}");
        assert!(count(&other["out"]["packets"]) > 0, "{stats:#}");
    }
}

/// What a run of the demo printed.
fn demo(arguments: &[&str]) -> String {
    let limit = ["--kill-after=5", "--signal=INT", "300", env!("CARGO_BIN_EXE_demo")];
    let printed = output(Command::new("timeout").args(limit).args(arguments)).unwrap();
    String::from_utf8(printed.stdout).unwrap()
}

fn check(printed: &str) {
    assert!(printed.lines().any(|line| line.starts_with("ufid:") && line.contains("offloaded:yes")), "{printed}");
    let share = printed.lines().find_map(|line| line.split_once("handled in hardware alone: ")).expect("a summary").1;
    let share: f64 = share.trim_end_matches(" %.").parse().unwrap();
    assert!(share > 50.0, "{printed}");
}

#[test]
fn the_demo_runs_live() {
    if !is_root("the live demo") {
        return;
    }
    let printed = demo(&["--seconds", "1"]);
    assert!(printed.starts_with("Two Linux stacks"), "{printed}");
    assert!(printed.contains("5 packets transmitted, 5 received, 0% packet loss"), "{printed}");
    check(&printed);
}

#[test]
fn the_demo_replays_what_two_stacks_said() {
    let printed = demo(&["--replay"]);
    assert!(printed.starts_with("Replaying"), "{printed}");
    check(&printed);
}
