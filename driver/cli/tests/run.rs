// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `millrace` command from outside: files in, files out, signals, the control socket.

mod captures;
// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome, frames, packet};
use serde_json::Value;

/// p0 and vf0 to p1, everything else dropped.
const FLOWS: &str = "in_port=p0,actions=output:p1\nin_port=vf0,actions=output:p1\npriority=0,actions=drop\n";

/// How ports of PF and VFs are reached.
const HOSTS: [&str; 2] = ["pins", "rings"];

#[test]
fn packets_of_a_capture_leave_where_the_flows_send_them() {
    HOSTS.iter().for_each(|host| packets_leave_where_the_flows_send_them(host));
}

fn packets_leave_where_the_flows_send_them(host: &str) {
    let folder = Folder::new();
    let sent: Vec<Vec<u8>> = (0..200).map(|i| packet(i, 60 + 20 * i as usize)).collect();
    let flows = folder.write("a.flows", FLOWS);
    let capture = folder.capture("in.pcap", sent.iter().enumerate().map(|(i, f)| (10_000 * i as u64, f.clone())));
    let run = folder.millrace(&[
        "run",
        "--flows",
        &flows,
        "--in",
        &format!("p0={capture}"),
        "--out",
        "out",
        "--stats",
        "s.json",
        "--pace",
        "capture",
        "--host",
        host,
    ]);
    run.succeeds();
    assert!(frames(&folder.path("out/p1.pcap")) == sent, "other frames left p1 than entered p0");
    for port in ["p0", "pf", "vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6", "vf7"] {
        assert_eq!(frames(&folder.path(&format!("out/{port}.pcap"))).len(), 0, "{port}");
    }
    let stats: Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    let p0 = &stats["ports"]["p0"];
    assert_eq!((p0["openflow"].as_u64(), p0["in"]["packets"].as_u64()), (Some(1), Some(200)));
    assert_eq!(p0["in"]["bytes"].as_u64(), Some(sent.iter().map(|f| f.len() as u64).sum()));
    assert_eq!(stats["ports"]["p1"]["out"], p0["in"]);
    let (hardware, slow) = (p0["hardware"].as_u64().unwrap(), p0["slow_path"].as_u64().unwrap());
    assert!(hardware > 0 && slow > 0 && hardware + slow == 200, "{hardware} by hardware, {slow} by the slow path");
    assert!(stats["cycles"].as_u64() > Some(0));
}

#[test]
fn inputs_enter_in_the_order_of_their_times_and_then_of_their_ports() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let at = |ids: &[(u64, u8)]| ids.iter().map(|(time, id)| (*time, packet(*id, 60))).collect::<Vec<_>>();
    let p0 = folder.capture("p0.pcap", at(&[(100, 1), (300, 2), (300, 3), (900, 4)]));
    let vf0 = folder.capture("vf0.pcap", at(&[(200, 11), (300, 12), (800, 13)]));
    for pace in ["settle", "line", "capture"] {
        let inputs = [format!("vf0={vf0}"), format!("p0={p0}")];
        let run = ["run", "--flows", &flows, "--in", &inputs[0], "--in", &inputs[1], "--out", pace, "--pace", pace];
        folder.millrace(&run).succeeds();
        let order: Vec<u8> = frames(&folder.path(&format!("{pace}/p1.pcap"))).iter().map(|frame| frame[14]).collect();
        if pace == "settle" {
            assert_eq!(order, [1, 11, 2, 3, 12, 13, 4]);
        } else {
            // Each flow in its order.
            let (p0, vf0): (Vec<u8>, Vec<u8>) = order.iter().partition(|id| **id < 10);
            assert_eq!((p0.as_slice(), vf0.as_slice()), ([1, 2, 3, 4].as_slice(), [11, 12, 13].as_slice()), "{pace}");
        }
    }
}

