// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks the driver on a PF or VF behind VFIO, with a Linux host behind the DPU that answers. One line for each check; fails at the first that fails.
//!
//! `millrace-vfio-check ADDRESS MAC MTU OWN PEER` checks the function at the PCI address, whose MAC address and MTU are to be these. It speaks
//! as the IPv4 address OWN with PEER, which has to know where OWN is, and to send frames there now and then.
//! `millrace-vfio-check ADDRESS` opens the function, and no more.
//! `millrace-vfio-check slow-path ADDRESS PACKETS READY` is the slow path of the device whose ECPF is at the address, until rules have handled so many packets; it makes the
//! file READY when the functions have their addresses.

mod card;
mod checks;
mod slow_path;
mod station;

use anyhow::{Context, Result, bail};
use card::{Card, Expected};
use checks::CHECKS;
use millrace_driver::vfio::{PciAddress, Role, VfioFunction};
use std::net::Ipv4Addr;
use std::time::Instant;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["slow-path", address, packets, ready] => {
            println!("{}", slow_path::run(address.parse()?, packets.parse()?, ready.as_ref())?);
            Ok(())
        }
        [address] => {
            let function = VfioFunction::open(address.parse()?, Role::Network)?;
            println!("opened {}, IOMMU group {}", function.address(), function.group());
            Ok(())
        }
        [address, mac, mtu, own, peer] => {
            let expected = Expected { mac: mac_address(mac)?, mtu: mtu.parse()? };
            check(address.parse()?, expected, own.parse()?, peer.parse()?)
        }
        _ => bail!("give ADDRESS, ADDRESS MAC MTU OWN PEER, or slow-path ADDRESS PACKETS READY"),
    }
}

fn check(address: PciAddress, expected: Expected, own: Ipv4Addr, peer: Ipv4Addr) -> Result<()> {
    let mut card = Card::open(address, expected, own, peer)?;
    for (name, check) in CHECKS {
        let start = Instant::now();
        let found = check(&mut card).with_context(|| format!("{name} failed"))?;
        println!("{name} passed in {:.1} s: {found}", start.elapsed().as_secs_f64());
    }
    println!("{} passed", CHECKS.len());
    Ok(())
}

fn mac_address(text: &str) -> Result<[u8; 6]> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).with_context(|| format!("{text} is no MAC address"))
}
