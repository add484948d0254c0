// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function handed through to our own driver, in a guest with an IOMMU.

use super::bench::Bench;
use super::guest::{Board, Guest, Machine};
use super::initramfs::{self, Contents};
use super::network::Network;
use super::scenarios::{Outcome, SWITCH};
use super::traffic::{self, address};
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::time::Duration;
use xtask::run;

/// The program that checks the driver ([testbench/vfio](../../../testbench/vfio)).
pub const PROGRAM: &str = "millrace-vfio-check";
/// What guests run on.
const TARGET: &str = "x86_64-unknown-linux-gnu";
pub const MODULES: [&str; 3] = ["virtio_net", "vfio_pci", "vfio_iommu_type1"];
/// For all checks, each instruction emulated.
const CHECKS: Duration = Duration::from_secs(150);
const MTU: usize = 9000;
/// That of `vf0`: the VFs follow the PF, which has that of `millrace serve`'s default.
const MAC: &str = "02:4d:52:00:00:01";

/// Our driver on `vf0`, against a stock guest on `vf1`.
pub fn vfio(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions are not ours to drive"));
    }
    let initramfs = initramfs_with_checks(bench)?;
    let network = Network::start(bench, SWITCH, &["--mtu".into(), MTU.to_string()])?;
    let machine = Machine { board: Board::PcWithIommu, ..Machine::stock(bench.install, &initramfs) };
    let mut user = Guest::start_as(bench, "vf0", &machine, &[network.nic("vf0"), network.nic("vf2")])?;
    let [mut peer] = bench.guests(&network, ["vf1"])?;
    user.wait_until_ready()?;
    let functions = functions(&mut user)?;
    let [function, other] = &functions[..] else { bail!("the guest has network functions at {functions:?}") };
    refusals(&mut user, function)?;
    bind(&mut user, function)?;
    let (own, peers) = (address("vf0"), address("vf1"));
    // Our driver has no network stack that would answer when it is asked for.
    peer.run(&format!("arp -s {own} {MAC}"))?;
    let towards = traffic::keep_pinging(&mut peer, &own)?;
    // Ended by the guest, its output is not lost.
    let checks = format!("timeout {} {PROGRAM} {function} {MAC} {MTU} {own} {peers}", CHECKS.as_secs());
    let answer = user.attempt_for(&checks, 2 * CHECKS)?;
    ensure!(answer.code == 0, "`{checks}` ended with {}:\n{}", answer.code, answer.output.trim_end());
    eprint!("{}", answer.output);
    refused(&mut user, other, "it is bound to virtio-pci, and has to be to vfio-pci")?;
    peer.stop(&towards)?;
    bench.finish(network, [user, peer])?;
    Ok(Outcome::Passed(answer.output.lines().last().unwrap_or_default().to_owned()))
}

/// Writes the first file system of a guest that has the program, and the modules that it stands on; where it is.
pub fn initramfs_with_checks(bench: &Bench) -> Result<PathBuf> {
    let program = run::build_static(PROGRAM, TARGET)?;
    let initramfs = bench.sockets().join("initramfs");
    let contents = Contents { modules: &MODULES, programs: &[&program], ..Contents::STOCK };
    initramfs::write(bench.install, &contents, &initramfs)?;
    Ok(initramfs)
}

/// The addresses of the guest's virtio network functions.
pub fn functions(guest: &mut Guest) -> Result<Vec<String>> {
    let found = guest.run("cd /sys/bus/pci/devices && grep -l 0x1041 */device")?;
    Ok(found.lines().filter_map(|line| line.strip_suffix("/device")).map(str::to_owned).collect())
}

/// Functions that cannot be had are refused, with the reason.
fn refusals(guest: &mut Guest, function: &str) -> Result<()> {
    let bridge = guest.run("cd /sys/bus/pci/devices && grep -l 0x0604 */class | head -n 1")?;
    let bridge = bridge.trim().strip_suffix("/class").context("the guest has no bridge")?;
    refused(guest, "0000:7f:1f.7", "there is no PCI function at this address")?;
    refused(guest, bridge, "not a function of Millrace (1af4:1041 or 1af4:10f0)")?;
    refused(guest, function, "it is bound to virtio-pci, and has to be to vfio-pci")
}

fn refused(guest: &mut Guest, function: &str, reason: &str) -> Result<()> {
    let answer = guest.attempt(&format!("{PROGRAM} {function}"))?;
    ensure!(answer.code == 1, "{function} is not refused: {}", answer.output);
    ensure!(answer.output.contains(&format!("{function}: ")), "the function is not named: {}", answer.output);
    ensure!(answer.output.contains(reason), "{function} is refused with {}, not with {reason}", answer.output);
    Ok(())
}

/// Takes a function from its driver, if it has one, and gives it to `vfio-pci`, as the README says.
pub fn bind(guest: &mut Guest, function: &str) -> Result<()> {
    let folder = format!("/sys/bus/pci/devices/{function}");
    for command in [
        "modprobe vfio-pci && modprobe vfio_iommu_type1".to_owned(),
        format!("echo vfio-pci >{folder}/driver_override"),
        format!("[ ! -e {folder}/driver ] || echo {function} >{folder}/driver/unbind"),
        format!("echo {function} >/sys/bus/pci/drivers_probe"),
    ] {
        guest.run(&command)?;
    }
    Ok(())
}
