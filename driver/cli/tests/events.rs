// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace events`: functions of a served device that scan or send with another's address are told of and blocked, and no other function notices.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, receive};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// From each VF to the next.
const ROUND: &str = "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf2\nin_port=vf2,actions=output:vf0\n";

fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let flows = folder.write("a.flows", ROUND);
    let all = [&["serve", "--sockets", "dpu", "--vfs", "3", "--flows", &flows][..], args].concat();
    let device = Device::spawn(folder, &mut folder.command(&all));
    device.wait_until(|| device.ask(&["vf"]).succeeded());
    device
}

fn attach(folder: &Folder, vf: u8) -> VfioUserNet {
    VfioUserNet::connect(&folder.path(&format!("dpu/vf{vf}.sock")), Settings::default()).unwrap()
}

/// A TCP segment of a VF to a port of 10.0.9.9: the first of a connection, or one that goes on.
fn segment(vf: u8, port: u16, begins: bool) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0x99, 2, 0x4d, 0x52, 0, 0, vf + 1, 8, 0];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, vf + 1, 10, 0, 9, 9]);
    frame.extend([0x9c, 0x40]);
    frame.extend(port.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, if begins { 2 } else { 0x10 }, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    frame
}

fn send(net: &mut VfioUserNet, frame: &[u8]) {
    net.net().reclaim(0).unwrap();
    assert_eq!(net.net().send(0, [frame]).unwrap(), 1);
}

/// A frame of one arrives at the other.
fn passes(from: &mut VfioUserNet, to: &mut VfioUserNet, frame: &[u8]) {
    send(from, frame);
    assert_eq!(receive(to), [frame]);
}

