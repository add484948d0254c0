// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace firmware` and `millrace attach` as commands: what they refuse, and the slow path of a device in another process.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, packet, receive};
use millrace_driver::Sent;
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use millrace_regs::host::net_header;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::spawn;

/// A device without slow path, whose sockets are in `dpu`.
fn serve(folder: &Folder) -> Device<'_> {
    let device = Device::spawn(folder, &mut folder.command(&["serve", "--sockets", "dpu", "--vfs", "2"]));
    device.wait_until(|| folder.path("dpu/vf1.sock").exists());
    device
}

fn firmware<'a>(folder: &'a Folder, flows: &str) -> Device<'a> {
    let args = ["firmware", "--device", "vfio-user:dpu", "--flows", flows, "--stats", "s.json"];
    let device = Device::spawn(folder, &mut folder.command(&args));
    device.wait_for(|stats| stats["preset"] == "host");
    device
}

/// Does something with one client of a socket.
fn listen(folder: &Folder, name: &str, peer: fn(&mut UnixStream)) {
    let listener = UnixListener::bind(folder.path(name)).unwrap();
    spawn(move || peer(&mut listener.accept().unwrap().0));
}

#[test]
fn what_cannot_be_attached_is_refused() {
    let folder = Folder::new();
    let attach = |function: &str| folder.millrace(&["attach", function, "--tap", "a-name-that-is-too-long"]);
    attach("dpu/vf0.sock").fails(2, "give `vfio-user:` and a path");
    attach("vfio-user:none.sock").fails(2, "none.sock: cannot connect: No such file or directory");
    folder.write("file", "text");
    attach("vfio-user:file").fails(2, "file: cannot connect");
    listen(&folder, "mail", |socket| socket.write_all(b"220 mail.example ESMTP\r\n").unwrap());
    attach("vfio-user:mail").fails(2, "mail: this is no vfio-user server");
    listen(&folder, "newer", |socket| {
        let mut header = [0; 16];
        socket.read_exact(&mut header).unwrap();
        header[4..8].copy_from_slice(&20u32.to_ne_bytes());
        header[8] = 1;
        socket.write_all(&[&header[..], &[9, 0, 0, 0]].concat()).unwrap();
    });
    attach("vfio-user:newer").fails(2, "newer: the server does not speak vfio-user 0.0, but 9.0");

    let device = serve(&folder);
    attach("vfio-user:dpu/ecpf.sock").fails(2, "dpu/ecpf.sock: this is the ECPF, not a PF or VF");
    attach("vfio-user:dpu/vf7.sock")
        .fails(2, "No such file or directory (os error 2) (there are ecpf.sock, pf.sock, vf0.sock");
    attach("vfio-user:dpu").fails(2, "dpu: cannot connect: Connection refused (os error 111) (nobody serves it");
    attach("vfio-user:dpu/vf0.sock").fails(2, "cannot open the TAP device a-name-that-is-too-long");
    device.stop();
}

#[test]
fn a_slow_path_that_cannot_be_is_refused() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let run = |device: &str, flows: &str| {
        folder.millrace(&["firmware", "--device", device, "--flows", flows, "--control", "c"])
    };
    run("serial:/dev/ttyUSB0", &flows).fails(2, "give `vfio-user:` and a path, or `vfio:` and an address of PCI");
    run("vfio:ffff:ff:1f.7", &flows).fails(2, "ffff:ff:1f.7: there is no PCI function at this address");
    run("vfio-user:dpu", &flows).fails(2, "dpu/ecpf.sock: cannot connect");
    let device = serve(&folder);
    run("vfio-user:dpu", "none.flows").fails(2, "none.flows");
    run("vfio-user:dpu", &folder.write("bad.flows", "actions=nonsense\n")).fails(2, "bad.flows:1");
    let slow_path = firmware(&folder, &flows);
    run("vfio-user:dpu", &flows).fails(2, "the function has another client");
    slow_path.stop();
    device.stop();
}

/// The nth frame of a flow.
fn nth(n: u16) -> Vec<u8> {
    let mut frame = packet(0, 100);
    frame[14..16].copy_from_slice(&n.to_be_bytes());
    frame
}

/// A flow from one function to another, of which no frame may be lost, or leave before an earlier one.
struct Flow<'a> {
    from: &'a mut VfioUserNet,
    to: &'a mut VfioUserNet,
    sent: u16,
}

impl Flow<'_> {
    /// Some frames go; something happens while they are under way; they arrive.
    fn burst<T>(&mut self, meanwhile: impl FnOnce() -> T) -> T {
        let frames: Vec<_> = (self.sent..self.sent + 8).map(nth).collect();
        self.sent += 8;
        self.from.net().reclaim(0).unwrap();
        assert_eq!(self.from.net().send(0, frames.iter().map(Vec::as_slice)).unwrap(), 8);
        let result = meanwhile();
        let mut received = vec![];
        while received.len() < frames.len() {
            received.extend(receive(self.to));
        }
        assert_eq!(received, frames);
        result
    }
}

fn stats(slow_path: &Device) -> serde_json::Value {
    serde_json::from_str(&slow_path.ask(&["stats", "--json"]).succeeds()).unwrap()
}

