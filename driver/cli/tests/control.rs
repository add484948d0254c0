// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control socket and the signals of a device, also while it has much to do, and who may use them.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome, packet};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Packets of a busy device: more than its slow path handles while a test lasts.
const PACKETS: u32 = 60_000;
/// Users of nobody here.
const STRANGERS: [u32; 2] = [61_234, 61_235];

/// The finaliser of MurmurHash3: numbers without a pattern.
fn mix(mut n: u32) -> u32 {
    n = (n ^ n >> 16).wrapping_mul(0x85eb_ca6b);
    n = (n ^ n >> 13).wrapping_mul(0xc2b2_ae35);
    n ^ n >> 16
}

/// An access list of many prefixes, under which most packets make a rule of their own.
fn acl() -> String {
    let prefix = |bits: u32, address: u32| {
        let bits = 8 + bits % 25;
        format!("{}/{bits}", Ipv4Addr::from(address & (!0 << (32 - bits))))
    };
    let flow = |n: u32| {
        let [src_bits, dst_bits, priority, src, dst, action] = [1, 2, 3, 4, 5, 6].map(|i| mix(8 * n + i));
        let protocol = ["tcp", "udp", "ip", "icmp"][n as usize % 4];
        let action = if action & 1 == 1 { "output:p1" } else { "drop" };
        let (src, dst) = (prefix(src_bits, src), prefix(dst_bits, dst));
        format!("priority={},{protocol},nw_src={src},nw_dst={dst},actions={action}\n", 1 + priority % 60_000)
    };
    (0..1000).map(flow).collect::<String>() + "priority=0,actions=output:vf3\n"
}

/// A device whose slow path has more waiting than it can do.
/// Packets under way get so many milliseconds when it is interrupted.
fn busy(folder: &Folder, grace: u32) -> Device<'_> {
    let flows = folder.write("a.flows", &acl());
    let udp = |n: u32| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        frame.extend(mix(0x1_0000 + 2 * n).to_be_bytes());
        frame.extend(mix(0x1_0001 + 2 * n).to_be_bytes());
        frame.extend([4, 0, 4, 0, 0, 8, 0, 0]);
        frame
    };
    let capture = folder.capture("in.pcap", (0..PACKETS).map(|n| (0, udp(n))));
    let input = format!("vf0={capture}");
    let device = Device::start(
        folder,
        &["--flows", &flows, "--in", &input, "--stats", "s.json", "--out", "out", "--grace", &grace.to_string()],
    );
    device.wait_for(|stats| missed(stats) > 1000);
    device
}

/// Packets that the slow path has handled.
fn missed(stats: &Value) -> u64 {
    stats["slow_path"]["misses"].as_u64().unwrap()
}

/// Whether packets are waiting for the slow path.
fn is_busy(device: &Device) -> bool {
    let stats: Value = serde_json::from_str(&device.ask(&["stats", "--json"]).succeeds()).unwrap();
    missed(&stats) < stats["ports"]["vf0"]["slow_path"].as_u64().unwrap()
}

#[test]
fn a_busy_device_answers_and_ends_when_it_is_told_to() {
    let folder = Folder::new();
    let device = busy(&folder, 0);
    assert!(device.ask(&["rules"]).succeeds().lines().filter(|rule| rule.contains("udp(")).count() > 100);
    assert!(device.ask(&["reg", "ID"]).succeeds().contains("0x4d494c4c"));
    let other = folder.write("other.flows", &acl().replace("output:p1", "output:vf1"));
    device.ask(&["reload", "--flows", &other]).succeeds();
    device.signal(Signal::SIGHUP);
    device.wait_until(|| device.log().contains("a.flows is in force"));
    assert!(is_busy(&device), "the slow path was done before the device answered");
    device.stop();

    let stats: Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    let port = &stats["ports"]["vf0"];
    let count = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {port:#}"));
    let undone = count(&port["dropped"]["slow_path"]["drop_interrupted"]);
    assert!(undone > 0, "{port:#}");
    assert_eq!(count(&port["in"]["packets"]), count(&port["hardware"]) + count(&port["slow_path"]), "{port:#}");
    assert_eq!(count(&port["slow_path"]), missed(&stats) + undone, "{port:#}");
    // Each packet went to one port, or nowhere.
    let sum = |value: &Value| value.as_object().unwrap().values().map(count).sum::<u64>();
    let ports = stats["ports"].as_object().unwrap().values();
    let left: u64 = ports.map(|port| count(&port["out"]["packets"]) + sum(&port["not_sent"])).sum();
    let dropped = sum(&port["dropped"]["hardware"]) + sum(&port["dropped"]["slow_path"]);
    assert_eq!(count(&port["in"]["packets"]), left + dropped, "{stats:#}");
    assert!(device.log().contains("interrupted"), "{}", device.log());
}

#[test]
fn a_flow_file_that_takes_long_to_read_holds_nobody_up() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=drop\n");
    let device = Device::start(&folder, &["--flows", &flows]);
    device.wait_for(|_| true);
    fs::remove_file(folder.path("a.flows")).unwrap();
    mkfifo(&folder.path("a.flows"), Mode::S_IRWXU).unwrap();
    device.hang_up();
    // This waits until the device has begun to read.
    let mut pipe = File::options().write(true).open(folder.path("a.flows")).unwrap();
    let mut asked = folder.command(&["stats"]).stdout(Stdio::null()).spawn().unwrap();
    let mut answered = None;
    device.wait_until(|| {
        answered = asked.try_wait().unwrap();
        answered.is_some()
    });
    assert!(answered.unwrap().success());
    let other = folder.write("b.flows", "actions=output:p1\n");
    let mut reload = folder.command(&["reload", "--flows", &other]).spawn().unwrap();
    assert!(!device.log().contains("in force"), "{}", device.log());
    pipe.write_all(b"actions=nonsense\n").unwrap();
    drop(pipe);
    // Each in its turn.
    assert!(reload.wait().unwrap().success());
    device.wait_until(|| device.log().contains("the flows stay as they were: "));
    device.stop();
}