/// A reader at work.
struct Reader {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Reader {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut command = folder.command(&[&["events"][..], args].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kept(device: &Device) -> Vec<Value> {
    device.ask(&["events", "--once"]).succeeds().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_vf_that_scans_is_told_of_and_blocked_and_the_others_do_not_notice() {
    let folder = Folder::new();
    let device = serve(&folder, &["--detect-scan", "ports=20,within=1h,block=2s"]);
    let mut follower = Reader::start(&folder, &[]);
    let [mut a, mut b, mut c] = [0, 1, 2].map(|vf| attach(&folder, vf));
    let (known, neighbour) = (segment(0, 443, false), segment(1, 443, false));
    for _ in 0..3 {
        passes(&mut a, &mut b, &known);
        passes(&mut b, &mut c, &neighbour);
    }
    for port in 1..20 {
        passes(&mut a, &mut b, &segment(0, port, true));
    }
    assert!(kept(&device).is_empty(), "19 ports");
    send(&mut a, &segment(0, 20, true));
    let event = follower.next();
    let expect = [
        ("event_type", "scan"),
        ("port", "vf0"),
        ("src_ip", "10.0.0.1"),
        ("src_mac", "02:4d:52:00:00:01"),
        ("action", "blocked"),
    ];
    for (name, value) in expect {
        assert_eq!(event[name], value, "{event}");
    }
    assert_eq!((&event["ports"], &event["seq"], &event["offloaded"]), (&20.into(), &1.into(), &true.into()));
    assert_eq!((&event["first"]["service"], &event["last"]["service"]), (&"tcp/1".into(), &"tcp/20".into()));
    assert_eq!(kept(&device), std::slice::from_ref(&event));

    // What was offloaded before is dropped as well, by the hardware, until the time is over.
    let shown = device.ask(&["rules"]).succeeds();
    assert!(shown.contains("block(reason=scan,ends_in="), "{shown}");
    for _ in 0..10 {
        send(&mut a, &known);
        passes(&mut b, &mut c, &neighbour);
    }
    let over = follower.next();
    assert_eq!((&over["event_type"], &over["src_ip"]), (&"unblocked".into(), &"10.0.0.1".into()), "{over}");
    let dropped = over["dropped"].as_u64().unwrap();
    device.wait_for(|stats| {
        let port = &stats["ports"]["vf0"]["dropped"];
        let number = |value: &Value| value.as_u64().unwrap();
        number(&port["hardware"]["drop_rule"]) + number(&port["slow_path"]["drop_blocked"]) >= dropped.max(1)
    });
    b.refresh().unwrap();
    b.net().receive(0, usize::MAX, |_| ()).unwrap();
    passes(&mut a, &mut b, &known);
    passes(&mut b, &mut c, &neighbour);
    assert!(!device.ask(&["rules"]).succeeds().contains("block("));
    device.wait_for(|stats| stats["slow_path"]["blocks"] == 1);
    device.stop();
}

#[test]
fn a_vf_with_anothers_address_is_told_of_by_the_slow_path_or_by_its_spoof_check() {
    let folder = Folder::new();
    let device = serve(&folder, &["--detect-spoof", "within=1ms,block=1h", "--vf", "vf1=spoofchk=on"]);
    let [mut a, mut b, mut c] = [0, 1, 2].map(|vf| attach(&folder, vf));
    let mut first = Reader::start(&folder, &["--count", "1"]);
    passes(&mut a, &mut b, &segment(0, 1, false));
    // vf0 with the address of vf2.
    let forged = segment(2, 1, false);
    send(&mut a, &forged);
    let event = first.next();
    let expect = [
        ("event_type", "spoof"),
        ("port", "vf0"),
        ("src_mac", "02:4d:52:00:00:03"),
        ("own_mac", "02:4d:52:00:00:01"),
        ("src_ip", "10.0.0.3"),
        ("action", "blocked"),
    ];
    for (name, value) in expect {
        assert_eq!(event[name], value, "{event}");
    }
    assert!(first.child.wait().unwrap().success(), "it ends after one");
    send(&mut a, &forged);
    passes(&mut a, &mut b, &segment(0, 1, false));
    passes(&mut c, &mut a, &segment(2, 1, false));

    // The device itself drops what vf1 forges, and shows a sample of it.
    let mut second = Reader::start(&folder, &["--count", "2"]);
    assert_eq!(second.next(), event, "those that are kept come first");
    send(&mut b, &forged);
    let event = second.next();
    assert_eq!((&event["port"], &event["action"], &event["count"]), (&"vf1".into(), &"dropped".into(), &1.into()));
    let source = ["event_type", "src_mac", "src_ip"].map(|name| event[name].as_str().unwrap_or_default());
    assert_eq!(source, ["spoof", "02:4d:52:00:00:03", "10.0.0.3"], "{event}");
    passes(&mut b, &mut c, &segment(1, 1, false));
    device.stop();
}

#[test]
fn a_reader_that_leaves_or_stays_holds_nobody_up() {
    let folder = Folder::new();
    let device = serve(&folder, &["--detect-scan", "hosts=1,within=1ms"]);
    let readers: Vec<Reader> = (0..6).map(|_| Reader::start(&folder, &[])).collect();
    let [mut a, mut b] = [0, 1].map(|vf| attach(&folder, vf));
    passes(&mut a, &mut b, &segment(0, 1, true));
    device.wait_until(|| !kept(&device).is_empty());
    let mut readers = readers.into_iter();
    let mut last = readers.next().unwrap();
    let first = last.next();
    assert_eq!((&first["seq"], &first["action"]), (&1.into(), &"none".into()));
    drop(readers);
    device.wait_for(|stats| stats["slow_path"]["events"] == 1);
    // The end of the device is the reader's.
    device.stop();
    let status = last.child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_capture_is_looked_through_at_the_times_that_it_has() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=output:vf1\n");
    let at = |n: u16| 1_700_000_000_000_000_000 + u64::from(n) * 100_000_000;
    folder.capture("a.pcap", (0..30).map(|n| (at(n), segment(0, 100 + n, true))));
    let scan = ["--detect-scan", "ports=10,within=950ms"];
    let args = ["--flows", &flows, "--in", "vf0=a.pcap", "--pace", "capture"];
    let device = Device::start(&folder, &[&args[..], &scan].concat());
    device.wait_until(|| device.ask(&["events", "--once"]).succeeded());
    device.wait_until(|| kept(&device).len() == 3);
    let events = kept(&device);
    let times: Vec<_> = events.iter().map(|event| event["timestamp"].as_str().unwrap()).collect();
    // Each tenth packet's, a hair later.
    assert!(times[0].starts_with("2023-11-14T22:13:20.9"), "{times:?}");
    assert!(times[1].starts_with("2023-11-14T22:13:21.9"), "{times:?}");
    assert!(times[2].starts_with("2023-11-14T22:13:22.9"), "{times:?}");
    assert!(device.log().contains("\"event_type\":\"scan\""), "it is in the log, too");
    device.stop();
}

#[test]
fn what_cannot_be_looked_out_for_is_refused() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let serve = ["serve", "--sockets", "dpu", "--flows", &flows];
    let before = folder.list();
    for (args, message) in [
        (&["--detect-scan", "ports=0"][..], "`ports=0`: ports is a number from 1 to 1024"),
        (&["--detect-scan", "hosts=0"], "`hosts=0`: hosts is a number from 1 to 1024"),
        (&["--detect-scan", "ports=9,block=0s"], "`block=0s`: give a time from 1ms to 168h"),
        (&["--detect-scan", "ports=9,within=0s"], "`within=0s`: give a time from 1ms to 1h"),
        (&["--detect-scan", "speed=9"], "there is no setting `speed`: give ports, hosts, within, block or on"),
        (&["--detect-scan", "within=1s"], "Give ports=N or hosts=N"),
        (&["--detect-scan", "ports=9,on=vf8"], "--detect-scan …on=vf8: there is no such port: there are p0, p1, pf"),
        (&["--detect-spoof", "on=vf8"], "--detect-spoof …on=vf8: there is no such port"),
        (&["--detect-spoof", "on=p0"], "an uplink has no address"),
        (&["--detect-spoof", "block"], "`block` is not SETTING=VALUE"),
    ] {
        folder.millrace(&[&serve[..], args].concat()).fails(2, message);
        assert_eq!(folder.list(), before, "{args:?}");
    }
    folder.millrace(&["serve", "--sockets", "dpu", "--detect-spoof", "on"]).fails(2, "--flows");
    let run = ["run", "--flows", &flows, "--hold", "--detect-spoof", "on"];
    folder.millrace(&run).fails(2, "--detect-spoof: this device has no host side");
    folder.millrace(&["events", "--count", "0"]).fails(2, "0 is not in 1..");
    folder.millrace(&["events"]).fails(1, "no device answers");
}
