// SPDX-License-Identifier: MIT OR Apache-2.0
//! Images of DPU-OS from the host to the card: `millrace os send`, and a slow path that takes them.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder};
use millrace_update::{Manifest, Part, SigningKey, write, written};
use serde_json::Value;
use std::fs;

/// Writes an image that is signed with a key of this seed.
fn image(folder: &Folder, name: &str, seed: u8) -> String {
    let (kernel, initramfs) = (vec![1; 150_000], vec![2; 50_000]);
    let parts = [Part::of(&kernel), Part::of(&initramfs)];
    let manifest = Manifest::new("minimal", "1", std::env::consts::ARCH, "panic=10", parts);
    let mut bytes = vec![];
    write(&mut bytes, &manifest, &SigningKey::from_bytes(&[seed; 32]), &kernel, &initramfs).unwrap();
    fs::write(folder.path(name), bytes).unwrap();
    name.to_owned()
}

#[test]
fn the_host_sends_images_and_the_card_decides() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    folder.write("os.pem", &written(&SigningKey::from_bytes(&[1; 32]).verifying_key()));
    let device = Device::spawn(&folder, &mut folder.command(&["serve", "--sockets", "dpu", "--vfs", "1"]));
    device.wait_until(|| folder.path("dpu/vf0.sock").exists());
    let args =
        ["firmware", "--device", "vfio-user:dpu", "--flows", &flows, "--images-from-host", "--image-key", "os.pem"];
    let card = Device::spawn(&folder, &mut folder.command(&args));
    card.wait_for(|stats| stats["preset"] == "host");
    let send = |image: &str| folder.millrace(&["os", "send", image, "--via", "vfio-user:dpu/pf.sock"]);

    // It came whole, and was found right: only then is it looked for a slot, which this machine has not.
    send(&image(&folder, "signed", 1)).fails(2, "the card says: millrace: this system was not started from a slot");
    send(&image(&folder, "another", 2))
        .fails(2, "the card says: the image is refused: its signature is not that of the key");
    let mut bytes = fs::read(folder.path("signed")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.path("damaged"), bytes).unwrap();
    send("damaged").fails(2, "it is damaged: its files are not those that were signed");
    send("elsewhere").fails(2, "cannot read elsewhere");
    folder.millrace(&["os", "send", "signed", "--via", "no-such-one"]).fails(2, "no interface no-such-one");
    folder.millrace(&["os", "send", "signed", "--via", "vfio-user:nowhere"]).fails(2, "nowhere");

    // The switch has seen nothing of all that.
    let stats: Value = serde_json::from_str(&card.ask(&["stats", "--json"]).succeeds()).unwrap();
    assert!(stats["ports"]["pf"]["slow_path"].as_u64() > Some(200), "{stats}");
    assert_eq!(stats["rules"], 0);
    assert_eq!(stats["ports"]["vf0"]["out"]["packets"], 0);
    card.stop();
    device.stop();
}

#[test]
fn a_key_that_is_none_is_refused() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=normal\n");
    let device = Device::spawn(&folder, &mut folder.command(&["serve", "--sockets", "dpu"]));
    device.wait_until(|| folder.path("dpu/ecpf.sock").exists());
    let firmware = |more: &[&str]| {
        folder.millrace(&[&["firmware", "--device", "vfio-user:dpu", "--flows", &flows], more].concat())
    };
    firmware(&["--images-from-host", "--image-key", &flows]).fails(2, "is no public key for Ed25519 in PEM");
    firmware(&["--image-key", "os.pem"]).fails(2, "--images-from-host");
    device.stop();
}