#[test]
fn capture_pace_keeps_the_times() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let times = [1_700_000_000_000_000_000, 1_700_000_000_000_040_000, 1_700_000_002_500_000_000];
    let capture = folder.capture("in.pcap", times.map(|time| (time, packet(1, 60))));
    let input = format!("p0={capture}");
    folder.millrace(&["run", "--flows", &flows, "--in", &input, "--out", "out", "--pace", "capture"]).succeeds();
    let left = millrace_sim::capture::read(&folder.path("out/p1.pcap")).unwrap();
    assert_eq!(left.len(), 3);
    for (packet, time) in left.iter().zip(times) {
        assert!((time..time + 20_000).contains(&packet.time_ns), "{} for {time}", packet.time_ns);
    }
}

#[test]
fn the_same_run_gives_the_same_files() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let capture = folder.capture("in.pcap", (0..200_u64).map(|i| (i * 700, packet(i as u8, 60 + i as usize))));
    let input = format!("vf1={capture}");
    for out in ["one", "two"] {
        let stats = format!("{out}.json");
        folder.millrace(&["run", "--flows", &flows, "--in", &input, "--out", out, "--stats", &stats]).succeeds();
    }
    assert_eq!(folder.read("one.json"), folder.read("two.json"));
    for port in ["p0", "p1", "pf", "vf0", "vf1", "vf7"] {
        let bytes = |out: &str| std::fs::read(folder.path(&format!("{out}/{port}.pcap"))).unwrap();
        assert!(bytes("one") == bytes("two"), "{port}");
    }
    assert!(!frames(&folder.path("one/p0.pcap")).is_empty(), "nothing was flooded");
}

#[test]
fn rings_are_as_good_as_pins() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    // Stations 0 to 9 on vf0, the others on p1: what they say to each other is flooded once, and switched then.
    let say = |n: u64| {
        let (from, to) = (n * 7 % 20, n * 3 % 20);
        let mut frame = packet(n as u8, 14 + n as usize * 23);
        (frame[5], frame[11]) = (to as u8, from as u8);
        (from < 10, (n * 1000, frame))
    };
    let (a, b): (Vec<_>, Vec<_>) = (0..400).map(say).partition(|(first, _)| *first);
    let inputs = [("vf0", a), ("p1", b)].map(|(port, packets)| {
        let name = folder.capture(&format!("{port}-in.pcap"), packets.into_iter().map(|(_, packet)| packet));
        format!("{port}={name}")
    });
    for host in HOSTS {
        let run = ["run", "--flows", &flows, "--in", &inputs[0], "--in", &inputs[1], "--out", host, "--host", host];
        folder.millrace(&[&run[..], &["--pace", "settle", "--trace", &format!("{host}.fst")]].concat()).succeeds();
        assert!(std::fs::metadata(folder.path(&format!("{host}.fst"))).unwrap().len() > 1000);
    }
    for port in ["p0", "p1", "pf", "vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6", "vf7"] {
        let [pins, rings] = HOSTS.map(|host| frames(&folder.path(&format!("{host}/{port}.pcap"))));
        assert!(!pins.is_empty() && pins == rings, "{port}: {} frames, and {}", pins.len(), rings.len());
    }
}

#[test]
fn the_small_preset_and_waveforms() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let capture = folder.capture("in.pcap", (0..5).map(|i| (i, packet(i as u8, 100))));
    let input = format!("p0={capture}");
    let run = [
        "run",
        "--flows",
        &flows,
        "--in",
        &input,
        "--out",
        "out",
        "--preset",
        "ecp5",
        "--trace",
        "t.fst",
        "--trace-cycles",
        "0..2000",
    ];
    folder.millrace(&run).succeeds();
    assert_eq!(frames(&folder.path("out/p1.pcap")).len(), 5);
    assert!(!folder.path("out/vf1.pcap").exists(), "preset ecp5 has one VF");
    // An FST file starts with a header block: type 0, length 329.
    assert_eq!(std::fs::read(folder.path("t.fst")).unwrap()[..9], [0, 0, 0, 0, 0, 0, 0, 1, 0x49]);
}