#[test]
fn a_slow_path_that_is_killed_and_started_again_takes_its_rules_over() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf0\n");
    let device = serve(&folder);
    let mut slow_path = firmware(&folder, &flows);
    let attach = |name: &str| VfioUserNet::connect(&folder.path(name), Settings::default()).unwrap();
    let (mut a, mut b) = (attach("dpu/vf0.sock"), attach("dpu/vf1.sock"));
    let mut flow = Flow { from: &mut a, to: &mut b, sent: 0 };
    while stats(&slow_path)["ports"]["vf0"]["hardware"] == 0 {
        flow.burst(|| ());
    }
    let missed = stats(&slow_path)["ports"]["vf0"]["slow_path"].clone();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        flow.burst(|| {
            slow_path.signal(signal);
            slow_path.wait();
        });
        flow.burst(|| ());
        let args = ["firmware", "--device", "vfio-user:dpu", "--flows", &flows];
        slow_path = flow.burst(|| Device::spawn(&folder, &mut folder.command(&args)));
        while !slow_path.ask(&["stats"]).succeeded() {
            flow.burst(|| ());
        }
        flow.burst(|| ());
        let stats = stats(&slow_path);
        assert_eq!(stats["slow_path"]["taken_over"], 1, "{stats:#}");
        assert_eq!((&stats["slow_path"]["updated"], &stats["slow_path"]["removed"]), (&0.into(), &0.into()));
        // The hardware's counts go on.
        assert_eq!(stats["ports"]["vf0"]["slow_path"], missed, "the rule was absent");
        assert_eq!(stats["ports"]["vf0"]["in"]["packets"], flow.sent);
    }
    // Other flows, by which the packets go nowhere.
    slow_path.signal(Signal::SIGKILL);
    slow_path.wait();
    let slow_path = firmware(&folder, &folder.write("b.flows", "in_port=vf1,actions=output:vf0\n"));
    assert_eq!(a.net().send(0, [&nth(0)[..]]).unwrap(), 1);
    slow_path.wait_for(|stats| stats["ports"]["vf0"]["dropped"]["hardware"]["drop_rule"] == 1);
    assert!(slow_path.log().contains("1 rules were there and are taken over; 1 were changed, 0 taken out"));
    // What comes first is what was sent later.
    assert_eq!(b.net().send(0, [&between(1, 2, 7)[..]]).unwrap(), 1);
    assert_eq!(receive(&mut a), [between(1, 2, 7)]);
    b.refresh().unwrap();
    assert_eq!(b.net().receive(0, usize::MAX, |_| ()).unwrap(), 0);
    slow_path.stop();
    a.stop().unwrap();
    b.stop().unwrap();
    device.stop();
}

#[test]
fn device_slow_path_and_functions_are_processes_of_their_own() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let device = serve(&folder);
    let slow_path = firmware(&folder, &flows);
    let settings = Settings { offloads: true, ..Settings::default() };
    let attach = |name: &str| VfioUserNet::connect(&folder.path(name), settings.clone()).unwrap();
    let (mut a, mut b) = (attach("dpu/vf0.sock"), attach("dpu/vf1.sock"));
    let config = b.net().config().unwrap();
    assert_eq!((config.mac, config.mtu, config.link_up), (Some([2, 0x4d, 0x52, 0, 0, 2]), Some(1500), true));
    for id in 0..20 {
        let (there, back) = (between(1, 2, id), between(2, 1, id));
        assert_eq!(a.net().send(0, [&there[..]]).unwrap(), 1);
        assert_eq!(receive(&mut b), [there]);
        assert_eq!(b.net().send(0, [&back[..]]).unwrap(), 1);
        assert_eq!(receive(&mut a), [back]);
    }
    slow_path.wait_for(|stats| stats["ports"]["vf0"]["hardware"].as_u64() > Some(0));
    // A checksum from an odd place on.
    let header = [net_header::NEEDS_CSUM, net_header::GSO_NONE, 0, 0, 0, 0, 15, 0, 2, 0, 0, 0];
    assert_eq!(b.net().send_asking(0, &header, &between(2, 1, 0), &[]).unwrap(), Sent::Accepted);
    slow_path.wait_for(|stats| stats["ports"]["vf1"]["not_entered"]["bad_offload"] == 1);
    slow_path.stop();
    let stats: serde_json::Value = serde_json::from_str(&folder.read("s.json")).unwrap();
    let port = &stats["ports"]["vf1"];
    assert_eq!((&port["in"]["packets"], &port["not_sent"]["no_buffer"]), (&20.into(), &0.into()));
    // The rules stay: what they match goes on without a slow path.
    assert_eq!(a.net().send(0, [&between(1, 2, 99)[..]]).unwrap(), 1);
    assert_eq!(receive(&mut b), [between(1, 2, 99)]);
    let again = firmware(&folder, &flows);
    assert_eq!(a.net().send(0, [&between(3, 4, 100)[..]]).unwrap(), 1);
    assert_eq!(receive(&mut b), [between(3, 4, 100)], "flooded by the new slow path");
    again.stop();
    a.stop().unwrap();
    b.stop().unwrap();
    device.stop();
}
