// SPDX-License-Identifier: MIT OR Apache-2.0
//! A DPU, its slow path, and two of its functions, each in a process of its own, with a Linux stack behind each function.

use millrace_live::{Namespace, output, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A `millrace` that is ready. Killed when dropped.
struct Process(Child);

impl Process {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(program("millrace").unwrap());
        let mut child = command.args(args).current_dir(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let process = Self(child);
        assert_eq!(line, "ready\n", "{args:?}");
        process
    }

    fn stop(mut self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[test]
fn linux_stacks_talk_through_functions_that_are_attached() {
    if !Uid::effective().is_root() {
        let _ =
            writeln!(std::io::stderr(), "skipped: attached functions: network namespaces and TAP devices need root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.flows"), "actions=normal\n").unwrap();
    let device = Process::start(folder.path(), &["serve", "--sockets", "dpu", "--vfs", "2"]);
    let firmware = ["firmware", "--device", "vfio-user:dpu", "--flows", "a.flows"];
    let files = ["--image", "image", "--control", "c", "--stats", "s.json"];
    let slow_path = Process::start(folder.path(), &[&firmware[..], &files].concat());
    let hosts = ["sa", "sb"].map(|tag| Namespace::new(tag).unwrap());
    let taps = [0, 1].map(|i| format!("mr{}.s{i}", std::process::id()));
    let attach = |i: usize| {
        let function = format!("vfio-user:dpu/vf{i}.sock");
        let process = Process::start(folder.path(), &["attach", &function, "--tap", &taps[i]]);
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
    first.stop();
    let first = attach(0);
    ping("5", "56");
    slow_path.stop();
    let stats = std::fs::read_to_string(folder.path().join("s.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let port = &stats["ports"]["vf0"];
    assert!(port["hardware"].as_u64() > port["slow_path"].as_u64(), "{port}");
    first.stop();
    second.stop();
    device.stop();
}
