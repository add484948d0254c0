// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace explain`: what it says of frames, that the device does not notice, and what it says of a device whose RTL and model differ.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome};
use millrace_pages::blocks;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread::spawn;

const FLOWS: &str = "\
priority=20,in_port=vf0,dl_vlan=100,actions=strip_vlan,push_vlan:0x88a8,set_field:4297->vlan_vid,output:vf1
priority=10,in_port=vf0,ip,nw_dst=10.9.0.0/16,actions=drop
priority=5,in_port=vf0,ip,actions=dec_ttl,mod_dl_dst:02:00:00:00:00:09,output:p1,mod_nw_dst:10.0.0.9,output:vf2
priority=0,actions=normal
";

/// A UDP packet to this address, behind these tags.
fn udp(dst: [u8; 4], ttl: u8, tags: &[u8]) -> Vec<u8> {
    let header = [0x45, 0, 0, 32, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, dst[0], dst[1], dst[2], dst[3]];
    let sum = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    let mut frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], tags, &[8, 0], &header].concat();
    let checksum = frame.len() - 10;
    frame[checksum..checksum + 2].copy_from_slice(&sum.to_be_bytes());
    frame.extend([4, 0, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
    frame
}

fn routed() -> Vec<u8> {
    udp([10, 1, 0, 1], 64, &[])
}

fn dropped() -> Vec<u8> {
    udp([10, 9, 0, 1], 64, &[])
}

fn tagged() -> Vec<u8> {
    udp([10, 1, 0, 1], 64, &[0x81, 0, 0, 100])
}

fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A device with a rule for each of the three packets.
fn device(folder: &Folder) -> Device<'_> {
    let flows = folder.write("a.flows", FLOWS);
    let frames = [routed(), dropped(), tagged()];
    let packets = (0..6).map(|n: usize| (n as u64 * 1_000_000, frames[n % 3].clone()));
    let input = format!("vf0={}", folder.capture("in.pcap", packets));
    let device = Device::start(folder, &["--flows", &flows, "--in", &input, "--pace", "settle"]);
    device.wait_for(|stats| stats["rules"] == 3 && stats["ports"]["vf0"]["hardware"] == 3);
    device
}

fn explain(device: &Device, port: &str, frame: &[u8]) -> String {
    device.ask(&["explain", "--in", port, "--hex", &hex(frame)]).succeeds()
}

/// All of these are in the text, in this order.
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not where it should be in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn a_hit_is_explained_from_its_parse_to_its_outputs() {
    let folder = Folder::new();
    let device = device(&folder);
    let text = explain(&device, "vf0", &routed());
    has(
        &text,
        &[
            "Flow: udp,in_port=4,vlan_tci=0x0000,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.1,",
            "\nhardware(\"sim\"), pass 0\n-----------------------\n 0. hash_table(0), 1 of 2048 rules, looks at in_port,",
            ": hit, rule ",
            " 8. tcam, 0 of 32 rules\nrule ",
            "\n     -> recirc_id(0),in_port(vf0),",
            "\n     -> without it: no rule matches\n    set(eth(dst=02:00:00:00:00:09))\n    dec_ttl(1)\n    p1\n",
            "    set(ipv4(dst=10.0.0.9))\n    dec_ttl(1)\n    vf2\n\nVerdict: hit\nOutput: p1 (46 bytes), vf2 (46 bytes)\n",
            "RTL: the same, in a private copy with 3 rules, in ",
            "\nWhat the slow path would do with a miss:\n\nFlow: udp,in_port=4,",
            "\nbridge(\"millrace\")\n------------------\n 0. ip,in_port=4, priority 5\n    dec_ttl\n    mod_dl_dst:02:00:00:00:00:09\n    output:2\n",
            "    mod_nw_dst:10.0.0.9\n    output:6\n\nFinal flow: udp,in_port=4,",
            "nw_dst=10.0.0.9,",
            "nw_ttl=63,",
            "\nMegaflow: recirc_id=0,eth,",
            "\nDatapath actions: set(eth(dst=02:00:00:00:00:09)),dec_ttl(1),p1,set(ipv4(dst=10.0.0.9)),vf2\n",
        ],
    );
    // Its TTL is too low for the rule.
    let expired = explain(&device, "4", &udp([10, 1, 0, 1], 1, &[]));
    has(
        &expired,
        &["    p1\n     -> TTL 1 is too low: the program ends here\n\nVerdict: drop_ttl\nOutput: none\nRTL: the same"],
    );
    has(&expired, &["    dec_ttl\n     >> IPv4 decrement TTL exception\n", "Final flow: unchanged\n"]);
    device.stop();
}

