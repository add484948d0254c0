// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control socket of a device, and who may use it.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome, packet};
use nix::unistd::Uid;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Users of nobody here.
const STRANGERS: [u32; 2] = [61_234, 61_235];

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
    ask(other).fails(1, "the device ended before it had answered");
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
