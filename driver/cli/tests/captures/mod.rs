// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures as people have them: from other programs, damaged, out of order, from a pipe, with long gaps.

use crate::common::{Device, Folder, frames, packet};
use millrace_sim::capture;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;

const TO_P1: &str = "actions=output:p1\n";
const SECOND: u64 = 1_000_000_000;

/// A block of a little-endian pcapng file.
fn block(kind: u32, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = (12 + body.len() as u32).to_le_bytes();
    [&kind.to_le_bytes(), &length, body.as_slice(), &length].concat()
}

/// A pcapng file of one frame (its length a multiple of four), with these options as bytes, and a time in microseconds.
fn pcapng(section: &[u8], interface: &[u8], options: &[u8], frame: &[u8], time: u64) -> Vec<u8> {
    let length = (frame.len() as u32).to_le_bytes();
    let time = [((time >> 32) as u32).to_le_bytes(), (time as u32).to_le_bytes()].concat();
    [
        block(0x0a0d_0d0a, &[&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0], &[255; 8], section]),
        block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0], interface]),
        block(6, &[&[0; 4], &time, &length, &length, frame, options]),
    ]
    .concat()
}

/// A pcap file with microseconds: this field for the link type, and of each packet time, original length, captured bytes.
fn pcap(link: u32, packets: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(link.to_le_bytes());
    for (seconds, microseconds, original, frame) in packets {
        for field in [*seconds, *microseconds, frame.len() as u32, *original] {
            file.extend(field.to_le_bytes());
        }
        file.extend(*frame);
    }
    file
}

/// A folder with a flow file that sends everything to p1.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("f", TO_P1);
    folder
}

fn statistics(folder: &Folder) -> Value {
    serde_json::from_str(&folder.read("s.json")).unwrap()
}

