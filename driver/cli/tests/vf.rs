// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace vf`: what is set of the functions of a device that runs.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, receive};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use serde_json::{Value, json};

const ACROSS: &str = "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf0\n";

/// A device with two VFs, whose slow path is in its process if it has flows.
fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let all = [&["serve", "--sockets", "dpu", "--vfs", "2"][..], args].concat();
    let device = Device::spawn(folder, &mut folder.command(&all));
    device.wait_until(|| folder.path("dpu/vf1.sock").exists());
    device
}

fn attach(folder: &Folder, name: &str) -> VfioUserNet {
    VfioUserNet::connect(&folder.path("dpu").join(name), Settings::default()).unwrap()
}

fn vf(device: &Device, words: &[&str]) -> Vec<Value> {
    serde_json::from_str(&device.ask(&[&["vf", "--json"], words].concat()).succeeds()).unwrap()
}

/// Waits until the driver of a function sees a change of its configuration.
fn changed(net: &mut VfioUserNet) {
    while !net.refresh().unwrap() {}
}

fn set(port: &str, mac: &str) -> Value {
    json!({
        "port": port, "mac": mac, "vlan": 0, "qos": 0, "proto": "802.1Q", "spoofchk": false, "trust": false,
        "max_tx_rate": 0, "tx_weight": 0, "state": "auto", "up": false,
    })
}

#[test]
fn settings_count_at_once_and_are_shown() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let device = serve(&folder, &["--flows", &flows, "--vf", "vf1=trust=on"]);
    device.wait_until(|| device.ask(&["vf"]).succeeded());
    let mut vf1 = set("vf1", "02:4d:52:00:00:02");
    vf1["trust"] = true.into();
    assert_eq!(vf(&device, &[])[..3], [set("pf", "02:4d:52:00:00:00"), set("vf0", "02:4d:52:00:00:01"), vf1]);
    assert_eq!(vf(&device, &["show"]).len(), 9);

    let (mut a, mut b) = (attach(&folder, "vf0.sock"), attach(&folder, "vf1.sock"));
    let mut send = |frame: &[u8]| assert_eq!(a.net().send(0, [frame]).unwrap(), 1);
    let shown = vf(&device, &["vf0", "mac", "02:00:00:00:00:05", "spoofchk", "on"]);
    let vf0 = json!({
        "port": "vf0", "mac": "02:00:00:00:00:05", "vlan": 0, "qos": 0, "proto": "802.1Q", "spoofchk": true,
        "trust": false, "max_tx_rate": 0, "tx_weight": 0, "state": "auto", "up": true,
    });
    assert_eq!(shown, [vf0]);
    send(&between(6, 1, 0));
    send(&between(5, 1, 1));
    assert_eq!(receive(&mut b), [between(5, 1, 1)]);
    device.wait_for(|stats| stats["ports"]["vf0"]["not_entered"]["policy"] == 1);

    let shown = vf(&device, &["vf0", "vlan", "100", "qos", "3", "proto", "802.1ad"]);
    assert_eq!((&shown[0]["vlan"], &shown[0]["qos"], &shown[0]["spoofchk"]), (&100.into(), &3.into(), &true.into()));
    send(&between(5, 1, 2));
    let got = receive(&mut b);
    assert_eq!(got[0][12..18], [0x88, 0xa8, 0x60, 100, 0x88, 0xb5], "tagged by the device");
    device.ask(&["vf", "vf0", "vlan", "0"]).succeeds();
    send(&between(5, 1, 3));
    assert_eq!(receive(&mut b), [between(5, 1, 3)]);

    let shown = vf(&device, &["vf0", "max_tx_rate", "1000", "tx_weight", "3"]);
    let limits = ["max_tx_rate", "tx_weight", "spoofchk"].map(|name| shown[0][name].clone());
    assert_eq!(limits, [Value::from(1000), Value::from(3), Value::from(true)]);
    let text = device.ask(&["vf", "show", "vf0"]).succeeds();
    assert!(text.ends_with("up    state auto, max_tx_rate 1000Mbps, tx_weight 3, spoofchk on, trust off\n"), "{text}");
    // More than may go at once, so that some waits for its time.
    for number in 0..40 {
        send(&[between(5, 1, number), vec![0; 8000]].concat());
    }
    let mut got = 0;
    while got < 40 {
        got += receive(&mut b).len();
    }
    device.ask(&["vf", "vf0", "max_tx_rate", "0"]).succeeds();

    b.refresh().unwrap();
    for (state, up) in [("disable", false), ("enable", true), ("disable", false), ("auto", true)] {
        let shown = vf(&device, &["vf1", "state", state]);
        assert_eq!(
            (&shown[0]["state"], &shown[0]["up"], &shown[0]["trust"]),
            (&state.into(), &up.into(), &true.into())
        );
        changed(&mut b);
        assert_eq!(b.net().config().unwrap().link_up, up);
    }
    let text = device.ask(&["vf", "show", "vf1"]).succeeds();
    assert_eq!(text, "vf1   02:4d:52:00:00:02  up    state auto, spoofchk off, trust on\n");
    a.stop().unwrap();
    assert_eq!(vf(&device, &["vf0"])[0]["up"], false, "nobody drives it");
    b.stop().unwrap();
    device.stop();
}

