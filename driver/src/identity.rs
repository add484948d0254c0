// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recognises Millrace's functions by their configuration space (PCI Express Base 5.0 §7.5) and BARs. What a stranger's function says
//! there can be anything: it is looked at, and not trusted.

use millrace_regs::host::pci::{ECPF_DEVICE, FUNCTION_BAR, NETWORK_DEVICE, REGISTER_BAR, VENDOR};
use millrace_regs::host::{COMMON, DEVICE, HostBlock, ISR, NOTIFY, NOTIFY_STRIDE};
use std::fmt;

/// Bytes of the configuration space that every function has.
pub const CONFIG_BYTES: usize = 256;

/// BARs that a function may have.
pub const BARS: usize = 6;

/// Offsets in the configuration space.
const STATUS: usize = 0x06;
const CAPABILITIES: usize = 0x34;
/// Bit of the status register: there is a list of capabilities.
const HAS_CAPABILITIES: u8 = 1 << 4;
/// A capability of the vendor's.
const VENDOR_SPECIFIC: u8 = 0x09;

/// What a function is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The slow path's: representors and registers.
    Ecpf,
    /// A PF or VF: a virtio network device.
    Network,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecpf => "the ECPF",
            Self::Network => "a PF or VF",
        })
    }
}

/// What a function with these numbers of its vendor and of its device is for.
///
/// # Errors
/// What it is, if it is none of Millrace.
pub fn role(vendor: u16, device: u16) -> Result<Role, String> {
    match (vendor, device) {
        (VENDOR, NETWORK_DEVICE) => Ok(Role::Network),
        (VENDOR, ECPF_DEVICE) => Ok(Role::Ecpf),
        _ => Err(format!(
            "this is PCI device {vendor:04x}:{device:04x}, not a function of Millrace \
             ({VENDOR:04x}:{NETWORK_DEVICE:04x} or {VENDOR:04x}:{ECPF_DEVICE:04x})"
        )),
    }
}

/// What this function of Millrace is for. Its BARs are given by their bytes, 0 for those that it has not.
///
/// # Errors
/// What it is, if it is none.
pub fn identify(config: &[u8; CONFIG_BYTES], sizes: &[u64; BARS]) -> Result<Role, String> {
    let half = |at: usize| u16::from_le_bytes([config[at], config[at + 1]]);
    let role = role(half(0), half(2))?;
    let bars: &[(usize, u64)] = match role {
        Role::Network => &[(0, FUNCTION_BAR)],
        Role::Ecpf => &[(0, FUNCTION_BAR), (2, REGISTER_BAR)],
    };
    for &(bar, bytes) in bars {
        let found = sizes[bar];
        if found != bytes {
            return Err(format!("not a function of Millrace: BAR {bar} has {found:#x} bytes, not {bytes:#x}"));
        }
    }
    if role == Role::Network {
        check_structures(config)?;
    }
    Ok(role)
}

/// The structures of virtio 4.1.4 have to lie where `docs/host.md` has them.
fn check_structures(config: &[u8; CONFIG_BYTES]) -> Result<(), String> {
    let found = structures(config);
    for (kind, block) in [(1, COMMON), (2, NOTIFY), (3, ISR), (4, DEVICE)] {
        let HostBlock { name, offset, .. } = block;
        // A driver takes the first of a kind that it can use (virtio 4.1.4.1).
        let Some(structure) = found.iter().find(|structure| structure.kind == kind) else {
            return Err(format!("not a function of Millrace: it has no {name}"));
        };
        if (structure.bar, structure.offset) != (0, offset) {
            let Structure { bar, offset: at, .. } = structure;
            return Err(format!(
                "a virtio network device, but not of Millrace: its {name} lies at {at:#x} of BAR {bar}, not at {offset:#x} of BAR 0"
            ));
        }
        if kind == 2 && structure.multiplier != NOTIFY_STRIDE {
            let multiplier = structure.multiplier;
            return Err(format!(
                "a virtio network device, but not of Millrace: its notify_off_multiplier is {multiplier}"
            ));
        }
    }
    Ok(())
}

/// Where a structure lies: `struct virtio_pci_cap` (virtio 4.1.4).
struct Structure {
    kind: u8,
    bar: u8,
    offset: u32,
    /// `notify_off_multiplier`, behind the structure of notifications; whatever is there behind others.
    multiplier: u32,
}

