// SPDX-License-Identifier: MIT OR Apache-2.0
//! A DPU, its slow path, and two of its functions, each in a process of its own, with a Linux stack behind each function.

use millrace_live::{Attached, LIMIT, Namespace, PEER, Process, iperf, output};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use nix::unistd::{Pid, Uid};
use std::io::{BufRead, BufReader, Write, copy, sink};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Of a frame, at the MTU that functions and TAP devices have: 1,500.
const LONGEST: usize = 1514;

/// Live stacks need root. Whoever is not root is told what was not tested, past the harness that keeps what tests print.
fn is_root(test: &str) -> bool {
    let root = Uid::effective().is_root();
    if !root {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: network namespaces and TAP devices need root");
    }
    root
}

#[test]
fn linux_stacks_talk_through_functions_that_are_attached() {
    if !is_root("attached functions") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.flows"), "actions=normal\n").unwrap();
    let device = Process::start(folder.path(), &["serve", "--sockets", "dpu", "--vfs", "2"]).unwrap();
    let firmware = ["firmware", "--device", "vfio-user:dpu", "--flows", "a.flows"];
    let files = ["--image", "image", "--control", "c", "--stats", "s.json"];
    let slow_path = Process::start(folder.path(), &[&firmware[..], &files].concat()).unwrap();
    let hosts = ["sa", "sb"].map(|tag| Namespace::new(tag).unwrap());
    let taps = [0, 1].map(|i| format!("mr{}.s{i}", std::process::id()));
    let attach = |i: usize| {
        let function = format!("vfio-user:dpu/vf{i}.sock");
        let process = Process::start(folder.path(), &["attach", &function, "--tap", &taps[i]]).unwrap();
        hosts[i].adopt(&taps[i], &format!("02:00:00:00:00:0{}", i + 1), &format!("10.0.0.{}/24", i + 1)).unwrap();
        process
    };
    let attached = [0, 1].map(attach);
    let ping = |count: &str, size: &str| {
        output(hosts[0].bounded("ping").args(["-c", count, "-i", "0.05", "-W", "10", "-s", size, "10.0.0.2"])).unwrap();
    };
    ping("20", "56");
    ping("5", "1472");
    let [first, second] = attached;
    first.stop().unwrap();
    let first = attach(0);
    ping("5", "56");
    slow_path.stop().unwrap();
    let stats = std::fs::read_to_string(folder.path().join("s.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let port = &stats["ports"]["vf0"];
    assert!(port["hardware"].as_u64() > port["slow_path"].as_u64(), "{port}");
    first.stop().unwrap();
    second.stop().unwrap();
    device.stop().unwrap();
}

/// What crosses a host's interface, until it is read.
struct Recording(Child);

impl Recording {
    fn start(host: &Namespace, file: &Path) -> Self {
        let mut dumpcap = host.command("dumpcap");
        dumpcap.args(["-q", "-i", "eth0", "-w"]).arg(file).stderr(Stdio::piped());
        let mut child = dumpcap.spawn().unwrap();
        // It says so when it has begun.
        let mut said = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("File:") {
            assert_ne!(errors.read_line(&mut said).unwrap(), 0, "dumpcap: {said}");
        }
        std::thread::spawn(move || copy(&mut errors, &mut sink()));
        Self(child)
    }

    fn stop(mut self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

/// Frames of a capture that tshark's filter lets pass.
fn count(file: &Path, filter: &str) -> usize {
    let mut command = Command::new("tshark");
    for protocol in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    command.arg("-r").arg(file).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    output(&mut command).unwrap().stdout.iter().filter(|byte| **byte == b'\n').count()
}

/// Payloads of up to 64 kB cross from the first host to the second as datagrams of 1,000 bytes each, which the first leaves to its device.
fn send_datagrams(hosts: &[Namespace; 2]) {
    let receiver = hosts[1].enter(|| UdpSocket::bind((PEER, 0)).unwrap()).unwrap();
    receiver.set_read_timeout(Some(LIMIT)).unwrap();
    let sender = hosts[0].enter(|| UdpSocket::bind("10.0.0.1:0").unwrap()).unwrap();
    setsockopt(&sender, UdpGsoSegment, &1000).unwrap();
    for bytes in [64_000, 8_500, 1_001, 64_000] {
        let payload: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        sender.send_to(&payload, receiver.local_addr().unwrap()).unwrap();
        for part in payload.chunks(1000) {
            let mut buffer = [0; 2000];
            let length = receiver.recv(&mut buffer).unwrap();
            assert!(buffer[..length] == *part, "a datagram of {length} bytes is not that of {}", part.len());
        }
    }
}

#[test]
fn segments_and_checksums_of_a_linux_stack_are_made_by_the_function() {
    if !is_root("offloads of attached functions") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let attached = Attached::start("actions=normal\n").unwrap();
    let hosts = attached.hosts();
    // TCP makes packets of few segments for a slow link, unless it is told to make large ones.
    output(hosts[0].command("sysctl").args(["-q", "-w", "net.ipv4.tcp_min_tso_segs=32"])).unwrap();
    let files = ["sent.pcapng", "received.pcapng"].map(|name| folder.path().join(name));
    let recordings = [0, 1].map(|i| Recording::start(&hosts[i], &files[i]));
    iperf(hosts, 2, &[]).unwrap();
    send_datagrams(hosts);
    recordings.into_iter().for_each(Recording::stop);
    let [sent, received] = files;
    let all = "ip.src == 10.0.0.1 && !icmp";
    let [packets, frames] = [&sent, &received].map(|file| count(file, all));
    // Of the datagrams alone so many; how large TCP's packets are depends on how fast the machine is.
    assert!(frames > packets + 130, "{frames} frames were made of {packets} packets");
    let good = "ip.checksum.status == 1 && (tcp.checksum.status == 1 || udp.checksum.status == 1)";
    assert_eq!(count(&received, &format!("{all} && {good}")), frames);
    assert_eq!(count(&received, &format!("{all} && frame.len > {LONGEST}")), 0);
    let wrong = "tcp.checksum.status == 0 || udp.checksum.status == 0";
    assert!(count(&sent, wrong) > 0, "the stack did not leave its checksums to the function");
    attached.stop().unwrap();
}
