// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace rules add`, `del` and `list`: rules that go before those of the slow path, and are none of its business.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, receive};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;

fn serve(folder: &Folder) -> Device<'_> {
    let device = Device::spawn(folder, &mut folder.command(&["serve", "--sockets", "dpu", "--vfs", "3"]));
    device.wait_until(|| folder.path("dpu/vf2.sock").exists());
    device
}

fn firmware(folder: &Folder) -> Device<'_> {
    let args = ["firmware", "--device", "vfio-user:dpu", "--flows", "a.flows"];
    let device = Device::spawn(folder, &mut folder.command(&args));
    device.wait_for(|stats| stats["preset"] == "host");
    device
}

fn send(from: &mut VfioUserNet, id: u8) {
    from.net().reclaim(0).unwrap();
    assert_eq!(from.net().send(0, [&between(1, 2, id)[..]]).unwrap(), 1);
}

#[test]
fn a_rule_by_hand_goes_before_megaflows_and_stays_when_the_slow_path_starts_again() {
    let folder = Folder::new();
    folder.write("a.flows", "priority=1,in_port=vf0,actions=output:vf1\npriority=0,actions=drop\n");
    let device = serve(&folder);
    let slow_path = firmware(&folder);
    let attach = |name: &str| VfioUserNet::connect(&folder.path(name), Settings::default()).unwrap();
    let [mut a, mut b, mut c] = ["dpu/vf0.sock", "dpu/vf1.sock", "dpu/vf2.sock"].map(attach);
    send(&mut a, 1);
    assert_eq!(receive(&mut b), [between(1, 2, 1)]);
    slow_path.wait_for(|stats| stats["rules"] == 1);
    assert_eq!(slow_path.ask(&["rules", "list"]).succeeds(), "");

    let rule = "ingress priority 3 pattern represented_port ethdev_port_id is vf0 / eth dst is 02:00:00:00:00:02 / end \
                actions set_mac_src mac_addr 02:00:00:00:00:07 / port_id id vf2 / end";
    let add = || slow_path.ask(&[&["rules", "add"][..], &rule.split_whitespace().collect::<Vec<_>>()].concat());
    let number = add().succeeds().trim().to_owned();
    add().fails(2, &format!("RTE_FLOW_ERROR_TYPE_HANDLE: the rule: rule {number} has the same key and mask"));
    let mut edited = between(1, 2, 2);
    edited[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
    send(&mut a, 2);
    assert_eq!(receive(&mut c), [edited.clone()]);
    let list = slow_path.ask(&["rules", "list"]).succeeds();
    assert!(list.starts_with(&format!("{number}: priority:3, recirc_id(0),in_port(vf0),")), "{list}");
    assert!(
        list.contains(", packets:1, bytes:100, actions:set(eth(src=02:00:00:00:00:07)),vf2, dp-extra-info:tcam("),
        "{list}"
    );
    let hex: String = between(1, 2, 2).iter().map(|byte| format!("{byte:02x}")).collect();
    let explained = slow_path.ask(&["explain", "--in", "vf0", "--hex", &hex]).succeeds();
    assert!(
        explained.contains(&format!("\nrule {number} at tcam(")) && explained.contains("     -> without it: rule "),
        "{explained}"
    );
    assert!(!slow_path.ask(&["rules"]).succeeds().contains("vf2"), "it is no megaflow");

    slow_path.stop();
    send(&mut a, 2);
    assert_eq!(receive(&mut c), [edited.clone()], "with no slow path");
    let slow_path = firmware(&folder);
    send(&mut a, 2);
    assert_eq!(receive(&mut c), [edited], "with another one");
    slow_path.ask(&["rules", "del", &number]).succeeds();
    slow_path.ask(&["rules", "del", &number]).fails(2, "there is no rule");
    assert_eq!(slow_path.ask(&["rules", "list"]).succeeds(), "");
    send(&mut a, 3);
    assert_eq!(receive(&mut b), [between(1, 2, 3)]);
    slow_path.stop();
    device.stop();
}

#[test]
fn what_the_hardware_does_not_do_is_refused_and_nothing_is_changed() {
    let folder = Folder::new();
    folder.write("a.flows", "actions=drop\n");
    let device = Device::start(&folder, &["--flows", "a.flows"]);
    device.wait_for(|_| true);
    let add = |rule: &str| device.ask(&[&["rules", "add"][..], &rule.split_whitespace().collect::<Vec<_>>()].concat());
    add("ingress pattern eth / ipv4 / udp / vxlan / end actions drop / end")
        .fails(2, "RTE_FLOW_ERROR_TYPE_ITEM: item 4 (`vxlan`): the hardware does not look into tunnels");
    add("ingress pattern eth / end actions queue index 1 / end")
        .fails(2, "RTE_FLOW_ERROR_TYPE_ACTION: action 1 (`queue`): ");
    add("ingress pattern eth dst is 1 / end actions drop / end").fails(2, "word 6, `1`: give a MAC address");
    assert_eq!(device.ask(&["rules", "list", "--json"]).succeeds(), "[]\n");
    // More than the TCAM has room for: the others take a hash table of their mask.
    for port in 0..40 {
        add(&format!("ingress pattern eth / ipv4 / udp dst is {port} / end actions drop / end")).succeeds();
    }
    let list = device.ask(&["rules", "list"]).succeeds();
    assert_eq!((list.matches("tcam(").count(), list.matches("hash_table(").count()), (32, 8), "{list}");
    device.stop();
}