/// Those that the list of capabilities tells of.
fn structures(config: &[u8; CONFIG_BYTES]) -> Vec<Structure> {
    let byte = |at: usize| config.get(at).copied().unwrap_or(0);
    let word = |at: usize| u32::from_le_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
    let mut found = vec![];
    if byte(STATUS) & HAS_CAPABILITIES == 0 {
        return found;
    }
    let mut at = usize::from(byte(CAPABILITIES) & !3);
    // No more than have room: a list may lead back into itself.
    for _ in 0..CONFIG_BYTES / 4 {
        if at == 0 {
            break;
        }
        if byte(at) == VENDOR_SPECIFIC {
            let (kind, bar) = (byte(at + 3), byte(at + 4));
            found.push(Structure { kind, bar, offset: word(at + 8), multiplier: word(at + 16) });
        }
        at = usize::from(byte(at + 1) & !3);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration space with capabilities that follow one another from 0x40 on.
    fn space(device: u16, capabilities: &[[u32; 5]]) -> [u8; CONFIG_BYTES] {
        let mut config = [0; CONFIG_BYTES];
        config[..2].copy_from_slice(&VENDOR.to_le_bytes());
        config[2..4].copy_from_slice(&device.to_le_bytes());
        config[STATUS] = HAS_CAPABILITIES;
        config[CAPABILITIES] = 0x40;
        for (i, &[kind, bar, offset, length, multiplier]) in capabilities.iter().enumerate() {
            let at = 0x40 + 20 * i;
            let next = if i + 1 == capabilities.len() { 0 } else { at as u8 + 20 };
            config[at..at + 5].copy_from_slice(&[VENDOR_SPECIFIC, next, 20, kind as u8, bar as u8]);
            for (word, value) in [offset, length, multiplier].into_iter().enumerate() {
                config[at + 8 + 4 * word..][..4].copy_from_slice(&value.to_le_bytes());
            }
        }
        config
    }

    const GOOD: [[u32; 5]; 4] =
        [[1, 0, 0, 64, 0], [3, 0, 0x100, 4, 0], [4, 0, 0x200, 16, 0], [2, 0, 0x1_0000, 0x2000, 0x1000]];

    #[test]
    fn the_functions_of_the_contract_are_recognised() {
        let network = [1 << 24, 0, 0, 0, 0, 0];
        assert_eq!(identify(&space(0x1041, &GOOD), &network), Ok(Role::Network));
        let ecpf = [1 << 24, 0, 1 << 16, 0, 0, 0];
        assert_eq!(identify(&space(0x10f0, &[]), &ecpf), Ok(Role::Ecpf));
    }

    #[test]
    fn others_are_refused_with_what_was_found() {
        let network = [1 << 24, 0, 0, 0, 0, 0];
        let altered = |at: usize, word: usize, value: u32| {
            let mut capabilities = GOOD;
            capabilities[at][word] = value;
            space(0x1041, &capabilities)
        };
        let mut loops = space(0x1041, &GOOD[..3]);
        loops[0x69] = 0x40;
        let mut nowhere = space(0x1041, &GOOD);
        nowhere[CAPABILITIES] = 0xfc;
        let mut none = space(0x1041, &GOOD);
        none[STATUS] = 0;
        let cases = [
            ([0; CONFIG_BYTES], "this is PCI device 0000:0000, not a function of Millrace (1af4:1041 or 1af4:10f0)"),
            (space(0x1000, &GOOD), "this is PCI device 1af4:1000"),
            (space(0x10f0, &[]), "BAR 2 has 0x0 bytes, not 0x10000"),
            (altered(0, 1, 4), "its common configuration lies at 0x0 of BAR 4, not at 0x0 of BAR 0"),
            (altered(1, 2, 0x3000), "its ISR status lies at 0x3000 of BAR 0"),
            (altered(3, 4, 4), "its notify_off_multiplier is 4"),
            (altered(2, 0, 9), "it has no device configuration"),
            (loops, "it has no notification"),
            (nowhere, "it has no common configuration"),
            (none, "it has no common configuration"),
        ];
        for (config, text) in cases {
            let error = identify(&config, &network).unwrap_err();
            assert!(error.contains(text), "{error}\nis not: {text}");
        }
        let small = [1 << 14, 0, 0, 0, 0, 0];
        assert!(identify(&space(0x1041, &GOOD), &small).unwrap_err().contains("BAR 0 has 0x4000 bytes, not 0x1000000"));
    }
}