/// Runs one capture at p0, which must succeed; gives what left p1 and what was said.
fn run(folder: &Folder, capture: &[u8], more: &[&str]) -> (Vec<capture::Packet>, String) {
    fs::write(folder.path("in"), capture).unwrap();
    let args = ["run", "--flows", "f", "--in", "p0=in", "--out", "out", "--stats", "s.json"];
    let outcome = folder.millrace(&[&args, more].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let path = ["out/p1.pcap", "out/p1.pcapng"].map(|name| folder.path(name)).into_iter().find(|path| path.exists());
    (capture::read(&path.unwrap()).unwrap(), outcome.err)
}

#[test]
fn options_without_an_end_comments_in_any_encoding_and_fcs_are_no_obstacle() {
    let frame = packet(1, 72);
    let with_fcs = [frame.as_slice(), &[0xde, 0xad, 0xbe, 0xef]].concat();
    let app = b"\x04\0\x06\0lspgen\0\0";
    let name = b"\x02\0\x04\0eth0";
    let flags = b"\x02\0\x04\0\x01\0\0\0";
    let comment = b"\x01\0\x04\0caf\xe9\0\0\0\0";
    let one = |link, frame: &[u8]| pcap(link, &[(1, 0, frame.len() as u32, frame)]);
    for (what, file) in [
        ("epb", pcapng(&[], &[], flags, &frame, 1)),
        ("idb", pcapng(&[], name, &[], &frame, 1)),
        ("shb", pcapng(app, &[], &[], &frame, 1)),
        ("comment", pcapng(comment, comment, comment, &frame, 1)),
        ("hibits", one(0x3000_0001, &frame)),
        ("P clear", one(0x4000_0001, &frame)),
        ("P set, length 0", one(0x0400_0001, &frame)),
        ("FCS of 4 bytes", one(0x2400_0001, &with_fcs)),
        ("FCS of 4 bytes, by the interface", pcapng(&[], b"\x0d\0\x01\0\x04\0\0\0", &[], &with_fcs, 1)),
    ] {
        let (left, said) = run(&folder(), &file, &["--strict"]);
        assert_eq!(left.iter().map(|p| p.frame.as_slice()).collect::<Vec<_>>(), [&frame], "{what}");
        assert_eq!(said, "", "{what}");
    }
}

#[test]
fn times_past_2106_are_written_as_pcapng() {
    let last = pcap(1, &[(u32::MAX, 999_999, 72, &packet(1, 72)), (u32::MAX, 999_999, 72, &packet(2, 72))]);
    let last_ns = u64::from(u32::MAX) * SECOND + 999_999_000;
    let past_us = 4_294_967_296_000_000_u64 + 5;
    let past = pcapng(&[], &[], &[], &packet(1, 72), past_us);
    for (file, packets, time) in [(last, 2, last_ns), (past, 1, past_us * 1000)] {
        for pace in ["line", "capture", "settle"] {
            let folder = folder();
            let (left, _) = run(&folder, &file, &["--pace", pace]);
            assert_eq!(left.len(), packets);
            assert!(left.iter().all(|p| (time..time + SECOND).contains(&p.time_ns)), "{left:?}");
            assert!(!folder.path("out/p1.pcap").exists());
            assert_eq!(statistics(&folder)["ports"]["p1"]["out"]["packets"], packets);
        }
    }
}

#[test]
fn a_time_that_nothing_can_hold_is_refused_before_the_run() {
    let folder = folder();
    fs::write(folder.path("in"), pcapng(&[], &[], &[], &packet(1, 72), u64::MAX)).unwrap();
    let before = folder.list();
    let args = ["run", "--flows", "f", "--in", "p0=in", "--out", "out", "--stats", "s.json"];
    folder.millrace(&args).fails(2, "in: byte 48, packet 1: the time stamp is out of range: 1970 to 2262 can be read");
    assert_eq!(folder.list(), before);
}

#[test]
fn a_gap_of_decades_is_over_at_once_and_ages_what_it_should() {
    for pace in ["capture", "settle"] {
        let folder = Folder::new();
        let flows =
            folder.write("f", "priority=1,idle_timeout=60,dl_type=0x1234,actions=drop\npriority=0,actions=normal\n");
        let from =
            |station: u8, to: u8| [&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, station, 0x88, 0xb5], &[0; 46][..]].concat();
        // vf0's station is known, and 54 years later it no longer is.
        let late = 1_700_000_000 * SECOND;
        let vf0 = folder.capture("vf0.pcap", [(SECOND, from(1, 9))]);
        let vf1 = folder.capture("vf1.pcap", [(SECOND + 1_000_000, from(2, 1)), (late, from(2, 1))]);
        let inputs = [format!("vf0={vf0}"), format!("vf1={vf1}")];
        let args = ["run", "--flows", &flows, "--in", &inputs[0], "--in", &inputs[1], "--out", "out", "--pace", pace];
        folder.millrace(&[&args[..], &["--stats", "s.json"]].concat()).succeeds();
        let times = |port: &str| -> Vec<u64> {
            let path = folder.path(&format!("out/{port}.pcap"));
            capture::read(&path).unwrap().iter().map(|packet| packet.time_ns / SECOND).collect()
        };
        assert_eq!(times("vf0"), [1, 1_700_000_000], "{pace}");
        assert_eq!(times("pf"), [1, 1_700_000_000], "{pace}: both from and to strangers");
        let stats = statistics(&folder);
        assert_eq!(stats["slow_path"]["expired"], 1);
        assert!(stats["cycles"].as_u64() > Some(late / 4 - SECOND));
        assert!(stats["clocked_cycles"].as_u64() < Some(1_000_000), "{stats:#}");
    }
}