#[test]
fn what_cannot_be_set_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let device = serve(&folder, &["--flows", &flows]);
    device.wait_until(|| device.ask(&["vf"]).succeeded());
    let before = vf(&device, &[]);
    for (words, message) in [
        (&["vf8", "trust", "on"][..], "vf8: there is no such PF or VF: there are pf, vf0, vf1"),
        (&["p0", "trust", "on"], "p0: there is no such PF or VF"),
        (&["show", "vf8"], "vf8: there is no such PF or VF"),
        (&["vf0", "trust"], "`trust` has no value"),
        (&["vf0", "trust", "maybe"], "`trust=maybe`: trust is on or off"),
        (&["vf0", "trust", "on", "vlan", "4096"], "`vlan=4096`: vlan is a number from 0 to 4095"),
        (&["vf0", "qos", "3"], "qos and proto are those of a VLAN: give vlan too"),
        (&["vf0", "speed", "1"], "there is no setting `speed`"),
        (&["vf0", "max_tx_rate", "fast"], "max_tx_rate is a number from 0 to 131071"),
        (&["vf0", "tx_weight", "256"], "tx_weight is a number from 0 to 255"),
        (&["vf0", "min_tx_rate", "10"], "there are no guaranteed rates"),
        (&["vf0", "mac", "02:00:00:00:00:05,trust=on"], "give six bytes"),
    ] {
        device.ask(&[&["vf"], words].concat()).fails(2, message);
    }
    assert_eq!(vf(&device, &[]), before);
    device.stop();
}

#[test]
fn a_slow_path_of_its_own_and_a_run_through_rings_have_the_same() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let served = serve(&folder, &[]);
    let args = ["firmware", "--device", "vfio-user:dpu", "--flows", &flows, "--vf", "vf0=vlan=5"];
    let firmware = Device::spawn(&folder, &mut folder.command(&args));
    firmware.wait_until(|| firmware.ask(&["vf"]).succeeded());
    assert_eq!(vf(&firmware, &["vf0"])[0]["vlan"], 5);
    assert_eq!(vf(&firmware, &["vf0", "vlan", "6", "state", "enable"])[0]["vlan"], 6);
    let shown = &vf(&firmware, &["vf0"])[0];
    assert_eq!((&shown["vlan"], &shown["state"]), (&6.into(), &"enable".into()));
    firmware.stop();
    served.stop();

    let run = Device::start(&folder, &["--flows", &flows, "--host", "rings"]);
    run.wait_until(|| run.ask(&["vf"]).succeeded());
    assert!(vf(&run, &[]).iter().all(|function| function["up"] == true));
    assert_eq!(vf(&run, &["vf0", "spoofchk", "on"])[0]["spoofchk"], true);
    run.stop();

    let run = Device::start(&folder, &["--flows", &flows]);
    run.wait_until(|| run.ask(&["stats"]).succeeded());
    run.ask(&["vf"]).fails(2, "this device has no host side");
    run.stop();
}