#[test]
fn input_that_cannot_be_used_ends_with_2_and_touches_nothing() {
    let folder = Folder::new();
    let flows = folder.write("good.flows", FLOWS);
    let bad_flows = folder.write("bad.flows", "actions=drop\n\nin_port=p0,tp_dst=80,actions=drop\n");
    let good = folder.capture("good.pcap", [(0, packet(1, 60))]);
    folder.cut("good.pcap", "cut.pcap", 50);
    folder.capture("short.pcap", [(0, vec![0; 13])]);
    folder.capture("long.pcap", [(0, packet(1, 60)), (0, vec![0; 9217])]);
    folder.write("text.pcap", "this is no capture, only text that is long enough for a header");
    folder.link_type("good.pcap", "link.pcap", 113);
    folder.write("text.flows", "actions=drop\n");
    std::fs::write(folder.path("binary.flows"), b"actions=drop\n# \xe4\n").unwrap();
    let before = folder.list();
    let refuse = |args: &[&str], message: &str| {
        let mut all = vec!["run", "--out", "out", "--stats", "s.json"];
        all.extend(args);
        folder.millrace(&all).fails(2, message);
        assert_eq!(folder.list(), before, "{args:?} wrote something");
    };
    let good_input = format!("p0={good}");
    refuse(&["--flows", &bad_flows, "--in", &good_input], "bad.flows:3:");
    refuse(&["--flows", "missing.flows", "--in", &good_input], "missing.flows");
    let strict = |input: &str, message: &str| refuse(&["--strict", "--flows", &flows, "--in", input], message);
    strict("p0=cut.pcap", "cut.pcap: byte 24, packet 1: the file is cut short");
    strict("p0=short.pcap", "short.pcap: byte 24, packet 1: a frame of 13 bytes");
    strict("p0=long.pcap", "long.pcap: byte 100, packet 2: a frame of 9217 bytes");
    refuse(&["--flows", &flows, "--in", "p0=text.pcap"], "text.pcap: byte 0: neither a pcap nor a pcapng file");
    refuse(&["--flows", "binary.flows", "--in", &good_input], "binary.flows:2:3: this is not UTF-8 text");
    refuse(&["--flows", &flows, "--in", "p0=link.pcap"], "link.pcap: byte 20: link type 113, not Ethernet");
    refuse(&["--flows", &flows, "--in", "p0=none.pcap"], "none.pcap: No such file");
    refuse(&["--flows", &flows, "--in", "p7=good.pcap"], "unknown port `p7`: the ports are p0, p1, pf, vf0");
    refuse(&["--flows", &flows, "--in", "12=good.pcap"], "unknown port `12`");
    refuse(&["--flows", &flows, "--in", "0=good.pcap"], "vf7, or 1 to 11");
    refuse(&["--flows", &flows, "--in", &good_input, "--in", &good_input], "--in is given twice for port p0");
    refuse(&["--flows", &flows, "--in", &good_input, "--in", "1=good.pcap"], "--in is given twice for port p0");
    refuse(&["--flows", &flows, "--in", &good_input, "--tap", "p0=tap9"], "port p0 has both --in and --tap");
    refuse(&["--flows", &flows], "nothing to do");
    refuse(&["--flows", &flows, "--in", "p0"], "--in");
    refuse(&["--flows", &flows, "--in", &good_input, "--preset", "fpga"], "unknown preset `fpga`");
    refuse(&["--flows", &flows, "--in", &good_input, "--preset", "alveo"], "preset `alveo` is not built into this");
    let no_host = "--host rings: preset sim has no host side; host has";
    refuse(&["--flows", &flows, "--in", &good_input, "--preset", "sim", "--host", "rings"], no_host);
    refuse(&["--flows", &flows, "--in", &good_input, "--preset", "host"], "are reached with --host rings");
    refuse(&["--flows", &flows, "--tap", "p0=tap9", "--tap", "p0=tap8"], "--tap is given twice for port p0");
    let mut command = folder.command(&["run", "--out", "out", "--flows", &flows, "--in", &good_input]);
    Outcome::of(command.env("MILLRACE_LOG", "warn,millrace_sim=loud")).fails(2, "MILLRACE_LOG: `millrace_sim=loud` is");
    assert_eq!(folder.list(), before, "a filter that cannot be read, and something was written");
    // No interface can have this name, whoever asks.
    refuse(
        &["--flows", &flows, "--tap", "p0=a-name-that-is-too-long"],
        "cannot open the TAP device a-name-that-is-too-long",
    );
}