#[test]
fn packets_that_cannot_be_sent_are_left_out_counted_and_named() {
    let folder = folder();
    let good = [packet(1, 60), packet(2, 9216)];
    let file = pcap(
        1,
        &[
            (1, 0, 60, &good[0]),
            (2, 0, 1514, &[1; 96]),
            (3, 0, 13, &[2; 13]),
            (4, 0, 0, &[]),
            (5, 0, 9217, &[3; 9217]),
            // More than other programs read.
            (5, 1, 300_000, &[3; 300_000]),
            (6, 0, 9216, &good[1]),
            (7, 0, 60, &[4; 60]),
        ],
    );
    let (left, said) = run(&folder, &file[..file.len() - 1], &["--pace", "settle"]);
    assert_eq!(left.into_iter().map(|p| p.frame).collect::<Vec<_>>(), good);
    let stats = statistics(&folder);
    let expected = serde_json::json!({"snapped": 1, "too_short": 2, "too_long": 2, "cut_short": 1});
    assert_eq!(stats["ports"]["p0"]["left_out"], expected);
    assert_eq!(stats["ports"]["p0"]["in"]["packets"], 2);
    let none = serde_json::json!({"snapped": 0, "too_short": 0, "too_long": 0, "cut_short": 0});
    assert_eq!(stats["ports"]["p1"]["left_out"], none);
    let offset = file.len() - 76;
    let lines = format!(
        "millrace: in: byte {offset}, packet 8: the file is cut short: what comes before is used\n\
         millrace: in: 6 of 8 packets are left out: snapped 1, too_short 2, too_long 2, cut_short 1\n"
    );
    assert_eq!(said, lines);
    let strict = ["run", "--strict", "--flows", "f", "--in", "p0=in"];
    folder.millrace(&strict).fails(2, "in: byte 100, packet 2: only 96 of the frame's 1514 bytes were captured");

    let device = Device::start(&folder, &["--flows", "f", "--in", "p0=in"]);
    device.wait_for(|stats| stats["ports"]["p1"]["out"]["packets"] == 2);
    let table = device.ask(&["stats"]).succeeds();
    assert!(table.contains("left out: cut_short 1, snapped 1, too_long 2, too_short 2"), "{table}");
    device.stop();
}

#[test]
fn the_longest_frame_is_that_of_the_build() {
    let folder = folder();
    let file = pcap(1, &[(1, 0, 2048, &packet(1, 2048)), (2, 0, 2049, &packet(2, 2049))]);
    let (left, _) = run(&folder, &file, &["--preset", "ecp5"]);
    assert_eq!(left.len(), 1);
    assert_eq!(statistics(&folder)["ports"]["p0"]["left_out"]["too_long"], 1);
    let strict = ["run", "--strict", "--flows", "f", "--in", "p0=in", "--preset", "ecp5"];
    folder.millrace(&strict).fails(2, "packet 2: a frame of 2049 bytes: frames have 14 to 2048");
}

#[test]
fn a_capture_out_of_order_is_sorted_and_says_so() {
    let folder = folder();
    let ids = [(3, 30), (1, 10), (2, 20), (2, 21), (9, 90), (2, 22)];
    let capture = folder.capture("in", ids.map(|(time, id)| (time * SECOND, packet(id, 60))));
    let other = folder.capture("other", [(2 * SECOND, packet(77, 60)), (4 * SECOND, packet(78, 60))]);
    for pace in ["settle", "capture", "line"] {
        let inputs = [format!("p0={capture}"), format!("pf={other}")];
        let args = ["run", "--flows", "f", "--in", &inputs[1], "--in", &inputs[0], "--out", pace, "--pace", pace];
        let outcome = folder.millrace(&args);
        assert_eq!(outcome.err, "millrace: in: 4 of 6 packets are earlier than one before them: sorted\n", "{pace}");
        outcome.succeeds();
        let ids: Vec<u8> = frames(&folder.path(&format!("{pace}/p1.pcap"))).iter().map(|frame| frame[14]).collect();
        if pace == "settle" {
            assert_eq!(ids, [10, 20, 21, 22, 77, 30, 78, 90]);
        }
        assert_eq!(ids.len(), 8, "{pace}");
    }
}

