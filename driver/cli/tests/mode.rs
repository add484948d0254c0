// SPDX-License-Identifier: MIT OR Apache-2.0
//! DPU mode and NIC mode: who reaches rules, counters and representors, and who does not.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, receive};
use millrace_driver::vfio_user::{Mode, Role, VfioUserDpu, VfioUserFunction, VfioUserNet};
use millrace_driver::virtio::{Settings, VirtioPci};
use millrace_driver::{Device as _, Registers, discover};
use millrace_regs::host::{
    COMMON, FUNCTION, FUNCTION_BAD_OFFLOAD, FUNCTION_FAULT, FUNCTION_NO_BUFFER, FUNCTION_REFUSED, FUNCTION_REGISTERS,
    FUNCTION_STATE, common as fields,
};
use millrace_regs::{addr, instances};
use millrace_vfio_user::{Client, ClientError, Space};

/// Accesses that each function tries.
const TRIES: u32 = 1500;
/// Of a configuration space: the command register, and where BAR, offset, length and data of virtio's window lie (virtio 4.1.4.9).
const COMMAND: u64 = 0x04;
const WINDOW: u64 = 0xd8;

/// The finaliser of MurmurHash3: numbers without a pattern.
fn mix(mut n: u32) -> u32 {
    n = (n ^ n >> 16).wrapping_mul(0x85eb_ca6b);
    n = (n ^ n >> 13).wrapping_mul(0xc2b2_ae35);
    n ^ n >> 16
}

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

/// All that the ECPF reads of its own and has set of others.
fn of_ecpf(dpu: &mut VfioUserDpu) -> Vec<(String, u32)> {
    let config = discover(dpu).unwrap();
    let mut found = vec![];
    for register in instances(config.vports() as u32) {
        found.push((register.to_string(), dpu.read32(register.address).unwrap()));
    }
    // What a function's own driver and its frames do is there to be seen.
    let others = [FUNCTION_STATE, FUNCTION_FAULT, FUNCTION_NO_BUFFER, FUNCTION_BAD_OFFLOAD, FUNCTION_REFUSED];
    for function in 0..config.functions() as u32 {
        for register in FUNCTION_REGISTERS.iter().filter(|register| !others.contains(register)) {
            let value = dpu.bar().read32(FUNCTION.at(function) + register.offset).unwrap();
            found.push((format!("{} of {function}", register.name), value));
        }
    }
    for queue in 0..2 * config.vports() as u16 {
        dpu.bar().write16(COMMON.offset + fields::QUEUE_SELECT.offset, queue).unwrap();
        for word in (COMMON.offset..COMMON.offset + COMMON.bytes).step_by(4) {
            found.push((format!("{word:#x} of virtqueue {queue}"), dpu.bar().read32(word).unwrap()));
        }
    }
    found
}

/// What a client of a function reads, and tries to write: none if the function has no such place.
fn try_access(client: &mut Client, space: Space, offset: u64, write: Option<u32>) -> Option<u32> {
    let mut word = [0; 4];
    let done = match write {
        Some(value) => client.write(space, offset, &value.to_le_bytes()),
        None => client.read(space, offset, &mut word),
    };
    match done {
        Ok(()) => Some(u32::from_le_bytes(word)),
        Err(ClientError::Refused { .. }) => None,
        Err(error) => panic!("{space:?} at {offset:#x}: {error}"),
    }
}

/// Tries all that there is, and what there is not.
fn intrude(device: &Device, folder: &Folder, name: &str, seed: u32) {
    // The one before may have disabled VFs; they are there again when it has gone.
    device.wait_until(|| folder.path("dpu").join(name).exists());
    let mut client = Client::connect(folder.path("dpu").join(name)).unwrap();
    let random = |n: u32, i: u32| mix(seed << 20 | n << 3 | i);
    for n in 0..TRIES {
        client.write(Space::Config, COMMAND, &[6, 0]).unwrap();
        let value = random(n, 0);
        let write = (random(n, 1) & 1 == 1).then_some(value);
        let offset = match random(n, 2) % 5 {
            // Registers of the core, those of functions, common configuration, notifications, anything.
            0 => random(n, 3) % 0x1400,
            1 => FUNCTION.offset + random(n, 3) % 0x400,
            2 => random(n, 3) % 0x40,
            3 => 0x1_0000 + random(n, 3) % 0x8000,
            _ => random(n, 3),
        } & !3;
        match random(n, 4) % 4 {
            0 => {
                let foreign = (FUNCTION.offset..FUNCTION.offset + 0x400).contains(&offset);
                let read = try_access(&mut client, Space::Bar(0), (offset % (1 << 24)).into(), write);
                assert!(!foreign || write.is_some() || read == Some(u32::MAX), "{name} reads {read:x?} at {offset:#x}");
            }
            1 => {
                let bar = 1 + (random(n, 5) % 5) as u8;
                let read = try_access(&mut client, Space::Bar(bar), offset.into(), write);
                assert!(
                    write.is_some() || matches!(read, None | Some(u32::MAX)),
                    "{name} reads {read:x?} of BAR {bar}"
                );
            }
            2 => {
                // Behind the function's block, and in other BARs, through the window of its configuration space.
                let bar = [0, 0, 1, 2, 4, 5][random(n, 5) as usize % 6];
                let far = offset | if bar == 0 { 1 << (24 + random(n, 6) % 8) } else { 0 };
                client.write(Space::Config, WINDOW + 4, &[bar]).unwrap();
                client.write(Space::Config, WINDOW + 8, &far.to_le_bytes()).unwrap();
                client.write(Space::Config, WINDOW + 12, &4_u32.to_le_bytes()).unwrap();
                client.write(Space::Config, WINDOW + 16, &value.to_le_bytes()).unwrap();
                let read = try_access(&mut client, Space::Config, WINDOW + 16, None);
                assert!(
                    [Some(u32::MAX), Some(value)].contains(&read),
                    "{name} reads {read:x?} at {far:#x} of BAR {bar}"
                );
            }
            _ => {
                try_access(&mut client, Space::Config, (offset % 0x1000).into(), write);
            }
        }
    }
}

#[test]
fn the_host_reaches_nothing_of_the_switch_in_dpu_mode() {
    let folder = Folder::new();
    let device = serve(&folder, &[]);
    let (mut dpu, mode) = VfioUserDpu::open(&folder.path("dpu")).unwrap();
    assert_eq!(mode, Mode::Dpu);
    for (address, value) in [(addr::SCRATCH, 0x1234_5678), (addr::INDEX, 7)] {
        dpu.write32(address, value).unwrap();
    }
    dpu.bar().write32(FUNCTION.at(2) + 0x38, 0x0002_0064).unwrap();
    let before = of_ecpf(&mut dpu);
    for (seed, name) in [(1, "pf.sock"), (2, "vf0.sock"), (3, "vf1.sock")] {
        intrude(&device, &folder, name, seed);
        let after = of_ecpf(&mut dpu);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{name} changed it");
        }
    }
    dpu.poll().unwrap();
    assert!(dpu.recv_upcall().is_none());
    dpu.stop().unwrap();
    device.stop();
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
