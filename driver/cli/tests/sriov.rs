// SPDX-License-Identifier: MIT OR Apache-2.0
//! VFs that come and go as the PF's host says, as with Linux's `sriov_numvfs`.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, between, receive};
use millrace_driver::vfio_user::{VfCount, VfioUserNet};
use millrace_driver::virtio::Settings;

/// VFs talk to each other, and the PF to itself.
const FLOWS: &str = "in_port=vf0,actions=output:vf1\nin_port=vf1,actions=output:vf0\nin_port=pf,actions=in_port\n";

fn serve<'a>(folder: &'a Folder, vfs: &[&str]) -> Device<'a> {
    folder.write("a.flows", FLOWS);
    let args = [&["serve", "--sockets", "dpu", "--flows", "a.flows"][..], vfs].concat();
    let device = Device::spawn(folder, &mut folder.command(&args));
    device.wait_until(|| device.ask(&["vf"]).succeeded());
    device
}

fn sockets(folder: &Folder) -> Vec<String> {
    let names = folder.list().into_iter().filter(|path| path.parent().unwrap().ends_with("dpu"));
    names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn attach(folder: &Folder, name: &str) -> VfioUserNet {
    VfioUserNet::connect(&folder.path("dpu").join(name), Settings::default()).unwrap()
}

/// Whether a driver is at work in a function, as the ECPF sees it.
fn is_up(device: &Device, port: &str) -> bool {
    let shown: serde_json::Value = serde_json::from_str(&device.ask(&["vf", "--json", port]).succeeds()).unwrap();
    shown[0]["up"].as_bool().unwrap()
}

/// Frames from one function to another, of which each arrives.
fn exchange(from: &mut VfioUserNet, to: &mut VfioUserNet, first: u8) {
    for id in first..first + 8 {
        from.net().reclaim(0).unwrap();
        assert_eq!(from.net().send(0, [&between(1, 2, id)[..]]).unwrap(), 1);
        assert_eq!(receive(to), [between(1, 2, id)]);
    }
}

/// The PF's frames, which come back; something happens while they are under way.
fn echo(pf: &mut VfioUserNet, first: u8, meanwhile: impl FnOnce(&mut VfioUserNet)) {
    let frames: Vec<_> = (first..first + 8).map(|id| between(3, 4, id)).collect();
    pf.net().reclaim(0).unwrap();
    assert_eq!(pf.net().send(0, frames.iter().map(Vec::as_slice)).unwrap(), 8);
    meanwhile(pf);
    let mut back = vec![];
    while back.len() < frames.len() {
        back.extend(receive(pf));
    }
    assert_eq!(back, frames);
}

#[test]
fn vfs_come_and_go_as_the_pfs_host_says() {
    let folder = Folder::new();
    let device = serve(&folder, &["--vfs", "6", "--numvfs", "0"]);
    assert_eq!(sockets(&folder), ["pf.sock"]);
    let mut pf = attach(&folder, "pf.sock");
    let vfs = |pf: &VfioUserNet| pf.function().vfs().unwrap();
    assert_eq!(vfs(&pf), VfCount { total: 6, enabled: 0 });
    let refused = |pf: &VfioUserNet, vfs: u16| pf.function().set_num_vfs(vfs).unwrap_err().to_string();
    assert!(refused(&pf, 7).ends_with("pf.sock: 7 VFs: the function has 6"));
    let absent = VfioUserNet::connect(&folder.path("dpu/vf0.sock"), Settings::default()).err().unwrap();
    assert!(absent.to_string().contains("No such file or directory (os error 2) (there are pf.sock"), "{absent}");

    pf.function().set_num_vfs(4).unwrap();
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock", "vf2.sock", "vf3.sock"]);
    assert_eq!(vfs(&pf), VfCount { total: 6, enabled: 4 });
    assert!(refused(&pf, 2).ends_with("2 VFs: 4 are enabled, and have to be disabled first"));
    let (mut a, mut b) = (attach(&folder, "vf0.sock"), attach(&folder, "vf1.sock"));
    exchange(&mut a, &mut b, 0);
    assert!(is_up(&device, "vf0") && is_up(&device, "vf1") && !is_up(&device, "vf2"));

    // Their frames are on their way when they go; the PF's are not touched.
    echo(&mut pf, 10, |_| ());
    let burst: Vec<_> = (0..32).map(|id| between(1, 2, id)).collect();
    assert_eq!(a.net().send(0, burst.iter().map(Vec::as_slice)).unwrap(), 32);
    echo(&mut pf, 20, |pf| pf.function().set_num_vfs(0).unwrap());
    assert_eq!(sockets(&folder), ["pf.sock"]);
    assert!(a.refresh().is_err() && b.refresh().is_err(), "a function that is not there");
    assert!(!is_up(&device, "vf0") && !is_up(&device, "vf1") && is_up(&device, "pf"));
    echo(&mut pf, 30, |_| ());

    pf.function().set_num_vfs(2).unwrap();
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock"]);
    let (mut a, mut b) = (attach(&folder, "vf0.sock"), attach(&folder, "vf1.sock"));
    // Nothing of what was under way is there any more.
    exchange(&mut b, &mut a, 40);
    exchange(&mut a, &mut b, 50);
    echo(&mut pf, 60, |_| ());

    // With the PF's client its VFs go.
    pf.stop().unwrap();
    device.wait_until(|| sockets(&folder) == ["pf.sock"]);
    assert!(a.refresh().is_err() && b.refresh().is_err());
    device.stop();
}

#[test]
fn vfs_that_are_there_from_the_start_on_are_not_disturbed_by_a_pf_that_comes_and_goes() {
    let folder = Folder::new();
    let device = serve(&folder, &["--vfs", "3", "--numvfs", "2"]);
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock"]);
    let (mut a, mut b) = (attach(&folder, "vf0.sock"), attach(&folder, "vf1.sock"));
    exchange(&mut a, &mut b, 0);
    for first in [10, 20] {
        let mut pf = attach(&folder, "pf.sock");
        assert_eq!(pf.function().vfs().unwrap(), VfCount { total: 3, enabled: 2 });
        exchange(&mut b, &mut a, first);
        echo(&mut pf, 0, |_| ());
        pf.stop().unwrap();
        exchange(&mut a, &mut b, first + 30);
    }
    let pf = attach(&folder, "pf.sock");
    pf.function().set_num_vfs(0).unwrap();
    pf.function().set_num_vfs(3).unwrap();
    assert!(a.refresh().is_err() && b.refresh().is_err());
    assert_eq!(sockets(&folder), ["pf.sock", "vf0.sock", "vf1.sock", "vf2.sock"]);
    let mut a = attach(&folder, "vf0.sock");
    drop(pf);
    device.wait_until(|| sockets(&folder) == ["pf.sock", "vf0.sock", "vf1.sock"]);
    let mut b = attach(&folder, "vf1.sock");
    exchange(&mut a, &mut b, 60);
    device.stop();
}
