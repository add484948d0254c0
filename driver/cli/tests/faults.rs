// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions whose drivers break the rules, as the log and the statistics tell of them.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, receive};
use millrace_driver::vfio_user::{Role, VfioUserFunction, VfioUserNet};
use millrace_driver::virtio::{Settings, VirtioNet, VirtioPci};
use millrace_regs::host::{NOTIFY, common as fields};
use serde_json::{Value, json};

const ACROSS: &str = "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf0\n";
const WARNING: &str = "vf0 needs a reset by its driver: fault `bus` of virtqueue 1";

fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let device = Device::spawn(folder, &mut folder.command(&[&["serve", "--sockets", "dpu"], args].concat()));
    device.wait_until(|| folder.path("dpu/vf7.sock").exists());
    device
}

/// Puts the rings of transmitq 0 of vf0 where its function has no memory, and notifies of them. The function and its driver, for as long as it is to stand.
fn break_ring(folder: &Folder) -> (VfioUserFunction, impl Sized) {
    let function = VfioUserFunction::connect(&folder.path("dpu/vf0.sock"), Role::Network).unwrap();
    let settings = Settings { packed: false, ..Settings::default() };
    let memory = function.memory(settings.memory_bytes()).unwrap();
    let net = VirtioNet::start(function.bar(), memory, settings).unwrap();
    let mut bar = function.bar();
    bar.write16(fields::QUEUE_SELECT.offset, 1).unwrap();
    bar.write16(fields::QUEUE_RESET.offset, 1).unwrap();
    while bar.read16(fields::QUEUE_RESET.offset).unwrap() != 0 {}
    for ring in [fields::QUEUE_DESC, fields::QUEUE_DRIVER, fields::QUEUE_DEVICE] {
        bar.write32(ring.offset + 4, 1 << 20).unwrap();
    }
    bar.write16(fields::QUEUE_ENABLE.offset, 1).unwrap();
    bar.write32(NOTIFY.at(1), 1).unwrap();
    (function, net)
}

/// Waits until the statistics have these faults.
fn wait_for(device: &Device, faults: &Value) {
    device.wait_for(|stats| stats.get("faults").unwrap_or(&json!({})) == faults);
}

fn warnings(device: &Device) -> usize {
    device.log().matches(WARNING).count()
}

#[test]
fn a_function_that_was_stopped_is_named_until_its_driver_resets_it() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let device = serve(&folder, &["--flows", &flows]);
    wait_for(&device, &json!({}));
    let broken = break_ring(&folder);
    wait_for(&device, &json!({ "vf0": { "virtqueue": 1, "reason": "bus" } }));
    let text = device.ask(&["stats"]).succeeds();
    assert!(text.contains(&format!("\n{WARNING}\n")), "{text}");
    device.wait_until(|| warnings(&device) == 1);
    drop(broken);
    wait_for(&device, &json!({}));
    assert!(!device.ask(&["stats"]).succeeds().contains("needs a reset"));
    let net = |name: &str| VfioUserNet::connect(&folder.path("dpu").join(name), Settings::default()).unwrap();
    let (mut a, mut b) = (net("vf0.sock"), net("vf1.sock"));
    assert_eq!(a.net().send(0, [&between(1, 2, 0)[..]]).unwrap(), 1);
    assert_eq!(receive(&mut b), [between(1, 2, 0)]);
    device.stop();
    assert_eq!(warnings(&device), 1, "it is said once");
}

#[test]
fn a_slow_path_elsewhere_and_the_device_both_say_it() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", ACROSS);
    let served = serve(&folder, &[]);
    let log = folder.path("served");
    std::fs::rename(folder.path("log"), &log).unwrap();
    let args = ["firmware", "--device", "vfio-user:dpu", "--flows", &flows];
    let firmware = Device::spawn(&folder, &mut folder.command(&args));
    wait_for(&firmware, &json!({}));
    let _broken = break_ring(&folder);
    wait_for(&firmware, &json!({ "vf0": { "virtqueue": 1, "reason": "bus" } }));
    firmware.wait_until(|| warnings(&firmware) == 1 && folder.read("served").matches(WARNING).count() == 1);
    firmware.stop();
    served.stop();
}
