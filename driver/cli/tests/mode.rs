// SPDX-License-Identifier: MIT OR Apache-2.0
//! DPU mode and NIC mode: who has the switch. (`intrusion.rs`: that nobody else reaches it.)

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, Outcome, between, receive};
use millrace_driver::vfio_user::{Mode, Role, VfioUserDpu, VfioUserFunction, VfioUserNet};
use millrace_driver::virtio::{Settings, VirtioPci};
use millrace_driver::{Device as _, Registers};
use millrace_regs::addr;
use millrace_regs::host::{COMMON, FUNCTION, FUNCTION_STATE, common as fields};
use std::path::Path;
use std::process::Command;

fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let all = [&["serve", "--sockets", "dpu", "--vfs", "2"][..], args].concat();
    let device = Device::spawn(folder, &mut folder.command(&all));
    device.wait_until(|| folder.path("dpu/vf1.sock").exists());
    device
}

fn firmware<'a>(folder: &'a Folder, flows: &str) -> Device<'a> {
    let args = ["firmware", "--device", "vfio-user:dpu", "--flows", flows];
    let device = Device::spawn(folder, &mut folder.command(&args));
    device.wait_for(|stats| stats["preset"] == "host");
    device
}

/// Frames of VF 0 arrive at VF 1.
fn exchange(a: &mut VfioUserNet, b: &mut VfioUserNet, ids: std::ops::Range<u8>) {
    for id in ids {
        a.net().reclaim(0).unwrap();
        assert_eq!(a.net().send(0, [&between(1, 2, id)[..]]).unwrap(), 1);
        assert_eq!(receive(b), [between(1, 2, id)]);
    }
}

#[test]
fn in_nic_mode_the_pf_has_the_switch_until_the_ecpf_takes_it_back() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf0\n");
    let device = serve(&folder, &["--mode", "nic"]);
    let slow_path = firmware(&folder, &flows);
    assert!(slow_path.log().contains("NIC mode"), "{}", slow_path.log());
    let attach = |name: &str| VfioUserNet::connect(&folder.path(name), Settings::default()).unwrap();
    let (mut a, mut b) = (attach("dpu/vf0.sock"), attach("dpu/vf1.sock"));
    exchange(&mut a, &mut b, 0..8);
    slow_path.wait_for(|stats| stats["rules"] == 1);

    // The ECPF has its configuration space alone, whatever it does.
    let of_role = |name: &str, role| VfioUserFunction::connect(&folder.path(name), role).unwrap();
    let ecpf = of_role("dpu/ecpf.sock", Role::Ecpf);
    assert_eq!(ecpf.mode().unwrap(), Mode::Nic);
    assert_eq!(ecpf.registers().read32(addr::ID).unwrap(), u32::MAX);
    ecpf.registers().write32(addr::SCRATCH, 5).unwrap();
    ecpf.bar().write8(COMMON.offset + fields::DEVICE_STATUS.offset, 0).unwrap();
    assert_eq!(ecpf.bar().read32(0).unwrap(), u32::MAX);
    ecpf.reset().unwrap();
    drop(ecpf);
    let register = |device: &Device| device.ask(&["reg", "SCRATCH"]).succeeds();
    assert!(register(&slow_path).contains("0x00000000"), "{}", register(&slow_path));
    exchange(&mut a, &mut b, 8..16);
    assert_eq!(b.net().send(0, [&between(2, 1, 0)[..]]).unwrap(), 1, "a new flow still finds its slow path");
    assert_eq!(receive(&mut a), [between(2, 1, 0)]);
    slow_path.wait_for(|stats| stats["rules"] == 2);
    slow_path.stop();

    // Back in DPU mode the PF reaches nothing, and the ECPF's slow path takes the rules over.
    let ecpf = of_role("dpu/ecpf.sock", Role::Ecpf);
    ecpf.set_mode(Mode::Dpu).unwrap();
    drop(ecpf);
    let pf = of_role("dpu/pf.sock", Role::Network);
    assert_eq!(pf.registers().read32(addr::ID).unwrap(), u32::MAX);
    assert_eq!(pf.representors_bar().read32(0).unwrap(), u32::MAX);
    pf.registers().write32(addr::SCRATCH, 5).unwrap();
    exchange(&mut a, &mut b, 16..24);
    let slow_path = firmware(&folder, &flows);
    assert!(!slow_path.log().contains("NIC mode") && register(&slow_path).contains("0x00000000"));
    slow_path.wait_for(|stats| stats["slow_path"]["taken_over"] == 2);
    exchange(&mut a, &mut b, 24..32);
    drop(pf);
    exchange(&mut a, &mut b, 32..40);
    slow_path.stop();
    device.stop();
}