#[test]
fn outputs_that_cannot_be_written_end_with_2_and_leave_old_ones_alone() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let good = folder.capture("in.pcap", [(0, packet(1, 60))]);
    let input = format!("p0={good}");
    folder.write("file", "not a folder");
    folder.write("old.json", "old");
    std::fs::create_dir_all(folder.path("results/vf2.pcap")).unwrap();
    folder.write("results/p0.pcap", "old");
    let before = folder.list();
    let refuse = |args: &[&str], message: &str| {
        let mut all = vec!["run", "--flows", &flows, "--in", &input];
        all.extend(args);
        folder.millrace(&all).fails(2, message);
        assert_eq!(folder.list(), before, "{args:?} changed something");
        assert_eq!((folder.read("results/p0.pcap"), folder.read("old.json")), ("old".into(), "old".into()), "{args:?}");
    };
    refuse(&["--out", "file"], "file is not a folder");
    refuse(&["--out", "file/x"], "cannot make the folder file/x");
    refuse(&["--out", "results", "--stats", "old.json"], "cannot write results/vf2.pcap: Is a directory");
    refuse(&["--out", "new/deep", "--stats", "no/s.json"], "cannot write no/s.json: No such file");
    refuse(&["--out", "new", "--stats", "old.json", "--trace", "no/t.fst"], "cannot write no/t.fst: No such file");
    refuse(&["--out", "new", "--stats", "old.json", "--control", "no/control"], "cannot listen at no/control");
    refuse(&["--out", "new", "--stats", "old.json", "--control", "file"], "cannot listen at file");
    refuse(&["--out", "new", "--stats", "new/p1.pcap"], "new/p1.pcap would be written twice");
    refuse(&["--out", "new", "--stats", "in.pcap"], "in.pcap would be written, but it is also an input");
    refuse(&["--stats", "a.flows"], "a.flows would be written, but it is also an input");
}

#[test]
fn statistics_account_for_every_packet() {
    HOSTS.iter().for_each(|host| account_for_every_packet(host));
}

