// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver for C, from C: programs that the system's compiler makes, with the device of `millrace serve`.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// After this what does not come never will, in milliseconds.
const PATIENCE: u16 = 60_000;
/// Address of the responder, and of who asks.
const RESPONDER: [u8; 4] = [192, 0, 2, 1];
const STATION: [u8; 4] = [192, 0, 2, 77];
const STATION_MAC: [u8; 6] = [2, 0, 0, 0, 0, 77];

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../capi").join(path)
}

/// Where cargo put the libraries: beside this test.
fn libraries() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// Compiles a program with the library in it, or beside it.
fn compile(folder: &Folder, path: &str, shared: bool) -> PathBuf {
    folder.write("millrace.h", millrace::HEADER);
    let name = if shared { "shared" } else { "static" };
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-I."]);
    cc.arg("-o").arg(name).arg(source(path)).current_dir(folder.path("."));
    if shared {
        cc.arg("-L").arg(libraries()).arg("-lmillrace");
    } else {
        cc.arg(libraries().join("libmillrace.a"));
    }
    // What the README of a static library would name: no C++.
    cc.args(["-lpthread", "-ldl", "-lm"]);
    Outcome::of(&mut cc).succeeds();
    if shared {
        // Under the name that a program looks for.
        fs::copy(libraries().join("libmillrace.so"), folder.path("libmillrace.so.1")).unwrap();
    }
    folder.path(name)
}

/// A device without slow path, whose sockets are in `dpu`.
fn serve(folder: &Folder) -> Device<'_> {
    let device = Device::spawn(folder, &mut folder.command(&["serve", "--sockets", "dpu", "--vfs", "2"]));
    device.wait_until(|| folder.path("dpu/vf1.sock").exists());
    device
}

#[test]
fn every_function_does_what_its_comment_says() {
    let folder = Folder::new();
    let program = compile(&folder, "tests/every_function.c", false);
    let device = serve(&folder);
    let outcome = Outcome::of(Command::new(program).arg("dpu").current_dir(folder.path(".")));
    assert_eq!(outcome.succeeds(), "all functions\n");
    fs::remove_file(folder.path("dpu/tables")).unwrap();
    device.stop();
}

#[test]
fn the_test_of_every_function_leaves_none_out() {
    let test = fs::read_to_string(source("tests/every_function.c")).unwrap();
    let page = fs::read_to_string(source("../../docs/c-api.md")).unwrap();
    let functions: Vec<&str> = millrace::HEADER
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(')
        .filter_map(|word| word.strip_suffix('(').or_else(|| word.split_once('(').map(|(name, _)| name)))
        .filter(|name| name.starts_with("millrace_"))
        .collect();
    assert!(functions.len() > 25 && functions.contains(&"millrace_device_open"), "{functions:?}");
    for function in functions {
        assert!(test.contains(&format!("{function}(")), "{function} is not tested");
        assert!(page.contains(function), "{function} is not in c-api.md");
    }
}

#[test]
fn the_header_is_one_for_other_compilers_too() {
    let folder = Folder::new();
    folder.write("millrace.h", millrace::HEADER);
    folder.write("twice.c", "#include \"millrace.h\"\n#include \"millrace.h\"\nint main(void) { return 0; }\n");
    for standard in ["c99", "c11", "c17"] {
        let mut cc = Command::new("cc");
        cc.args([&format!("-std={standard}"), "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "twice.c"]);
        Outcome::of(cc.current_dir(folder.path("."))).succeeds();
    }
}

/// An ARP request for the responder's address.
fn request() -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &STATION_MAC, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    frame.extend([&STATION_MAC[..], &STATION, &[0; 6], &RESPONDER, &[0; 18]].concat());
    frame
}

/// A UDP packet without payload of a flow, in a frame of 60 bytes.
fn udp(flow: u8) -> Vec<u8> {
    let mut frame = [&[2, 0, 0, 0, 0, 1][..], &STATION_MAC, &[8, 0]].concat();
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, flow, 10, 0, 1, flow]);
    frame.extend([0, 7, 0, 9, 0, 8, 0, 0]);
    frame.resize(60, 0);
    frame
}

/// The next frame that a function receives.
fn receive(net: &mut VfioUserNet) -> Vec<u8> {
    let mut frame = vec![];
    loop {
        net.refresh().unwrap();
        if net.net().receive(0, 1, |bytes| frame = bytes.to_vec()).unwrap() > 0 {
            return frame;
        }
        let mut events = net.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        assert_ne!(poll(&mut events, PATIENCE), Ok(0), "nothing came");
    }
}

#[test]
fn a_slow_path_in_c_answers_arp_and_counts_flows() {
    let folder = Folder::new();
    let program = compile(&folder, "examples/arp_responder.c", true);
    let mut usage = Command::new(&program);
    usage.env("LD_LIBRARY_PATH", folder.path("."));
    Outcome::of(&mut usage).fails(2, "usage: arp_responder DEVICE ADDRESS");
    Outcome::of(usage.args(["vfio-user:none", "192.0.2.1"])).fails(1, "none/ecpf.sock: cannot connect");

    let device = serve(&folder);
    let mut run = Command::new(&program);
    run.args(["vfio-user:dpu", "192.0.2.1"]).current_dir(folder.path(".")).env("LD_LIBRARY_PATH", folder.path("."));
    let mut responder = run.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(responder.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("ready"));

    let mut vf = VfioUserNet::connect(&folder.path("dpu/vf0.sock"), Settings::default()).unwrap();
    let config = vf.net().config().unwrap();
    assert_eq!((config.mac, config.link_up), (Some([2, 0x4d, 0x52, 0, 0, 3]), true));
    for _ in 0..3 {
        assert_eq!(vf.net().send(0, [&request()[..]]).unwrap(), 1);
        let answer = receive(&mut vf);
        assert_eq!(answer[..6], STATION_MAC);
        assert_eq!(answer[12..22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        assert_eq!(answer[6..12], answer[22..28], "the answer comes from whom it tells of");
        assert_eq!(answer[28..42], [&RESPONDER[..], &STATION_MAC, &STATION].concat());
        assert_eq!(answer.len(), 60);
    }
    // The first packet of a flow goes up, the others do not.
    for flow in 1..=2 {
        assert_eq!(vf.net().send(0, [&udp(flow)[..]]).unwrap(), 1);
        assert_eq!(lines.next(), Some(format!("flow {flow}")));
        let more = vec![udp(flow); 3 * usize::from(flow)];
        assert_eq!(vf.net().send(0, more.iter().map(Vec::as_slice)).unwrap(), more.len());
    }
    // When this is answered all before it has gone.
    assert_eq!(vf.net().send(0, [&request()[..]]).unwrap(), 1);
    receive(&mut vf);
    kill(Pid::from_raw(responder.id() as i32), Signal::SIGTERM).unwrap();
    let told: Vec<String> = lines.collect();
    assert_eq!(told, ["flow 1: 3 packets in hardware", "flow 2: 6 packets in hardware"]);
    assert!(responder.wait().unwrap().success());
    vf.stop().unwrap();
    device.stop();
}
