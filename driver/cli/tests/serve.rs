// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace serve` as a command: what it refuses, what it says, and what it leaves behind.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, frames, packet};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

/// A served device whose sockets are in `dpu`.
fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let all = [&["serve", "--sockets", "dpu"][..], args].concat();
    let device = Device::spawn(folder, &mut folder.command(&all));
    device.wait_until(|| folder.path("dpu/vf0.sock").exists());
    device
}

/// Names of what is in the folder of the sockets.
fn sockets(folder: &Folder) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    folder.list().into_iter().filter(|path| path.parent().unwrap().ends_with("dpu")).map(name).collect()
}

#[test]
fn each_function_has_a_socket_until_the_end() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let device = serve(&folder, &["--flows", &flows, "--vfs", "2", "--stats", "s.json"]);
    device.wait_for(|stats| stats["preset"] == "host");
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock"]);
    folder.millrace(&["serve", "--sockets", "dpu", "--flows", &flows, "--control", "other"]).fails(2, "pf.sock");
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock"], "the other one took nothing away");
    device.stop();
    assert!(!folder.path("dpu").exists());
    let stats: serde_json::Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    assert_eq!(stats["ports"]["vf1"]["not_sent"]["no_buffer"], 0);
}

#[test]
fn without_flows_the_ecpf_has_a_socket_too() {
    let folder = Folder::new();
    let device = serve(&folder, &["--vfs", "1"]);
    device.wait_until(|| sockets(&folder).len() == 3);
    assert_eq!(sockets(&folder), ["ecpf.sock", "pf.sock", "vf0.sock"]);
    device.stop();
    assert!(!folder.path("dpu").exists());
}