fn account_for_every_packet(host: &str) {
    let folder = Folder::new();
    let udp = |tp_dst: u8, ttl: u8, length: usize| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, ttl, 17, 0, 0];
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, tp_dst, 0, 8, 0, 0]);
        frame.resize(length, 0);
        frame
    };
    let flows = folder.write(
        "a.flows",
        "priority=9,udp,tp_dst=1,actions=output:p1,output:vf1\n\
         priority=9,udp,tp_dst=2,actions=drop\n\
         priority=9,udp,tp_dst=3,actions=dec_ttl,output:p1\n\
         priority=9,udp,tp_dst=4,actions=push_vlan:0x8100,output:p1\n\
         priority=9,udp,tp_dst=5,actions=resubmit(,0)\n",
    );
    // What each kind does at the first time goes to the slow path, what follows is the hardware's.
    let kinds =
        [udp(1, 9, 60), udp(2, 9, 60), udp(3, 9, 60), udp(3, 1, 60), udp(4, 9, 9216), udp(5, 9, 60), udp(6, 9, 60)];
    let frames = kinds.iter().cycle().take(5 * kinds.len()).cloned();
    let capture = folder.capture("in.pcap", frames.zip(0..).map(|(frame, n)| (n, frame)));
    let input = format!("vf0={capture}");
    let how = ["--pace", "settle", "--host", host];
    folder.millrace(&[&["run", "--flows", &flows, "--in", &input, "--stats", "s.json"][..], &how].concat()).succeeds();
    let stats: Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    let port = &stats["ports"]["vf0"];
    let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {port:#}"));
    let sum = |value: &Value| value.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    let dropped = &port["dropped"];
    let [entered, hardware, slow] = [&port["in"]["packets"], &port["hardware"], &port["slow_path"]].map(count);
    assert_eq!(entered, 35);
    assert_eq!(entered, hardware + slow + sum(&dropped["ingress"]), "{port:#}");
    assert!(hardware > slow, "{port:#}");
    // 5 of the first kind to two ports, 5 of the third to one; everything else was dropped, by one or the other.
    let out = |port: &str| count(&stats["ports"][port]["out"]["packets"]);
    assert_eq!((out("p1"), out("vf1")), (10, 5));
    assert_eq!(sum(&dropped["hardware"]) + sum(&dropped["slow_path"]), 25, "{port:#}");
    for (reason, packets) in [("drop_ttl", 5), ("drop_tx_oversize", 5)] {
        assert_eq!(count(&dropped["hardware"][reason]) + count(&dropped["slow_path"][reason]), packets, "{reason}");
    }
    let [rule, flow, resubmits] = [
        &dropped["hardware"]["drop_rule"],
        &dropped["slow_path"]["drop_flow"],
        &dropped["slow_path"]["drop_resubmits"],
    ]
    .map(count);
    assert!(rule > 0 && flow > 0 && resubmits > 0 && rule + flow + resubmits == 15, "{port:#}");
    for idle in ["p0", "p1", "vf1"] {
        let port = &stats["ports"][idle];
        assert_eq!(count(&port["in"]["packets"]) + sum(&port["dropped"]["slow_path"]), 0, "{idle}");
    }
}

#[test]
fn an_interrupted_run_still_writes_its_results() {
    HOSTS.iter().for_each(|host| interrupted_run_writes_its_results(host));
}

fn interrupted_run_writes_its_results(host: &str) {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let capture = folder.capture("in.pcap", (0..20).map(|i| (i, packet(i as u8, 64))));
    let device = Device::start(
        &folder,
        &["--flows", &flows, "--in", &format!("vf0={capture}"), "--out", "out", "--stats", "s.json", "--host", host],
    );
    device.wait_for(|stats| stats["ports"]["p1"]["out"]["packets"] == 20);
    device.stop();
    assert_eq!(frames(&folder.path("out/p1.pcap")).len(), 20);
    let stats: Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    assert_eq!(stats["ports"]["p1"]["out"]["packets"].as_u64(), Some(20));
}

#[test]
fn a_running_device_shows_its_rules_statistics_and_registers() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let capture = folder.capture("in.pcap", (0..20).map(|_| (0, packet(1, 64))));
    let device = Device::start(&folder, &["--flows", &flows, "--in", &format!("p0={capture}")]);
    device.wait_for(|stats| stats["ports"]["p1"]["out"]["packets"] == 20);

    let rules = device.ask(&["rules"]).succeeds();
    assert!(rules.contains("in_port(p0)") && rules.contains("actions:p1") && rules.contains("packets:"), "{rules}");
    let rules: Value = serde_json::from_str(&device.ask(&["rules", "--json"]).succeeds()).unwrap();
    assert_eq!(rules.as_array().unwrap().len(), 1);
    let table = device.ask(&["stats"]).succeeds();
    assert!(table.lines().any(|line| line.split_whitespace().take(3).eq(["p0", "20", "0"])), "{table}");

    assert!(device.ask(&["reg", "ID"]).succeeds().contains("0x4d494c4c"));
    device.ask(&["reg", "scratch", "0xdeadbeef"]).succeeds();
    let scratch: Value = serde_json::from_str(&device.ask(&["reg", "0x18", "--json"]).succeeds()).unwrap();
    assert_eq!((scratch[0]["name"].as_str(), scratch[0]["value"].as_u64()), (Some("SCRATCH"), Some(0xdead_beef)));
    assert!(device.ask(&["reg"]).succeeds().contains("QUEUE_CTRL[11]"));
    device.ask(&["reg", "SCRTCH"]).fails(2, "unknown register `SCRTCH`");
    device.ask(&["reg", "QUEUE_CTRL[12]"]).fails(2, "the index of QUEUE_CTRL is 0 to 11");
    device.ask(&["reg", "SCRATCH", "0x100000000"]).fails(2, "not a number of 0 to 0xffffffff");
    device.ask(&["reg", "ID", "1"]).fails(2, "ID");
    device.stop();
    let gone = device.ask(&["stats"]);
    gone.fails(1, "no device answers");
}