#[test]
fn a_second_signal_ends_a_busy_device_at_once_and_its_socket_does_not_stay() {
    let folder = Folder::new();
    let socket = folder.path("millrace.sock");
    for _ in 0..5 {
        let device = busy(&folder, 1000);
        assert!(socket.exists());
        let status = loop {
            // Signals that come together count as one.
            device.signal(Signal::SIGINT);
            if let Some(status) = device.ended_within(Duration::from_millis(10)) {
                break status;
            }
        };
        assert!(!socket.exists());
        if status.success() {
            // Its packets had arrived before the second signal was sent.
            continue;
        }
        assert_eq!(status.code(), Some(128 + 2), "{}", device.log());
        assert!(device.log().contains("ended at once"), "{}", device.log());
        assert_eq!(folder.read("s.json"), "", "statistics were begun");
        return;
    }
    panic!("no second signal came in time");
}

#[test]
fn the_socket_is_private_whatever_the_umask_is() {
    let folder = Folder::new();
    folder.write("a.flows", "actions=drop\n");
    let command = folder.command(&["run", "--hold", "--flows", "a.flows", "--control", "control"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    let device = Device::spawn(&folder, shell.current_dir(folder.path("")));
    device.wait_until(|| folder.path("control").exists());
    // It is never made anything else: this holds as soon as it is there.
    assert_eq!(fs::metadata(folder.path("control")).unwrap().mode() & 0o777, 0o600);
    device.wait_until(|| folder.millrace(&["stats", "--control", "control"]).succeeded());
    device.stop();
}

/// A copy of the command that every user can run; says so if there cannot be other users.
fn for_every_user(folder: &Folder) -> Option<PathBuf> {
    if !Uid::effective().is_root() {
        let _ = writeln!(std::io::stderr(), "skipped: a test of other users' devices needs root");
        return None;
    }
    let command = folder.path("millrace");
    fs::copy(env!("CARGO_BIN_EXE_millrace"), &command).unwrap();
    fs::set_permissions(folder.path(""), Permissions::from_mode(0o777)).unwrap();
    Some(command)
}

#[test]
fn no_device_of_another_user_is_asked_and_no_other_user_is_answered() {
    let folder = Folder::new();
    let Some(millrace) = for_every_user(&folder) else {
        return;
    };
    let command = |user: u32, args: &[&str]| {
        let mut command = Command::new(&millrace);
        command.args(args).uid(user).gid(user).current_dir(folder.path("")).env_remove("XDG_RUNTIME_DIR");
        command
    };
    let ask = |user: u32| Outcome::of(&mut command(user, &["stats", "--control", "control"]));
    folder.write("a.flows", "actions=drop\n");
    let [owner, other] = STRANGERS;
    let run = ["run", "--hold", "--flows", "a.flows", "--control", "control"];
    let device = Device::spawn(&folder, &mut command(owner, &run));
    device.wait_until(|| ask(owner).succeeded());
    ask(other).fails(1, "Permission denied");
    // Even if somebody opened it.
    fs::set_permissions(folder.path("control"), Permissions::from_mode(0o777)).unwrap();
    ask(other).fails(1, &format!("belongs to user {owner}: not asked"));
    ask(0).succeeds();
    device.stop();

    let device = Device::spawn(&folder, &mut command(0, &run));
    device.wait_until(|| ask(0).succeeded());
    fs::set_permissions(folder.path("control"), Permissions::from_mode(0o777)).unwrap();
    // Root's device can be trusted, but does not trust everybody.
    ask(other).fails(1, &format!("this device serves user 0 and root alone, not user {other}"));
    assert!(device.log().contains(&format!("user {other} wanted to control this device")), "{}", device.log());
    device.stop();
}

#[test]
fn requests_under_way_when_the_device_ends_do_not_hold_it() {
    let folder = Folder::new();
    folder.write("a.flows", "actions=drop\n");
    folder.capture("in.pcap", [(0, packet(1, 60))]);
    let device = Device::start(&folder, &["--flows", "a.flows", "--in", "p0=in.pcap"]);
    device.wait_for(|stats| stats["ports"]["p0"]["in"]["packets"] == 1);
    let mut half = std::os::unix::net::UnixStream::connect(folder.path("millrace.sock")).unwrap();
    half.write_all(br#"{"request":"#).unwrap();
    device.ask(&["stats"]).succeeds();
    device.stop();
}