#[test]
fn sockets_of_a_device_that_was_killed_are_replaced_and_a_folder_that_was_there_stays() {
    let folder = Folder::new();
    fs::create_dir(folder.path("dpu")).unwrap();
    let device = serve(&folder, &[]);
    device.signal(Signal::SIGKILL);
    device.wait();
    assert!(folder.path("dpu/vf0.sock").exists());
    let mut again = folder.command(&["serve", "--sockets", "dpu"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(again.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    kill(Pid::from_raw(again.id() as i32), Signal::SIGINT).unwrap();
    assert!(again.wait().unwrap().success());
    assert!(sockets(&folder).is_empty() && folder.path("dpu").exists());
}

#[test]
fn what_cannot_be_served_is_refused_and_nothing_is_left() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    folder.write("file", "a text that is longer than the header of a capture");
    folder.capture("a.pcap", [(0, packet(0, 60))]);
    let before = folder.list();
    for (args, message) in [
        (&["--vfs", "9"][..], "--vfs 9: the device has 8 VFs"),
        (&["--mode", "nic", "--flows", "a.flows"], "--mode nic: the slow path is the PF's then"),
        (&["--vfs", "2", "--numvfs", "3"], "--numvfs 3: the device has 2 VFs (--vfs)"),
        (&["--uplink", "vf0=tap:x"], "port vf0 is no uplink"),
        (&["--uplink", "p0=eth0"], "`eth0`: an uplink is connected to"),
        (&["--uplink", "p0=unix:file"], "the wire of p0: it is no socket"),
        (&["--uplink", "p2=unix:w"], "p2"),
        (&["--uplink", "p0=unix:w,delay=5"], "delay=5: give a time up to 60s"),
        (&["--uplink", "p0=pcap:a.pcap"], "`pcap:a.pcap` does not name two captures"),
        (&["--uplink", "p0=pcap:none.pcap,o.pcap"], "none.pcap: No such file"),
        (&["--uplink", "p0=pcap:file,o.pcap"], "file: byte 0: neither a pcap nor a pcapng file"),
        (&["--uplink", "p0=pcap:a.pcap,no/o.pcap"], "cannot write no/o.pcap"),
        (&["--uplink", "p0=pcap:a.pcap,a.pcap"], "a.pcap would be written, but it is also an input"),
        (&["--uplink", "p0=pcap:a.pcap,o", "--uplink", "p1=pcap:a.pcap,./o"], "o would be written twice"),
        (&["--uplink", "p0=pcap:a.pcap,a.flows", "--flows", "a.flows"], "a.flows would be written, but it is also"),
        (&["--uplink", "p0=pcap:-,o", "--flows", "-"], "both --flows and --uplink ask for it"),
        (&["--uplink", "p0=unix:w", "--uplink", "1=unix:v"], "--uplink is given twice for port p0"),
        (&["--mtu", "9000"], "--flows"),
        (&["--flows", "a.flows", "--without", "VERSION_1"], "MRG_RXBUF"),
        (&["--flows", "a.flows", "--mtu", "67"], "67 is not in 68..=9198"),
        (&["--flows", "a.flows", "--mac", "03:00:00:00:00:00"], "a group's address"),
        (&["--flows", "a.flows", "--mac", "2:0:0:0:0:0"], "six bytes of two hexadecimal digits"),
        (&["--flows", "none.flows"], "none.flows"),
    ] {
        folder.millrace(&[&["serve", "--sockets", "dpu"], args].concat()).fails(2, message);
        assert_eq!(folder.list(), before, "{args:?}");
    }
    folder.millrace(&["serve", "--sockets", "file", "--flows", &flows]).fails(2, "file is not a folder");
}

/// Frames of some lengths, told apart by their first payload byte.
fn some_frames(first: u8) -> Vec<Vec<u8>> {
    (0..100).map(|n| packet(first + n, 60 + 90 * usize::from(n))).collect()
}

const ACROSS: &str = "in_port=p0,actions=output:p1\nin_port=p1,actions=output:p0\n";

#[test]
fn captures_at_uplinks_come_in_and_are_written() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let (there, back) = (some_frames(0), some_frames(100));
    for pace in ["line", "capture", "settle"] {
        // A year lies between them, which takes no time.
        let times =
            |frames: &[Vec<u8>]| (0..).map(|n| n * 400_000_000_000_000).zip(frames.to_vec()).collect::<Vec<_>>();
        folder.capture("0.pcap", times(&there));
        folder.capture("1.pcap", times(&back));
        folder.write("p0.pcap", "what was there before");
        let uplinks = ["--uplink", "p0=pcap:0.pcap,p0.pcap", "--uplink", "p1=pcap:1.pcap,p1.pcap", "--pace", pace];
        let device = serve(&folder, &[&["--flows", &flows, "--vfs", "1"][..], &uplinks].concat());
        let all = |stats: &serde_json::Value, port: &str| stats["ports"][port]["out"]["packets"] == 100;
        device.wait_for(|stats| all(stats, "p0") && all(stats, "p1"));
        device.stop();
        let mut left = ["p1.pcap", "p0.pcap"].map(|name| frames(&folder.path(name)));
        if pace == "line" {
            // Those that the slow path has may leave later.
            left.iter_mut().for_each(|frames| frames.sort_by_key(Vec::len));
        }
        assert!(left == [there.clone(), back.clone()], "{pace}");
    }
}

#[test]
fn a_wire_with_a_length_and_a_rate_loses_nothing() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    folder.capture("in.pcap", some_frames(0).into_iter().map(|frame| (0, frame)));
    folder.capture("empty.pcap", []);
    let far = ["serve", "--sockets", "far", "--flows", &flows, "--vfs", "0", "--uplink", "p0=pcap:empty.pcap,out.pcap"];
    let far = Device::spawn(&folder, &mut folder.command(&[&far[..], &["--uplink", "p1=unix:w,rate=40G"]].concat()));
    far.wait_until(|| folder.path("w").exists());
    let near = ["--flows", &flows, "--uplink", "p0=pcap:in.pcap,back.pcap", "--uplink", "p1=unix:w,delay=1ms,rate=10G"];
    let near = serve(&folder, &[&near[..], &["--control", "near"]].concat());
    far.wait_for(|stats| stats["ports"]["p0"]["out"]["packets"] == 100);
    near.stop();
    far.stop();
    let mut left = frames(&folder.path("out.pcap"));
    left.sort_by_key(Vec::len);
    assert!(left == some_frames(0), "{} frames", left.len());
    assert!(frames(&folder.path("back.pcap")).is_empty());
}