#[test]
fn flows_are_changed_under_way_and_bad_ones_are_refused() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    let capture = folder.capture("in.pcap", (0..20).map(|_| (0, packet(1, 64))));
    let device = Device::start(&folder, &["--flows", &flows, "--in", &format!("p0={capture}")]);
    device.wait_for(|stats| stats["ports"]["p1"]["out"]["packets"] == 20);
    let rules = || device.ask(&["rules"]).succeeds();
    let bad = folder.write("bad.flows", "actions=drop\nnonsense=1,actions=drop\n");
    device.ask(&["reload", "--flows", &bad]).fails(2, "bad.flows:2:1: ");
    assert!(rules().contains("actions:p1"));
    let other = folder.write("other.flows", "in_port=p0,actions=output:vf3\n");
    device.ask(&["reload", "--flows", &other]).succeeds();
    assert!(!rules().contains("actions:p1"), "{}", rules());

    // SIGHUP reads the file of --flows again.
    folder.write("a.flows", FLOWS);
    device.hang_up();
    device.wait_until(|| device.log().contains("a.flows is in force"));
    device.stop();
}

#[test]
fn groups_come_from_a_file_and_change_with_the_flows_or_without_them() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "in_port=p0,actions=group:7\n");
    let to = |name: &str, port: &str| folder.write(name, &format!("group_id=7,type=indirect,bucket=output:{port}\n"));
    let capture = folder.capture("in.pcap", (0..20).map(|_| (0, packet(1, 64))));
    let input = format!("p0={capture}");
    folder
        .millrace(&["run", "--flows", &flows, "--in", &input])
        .fails(2, "a.flows:1:26: there is no group 7 (--groups FILE)");
    let bad = folder.write("bad.groups", "group_id=7,type=indirect,bucket=output:p9\n");
    let both = ["run", "--flows", &flows, "--groups", &bad, "--in", &input];
    folder.millrace(&both).fails(2, "bad.groups:1:40: unknown port p9");

    let twice = folder.millrace(&["run", "--flows", "-", "--groups", "-", "--in", &input]);
    twice.fails(2, "the standard input can be read once, and both --flows and --groups ask for it");

    let groups = to("a.groups", "p1");
    let device = Device::start(&folder, &["--flows", &flows, "--groups", &groups, "--in", &input]);
    device.wait_for(|stats| stats["ports"]["p1"]["out"]["packets"] == 20);
    let rules = || device.ask(&["rules"]).succeeds();
    let other = to("other.groups", "vf3");
    device.ask(&["reload", "--flows", &flows, "--groups", &other]).succeeds();
    assert!(rules().contains("actions:vf3"), "{}", rules());
    // The groups that are there stay.
    let longer = folder.write("b.flows", "in_port=p0,actions=group:7,output:vf4\n");
    device.ask(&["reload", "--flows", &longer]).succeeds();
    assert!(rules().contains("actions:vf3,vf4"), "{}", rules());
    // Both files are read again.
    to("a.groups", "vf5");
    device.hang_up();
    device.wait_until(|| device.log().contains("a.flows is in force"));
    assert!(rules().contains("actions:vf5"), "{}", rules());
    device.stop();
}