#[test]
fn drops_edits_of_tags_misses_and_faults_are_explained() {
    let folder = Folder::new();
    let device = device(&folder);
    let text = explain(&device, "vf0", &dropped());
    has(
        &text,
        &[": hit, rule ", "    drop\n\nVerdict: drop_rule\nOutput: none\nRTL: the same", "Datapath actions: drop\n"],
    );
    let text = explain(&device, "vf0", &tagged());
    has(&text, &["dl_vlan=100,dl_vlan_pcp=0,vlan_tci1=0x0000", ": hit, rule "]);
    has(
        &text,
        &[
            "    pop_vlan\n    push_vlan(tpid=0x88a8,vid=201,pcp=0)\n    vf1\n\nVerdict: hit\nOutput: vf1 (50 bytes)\nRTL: the same",
        ],
    );
    let text = explain(&device, "p0", &routed());
    has(&text, &["no rule matches\n    upcall\n\nVerdict: miss\nOutput: upcall(miss) (46 bytes)\nRTL: the same"]);
    has(
        &text,
        &[
            "What the slow path does with it:",
            " 0. priority 0\n    NORMAL\n     -> learned that 02:00:00:00:00:02 is on port p0 in VLAN 0\n     -> no learned MAC for destination, flooding\n",
        ],
    );
    let text = explain(&device, "vf0", &routed()[..13]);
    has(&text, &["hardware(\"sim\"): no lookup\nVerdict: drop_runt\nOutput: none\nRTL: the same"]);
    assert!(!text.contains("slow path"), "{text}");
    let snap = [&[2; 12][..], &[0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat();
    let text = explain(&device, "vf0", &snap);
    has(&text, &["no lookup\nVerdict: punt\nOutput: upcall(punt) (22 bytes)\nRTL: the same"]);
    has(&text, &["This flow is handled by the userspace slow path because it:\n  - punted\n"]);
    let text = device.ask(&["explain", "--in", "vf0", "--hex", &hex(&routed()), "--json"]).succeeds();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["outputs"][0]["to"], "p1");
    assert_eq!(&report["outputs"][0]["frame"].as_str().unwrap()[..12], "020000000009");
    assert_eq!((&report["rtl"]["check"], &report["passes"][0]["without_it"]), (&json!("same"), &Value::Null));
    device.stop();
}

/// What the device has counted, and the cycle it is in then.
fn counted(device: &Device) -> (Value, u64) {
    let mut stats: Value = serde_json::from_str(&device.ask(&["stats", "--json"]).succeeds()).unwrap();
    let cycle = stats["cycles"].as_u64().unwrap();
    for name in ["cycles", "clocked_cycles"] {
        stats.as_object_mut().unwrap().remove(name);
    }
    (stats, cycle)
}

#[test]
fn the_device_does_not_notice() {
    let folder = Folder::new();
    let device = device(&folder);
    // Time goes on while counters are read.
    let (_, first) = counted(&device);
    let (before, second) = counted(&device);
    for frame in [routed(), dropped(), tagged(), udp([10, 1, 0, 1], 1, &[]), udp([1, 2, 3, 4], 9, &[])] {
        explain(&device, "vf0", &frame);
        explain(&device, "p0", &frame);
    }
    let (after, third) = counted(&device);
    assert_eq!(before, after);
    assert_eq!(third - second, second - first, "time went on");
    // A station that explain told of was not learned: its address is asked for still.
    has(&explain(&device, "p1", &routed()), &["learned that 02:00:00:00:00:02 is on port p1"]);
    device.stop();
}

#[test]
fn a_frame_of_a_capture_leaves_its_waveform() {
    let folder = Folder::new();
    let device = device(&folder);
    let ask = |frame: &str, trace: &str| {
        device.ask(&["explain", "--in", "vf0", "--capture", "in.pcap", "--frame", frame, "--trace", trace])
    };
    has(&ask("2", "a.fst").succeeds(), &["Verdict: drop_rule"]);
    assert!(folder.path("a.fst").metadata().unwrap().len() > 1000);
    ask("7", "b.fst").fails(2, "in.pcap: there is no frame 7: the capture has 6");
    ask("1", "in.pcap").fails(2, "in.pcap would be written, but it is also an input");
    ask("1", "no/c.fst").fails(2, "no/c.fst");
    ask("0", "b.fst").fails(2, "--frame");
    assert!(!folder.path("b.fst").exists());
    device.stop();
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let folder = Folder::new();
    let device = device(&folder);
    let ask = |port: &str, hex: &str| device.ask(&["explain", "--in", port, "--hex", hex]);
    ask("vf0", "02 0").fails(2, "--hex: 3 digits: a byte has two, and that of character 4 has one");
    ask("vf0", "0201xx").fails(2, "--hex: character 5, `x`, is no hexadecimal digit");
    ask("vf0", "").fails(2, "--hex: a frame has a byte at least");
    ask("vf8", "0201").fails(2, "unknown port `vf8`: the ports are p0, p1, pf, vf0,");
    ask("12", "0201").fails(2, "unknown port `12`");
    device.ask(&["explain", "--in", "vf0"]).fails(2, "--hex");
    device.ask(&["explain", "--in", "vf0", "--capture", "none.pcap", "--frame", "1"]).fails(2, "none.pcap");
    device.stop();
    ask("vf0", &hex(&routed())).fails(2, "no device answers at");
}

/// Asks a device by its socket.
fn answer_of(folder: &Folder, frame: &[u8]) -> Value {
    let mut stream = UnixStream::connect(folder.path("millrace.sock")).unwrap();
    writeln!(stream, "{}", json!({ "request": "explain", "port": "vf0", "frame": hex(frame) })).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// What `millrace explain` says of a device that gives this answer.
fn explain_answer(folder: &Folder, frame: &[u8], answer: Value) -> Outcome {
    let path = folder.path("other.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let device = spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
        writeln!(stream, "{answer}").unwrap();
    });
    let outcome = folder.millrace(&["explain", "--in", "vf0", "--hex", &hex(frame), "--control", "other.sock"]);
    device.join().unwrap();
    std::fs::remove_file(path).unwrap();
    outcome
}

#[test]
fn a_difference_between_rtl_and_model_is_told_loudly() {
    let folder = Folder::new();
    let device = device(&folder);
    let mut answer = answer_of(&folder, &routed());
    assert!(explain_answer(&folder, &routed(), answer.clone()).succeeds().contains("RTL: the same"));
    // The model does not know where in its table a rule is: in this slot the RTL does not find it.
    let slot = &mut answer["ok"][0]["device"]["matching"][0]["place"]["hash_table"]["slot"];
    *slot = json!(slot.as_u64().unwrap() ^ 1);
    let outcome = explain_answer(&folder, &routed(), answer);
    has(&outcome.out, &["RTL: DIFFERS from the model", "verdict: the model has hit, the RTL miss (1)"]);
    outcome.fails(1, "the RTL differs from the model: verdict: the model has hit, the RTL miss (1); rule: ");
    explain_answer(&folder, &routed(), json!({ "ok": [] })).fails(1, "makes no sense");
    device.stop();
}

#[test]
fn devices_with_a_host_side_are_explained_wherever_their_slow_path_is() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", FLOWS);
    for apart in [false, true] {
        let mut serve = vec!["serve", "--sockets", "dpu", "--vfs", "3"];
        if !apart {
            serve.extend(["--flows", &flows, "--control", "control"]);
        }
        let served = Device::spawn(&folder, &mut folder.command(&serve));
        served.wait_until(|| folder.path("dpu/vf2.sock").exists());
        let slow_path = apart.then(|| {
            let args = ["firmware", "--device", "vfio-user:dpu", "--flows", &flows, "--control", "control"];
            Device::spawn(&folder, &mut folder.command(&args))
        });
        served.wait_until(|| folder.millrace(&["stats", "--control", "control"]).succeeded());
        for (port, frame) in [("vf0", routed()), ("p0", routed()), ("p0", vec![2; 13])] {
            let outcome = folder.millrace(&["explain", "--in", port, "--hex", &hex(&frame), "--control", "control"]);
            let text = outcome.succeeds();
            has(&text, &["hardware(\"host\")", "RTL: the same, in a private copy with 0 rules"]);
        }
        slow_path.iter().for_each(Device::stop);
        served.stop();
    }
}

#[test]
fn the_page_on_explaining_does_what_it_says() {
    let folder = Folder::new();
    let page = include_str!("../../../docs/explain.md");
    let command = folder.command(&[]);
    let programs = Path::new(command.get_program()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::os::unix::fs::symlink(repository.join("testbench"), folder.path("testbench")).unwrap();
    // What it leaves running ends with it.
    let all = format!("trap 'kill $(jobs -p) || true' EXIT\nset -e\n{}", blocks(page, "sh").concat());
    let mut shell = Command::new("bash");
    shell.args(["-c", &all]).env("PATH", path).env("XDG_RUNTIME_DIR", folder.path("")).current_dir(folder.path("."));
    let Outcome { out, err, code } = Outcome::of(&mut shell);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, blocks(page, "text").concat(), "{err}");
}