#[test]
fn standard_input_and_output_are_called_by_a_dash() {
    let folder = folder();
    let capture = pcap(1, &[(1, 0, 60, &packet(1, 60)), (2, 0, 61, &packet(2, 61))]);
    fs::write(folder.path("in"), &capture).unwrap();
    let in_p1 = |out: String| {
        let stats: Value = serde_json::from_str(&out).unwrap();
        stats["ports"]["p1"]["out"]["packets"].as_u64()
    };
    let args = ["run", "--flows", "f", "--in", "vf0=-", "--stats", "-", "--out", "out"];
    assert_eq!(in_p1(folder.millrace_reading(&args, capture).succeeds()), Some(2));
    assert_eq!(frames(&folder.path("out/p1.pcap")).len(), 2);
    let args = ["run", "--flows", "-", "--in", "vf0=in", "--stats", "-"];
    assert_eq!(in_p1(folder.millrace_reading(&args, TO_P1.into()).succeeds()), Some(2));
    let refused = folder.millrace_reading(&args, b"actions=drop\nnonsense=1,actions=drop\n".to_vec());
    refused.fails(2, "standard input:2:1: ");
    let twice = ["run", "--flows", "-", "--in", "vf0=-"];
    folder.millrace_reading(&twice, vec![]).fails(2, "both --flows and --in vf0 ask for it");
    let twice = ["run", "--flows", "f", "--in", "vf0=-", "--in", "p0=-"];
    folder.millrace_reading(&twice, vec![]).fails(2, "both --in vf0 and --in p0 ask for it");
    let args = ["run", "--flows", "f", "--in", "vf0=-"];
    folder.millrace_reading(&args, vec![]).fails(2, "standard input: byte 0: neither a pcap nor a pcapng file");
    assert!(!folder.path("-").exists());
}

#[test]
fn ports_have_their_openflow_numbers_too() {
    let folder = folder();
    let capture = folder.capture("in", [(1, packet(1, 60))]);
    let input = format!("4={capture}");
    folder.millrace(&["run", "--flows", "f", "--in", &input, "--stats", "s.json"]).succeeds();
    assert_eq!(statistics(&folder)["ports"]["vf0"]["in"]["packets"], 1);
}

#[test]
fn a_full_disk_is_named_once() {
    let folder = folder();
    let capture = folder.capture("in", (0..300).map(|i| (i, packet(i as u8, 1000))));
    let input = format!("p0={capture}");
    fs::create_dir(folder.path("out")).unwrap();
    symlink("/dev/full", folder.path("out/p1.pcap")).unwrap();
    let run = ["run", "--flows", "f", "--in", &input];
    let outcome = folder.millrace(&[&run[..], &["--out", "out"]].concat());
    assert_eq!(outcome.err, "millrace: out/p1.pcap: No space left on device (os error 28)\n");
    outcome.fails(1, "");
    let outcome = folder.millrace(&[&run[..], &["--stats", "/dev/full"]].concat());
    assert_eq!(outcome.err, "millrace: cannot write /dev/full: No space left on device (os error 28)\n");
    outcome.fails(1, "");
}

#[test]
fn statistics_hold_what_was_counted_until_an_output_failed() {
    let folder = folder();
    let capture = folder.capture("in", (0..300).map(|i| (i, packet(i as u8, 1000))));
    let input = format!("p0={capture}");
    fs::create_dir(folder.path("out")).unwrap();
    symlink("/dev/full", folder.path("out/p1.pcap")).unwrap();
    let run = ["run", "--flows", "f", "--in", &input, "--out", "out", "--stats", "s.json", "--pace", "settle"];
    folder.millrace(&run).fails(1, "out/p1.pcap: No space left on device");
    let stats = statistics(&folder);
    let left = stats["ports"]["p1"]["out"]["packets"].as_u64().unwrap();
    // It failed when the first packets were written out of memory, long before the last.
    assert!((1..300).contains(&left) && stats["ports"]["p0"]["in"]["packets"].as_u64() >= Some(left), "{stats:#}");
}

#[test]
fn logs_have_no_colours_where_no_terminal_is() {
    let folder = folder();
    let capture = folder.capture("in", [(0, packet(1, 60))]);
    let device = Device::start(&folder, &["--flows", "f"]);
    device.wait_for(|_| true);
    // A second device finds the control socket in use, and says so.
    let outcome = folder.millrace(&["run", "--flows", "f", "--in", &format!("p0={capture}")]);
    assert!(!outcome.err.is_empty() && !outcome.err.contains('\x1b'), "{:?}", outcome.err);
    device.stop();
}
