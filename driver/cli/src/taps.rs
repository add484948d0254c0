// SPDX-License-Identifier: MIT OR Apache-2.0
//! TAP devices on their way in.

use crate::error::BadInput;
use millrace_driver::virtio::OFFLOADS;
use millrace_regs::host::Feature;
use millrace_sim::tap::Tap;
use nix::errno::Errno;
use std::io;

/// Opens the TAP device of each port, or makes it.
pub fn open(config: &millrace_sim::Config, interfaces: &[(usize, &str)]) -> Result<Vec<(usize, Tap)>, BadInput> {
    let mut taps: Vec<(usize, Tap)> = vec![];
    for (vport, name) in interfaces {
        if let Some((other, _)) = taps.iter().find(|(_, tap)| tap.name() == *name) {
            let [other, port] = [*other, *vport].map(|v| config.vport_name(v).unwrap_or_default());
            return Err(BadInput(format!("TAP device {name} is given for two ports, {other} and {port}")));
        }
        taps.push((*vport, open_one(name)?));
    }
    Ok(taps)
}

/// Opens a TAP device, or makes it.
pub fn open_one(name: &str) -> Result<Tap, BadInput> {
    Tap::open(name).map_err(|error| BadInput(refusal(name, &error)))
}

/// As [`open_one`], of a device that leaves to its reader what `features` of virtio have a driver leave to its device. What the kernel does itself instead
/// is said on the standard error.
pub fn open_with_headers(name: &str, features: u64) -> Result<Tap, BadInput> {
    let tap = Tap::open_with_headers(name, features).map_err(|error| BadInput(refusal(name, &error)))?;
    if let Some(note) = kernel_note(name, features & OFFLOADS & !tap.offloads()) {
        eprintln!("millrace: {note}");
    }
    Ok(tap)
}

/// What the kernel does not leave to a TAP device's reader.
fn kernel_note(name: &str, missing: u64) -> Option<String> {
    let names: Vec<_> = Feature::ALL.iter().filter(|f| f.bit() & missing != 0).map(|feature| feature.name()).collect();
    (!names.is_empty())
        .then(|| format!("TAP device {name}: the kernel does itself what the function would do ({})", names.join(", ")))
}

/// Why a device cannot be opened, and what would help.
fn refusal(name: &str, error: &io::Error) -> String {
    let hint = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => {
            " (be root, have CAP_NET_ADMIN, or have it made for you: `ip tuntap add dev NAME mode tap user USER`)"
        }
        Some(Errno::EINVAL) => " (there is a device of this name, but it is no TAP device)",
        Some(Errno::EBUSY) => " (another process has it open)",
        Some(Errno::ENOENT | Errno::ENODEV) => " (there is no /dev/net/tun: `modprobe tun`)",
        _ => "",
    };
    format!("cannot open the TAP device {name}: {error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_itself_is_named() {
        assert_eq!(kernel_note("tap0", 0), None);
        let note = kernel_note("tap0", Feature::HostUso.bit()).unwrap();
        assert!(note.starts_with("TAP device tap0:") && note.ends_with("(VIRTIO_NET_F_HOST_USO)"), "{note}");
    }

    #[test]
    fn a_refusal_says_what_would_help() {
        let text = |errno: Errno| refusal("tap0", &errno.into());
        assert!(text(Errno::EPERM).starts_with("cannot open the TAP device tap0: Operation not permitted"));
        assert!(text(Errno::EPERM).contains("CAP_NET_ADMIN"));
        assert!(text(Errno::EINVAL).contains("no TAP device"));
        assert!(text(Errno::EBUSY).contains("another process"));
    }
}