#[test]
fn a_pf_that_loses_the_switch_has_nothing_of_it_under_way() {
    let folder = Folder::new();
    let device = serve(&folder, &["--mode", "nic"]);
    let (mut nic, mode) = VfioUserDpu::open(&folder.path("dpu")).unwrap();
    assert_eq!((mode, nic.read32(addr::ID).unwrap()), (Mode::Nic, 0x4d49_4c4c));
    let ecpf = VfioUserFunction::connect(&folder.path("dpu/ecpf.sock"), Role::Ecpf).unwrap();
    ecpf.set_mode(Mode::Dpu).unwrap();
    assert_eq!(nic.read32(addr::ID).unwrap(), u32::MAX);
    let mut bar = ecpf.bar();
    assert_eq!(bar.read8(COMMON.offset + fields::DEVICE_STATUS.offset).unwrap(), 0, "it was reset");
    assert_eq!(bar.read32(FUNCTION.at(0) + FUNCTION_STATE.offset).unwrap(), 0x100, "the bus is the ECPF's");
    // Neither what the PF does, nor its end, reaches function 0.
    bar.write8(COMMON.offset + fields::DEVICE_STATUS.offset, 1).unwrap();
    drop(nic);
    VfioUserFunction::connect(&folder.path("dpu/pf.sock"), Role::Network).unwrap().reset().unwrap();
    assert_eq!(bar.read8(COMMON.offset + fields::DEVICE_STATUS.offset).unwrap(), 1);
    ecpf.set_mode(Mode::Nic).unwrap();
    assert_eq!(bar.read32(0).unwrap(), u32::MAX);
    drop((bar, ecpf));
    let (nic, mode) = VfioUserDpu::open(&folder.path("dpu")).unwrap();
    assert_eq!(mode, Mode::Nic);
    nic.stop().unwrap();
    device.stop();
}

#[test]
fn the_page_on_modes_does_what_it_says() {
    let folder = Folder::new();
    let command = folder.command(&[]);
    let programs = Path::new(command.get_program()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let script = millrace_pages::blocks(include_str!("../../../docs/modes.md"), "sh").concat();
    // What it leaves running ends with it.
    let all = format!("trap 'kill $(jobs -p)' EXIT\nset -ex\n{script}echo the end\n");
    let mut shell = Command::new("bash");
    shell.args(["-c", &all]).env("PATH", path).current_dir(folder.path("."));
    let Outcome { out, err, .. } = Outcome::of(&mut shell);
    let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with("0x")).collect();
    let said = "millrace: the device is in NIC mode: its slow path is at the PF";
    assert_eq!(lines, ["dpu", "nic", said, "dpu", "the end"], "{err}");
}

#[test]
fn a_mode_is_not_changed_under_a_slow_path() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let device = serve(&folder, &[]);
    let slow_path = firmware(&folder, &flows);
    folder.millrace(&["mode", "vfio-user:dpu", "nic"]).fails(2, "dpu/ecpf.sock");
    folder.millrace(&["mode", "vfio:0000:65:00.0"]).fails(2, "give vfio-user:DIR");
    folder.millrace(&["mode", "vfio-user:elsewhere"]).fails(2, "elsewhere/ecpf.sock");
    slow_path.stop();
    assert_eq!(folder.millrace(&["mode", "vfio-user:dpu"]).succeeds(), "dpu\n");
    device.stop();
}
